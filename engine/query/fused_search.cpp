#include "engine/query/fused_search.h"

#include <algorithm>
#include <cmath>

#include "engine/query/leg_lists.h"
#include "engine/query/record_places.h"
#include "storage/base/test_fault.h"

namespace quern::query {

namespace {

constexpr double kLeast = kLeastScore;
// Where nothing tells how much, lists are made so many times as long.
constexpr double kDeeper = 4;

class FusedSearch {
public:
    FusedSearch(const FusionOptions& options, const std::vector<FusionLeg>& legs, size_t k,
                size_t records_max, const FormulaFusion* formula, const std::function<bool()>& ends)
        : options_(options),
          legs_(legs),
          k_(k),
          records_max_(records_max),
          formula_(formula),
          ends_(ends),
          lists_(options, legs) {}

    Result<FusedList> Run() {
        depths_.resize(legs_.size());
        made_.resize(legs_.size());
        result_.legs.resize(legs_.size());
        ahead_.resize(legs_.size());
        weighed_.resize(legs_.size());
        for (size_t l = 0; l < legs_.size(); l++) {
            // Everything is wanted: everything is asked for, where first lists are not what counts.
            depths_[l] = k_ == 0 && Proves() ? std::max<size_t>(records_max_, legs_[l].depth)
                                             : FirstDepth(l);
        }
        while (true) {
            result_.rounds++;
            QUERN_TRY(MakeLists());
            if (options_.kind == FusionKind::kReciprocalRank) {
                FuseRanks();
                return Finish();
            }
            if (result_.rounds == 1) {
                lists_.ChooseScales();
            }
            QUERN_TRY(LookUp());
            if (formula_ != nullptr) {
                QUERN_TRY(LookUpOthers());
                FuseByFormula();
            }
            if (Proved() || !Deepen()) {
                return Finish();
            }
            if (Ends()) {
                result_.partial = true;
                return Finish();
            }
        }
    }

private:
    bool Ends() const { return ends_ && ends_(); }

    // The lists that may be longer than they are.
    Status MakeLists() {
        std::vector<size_t> made;
        size_t hits = records_.size();
        for (size_t l = 0; l < legs_.size(); l++) {
            if (!lists_.Finds(l) || lists_.list(l).complete || made_[l] == depths_[l]) {
                continue;
            }
            made.push_back(l);
            made_[l] = depths_[l];
            QUERN_ASSIGN(LegList list, legs_[l].leg->Best(depths_[l]));
            if (!Proves() && depths_[l] == legs_[l].depth && list.hits.size() > depths_[l]) {
                list.hits.resize(depths_[l]);
                list.complete = false;
            }
            lists_.Set(l, std::move(list));
            result_.legs[l].lists++;
            result_.legs[l].hits = lists_.list(l).hits.size();
            hits += lists_.list(l).hits.size();
        }
        records_.Reserve(hits);
        for (const size_t l : made) {
            Enter(l);
        }
        return {};
    }

    // The hits of its list.
    void Enter(size_t leg) {
        const std::vector<ScoredRecord>& hits = lists_.list(leg).hits;
        const size_t count = legs_.size();
        const auto resize = [&](size_t size) {
            known_.resize(size * count, 0);
            parts_.resize(size * count, kNoScore);
            fused_.resize(size, kLeast);
            is_fused_.resize(size, 0);
        };
        resize(records_.size() + hits.size());
        for (const ScoredRecord& hit : hits) {
            const size_t place = records_.PlaceOf(hit.record);
            const size_t at = place * count + leg;
            if (known_[at] != 0 && parts_[at] != hit.score) {
                is_fused_[place] = 0;  // a list that is not exact may know better the second time
            }
            parts_[at] = hit.score;
            known_[at] = 1;
        }
        resize(records_.size());
    }

    // Of a record of which all is known; once, since nothing changes after that.
    double Fuse(size_t i) {
        if (is_fused_[i] == 0) {
            fused_[i] = lists_.Fused(&parts_[i * legs_.size()]);
            is_fused_[i] = 1;
        }
        return fused_[i];
    }

    // Ranks are defined by the first hits, and a formula that nothing can be proved of by these.
    bool Proves() const {
        return options_.kind != FusionKind::kReciprocalRank &&
               options_.kind != FusionKind::kFormula;
    }
    size_t FirstDepth(size_t leg) const {
        return std::max(legs_[leg].depth, Proves() ? legs_[leg].ahead : 0);
    }

