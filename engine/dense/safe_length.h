// Vectors of a cosine field whose lengths f32 does not hold well: the squares of elements beyond
// 1e19 overflow, the inverse of a length beyond 8e37 is a denormal number with few digits, and so
// is the length of what is very short. Only directions count, so that such vectors are brought to a
// usual size before anything is computed of them.
#pragma once

#include <cstddef>
#include <vector>

#include "storage/base/element.h"

namespace quern::dense {

// Brings a row to length one; inverse_norm: 1 / |row| as kernels::InverseNorms has it, which is
// enough unless it has lost digits. 0: the row becomes zero.
void ScaleToUnit(float inverse_norm, size_t dim, float* values);

// A query of any metric; under cosine (and for inner products if they are to be scaled, too), where
// its length changes no order, and its largest element is of extreme size, a copy of it times a
// power of two, which changes no digit. Elements smaller than the largest by 1e38 or more vanish.
// The vector stays borrowed.
class SafeQuery {
public:
    enum class Products { kAsTheyAre, kScaled };
    SafeQuery(Metric metric, const void* vector, size_t dim,
              Products products = Products::kAsTheyAre);
    const float* values() const { return values_; }
    // What distances of values() are to be multiplied by: 1 but for inner products.
    double back() const { return back_; }

private:
    std::vector<float> scaled_;
    const float* values_;
    double back_ = 1;
};

}  // namespace quern::dense
