// Searches among the candidates of others, through the C API, beside what each search finds alone.
#include <algorithm>
#include <map>
#include <set>

#include "articles_file.h"
#include "indexed_file.h"

using namespace quern::testing;

namespace {

using Ranking = std::vector<std::pair<int64_t, float>>;  // key and score, best first

void Fill(Articles* articles, int64_t records) {
    for (int64_t key = 0; key < records; key++) {
        articles->Put(key);
        if (key == records / 3 || key == records * 2 / 3) {
            articles->Ok(quern_optimize(articles->db, nullptr, 0, &articles->err));
        }
    }
    for (int64_t key = 0; key < records; key += 13) {
        articles->Delete(key);
    }
    for (int64_t key = 5; key < records / 2; key += 17) {
        articles->Put(key);
    }
}

Ranking Rows(const quern_result* result, size_t query = 0) {
    Ranking rows;
    for (size_t row = quern_result_offset(result, query);
         row < quern_result_offset(result, query + 1); row++) {
        rows.emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
    }
    return rows;
}

Ranking Search(Articles* articles, quern_query* query, uint32_t flags = QUERN_FLAG_EXACT) {
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    REQUIRE((quern_result_flags(result) & QUERN_FLAG_EXACT) == (flags & QUERN_FLAG_EXACT));
    Ranking rows = Rows(result);
    quern_result_free(result);
    return rows;
}

// All that a search matches.
Ranking All(Articles* articles, const LegQuery& leg, bool filtered) {
    quern_query* query = leg.Query(articles->db);
    quern_query_limit(query, 100000);
    if (filtered) {
        quern_query_filter(query, kFilter);
    }
    Ranking rows = Search(articles, query);
    quern_query_free(query);
    return rows;
}

// The first `limit` of a ranking that are allowed.
Ranking Among(const Ranking& all, const std::set<int64_t>& allowed, size_t limit) {
    Ranking rows;
    for (const auto& row : all) {
        if (rows.size() < limit && allowed.count(row.first) > 0) {
            rows.push_back(row);
        }
    }
    return rows;
}
std::set<int64_t> KeysOf(const Ranking& rows) {
    std::set<int64_t> keys;
    for (const auto& row : rows) {
        keys.insert(row.first);
    }
    return keys;
}

}  // namespace

TEST_CASE("a query among candidates finds what the enumeration finds") {
    Articles articles;
    Fill(&articles, 400);
    std::set<int64_t> everything;
    for (int64_t key = 0; key < 400; key++) {
        everything.insert(key);
    }
    for (int round = 0; round < 300; round++) {
        CAPTURE(round);
        const bool filtered = articles.Pick(0, 2) == 0;
        const size_t levels = articles.Pick(1, 4);
        std::set<int64_t> allowed = everything;
        quern_query* query = nullptr;
        std::vector<LegQuery> legs;  // they own what queries borrow
        legs.reserve(levels + 1);
        Ranking want;
        for (size_t level = 0; level <= levels; level++) {
            legs.push_back(LegQuery::Make(&articles));
            quern_query* outer = legs.back().Query(articles.db);
            // Many records have the same score: which of them are candidates is decided by keys.
            const size_t limit = articles.Pick(0, 4) == 0 ? 0 : articles.Pick(5, 150);
            if (level > 0) {
                quern_query_candidates(outer, query);
                quern_query_free(query);
            }
            quern_query_limit(outer, level == 0 && limit == 0 ? 100 : limit);
            want = Among(All(&articles, legs.back(), filtered), allowed,
                         limit > 0    ? limit
                         : level == 0 ? 100
                                      : 100000);
            allowed = KeysOf(want);
            query = outer;
        }
        if (filtered) {
            quern_query_filter(query, kFilter);
        }
        REQUIRE(Search(&articles, query) == want);
        quern_query_free(query);
    }
}

