#include "engine/sparse/prune_rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/sparse/row_shares.h"

namespace quern::sparse {

namespace {

// Between two questions whether to go on.
constexpr size_t kCheckRows = 1024;

// Marks the entries of one row that stay; order: space.
void MarkRow(const float* weights, size_t count, const PruneOptions& options,
             std::vector<uint32_t>* order, char* stays) {
    order->resize(count);
    std::iota(order->begin(), order->end(), 0u);
    const auto size = [&](uint32_t i) { return std::fabs(static_cast<double>(weights[i])); };
    std::sort(order->begin(), order->end(), [&](uint32_t a, uint32_t b) {
        return size(a) != size(b) ? size(a) > size(b) : a < b;
    });
    double all = 0;
    for (uint32_t i = 0; i < count; i++) {
        all += size(i);
    }
    const double least = std::max(options.below, count > 0 ? options.ratio * size((*order)[0]) : 0);
    const size_t most = options.top > 0 ? std::min<size_t>(options.top, count) : count;
    double sum = 0;
    for (size_t i = 0; i < most; i++) {
        const uint32_t entry = (*order)[i];
        if (size(entry) < least || (options.mass < 1 && sum >= options.mass * all)) {
            return;  // those that follow are lighter
        }
        stays[entry] = 1;
        sum += size(entry);
    }
}

}  // namespace

Result<PrunedRows> PruneRows(const SparseRows& rows, const std::vector<uint32_t>& terms_of_entries,
                             size_t term_count, const PruneOptions& options, int threads,
                             Work* work) {
    const uint64_t base = rows.count == 0 ? 0 : rows.offsets[0];
    std::vector<char> stays(terms_of_entries.size(), 0);
    QUERN_TRY(RowShares(rows, threads).Run([&](const RowShare& share) -> Status {
        std::vector<uint32_t> order;
        for (size_t row = share.first; row < share.end; row++) {
            const uint64_t first = rows.offsets[row];
            MarkRow(rows.weights + first, static_cast<size_t>(rows.offsets[row + 1] - first),
                    options, &order, stays.data() + (first - base));
            if (row % kCheckRows == 0) {
                QUERN_TRY(work->Check("sparse index", 0, 0));
            }
        }
        return {};
    }));
    constexpr uint64_t kNone = UINT64_MAX;
    std::vector<uint64_t> heaviest(term_count, kNone);
    for (uint64_t i = 0; i < stays.size(); i++) {
        uint64_t& best = heaviest[terms_of_entries[i]];
        if (best == kNone ||
            std::fabs(rows.weights[base + i]) > std::fabs(rows.weights[base + best])) {
            best = i;
        }
    }
    for (const uint64_t entry : heaviest) {
        if (entry != kNone) {
            stays[entry] = 1;
        }
    }
    PrunedRows out;
    for (size_t row = 0; row < rows.count; row++) {
        for (uint64_t i = rows.offsets[row] - base; i < rows.offsets[row + 1] - base; i++) {
            if (stays[i] != 0) {
                out.dimensions.push_back(rows.dimensions[base + i]);
                out.weights.push_back(rows.weights[base + i]);
                out.terms.push_back(terms_of_entries[i]);
            }
        }
        out.offsets.push_back(out.dimensions.size());
    }
    return out;
}

}  // namespace quern::sparse
