// The legs of one fused search with the lists that they have given so far: what their scores count
// for, and how much they may still say of records that their lists do not hold.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "engine/query/fused_search.h"

namespace quern::query {

inline constexpr double kLeastScore = -std::numeric_limits<double>::infinity();

// Borrows everything. Confined.
class LegLists {
public:
    LegLists(const FusionOptions& options, const std::vector<FusionLeg>& legs)
        : options_(options), legs_(legs), lists_(legs.size()), weighed_(legs.size()) {}

    size_t count() const { return legs_.size(); }
    const FusionLeg& leg(size_t l) const { return legs_[l]; }
    const LegList& list(size_t l) const { return lists_[l]; }
    FusionKind kind() const { return options_.kind; }
    double rank_constant() const { return options_.rank_constant; }
    // Whether the leg finds records at all.
    bool Finds(size_t l) const { return legs_[l].weight > 0 && !legs_[l].against; }
    // The list that takes the place of the one before.
    void Set(size_t l, LegList list) { lists_[l] = std::move(list); }
    // From the first lists, which had to be at least so deep.
    void ChooseScales();

    bool Complete() const;  // all that any leg matches is in a list
    bool AllExact() const;  // the lists, and those that scales come from

    double absent(size_t l) const { return absent_[l]; }
    double Scaled(size_t l, double score) const {
        return std::isnan(score) ? absent_[l] : scales_[l].Of(score);
    }
    double Part(size_t l, double score) const { return legs_[l].weight * Scaled(l, score); }
    // Of parts that have their weights, one for each leg.
    double Combined(const std::vector<double>& parts) const;
    // The most that such parts may come to: everything where they are infinities of both signs.
    double MostOf(const std::vector<double>& parts) const;
    // Of the scores of one record; the least score where they have no sum, as of infinities of both
    // signs.
    double Fused(const double* scores);
    // What each leg adds to a sum, a maximum, or kBest.
    void Shares(const double* scores, double* shares);

    // The most that a leg may say of a record that its list does not hold but that it matches.
    double Matched(size_t l) const;
    // The same of a record that it may not match, either.
    double Ahead(size_t l) const;
    // The most that a record may have that is in no list. One of the legs matches it, or it is not
    // in the result at all. formula: NULL for other kinds.
    double UnseenBound(const FormulaFusion* formula) const;
    // Whether a longer list of this leg can bring down the most that a record in no list may have,
    // where that is a score or more. Not of a formula.
    bool Bounds(size_t l, double score) const;
    // How many times as long the lists should be for UnseenBound to come down to a score, by how
    // their scores fall off at their ends.
    double Stretch(double score) const;

private:
    std::vector<ScoredRecord> FirstHits(size_t l) const;
    double CombinedFor(const std::vector<double>& parts) const;
    double CombinedAgainst(const std::vector<double>& parts) const;
    void ShareOut(double* shares) const;
    std::vector<double> AllAhead() const;
    double FormulaBound(size_t matching, const FormulaFusion& formula) const;
    bool MayMatchMore(size_t l) const { return Finds(l) && !lists_[l].complete; }

    const FusionOptions& options_;
    const std::vector<FusionLeg>& legs_;
    std::vector<LegList> lists_;
    std::vector<ScoreScale> scales_;
    std::vector<double> absent_;  // scaled
    bool scales_exact_ = true;
    std::vector<double> weighed_;  // room for the parts of one record
};

}  // namespace quern::query
