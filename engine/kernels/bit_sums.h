// Rows of one bit for each dimension against a query of 4-bit weights: which weights belong to set
// bits, and what they add up to.
//
// Weights are rounded to the odd numbers from -15 to 15 times a common scale. Two ways give the
// same integers. Where a processor counts the bits of whole vectors (AVX-512 VPOPCNTDQ), weights
// are kept as four planes of bits, and a row meets each of them: 6 to 9 ns a row that is in the
// cache, up to 832 dimensions. Everywhere else, and for more than 12 rows, four bits of a row
// choose an entry of a table (nibble_tables.h): as quick for 16 rows in the cache, and quicker for
// rows that are not, because it asks for all of them first; but it takes 16 rows' time for one.
//
// Threads: pure. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/nibble_tables.h"

namespace quern::kernels {

struct BitQuery {
    NibbleQuery nibbles;              // row_bytes = dim / 8; its stride is the caller's to widen
    const uint8_t* planes = nullptr;  // bit b of (weight + 15) / 2 of each dimension, b = 0 to 3
    size_t plane_bytes = 0;
    float scale = 0;  // weight j is about scale * its odd number
    int64_t sum = 0;  // of all odd numbers
};

// dim is a multiple of 64, at most 65536 + 64, here and below.
size_t BitQueryBytes(size_t dim);
// `buffer` has BitQueryBytes(dim) bytes and must outlive the query. Weights are finite.
BitQuery PackBitQuery(const float* weights, size_t dim, uint8_t* buffer);

// out[i] = the sum of the odd numbers whose bits are set in row picked[i]; bit j of a row is bit
// j % 8 of byte j / 8.
void BitSumsPicked(const BitQuery& query, const uint8_t* rows, const uint32_t* picked, size_t count,
                   int32_t* out);

}  // namespace quern::kernels
