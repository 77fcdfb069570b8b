// Searches that go on behind a bookmark, and hits in the order of attributes, beside all hits of
// the same query.
#include <algorithm>
#include <set>

#include "articles_file.h"
#include "indexed_file.h"

using namespace quern::testing;

namespace {

struct Page {
    std::vector<std::pair<int64_t, float>> hits;  // key, score
    std::string bookmark;
};

Page Search(Articles* articles, quern_query* query) {
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    Page page;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        page.hits.emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
    }
    const char* const bookmark = quern_result_bookmark(result);
    page.bookmark = bookmark == nullptr ? "" : bookmark;
    quern_result_free(result);
    return page;
}

std::string Refused(quern_query* query, int32_t status) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
    REQUIRE(quern_search(query, &result, &err) == status);
    return err.message;
}

// A query of one field or of several legs, fused in some way.
quern_query* NewQuery(Articles* articles, std::vector<LegQuery>* legs, int round) {
    legs->clear();
    legs->reserve(3);
    const size_t count = static_cast<size_t>(round) % 3 + 1;
    if (count == 1) {
        legs->push_back(LegQuery::Make(articles));
        return (*legs)[0].Query(articles->db);
    }
    quern_query* query = quern_query_new(articles->db, "articles");
    for (size_t l = 0; l < count; l++) {
        legs->push_back(LegQuery::Make(articles));
        quern_query* leg = (*legs)[l].Query(articles->db);
        quern_query_leg(query, leg, (*legs)[l].weight, nullptr);
        quern_query_free(leg);
    }
    const char* const fusions[] = {"kind=sum", "kind=max", "kind=rrf", "normalize=minmax",
                                   "normalize=zscore"};
    quern_query_fusion(query, fusions[round % 5]);
    return query;
}

}  // namespace

