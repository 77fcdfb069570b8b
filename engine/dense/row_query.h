// A stored row as the query of distances to other rows.
#pragma once

#include <vector>

#include "engine/dense/vector_rows.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

class RowQuery {
public:
    void Set(const VectorRows& rows, uint32_t row) {
        const void* vector = rows.row(row);
        if (rows.element != Element::kF32 && rows.element != Element::kBit) {
            values_.resize(rows.dim);
            kernels::ToF32(rows.element, vector, 1, rows.dim, values_.data());
            vector = values_.data();
        }
        query_ = kernels::PrepareQuery(rows.element, rows.metric, vector, rows.dim,
                                       rows.inverse_norms ? rows.inverse_norms[row] : 0.0f);
    }
    const kernels::Query& get() const { return query_; }

private:
    kernels::Query query_;
    std::vector<float> values_;
};

}  // namespace quern::dense
