#include "engine/db/hybrid_searcher.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "engine/db/candidate_search.h"
#include "engine/query/fused_search.h"

namespace quern {

namespace {

// The request for its query number q alone.
SearchRequest OneQuery(const SearchRequest& request, size_t q, size_t moved_dim) {
    SearchRequest one = request;
    one.count = 1;
    if (request.moved != nullptr) {
        one.moved = request.moved + q * moved_dim;
    }
    if (request.by_key) {
        one.keys = {request.keys[q]};
    } else if (request.is_composed) {
        one.composed.count = 1;
        std::erase_if(one.composed.terms, [&](const QueryTerm& term) { return term.query != q; });
        for (QueryTerm& term : one.composed.terms) {
            term.query = 0;
        }
    } else if (request.is_text) {
        one.texts = {request.texts[q]};
    } else if (request.is_sparse) {
        one.sparse.offsets = request.sparse.offsets + q;
        one.sparse.count = 1;
    } else {
        one.vectors =
            static_cast<const char*>(request.vectors) +
            q * VectorBytes(request.is_f32 ? Element::kF32 : request.element, request.dim);
    }
    return one;
}

// One leg of the request, with what all its queries have in common.
class LegSearch {
public:
    LegSearch(Database* database, Snapshot* snapshot, const SearchedViews& views,
              const SearchLeg& leg, size_t depth, size_t ahead, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          views_(views),
          request_(leg.request),
          first_depth_(depth),
          depth_(std::max(depth, ahead)),
          table_(table) {
        request_.limit = depth_;
        request_.columns.clear();
    }
    // Only these may be found.
    Status StayAmong(const std::shared_ptr<const CandidateSets>& candidates) {
        // What is looked up is exact; whether the candidates are, the query knows.
        own_.flags |= among_ ? 0u : 1u;
        QUERN_ASSIGN(search_, SearchAmong(candidates, std::move(search_), 0, budget_, &own_));
        among_ = true;
        return {};
    }

    // Searches for all queries at once.
    Status Start() {
        // Of candidates all are scored in any case, and all are kept: nobody looks for them twice.
        among_ = request_.candidates != nullptr;
        request_.limit = among_ ? 0 : depth_;
        if (among_) {
            BeginShare();  // its candidates are looked for now
        }
        QUERN_ASSIGN(search_, OpenFieldSearch(database_, snapshot_, views_, request_, &own_));
        return {};
    }
    size_t query_count() const { return search_->query_count(); }
    // Its searches have a share of what is left of the budget when the first of them begins: as
    // much as each of the legs that are still to begin.
    void TakeShare(SearchBudget* of, size_t* legs_left) {
        budget_ = of;
        legs_left_ = legs_left;
    }
    std::span<const RecordPlace> SelvesOf(size_t q) const { return search_->SelvesOf(q); }
    size_t first_depth() const { return first_depth_; }
    size_t depth() const { return depth_; }

    Result<query::LegList> Best(size_t q, size_t depth) {
        if (depth <= depth_ || among_) {
            if (!found_all_) {
                BeginShare();
                QUERN_TRY(search_->Find(&winners_));
                Told(own_);
                found_all_ = true;
            }
            return among_ ? Beginning(q, std::max(depth, depth_))
                          : ListOf(winners_[q], depth_, FlagsOf(q));
        }
        if (IsPartial(q)) {
            return ListOf(winners_[q], depth_, FlagsOf(q));
        }
        SearchRequest deeper = OneQuery(request_, q, MovedDim());
        deeper.limit = depth;
        if (request_.budget != nullptr) {
            deeper.budget = request_.budget->OfQuery(q);
        }
        ResultTable table;
        QUERN_ASSIGN(const auto search,
                     OpenFieldSearch(database_, snapshot_, views_, deeper, &table));
        std::vector<std::vector<Winner>> winners;
        QUERN_TRY(search->Find(&winners));
        Told(table);
        deeper_.Add(table.tally);
        // The shorter list is the better one if the search for a longer one came to no end.
        return (table.flags & kPartialFlag) != 0 ? ListOf(winners_[q], depth_, FlagsOf(q))
                                                 : ListOf(winners[0], depth, table.flags);
    }

    Status ScoresOf(size_t q, const std::vector<uint64_t>& records, std::vector<double>* scores) {
        std::vector<RecordPlace> places;
        places.reserve(records.size());
        for (const uint64_t record : records) {
            places.push_back(PlaceOf(record));
        }
        QUERN_TRY(search_->DistancesOf(q, places, scores));
        for (double& score : *scores) {
            score = std::isnan(score) ? query::kNoScore : search_->ScoreOf(score);
        }
        return {};
    }

    // What its searches have cost, and all looks.
    SearchTally Cost() const {
        SearchTally cost = own_.tally;
        cost.Add(deeper_);
        return cost;
    }

private:
    void BeginShare() {
        if (budget_ != nullptr && request_.budget == nullptr) {
            request_.budget = budget_->Share(std::max<size_t>(1, *legs_left_));
            *legs_left_ -= std::min<size_t>(1, *legs_left_);
        }
    }
    // Whether its search for a query came to no end.
    bool IsPartial(size_t q) const {
        return request_.budget != nullptr && request_.budget->LeftOutOf(q);
    }
    uint32_t FlagsOf(size_t q) const {
        constexpr uint32_t kExact = 1;
        const uint32_t flags = own_.flags & ~(kExact | kPartialFlag);
        const bool exact = (own_.flags & kExact) != 0 || own_.exact_as_far;
        return flags | (IsPartial(q) ? kPartialFlag : exact ? kExact : 0);
    }
    // The dimension of moved queries; their request may name records instead.
    size_t MovedDim() const {
        const Schema& schema = views_.whole->info->schema;
        return request_.moved == nullptr
                   ? 0
                   : schema.dense[static_cast<size_t>(schema.FindField(request_.field))].dim;
    }
    query::LegList ListOf(const std::vector<Winner>& winners, size_t depth, uint32_t flags) const {
        query::LegList list;
        list.exact = (flags & 1u) != 0;
        list.complete = winners.size() < depth && (flags & kPartialFlag) == 0;
        list.hits.reserve(winners.size());
        for (const Winner& winner : winners) {
            list.hits.push_back({NumberOf(winner.place), search_->ScoreOf(winner.distance)});
        }
        return list;
    }
    // Of a list that is there whole: the first ones, and all that equal the last.
    query::LegList Beginning(size_t q, size_t depth) const {
        query::LegList list = ListOf(winners_[q], std::numeric_limits<size_t>::max(), FlagsOf(q));
        size_t end = std::min(depth, list.hits.size());
        while (end > 0 && end < list.hits.size() &&
               list.hits[end].score == list.hits[end - 1].score) {
            end++;
        }
        list.complete = end == list.hits.size() && !IsPartial(q);
        list.hits.resize(end);
        return list;
    }
    void Told(const ResultTable& table) {
        constexpr uint32_t kAnyOf = ~1u;
        table_->flags |= table.flags & kAnyOf;
        if ((table.flags & 1u) == 0) {
            table_->tally.expected_recall =
                std::min(table_->tally.expected_recall, table.tally.expected_recall);
        }
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchedViews& views_;
    SearchRequest request_;
    size_t first_depth_;  // of the list that counts as the first
    size_t depth_;        // of the list that is made first
    ResultTable* table_;
    ResultTable own_;     // flags and tally of the first search
    SearchTally deeper_;  // of those after it
    std::unique_ptr<FieldSearch> search_;
    std::vector<std::vector<Winner>> winners_;
    bool found_all_ = false;
    bool among_ = false;  // candidates: winners_ has all that can be found
    SearchBudget* budget_ = nullptr;
    size_t* legs_left_ = nullptr;
};

// A leg for one of the queries, less records that look for themselves.
class QueryLeg : public query::Leg {
public:
    QueryLeg(LegSearch* search, size_t q, const std::vector<uint64_t>* without)
        : search_(search), q_(q), without_(without) {}
    Result<query::LegList> Best(size_t depth) override {
        QUERN_ASSIGN(query::LegList list, search_->Best(q_, depth));
        std::erase_if(list.hits, [&](const query::ScoredRecord& hit) {
            return std::find(without_->begin(), without_->end(), hit.record) != without_->end();
        });
        return list;
    }
    Status ScoresOf(const std::vector<uint64_t>& records, std::vector<double>* scores) override {
        return search_->ScoresOf(q_, records, scores);
    }

private:
    LegSearch* search_;
    size_t q_;
    const std::vector<uint64_t>* without_;
};

// Whether a leg's searches are exact whatever indexes there are.
bool IsExact(const Schema& schema, const SearchRequest& request) {
    const int field = schema.FindField(request.field);
    if (field < 0 || !schema.is_dense(static_cast<size_t>(field))) {
        return request.bound >= 1;
    }
    const std::string& options = schema.dense[static_cast<size_t>(field)].options;
    return request.recall >= 1 || options.find("index=none") != std::string::npos;
}

class HybridSearcher {
public:
    HybridSearcher(Database* database, Snapshot* snapshot, const SearchedViews& views,
                   const SearchRequest& request, const ColumnChoice& choice, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          views_(views),
          request_(request),
          choice_(choice),
          table_(table),
          fusion_(request.fusion),
          work_(database->NewWork()) {}

    Status Find(std::vector<std::vector<Winner>>* found) {
        if (request_.formula.parsed != nullptr) {
            fusion_.kind = query::FusionKind::kFormula;
            QUERN_ASSIGN(formula_,
                         OpenFormula(database_, snapshot_, views_, request_, &table_->tally));
        }
        table_->tally.expected_recall = 1;
        QUERN_TRY(StartLegs());
        std::vector<std::vector<Winner>>& winners = *found;
        winners.resize(queries_);
        parts_.resize(queries_);
        bool exact = candidates_exact_;
        table_->legs.resize(legs_.size());
        for (size_t q = 0; q < queries_; q++) {
            QUERN_ASSIGN(query::FusedList list, SearchOne(q));
            exact = exact && list.exact;
            for (query::FusedRecord& record : list.records) {
                if (request_.has_min_score &&
                    static_cast<double>(static_cast<float>(record.score)) < request_.min_score) {
                    break;
                }
                Winner winner;
                winner.distance = -record.score;
                winner.place = PlaceOf(record.record);
                winners[q].push_back(winner);
                record.parts.insert(record.parts.end(), record.shares.begin(), record.shares.end());
                parts_[q].emplace(record.record, std::move(record.parts));
            }
            for (size_t l = 0; l < legs_.size(); l++) {
                table_->legs[l].lists += list.legs[l].lists;
                table_->legs[l].hits += list.legs[l].hits;
                table_->legs[l].looked_up += list.legs[l].looked_up;
            }
            QUERN_TRY(work_.Check("search", q, queries_));
        }
        for (size_t l = 0; l < legs_.size(); l++) {
            table_->legs[l].tally = legs_[l]->Cost();
            table_->tally.Add(table_->legs[l].tally);
        }
        table_->flags |= exact ? 1u : 0u;
        if (request_.budget != nullptr && request_.budget->left_out() != 0) {
            table_->flags = (table_->flags & ~1u) | kPartialFlag;
            table_->tally.left_out |= request_.budget->left_out();
            table_->tally.expected_recall = 0;
        }
        return {};
    }

    Status Fit(const JudgedPlaces& judged, const query::FitOptions& options,
               query::FittedFusion* fitted) {
        QUERN_TRY(StartLegs());
        std::vector<query::JudgedPool> pools;
        for (const auto& [q, places] : judged) {
            if (q >= queries_) {
                return Status::Error(Code::kInvalid,
                                     "a judgment is of query %zu, there are %zu queries", q,
                                     queries_);
            }
            QUERN_ASSIGN(query::JudgedPool pool, PoolOf(q, places));
            if (!pool.all_gains.empty()) {
                pools.push_back(std::move(pool));
            }
            QUERN_TRY(work_.Check("fit", q, queries_));
        }
        query::FittedFusion given;
        given.normalization = request_.fusion.normalization;
        for (size_t l = 0; l < legs_.size(); l++) {
            given.weights.push_back(WeightOf(request_, l));
        }
        const auto absent = [&](size_t leg, query::Normalization normalization) {
            query::FusionOptions fusion;
            fusion.normalization = normalization;
            return AbsentScore(views_.whole->info->schema, request_.legs[leg], fusion);
        };
        QUERN_ASSIGN(*fitted, query::FitFusion(pools, given, absent, options,
                                               [&] { return work_.Check("fit", 0, 0); }));
        return {};
    }

    Status Run(const ShapeWinners* shape) {
        std::vector<std::vector<Winner>> winners;
        QUERN_TRY(Find(&winners));
        std::vector<RecordPlace> places;
        QUERN_TRY(SearchResult(
                      database_, *views_.whole, request_, choice_,
                      [](double distance) { return static_cast<float>(-distance); }, table_, &work_)
                      .TellPlaces(&places)
                      .ShapeBy(shape)
                      .Fill(snapshot_, &winners));
        TellParts(places);
        return {};
    }

private:
    Status StartLegs() {
        for (size_t l = 0; l < request_.legs.size(); l++) {
            legs_left_ += WeightOf(request_, l) > 0 && !request_.legs[l].against ? 1 : 0;
        }
        for (size_t l = 0; l < request_.legs.size(); l++) {
            const SearchLeg& leg = request_.legs[l];
            const size_t depth = leg.request.has_limit ? std::max<size_t>(leg.request.limit, 1)
                                                       : std::max(kListDepth, request_.limit);
            legs_.push_back(std::make_unique<LegSearch>(database_, snapshot_, views_, leg, depth,
                                                        AheadOf(leg), table_));
            if (request_.budget != nullptr) {
                legs_.back()->TakeShare(request_.budget.get(), &legs_left_);
            }
            const Status status = legs_.back()->Start();
            if (!status.ok()) {
                return Status(status).WithContext("leg " + std::to_string(l));
            }
            if (l > 0 && legs_[l]->query_count() != queries_) {
                return Status::Error(Code::kInvalid,
                                     "leg %zu has %zu queries, leg 0 has %zu: every leg must have "
                                     "as many",
                                     l, legs_[l]->query_count(), queries_);
            }
            queries_ = legs_[l]->query_count();
        }
        return request_.candidates == nullptr ? Status() : KeepToCandidates();
    }

    // A fused hit is far down in the lists of some legs, so longer lists prove more, and a search
    // for four times as many costs less than a second one. Not where legs prove nothing, or where
    // their first lists are what counts.
    size_t AheadOf(const SearchLeg& leg) const {
        constexpr size_t kAhead = 4;
        const bool proves =
            fusion_.kind == query::FusionKind::kSum || fusion_.kind == query::FusionKind::kMax;
        return proves && IsExact(views_.whole->info->schema, leg.request)
                   ? std::min(request_.limit * kAhead,
                              static_cast<size_t>(views_.whole->state.records))
                   : 0;
    }

    // One search for the candidates of all legs.
    Status KeepToCandidates() {
        ResultTable own;
        auto candidates =
            FindCandidates(database_, snapshot_, views_, *request_.candidates,
                           std::max(kListDepth, request_.limit), request_.budget.get(), &own);
        if (!candidates.ok()) {
            return candidates.status().WithContext("the query for candidates");
        }
        for (const auto& leg : legs_) {
            QUERN_TRY(leg->StayAmong(*candidates));
        }
        const bool exact = (own.flags & 1u) != 0;
        candidates_exact_ = exact;
        table_->flags |= own.flags & ~1u;
        table_->tally.Add(own.tally);
        if (!exact) {
            table_->tally.expected_recall =
                std::min(table_->tally.expected_recall, own.tally.expected_recall);
        }
        return {};
    }

    // What looks for itself in any leg.
    std::vector<uint64_t> Without(size_t q) const {
        std::vector<uint64_t> without;
        for (const auto& leg : legs_) {
            for (const RecordPlace& self : leg->SelvesOf(q)) {
                without.push_back(NumberOf(self));
            }
        }
        return without;
    }

    // The first lists of all legs, and what each says of all that is in them.
    Result<query::JudgedPool> PoolOf(size_t q,
                                     const std::vector<std::pair<RecordPlace, double>>& judged) {
        const std::vector<uint64_t> without = Without(q);
        std::map<uint64_t, double> gains;
        for (const auto& [place, gain] : judged) {
            gains[NumberOf(place)] = gain;
        }
        query::JudgedPool pool;
        for (const auto& [record, gain] : gains) {
            if (gain > 0) {
                pool.all_gains.push_back(gain);
            }
        }
        std::vector<uint64_t> records;
        for (size_t l = 0; l < legs_.size(); l++) {
            QueryLeg leg(legs_[l].get(), q, &without);
            QUERN_ASSIGN(query::LegList list, leg.Best(legs_[l]->depth()));
            for (const query::ScoredRecord& hit : list.hits) {
                records.push_back(hit.record);
            }
            // Scales are those of the first hits, and of all that equal the last of these.
            size_t end = std::min(legs_[l]->first_depth(), list.hits.size());
            while (end > 0 && end < list.hits.size() &&
                   list.hits[end].score == list.hits[end - 1].score) {
                end++;
            }
            list.hits.resize(end);
            pool.lists.push_back(std::move(list.hits));
        }
        std::sort(records.begin(), records.end());
        records.erase(std::unique(records.begin(), records.end()), records.end());
        pool.parts.resize(records.size() * legs_.size());
        std::vector<double> scores;
        for (size_t l = 0; l < legs_.size(); l++) {
            scores.assign(records.size(), query::kNoScore);
            QUERN_TRY(legs_[l]->ScoresOf(q, records, &scores));
            for (size_t i = 0; i < records.size(); i++) {
                pool.parts[i * legs_.size() + l] = scores[i];
            }
        }
        for (const uint64_t record : records) {
            const auto gain = gains.find(record);
            pool.gains.push_back(gain == gains.end() ? 0 : gain->second);
        }
        return pool;
    }

    Result<query::FusedList> SearchOne(size_t q) {
        const std::vector<uint64_t> without = Without(q);
        std::vector<QueryLeg> of_query;
        of_query.reserve(legs_.size());
        std::vector<query::FusionLeg> fused;
        for (size_t l = 0; l < legs_.size(); l++) {
            of_query.emplace_back(legs_[l].get(), q, &without);
            const SearchLeg& leg = request_.legs[l];
            fused.push_back({&of_query.back(), WeightOf(request_, l), legs_[l]->first_depth(),
                             AbsentScore(views_.whole->info->schema, leg, fusion_), leg.against,
                             leg.absent && std::isnan(*leg.absent), legs_[l]->depth()});
        }
        SearchBudget* const budget = request_.budget.get();
        QUERN_ASSIGN(query::FusedList list,
                     query::SearchFused(fusion_, fused, request_.limit,
                                        static_cast<size_t>(views_.whole->state.records),
                                        formula_ == nullptr ? nullptr : &formula_->fusion(), [&] {
                                            return budget != nullptr && budget->SpentOf(q) != 0;
                                        }));
        if (list.partial) {
            budget->LeftOut(budget->SpentOf(q), q);
        }
        return list;
    }

    // places: of the table's rows.
    void TellParts(const std::vector<RecordPlace>& places) {
        table_->leg_count = legs_.size();
        for (size_t q = 0; q < queries_; q++) {
            for (size_t row = table_->offsets[q]; row < table_->offsets[q + 1]; row++) {
                const std::vector<double>& of_row = parts_[q].at(NumberOf(places[row]));
                const auto middle = of_row.begin() + static_cast<ptrdiff_t>(legs_.size());
                table_->leg_scores.insert(table_->leg_scores.end(), of_row.begin(), middle);
                table_->leg_shares.insert(table_->leg_shares.end(), middle, of_row.end());
            }
        }
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchedViews& views_;
    const SearchRequest& request_;
    const ColumnChoice& choice_;
    ResultTable* table_;
    query::FusionOptions fusion_;
    Work work_;
    std::unique_ptr<FormulaScorer> formula_;
    std::vector<std::unique_ptr<LegSearch>> legs_;
    size_t queries_ = 0;
    size_t legs_left_ = 0;  // that find and have not begun
    bool candidates_exact_ = true;
    std::vector<std::unordered_map<uint64_t, std::vector<double>>> parts_;  // scores, then shares
};

}  // namespace

double AbsentScore(const Schema& schema, const SearchLeg& leg, const query::FusionOptions& fusion) {
    if (leg.absent && !std::isnan(*leg.absent)) {
        return *leg.absent;
    }
    if (fusion.normalization != query::Normalization::kNone) {
        return query::kNoScore;
    }
    const int field = schema.FindField(leg.request.field);
    if (field >= 0 && schema.is_dense(static_cast<size_t>(field))) {
        const Metric metric = schema.dense[static_cast<size_t>(field)].metric;
        if (metric == Metric::kL2 || metric == Metric::kHamming) {
            return -std::numeric_limits<double>::infinity();
        }
    }
    return 0;
}

Status FindHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                  const SearchRequest& request, ResultTable* table,
                  std::vector<std::vector<Winner>>* winners) {
    const ColumnChoice no_columns;
    return HybridSearcher(database, snapshot, views, request, no_columns, table).Find(winners);
}

Status FitHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                 const SearchRequest& request, const JudgedPlaces& judged,
                 const query::FitOptions& options, query::FittedFusion* fitted) {
    const ColumnChoice no_columns;
    ResultTable table;
    return HybridSearcher(database, snapshot, views, request, no_columns, &table)
        .Fit(judged, options, fitted);
}

Status SearchHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                    const SearchRequest& request, const ColumnChoice& choice,
                    const ShapeWinners* shape, ResultTable* table) {
    return HybridSearcher(database, snapshot, views, request, choice, table).Run(shape);
}

}  // namespace quern
