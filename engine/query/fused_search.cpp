#include "engine/query/fused_search.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace quern::query {

namespace {

constexpr size_t kDeeper = 4;  // a list that proved nothing is made so many times as long
constexpr double kLeast = -std::numeric_limits<double>::infinity();

class FusedSearch {
public:
    FusedSearch(const FusionOptions& options, const std::vector<FusionLeg>& legs, size_t k,
                size_t records_max, const FormulaFusion* formula)
        : options_(options),
          legs_(legs),
          k_(k),
          records_max_(records_max),
          formula_(formula),
          lists_(legs.size()) {}

    Result<FusedList> Run() {
        depths_.resize(legs_.size());
        result_.legs.resize(legs_.size());
        for (size_t l = 0; l < legs_.size(); l++) {
            // Everything is wanted: everything is asked for.
            depths_[l] = k_ == 0 ? std::max<size_t>(records_max_, 1) : legs_[l].depth;
        }
        while (true) {
            result_.rounds++;
            QUERN_TRY(MakeLists());
            if (options_.kind == FusionKind::kReciprocalRank) {
                FuseRanks();
                return Finish();
            }
            if (result_.rounds == 1) {
                ChooseScales();
            }
            QUERN_TRY(LookUp());
            if (formula_ != nullptr) {
                QUERN_TRY(LookUpOthers());
                FuseByFormula();
            } else {
                FuseScores();
            }
            if (Proved() || !Deepen()) {
                return Finish();
            }
        }
    }

private:
    // The lists that may be longer than they are.
    Status MakeLists() {
        for (size_t l = 0; l < legs_.size(); l++) {
            if (legs_[l].weight == 0 || lists_[l].complete) {
                continue;
            }
            QUERN_ASSIGN(lists_[l], legs_[l].leg->Best(depths_[l]));
            result_.legs[l].lists++;
            result_.legs[l].hits = lists_[l].hits.size();
            for (const ScoredRecord& hit : lists_[l].hits) {
                const auto [place, is_new] = places_.emplace(hit.record, records_.size());
                if (is_new) {
                    records_.push_back({hit.record, 0, {}, {}});
                    known_.resize(known_.size() + legs_.size(), 0);
                    parts_.resize(parts_.size() + legs_.size(), kNoScore);
                }
                parts_[place->second * legs_.size() + l] = hit.score;
                known_[place->second * legs_.size() + l] = 1;
            }
        }
        return {};
    }

    void ChooseScales() {
        for (size_t l = 0; l < legs_.size(); l++) {
            const std::vector<ScoredRecord>& hits = lists_[l].hits;
            const ScoreScale scale = ScaleOf(options_.normalization, hits);
            const double absent = !std::isnan(legs_[l].absent)
                                      ? legs_[l].absent
                                      : (hits.empty() ? 0 : hits.back().score);
            scales_.push_back(scale);
            absent_.push_back(legs_[l].absent_is_null ? kNoScore : scale.Of(absent));
        }
    }

    Status LookUp() {
        std::vector<uint64_t> wanted;
        std::vector<size_t> places;
        std::vector<double> scores;
        for (size_t l = 0; l < legs_.size(); l++) {
            wanted.clear();
            places.clear();
            for (size_t i = 0; i < records_.size(); i++) {
                uint8_t* const known = &known_[i * legs_.size() + l];
                // What a complete list does not hold, the leg does not match.
                if (*known == 0 && !lists_[l].complete) {
                    wanted.push_back(records_[i].record);
                    places.push_back(i);
                }
                *known = 1;
            }
            if (wanted.empty()) {
                continue;
            }
            scores.assign(wanted.size(), kNoScore);
            QUERN_TRY(legs_[l].leg->ScoresOf(wanted, &scores));
            for (size_t i = 0; i < places.size(); i++) {
                parts_[places[i] * legs_.size() + l] = scores[i];
            }
            result_.looked_up += wanted.size();
            result_.legs[l].looked_up += wanted.size();
        }
        return {};
    }

    // What the formula's other variables are for records that are new.
    Status LookUpOthers() {
        others_.resize(formula_->others.size());
        std::vector<uint64_t> fresh;
        for (size_t i = others_known_; i < records_.size(); i++) {
            fresh.push_back(records_[i].record);
        }
        for (size_t other = 0; other < others_.size() && !fresh.empty(); other++) {
            others_[other].resize(records_.size(), kNoScore);
            QUERN_TRY(formula_->values_of(other, fresh, others_[other].data() + others_known_));
        }
        others_known_ = records_.size();
        return {};
    }

