// QUERN_RESULT_VECTORS_SCORED of scans: the records that may be found and have a value, each for
// every query; wherever they lie, whatever is absent, deleted, or let through by a filter.
#include "articles_file.h"

using namespace quern::testing;

namespace {

struct Told {
    size_t rows = 0;
    int64_t scored = 0;
};

Told Ask(Articles* articles, const std::string& field, size_t queries, const char* filter,
         size_t limit) {
    quern_query* query = quern_query_new(articles->db, "articles");
    std::vector<float> vectors;
    for (size_t i = 0; i < queries * kDim; i++) {
        vectors.push_back(static_cast<float>(i % 7) - 2.5f);
    }
    const std::vector<const char*> texts(queries, "stone baker");
    if (field == "body") {
        quern_query_text(query, "body", texts.data(), queries);
    } else {
        quern_query_dense(query, field.c_str(), vectors.data(), queries, field == "emb" ? kDim : 2);
    }
    quern_query_options(query, "recall=exact");
    quern_query_limit(query, limit);
    if (filter != nullptr) {
        quern_query_filter(query, filter);
    }
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    const Told told{quern_result_rows(result),
                    quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED)};
    quern_result_free(result);
    quern_query_free(query);
    return told;
}

}  // namespace

TEST_CASE("what scans have measured is counted as it is", "[counters]") {
    // In the log; in a segment; in two and the log.
    const int layout = GENERATE(0, 1, 2);
    Articles articles;
    for (int64_t key = 0; key < 3000; key++) {
        articles.Put(key);
        if (layout == 2 && (key == 1000 || key == 2000)) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    if (layout == 1) {
        articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
    }
    for (int64_t key = 0; key < 3000; key += 13) {
        articles.Delete(key);
    }
    for (const char* const field : {"emb", "place", "body"}) {
        for (const char* const filter :
             {static_cast<const char*>(nullptr), "year < 2008", "year = 1995", "year + 0 = 1995"}) {
            for (const size_t queries : {1, 3, 20}) {
                CAPTURE(layout, field, filter == nullptr ? "" : filter, queries);
                const Told all = Ask(&articles, field, queries, filter, 100000);
                REQUIRE(all.rows > 0);
                REQUIRE(all.scored == static_cast<int64_t>(all.rows));
                const Told some = Ask(&articles, field, queries, filter, 10);
                REQUIRE(some.rows == 10 * queries);
                // Texts pass over blocks.
                REQUIRE((std::string(field) == "body" ? some.scored <= all.scored
                                                      : some.scored == all.scored));
            }
        }
    }
}

TEST_CASE("empty sparse vectors are nothing that is scored", "[counters]") {
    const bool sealed = GENERATE(false, true);
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    const auto ok = [&](int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    };
    ok(quern_open(":memory:", "threads=1 maintenance=off", &db, &err));
    quern_schema* schema = quern_schema_new();
    quern_schema_sparse(schema, "terms", nullptr);
    ok(quern_create(db, "docs", schema, &err));
    quern_schema_free(schema);
    std::vector<int64_t> keys;
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> dims;
    for (int64_t key = 0; key < 60; key++) {
        keys.push_back(key);
        if (key % 6 != 0) {
            dims.push_back(static_cast<uint32_t>(key % 5));
        }
        offsets.push_back(dims.size());
    }
    const std::vector<float> weights(dims.size(), 1.0f);
    quern_batch* batch = quern_batch_new(db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_sparse(batch, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
    ok(quern_insert(batch, nullptr, &err));
    quern_batch_free(batch);
    if (sealed) {
        ok(quern_optimize(db, nullptr, 0, &err));
    }
    quern_query* query = quern_query_new(db, "docs");
    const size_t ends[] = {0, 1};
    const uint32_t dim = 1;
    const float weight = 1;
    quern_query_sparse(query, "terms", ends, &dim, &weight, 1);
    // Without a limit an index is of no use, and all are scanned.
    quern_query_min_score(query, 0.5);
    quern_query_limit(query, 0);
    quern_result* result = nullptr;
    ok(quern_search(query, &result, &err));
    CHECK(quern_result_rows(result) == 10);
    CHECK(quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED) == 50);
    quern_result_free(result);
    quern_query_free(query);
    quern_close(db);
}
