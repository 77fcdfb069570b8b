#include "engine/db/hybrid_searcher.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "engine/db/candidate_search.h"
#include "engine/db/kept_fusions.h"
#include "engine/db/leg_search.h"
#include "engine/db/stage_clock.h"
#include "engine/query/fused_search.h"

namespace quern {

namespace {

// Whether a leg's searches are exact whatever indexes there are.
bool IsExact(const Schema& schema, const SearchRequest& request) {
    const int field = schema.FindField(request.field);
    if (field < 0 || !schema.is_dense(static_cast<size_t>(field))) {
        return (field >= 0 && schema.is_text(static_cast<size_t>(field))) || !request.is_loose();
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
            const StageClock of_fuse(&fuse_ns_);
            QUERN_ASSIGN(formula_,
                         OpenFormula(database_, snapshot_, views_, request_, &table_->tally));
        }
        table_->tally.expected_recall = 1;
        const SearchBudget::Clock::time_point ends = EndOfFusing();
        QUERN_TRY(StartLegs());
        std::vector<std::vector<Winner>>& winners = *found;
        winners.resize(queries_);
        told_.resize(queries_);
        bool exact = candidates_exact_;
        table_->legs.resize(legs_.size());
        for (size_t q = 0; q < queries_; q++) {
            if (q > 0 && SearchBudget::Clock::now() >= ends) {
                request_.budget->LeftOut(kSpentTime, q);
                continue;
            }
            QUERN_ASSIGN(query::FusedList list, SearchOne(q));
            exact = exact && list.exact;
            const StageClock of_fuse(&fuse_ns_);
            winners[q].reserve(list.records.size());
            told_[q].records.reserve(list.records.size());
            for (const query::FusedRecord& record : list.records) {
                if (request_.has_min_score &&
                    static_cast<double>(static_cast<float>(record.score)) < request_.min_score) {
                    break;
                }
                Winner winner;
                winner.distance = -record.score;
                winner.place = PlaceOf(record.record);
                winners[q].push_back(winner);
                told_[q].records.push_back(record.record);
            }
            told_[q].parts = std::move(list.parts);
            told_[q].shares = std::move(list.shares);
            for (size_t l = 0; l < legs_.size(); l++) {
                table_->legs[l].lists += list.legs[l].lists;
                table_->legs[l].hits += list.legs[l].hits;
                table_->legs[l].looked_up += list.legs[l].looked_up;
            }
            QUERN_TRY(work_.Check("search", q, queries_));
        }
        table_->tally.fuse_ns += fuse_ns_;
        for (size_t l = 0; l < legs_.size(); l++) {
            LegTally& told = table_->legs[l];
            told.tally = legs_[l]->Cost();
            table_->tally.Add(told.tally);
            SearchTrace trace = legs_[l]->Trace();
            trace.name = request_.legs[l].name;
            trace.lists = told.lists;
            trace.hits = told.hits;
            trace.looked_up = told.looked_up;
            table_->trace.legs.push_back(std::move(trace));
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
        fits_ = true;
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
            return AbsentOf(views_.whole->info->schema, request_.legs[leg], fusion);
        };
        QUERN_ASSIGN(*fitted, query::FitFusion(pools, given, absent, options,
                                               [&] { return work_.Check("fit", 0, 0); }));
        return {};
    }

    Status Run(const ShapeWinners* shape) {
        std::vector<std::vector<Winner>> winners;
        QUERN_TRY(Find(&winners));
        std::vector<RecordPlace> places;
        {
            const StageClock clock(&table_->tally.fetch_ns);
            QUERN_TRY(Fetch(shape, &winners, &places));
            TellParts(places);
        }
        return {};
    }

private:
    Status Fetch(const ShapeWinners* shape, std::vector<std::vector<Winner>>* winners,
                 std::vector<RecordPlace>* places) {
        return SearchResult(
                   database_, *views_.whole, request_, choice_,
                   [](double distance) { return static_cast<float>(-distance); }, table_, &work_)
            .TellPlaces(places)
            .ShapeBy(shape)
            .Fill(snapshot_, winners);
    }

