// Fusion: one score from the scores, or the ranks, that a record has in the legs of a query.
//
// Sums and maxima are of true scores, each brought to a common scale first if the user says so;
// ranks (reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009) forget the scores. Sums of
// scaled scores: Fox and Shaw, TREC-2, 1994 (CombSUM, CombMAX).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace quern::query {

enum class FusionKind {
    kSum,  // sum of weight * score
    kMax,  // the highest weight * score
    // As kMax over the legs for it, less penalty * what the highest of the legs against it has
    // more.
    kBest,
    kReciprocalRank,  // sum of weight / (rank_constant + rank); a leg that did not find it adds 0
    kFormula,         // what a formula makes of the scores, and of what else is known of a record
};

// What is done to the scores of a leg before they are fused, from the hits of the leg's list.
enum class Normalization {
    kNone,
    kMinMax,        // lowest 0, highest 1
    kZScore,        // mean 0, standard deviation 1
    kDistribution,  // mean - 3 standard deviations 0, mean + 3 standard deviations 1
};

struct FusionOptions {
    FusionKind kind = FusionKind::kSum;
    Normalization normalization = Normalization::kNone;
    double rank_constant = 60;    // at least 0
    double penalty = 0.5;         // at least 0; of kBest
    std::vector<double> weights;  // in place of those of the legs, if any
};

// record: a number that the legs of one query agree on.
struct ScoredRecord {
    uint64_t record = 0;
    double score = 0;
};

// In place of a score: the leg does not match the record.
inline constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

// score -> (score - shift) * factor, with a factor above 0.
struct ScoreScale {
    double shift = 0;
    double factor = 1;
    double Of(double score) const { return (score - shift) * factor; }
};
// What a record counts as that a leg does not match, before scores are scaled.
struct AbsentScore {
    double score = 0;        // kNoScore: nothing is said
    double none = kNoScore;  // then: what the leg gives it in truth; kNoScore: it has no score
    AbsentScore() = default;
    AbsentScore(double said) : score(said) {}
    AbsentScore(double said, double in_truth) : score(said), none(in_truth) {}
};
// The same by the hits of a list. Where nothing is said and a record has no score in truth, as much
// as the last hit; and where all hits are equal and it has no lower score in truth less, or they
// would decide nothing: what becomes 0 (kMinMax, kDistribution), -1 (kZScore). No hits: 0.
double UnmatchedScore(Normalization normalization, const std::vector<ScoredRecord>& hits,
                      const AbsentScore& absent = kNoScore);

// From hits, best first. Where all are equal they become 1 (kMinMax), 0 (kZScore), 0.5
// (kDistribution), and what is not matched, if it has a lower score in truth, 0, -1, 0: what other
// scores become that are matched is between. No hits: scores stay as they are.
ScoreScale ScaleOf(Normalization normalization, const std::vector<ScoredRecord>& hits,
                   const AbsentScore& absent = kNoScore);

// The ranks of hits, best first: 1 + the number of hits with a higher score, so that equal scores
// have equal ranks whatever their order.
std::vector<size_t> RanksOf(const std::vector<ScoredRecord>& hits);

}  // namespace quern::query