    double Scaled(size_t leg, double score) const {
        return std::isnan(score) ? absent_[leg] : scales_[leg].Of(score);
    }
    double Part(size_t leg, double score) const { return legs_[leg].weight * Scaled(leg, score); }

    // Of parts, each with its weight.
    double Fused(const double* parts) const {
        double fused = options_.kind == FusionKind::kSum ? 0 : kLeast;
        for (size_t l = 0; l < legs_.size(); l++) {
            if (legs_[l].weight == 0) {
                continue;
            }
            const double part = Part(l, parts[l]);
            fused = options_.kind == FusionKind::kSum ? fused + part : std::max(fused, part);
        }
        return fused;
    }

    void FuseScores() {
        for (size_t i = 0; i < records_.size(); i++) {
            records_[i].score = Fused(&parts_[i * legs_.size()]);
        }
    }

    // No score and the least one are the same: such records are not in the result.
    void FuseByFormula() {
        std::vector<std::vector<double>> scaled(legs_.size());
        std::vector<const double*> columns;
        for (size_t l = 0; l < legs_.size(); l++) {
            scaled[l].resize(records_.size());
            for (size_t i = 0; i < records_.size(); i++) {
                scaled[l][i] = Scaled(l, parts_[i * legs_.size() + l]);
            }
            columns.push_back(scaled[l].data());
        }
        for (const std::vector<double>& other : others_) {
            columns.push_back(other.data());
        }
        std::vector<double> scores(records_.size());
        formula_->formula->Evaluate(columns, scores.size(), scores.data());
        for (size_t i = 0; i < scores.size(); i++) {
            records_[i].score = std::isnan(scores[i]) ? kLeast : scores[i];
        }
    }

    void FuseRanks() {
        rank_shares_.assign(parts_.size(), 0);
        for (size_t l = 0; l < legs_.size(); l++) {
            const std::vector<size_t> ranks = RanksOf(lists_[l].hits);
            for (size_t i = 0; i < ranks.size(); i++) {
                const size_t place = places_.at(lists_[l].hits[i].record);
                const double share =
                    legs_[l].weight / (options_.rank_constant + static_cast<double>(ranks[i]));
                records_[place].score += share;
                rank_shares_[place * legs_.size() + l] = share;
            }
        }
    }

    // What each leg adds to the score of a record.
    std::vector<double> SharesOf(size_t place, double score) const {
        std::vector<double> shares(legs_.size(), 0);
        bool given = false;
        for (size_t l = 0; l < legs_.size(); l++) {
            const size_t at = place * legs_.size() + l;
            if (options_.kind == FusionKind::kReciprocalRank) {
                shares[l] = rank_shares_[at];
            } else if (options_.kind == FusionKind::kFormula) {
                shares[l] = Scaled(l, parts_[at]);
            } else if (legs_[l].weight > 0) {
                const double part = Part(l, parts_[at]);
                const bool counts = options_.kind == FusionKind::kSum || (part == score && !given);
                shares[l] = counts ? part : 0;
                given = given || counts;
            }
        }
        return shares;
    }

    bool Complete() const {
        for (size_t l = 0; l < legs_.size(); l++) {
            if (legs_[l].weight > 0 && !lists_[l].complete) {
                return false;
            }
        }
        return true;
    }

    bool LegsExact() const {
        for (size_t l = 0; l < legs_.size(); l++) {
            if (legs_[l].weight > 0 && !lists_[l].exact) {
                return false;
            }
        }
        return true;
    }

    // What a record that is in no list may have in a leg.
    ValueRange UnseenRange(size_t leg) const {
        const LegList& list = lists_[leg];
        const ValueRange absent = ValueRange::Of(absent_[leg]);
        if (legs_[leg].weight > 0 && list.complete) {
            return absent;
        }
        ValueRange range;
        if (legs_[leg].weight > 0 && !list.hits.empty()) {
            range.high = scales_[leg].Of(list.hits.back().score);
        }
        range.high = std::max(range.high, absent.high);
        range.nullable = absent.nullable;
        return range;
    }

