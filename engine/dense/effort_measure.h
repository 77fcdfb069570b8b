// Measures an effort curve: the true neighbours of held-out records by exact scan, then how many of
// them walks of each effort find. The truth is found once; several kinds of codes may be tried
// against it.
//
// Thread rule: confined; its own work is shared out over threads.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <vector>

#include "engine/dense/codes/codes.h"
#include "engine/dense/effort_curve.h"
#include "engine/dense/flat.h"
#include "engine/dense/graph_walk.h"
#include "engine/dense/vector_rows.h"
#include "engine/kernels/top_k.h"
#include "storage/base/work.h"

namespace quern::dense {

// What is measured of an EffortCurve.
struct EffortPlan {
    size_t queries = SIZE_MAX;  // the first so many of the held-out records
    bool ten_only = false;      // recall@10 and no other
    // Larger walks are left out once one has found this much; beyond 1: never.
    double enough = 2;
    // Or once one has scored so many rows that no search would choose it.
    double scored_most = std::numeric_limits<double>::infinity();
};

// How many of the true k were among the first EffortCurve::kRefine[i] that a walk found; behind
// these: among all.
using EffortHits = std::array<uint32_t, EffortCurve::kRefine.size() + 1>;

class EffortMeasure {
public:
    // The nodes nearest to a vector, nearest first; may run on many threads.
    using Search = std::function<Status(const void* vector, const Effort& effort, WalkSpace* space,
                                        std::vector<uint32_t>* nodes)>;

    // rows stay borrowed. inside: what the graph will hold; held_out: of these, what it does not
    // hold yet.
    EffortMeasure(const VectorRows& rows, std::vector<uint32_t> held_out,
                  const std::vector<uint32_t>& inside);
    Status FindTruth(int threads, Work* work);
    size_t queries() const { return held_out_.size(); }
    struct Query {
        std::vector<float> values;  // not for bits
        const void* vector = nullptr;
    };
    // Held-out record `number` as a query, its node, and its true neighbours, nearest first: 1000
    // of the first kDeepQueries, 100 of the others, if there are so many.
    Query QueryOf(size_t number) const;
    uint32_t NodeOf(size_t number) const { return held_out_[number]; }
    const std::vector<kernels::Hit>& Nearest(size_t number) const { return nearest_[number]; }
    // Of the true ten of some of the queries, the share that is among the first twenty of all by
    // codes, without any walk.
    Result<double> CodeRecall(const Codes& codes, const CodeRows& rows, int threads,
                              Work* work) const;
    Result<EffortCurve> Run(const Search& search, const EffortPlan& plan, int threads,
                            Work* work) const;

private:
    using Ranks = std::vector<std::pair<uint32_t, uint32_t>>;  // node, rank; sorted
    // Walks of one kind, each step farther than the one before. Who has found all that is to be
    // found is not asked again: a farther walk finds it, too. Most queries are complete after a
    // few steps, and the farthest walks would be most of the time.
    struct Way {
        struct Asked {
            std::vector<EffortHits> hits;  // of each k
            bool complete = false;
            size_t step = 0;    // of the last walk
            double scored = 0;  // rows; once complete, what the others' walks make likely
        };
        std::vector<size_t> ks;  // numbers of EffortCurve::kK; the first has the most queries
        std::vector<Asked> queries;
    };
    // Fills that step of the curve for the way's k.
    Status RunStep(const Search& search, size_t step, int threads, Way* way, EffortCurve* curve,
                   Work* work) const;
    FlatQuery FlatQueryOf(size_t number, const Query& values) const;
    // A number of candidates for the graph that is measured in place of one for the whole graph,
    // which has more nodes: as many are as near, in a group that codes do not order.
    size_t Shrunk(size_t number) const;
    size_t TrueOf(size_t k) const { return std::min<size_t>(EffortCurve::kK[k], truth_count_); }

    VectorRows rows_;
    std::vector<uint32_t> held_out_;
    std::vector<uint32_t> others_;
    size_t truth_count_ = 0;
    double share_ = 1;  // of the nodes, those that are not held out
    std::vector<Ranks> truth_;
    std::vector<std::vector<kernels::Hit>> nearest_;
};

}  // namespace quern::dense
