// Search: from a request to a result, over one field or several.
#include <algorithm>
#include <chrono>

#include "engine/db/batch_filters.h"
#include "engine/db/candidate_search.h"
#include "engine/db/feedback.h"
#include "engine/db/hybrid_searcher.h"
#include "engine/db/kept_fusions.h"
#include "engine/db/query_choice.h"
#include "engine/db/stage_clock.h"
#include "engine/filter/bookmark.h"

namespace quern {

namespace {

// By the kind of the field, whatever the candidates.
Result<std::unique_ptr<FieldSearch>> OpenByKind(Database* database, Snapshot* snapshot,
                                                const SearchedViews& views,
                                                const SearchRequest& request, ResultTable* table) {
    const storage::CollectionInfo& info = *views.whole->info;
    const Schema& schema = info.schema;
    const int found = schema.FindField(request.field);
    if (found < 0) {
        return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                             info.name.c_str(), request.field.c_str());
    }
    const auto field = static_cast<size_t>(found);
    if (!request.by_key && request.kind() != std::string_view(schema.field_kind(field))) {
        return Status::Error(Code::kType, "field '%s' is %s, the query has %s %s",
                             request.field.c_str(), schema.field_kind(field), request.kind(),
                             request.is_text ? "queries" : "vectors");
    }
    if (schema.is_text(field)) {
        return OpenTextSearch(database, snapshot, views.whole, views.matching->matches.get(),
                              request, field, table);
    }
    return (schema.is_dense(field) ? OpenDenseSearch : OpenSparseSearch)(
        database, snapshot, views.matching, request, field, table);
}

Status SearchField(Database* database, Snapshot* snapshot, const SearchedViews& views,
                   const SearchRequest& request, const ColumnChoice& choice,
                   const ShapeWinners* shape, ResultTable* table) {
    QUERN_ASSIGN(const std::unique_ptr<FieldSearch> search,
                 OpenFieldSearch(database, snapshot, views, request, table));
    std::vector<std::vector<Winner>> winners;
    QUERN_TRY(search->Find(&winners));
    Work work = database->NewWork();
    const StageClock clock(&table->tally.fetch_ns);
    return SearchResult(
               database, *views.whole, request, choice,
               [&](double distance) { return static_cast<float>(search->ScoreOf(distance)); },
               table, &work)
        .ShapeBy(shape)
        .Fill(snapshot, &winners);
}

Status SearchPlain(Database* database, Snapshot* snapshot, const SearchedViews& views,
                   const SearchRequest& request, const ColumnChoice& choice,
                   const ShapeWinners* shape, ResultTable* table) {
    return (request.legs.empty() ? SearchField : SearchHybrid)(database, snapshot, views, request,
                                                               choice, shape, table);
}

// Searches deeper until the shape has all that it needs. What candidates there are, and the lists
// by which scores are scaled and ranks are made, do not depend on how deep that is.
Status SearchShaped(Database* database, Snapshot* snapshot, const SearchedViews& views,
                    const SearchRequest& request, const ColumnChoice& choice, ResultTable* table) {
    constexpr size_t kDeeper = 4;
    ResultTable shaping;  // what shapes cost
    QUERN_ASSIGN(const std::unique_ptr<HitShaper> shaper,
                 OpenShaper(database, snapshot, views.whole, request, &shaping));
    const auto records = static_cast<size_t>(views.whole->state.records);
    SearchRequest deeper = request;
    if (request.candidates != nullptr && !request.candidates->has_limit) {
        auto candidates = std::make_shared<SearchRequest>(*request.candidates);
        candidates->limit = std::max(kListDepth, request.limit);
        candidates->has_limit = true;
        deeper.candidates = std::move(candidates);
    }
    for (SearchLeg& leg : deeper.legs) {
        if (!leg.request.has_limit) {
            leg.request.limit = FirstDepthOf(leg.request, request.limit, records);
            leg.request.has_limit = true;
        }
    }
    SearchTally before = table->tally;
    SearchTrace trace_before = std::move(table->trace);
    table->tally = {};
    table->trace = {};
    const bool limited = request.budget != nullptr;
    std::optional<ResultTable> last;  // of the search before, if the next one comes to no end
    for (size_t depth = shaper->first_depth();;
         depth = std::max<size_t>(1, std::min(depth * kDeeper, records))) {
        deeper.limit = depth;
        ResultTable attempt = *table;
        bool settled = false;
        const ShapeWinners shape = [&](std::vector<std::vector<Winner>>* winners) -> Status {
            const std::vector<std::vector<Winner>> all =
                limited ? *winners : std::vector<std::vector<Winner>>();
            QUERN_ASSIGN(settled, shaper->Shape(depth, winners, &attempt));
            if (!settled && limited) {
                // The shape that these have by themselves, should there be no others.
                *winners = all;
                return shaper->Shape(0, winners, &attempt).status();
            }
            for (std::vector<Winner>& of_query : *winners) {
                of_query.resize(settled ? of_query.size() : 0);
            }
            return {};
        };
        QUERN_TRY(SearchPlain(database, snapshot, views, deeper, choice, &shape, &attempt));
        const bool cut = (attempt.flags & kPartialFlag) != 0;
        const uint32_t spent = limited && !settled && !cut ? request.budget->Spent() : 0;
        if (spent != 0) {
            // What there is now is whole, and nothing is left for more.
            last.reset();
            request.budget->LeftOut(spent);
            attempt.flags = (attempt.flags & ~1u) | kPartialFlag;
            attempt.tally.left_out |= spent;
            attempt.tally.expected_recall = 0;
        }
        if (settled || cut || spent != 0) {
            attempt.tally.Add(before);
            attempt.tally.Add(shaping.tally);
            attempt.trace.Add(trace_before);
            if (!settled && last) {
                last->tally = attempt.tally;
                last->trace = std::move(attempt.trace);
                last->flags = (last->flags & ~1u) | kPartialFlag;
                attempt = std::move(*last);
            }
            *table = std::move(attempt);
            return {};
        }
        before.Add(attempt.tally);
        trace_before.Add(attempt.trace);
        if (limited) {
            last = std::move(attempt);
        }
    }
}

// What the filter leaves. *late: the time of the budget was over before that was known, and nothing
// is found.
Result<std::shared_ptr<const CollectionView>> FindMatches(
    Database* database, Snapshot* snapshot, const std::shared_ptr<const CollectionView>& view,
    const SearchRequest& request, ResultTable* table, bool* late) {
    SearchBudget* const budget = request.budget.get();
    if (budget == nullptr) {
        return ViewOfMatches(database, snapshot, view, request.filter, &table->tally.reads);
    }
    budget->Reserve(QueryCount(request));
    RecordFilter filter = request.filter;
    const auto left = static_cast<uint64_t>(
        std::chrono::ceil<std::chrono::milliseconds>(budget->TimeLeft()).count());
    // The default of filters is for those who say nothing.
    const uint32_t own = filter.ms_max.value_or(0);
    const bool sooner = budget->has_deadline() && (own == 0 || left < own);
    if (sooner) {
        filter.ms_max = static_cast<uint32_t>(std::clamp<uint64_t>(left, 1, UINT32_MAX));
    }
    auto matching = ViewOfMatches(database, snapshot, view, filter, &table->tally.reads);
    budget->AddBytes(table->tally.reads.bytes);
    if (!matching.ok() && matching.status().code() == Code::kLimit && sooner && budget->Late()) {
        *late = true;
        budget->LeftOut(kSpentTime);
        table->flags |= kPartialFlag;
        table->tally.left_out |= kSpentTime;
        table->leg_count = request.legs.size();
        table->legs.resize(request.legs.size());
        table->offsets.assign(QueryCount(request) + 1, 0);
        return view;
    }
    return matching;
}

}  // namespace

