// The vectors of a field as k-means sees them: f32 points whose Euclidean distances order, or
// bound, the distances of the metric. One space for all metrics, so that cells are made, ranked and
// bounded by one code:
//
//   l2       the vectors
//   cosine   the vectors at length one: squared distance = 2 * (1 - cosine)
//   hamming  zeros and ones: squared distance = differing bits. Means of these tell more than
//            majority bits would: a bit that half of a cell has says nothing, instead of one or the
//            other
//   ip       the vectors; cells are ranked by the inner product with their centre
//
// Vectors of extreme size are scaled by a power of two: their squares must stay within f32.
//
// Thread rule: immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/dense/vector_rows.h"

namespace quern::dense {

class CellSpace {
public:
    CellSpace() = default;
    // scale: what Scale() of the rows gave.
    CellSpace(Element element, Metric metric, size_t dim, float scale)
        : element_(element), metric_(metric), dim_(dim), scale_(scale) {}
    // The power of two that brings rows of extreme size to about 1; 1 for all others.
    static float Scale(const VectorRows& rows, const std::vector<uint32_t>& picked);

    size_t dim() const { return dim_; }
    float scale() const { return scale_; }
    // How centres are ranked.
    Metric ranking() const { return metric_ == Metric::kIp ? Metric::kIp : Metric::kL2; }
    // Points of the picked rows: count * dim.
    void Points(const VectorRows& rows, const uint32_t* picked, size_t count, float* out) const;
    // The point of a query; vector: f32[dim], or bits.
    void QueryPoint(const void* vector, float* out) const;
    // No vector of a cell is nearer than this in the field's metric. rank: distance of the query's
    // point and the centre under ranking(); radius: no point of the cell is farther from the
    // centre; length: of the query's point.
    float LeastDistance(float rank, float radius, double length) const;

private:
    Element element_ = Element::kF32;
    Metric metric_ = Metric::kL2;
    size_t dim_ = 0;
    float scale_ = 1;
};

}  // namespace quern::dense