    // The most that a record may have that is in no list.
    double UnseenBound() const {
        if (formula_ != nullptr) {
            std::vector<ValueRange> ranges;
            for (size_t l = 0; l < legs_.size(); l++) {
                ranges.push_back(UnseenRange(l));
            }
            ranges.insert(ranges.end(), formula_->others.begin(), formula_->others.end());
            const ValueRange range = formula_->formula->RangeOf(ranges);
            return range.empty() ? kLeast : range.high;
        }
        std::vector<double> ends(legs_.size(), kNoScore);
        for (size_t l = 0; l < legs_.size(); l++) {
            const LegList& list = lists_[l];
            if (legs_[l].weight > 0 && !list.complete && list.hits.empty()) {
                return std::numeric_limits<double>::infinity();
            }
            // It may have less than the last hit, or not be matched and count as absent.
            if (!list.complete && !list.hits.empty() &&
                scales_[l].Of(list.hits.back().score) > absent_[l]) {
                ends[l] = list.hits.back().score;
            }
        }
        return Fused(ends.data());
    }

    bool Proved() {
        if (Complete()) {
            return true;
        }
        if (k_ == 0 || records_.size() < k_) {
            return false;
        }
        const double bound = UnseenBound();
        boundless_ = bound == std::numeric_limits<double>::infinity();
        std::vector<double> scores(records_.size());
        for (size_t i = 0; i < records_.size(); i++) {
            scores[i] = records_[i].score;
        }
        std::nth_element(scores.begin(), scores.begin() + static_cast<ptrdiff_t>(k_ - 1),
                         scores.end(), std::greater<>());
        // An equal one might come first by its key.
        proved_ = scores[k_ - 1] > bound;
        return proved_;
    }

    // Those that can be in the result.
    size_t ScoredRecords() const {
        return static_cast<size_t>(
            std::count_if(records_.begin(), records_.end(),
                          [](const FusedRecord& record) { return record.score != kLeast; }));
    }

    bool Deepen() {
        // Lists that are short because their legs look no further stay short.
        const bool proving = LegsExact() && !(formula_ != nullptr && boundless_);
        if (!proving && k_ > 0 && ScoredRecords() >= k_) {
            return false;
        }
        bool deeper = false;
        for (size_t l = 0; l < legs_.size(); l++) {
            if (legs_[l].weight > 0 && !lists_[l].complete && depths_[l] < records_max_) {
                depths_[l] = std::min(records_max_, depths_[l] * kDeeper);
                deeper = true;
            }
        }
        return deeper;
    }

    Result<FusedList> Finish() {
        std::erase_if(records_, [](const FusedRecord& record) { return record.score == kLeast; });
        auto better = [](const FusedRecord& a, const FusedRecord& b) {
            return a.score != b.score ? a.score > b.score : a.record < b.record;
        };
        std::sort(records_.begin(), records_.end(), better);
        size_t end = k_ == 0 ? records_.size() : std::min(k_, records_.size());
        while (end > 0 && end < records_.size() && records_[end].score == records_[end - 1].score) {
            end++;
        }
        records_.resize(end);
        for (FusedRecord& record : records_) {
            const size_t place = places_.at(record.record);
            const auto first = parts_.begin() + static_cast<ptrdiff_t>(place * legs_.size());
            record.parts.assign(first, first + static_cast<ptrdiff_t>(legs_.size()));
            record.shares = SharesOf(place, record.score);
        }
        result_.records = std::move(records_);
        result_.complete = Complete() && result_.records.size() == places_.size();
        result_.exact =
            LegsExact() && (options_.kind == FusionKind::kReciprocalRank || Complete() || proved_);
        return std::move(result_);
    }

    const FusionOptions& options_;
    const std::vector<FusionLeg>& legs_;
    size_t k_;
    size_t records_max_;
    const FormulaFusion* formula_;
    std::vector<size_t> depths_;
    std::vector<LegList> lists_;
    std::vector<ScoreScale> scales_;
    std::vector<double> absent_;  // scaled
    std::vector<FusedRecord> records_;
    std::unordered_map<uint64_t, size_t> places_;  // of records in records_
    std::vector<double> parts_;                    // records x legs
    std::vector<uint8_t> known_;                   // the same
    std::vector<double> rank_shares_;              // the same, of ranks
    std::vector<std::vector<double>> others_;      // of the formula, each of all records
    size_t others_known_ = 0;                      // records
    bool proved_ = false;
    bool boundless_ = false;  // nothing can be proved by longer lists
    FusedList result_;
};

}  // namespace

Result<FusedList> SearchFused(const FusionOptions& options, const std::vector<FusionLeg>& legs,
                              size_t k, size_t records_max, const FormulaFusion* formula) {
    return FusedSearch(options, legs, k, records_max, formula).Run();
}

}  // namespace quern::query
