// Integer dot products between one query and many rows of scalar codes: what a walk through a graph
// spends its time on.
//
// A row of codes holds one small unsigned number per dimension, 8 or 4 bits wide. The query is
// rounded to signed bytes, so that a dot product is exact arithmetic in integers: the same number
// on every SIMD level, for every count and position. What codes and products mean as distances is
// the caller's affair.
//
// Layout of a row. It goes into files and is the same everywhere: do not change. A row is a
// sequence of blocks of 64 bytes; the last block has 32 bytes when its codes fit there. Unused
// codes are zero.
//
//     8 bits   byte j of the row is code j. A block holds 64 codes, a short one 32.
//     4 bits   a block holds 128 codes: byte j has code j in its low half and code 64 + j in its
//              high half. A short block holds 64: byte j has codes j and 32 + j.
//
// So 100 dimensions take 128 bytes or 64, 784 take 800 or 416. Rows may stand anywhere; from
// addresses that are multiples of 64 they are read fastest. Rounding every row up to 64 bytes was
// measured and gains nothing.
//
// Threads: all functions are pure and may be called from any thread. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::kernels {

// Width of a code. The values are written to files: do not change.
enum class CodeBits : int32_t { k8 = 8, k4 = 4 };

// Beyond this a sum could leave int32: 65536 * 255 * 127 < 2^31.
inline constexpr size_t kCodeDimMax = 65536;

// Bytes of one row: a multiple of 32. dim <= kCodeDimMax, here and below.
size_t CodeRowBytes(CodeBits bits, size_t dim);

// Packs `count` rows of `dim` codes, one byte each, into rows of CodeRowBytes. Codes are at most
// 255 or 15.
void PackCodes(CodeBits bits, const uint8_t* codes, size_t count, size_t dim, uint8_t* rows);
// The codes of one row, one byte each.
void UnpackCodes(CodeBits bits, const uint8_t* row, size_t dim, uint8_t* codes);

// A query for rows of one layout. `packed` is borrowed. The default is the query for 0 dimensions.
struct CodeQuery {
    const int8_t* packed = nullptr;  // byte j is weight j, from -127 to 127; then zeros
    float scale = 0;                 // weight j is about scale * packed[j]
    size_t row_bytes = 0;            // of the rows
    size_t stride = 0;             // from one row to the next; the same unless the caller widens it
    CodeBits bits = CodeBits::k8;  // of the rows
};

// Bytes of CodeQuery::packed.
size_t CodeQueryBytes(CodeBits bits, size_t dim);

// Rounds weights to the nearest multiple of a common scale, which is the least that fits the
// largest weight: no weight is off by more than scale / 2. Weights are finite. All zero: scale is
// 0. `packed` has CodeQueryBytes bytes at any address (64-byte alignment is fastest) and must
// outlive the query.
CodeQuery PackCodeQuery(CodeBits bits, const float* weights, size_t dim, int8_t* packed);

// out[i] = sum over j of query.packed[j] * code j of row picked[i], exactly. Rows stand
// query.stride apart. Rows are fetched ahead within one call, so that one call for many rows is
// better than many calls.
void CodeDotsPicked(const CodeQuery& query, const uint8_t* rows, const uint32_t* picked,
                    size_t count, int32_t* out);
// The same for rows 0 to count - 1.
void CodeDots(const CodeQuery& query, const uint8_t* rows, size_t count, int32_t* out);

}  // namespace quern::kernels
