// Search: from a request to a result, over one field or several.
#include "engine/db/field_search.h"
#include "engine/db/hybrid_searcher.h"

namespace quern {

Result<std::unique_ptr<FieldSearch>> OpenFieldSearch(
    Database* database, Snapshot* snapshot, const std::shared_ptr<const CollectionView>& view,
    const SearchRequest& request, ResultTable* table) {
    const Schema& schema = view->info->schema;
    const int found = schema.FindField(request.field);
    if (found < 0) {
        return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                             view->info->name.c_str(), request.field.c_str());
    }
    const auto field = static_cast<size_t>(found);
    if (!request.by_key && request.kind() != std::string_view(schema.field_kind(field))) {
        return Status::Error(Code::kType, "field '%s' is %s, the query has %s %s",
                             request.field.c_str(), schema.field_kind(field), request.kind(),
                             request.is_text ? "queries" : "vectors");
    }
    const auto open = schema.is_dense(field)  ? OpenDenseSearch
                      : schema.is_text(field) ? OpenTextSearch
                                              : OpenSparseSearch;
    return open(database, snapshot, view, request, field, table);
}

namespace {

Status SearchField(Database* database, Snapshot* snapshot,
                   const std::shared_ptr<const CollectionView>& view, const SearchRequest& request,
                   const ColumnChoice& choice, ResultTable* table) {
    QUERN_ASSIGN(const std::unique_ptr<FieldSearch> search,
                 OpenFieldSearch(database, snapshot, view, request, table));
    QUERN_TRY(search->Prepare());
    std::vector<std::vector<Winner>> winners;
    QUERN_TRY(search->Find(&winners));
    Work work = database->NewWork();
    return SearchResult(
               database, *view, request, choice,
               [&](double distance) { return static_cast<float>(search->ScoreOf(distance)); },
               table, &work)
        .Fill(snapshot, &winners);
}

}  // namespace

Status Search(Database* database, Snapshot* snapshot, const SearchRequest& request,
              ResultTable* table) {
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view,
                 snapshot->View(request.collection));
    const Schema& schema = view->info->schema;
    const auto search = [&]() -> Status {
        QUERN_ASSIGN(const ColumnChoice choice,
                     ColumnChoice::Parse(schema, view->info->name, request.columns));
        choice.Describe(schema, table);
        table->key_type = schema.key_type;
        return request.legs.empty()
                   ? SearchField(database, snapshot, view, request, choice, table)
                   : SearchHybrid(database, snapshot, view, request, choice, table);
    };
    return InCollection(*view->info, search());
}

}  // namespace quern
