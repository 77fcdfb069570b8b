// Queries of several legs through the C API: fused results beside an enumeration of what the legs
// say alone, over segments with and without an index, the log, deleted records, absent values.
#include <algorithm>
#include <cmath>
#include <map>

#include "articles_file.h"

using namespace quern::testing;

namespace {

// Fused by sum or maximum, in the order of results. Scores are f32 here, so ties are nearly so.
std::vector<std::pair<double, int64_t>> Enumerate(const std::vector<LegQuery>& legs,
                                                  const std::vector<std::map<int64_t, double>>& all,
                                                  bool max) {
    std::map<int64_t, double> fused;
    for (const auto& scores : all) {
        for (const auto& [key, score] : scores) {
            fused[key] = max ? -kInfinity : 0;
        }
    }
    std::vector<std::pair<double, int64_t>> order;
    for (auto& [key, score] : fused) {
        for (size_t l = 0; l < legs.size(); l++) {
            const auto found = all[l].find(key);
            const double part =
                legs[l].weight * (found == all[l].end() ? legs[l].missing : found->second);
            score = max ? std::max(score, part) : score + part;
        }
        if (score != -kInfinity) {
            order.emplace_back(-score, key);
        }
    }
    std::sort(order.begin(), order.end());
    return order;
}

}  // namespace

TEST_CASE("fused results are those of all records") {
    Articles articles;
    for (int64_t key = 0; key < 700; key++) {
        articles.Put(key);
        if (key == 250 || key == 500) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int64_t key = 0; key < 700; key += 13) {
        articles.Delete(key);
    }
    for (int64_t key = 5; key < 400; key += 17) {
        articles.Put(key);
    }
    for (int round = 0; round < 400; round++) {
        CAPTURE(round);
        std::vector<LegQuery> legs;
        const size_t count = articles.Pick(1, 4);
        for (size_t l = 0; l < count; l++) {
            legs.push_back(LegQuery::Make(&articles));
        }
        const bool max = articles.Pick(0, 3) == 0;
        const bool filtered = articles.Pick(0, 2) == 0;
        const size_t k = articles.Pick(1, 30);
        std::vector<std::map<int64_t, double>> all;
        quern_query* query = quern_query_new(articles.db, "articles");
        for (const LegQuery& leg : legs) {
            all.push_back(Alone(&articles, leg, filtered));
            quern_query* of_leg = leg.Query(articles.db);
            if (leg.depth > 0) {
                quern_query_limit(of_leg, leg.depth);
            }
            quern_query_leg(query, of_leg, leg.weight, leg.absent.c_str());
            quern_query_free(of_leg);
        }
        quern_query_fusion(query, max ? "kind=max" : nullptr);
        quern_query_limit(query, k);
        if (filtered) {
            quern_query_filter(query, kFilter);
        }
        quern_result* result = nullptr;
        articles.Ok(quern_search(query, &result, &articles.err));
        const auto want = Enumerate(legs, all, max);
        REQUIRE(quern_result_rows(result) == std::min(k, want.size()));
        REQUIRE((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
        REQUIRE(quern_result_legs(result) == legs.size());
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            const int64_t key = quern_result_key_int(result, row);
            const double score = static_cast<double>(quern_result_score(result, row));
            // The order is that of the enumeration, up to rounding of single scores to f32.
            REQUIRE(score == Approx(-want[row].first).margin(1e-5));
            double fused = max ? -kInfinity : 0;
            for (size_t l = 0; l < legs.size(); l++) {
                const double part = quern_result_leg_score(result, row, l);
                const auto alone = all[l].find(key);
                REQUIRE(std::isnan(part) == (alone == all[l].end()));
                if (!std::isnan(part)) {
                    REQUIRE(static_cast<float>(part) == static_cast<float>(alone->second));
                }
                const double weighed = legs[l].weight * (std::isnan(part) ? legs[l].missing : part);
                fused = max ? std::max(fused, weighed) : fused + weighed;
            }
            // What is told of the legs makes up the score.
            REQUIRE(static_cast<float>(fused) == quern_result_score(result, row));
            double sum = 0;
            for (size_t l = 0; l < legs.size(); l++) {
                sum += quern_result_leg_part(result, row, l);
            }
            REQUIRE(sum == fused);
        }
        quern_result_free(result);
        quern_query_free(query);
    }
}

TEST_CASE("legs of many queries, by key, with a bound") {
    Articles articles;
    for (int64_t key = 0; key < 300; key++) {
        articles.Put(key);
    }
    std::vector<int64_t> keys;
    {
        quern_result* result = nullptr;
        quern_cursor* cursor = nullptr;
        articles.Ok(
            quern_scan(articles.db, "articles", nullptr, "emb place", &cursor, &articles.err));
        articles.Ok(quern_cursor_next(cursor, 300, &result, &articles.err));
        for (size_t row = 0; row < 300; row++) {
            if (quern_result_type(result, row, 0) != 0 && quern_result_type(result, row, 1) != 0) {
                keys.push_back(quern_result_key_int(result, row));
            }
        }
        quern_result_free(result);
        quern_cursor_free(cursor);
    }
    keys.resize(20);
    quern_query* near = quern_query_new(articles.db, "articles");
    quern_query_key_int(near, "emb", keys.data(), keys.size());
    quern_query_min_score(near, 0.25);
    quern_query* here = quern_query_new(articles.db, "articles");
    quern_query_key_int(here, "place", keys.data(), keys.size());
    quern_query* query = quern_query_new(articles.db, "articles");
    quern_query_leg(query, near, 1, "absent=-1");
    quern_query_leg(query, here, 0.5, "absent=-9");
    quern_query_columns(query, "year");
    quern_result* result = nullptr;
    articles.Ok(quern_search(query, &result, &articles.err));
    REQUIRE(quern_result_queries(result) == keys.size());
    for (size_t q = 0; q < keys.size(); q++) {
        REQUIRE(quern_result_offset(result, q + 1) - quern_result_offset(result, q) == 10);
        for (size_t row = quern_result_offset(result, q); row < quern_result_offset(result, q + 1);
             row++) {
            // Nobody finds itself, and nothing below the bound counts.
            CHECK(quern_result_key_int(result, row) != keys[q]);
            const double part = quern_result_leg_score(result, row, 0);
            CHECK((std::isnan(part) || part >= 0.25));
            const double year = YearOf(quern_result_key_int(result, row));
            CHECK(quern_result_int(result, row, 0) == (std::isnan(year) ? 0 : std::lround(year)));
        }
    }
    quern_result_free(result);
    // By ranks: the best of both lists cannot have more than both first places.
    quern_query_fusion(query, "kind=rrf rrf_k=9");
    articles.Ok(quern_search(query, &result, &articles.err));
    CHECK(static_cast<double>(quern_result_score(result, 0)) <= 0.15 + 1e-6);
    CHECK(quern_result_score(result, 0) > 0);
    quern_result_free(result);
    quern_query_free(query);
    quern_query_free(near);
    quern_query_free(here);
}

namespace {

// All that a leg matches, in double precision: as the only leg of a query.
std::map<int64_t, double> AloneExactly(Articles* articles, const LegQuery& leg) {
    quern_query* of_leg = leg.Query(articles->db);
    quern_query* query = quern_query_new(articles->db, "articles");
    quern_query_leg(query, of_leg, 1, nullptr);
    quern_query_limit(query, 100000);
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    std::map<int64_t, double> scores;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        scores[quern_result_key_int(result, row)] = quern_result_leg_score(result, row, 0);
    }
    quern_result_free(result);
    quern_query_free(query);
    quern_query_free(of_leg);
    return scores;
}

}  // namespace