    bool Known(size_t i, size_t leg) const {
        // What a complete list does not hold, the leg does not match.
        return known_[i * legs_.size() + leg] != 0 || lists_.list(leg).complete;
    }
    // Whether all that makes up its score is known.
    bool IsScored(size_t i) const {
        for (size_t l = 0; l < legs_.size(); l++) {
            if (!Known(i, l) && (legs_[l].weight > 0 || formula_ != nullptr)) {
                return false;
            }
        }
        return true;
    }

    // The most that a record may have: less than the ends of lists that do not hold it, or what
    // counts where it is not matched.
    double UpperBound(size_t i) {
        for (size_t l = 0; l < legs_.size(); l++) {
            weighed_[l] = Known(i, l) ? lists_.Part(l, parts_[i * legs_.size() + l]) : ahead_[l];
        }
        return lists_.MostOf(weighed_);
    }

    Status LookUp() {
        std::vector<size_t> open;
        std::vector<double> scores;
        for (size_t i = 0; i < records_.size(); i++) {
            if (!IsScored(i)) {
                open.push_back(i);
            } else if (formula_ == nullptr) {
                scores.push_back(Fuse(i));
            }
        }
        if (k_ > 0 && open.size() > k_ && Ends()) {
            result_.partial = true;
            return LookUpLikeliest(&open);
        }
        if (formula_ != nullptr || k_ == 0 || !lists_.AllExact()) {
            return LookUpAndFuse(open);
        }
        return LookUpBest(open, &scores);
    }

    Status LookUpAndFuse(const std::vector<size_t>& of) {
        QUERN_TRY(LookUpOf(of));
        for (size_t n = 0; n < of.size() && formula_ == nullptr; n++) {
            Fuse(of[n]);
        }
        return {};
    }

    // No more than what makes up a result, by what is known of the records.
    Status LookUpLikeliest(std::vector<size_t>* open) {
        std::vector<std::pair<double, size_t>> hopes;
        for (const size_t i : *open) {
            for (size_t l = 0; l < legs_.size(); l++) {
                const double part = parts_[i * legs_.size() + l];
                weighed_[l] = std::isnan(part) ? 0 : lists_.Part(l, part);
            }
            hopes.emplace_back(formula_ != nullptr ? 0 : lists_.MostOf(weighed_), i);
        }
        std::stable_sort(hopes.begin(), hopes.end(),
                         [](const auto& a, const auto& b) { return a.first > b.first; });
        open->clear();
        for (size_t i = 0; i < std::min(k_, hopes.size()); i++) {
            open->push_back(hopes[i].second);
        }
        return LookUpAndFuse(*open);
    }

