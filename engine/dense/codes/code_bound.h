// What codes prove: that a row whose score is above a number is farther from a query than a
// distance. Nothing in it is probable; it holds for every row, whatever the data.
//
// A row lies as far from its codes as RowErrors has measured. By the triangle inequality its
// distance to the query differs by no more (l2, unsquared), an inner product by no more than that
// times the query's length. What scores add to this by rounding the query, codes know themselves
// (ScoreError) for rows in a ball: one that is within the distance stands near the query, or
// near a multiple of it, so that the ball is small. Distances are those of the kernels in f32,
// whose rounding is allowed for as well.
//
// Confined to one query.
#pragma once

#include "engine/dense/codes/codes.h"

namespace quern::dense {

class CodeBound {
public:
    // vector: as for Codes::NewScorer. longest: no row is longer (inner product only).
    CodeBound(const Codes& codes, const float* vector, double longest);
    // The highest score of a row whose distance is at most `distance` as kernels measure it, and
    // which is `error` from its codes at most. Infinity: any, or nobody knows.
    float HighestWithin(float distance, double error) const;

private:
    double HighestSquared(double distance, double error) const;
    double HighestProduct(double distance, double error) const;

    Metric metric_;
    std::unique_ptr<ScoreError> score_error_;
    double length_ = 0;    // of the query
    double longest_ = 1;   // of the rows
    double rounding_ = 0;  // of a distance, as a share of what it is made of
    double least_ = 0;     // what may be lost where numbers are too small for f32
    Codes::LeftOut left_out_;
};

}  // namespace quern::dense