TEST_CASE("pages behind bookmarks are those of one long search", "[pages]") {
    Articles articles;
    for (int64_t key = 0; key < 400; key++) {
        articles.Put(key);
        if (key == 250) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    size_t pages = 0;
    for (int round = 0; round < 90; round++) {
        CAPTURE(round);
        std::vector<LegQuery> legs;
        quern_query* query = NewQuery(&articles, &legs, round);
        if (round % 4 == 0) {
            quern_query_filter(query, kFilter);
        }
        // Scales and ranks are by the first hundred, whatever the page.
        const size_t k = articles.Pick(1, 40);
        quern_query_limit(query, 100);
        const Page all = Search(&articles, query);
        quern_query_limit(query, k);
        std::vector<std::pair<int64_t, float>> joined;
        std::string bookmark;
        while (joined.size() < all.hits.size()) {
            quern_query_after(query, bookmark.c_str());
            const Page page = Search(&articles, query);
            REQUIRE(page.hits.size() <= k);
            REQUIRE(!page.hits.empty());
            joined.insert(joined.end(), page.hits.begin(), page.hits.end());
            bookmark = page.bookmark;
            REQUIRE(!bookmark.empty());
            pages++;
        }
        joined.resize(all.hits.size());
        REQUIRE(joined == all.hits);
        quern_query_free(query);
    }
    CHECK(pages > 300);
}

TEST_CASE("a bookmark holds in a snapshot and goes on in a newer state", "[pages]") {
    Articles articles;
    for (int64_t key = 0; key < 300; key++) {
        articles.Put(key);
    }
    LegQuery leg = LegQuery::Make(&articles);
    while (leg.field != 0) {
        leg = LegQuery::Make(&articles);
    }
    quern_query* query = leg.Query(articles.db);
    quern_query_limit(query, 60);
    const Page all = Search(&articles, query);
    quern_query_limit(query, 20);
    quern_snapshot* snapshot = nullptr;
    articles.Ok(quern_snapshot_new(articles.db, &snapshot, &articles.err));
    quern_query_snapshot(query, snapshot);
    const Page first = Search(&articles, query);
    // The first page goes; others come.
    for (const auto& [key, score] : first.hits) {
        articles.Delete(key);
    }
    for (int64_t key = 300; key < 350; key++) {
        articles.Put(key);
    }
    quern_query_after(query, first.bookmark.c_str());
    const Page second = Search(&articles, query);
    CHECK(std::equal(second.hits.begin(), second.hits.end(), all.hits.begin() + 20));
    // In the newest state: what stands behind that score now, none of it better or known.
    quern_query_snapshot(query, nullptr);
    const Page newer = Search(&articles, query);
    REQUIRE(newer.hits.size() == 20);
    std::set<int64_t> seen;
    for (const auto& hit : first.hits) {
        seen.insert(hit.first);
    }
    for (const auto& [key, score] : newer.hits) {
        CHECK(seen.count(key) == 0);
        CHECK(score <= first.hits.back().second);
    }
    // Behind everything nothing is left, and the bookmark stays.
    Page page = newer;
    std::string last;
    while (!page.hits.empty()) {
        last = page.bookmark;
        quern_query_after(query, last.c_str());
        page = Search(&articles, query);
    }
    CHECK(page.bookmark == last);
    quern_query_free(query);
    quern_snapshot_free(snapshot);
}

TEST_CASE("no record comes twice on pages through an index", "[pages]") {
    for (const char* options : {"index=graph codes=i8 m=8", "index=lists lists=60 codes=i8"}) {
        CAPTURE(options);
        indexed::IndexedFile file("_pages");
        file.Create(QUERN_L2, options);
        file.Insert(0, indexed::MakeRows(5000, 1));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        const std::vector<float> vector = indexed::MakeRows(1, 55);
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", vector.data(), 1, indexed::kDim);
        quern_query_limit(query, 25);
        std::set<int64_t> seen;
        float farthest = -1;
        std::string bookmark;
        for (int page = 0; page < 12; page++) {
            quern_query_after(query, bookmark.c_str());
            quern_result* result = nullptr;
            file.Ok(quern_search(query, &result, &file.err));
            REQUIRE(quern_result_rows(result) == 25);
            for (size_t row = 0; row < 25; row++) {
                REQUIRE(seen.insert(quern_result_key_int(result, row)).second);
                REQUIRE(quern_result_distance(result, row) >= farthest);
                farthest = quern_result_distance(result, row);
            }
            bookmark = quern_result_bookmark(result);
            quern_result_free(result);
        }
        quern_query_free(query);
    }
}

TEST_CASE("hits come in the order of attributes", "[pages]") {
    Articles articles;
    for (int64_t key = 0; key < 200; key++) {
        articles.Put(key);
        if (key == 120) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int round = 0; round < 40; round++) {
        CAPTURE(round);
        std::vector<LegQuery> legs;
        quern_query* query = NewQuery(&articles, &legs, round);
        quern_query_limit(query, 15);
        quern_query_offset(query, round % 2 == 0 ? 0 : 5);
        const Page plain = Search(&articles, query);
        const bool descending = round % 3 == 0;
        quern_query_order(query, descending ? "year desc, id desc" : "year nulls first");
        const Page ordered = Search(&articles, query);
        quern_query_free(query);
        auto want = plain.hits;
        std::sort(want.begin(), want.end(), [&](const auto& a, const auto& b) {
            const double of_a = YearOf(a.first);
            const double of_b = YearOf(b.first);
            if (std::isnan(of_a) != std::isnan(of_b)) {
                return std::isnan(of_a) != descending;
            }
            if (!std::isnan(of_a) && of_a != of_b) {
                return descending ? of_a > of_b : of_a < of_b;
            }
            return descending ? a.first > b.first : a.first < b.first;
        });
        REQUIRE(ordered.hits == want);
        // The page goes on where the best ones end, whatever their order.
        REQUIRE(ordered.bookmark == plain.bookmark);
    }
}

TEST_CASE("bookmarks and orders of searches are checked", "[pages]") {
    Articles articles;
    for (int64_t key = 0; key < 50; key++) {
        articles.Put(key);
    }
    const float vector[2 * kDim] = {1, 2, 3};
    const float other[kDim] = {3, 2, 1};
    quern_query* query = quern_query_new(articles.db, "articles");
    quern_query_dense(query, "emb", vector, 1, kDim);
    const std::string bookmark = Search(&articles, query).bookmark;
    REQUIRE(!bookmark.empty());
    quern_result* list = nullptr;
    articles.Ok(quern_query_list(query, &list, &articles.err));
    const std::string of_list = quern_result_bookmark(list);
    quern_result_free(list);

    quern_query_after(query, "nonsense");
    CHECK(Refused(query, QUERN_ERR_MALFORMED).find("none that a search has given") !=
          std::string::npos);
    quern_query_after(query, (bookmark + "AAAA").c_str());
    Refused(query, QUERN_ERR_MALFORMED);
    for (size_t cut = 1; cut < bookmark.size(); cut++) {
        quern_query_after(query, bookmark.substr(0, cut).c_str());
        quern_error err = QUERN_ERROR_INIT;
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        CHECK((status == QUERN_ERR_MALFORMED || status == QUERN_ERR_INVALID));
    }
    quern_query_after(query, of_list.c_str());
    CHECK(Refused(query, QUERN_ERR_INVALID).find("of another search, or of a list") !=
          std::string::npos);
    quern_query_after(query, bookmark.c_str());
    articles.Ok(quern_query_list(query, &list, &articles.err) == QUERN_ERR_MALFORMED
                    ? QUERN_OK
                    : QUERN_ERR_INTERNAL);
    // Of what else is looked for.
    quern_query_dense(query, "emb", other, 1, kDim);
    Refused(query, QUERN_ERR_INVALID);
    quern_query_dense(query, "emb", vector, 2, kDim);
    CHECK(Refused(query, QUERN_ERR_INVALID).find("one query") != std::string::npos);
    quern_query_dense(query, "emb", vector, 1, kDim);
    quern_query_offset(query, 3);
    Refused(query, QUERN_ERR_INVALID);
    quern_query_offset(query, 0);
    quern_query_group(query, "year", 1);
    Refused(query, QUERN_ERR_INVALID);
    quern_query_after(query, nullptr);
    quern_query_order(query, "year");
    CHECK(Refused(query, QUERN_ERR_INVALID).find("grouped") != std::string::npos);
    quern_query_group(query, nullptr, 1);
    quern_query_order(query, "yaer");
    CHECK(Refused(query, QUERN_ERR_UNKNOWN_FIELD).find("byte 0") != std::string::npos);
    quern_query_order(query, "year year");
    Refused(query, QUERN_ERR_SQL);
    // As a leg, it is refused.
    quern_query_order(query, "year");
    quern_query* whole = quern_query_new(articles.db, "articles");
    quern_query_leg(whole, query, 1, nullptr);
    Refused(whole, QUERN_ERR_INVALID);
    quern_query_free(whole);
    quern_query_free(query);
}

TEST_CASE("a bookmark tells searches apart by the last byte of what they look for", "[pages]") {
    constexpr size_t kLong = 200;
    Articles articles;
    articles.Ok(quern_add_dense(articles.db, "articles", "long", kLong, QUERN_L2, "index=none",
                                &articles.err));
    std::vector<float> row(kLong, 1.0f);
    for (int64_t key = 0; key < 30; key++) {
        articles.Put(key);
        row[kLong - 1] = static_cast<float>(key);
        quern_batch* batch = quern_batch_new(articles.db, "articles", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_dense(batch, "long", row.data(), kLong, nullptr);
        articles.Ok(quern_update(batch, nullptr, &articles.err));
        quern_batch_free(batch);
    }
    quern_query* query = quern_query_new(articles.db, "articles");
    const auto look = [&](float last) {
        row[kLong - 1] = last;
        quern_query_dense(query, "long", row.data(), 1, kLong);
    };
    look(7);
    const Page first = Search(&articles, query);
    quern_query_after(query, first.bookmark.c_str());
    look(7.5f);
    CHECK(Refused(query, QUERN_ERR_INVALID).find("another search") != std::string::npos);
    look(7);
    // Other records may match by now: it is the spot that counts.
    quern_query_filter(query, "id >= 0");
    CHECK(Search(&articles, query).hits.size() == 10);

    const size_t offsets[2] = {0, 2};
    const uint32_t dims[2] = {1, 7};
    const float weights[2] = {1, 0.5f};
    const float others[2] = {1, 0.25f};
    quern_query_filter(query, nullptr);
    quern_query_after(query, nullptr);
    quern_query_sparse(query, "terms", offsets, dims, weights, 1);
    quern_query_limit(query, 2);
    const std::string of_terms = Search(&articles, query).bookmark;
    REQUIRE(!of_terms.empty());
    quern_query_after(query, of_terms.c_str());
    Search(&articles, query);
    quern_query_sparse(query, "terms", offsets, dims, others, 1);
    Refused(query, QUERN_ERR_INVALID);
    quern_query_free(query);
}