    // scores: of the records that have theirs. The others are looked up, the likeliest first, until
    // none of those that are left can be among the best.
    Status LookUpBest(const std::vector<size_t>& open, std::vector<double>* scores) {
        for (size_t l = 0; l < legs_.size(); l++) {
            ahead_[l] = lists_.Ahead(l);
        }
        const double known = KthOf(scores);
        std::vector<std::pair<double, size_t>> hopes;
        for (const size_t i : open) {
            const double hope = UpperBound(i);
            if (hope >= known) {
                hopes.emplace_back(hope, i);
            }
        }
        std::sort(hopes.begin(), hopes.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
        size_t batch = std::max<size_t>(k_, 16);
        for (size_t begin = 0; begin < hopes.size();) {
            const double least = KthOf(scores);
            std::vector<size_t> wanted;
            // One that may have as much as the k-th may come before it by its key.
            while (begin < hopes.size() && wanted.size() < batch && hopes[begin].first >= least) {
                wanted.push_back(hopes[begin++].second);
            }
            if (wanted.empty()) {
                break;
            }
            QUERN_TRY(LookUpAndFuse(wanted));
            for (const size_t i : wanted) {
                scores->push_back(fused_[i]);
            }
            batch *= 2;  // looking costs the more the oftener it is done
        }
        return {};
    }

    // The k-th best; the least there is when there are fewer.
    double KthOf(std::vector<double>* scores) const {
        if (k_ == 0 || scores->size() < k_) {
            return kLeast;
        }
        const auto kth = scores->begin() + static_cast<ptrdiff_t>(k_ - 1);
        std::nth_element(scores->begin(), kth, scores->end(), std::greater<>());
        return *kth;
    }

    // All that is not known of some records.
    Status LookUpOf(const std::vector<size_t>& of) {
        std::vector<uint64_t> wanted;
        std::vector<size_t> places;
        for (size_t l = 0; l < legs_.size(); l++) {
            wanted.clear();
            places.clear();
            for (const size_t i : of) {
                if (!Known(i, l)) {
                    wanted.push_back(records_[i]);
                    places.push_back(i);
                }
                known_[i * legs_.size() + l] = 1;
            }
            QUERN_TRY(LookUpIn(l, wanted, places));
        }
        return {};
    }

    // places: of the records, in parts_.
    Status LookUpIn(size_t leg, const std::vector<uint64_t>& wanted,
                    const std::vector<size_t>& places) {
        if (wanted.empty()) {
            return {};
        }
        std::vector<double> scores(wanted.size(), kNoScore);
        QUERN_TRY(legs_[leg].leg->ScoresOf(wanted, &scores));
        for (size_t i = 0; i < places.size(); i++) {
            parts_[places[i] * legs_.size() + leg] =
                TestFault(Fault::kLookedUpZero) ? 0 : scores[i];
        }
        result_.looked_up += wanted.size();
        result_.legs[leg].looked_up += wanted.size();
        return {};
    }

    // What the formula's other variables are for records that are new.
    Status LookUpOthers() {
        others_.resize(formula_->others.size());
        std::vector<uint64_t> fresh;
        for (size_t i = others_known_; i < records_.size(); i++) {
            fresh.push_back(records_[i]);
        }
        for (size_t other = 0; other < others_.size() && !fresh.empty(); other++) {
            others_[other].resize(records_.size(), kNoScore);
            QUERN_TRY(formula_->values_of(other, fresh, others_[other].data() + others_known_));
        }
        others_known_ = records_.size();
        return {};
    }

    // No score and the least one are the same: such records are not in the result.
    void FuseByFormula() {
        std::vector<std::vector<double>> scaled(legs_.size());
        std::vector<const double*> columns;
        for (size_t l = 0; l < legs_.size(); l++) {
            scaled[l].resize(records_.size());
            for (size_t i = 0; i < records_.size(); i++) {
                const size_t scale = TestFault(Fault::kScaleOfFirst) ? 0 : l;
                scaled[l][i] = lists_.Scaled(scale, parts_[i * legs_.size() + l]);
            }
            columns.push_back(scaled[l].data());
        }
        for (const std::vector<double>& other : others_) {
            columns.push_back(other.data());
        }
        std::vector<double> scores(records_.size());
        formula_->formula->Evaluate(columns, scores.size(), scores.data());
        for (size_t i = 0; i < scores.size(); i++) {
            fused_[i] = std::isnan(scores[i]) || !IsScored(i) ? kLeast : scores[i];
        }
    }

    void FuseRanks() {
        fused_.assign(records_.size(), 0);
        rank_shares_.assign(parts_.size(), 0);
        for (size_t l = 0; l < legs_.size(); l++) {
            const std::vector<size_t> ranks = RanksOf(lists_.list(l).hits);
            for (size_t i = 0; i < ranks.size(); i++) {
                const size_t place = records_.PlaceOf(lists_.list(l).hits[i].record);
                const double share =
                    legs_[l].weight / (options_.rank_constant + static_cast<double>(ranks[i]));
                fused_[place] += share;
                rank_shares_[place * legs_.size() + l] = share;
            }
        }
    }

    // What each leg says of a record, and adds to its score.
    void Tell(size_t place) {
        const double* const parts = &parts_[place * legs_.size()];
        result_.records.push_back({records_[place], fused_[place]});
        result_.parts.insert(result_.parts.end(), parts, parts + legs_.size());
        result_.shares.resize(result_.parts.size());
        double* const shares = result_.shares.data() + result_.shares.size() - legs_.size();
        if (options_.kind != FusionKind::kReciprocalRank) {
            lists_.Shares(parts, shares);
        } else {
            std::copy_n(&rank_shares_[place * legs_.size()], legs_.size(), shares);
        }
    }

    bool Proved() {
        if (lists_.Complete()) {
            return true;
        }
        const double bound = lists_.UnseenBound(formula_);
        boundless_ = bound == std::numeric_limits<double>::infinity();
        if (k_ == 0 || records_.size() < k_) {
            return false;
        }
        std::vector<double> scores = fused_;
        // An equal one might come first by its key.
        kth_ = KthOf(&scores);
        proved_ = kth_ > bound || (TestFault(Fault::kEqualProved) && kth_ == bound);
        return proved_;
    }

    // Those that can be in the result.
    size_t ScoredRecords() const {
        return static_cast<size_t>(std::count_if(fused_.begin(), fused_.end(),
                                                 [](double score) { return score != kLeast; }));
    }

    bool Deepen() {
        // Lists that are short because their legs look no further stay short.
        const bool proving = lists_.AllExact() && !(formula_ != nullptr && boundless_);
        if (!proving && (k_ == 0 || ScoredRecords() >= k_)) {
            return false;
        }
        const double stretch = formula_ == nullptr ? lists_.Stretch(kth_) : kDeeper;
        // Where there are hits enough and a proof is all that is missing, legs that do not stand in
        // its way are left alone.
        const bool by_bounds = proving && formula_ == nullptr && std::isfinite(kth_);
        bool deeper = false;
        for (size_t l = 0; l < legs_.size(); l++) {
            if (by_bounds && !lists_.Bounds(l, kth_)) {
                continue;
            }
            if (lists_.Finds(l) && !lists_.list(l).complete && depths_[l] < records_max_) {
                const double wanted = std::ceil(static_cast<double>(depths_[l]) * stretch);
                depths_[l] = std::max(depths_[l] + 1, static_cast<size_t>(wanted));
                depths_[l] = std::min(records_max_, depths_[l]);
                deeper = true;
            }
        }
        return deeper;
    }

    // Scores that are told and count for nothing; ranks tell those of the lists alone.
    Status LookUpReported(const std::vector<size_t>& of) {
        for (size_t l = 0; l < legs_.size() && options_.kind != FusionKind::kReciprocalRank; l++) {
            if (legs_[l].weight > 0) {
                continue;  // what has a score has all that it is made of
            }
            std::vector<uint64_t> wanted;
            std::vector<size_t> places;
            for (const size_t place : of) {
                if (!Known(place, l)) {
                    wanted.push_back(records_[place]);
                    places.push_back(place);
                }
            }
            QUERN_TRY(LookUpIn(l, wanted, places));
        }
        return {};
    }

    // The best, and all that equal the last of them.
    std::vector<size_t> BestPlaces() const {
        std::vector<double> scores = fused_;
        const double least = KthOf(&scores);
        std::vector<Ranked> best;
        best.reserve(k_ > 0 ? std::min(k_, fused_.size()) : fused_.size());
        for (size_t i = 0; i < fused_.size(); i++) {
            if (fused_[i] != kLeast && fused_[i] >= least) {
                best.push_back({fused_[i], records_[i], i});
            }
        }
        std::sort(best.begin(), best.end(), [](const Ranked& a, const Ranked& b) {
            return a.score != b.score ? a.score > b.score : a.record < b.record;
        });
        std::vector<size_t> places;
        places.reserve(best.size());
        for (const Ranked& ranked : best) {
            places.push_back(ranked.place);
        }
        return places;
    }

    Result<FusedList> Finish() {
        const std::vector<size_t> best = BestPlaces();
        QUERN_TRY(LookUpReported(best));
        result_.records.reserve(best.size());
        result_.parts.reserve(best.size() * legs_.size());
        result_.shares.reserve(best.size() * legs_.size());
        for (const size_t place : best) {
            Tell(place);
        }
        result_.complete = lists_.Complete() && result_.records.size() == records_.size();
        result_.exact =
            !result_.partial && lists_.AllExact() &&
            (options_.kind == FusionKind::kReciprocalRank || lists_.Complete() || proved_);
        return std::move(result_);
    }

    struct Ranked {
        double score = 0;
        uint64_t record = 0;
        size_t place = 0;
    };

    const FusionOptions& options_;
    const std::vector<FusionLeg>& legs_;
    size_t k_;
    size_t records_max_;
    const FormulaFusion* formula_;
    const std::function<bool()>& ends_;
    std::vector<size_t> depths_;  // that lists are to have
    std::vector<size_t> made_;    // that they were made with
    LegLists lists_;
    RecordPlaces records_;  // that a list has held
    // Their scores; the least for those of which not all is known: they are not among the best.
    std::vector<double> fused_;
    std::vector<uint8_t> is_fused_;            // not of formulas and ranks
    std::vector<double> parts_;                // records x legs
    std::vector<uint8_t> known_;               // the same
    std::vector<double> ahead_;                // what a leg may say at most of what it lacks
    std::vector<double> weighed_;              // room for the parts of one record
    std::vector<double> rank_shares_;          // the same, of ranks
    std::vector<std::vector<double>> others_;  // of the formula, each of all records
    size_t others_known_ = 0;                  // records
    double kth_ = kLeast;                      // score, of the last round
    bool proved_ = false;
    bool boundless_ = false;  // nothing can be proved by longer lists
    FusedList result_;
};

}  // namespace

Result<FusedList> SearchFused(const FusionOptions& options, const std::vector<FusionLeg>& legs,
                              size_t k, size_t records_max, const FormulaFusion* formula,
                              const std::function<bool()>& ends) {
    return FusedSearch(options, legs, k, records_max, formula, ends).Run();
}

}  // namespace quern::query
