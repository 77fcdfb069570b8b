// Measures an effort curve: the true neighbours of held-out records by exact scan, then how many of
// them walks of each effort find. The truth is found once; several kinds of codes may be tried
// against it.
//
// Thread rule: confined; its own work is shared out over threads.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "engine/dense/effort_curve.h"
#include "engine/dense/graph_walk.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/work.h"

namespace quern::dense {

// What walks found, and how many rows they scored on average, for each EffortCurve::kEf that was
// walked; the rest is zero, or as with the largest that was walked when that missed nothing of any
// k.
struct EffortTrial {
    EffortCurve curve;
    std::array<double, EffortCurve::kEf.size()> scored{};
};

class EffortMeasure {
public:
    // The nodes nearest to a vector, nearest first; may run on many threads.
    using Search = std::function<Status(const void* vector, size_t ef, WalkSpace* space,
                                        std::vector<uint32_t>* nodes)>;

    // rows stay borrowed. inside: what the graph will hold; held_out: of these, what it does not
    // hold yet.
    EffortMeasure(const VectorRows& rows, std::vector<uint32_t> held_out,
                  const std::vector<uint32_t>& inside);
    Status FindTruth(int threads, Work* work);
    size_t queries() const { return held_out_.size(); }
    // The first `queries` of the held-out records. Larger pools are left out once one pool holds
    // `enough` of the nearest ten; beyond 1: never.
    Result<EffortTrial> Run(const Search& search, size_t queries, double enough, int threads,
                            Work* work) const;

private:
    using Ranks = std::vector<std::pair<uint32_t, uint32_t>>;  // node, rank; sorted
    struct Query {
        std::vector<float> values;  // not for bits
        const void* vector = nullptr;
    };
    Query QueryOf(uint32_t node) const;

    VectorRows rows_;
    std::vector<uint32_t> held_out_;
    std::vector<uint32_t> others_;
    size_t truth_count_ = 0;
    std::vector<Ranks> truth_;
};

}  // namespace quern::dense
