// What the range curves of graphs and lists are measured with.
#pragma once

#include <array>
#include <vector>

#include "engine/dense/range_curve.h"
#include "engine/kernels/top_k.h"

namespace quern::dense {

// Records whose 1000th neighbour is looked for; with the other bounds all that are held out.
inline constexpr size_t kDeepQueries = 100;
// Bounds that catch a hundred are measured with so many: each of them counts a hundred times.
inline constexpr size_t kManyQueries = 200;
// A bound that is found so well is not measured with more effort.
inline constexpr double kRangeEnough = 0.999;

// What was found of what there is, for each bound and effort. Sums of several threads are added.
struct RangeHits {
    std::array<std::array<uint64_t, RangeCurve::kEfforts.size()>, RangeCurve::kRanks.size()>
        found{};
    std::array<uint64_t, RangeCurve::kRanks.size()> wanted{};  // with each effort
    void Add(const RangeHits& other);
    double Share(size_t rank, size_t effort) const;
    // Bounds that no record was measured with are like those before them.
    void Fill(uint32_t queries, RangeCurve* curve) const;
};

// How many of a record's neighbours, nearest first, are within the distance of the one of this
// rank: more than the rank where some are equally far. When there are such and the list may not
// have all of them, those that are nearer count; 0: there are none.
size_t CaughtBy(const std::vector<kernels::Hit>& nearest, size_t rank);

// Errors of codes on pairs of a held-out record and one of its neighbours.
class CodeErrors {
public:
    // nearest: neighbours with true distances; by_codes: their distances by codes.
    void Add(const Codes& codes, const float* vector, const std::vector<kernels::Hit>& nearest,
             const std::vector<float>& by_codes);
    void AddOwn(float by_codes) { own_.push_back(by_codes); }
    void Fill(RangeCurve* curve);
    // Which neighbours are looked at: all of the first ten, then fewer.
    static std::vector<kernels::Hit> Sample(const std::vector<kernels::Hit>& nearest);

private:
    std::vector<float> errors_;
    std::vector<float> own_;
};

}  // namespace quern::dense