TEST_CASE("what a search with legs tells of its work is what it has to do") {
    Articles articles;
    for (int64_t key = 0; key < 400; key++) {
        articles.Put(key);
    }
    articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
    int once = 0;
    for (int round = 0; round < 60; round++) {
        CAPTURE(round);
        // Ranks look nothing up; a formula has all scores looked up that a list lacks.
        const bool ranks = articles.Pick(0, 1) == 0;
        std::vector<LegQuery> legs = {LegQuery::Make(&articles), LegQuery::Make(&articles)};
        std::vector<std::map<int64_t, double>> firsts;
        int64_t scored[2] = {0, 0};
        quern_query* query = quern_query_new(articles.db, "articles");
        for (size_t l = 0; l < 2; l++) {
            quern_query* of_leg = legs[l].Query(articles.db);
            const size_t depth = articles.Pick(20, 60);
            quern_query_limit(of_leg, depth);
            quern_result* alone = nullptr;
            articles.Ok(quern_search(of_leg, &alone, &articles.err));
            scored[l] = quern_result_stat(alone, QUERN_RESULT_VECTORS_SCORED);
            quern_result_free(alone);
            // In one segment those that equal the last hit come by their keys.
            std::vector<std::pair<double, int64_t>> order;
            for (const auto& [key, score] : AloneExactly(&articles, legs[l])) {
                order.emplace_back(-score, key);
            }
            std::sort(order.begin(), order.end());
            firsts.emplace_back();
            // A list that ends where the matches end may not know it: left out below.
            for (size_t i = 0; i < depth && depth < order.size(); i++) {
                firsts[l][order[i].second] = -order[i].first;
            }
            quern_query_leg(query, of_leg, 1, "absent=-1000");
            quern_query_free(of_leg);
        }
        ranks ? quern_query_fusion(query, "kind=rrf") : quern_query_formula(query, "max(l0, l1)");
        quern_query_limit(query, 1);
        quern_result* result = nullptr;
        articles.Ok(quern_search(query, &result, &articles.err));
        if (!firsts[0].empty() && !firsts[1].empty() &&
            quern_result_stat(result, QUERN_RESULT_LISTS) == 2) {
            once++;
            int64_t looked_up = 0;
            for (size_t l = 0; l < 2; l++) {
                REQUIRE(quern_result_leg_stat(result, l, QUERN_RESULT_LISTS) == 1);
                REQUIRE(quern_result_leg_stat(result, l, QUERN_RESULT_HITS) ==
                        static_cast<int64_t>(firsts[l].size()));
                int64_t lacks = 0;
                for (const auto& [key, score] : firsts[1 - l]) {
                    lacks += !ranks && firsts[l].count(key) == 0 ? 1 : 0;
                }
                REQUIRE(quern_result_leg_stat(result, l, QUERN_RESULT_LOOKED_UP) == lacks);
                REQUIRE((!ranks || quern_result_leg_stat(result, l, QUERN_RESULT_VECTORS_SCORED) ==
                                       scored[l]));
                looked_up += lacks;
            }
            REQUIRE(quern_result_stat(result, QUERN_RESULT_LOOKED_UP) == looked_up);
        }
        quern_result_free(result);
        quern_query_free(query);
    }
    CHECK(once > 20);
}
