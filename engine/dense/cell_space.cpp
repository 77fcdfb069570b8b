#include "engine/dense/cell_space.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/dense/safe_length.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

// Squares of elements within these limits neither overflow nor vanish, whatever the dimension.
constexpr float kLargestCentre = 1e12f;
constexpr float kSmallestCentre = 1e-12f;
// What rounding may have moved a distance by, of the largest number in it.
constexpr double kRounding = 1e-5;

void BitsToF32(const char* bits, size_t dim, float* out) {
    for (size_t j = 0; j < dim; j++) {
        out[j] = static_cast<float>(static_cast<uint8_t>(bits[j / 8]) >> (j % 8) & 1);
    }
}

}  // namespace

float CellSpace::Scale(const VectorRows& rows, const std::vector<uint32_t>& picked) {
    if (rows.element == Element::kBit || rows.metric == Metric::kCosine) {
        return 1;
    }
    float largest = 0;
    std::vector<float> values(rows.dim);
    for (const uint32_t row : picked) {
        kernels::ToF32(rows.element, rows.row(row), 1, rows.dim, values.data());
        for (const float value : values) {
            largest = std::max(largest, std::abs(value));
        }
    }
    if (largest == 0 || (largest > kSmallestCentre && largest < kLargestCentre)) {
        return 1;
    }
    // 2^126 and its inverse are the ends of what a normal f32 holds.
    return std::ldexp(1.0f, -std::clamp(std::ilogb(largest), -126, 126));
}

void CellSpace::Points(const VectorRows& rows, const uint32_t* picked, size_t count,
                       float* out) const {
    for (size_t i = 0; i < count; i++, out += dim_) {
        const char* row = rows.row(picked[i]);
        if (element_ == Element::kBit) {
            BitsToF32(row, dim_, out);
            continue;
        }
        kernels::ToF32(element_, row, 1, dim_, out);
        if (metric_ == Metric::kCosine) {
            ScaleToUnit(rows.inverse_norms[picked[i]], dim_, out);
            continue;
        }
        for (size_t j = 0; j < dim_ && scale_ != 1.0f; j++) {
            out[j] *= scale_;
        }
    }
}

void CellSpace::QueryPoint(const void* vector, float* out) const {
    if (element_ == Element::kBit) {
        BitsToF32(static_cast<const char*>(vector), dim_, out);
        return;
    }
    const SafeQuery safe(metric_, vector, dim_);
    const float* const values = safe.values();
    float factor = scale_;
    if (metric_ == Metric::kCosine) {
        kernels::InverseNorms(Element::kF32, values, 1, dim_, &factor);
    }
    for (size_t j = 0; j < dim_; j++) {
        out[j] = values[j] * factor;
    }
}

float CellSpace::LeastDistance(float rank, float radius, double length) const {
    const double reach = static_cast<double>(radius);
    const double unscale = 1.0 / static_cast<double>(scale_);
    double least = 0;
    if (metric_ == Metric::kIp) {
        const double product = static_cast<double>(rank);
        least = (product - length * reach - kRounding * (std::abs(product) + length * reach)) *
                unscale * unscale;
    } else {
        const double distance = std::sqrt(std::max(0.0, static_cast<double>(rank)));
        const double gap =
            std::max(0.0, distance - reach - kRounding * (distance + reach)) * unscale;
        least = metric_ == Metric::kCosine ? gap * gap / 2 : gap * gap;
    }
    // Nothing is known of what has left f32.
    constexpr double kMost = std::numeric_limits<float>::max();
    return std::isfinite(least) && std::abs(least) < kMost
               ? static_cast<float>(least)
               : -std::numeric_limits<float>::infinity();
}

}  // namespace quern::dense
