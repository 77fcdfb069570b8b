// What all kinds of codes need to learn from vectors and to be kept: rows as f32, a sample of
// bounded size, the mean, arrays of numbers in a file.
#pragma once

#include <vector>

#include "engine/dense/vector_rows.h"
#include "engine/kernels/distance.h"
#include "storage/base/bytes.h"

namespace quern::dense {

// Values are kept within this, so that products of two stay finite in double, and sums of rows in
// f32.
inline constexpr float kCodeValueMax = 1e38f;

// What a few roundings to f32 make of a number at most, as a share of it.
inline constexpr double kCodeRounding = 1.0 / (1 << 21);

// Rows as f32, of length one under cosine; out: count * dim.
void DecodeRows(const VectorRows& rows, size_t first, size_t count, float* out);

// Rows spread over all, about `most` of them or all. Without the few that are far longer than
// others are (but under cosine, where no row is): codes would be made for these, in steps that all
// others fall into one of. They get the code that comes nearest.
struct RowSample {
    std::vector<uint32_t> rows;
    static RowSample Of(const VectorRows& rows, size_t most);
};

// The mean of a sample, as DecodeRows has the rows.
std::vector<float> MeanOf(const VectorRows& rows);
// The largest absolute value in a sample.
float LargestOf(const VectorRows& rows);

inline float CodeValue(float value) {
    return value < -kCodeValueMax ? -kCodeValueMax : value > kCodeValueMax ? kCodeValueMax : value;
}

void WriteFloats(const std::vector<float>& values, ByteWriter* writer);
// False when they are cut short or not all finite.
bool ReadFloats(ByteReader* reader, size_t count, std::vector<float>* values);

inline double Dot(const float* a, const float* b, size_t dim) {
    return kernels::ProductInDouble(a, b, dim);
}

}  // namespace quern::dense
