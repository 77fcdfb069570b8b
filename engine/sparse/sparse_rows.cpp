#include "engine/sparse/sparse_rows.h"

#include <algorithm>
#include <cmath>

#include "engine/sparse/row_shares.h"

namespace quern::sparse {

Status MakeSparseVector(const uint32_t* dimensions, const float* weights, size_t count,
                        const SparseLimits& limits, SparseVector* out) {
    out->clear();
    if (count > std::min(limits.entries, kEntriesMax)) {
        return Status::Error(Code::kLimit, "%zu entries; at most %zu are allowed", count,
                             std::min(limits.entries, kEntriesMax));
    }
    out->reserve(count);
    bool ascending = true;
    for (size_t i = 0; i < count; i++) {
        const float weight = weights == nullptr ? 1.0f : weights[i];
        if (!std::isfinite(weight)) {
            return Status::Error(
                Code::kNotFinite, "the weight of dimension %u (entry %zu) is not finite%s",
                dimensions[i], i, std::isinf(weight) ? ": f32 ends at 3.4e38" : "");
        }
        if (dimensions[i] >= limits.dimensions) {
            return Status::Error(Code::kDimension, "dimension %u (entry %zu); the field has %llu",
                                 dimensions[i], i,
                                 static_cast<unsigned long long>(limits.dimensions));
        }
        ascending = ascending && (i == 0 || dimensions[i - 1] < dimensions[i]);
        out->push_back({dimensions[i], weight});
    }
    if (!ascending) {
        std::sort(out->begin(), out->end(), [](const SparseEntry& a, const SparseEntry& b) {
            return a.dimension < b.dimension;
        });
        for (size_t i = 1; i < count; i++) {
            if ((*out)[i - 1].dimension == (*out)[i].dimension) {
                return Status::Error(Code::kInvalid, "dimension %u is there twice",
                                     (*out)[i].dimension);
            }
        }
    }
    // Last, so that a dimension with a weight of zero counts as one when it is there twice.
    out->erase(std::remove_if(out->begin(), out->end(),
                              [](const SparseEntry& entry) { return entry.weight == 0.0f; }),
               out->end());
    return {};
}

bool ScoreVector(const SparseVector& query, const uint32_t* dimensions, const float* weights,
                 size_t count, double* score) {
    bool common = false;
    double sum = 0;
    size_t at = 0;
    for (const SparseEntry& entry : query) {
        while (at < count && dimensions[at] < entry.dimension) {
            at++;
        }
        if (at == count) {
            break;
        }
        if (dimensions[at] == entry.dimension) {
            common = true;
            sum += static_cast<double>(entry.weight) *
                   (weights == nullptr ? 1.0 : static_cast<double>(weights[at]));
        }
    }
    *score = sum;
    return common;
}

void SparseRowList::Append(const SparseVector& vector) {
    for (const SparseEntry& entry : vector) {
        dimensions_.push_back(entry.dimension);
        weights_.push_back(entry.weight);
    }
    offsets_.push_back(dimensions_.size());
}

SparseRowList SparseRowList::Reordered(const std::vector<uint32_t>& order) const {
    SparseRowList result;
    result.offsets_.reserve(order.size() + 1);
    result.dimensions_.reserve(dimensions_.size());
    result.weights_.reserve(weights_.size());
    for (const uint32_t row : order) {
        const auto first = static_cast<ptrdiff_t>(offsets_[row]);
        const auto last = static_cast<ptrdiff_t>(offsets_[row + 1]);
        result.dimensions_.insert(result.dimensions_.end(), dimensions_.begin() + first,
                                  dimensions_.begin() + last);
        result.weights_.insert(result.weights_.end(), weights_.begin() + first,
                               weights_.begin() + last);
        result.offsets_.push_back(result.dimensions_.size());
    }
    return result;
}

namespace {

Status CheckShare(const SparseRows& rows, size_t first, size_t end) {
    for (size_t row = first; row < end; row++) {
        if (rows.offsets[row + 1] - rows.offsets[row] > kEntriesMax) {
            return Status::Error(Code::kInternal, "row %zu has a wrong length", row);
        }
        for (uint64_t i = rows.offsets[row]; i < rows.offsets[row + 1]; i++) {
            if (!std::isfinite(rows.weights[i]) || rows.weights[i] == 0.0f ||
                (i > rows.offsets[row] && rows.dimensions[i - 1] >= rows.dimensions[i])) {
                return Status::Error(Code::kInternal, "row %zu is not in normal form", row);
            }
        }
    }
    return {};
}

}  // namespace

Status CheckRows(const SparseRows& rows, int threads) {
    for (size_t row = 0; row < rows.count; row++) {
        if (rows.offsets[row] > rows.offsets[row + 1]) {  // shares are cut by offsets
            return Status::Error(Code::kInternal, "row %zu has a wrong length", row);
        }
    }
    return RowShares(rows, threads).Run([&](const RowShare& share) {
        return CheckShare(rows, share.first, share.end);
    });
}

}  // namespace quern::sparse
