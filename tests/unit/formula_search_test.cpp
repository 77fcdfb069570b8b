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