TEST_CASE("legs among candidates, and candidates by legs") {
    Articles articles;
    Fill(&articles, 400);
    for (int round = 0; round < 150; round++) {
        CAPTURE(round);
        const LegQuery source = LegQuery::Make(&articles);
        const LegQuery source_of_leg = LegQuery::Make(&articles);
        const LegQuery one = LegQuery::Make(&articles);
        const LegQuery two = LegQuery::Make(&articles);
        const bool by_rank = articles.Pick(0, 2) == 0;
        const size_t k = articles.Pick(1, 40);
        // Leg 1 has candidates of its own beside those of the query.
        quern_query* from = source.Query(articles.db);
        quern_query_limit(from, 60);
        quern_query* from_of_leg = source_of_leg.Query(articles.db);
        quern_query_limit(from_of_leg, 80);
        quern_query* leg0 = one.Query(articles.db);
        quern_query* leg1 = two.Query(articles.db);
        quern_query_candidates(leg1, from_of_leg);
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_candidates(query, from);
        quern_query_leg(query, leg0, 1, "absent=-3");
        quern_query_leg(query, leg1, 0.5, "absent=-3");
        quern_query_limit(query, k);
        quern_query_fusion(query, by_rank ? "kind=rrf rrf_k=3" : nullptr);
        const auto candidates = KeysOf(Search(&articles, from));
        const Ranking of0 = Among(All(&articles, one, false), candidates, 100000);
        const Ranking of1 = Among(Among(All(&articles, two, false), candidates, 100000),
                                  KeysOf(Search(&articles, from_of_leg)), 100000);
        std::map<int64_t, double> fused;
        for (const Ranking* rows : {&of0, &of1}) {
            for (size_t i = 0; i < rows->size(); i++) {
                fused.emplace((*rows)[i].first, by_rank ? 0.0 : -4.5);
            }
        }
        const std::pair<const Ranking*, double> weighed[] = {{&of0, 1.0}, {&of1, 0.5}};
        for (const auto& [rows, weight] : weighed) {
            size_t rank = 1;
            for (size_t i = 0; i < rows->size(); i++) {
                // Scores are handed out as f32: what differs in f64 has ranks of its own.
                rank = i > 0 && (*rows)[i].second == (*rows)[i - 1].second ? rank : i + 1;
                const double score = static_cast<double>((*rows)[i].second);
                fused[(*rows)[i].first] +=
                    by_rank ? weight / (3 + static_cast<double>(rank)) : weight * (score + 3);
            }
        }
        std::vector<double> want;
        for (const auto& [key, score] : fused) {
            want.push_back(-score);
        }
        std::sort(want.begin(), want.end());
        const Ranking rows = Search(&articles, query);
        REQUIRE(rows.size() == std::min(k, want.size()));
        for (size_t i = 0; i < rows.size(); i++) {
            // Equal scores of a sparse or text leg may be equal in f32 only, which moves ranks.
            REQUIRE(static_cast<double>(rows[i].second) ==
                    Approx(-want[i]).margin(by_rank ? 0.05 : 1e-5));
            REQUIRE(candidates.count(rows[i].first) > 0);
            if (!by_rank) {
                REQUIRE(static_cast<double>(rows[i].second) ==
                        Approx(fused.at(rows[i].first)).margin(1e-5));
            }
        }
        // The same query as the source of another: its k best, and no others.
        const LegQuery last = LegQuery::Make(&articles);
        quern_query* outer = last.Query(articles.db);
        quern_query_candidates(outer, query);
        quern_query_limit(outer, 0);
        CHECK(Search(&articles, outer) == Among(All(&articles, last, false), KeysOf(rows), 100000));
        for (quern_query* q : {from, from_of_leg, leg0, leg1, query, outer}) {
            quern_query_free(q);
        }
    }
}

TEST_CASE("each query of a batch has candidates of its own") {
    Articles articles;
    Fill(&articles, 300);
    std::vector<int64_t> keys;
    quern_result* result = nullptr;
    quern_cursor* cursor = nullptr;
    articles.Ok(quern_scan(articles.db, "articles", nullptr, "emb place", &cursor, &articles.err));
    articles.Ok(quern_cursor_next(cursor, 300, &result, &articles.err));
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        if (quern_result_type(result, row, 0) != 0 && quern_result_type(result, row, 1) != 0) {
            keys.push_back(quern_result_key_int(result, row));
        }
    }
    quern_result_free(result);
    quern_cursor_free(cursor);
    const auto search = [&](const int64_t* first, size_t count) {
        quern_query* from = quern_query_new(articles.db, "articles");
        quern_query_key_int(from, "place", first, count);
        quern_query_limit(from, 25);
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_key_int(query, "emb", first, count);
        quern_query_candidates(query, from);
        quern_query_free(from);  // copied
        quern_query_limit(query, 7);
        quern_result* found = nullptr;
        articles.Ok(quern_search(query, &found, &articles.err));
        quern_query_free(query);
        REQUIRE(quern_result_queries(found) == count);
        std::vector<Ranking> rows;
        for (size_t q = 0; q < count; q++) {
            rows.push_back(Rows(found, q));
        }
        quern_result_free(found);
        return rows;
    };
    const std::vector<Ranking> together = search(keys.data(), keys.size());
    bool different = false;
    for (size_t q = 0; q < keys.size(); q++) {
        CHECK(together[q] == search(&keys[q], 1)[0]);
        CHECK(KeysOf(together[q]).count(keys[q]) == 0);  // nobody finds itself
        different = different || together[q] != together[0];
    }
    CHECK(different);
}

