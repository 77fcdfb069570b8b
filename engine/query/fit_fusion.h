// Weights and normalization of a sum of scores, learned from judged queries: coordinate search for
// the weights that put the good records first (Metzler and Croft, Information Retrieval 2007), once
// for each normalization. A handful of numbers from a handful of queries: nothing that needs more.
#pragma once

#include <functional>
#include <vector>

#include "engine/query/fusion.h"
#include "storage/base/status.h"

namespace quern::query {

// One judged query: what its legs have found, all of it scored by all of them.
struct JudgedPool {
    std::vector<std::vector<ScoredRecord>> lists;  // of each leg, best first
    std::vector<double> parts;                     // records x legs: a score or kNoScore
    std::vector<double> gains;                     // of each record; 0: of no use
    std::vector<double> all_gains;  // of all that is of use, whether or not a leg has found it
};

struct FitOptions {
    enum class Measure { kNdcg, kReciprocalRank };
    Measure measure = Measure::kNdcg;
    size_t k = 10;
};

struct FittedFusion {
    Normalization normalization = Normalization::kNone;
    std::vector<double> weights;  // the highest is 1
    double before = 0;            // the measure's mean over the queries, as it was given
    double after = 0;             // and with this
};

using AbsentScores = std::function<AbsentScore(size_t leg, Normalization normalization)>;

// given: where the search starts, and what is kept where nothing is better; its weights are one a
// leg, not all 0. check is asked now and then whether to go on.
Result<FittedFusion> FitFusion(const std::vector<JudgedPool>& pools, const FittedFusion& given,
                               const AbsentScores& absent, const FitOptions& options,
                               const std::function<Status()>& check);

}  // namespace quern::query
