// Blocks of 32 rows with one bit a dimension, laid out so that one pass over contiguous bytes
// scores all of them against a query of small integer weights.
//
// Four bits of a row are a number that chooses one of 16 sums of weights, and a table of 16 bytes
// fits a vector register. So a block keeps the bits of its rows four dimensions at a time: 16 bytes
// for four dimensions, byte r with those of row r in its low half and of row 16 + r in its high
// half.
//
// Blocks live in memory only. Scores are f32; the sums behind them are integers and the same on
// every SIMD level.
//
// Source: André, Kermarrec, Le Scouarnec: Cache locality is not enough, VLDB 2015 (tables in
// registers); Gou, Gao, Xu, Long: SymphonyQG, SIGMOD 2025 (for the neighbours of a graph's node).
//
// Threads: pure. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::kernels {

inline constexpr size_t kBitBlockRows = 32;

// dim is a multiple of 64, at most 65536, here and below.
inline size_t BitBlockBytes(size_t dim) {
    return dim / 8 * kBitBlockRows;
}
inline size_t BitBlockTableBytes(size_t dim) {
    return dim / 4 * 16;
}

// The weights of a query, rounded to whole multiples of `scale`. Borrows its tables.
struct BitBlockQuery {
    const uint8_t* tables = nullptr;
    size_t dim = 0;
    float scale = 0;
    float half_sum = 0;  // of all multiples
};

// tables: BitBlockTableBytes(dim), which must outlive the query; multiples of 64 are fastest.
// Weights are finite.
BitBlockQuery PackBitBlockQuery(const float* weights, size_t dim, uint8_t* tables);

// bits: kBitBlockRows rows of dim / 8 bytes; bit j of a row is bit j % 8 of byte j / 8.
void PackBitBlock(const uint8_t* bits, size_t dim, uint8_t* block);

// What turns the products with bits into scores.
struct BitBlockTerms {
    const float* add = nullptr;     // one for each row
    const float* factor = nullptr;  // one for each row
    float start = 0;
    float add_scale = 1;
};

// scores[r] = start + add_scale * add[r] + factor[r] * p, where p is the product of the query with
// row r as halves: 1/2 for a set bit, -1/2 for one that is not. At most the largest finite f32,
// which also stands for what is no number. Returns a set bit r for each score below `limit`.
uint32_t ScoreBitBlock(const BitBlockQuery& query, const uint8_t* block, const BitBlockTerms& terms,
                       float limit, float* scores);

// Of d = row - centre: which are positive, and sums.
struct DifferenceSums {
    float absolute = 0;   // of |d|
    float squares = 0;    // of d * d
    float along = 0;      // of the centre's elements, with the signs of d
    float with_base = 0;  // of d * base
};
// bits: dim / 8 bytes.
DifferenceSums SignsOfDifference(const float* row, const float* centre, const float* base,
                                 size_t dim, uint8_t* bits);

}  // namespace quern::kernels
