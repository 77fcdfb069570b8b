#include "engine/query/leg_lists.h"

#include <algorithm>
#include <cmath>

namespace quern::query {

// Of a leg's list what it was to have at first, and no more: how many of those that equal the last
// come beside it depends on how records lie in segments.
std::vector<ScoredRecord> LegLists::FirstHits(size_t l) const {
    const std::vector<ScoredRecord>& hits = lists_[l].hits;
    const size_t end = std::min(legs_[l].depth, hits.size());
    return {hits.begin(), hits.begin() + static_cast<ptrdiff_t>(end)};
}

void LegLists::ChooseScales() {
    for (size_t l = 0; l < legs_.size(); l++) {
        const std::vector<ScoredRecord> hits = FirstHits(l);
        const ScoreScale scale = ScaleOf(options_.normalization, hits, legs_[l].absent);
        const double absent = UnmatchedScore(options_.normalization, hits, legs_[l].absent);
        scales_.push_back(scale);
        absent_.push_back(legs_[l].absent_is_null ? kNoScore : scale.Of(absent));
        // A longer list may be exact where the first was not: its scale stays.
        scales_exact_ = scales_exact_ && (options_.normalization == Normalization::kNone ||
                                          !Finds(l) || lists_[l].exact);
    }
}

bool LegLists::Complete() const {
    for (size_t l = 0; l < legs_.size(); l++) {
        if (MayMatchMore(l)) {
            return false;
        }
    }
    return true;
}

bool LegLists::AllExact() const {
    if (!scales_exact_) {
        return false;
    }
    for (size_t l = 0; l < legs_.size(); l++) {
        if (Finds(l) && !lists_[l].exact) {
            return false;
        }
    }
    return true;
}

// By the legs that find.
double LegLists::CombinedFor(const std::vector<double>& parts) const {
    double fused = options_.kind == FusionKind::kSum ? 0 : kLeastScore;
    for (size_t l = 0; l < legs_.size(); l++) {
        if (Finds(l)) {
            fused =
                options_.kind == FusionKind::kSum ? fused + parts[l] : std::max(fused, parts[l]);
        }
    }
    return fused;
}

// The most that is against it.
double LegLists::CombinedAgainst(const std::vector<double>& parts) const {
    double against = kLeastScore;
    for (size_t l = 0; l < legs_.size(); l++) {
        if (legs_[l].weight > 0 && legs_[l].against) {
            against = std::max(against, parts[l]);
        }
    }
    return against;
}

double LegLists::Combined(const std::vector<double>& parts) const {
    const double fused = CombinedFor(parts);
    const double against = CombinedAgainst(parts);
    return fused != kLeastScore && against > fused ? fused - options_.penalty * (against - fused)
                                                   : fused;
}

double LegLists::MostOf(const std::vector<double>& parts) const {
    const double fused = Combined(parts);
    return std::isnan(fused) ? std::numeric_limits<double>::infinity() : fused;
}

double LegLists::Fused(const double* scores) {
    for (size_t l = 0; l < legs_.size(); l++) {
        weighed_[l] = Part(l, scores[l]);
    }
    const double fused = Combined(weighed_);
    return std::isnan(fused) ? kLeastScore : fused;
}

void LegLists::Shares(const double* scores, double* shares) {
    for (size_t l = 0; l < legs_.size(); l++) {
        weighed_[l] = legs_[l].weight > 0 ? Part(l, scores[l]) : 0;
        shares[l] = options_.kind == FusionKind::kFormula ? Scaled(l, scores[l])
                    : options_.kind == FusionKind::kSum   ? weighed_[l]
                                                          : 0;
    }
    if (options_.kind == FusionKind::kMax || options_.kind == FusionKind::kBest) {
        ShareOut(shares);
    }
}

// The first leg that says the most has all of it, the first that is most against it takes from
// that.
void LegLists::ShareOut(double* shares) const {
    const double most = CombinedFor(weighed_);
    const double against = CombinedAgainst(weighed_);
    bool given = false;
    bool taken = !(against > most);
    for (size_t l = 0; l < legs_.size(); l++) {
        if (Finds(l) && weighed_[l] == most && !given) {
            shares[l] = most;
            given = true;
        } else if (legs_[l].weight > 0 && legs_[l].against && weighed_[l] == against && !taken) {
            shares[l] = -(options_.penalty * (against - most));
            taken = true;
        }
    }
}

double LegLists::Matched(size_t l) const {
    const LegList& list = lists_[l];
    return list.hits.empty() ? std::numeric_limits<double>::infinity()
                             : Part(l, list.hits.back().score);
}

double LegLists::Ahead(size_t l) const {
    if (legs_[l].against) {
        return kLeastScore;  // nothing may be against it
    }
    const double absent = Part(l, kNoScore);
    return lists_[l].complete ? absent : std::max(Matched(l), absent);
}

std::vector<double> LegLists::AllAhead() const {
    std::vector<double> ahead(legs_.size());
    for (size_t l = 0; l < legs_.size(); l++) {
        ahead[l] = legs_[l].weight > 0 ? Ahead(l) : 0;
    }
    return ahead;
}

// In the way are its own last hit, in a record that it matches, and what it may add to one that
// another leg matches. The latter is no less than what counts for absent records.
bool LegLists::Bounds(size_t l, double score) const {
    if (!MayMatchMore(l)) {
        return false;
    }
    const std::vector<double> ahead = AllAhead();
    const bool adds = ahead[l] > Part(l, kNoScore);
    for (size_t m = 0; m < legs_.size(); m++) {
        if (MayMatchMore(m) && (m == l || adds)) {
            std::vector<double> parts = ahead;
            parts[m] = Matched(m);
            if (!(MostOf(parts) < score)) {
                return true;
            }
        }
    }
    return false;
}

double LegLists::UnseenBound(const FormulaFusion* formula) const {
    double bound = kLeastScore;
    const std::vector<double> ahead = AllAhead();
    for (size_t l = 0; l < legs_.size(); l++) {
        if (MayMatchMore(l)) {
            std::vector<double> parts = ahead;
            parts[l] = Matched(l);
            bound = std::max(bound, formula != nullptr ? FormulaBound(l, *formula) : MostOf(parts));
        }
    }
    return bound;
}

// Of a record that a leg matches and no list holds.
double LegLists::FormulaBound(size_t matching, const FormulaFusion& formula) const {
    std::vector<ValueRange> ranges;
    for (size_t l = 0; l < legs_.size(); l++) {
        const ValueRange absent = ValueRange::Of(absent_[l]);
        ValueRange range;
        if (legs_[l].weight > 0 && !lists_[l].hits.empty()) {
            range.high = scales_[l].Of(lists_[l].hits.back().score);
        }
        if (l == matching) {
            range.nullable = false;
        } else {
            range.high = std::max(range.high, absent.high);
            range.nullable = absent.nullable;
        }
        ranges.push_back(legs_[l].weight > 0 && lists_[l].complete ? absent : range);
    }
    ranges.insert(ranges.end(), formula.others.begin(), formula.others.end());
    const ValueRange range = formula.formula->RangeOf(ranges);
    return range.empty() ? kLeastScore : range.high;
}

double LegLists::Stretch(double score) const {
    constexpr double kLeastStretch = 1.5;
    constexpr double kMostStretch = 8;
    constexpr double kSafety = 1.25;  // a list that falls short of it is made once more
    if (options_.kind != FusionKind::kSum || !std::isfinite(score)) {
        return kMostStretch / 2;
    }
    const double gap = UnseenBound(nullptr) - score;
    // Scores at the end of a list fall about as the logarithm of the rank: by so much, while the
    // list becomes twice as long.
    double fall = 0;
    for (size_t l = 0; l < legs_.size(); l++) {
        const std::vector<ScoredRecord>& hits = lists_[l].hits;
        if (MayMatchMore(l) && hits.size() >= 4) {
            fall += Part(l, hits[hits.size() / 2 - 1].score) - Part(l, hits.back().score);
        }
    }
    const double stretch = kSafety * std::exp2(gap / fall);
    return std::isnan(stretch) ? kMostStretch / 2
                               : std::clamp(stretch, kLeastStretch, kMostStretch);
}

}  // namespace quern::query