Result<std::unique_ptr<FieldSearch>> OpenFieldSearch(Database* database, Snapshot* snapshot,
                                                     const SearchedViews& views,
                                                     const SearchRequest& request,
                                                     ResultTable* table) {
    const auto opened = [&]() -> Result<std::unique_ptr<FieldSearch>> {
        const StageClock of_search(&table->tally.search_ns);
        QUERN_ASSIGN(auto opening, OpenByKind(database, snapshot, views, request, table));
        QUERN_TRY(opening->Prepare());
        return opening;
    };
    QUERN_ASSIGN(auto search, opened());
    if (request.candidates == nullptr && request.among != nullptr) {
        return SearchAmong(request.among, std::move(search), request.limit, request.budget.get(),
                           table);
    }
    if (request.candidates == nullptr) {
        return search;
    }
    CandidateSets selves;
    for (size_t q = 0; q < search->query_count(); q++) {
        const std::span<const RecordPlace> of_query = search->SelvesOf(q);
        selves.emplace_back(of_query.begin(), of_query.end());
    }
    auto candidates =
        FindCandidates(database, snapshot, views, *request.candidates,
                       std::max(kListDepth, request.limit), selves, request.budget.get(), table);
    if (!candidates.ok()) {
        return candidates.status().WithContext("the query for candidates");
    }
    return SearchAmong(std::move(*candidates), std::move(search), request.limit,
                       request.budget.get(), table);
}