TEST_CASE("candidates by codes are measured with the stored vectors") {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    REQUIRE(quern_open(":memory:", nullptr, &db, &err) == QUERN_OK);
    quern_schema* schema = quern_schema_new();
    constexpr size_t kWide = 32;
    quern_schema_dense(schema, "emb", kWide, QUERN_L2, "index=graph codes=1bit");
    REQUIRE(quern_create(db, "docs", schema, &err) == QUERN_OK);
    quern_schema_free(schema);
    constexpr size_t kRecords = 3000;
    const std::vector<float> vectors = indexed::MakeRows(kRecords, 5, kWide);
    const std::vector<float> queries = indexed::MakeRows(20, 6, kWide);
    quern_batch* batch = quern_batch_new(db, "docs", kRecords);
    std::vector<int64_t> keys(kRecords);
    for (size_t i = 0; i < kRecords; i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", vectors.data(), kWide, nullptr);
    REQUIRE(quern_upsert(batch, nullptr, &err) == QUERN_OK);
    quern_batch_free(batch);
    REQUIRE(quern_optimize(db, nullptr, 0, &err) == QUERN_OK);
    size_t found = 0;
    for (size_t q = 0; q < 20; q++) {
        const float* const query = &queries[q * kWide];
        quern_query* from = quern_query_new(db, "docs");
        quern_query_dense(from, "emb", query, 1, kWide);
        quern_query_options(from, "refine=none ef=300");
        quern_query_limit(from, 200);
        quern_query* outer = quern_query_new(db, "docs");
        quern_query_dense(outer, "emb", query, 1, kWide);
        quern_query_candidates(outer, from);
        quern_query_limit(outer, 10);
        quern_result* result = nullptr;
        REQUIRE(quern_search(outer, &result, &err) == QUERN_OK);
        REQUIRE(quern_result_rows(result) == 10);
        // Measured with the vectors, but not all of them.
        CHECK((quern_result_flags(result) & (QUERN_FLAG_EXACT | QUERN_FLAG_UNREFINED)) == 0);
        CHECK(quern_result_stat(result, QUERN_RESULT_VECTORS_REFINED) == 200);
        std::vector<std::pair<double, int64_t>> truth;
        for (size_t i = 0; i < kRecords; i++) {
            double distance = 0;
            for (size_t d = 0; d < kWide; d++) {
                const double apart =
                    static_cast<double>(vectors[i * kWide + d]) - static_cast<double>(query[d]);
                distance += apart * apart;
            }
            truth.emplace_back(distance, static_cast<int64_t>(i));
        }
        for (size_t row = 0; row < 10; row++) {
            const auto key = static_cast<size_t>(quern_result_key_int(result, row));
            CHECK(static_cast<double>(quern_result_distance(result, row)) ==
                  Approx(truth[key].first).epsilon(1e-5));
        }
        std::sort(truth.begin(), truth.end());
        for (size_t row = 0; row < 10; row++) {
            found += std::any_of(truth.begin(), truth.begin() + 10,
                                 [&](const auto& of) {
                                     return of.second == quern_result_key_int(result, row);
                                 })
                         ? 1
                         : 0;
        }
        quern_result_free(result);
        quern_query_free(outer);
        quern_query_free(from);
    }
    CHECK(found >= 100);  // of 200: what 200 candidates by codes of one bit hold
    quern_close(db);
}

TEST_CASE("a record that looks for itself takes no place among the candidates") {
    Articles articles;
    Fill(&articles, 300);
    size_t tried = 0;
    for (int64_t key = 1; key < 300; key += 7) {
        quern_query* first = quern_query_new(articles.db, "articles");
        quern_query_key_int(first, "emb", &key, 1);
        quern_query_options(first, "self=include");
        quern_query_limit(first, 8);
        quern_result* found = nullptr;
        quern_error err = QUERN_ERROR_INIT;
        if (quern_search(first, &found, &err) != QUERN_OK) {
            quern_query_free(first);
            continue;  // it has no vector, or is gone
        }
        const Ranking with_self = Rows(found);
        quern_result_free(found);
        REQUIRE(KeysOf(with_self).count(key) == 1);
        // The same, scored anew: of its eight candidates none is the record itself.
        for (const bool as_leg : {false, true}) {
            quern_query* scored = quern_query_new(articles.db, "articles");
            quern_query_key_int(scored, "emb", &key, 1);
            quern_query* whole = scored;
            if (as_leg) {
                whole = quern_query_new(articles.db, "articles");
                quern_query_leg(whole, scored, 1, nullptr);
            }
            quern_query_limit(whole, 20);
            quern_query_candidates(whole, first);
            const Ranking rows = Search(&articles, whole);
            CAPTURE(key, as_leg);
            CHECK(rows.size() == 8);
            CHECK(KeysOf(rows).count(key) == 0);
            if (as_leg) {
                quern_query_free(scored);
            }
            quern_query_free(whole);
        }
        quern_query_free(first);
        tried++;
    }
    CHECK(tried > 20);
}
