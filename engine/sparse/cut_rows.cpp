#include "engine/sparse/cut_rows.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

// All weights of a query together: times 255 it stays below 2^32.
constexpr double kTableSumMax = (1 << 24) - 1;
constexpr double kSlotWeightMax = 65535;
constexpr double kWeightMax = 255;
constexpr uint32_t kRowsOfPiece = 4096;

}  // namespace

void SlotTable::Clear() {
    table_.resize(kernels::kSlotTable, 0);
    for (const uint16_t slot : used_) {
        table_[slot] = 0;
    }
    used_.clear();
}

bool SlotTable::Set(const std::vector<uint32_t>& terms, const std::vector<double>& weights) {
    Clear();
    double sum = 0;
    double most = 0;
    for (const double weight : weights) {
        sum += weight;
        most = std::max(most, weight);
    }
    const double scale = std::min(kSlotWeightMax / most, kTableSumMax / sum);
    if (!(most > 0) || !std::isfinite(scale)) {
        return false;
    }
    for (size_t i = 0; i < terms.size(); i++) {
        const auto slot = static_cast<uint16_t>(terms[i]);
        // Of terms that share a slot the heavier one counts.
        table_[slot] = std::max(table_[slot], static_cast<uint16_t>(weights[i] * scale));
        used_.push_back(slot);
    }
    unit_ = 1 / scale;
    return true;
}

void SlotTable::SetRow(const uint8_t* row, uint32_t entries) {
    Clear();
    for (uint32_t i = 0; i < entries && CutRows::WeightAt(row, i) != 0; i++) {
        const uint16_t slot = CutRows::SlotAt(row, i);
        table_[slot] = CutRows::WeightAt(row, i);
        used_.push_back(slot);
    }
    unit_ = 1;
}

Result<CutRows> CutRows::Build(const ForwardCopy& forward, int threads) {
    CutRows cut;
    const uint32_t count = forward.rows();
    cut.rows_ = Buffer(size_t{count} * kStride, nullptr);
    float most = 0;
    for (const float weight : forward.table) {
        most = std::max(most, weight);
    }
    for (uint32_t i = 0; forward.table.empty() && i < forward.offsets.back(); i++) {
        most = std::max(most, forward.WeightAt(i));
    }
    // A weight of zero steps would end a row: what is lighter than half a step is left out.
    const double levels = most > 0 ? kWeightMax / static_cast<double>(most) : 0;
    cut.step_ = static_cast<double>(most) / kWeightMax;
    std::atomic<uint32_t> next{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        std::vector<std::pair<float, uint16_t>> row;
        for (uint32_t first = next.fetch_add(kRowsOfPiece); first < count;
             first = next.fetch_add(kRowsOfPiece)) {
            for (uint32_t r = first; r < std::min(count, first + kRowsOfPiece); r++) {
                row.clear();
                for (uint32_t i = forward.offsets[r]; i < forward.offsets[r + 1]; i++) {
                    row.emplace_back(-forward.WeightAt(i),
                                     static_cast<uint16_t>(forward.TermAt(i)));
                }
                const size_t kept = std::min<size_t>(kEntries, row.size());
                std::partial_sort(row.begin(), row.begin() + static_cast<ptrdiff_t>(kept),
                                  row.end());
                auto* const at = reinterpret_cast<uint8_t*>(cut.rows_.data()) + size_t{r} * kStride;
                std::fill_n(at, kStride, uint8_t{0});
                for (size_t i = 0; i < kept && row[i].first < 0; i++) {
                    at[2 * i] = static_cast<uint8_t>(row[i].second);
                    at[2 * i + 1] = static_cast<uint8_t>(row[i].second >> 8);
                    at[2 * kEntries + i] = static_cast<uint8_t>(
                        std::lround(static_cast<double>(-row[i].first) * levels));
                }
            }
        }
        return {};
    }));
    return cut;
}

}  // namespace quern::sparse