Status Search(Database* database, Snapshot* snapshot, const SearchRequest& given,
              ResultTable* table) {
    SearchRequest with_budget;
    if (given.limits.any() && given.budget == nullptr) {
        with_budget = given;
        with_budget.budget =
            std::make_shared<SearchBudget>(given.limits, SearchBudget::Clock::now());
    }
    const SearchRequest& named = with_budget.budget != nullptr ? with_budget : given;
    // How much deeper a shape is searched for depends on all queries that are searched together.
    const bool each = named.budget != nullptr && named.budget->has_scored_max() &&
                      named.shape.any() && QueryCount(named) > 1;
    if (!named.filter.of_queries.empty() || each) {
        size_t left = QueryCount(named);
        return SearchWithFilters(
            named, each, static_cast<uint64_t>(database->limits().result_rows.load()), table,
            [&](const SearchRequest& some, ResultTable* of_some) {
                SearchRequest own = some;
                const size_t count = QueryCount(some);
                if (named.budget != nullptr) {
                    own.budget = named.budget->OfGroup(static_cast<double>(count) /
                                                       static_cast<double>(std::max(left, count)));
                }
                left -= std::min(left, count);
                return Search(database, snapshot, own, of_some);
            });
    }
    uint64_t unused = 0;
    const StageClock clock(&unused);
    SearchedViews views;
    const auto viewed = [&] {
        const StageClock of_filter(&table->tally.filter_ns);
        return snapshot->View(named.collection);
    };
    QUERN_ASSIGN(views.whole, viewed());
    const storage::CollectionInfo& info = *views.whole->info;
    ResolvedRequest resolved;
    QUERN_TRY(InCollection(info, resolved.Make(info, named)));
    const SearchRequest& request = resolved.request();
    const auto search = [&]() -> Status {
        QUERN_ASSIGN(const ColumnChoice choice,
                     ColumnChoice::Parse(info.schema, info.name, request.columns));
        choice.Describe(info.schema, table);
        table->key_type = info.schema.key_type;
        bool late = false;
        const auto filtered = [&] {
            const StageClock of_filter(&table->tally.filter_ns);
            return FindMatches(database, snapshot, views.whole, request, table, &late);
        };
        QUERN_ASSIGN(views.matching, filtered());
        if (late) {
            return {};
        }
        MovedRequest moved;
        if (request.feedback) {
            QUERN_TRY(moved.Make(database, snapshot, views, request, table));
        }
        const SearchRequest& searched = request.feedback ? moved.request() : request;
        QUERN_TRY(searched.shape.any()
                      ? SearchShaped(database, snapshot, views, searched, choice, table)
                      : SearchPlain(database, snapshot, views, searched, choice, nullptr, table));
        moved.Finish(table);
        if (table->last_hit && table->offsets.size() == 2) {
            const ResultTable::LastHit& last = *table->last_hit;
            table->bookmark =
                filter::WriteHitBookmark({MarkOf(searched), last.distance, last.key, last.passed});
        }
        return {};
    };
    const Status status = InCollection(info, search());
    table->tally.total_ns += clock.Passed();
    table->trace.limits = named.limits;
    return status;
}

}  // namespace quern
