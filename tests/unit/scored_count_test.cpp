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
