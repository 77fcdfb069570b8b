// Half and bfloat16 codes, one number at a time and without any hardware: what the vector code must
// agree with, and what is used where speed does not count.
#pragma once

#include <bit>
#include <cstdint>

namespace quern::kernels {

inline float HalfToFloat(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = half >> 10 & 0x1fu;
    const uint32_t fraction = half & 0x3ffu;
    if (exponent == 0x1f) {
        return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent == 0) {
        // Subnormal: fraction * 2^-24, exact in f32.
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

// Nearest, ties to even; infinity beyond the largest half.
inline uint16_t FloatToHalf(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return static_cast<uint16_t>(sign | 0x7e00u);
    }
    if (magnitude >= 0x47800000u) {  // 65536 and more
        return static_cast<uint16_t>(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) {
        // Subnormal halves are multiples of 2^-24: adding 0.5 leaves exactly those bits at the low
        // end of an f32, rounded to even.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    const uint32_t odd = magnitude >> 13 & 1u;
    return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

inline float BfloatToFloat(uint16_t code) {
    return std::bit_cast<float>(static_cast<uint32_t>(code) << 16);
}

// Nearest, ties to even, of a finite value; infinity beyond the largest bfloat16.
inline uint16_t FloatToBfloat(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace quern::kernels
