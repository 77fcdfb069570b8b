// Formulas through the C API, over legs and attributes, beside an enumeration of all records.
#include <algorithm>
#include <cmath>
#include <map>

#include "articles_file.h"

using namespace quern::testing;

namespace {

// Formulas over legs x and y and the year, which may be null (NaN); what they give.
struct Formula {
    const char* text;
    double (*score)(double x, double y, double year);
    bool proves;  // exact although there is a log
};
const Formula kFormulas[] = {
    {"0.7 * x + 0.3 * y", [](double x, double y, double) { return 0.7 * x + 0.3 * y; }, true},
    {"max(x, y) * 2 - 1", [](double x, double y, double) { return std::max(x, y) * 2 - 1; }, true},
    {"x + 0.5 * coalesce(exp_decay(year, 2000, :width), 0)",
     [](double x, double, double year) {
         return x + (std::isnan(year) ? 0 : 0.5 * std::pow(0.5, std::abs(year - 2000) / 4));
     },
     true},
    {"if(year > 2000 and YEAR <> 2005, x, if(year = 1995, null, y))",
     [](double x, double y, double year) {
         return year > 2000 && year != 2005 ? x : year == 1995 ? std::nan("") : y;
     },
     true},
    {"x + y + (year - 2000) / 10",
     [](double x, double y, double year) { return x + y + (year - 2000) / 10; }, false},
    {"abs(x - y) * (1 + id - id)", [](double x, double y, double) { return std::abs(x - y); },
     false},
};

}  // namespace

TEST_CASE("formulas over legs and attributes") {
    Articles articles;
    for (int64_t key = 0; key < 500; key++) {
        articles.Put(key);
        if (key == 250 || key == 400) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int round = 0; round < 240; round++) {
        if (round == 160) {  // no log any more
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
        const Formula& formula = kFormulas[articles.Pick(0, std::size(kFormulas) - 1)];
        CAPTURE(round, formula.text);
        std::vector<LegQuery> legs = {LegQuery::Make(&articles), LegQuery::Make(&articles)};
        const bool filtered = articles.Pick(0, 2) == 0;
        const size_t k = articles.Pick(1, 30);
        std::vector<std::map<int64_t, double>> all;
        quern_query* query = quern_query_new(articles.db, "articles");
        for (size_t l = 0; l < 2; l++) {
            all.push_back(Alone(&articles, legs[l], filtered));
            quern_query* of_leg = legs[l].Query(articles.db);
            if (legs[l].depth > 0) {
                quern_query_limit(of_leg, legs[l].depth);
            }
            const std::string options = (l == 0 ? "name=x " : "name=y ") + legs[l].absent;
            quern_query_leg(query, of_leg, 1, options.c_str());
            quern_query_free(of_leg);
        }
        quern_query_formula(query, formula.text);
        if (std::string(formula.text).find(":width") != std::string::npos) {
            quern_query_formula_bind(query, ":width", 4);
        }
        quern_query_limit(query, k);
        if (filtered) {
            quern_query_filter(query, kFilter);
        }
        quern_result* result = nullptr;
        articles.Ok(quern_search(query, &result, &articles.err));
        std::map<int64_t, double> scores;
        for (const auto& of_leg : all) {
            for (const auto& hit : of_leg) {
                double parts[2];
                for (size_t l = 0; l < 2; l++) {
                    const auto found = all[l].find(hit.first);
                    parts[l] = found == all[l].end() ? legs[l].missing : found->second;
                }
                const double score = formula.score(parts[0], parts[1], YearOf(hit.first));
                if (!std::isnan(score) && score != -kInfinity) {
                    scores[hit.first] = score;
                }
            }
        }
        const bool exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
        const bool proves = formula.proves || (round >= 160 && formula.text[0] == 'x');
        REQUIRE((exact || !proves));
        REQUIRE(quern_result_rows(result) == std::min(k, scores.size()));
        std::vector<double> order;
        for (const auto& [key, score] : scores) {
            order.push_back(-score);
        }
        std::sort(order.begin(), order.end());
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            const double score = static_cast<double>(quern_result_score(result, row));
            REQUIRE(score == Approx(scores.at(quern_result_key_int(result, row))).margin(1e-4));
            if (exact) {
                REQUIRE(score == Approx(-order[row]).margin(1e-4));
            }
        }
        quern_result_free(result);
        quern_query_free(query);
    }
}

TEST_CASE("attributes that memory has no room for are read from the file") {
    constexpr size_t kMany = 40000;  // their columns take more than a MB while they are loaded
    std::vector<std::vector<int64_t>> found;
    for (const char* options : {"memory_mb=1", "memory_mb=64"}) {
        quern_error err = QUERN_ERROR_INIT;
        quern_db* db = nullptr;
        REQUIRE(quern_open(":memory:", options, &db, &err) == QUERN_OK);
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "name");
        quern_schema_dense(schema, "at", 1, QUERN_L2, "index=none");
        quern_schema_attr(schema, "boost", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "kind", QUERN_TEXT, nullptr);
        REQUIRE(quern_create(db, "things", schema, &err) == QUERN_OK);
        quern_schema_free(schema);
        std::vector<std::string> names;
        std::vector<std::string> kinds;
        std::vector<float> at;
        std::vector<double> boosts;
        std::vector<uint8_t> known;
        for (size_t i = 0; i < kMany; i++) {
            names.push_back(std::to_string(i));
            kinds.emplace_back("k").append(std::to_string(i % 7));
            at.push_back(static_cast<float>(i % 1000));
            boosts.push_back(static_cast<double>((i * 37) % 101));
            known.push_back(i % 3 != 0);
        }
        std::vector<const char*> keys;
        std::vector<const char*> texts;
        for (size_t i = 0; i < kMany; i++) {
            keys.push_back(names[i].c_str());
            texts.push_back(kinds[i].c_str());
        }
        quern_batch* batch = quern_batch_new(db, "things", kMany);
        quern_batch_key_text(batch, keys.data());
        quern_batch_dense(batch, "at", at.data(), 1, nullptr);
        quern_batch_real(batch, "boost", boosts.data(), known.data());
        quern_batch_text(batch, "kind", texts.data(), nullptr);
        REQUIRE(quern_insert(batch, nullptr, &err) == QUERN_OK);
        quern_batch_free(batch);
        REQUIRE(quern_optimize(db, nullptr, 0, &err) == QUERN_OK);
        const float origin = 500;
        quern_query* leg = quern_query_new(db, "things");
        quern_query_dense(leg, "at", &origin, 1, 1);
        quern_query* query = quern_query_new(db, "things");
        quern_query_leg(query, leg, 1, "name=near");
        quern_query_formula(query, "near + 20 * coalesce(exp_decay(boost, 100, 30), 0)");
        quern_query_group(query, "kind", 3);
        quern_query_limit(query, 5);
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &err) == QUERN_OK);
        found.emplace_back();
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            found.back().push_back(std::stoll(quern_result_key_text(result, row)));
            found.back().push_back(quern_result_group(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        quern_query_free(leg);
        quern_close(db);
    }
    CHECK(found[0].size() == 30);
    CHECK(found[0] == found[1]);
}
