// The best records of a query with several legs, by their fused score.
//
// Each leg gives its best; a score that a leg did not give is looked up, not guessed. A record that
// no list holds scores at most what the ends of the lists allow, so that the best k are proved once
// the k-th beats that; until then the lists are made longer (the threshold algorithm: Fagin, Lotem,
// Naor, PODS 2001). Legs that are not exact prove nothing: their first lists must do, as they must
// for ranks, which are defined by them.
//
// A score is looked up only where it can matter: what a record may have at most is known from the
// scores it has and the ends of the other lists, and those that may have most are looked up first.
//
// Scales come from the first hits of each leg and stay.
//
// What a record that no list holds may have at most is known for a formula as well, from the ranges
// of its variables. Where that is no bound at all, because a factor may have any size or sign, the
// first lists must do.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "engine/query/formula.h"
#include "engine/query/fusion.h"
#include "storage/base/status.h"

namespace quern::query {

struct LegList {
    std::vector<ScoredRecord> hits;  // best first; which of equals at the end, the leg decides
    bool complete = false;           // there is no other record that the leg matches
    bool exact = true;               // these are the best, and no others
};

// A leg for one query.
class Leg {
public:
    virtual ~Leg() = default;
    // Its best `depth` records, or all it has.
    virtual Result<LegList> Best(size_t depth) = 0;
    // The scores of records, each a number or kNoScore, as exact as those of Best.
    virtual Status ScoresOf(const std::vector<uint64_t>& records, std::vector<double>* scores) = 0;
};

struct FusionLeg {
    Leg* leg = nullptr;
    double weight = 1;   // at least 0 and finite; 0: the leg is asked for scores to report alone
    size_t depth = 100;  // of the list that scales and ranks come from
    // -infinity: without it a record is in no sum. Nothing may be unsaid where scores are not
    // scaled.
    AbsentScore absent = 0;
    bool against = false;         // of kBest: it finds nothing, and is asked for scores
    bool absent_is_null = false;  // of a formula: instead of absent
    size_t ahead = 0;  // of the first list that is asked for, if more than depth: it proves more
};

// For FusionKind::kFormula, where weights only say whether a leg finds anything.
struct FormulaFusion {
    const Formula* formula = nullptr;  // its variables: scaled scores of the legs, then others
    std::vector<ValueRange> others;    // what these may be
    // The values of records in one of the others, its number counted from 0; null is NaN.
    std::function<Status(size_t other, const std::vector<uint64_t>& records, double* values)>
        values_of;
};

struct FusedRecord {
    uint64_t record = 0;
    double score = 0;
};

// What a leg had to do.
struct LegCounts {
    size_t lists = 0;      // that were made
    size_t hits = 0;       // of the last one
    size_t looked_up = 0;  // scores that it had not given
};

struct FusedList {
    std::vector<FusedRecord> records;  // best first; of equals at the end all are there
    std::vector<double> parts;         // records x legs: the score before scaling, or kNoScore
    // The same: what a leg adds to the score; summed in order they are the score. Of a maximum all
    // but that of the first leg that has it are 0. Of a formula: what it was told of the leg.
    std::vector<double> shares;
    bool complete = false;  // all that any leg matches
    bool exact = false;     // no other record could have been here, by exact legs
    size_t looked_up = 0;   // scores, in all legs
    std::vector<LegCounts> legs;
    size_t rounds = 0;     // how often lists were made, the first time included
    bool partial = false;  // the search was to end before it was done
};

// The best k (0: all that any leg matches). records_max: how many records there are; no list need
// be longer. formula: NULL for other kinds. Cost: that of the legs, and a look-up for each record
// that a leg did not give. ends: asked between two steps; once true, no list is made any longer,
// and of the records that have no score yet only the k likeliest are looked up: all scores are
// true.
Result<FusedList> SearchFused(const FusionOptions& options, const std::vector<FusionLeg>& legs,
                              size_t k, size_t records_max, const FormulaFusion* formula = nullptr,
                              const std::function<bool()>& ends = nullptr);

}  // namespace quern::query
