// Conversions between f32 and the element types, and the search for numbers that are none.
#include <bit>
#include <cmath>
#include <cstring>

#include "engine/kernels/distance.h"
#include "engine/kernels/element_codes.h"

namespace quern::kernels {

namespace {

constexpr float kHalfLimit = 65520.0f;          // from here on nearest is infinity
constexpr uint32_t kBfloatLimit = 0x7f7f8000u;  // bits of the first f32 that rounds to infinity

bool Refuse(size_t index, size_t* bad) {
    if (bad != nullptr) {
        *bad = index;
    }
    return false;
}

template <typename Code, typename Convert>
bool ConvertAll(const float* values, size_t count, void* out, size_t* bad, Convert convert) {
    char* to = static_cast<char*>(out);
    for (size_t i = 0; i < count; i++) {
        Code code;
        if (!convert(values[i], &code)) {
            return Refuse(i, bad);
        }
        std::memcpy(to + i * sizeof(Code), &code, sizeof(Code));
    }
    return true;
}

// Whether any code of a block has all exponent bits set. Simple enough for the compiler to
// vectorise.
template <typename Code>
bool AnyWithExponent(const char* codes, size_t count, Code exponent) {
    Code hit = 0;
    for (size_t i = 0; i < count; i++) {
        Code code;
        std::memcpy(&code, codes + i * sizeof(Code), sizeof(Code));
        hit = static_cast<Code>(hit | static_cast<Code>((code & exponent) == exponent ? 1 : 0));
    }
    return hit != 0;
}

template <typename Code>
bool FindNotFinite(const void* rows, size_t count, Code exponent, size_t* bad) {
    constexpr size_t kBlock = 4096;
    const char* codes = static_cast<const char*>(rows);
    for (size_t first = 0; first < count; first += kBlock) {
        const size_t block = count - first < kBlock ? count - first : kBlock;
        if (!AnyWithExponent<Code>(codes + first * sizeof(Code), block, exponent)) {
            continue;
        }
        for (size_t i = first;; i++) {
            if (AnyWithExponent<Code>(codes + i * sizeof(Code), 1, exponent)) {
                return Refuse(i, bad);
            }
        }
    }
    return true;
}

}  // namespace

bool FromF32(Element element, const float* values, size_t count, size_t dim, void* out,
             size_t* bad) {
    const size_t total = count * dim;
    if (total == 0) {
        return true;
    }
    switch (element) {
        case Element::kF32: std::memcpy(out, values, total * sizeof(float)); return true;
        case Element::kF16:
            return ConvertAll<uint16_t>(values, total, out, bad, [](float value, uint16_t* code) {
                *code = FloatToHalf(value);
                return std::fabs(value) < kHalfLimit;
            });
        case Element::kBF16:
            return ConvertAll<uint16_t>(values, total, out, bad, [](float value, uint16_t* code) {
                *code = FloatToBfloat(value);
                return (std::bit_cast<uint32_t>(value) & 0x7fffffffu) < kBfloatLimit;
            });
        case Element::kI8:
            return ConvertAll<int8_t>(values, total, out, bad, [](float value, int8_t* code) {
                if (!(value >= -128.0f && value <= 127.0f) || value != std::trunc(value)) {
                    return false;
                }
                *code = static_cast<int8_t>(value);
                return true;
            });
        case Element::kU8:
            return ConvertAll<uint8_t>(values, total, out, bad, [](float value, uint8_t* code) {
                if (!(value >= 0.0f && value <= 255.0f) || value != std::trunc(value)) {
                    return false;
                }
                *code = static_cast<uint8_t>(value);
                return true;
            });
        case Element::kBit: break;
    }
    const size_t row_bytes = VectorBytes(element, dim);
    std::memset(out, 0, count * row_bytes);
    auto* bytes = static_cast<uint8_t*>(out);
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < dim; i++) {
            if (values[row * dim + i] > 0) {
                bytes[row * row_bytes + i / 8] =
                    static_cast<uint8_t>(bytes[row * row_bytes + i / 8] | 1u << (i % 8));
            }
        }
    }
    return true;
}

bool AllFinite(Element element, const void* rows, size_t count, size_t dim, size_t* bad) {
    switch (element) {
        case Element::kF32: return FindNotFinite<uint32_t>(rows, count * dim, 0x7f800000u, bad);
        case Element::kF16: return FindNotFinite<uint16_t>(rows, count * dim, 0x7c00u, bad);
        case Element::kBF16: return FindNotFinite<uint16_t>(rows, count * dim, 0x7f80u, bad);
        case Element::kI8:
        case Element::kU8:
        case Element::kBit: break;
    }
    return true;
}

}  // namespace quern::kernels
