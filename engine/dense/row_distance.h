// Distances between stored rows, as FAISS asks for them.
#pragma once

#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>

#include "engine/dense/row_query.h"

namespace quern::dense {

class RowDistance : public faiss::DistanceComputer {
public:
    explicit RowDistance(const VectorRows& rows) : rows_(rows) {}
    // FAISS's own loops hand over vectors; ours names a row instead.
    void set_query(const float*) override {}
    void SetRow(uint32_t row) { query_.Set(rows_, row); }
    float operator()(idx_t i) override { return Measure(query_.get(), i); }
    float symmetric_dis(idx_t i, idx_t j) override {
        if (j != other_row_) {
            other_.Set(rows_, static_cast<uint32_t>(j));
            other_row_ = j;
        }
        return Measure(other_.get(), i);
    }

private:
    float Measure(const kernels::Query& query, idx_t i) const {
        const auto row = static_cast<uint32_t>(i);
        float distance = 0;
        kernels::DistancesPicked(rows_.element, rows_.metric, query, rows_.rows, &row, 1,
                                 rows_.inverse_norms, &distance);
        return distance;
    }

    const VectorRows& rows_;
    RowQuery query_;
    RowQuery other_;
    idx_t other_row_ = -1;
};

}  // namespace quern::dense
