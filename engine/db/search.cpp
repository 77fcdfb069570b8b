// Search: from a request to a result, over one field or several.
#include <algorithm>

#include "engine/db/candidate_search.h"
#include "engine/db/feedback.h"
#include "engine/db/hybrid_searcher.h"

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
                   const SearchRequest& request, const ColumnChoice& choice, ResultTable* table) {
    QUERN_ASSIGN(const std::unique_ptr<FieldSearch> search,
                 OpenFieldSearch(database, snapshot, views, request, table));
    std::vector<std::vector<Winner>> winners;
    QUERN_TRY(search->Find(&winners));
    Work work = database->NewWork();
    return SearchResult(
               database, *views.whole, request, choice,
               [&](double distance) { return static_cast<float>(search->ScoreOf(distance)); },
               table, &work)
        .Fill(snapshot, &winners);
}

}  // namespace

Result<std::unique_ptr<FieldSearch>> OpenFieldSearch(Database* database, Snapshot* snapshot,
                                                     const SearchedViews& views,
                                                     const SearchRequest& request,
                                                     ResultTable* table) {
    QUERN_ASSIGN(auto search, OpenByKind(database, snapshot, views, request, table));
    QUERN_TRY(search->Prepare());
    if (request.candidates == nullptr) {
        return search;
    }
    auto candidates = FindCandidates(database, snapshot, views, *request.candidates,
                                     std::max(kListDepth, request.limit), table);
    if (!candidates.ok()) {
        return candidates.status().WithContext("the query for candidates");
    }
    return SearchAmong(std::move(*candidates), std::move(search), request.limit, table);
}

Status Search(Database* database, Snapshot* snapshot, const SearchRequest& request,
              ResultTable* table) {
    SearchedViews views;
    QUERN_ASSIGN(views.whole, snapshot->View(request.collection));
    const storage::CollectionInfo& info = *views.whole->info;
    const auto search = [&]() -> Status {
        QUERN_ASSIGN(const ColumnChoice choice,
                     ColumnChoice::Parse(info.schema, info.name, request.columns));
        QUERN_ASSIGN(views.matching, ViewOfMatches(database, snapshot, views.whole, request.filter,
                                                   &table->tally.bytes_read));
        choice.Describe(info.schema, table);
        table->key_type = info.schema.key_type;
        MovedRequest moved;
        if (request.feedback) {
            QUERN_TRY(moved.Make(database, snapshot, views, request, table));
        }
        const SearchRequest& searched = request.feedback ? moved.request() : request;
        QUERN_TRY((searched.legs.empty() ? SearchField : SearchHybrid)(database, snapshot, views,
                                                                       searched, choice, table));
        moved.Finish(table);
        return {};
    };
    return InCollection(info, search());
}

}  // namespace quern
