#include "engine/dense/safe_length.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quern::dense {

namespace {

// Products and squares of elements within these limits neither overflow nor vanish, whatever the
// dimension.
constexpr float kLargest = 1e12f;
constexpr float kSmallest = 1e-12f;

// Every search asks for it: one maximum after the other would wait for the one before, and took a
// tenth of a search among a few thousand vectors of 768 dimensions.
float LargestElement(const float* values, size_t dim) {
    constexpr size_t kAtOnce = 16;
    float largest[kAtOnce] = {};
    size_t j = 0;
    for (; j + kAtOnce <= dim; j += kAtOnce) {
        for (size_t i = 0; i < kAtOnce; i++) {
            largest[i] = std::max(largest[i], std::fabs(values[j + i]));
        }
    }
    for (; j < dim; j++) {
        largest[0] = std::max(largest[0], std::fabs(values[j]));
    }
    return *std::max_element(largest, largest + kAtOnce);
}

}  // namespace

void ScaleToUnit(float inverse_norm, size_t dim, float* values) {
    // The largest f32 stands for all inverses that are larger.
    if (inverse_norm == 0 || (inverse_norm >= std::numeric_limits<float>::min() &&
                              inverse_norm < std::numeric_limits<float>::max())) {
        for (size_t j = 0; j < dim; j++) {
            values[j] *= inverse_norm;
        }
        return;
    }
    double squares = 0;
    for (size_t j = 0; j < dim; j++) {
        squares += static_cast<double>(values[j]) * static_cast<double>(values[j]);
    }
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (size_t j = 0; j < dim; j++) {
        values[j] = static_cast<float>(static_cast<double>(values[j]) * scale);
    }
}

SafeQuery::SafeQuery(Metric metric, const void* vector, size_t dim, Products products)
    : values_(static_cast<const float*>(vector)) {
    const bool scaled_ip = metric == Metric::kIp && products == Products::kScaled;
    if (metric != Metric::kCosine && !scaled_ip) {
        return;
    }
    const float largest = LargestElement(values_, dim);
    if (largest == 0 || (largest > kSmallest && largest < kLargest)) {
        return;
    }
    scaled_.resize(dim);
    const int shift = -std::ilogb(largest);
    for (size_t j = 0; j < dim; j++) {
        scaled_[j] = std::ldexp(values_[j], shift);
    }
    values_ = scaled_.data();
    back_ = scaled_ip ? std::ldexp(1.0, -shift) : 1.0;
}

}  // namespace quern::dense