    // Legs may take all the time there is, and what they have found is made into results all the
    // same; but no longer than half as long again.
    SearchBudget::Clock::time_point EndOfFusing() const {
        const auto again = std::chrono::microseconds(uint64_t{500} * request_.limits.timeout_ms);
        return request_.budget != nullptr && request_.budget->has_deadline()
                   ? SearchBudget::Clock::now() + request_.budget->TimeLeft() + again
                   : SearchBudget::Clock::time_point::max();
    }

    uint64_t LegsNs() const {
        uint64_t ns = 0;
        for (const auto& leg : legs_) {
            ns += leg->passed_ns();
        }
        return ns;
    }

    Status StartLegs() {
        for (size_t l = 0; l < request_.legs.size(); l++) {
            legs_left_ += WeightOf(request_, l) > 0 && !request_.legs[l].against ? 1 : 0;
        }
        for (size_t l = 0; l < request_.legs.size(); l++) {
            const SearchLeg& leg = request_.legs[l];
            const size_t depth = FirstDepthOf(leg.request, request_.limit,
                                              static_cast<size_t>(views_.whole->state.records));
            legs_.push_back(std::make_unique<LegSearch>(database_, snapshot_, views_, leg, depth,
                                                        AheadOf(leg), table_));
            legs_.back()->LeaveOut(&left_out_, OthersSelves(l));
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
        for (size_t q = 0; q < queries_; q++) {
            left_out_.push_back(SelvesOf(q));
        }
        QUERN_TRY(GuideLegs());
        if (request_.candidates != nullptr) {
            return KeepToCandidates();
        }
        for (size_t l = 0; request_.among != nullptr && l < legs_.size(); l++) {
            QUERN_TRY(legs_[l]->StayAmong(request_.among));
        }
        return {};
    }

    Status GuideLegs() {
        for (size_t l = 0; l < request_.legs.size(); l++) {
            if (!request_.legs[l].guide.empty()) {
                QUERN_ASSIGN(const size_t guide, GuideOf(views_.whole->info->schema, request_, l));
                legs_[l]->GuideBy(legs_[guide].get(), ShareWith(l, guide));
            }
        }
        return {};
    }

    GuideShare ShareWith(size_t leg, size_t guide) const {
        GuideShare share;
        const bool sums = fusion_.kind == query::FusionKind::kSum &&
                          fusion_.normalization == query::Normalization::kNone &&
                          formula_ == nullptr && request_.candidates == nullptr;
        for (size_t l = 0; l < legs_.size(); l++) {
            if (WeightOf(request_, l) > 0 && l != leg && l != guide) {
                return share;
            }
        }
        // Weights that are to be learned conclude nothing.
        if (sums && !fits_ && WeightOf(request_, leg) > 0) {
            const Schema& schema = views_.whole->info->schema;
            share.k = request_.limit;
            share.weight = WeightOf(request_, leg);
            share.guide_weight = WeightOf(request_, guide);
            share.absent = AbsentOf(schema, request_.legs[leg], fusion_).score;
            share.guide_absent = AbsentOf(schema, request_.legs[guide], fusion_).score;
        }
        return share;
    }

    // A fused hit is farther down in the lists of the legs, so longer lists prove more. Where legs
    // agree about as text and learned terms do, lists of 1.75 * k prove the k best of nearly all
    // queries. A longer list of one leg does what one of the other would: the words of a text are
    // few, so it is made there. A scan looks at everything for however many. Not where legs prove
    // nothing, or where their first lists are what counts.
    size_t AheadOf(const SearchLeg& leg) const {
        constexpr double kAhead = 1.75;
        constexpr double kAheadOfText = 2.5;
        constexpr double kAheadOfTerms = 1.5;
        constexpr double kAheadOfScan = 4;
        const Schema& schema = views_.whole->info->schema;
        const bool proves =
            fusion_.kind == query::FusionKind::kSum || fusion_.kind == query::FusionKind::kMax;
        if (!proves || !IsExact(schema, leg.request)) {
            return 0;
        }
        const int found = schema.FindField(leg.request.field);
        const auto field = static_cast<size_t>(found);
        const double times = found < 0                ? kAhead
                             : schema.is_dense(field) ? kAheadOfScan
                             : schema.is_text(field)  ? kAheadOfText
                                                      : kAheadOfTerms;
        const auto ahead = static_cast<size_t>(static_cast<double>(request_.limit) * times);
        return std::min(ahead, static_cast<size_t>(views_.whole->state.records));
    }

    // One search for the candidates of all legs.
    Status KeepToCandidates() {
        ResultTable own;
        CandidateSets selves(queries_);
        for (size_t q = 0; q < queries_; q++) {
            for (const uint64_t self : left_out_[q]) {
                selves[q].push_back(PlaceOf(self));
            }
        }
        auto candidates = FindCandidates(database_, snapshot_, views_, *request_.candidates,
                                         std::max(kListDepth, request_.limit), selves,
                                         request_.budget.get(), &own);
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
        table_->trace.Candidates()->Add(*own.trace.Candidates());
        if (!exact) {
            table_->tally.expected_recall =
                std::min(table_->tally.expected_recall, own.tally.expected_recall);
        }
        return {};
    }

    // What looks for itself in any leg.
    std::vector<uint64_t> SelvesOf(size_t q) const {
        std::vector<uint64_t> selves;
        for (const auto& leg : legs_) {
            for (const RecordPlace& self : leg->SelvesOf(q)) {
                selves.push_back(NumberOf(self));
            }
        }
        return selves;
    }
    // How many records of one query look for themselves in the other legs, at most.
    size_t OthersSelves(size_t leg) const {
        size_t most = 0;
        for (size_t l = 0; l < request_.legs.size(); l++) {
            most += l == leg ? 0 : SelvesMax(request_.legs[l].request);
        }
        return most;
    }

    // The first lists of all legs, and what each says of all that is in them.
    Result<query::JudgedPool> PoolOf(size_t q,
                                     const std::vector<std::pair<RecordPlace, double>>& judged) {
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
            QueryLeg leg(legs_[l].get(), q);
            QUERN_ASSIGN(query::LegList list, leg.Best(legs_[l]->depth()));
            for (const query::ScoredRecord& hit : list.hits) {
                records.push_back(hit.record);
            }
            // Scales are those of the first hits.
            list.hits.resize(std::min(legs_[l]->first_depth(), list.hits.size()));
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
        std::vector<QueryLeg> of_query;
        of_query.reserve(legs_.size());
        std::vector<query::FusionLeg> fused;
        for (size_t l = 0; l < legs_.size(); l++) {
            of_query.emplace_back(legs_[l].get(), q);
            const SearchLeg& leg = request_.legs[l];
            fused.push_back({&of_query.back(), WeightOf(request_, l), legs_[l]->first_depth(),
                             AbsentOf(views_.whole->info->schema, leg, fusion_), leg.against,
                             leg.absent && std::isnan(*leg.absent), legs_[l]->depth()});
        }
        SearchBudget* const budget = request_.budget.get();
        const uint64_t before = LegsNs();
        uint64_t unused = 0;
        const StageClock clock(&unused);
        QUERN_ASSIGN(query::FusedList list,
                     query::SearchFused(fusion_, fused, request_.limit,
                                        static_cast<size_t>(views_.whole->state.records),
                                        formula_ == nullptr ? nullptr : &formula_->fusion(), [&] {
                                            return budget != nullptr && budget->SpentOf(q) != 0;
                                        }));
        const uint64_t passed = clock.Passed();
        fuse_ns_ += passed - std::min(passed, LegsNs() - before);
        if (list.partial) {
            budget->LeftOut(budget->SpentOf(q), q);
        }
        return list;
    }

    // places: of the table's rows.
    void TellParts(const std::vector<RecordPlace>& places) {
        table_->leg_count = legs_.size();
        table_->leg_scores.reserve(places.size() * legs_.size());
        table_->leg_shares.reserve(places.size() * legs_.size());
        const auto count = static_cast<ptrdiff_t>(legs_.size());
        for (size_t q = 0; q < queries_; q++) {
            for (size_t row = table_->offsets[q]; row < table_->offsets[q + 1]; row++) {
                const auto of_row = static_cast<ptrdiff_t>(
                    told_[q].PlaceOf(NumberOf(places[row]), row - table_->offsets[q]));
                const auto part = told_[q].parts.begin() + of_row * count;
                const auto share = told_[q].shares.begin() + of_row * count;
                table_->leg_scores.insert(table_->leg_scores.end(), part, part + count);
                table_->leg_shares.insert(table_->leg_shares.end(), share, share + count);
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
    std::vector<std::vector<uint64_t>> left_out_;  // of each query: what looks for itself
    size_t legs_left_ = 0;                         // that find and have not begun
    bool candidates_exact_ = true;
    bool fits_ = false;
    uint64_t fuse_ns_ = 0;
    // What the legs say of the records of one query.
    struct Told {
        std::vector<uint64_t> records;
        std::vector<double> parts;  // records x legs
        std::vector<double> shares;
        std::vector<std::pair<uint64_t, size_t>> sorted;  // records, and where they stand; if asked

        // Where a record stands, which most often is where it is among the hits.
        size_t PlaceOf(uint64_t record, size_t likely) {
            if (likely < records.size() && records[likely] == record) {
                return likely;
            }
            if (sorted.empty()) {
                for (size_t i = 0; i < records.size(); i++) {
                    sorted.emplace_back(records[i], i);
                }
                std::sort(sorted.begin(), sorted.end());
            }
            const std::pair<uint64_t, size_t> wanted{record, 0};
            return std::lower_bound(sorted.begin(), sorted.end(), wanted)->second;
        }
    };
    std::vector<Told> told_;
};

}  // namespace

query::AbsentScore AbsentOf(const Schema& schema, const SearchLeg& leg,
                            const query::FusionOptions& fusion) {
    const int field = schema.FindField(leg.request.field);
    const bool dense = field >= 0 && schema.is_dense(static_cast<size_t>(field));
    if (leg.absent && !std::isnan(*leg.absent)) {
        return {*leg.absent, dense ? query::kNoScore : 0};
    }
    if (fusion.normalization != query::Normalization::kNone) {
        // No common term is a product of 0; no vector is no score at all.
        return {query::kNoScore, dense ? query::kNoScore : 0};
    }
    if (dense) {
        const Metric metric = schema.dense[static_cast<size_t>(field)].metric;
        if (metric == Metric::kL2 || metric == Metric::kHamming) {
            return -std::numeric_limits<double>::infinity();
        }
    }
    return 0;
}

size_t FirstDepthOf(const SearchRequest& leg, size_t wanted, size_t records) {
    const size_t all = std::max<size_t>(records, 1);
    if (leg.has_limit) {
        return leg.limit == 0 ? all : leg.limit;
    }
    return wanted == 0 ? all : std::max(kListDepth, wanted);
}

size_t SelvesMax(const SearchRequest& request) {
    if (request.include_self) {
        return 0;
    }
    if (request.by_key) {
        return 1;
    }
    std::vector<size_t> of_queries(request.is_composed ? request.composed.count : 0, 0);
    for (const QueryTerm& term : request.composed.terms) {
        if (term.query < of_queries.size() && term.stored) {
            of_queries[term.query]++;
        }
    }
    return of_queries.empty() ? 0 : *std::max_element(of_queries.begin(), of_queries.end());
}

Result<size_t> GuideOf(const Schema& schema, const SearchRequest& request, size_t leg) {
    const std::string& wanted = request.legs[leg].guide;
    std::vector<size_t> found;
    for (size_t l = 0; l < request.legs.size(); l++) {
        if (SameName(NameOf(request.legs[l]), wanted)) {
            found.push_back(l);
        }
    }
    if (found.size() != 1) {
        return Status::Error(Code::kInvalid, "leg %zu: guide=%s names %s", leg, wanted.c_str(),
                             found.empty() ? "no leg" : "more than one leg: name them");
    }
    const auto is_dense = [&](size_t l) {
        const int field = schema.FindField(request.legs[l].request.field);
        return field >= 0 && schema.is_dense(static_cast<size_t>(field));
    };
    if (found[0] == leg || !is_dense(leg) || is_dense(found[0])) {
        return Status::Error(Code::kInvalid,
                             "leg %zu: guide=%s: a leg in a dense field is guided by one in a "
                             "sparse or text field",
                             leg, wanted.c_str());
    }
    if (request.legs[found[0]].against || WeightOf(request, found[0]) <= 0) {
        return Status::Error(Code::kInvalid, "leg %zu: guide=%s is a leg that finds nothing", leg,
                             wanted.c_str());
    }
    return found[0];
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
