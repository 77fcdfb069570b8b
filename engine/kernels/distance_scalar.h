// Plain twins of the vector kernels, in double precision: the reference of the tests, and the way
// out when f32 overflows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/distance.h"

namespace quern::kernels::scalar {

// Element i of a row; not for bits. Any alignment.
float ElementAt(Element element, const void* row, size_t i);
// <query, row> and |row|^2, summed in double.
double InnerProduct(Element element, const float* query, const void* row, size_t dim);
double SquaredNorm(Element element, const void* row, size_t dim);
// As kernels::Distances for one row, each operation in double, rounded once. Never NaN.
float Distance(Element element, Metric metric, const Query& query, const void* row,
               float inverse_norm);
// 1 / |row|, 0 for a zero row.
float InverseNorm(Element element, const void* row, size_t dim);

}  // namespace quern::kernels::scalar
