// A random rotation without a matrix: signs flipped at random and fast Hadamard transforms, four
// times. Lengths and angles stay as they are; what a vector had in a few dimensions is spread over
// all. O(dim log dim), 4 bits of state a dimension.
//
// With p the largest power of two that is at most dim, each round flips signs, transforms the first
// p numbers (in rounds 1 and 3) or the last p (in rounds 2 and 4), scaled to keep lengths, and,
// unless p is dim, turns the two halves against each other by 45 degrees.
//
// Sources: Ailon, Chazelle: The fast Johnson-Lindenstrauss transform, 2009; in this form in the
// RaBitQ library (Gao, Long).
//
// Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::kernels {

// dim is a multiple of this.
inline constexpr size_t kRotationUnit = 64;
// Bytes of `signs`: one bit for each of four rounds and dimensions.
inline size_t RotationSignBytes(size_t dim) {
    return dim / 8 * 4;
}
// Rotates a vector in place. signs: bit j of round r is bit (r * dim + j) % 8 of byte
// (r * dim + j) / 8; a set one flips.
void Rotate(const uint8_t* signs, size_t dim, float* vector);

}  // namespace quern::kernels
