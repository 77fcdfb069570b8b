#include "engine/kernels/distance_scalar.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/element_codes.h"

namespace quern::kernels::scalar {

float ElementAt(Element element, const void* row, size_t i) {
    const char* bytes = static_cast<const char*>(row);
    switch (element) {
        case Element::kF32: {
            float value = 0;
            std::memcpy(&value, bytes + 4 * i, sizeof value);
            return value;
        }
        case Element::kF16:
        case Element::kBF16: {
            uint16_t code = 0;
            std::memcpy(&code, bytes + 2 * i, sizeof code);
            return element == Element::kF16 ? HalfToFloat(code) : BfloatToFloat(code);
        }
        case Element::kI8: return static_cast<float>(static_cast<int8_t>(bytes[i]));
        case Element::kU8: return static_cast<float>(static_cast<uint8_t>(bytes[i]));
        case Element::kBit: break;
    }
    return 0;
}

double InnerProduct(Element element, const float* query, const void* row, size_t dim) {
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        sum += static_cast<double>(query[i]) * static_cast<double>(ElementAt(element, row, i));
    }
    return sum;
}

double SquaredNorm(Element element, const void* row, size_t dim) {
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        const double value = static_cast<double>(ElementAt(element, row, i));
        sum += value * value;
    }
    return sum;
}

float InverseNorm(Element element, const void* row, size_t dim) {
    const double squared = SquaredNorm(element, row, dim);
    if (squared == 0) {
        return 0;
    }
    const double most = static_cast<double>(std::numeric_limits<float>::max());
    return static_cast<float>(std::min(1.0 / std::sqrt(squared), most));
}

float Distance(Element element, Metric metric, const Query& query, const void* row,
               float inverse_norm) {
    double distance = 0;
    if (metric == Metric::kHamming) {
        const auto* a = static_cast<const uint8_t*>(query.vector);
        const auto* b = static_cast<const uint8_t*>(row);
        int count = 0;
        for (size_t i = 0; i < (query.dim + 7) / 8; i++) {
            count += __builtin_popcount(static_cast<unsigned>(a[i] ^ b[i]));
        }
        return static_cast<float>(count);
    }
    const auto* vector = static_cast<const float*>(query.vector);
    if (metric == Metric::kL2) {
        for (size_t i = 0; i < query.dim; i++) {
            const double difference =
                static_cast<double>(vector[i]) - static_cast<double>(ElementAt(element, row, i));
            distance += difference * difference;
        }
    } else if (metric == Metric::kIp) {
        distance = -InnerProduct(element, vector, row, query.dim);
    } else if (query.inverse_norm == 0 || inverse_norm == 0) {
        distance = 1;
    } else {
        // From the elements alone: inverse norms of very short and very long vectors are no normal
        // f32.
        const double product = InnerProduct(element, vector, row, query.dim);
        const double squares =
            SquaredNorm(Element::kF32, vector, query.dim) * SquaredNorm(element, row, query.dim);
        distance = std::clamp(1.0 - product / std::sqrt(squares), 0.0, 2.0);
    }
    const double most = static_cast<double>(std::numeric_limits<float>::max());
    if (distance > most) {
        return std::numeric_limits<float>::infinity();
    }
    return distance < -most ? -std::numeric_limits<float>::infinity()
                            : static_cast<float>(distance);
}

}  // namespace quern::kernels::scalar
