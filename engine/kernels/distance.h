// Distances between one query (or a block of queries) and many stored vectors.
//
// One generic Highway body per element type, compiled for every SIMD level of the architecture and
// chosen at run time; distance_scalar.cpp is the plain twin that tests compare against. Nothing
// here allocates or fails: callers check dimensions and finiteness before.
//
// Distances follow the table in quern.h: L2 is the squared Euclidean distance, IP is -inner
// product, cosine is 1 - cosine (1 when a norm is zero), Hamming counts differing bits. Everything
// is accumulated in f32 (i8 x i8 and bits exactly in integers).
//
// Threads: all functions are pure and may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "storage/base/element.h"

namespace quern::kernels {

// A query prepared for one field. `vector` points at f32[dim] for all element types but kBit, where
// it points at (dim + 7) / 8 bytes whose unused high bits are zero. Borrowed.
struct Query {
    const void* vector = nullptr;
    size_t dim = 0;
    float inverse_norm = 0;  // as InverseNorms has it; used by cosine only
    // Rows with a larger inverse norm are measured in double precision; see CosineIsDoubtful.
    float row_inverse_max = 0;
};

// Fills what cosine needs beside the vector.
Query PrepareQuery(Element element, Metric metric, const void* vector, size_t dim);
// The same where InverseNorms of the vector is known (cosine).
Query PrepareQuery(Element element, Metric metric, const void* vector, size_t dim,
                   float inverse_norm);

// out[i] = distance(query, row i) for i < count; rows are contiguous, VectorBytes(element, dim)
// apart; any alignment. inverse_norms[i] is that of InverseNorms, needed for cosine only, else
// NULL. Cosine distances are in [0, 2]. The result for a row does not depend on count, on its
// position, or on its alignment (bit for bit).
void Distances(Element element, Metric metric, const Query& query, const void* rows, size_t count,
               const float* inverse_norms, float* out);

// The same for rows picked by index: out[j] = distance(query, row picked[j]).
void DistancesPicked(Element element, Metric metric, const Query& query, const void* rows,
                     const uint32_t* picked, size_t count, const float* inverse_norms, float* out);

// True when f32 may not tell the cosine of the query and a row with this inverse norm: a product of
// such short vectors loses digits to underflow, or an inverse norm is no normal f32. Distances
// measures these in double precision from their elements; who works with products alone has to
// measure them by Distances.
inline bool CosineIsDoubtful(const Query& query, float inverse_norm) {
    return inverse_norm > query.row_inverse_max ||
           (inverse_norm < std::numeric_limits<float>::min() && inverse_norm > 0);
}

// inverse_norms[i] = 1 / |row i|, 0 for a zero row; the largest finite f32 where that is more (rows
// shorter than 3e-39). Not for kBit.
void InverseNorms(Element element, const void* rows, size_t count, size_t dim,
                  float* inverse_norms);

// Squared norms |row i|^2 in f32. Not for kBit.
void SquaredNorms(Element element, const void* rows, size_t count, size_t dim,
                  float* squared_norms);

// f32 copies of rows (all but kBit): out has count * dim entries.
void ToF32(Element element, const void* rows, size_t count, size_t dim, float* out);

// Rounds f32 to the element type (nearest even). False when a value cannot be represented: beyond
// f16's range, or not a whole number in [-128, 127] (kI8) or [0, 255] (kU8). kBit: x > 0 gives 1,
// packed from the lowest bit. `out` has VectorBytes(element, dim) bytes per row. *bad (may be NULL)
// gets the index of the first value refused.
bool FromF32(Element element, const float* values, size_t count, size_t dim, void* out,
             size_t* bad);

// Whether every value is one of the element type to the bit, so that ToF32 gives the same bits (no
// negative zero for kI8 and kU8); out then has count of them. Not for kBit. One pass, at the speed
// of memory.
bool NarrowExactly(Element element, const float* values, size_t count, void* out);

// True when all values are finite (f32, f16, bf16; always true for kI8, kU8 and kBit). *bad as
// above.
bool AllFinite(Element element, const void* rows, size_t count, size_t dim, size_t* bad);

// Inner products of a block of f32 queries with a block of f32 rows, register-blocked like a matrix
// product: out[q * out_stride + r] = <queries[q], rows[r]>. Faster than Distances when query_count
// > 1, but sums in another order: |result - exact| <= InnerProductError(dim) * |query| * |row|.
// Bit-equal results need Distances. packed_rows comes from PackRows and holds row_count rows.
size_t PackedRowsFloats(size_t row_count, size_t dim);  // floats that PackRows writes
void PackRows(Element element, const void* rows, size_t row_count, size_t dim, float* packed);
void InnerProductBlock(const float* queries, size_t query_count, const float* packed_rows,
                       size_t row_count, size_t dim, float* out, size_t out_stride);
// A bound that holds for Distances' inner product too (each against the real-number value).
float InnerProductError(size_t dim);

// The inner product with eight sums in double, the same number at every level.
double ProductInDouble(const float* a, const float* b, size_t dim);

// Writes the positions i with values[i] <= threshold, ascending, to out (capacity count); returns
// how many.
size_t SelectAtMost(const float* values, size_t count, float threshold, uint32_t* out);

// Name of the SIMD level in use ("AVX3_VNNI", "AVX3", "AVX2", "SSE4", "NEON", ...).
const char* SimdLevel();
// For tests: restrict dispatch to the lowest level (true) or undo it (false). Not thread-safe
// against running kernels.
void ForceLowestLevel(bool on);

}  // namespace quern::kernels
