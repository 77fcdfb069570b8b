// Sparse fields: token weights, queries by text, statistics.

#include "capi/handles.h"
#include "engine/db/sparse_statistics.h"
#include "engine/db/token_writer.h"
#include "storage/base/json.h"

using namespace quern;
using namespace quern::capi;

namespace {

std::string StatisticsText(const std::string& field, const SparseCounts& counts,
                           const SparseStatistics& found) {
    Json longest = Json::Array();
    for (const SparseStatistics::List& list : found.longest) {
        longest.push_back(
            {{"dimension", list.dimension},
             {"vectors", list.vectors},
             {"share", static_cast<double>(list.vectors) / static_cast<double>(counts.vectors)}});
    }
    Json json{{"field", field},
              {"records", counts.records},
              {"vectors", counts.vectors},
              {"empty", counts.empty},
              {"entries", counts.entries},
              {"entries_per_vector", found.entries_per_vector},
              {"dimensions", counts.lists.size()},
              {"flops", found.flops},
              {"ideal_flops", found.ideal_flops},
              {"imbalance", found.imbalance},
              {"share_of_100", found.share_of_100},
              {"postings_per_query", found.postings_per_query},
              {"lists",
               {{"gini", found.gini},
                {"mean", found.length_mean},
                {"median", found.length_median},
                {"p90", found.length_p90},
                {"p99", found.length_p99},
                {"most", found.length_most}}},
              {"longest", longest},
              {"queries", nullptr}};
    if (found.queries > 0) {
        json["queries"] = {{"count", found.queries},
                           {"entries_per_query", found.entries_per_query},
                           {"postings",
                            {{"median", found.postings_median},
                             {"p90", found.postings_p90},
                             {"p99", found.postings_p99},
                             {"most", found.postings_most}}}};
    }
    return json.Text();
}

}  // namespace

int32_t quern_set_token_weights(quern_db* db, const char* collection, const char* field,
                                const char* const* tokens, const uint32_t* dims,
                                const float* weights, size_t count, const char* options,
                                quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(field, "field"));
        if (count > 0) {
            QUERN_TRY(NotNull(tokens, "tokens"));
        }
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return SetTokenWeights(db->database.get(), collection, field,
                               {tokens, dims, weights, count, options == nullptr ? "" : options});
    });
}

void quern_query_sparse_text(quern_query* q, const char* field, const char* const* texts,
                             size_t n) {
    SetTexts(q, field, texts, n, &SearchRequest::is_sparse_text);
}

int32_t quern_sparse_stats(quern_db* db, const char* collection, const char* field,
                           quern_snapshot* snap, const size_t* offsets, const uint32_t* dims,
                           size_t n, quern_text** json, quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(field, "field"));
        QUERN_TRY(NotNull(json, "json"));
        if (n > 0) {
            QUERN_TRY(NotNull(offsets, "offsets"));
        }
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, SnapshotFor(db->database, snap));
        QUERN_ASSIGN(const auto view, snapshot->View(collection));
        QUERN_ASSIGN(const size_t number, FindSparseField(*view->info, field));
        const SparseDef& def = view->info->schema.sparse_field(number);
        Work work = db->database->NewWork();
        SparseCounts counts;
        QUERN_TRY(CountDimensions(snapshot.get(), *view, number, &work, &counts));
        QUERN_ASSIGN(
            const SparseStatistics found,
            Statistics(counts, {field, n, offsets, dims, nullptr, nullptr}, def.dimensions));
        auto text = std::make_unique<quern_text>();
        text->text = StatisticsText(def.name, counts, found);
        *json = text.release();
        return {};
    });
}
