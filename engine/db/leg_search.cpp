#include "engine/db/leg_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "engine/db/first_winners.h"
#include "engine/db/stage_clock.h"

namespace quern {

namespace {

// The request for its query number q alone.
SearchRequest OneQuery(const SearchRequest& request, size_t q, size_t moved_dim) {
    SearchRequest one = request;
    one.count = 1;
    one.guide_first += q;
    one.moved_first += q;
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
    } else if (request.is_text || request.is_sparse_text) {
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

}  // namespace

LegSearch::LegSearch(Database* database, Snapshot* snapshot, const SearchedViews& views,
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

Status LegSearch::StayAmong(const std::shared_ptr<const CandidateSets>& candidates) {
    // What is looked up is exact; whether the candidates are, the query knows.
    own_.flags |= among_ ? 0u : 1u;
    QUERN_ASSIGN(search_, SearchAmong(candidates, std::move(search_), 0, budget_, &own_));
    among_ = true;
    return {};
}

Status LegSearch::Start() {
    // Of candidates all are scored in any case, and all are kept: nobody looks for them twice.
    among_ = request_.candidates != nullptr;
    if (among_ && !request_.candidates->has_limit) {
        // As many as the leg is to give, which it is not told any more.
        auto candidates = std::make_shared<SearchRequest>(*request_.candidates);
        candidates->limit = std::max(kListDepth, first_depth_);
        candidates->has_limit = true;
        request_.candidates = std::move(candidates);
    }
    request_.limit = among_ ? 0 : depth_ + spare_;
    if (among_) {
        BeginShare();  // its candidates are looked for now
    }
    QUERN_ASSIGN(search_, OpenFieldSearch(database_, snapshot_, views_, request_, &own_));
    return {};
}

Status LegSearch::FindAll() {
    if (!found_all_) {
        QUERN_TRY(TakeGuide());
        BeginShare();
        QUERN_TRY(search_->Find(&winners_));
        Told(own_);
        ended_.assign(winners_.size(), 0);
        for (size_t q = 0; q < winners_.size(); q++) {
            bool ended = winners_[q].size() < depth_;
            if (among_) {
                TakeLeftOut(q, &winners_[q]);
            } else {
                QUERN_TRY(Settle(q, depth_, &winners_[q], &ended));
            }
            ended_[q] = ended ? 1 : 0;
        }
        found_all_ = true;
    }
    return {};
}

// The first hits of the guide; what it gives beyond, it gives for other reasons.
Status LegSearch::TakeGuide() {
    if (guided_by_ == nullptr) {
        return {};
    }
    QUERN_TRY(guided_by_->FindAll());
    std::vector<LegGuide::OfQuery> guides(guided_by_->winners_.size());
    for (size_t q = 0; q < guides.size(); q++) {
        const std::vector<Winner>& winners = guided_by_->winners_[q];
        const size_t count = std::min(winners.size(), guided_by_->first_depth());
        for (size_t i = 0; i < count; i++) {
            guides[q].places.push_back(winners[i].place);
        }
        QUERN_TRY(Narrow(q, &guides[q]));
    }
    guide_.of_queries = std::move(guides);
    request_.guide = &guide_;
    return {};
}

// The k-th best of the guide's hits by their fused scores is what any other record must reach, and
// that has at most what the end of the guide's list allows beside its score here.
Status LegSearch::Narrow(size_t q, LegGuide::OfQuery* guide) {
    constexpr double kSlack = 1e-4;  // for distances that are rounded to f32
    const uint32_t flags = guided_by_->FlagsOf(q);
    const std::vector<Winner>& winners = guided_by_->winners_[q];
    if (share_.k == 0 || guide->places.size() < share_.k || (flags & 1u) == 0 ||
        !SelvesOf(q).empty() || !guided_by_->SelvesOf(q).empty()) {
        return {};
    }
    std::vector<uint64_t> records;
    for (const RecordPlace& place : guide->places) {
        records.push_back(NumberOf(place));
    }
    std::vector<double> scores(records.size(), query::kNoScore);
    QUERN_TRY(ScoresOf(q, records, &scores));
    for (size_t i = 0; i < scores.size(); i++) {
        scores[i] = share_.weight * (std::isnan(scores[i]) ? share_.absent : scores[i]) +
                    share_.guide_weight * guided_by_->search_->ScoreOf(winners[i].distance);
    }
    const auto kth = scores.begin() + static_cast<ptrdiff_t>(share_.k - 1);
    std::nth_element(scores.begin(), kth, scores.end(), std::greater<>());
    const bool all = guided_by_->ended_[q] != 0;
    const double end = guided_by_->search_->ScoreOf(winners.back().distance);
    const double ahead =
        share_.guide_weight * (all ? share_.guide_absent : std::max(end, share_.guide_absent));
    // Scores are what is missing to that of distance 0.
    const double farthest = search_->ScoreOf(0) - (*kth - ahead) / share_.weight;
    if (std::isfinite(farthest)) {
        guide->farthest = static_cast<float>(farthest + kSlack * (1 + std::abs(farthest)));
    }
    return {};
}

Result<query::LegList> LegSearch::Best(size_t q, size_t depth) {
    const StageClock clock(&best_ns_);
    return MakeBest(q, depth);
}

Result<query::LegList> LegSearch::MakeBest(size_t q, size_t depth) {
    if (depth <= depth_ || among_) {
        QUERN_TRY(FindAll());
        if (among_) {
            return Beginning(q, std::max(depth, depth_));
        }
        query::LegList list = ListOf(winners_[q], ended_[q] != 0, FlagsOf(q));
        // What was left out may be matched all the same.
        list.complete = list.complete && !IsNarrow(q);
        return list;
    }
    if (IsPartial(q)) {
        return ListOf(winners_[q], ended_[q] != 0, FlagsOf(q));
    }
    SearchRequest deeper = OneQuery(request_, q, MovedDim());
    deeper.guide = IsNarrow(q) ? nullptr : deeper.guide;
    deeper.limit = depth + spare_;
    if (request_.budget != nullptr) {
        deeper.budget = request_.budget->OfQuery(q);
    }
    ResultTable table;
    QUERN_ASSIGN(const auto search, OpenFieldSearch(database_, snapshot_, views_, deeper, &table));
    std::vector<std::vector<Winner>> winners;
    QUERN_TRY(search->Find(&winners));
    Told(table);
    deeper_.Add(table.tally);
    deeper_trace_.Add(table.trace);
    // The shorter list is the better one if the search for a longer one came to no end.
    if ((table.flags & kPartialFlag) != 0) {
        return ListOf(winners_[q], ended_[q] != 0, FlagsOf(q));
    }
    bool ended = false;
    QUERN_TRY(Settle(q, depth, &winners[0], &ended));
    return ListOf(winners[0], ended, table.flags);
}

Status LegSearch::ScoresOf(size_t q, const std::vector<uint64_t>& records,
                           std::vector<double>* scores) {
    const StageClock clock(&own_.tally.lookup_ns);
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

SearchTally LegSearch::Cost() const {
    SearchTally cost = own_.tally;
    cost.Add(deeper_);
    return cost;
}

SearchTrace LegSearch::Trace() const {
    SearchTrace trace = own_.trace;
    trace.Add(deeper_trace_);
    search_->Describe(&trace);
    trace.TakeCosts(Cost());
    return trace;
}

void LegSearch::BeginShare() {
    if (budget_ != nullptr && request_.budget == nullptr) {
        request_.budget = budget_->Share(std::max<size_t>(1, *legs_left_));
        *legs_left_ -= std::min<size_t>(1, *legs_left_);
    }
}

uint32_t LegSearch::FlagsOf(size_t q) const {
    constexpr uint32_t kExact = 1;
    const uint32_t flags = own_.flags & ~(kExact | kPartialFlag);
    const bool exact = (own_.flags & kExact) != 0 || own_.exact_as_far;
    return flags | (IsPartial(q) ? kPartialFlag : exact ? kExact : 0);
}

// The dimension of moved queries; their request may name records instead.
size_t LegSearch::MovedDim() const {
    const Schema& schema = views_.whole->info->schema;
    return request_.moved == nullptr
               ? 0
               : schema.dense[static_cast<size_t>(schema.FindField(request_.field))].dim;
}

void LegSearch::TakeLeftOut(size_t q, std::vector<Winner>* winners) const {
    if (left_out_ == nullptr || (*left_out_)[q].empty()) {
        return;
    }
    const std::vector<uint64_t>& out = (*left_out_)[q];
    std::erase_if(*winners, [&](const Winner& winner) {
        return std::find(out.begin(), out.end(), NumberOf(winner.place)) != out.end();
    });
}

// Makes a list of what a search for so many, and spare ones, has found. *ended: there is no more.
Status LegSearch::Settle(size_t q, size_t depth, std::vector<Winner>* winners, bool* ended) {
    const size_t asked = depth + spare_;
    // There are never more than there are records.
    *ended = winners->size() < asked ||
             asked >= static_cast<size_t>(std::max<int64_t>(0, views_.whole->state.records));
    TakeLeftOut(q, winners);
    *ended = *ended && winners->size() <= depth;
    return KeepFirst(snapshot_, *views_.whole, depth, winners, &own_.tally.reads);
}

query::LegList LegSearch::ListOf(const std::vector<Winner>& winners, bool ended,
                                 uint32_t flags) const {
    query::LegList list;
    list.exact = (flags & 1u) != 0;
    list.complete = ended && (flags & kPartialFlag) == 0;
    list.hits.reserve(winners.size());
    for (const Winner& winner : winners) {
        list.hits.push_back({NumberOf(winner.place), search_->ScoreOf(winner.distance)});
    }
    return list;
}

// Of a list that is there whole: the first ones.
Result<query::LegList> LegSearch::Beginning(size_t q, size_t depth) {
    if (depth >= winners_[q].size()) {
        return ListOf(winners_[q], !IsPartial(q), FlagsOf(q));
    }
    std::vector<Winner> first = winners_[q];
    QUERN_TRY(KeepFirst(snapshot_, *views_.whole, depth, &first, &own_.tally.reads));
    return ListOf(first, false, FlagsOf(q));
}

void LegSearch::Told(const ResultTable& table) {
    constexpr uint32_t kAnyOf = ~1u;
    table_->flags |= table.flags & kAnyOf;
    if ((table.flags & 1u) == 0) {
        table_->tally.expected_recall =
            std::min(table_->tally.expected_recall, table.tally.expected_recall);
    }
}

}  // namespace quern
