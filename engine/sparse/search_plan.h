// A query made ready for one index: integer weights whose sums bound scores from above, the bounds
// of superblocks, and the way to the runs in one.
//
// A query weight and the scale of a term make a factor; factor * impact bounds what the term adds
// to a score. All factors are divided by a common unit and rounded up, so that a sum of weight *
// impact is an upper bound of the score in units. The unit is chosen so that no sum exceeds 2^30:
// what is lost by rounding is nothing beside what impacts lose.
//
// Where impacts are exact and all factors are multiples of a power of two that is large enough
// (whole numbers on both sides, as learned sparse vectors in files usually have), that power is the
// unit, and sums are scores.
//
// Terms that add to a score come in plan order: most bound for its postings first. That is the
// order in which a window is added up, so that what is left can be skipped soonest. Terms that take
// away (one of the two weights is negative) count as little as they can.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/posting_lists.h"

namespace quern::sparse {

// One term of the query in one superblock.
struct PlannedRun {
    uint32_t place = 0;   // in the postings, in pairs of bytes
    uint32_t bound = 0;   // weight * largest impact
    uint32_t weight = 0;  // in units
    uint32_t count = 0;
    bool takes_away = false;
};

// The runs of a query in one superblock, in plan order.
struct PlannedRuns {
    static constexpr uint32_t kNone = UINT32_MAX;
    uint32_t superblock = kNone;
    uint64_t postings = 0;  // of all runs
    std::vector<PlannedRun> runs;
};

class SearchPlan {
public:
    // False when the index has none of the query's dimensions. terms_max: of those that add, no
    // more than the heaviest are planned; 0: all are.
    bool Make(const SparseVector& query, const TermTable& terms, const PostingLists& lists,
              uint32_t terms_max = 0);
    // The terms alone, to score rows by: no more than terms() and weights() may be asked for. False
    // as above.
    bool FindTerms(const SparseVector& query, const TermTable& terms);
    // Whether terms were left out: sums bound nothing then.
    bool cut() const { return planned_.size() < terms_.size(); }

    // By term, as QueryMarks wants them.
    const std::vector<uint32_t>& terms() const { return terms_; }
    const std::vector<double>& weights() const { return weights_; }

    double unit() const { return unit_; }
    // By how much a score can differ from the real number it stands for, all roundings together.
    double slack() const { return slack_; }
    // In units: no score is lower than its complete sum less this. UINT32_MAX: nothing is known.
    uint32_t looseness() const { return looseness_; }
    // A complete sum times the unit is the score, exactly.
    bool sums_are_scores() const { return sums_are_scores_; }
    bool adds() const { return adding_ > 0; }
    bool takes_away() const { return adding_ < planned_.size(); }

    uint32_t superblocks() const { return static_cast<uint32_t>(bounds_.size()); }
    uint32_t bound(uint32_t superblock) const { return bounds_[superblock]; }
    // No sum is higher.
    uint32_t most() const { return most_; }
    // What the terms have in a superblock. Quickest in the order of superblocks.
    void RunsIn(uint32_t superblock, const PostingLists& lists, PlannedRuns* runs);
    // About how many postings the terms have in a superblock.
    double postings_in_superblock() const { return postings_in_superblock_; }

private:
    struct Planned {
        uint32_t term = 0;
        uint32_t first_run = 0;
        uint32_t runs = 0;
        uint32_t weight = 0;
        bool takes_away = false;
        bool exact = false;
        double factor = 0;
        double bound = 0;  // of what it adds to a score
        double benefit = 0;
        double postings = 0;  // about, in all
        // Superblocks that lack the term, before the one that was asked for last.
        uint32_t lacking = 0;
    };
    void KeepHeaviest(uint32_t terms_max);
    bool FindExactUnit();
    void Quantize();
    void BoundSuperblocks(const PostingLists& lists);

    std::vector<uint32_t> terms_;
    std::vector<double> weights_;
    double unit_ = 0;
    double slack_ = 0;
    uint32_t looseness_ = 0;
    bool sums_are_scores_ = false;
    std::vector<Planned> planned_;
    size_t adding_ = 0;
    std::vector<uint32_t> bounds_;
    uint32_t most_ = 0;
    double postings_in_superblock_ = 0;
};

}  // namespace quern::sparse
