// Walks on the vectors themselves: the scorer of graphs without codes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/dense/vector_rows.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

class RowScorer {
public:
    RowScorer(const VectorRows& rows, const kernels::Query& query) : rows_(rows), query_(query) {}
    void Score(const uint32_t* nodes, size_t count, float* distances) {
        constexpr size_t kAtOnce = 4;
        for (size_t i = 0; i < count; i += kAtOnce) {
            const size_t now = std::min(kAtOnce, count - i);
            for (size_t j = i + kAtOnce; j < std::min(count, i + 2 * kAtOnce); j++) {
                Fetch(nodes[j]);
            }
            kernels::DistancesPicked(rows_.element, rows_.metric, query_, rows_.rows, nodes + i,
                                     now, rows_.inverse_norms, distances + i);
        }
    }
    void Fetch(uint32_t node) const {
        const char* row = rows_.row(node);
        for (size_t at = 0; at < std::min<size_t>(rows_.row_bytes(), 4096); at += 64) {
            __builtin_prefetch(row + at);
        }
    }

private:
    const VectorRows& rows_;
    const kernels::Query& query_;
};

}  // namespace quern::dense
