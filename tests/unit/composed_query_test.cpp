// Queries that are made of others, through the C API: sums of vectors and stored records, feedback,
// examples for and against, beside the same in double precision over all records.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "articles_file.h"

using namespace quern::testing;

namespace {

constexpr size_t kWide = 12;

// Records with vectors in a field of each metric, of which some are missing; a text, and terms.
class Points {
public:
    explicit Points(size_t count) {
        Ok(quern_open(":memory:", nullptr, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "angle", kWide, QUERN_COSINE, "index=none");
        quern_schema_dense(schema, "product", kWide, QUERN_IP, "index=none");
        quern_schema_text(schema, "body", nullptr);
        Ok(quern_create(db, "points", schema, &err));
        quern_schema_free(schema);
        for (size_t key = 0; key < count; key++) {
            Put(static_cast<int64_t>(key));
            if (key == count / 2) {
                Ok(quern_optimize(db, nullptr, 0, &err));
            }
        }
    }
    ~Points() { quern_close(db); }
    Points(const Points&) = delete;
    Points& operator=(const Points&) = delete;

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    std::vector<float> Vector() {
        std::vector<float> vector(kWide);
        for (float& x : vector) {
            x = normal(random);
        }
        return vector;
    }
    void Put(int64_t key) {
        static const char* const kWords[] = {"grain stone", "mill", "mill stone", "water", "flour"};
        quern_batch* batch = quern_batch_new(db, "points", 1);
        quern_batch_key_int(batch, &key);
        const std::vector<float> vector = Vector();
        if (key % 11 != 0) {
            quern_batch_dense(batch, "angle", vector.data(), kWide, nullptr);
            quern_batch_dense(batch, "product", vector.data(), kWide, nullptr);
            vectors[key] = vector;
        }
        const char* const body = kWords[static_cast<size_t>(key) % 5];
        quern_batch_text(batch, "body", &body, nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    std::vector<std::pair<int64_t, double>> Search(quern_query* query) {
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        REQUIRE((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
        std::vector<std::pair<int64_t, double>> rows;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            rows.emplace_back(quern_result_key_int(result, row),
                              static_cast<double>(quern_result_score(result, row)));
        }
        quern_result_free(result);
        return rows;
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    std::mt19937 random{3};
    std::normal_distribution<float> normal;
    std::map<int64_t, std::vector<float>> vectors;
};

double Dot(const std::vector<double>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) {
        sum += a[i] * static_cast<double>(b[i]);
    }
    return sum;
}
double Length(const std::vector<float>& a) {
    return std::sqrt(Dot({a.begin(), a.end()}, a));
}
std::vector<double> Sum(const std::vector<std::pair<double, std::vector<float>>>& terms,
                        bool unit) {
    std::vector<double> sum(kWide, 0);
    for (const auto& [weight, vector] : terms) {
        for (size_t i = 0; i < kWide; i++) {
            sum[i] += weight * static_cast<double>(vector[i]) / (unit ? Length(vector) : 1);
        }
    }
    return sum;
}

// The scores of all points but some, best first.
std::vector<std::pair<double, int64_t>> Rank(const Points& points, const std::vector<double>& query,
                                             bool cosine, const std::set<int64_t>& without) {
    std::vector<std::pair<double, int64_t>> rows;
    double squares = 0;
    for (const double x : query) {
        squares += x * x;
    }
    for (const auto& [key, vector] : points.vectors) {
        if (without.count(key) == 0) {
            const double product = Dot(query, vector);
            rows.emplace_back(cosine ? -product / (Length(vector) * std::sqrt(squares)) : -product,
                              key);
        }
    }
    std::sort(rows.begin(), rows.end());
    return rows;
}

void Same(const std::vector<std::pair<int64_t, double>>& rows,
          const std::vector<std::pair<double, int64_t>>& want, size_t k) {
    REQUIRE(rows.size() == std::min(k, want.size()));
    for (size_t i = 0; i < rows.size(); i++) {
        CHECK(rows[i].first == want[i].second);
        CHECK(rows[i].second == Approx(-want[i].first).epsilon(1e-5).margin(1e-5));
    }
}

}  // namespace

TEST_CASE("a composed query is the sum of its terms") {
    Points points(300);
    for (int round = 0; round < 60; round++) {
        CAPTURE(round);
        const bool cosine = round % 2 == 0;
        const char* const field = cosine ? "angle" : "product";
        const bool unit = round % 3 == 0 ? !cosine : cosine;
        const std::string scale = round % 5 == 0   ? " scale=mean"
                                  : round % 5 == 1 ? " scale=unit"
                                                   : "";
        const std::string options =
            round % 3 == 0 ? (unit ? "terms=unit" : "terms=raw") + scale : scale;
        const bool include = round % 7 == 0;
        quern_query* query = quern_query_new(points.db, "points");
        constexpr size_t kQueries = 3;
        quern_query_compose(query, field, kQueries, options.c_str());
        quern_query_limit(query, 9);
        quern_query_options(query, include ? "self=include" : nullptr);
        std::vector<std::pair<double, std::vector<float>>> terms[kQueries];
        std::set<int64_t> named[kQueries];
        for (size_t t = 0; t < 12; t++) {
            const size_t q = t % kQueries;
            // At most one is negative, so that the sum of weights is positive.
            const double weight = t == 4 ? -0.5 : 0.25 * static_cast<double>(1 + t % 4);
            std::vector<float> vector = points.Vector();
            const auto key = static_cast<int64_t>(points.random() % 300);
            if (t % 2 == 0 && points.vectors.count(key) != 0) {
                vector = points.vectors[key];
                quern_query_term_key_int(query, q, weight, key);
                if (!include) {
                    named[q].insert(key);
                }
            } else {
                quern_query_term_dense(query, q, weight, vector.data(), kWide);
            }
            terms[q].emplace_back(weight, vector);
        }
        quern_result* result = nullptr;
        points.Ok(quern_search(query, &result, &points.err));
        REQUIRE(quern_result_queries(result) == kQueries);
        for (size_t q = 0; q < kQueries; q++) {
            std::vector<double> sum = Sum(terms[q], unit);
            double factor = 1;
            if (scale == " scale=mean") {
                double weights = 0;
                for (const auto& term : terms[q]) {
                    weights += term.first;
                }
                factor = 1 / weights;
            } else if (scale == " scale=unit") {
                double squares = 0;
                for (const double x : sum) {
                    squares += x * x;
                }
                factor = 1 / std::sqrt(squares);
            }
            for (double& x : sum) {
                x *= factor;
            }
            std::vector<std::pair<int64_t, double>> rows;
            for (size_t row = quern_result_offset(result, q);
                 row < quern_result_offset(result, q + 1); row++) {
                rows.emplace_back(quern_result_key_int(result, row),
                                  static_cast<double>(quern_result_score(result, row)));
            }
            Same(rows, Rank(points, sum, cosine, named[q]), 9);
        }
        quern_result_free(result);
        // As a leg, searched deeper than its first list.
        quern_query* both = quern_query_new(points.db, "points");
        quern_query_limit(query, 2);
        quern_query_leg(both, query, 1, "absent=-inf");
        quern_query_limit(both, 9);
        points.Ok(quern_search(both, &result, &points.err));
        std::vector<std::pair<int64_t, double>> rows;
        for (size_t row = 0; row < quern_result_offset(result, 1); row++) {
            rows.emplace_back(quern_result_key_int(result, row), 0);
            CHECK(named[0].count(rows.back().first) == 0);
        }
        CHECK(rows.size() == 9);
        quern_result_free(result);
        quern_query_free(both);
        quern_query_free(query);
    }
}

// ConSE: what a classifier says of a thing, as shares of labels, becomes a vector among those of
// labels that it may never have heard of.
TEST_CASE("a convex combination of label vectors finds what lies between the labels") {
    Points points(300);
    for (int round = 0; round < 20; round++) {
        CAPTURE(round);
        const bool cosine = round % 2 == 0;
        const char* const field = cosine ? "angle" : "product";
        std::vector<int64_t> labels;
        for (const auto& [key, vector] : points.vectors) {
            if (static_cast<int>(points.random() % 40) == 0 && labels.size() < 4) {
                labels.push_back(key);
            }
        }
        if (labels.empty()) {
            labels.push_back(points.vectors.begin()->first);
        }
        std::vector<double> shares;
        for (size_t l = 0; l < labels.size(); l++) {
            shares.push_back(static_cast<double>(1 + points.random() % 9) / 10);
        }
        const auto search = [&](double factor, size_t first, size_t end) {
            quern_query* query = quern_query_new(points.db, "points");
            quern_query_compose(query, field, 1, "scale=mean");
            quern_query_options(query, "self=include");
            quern_query_limit(query, 12);
            for (size_t l = first; l < end; l++) {
                quern_query_term_key_int(query, 0, factor * shares[l], labels[l]);
            }
            quern_result* result = nullptr;
            points.Ok(quern_search(query, &result, &points.err));
            std::vector<std::pair<int64_t, double>> rows;
            for (size_t row = 0; row < quern_result_rows(result); row++) {
                rows.emplace_back(quern_result_key_int(result, row),
                                  static_cast<double>(quern_result_score(result, row)));
            }
            quern_result_free(result);
            quern_query_free(query);
            return rows;
        };
        // The combination by hand: terms of length 1 under cosine, shares that add up to 1.
        double all = 0;
        std::vector<double> sum(kWide, 0);
        for (size_t l = 0; l < labels.size(); l++) {
            const std::vector<float>& vector = points.vectors[labels[l]];
            double squares = 0;
            for (const float x : vector) {
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            const double length = cosine ? std::sqrt(squares) : 1;
            for (size_t i = 0; i < kWide; i++) {
                sum[i] += shares[l] * static_cast<double>(vector[i]) / length;
            }
            all += shares[l];
        }
        for (double& x : sum) {
            x /= all;
        }
        const auto found = search(1, 0, labels.size());
        Same(found, Rank(points, sum, cosine, {}), 12);
        // Shares count by what they are of the whole, not by their sum.
        const auto scaled = search(64, 0, labels.size());
        REQUIRE(scaled.size() == found.size());
        for (size_t i = 0; i < found.size(); i++) {
            CHECK(scaled[i].first == found[i].first);
            CHECK(scaled[i].second == found[i].second);
        }
        // One label alone is that label; no combination of inner products beats its best label.
        if (cosine) {
            CHECK(search(1, 0, 1)[0].second == Approx(1).margin(1e-5));
        }
    }
}

TEST_CASE("feedback searches again with the mean of what it has found") {
    Points points(300);
    for (int round = 0; round < 40; round++) {
        CAPTURE(round);
        const bool cosine = round % 2 == 0;
        const bool rocchio = round % 4 < 2;
        const size_t docs = 1 + static_cast<size_t>(round) % 6;
        const std::vector<float> vector = points.Vector();
        quern_query* query = quern_query_new(points.db, "points");
        quern_query_dense(query, cosine ? "angle" : "product", vector.data(), 1, kWide);
        quern_query_limit(query, docs);
        const auto first = points.Search(query);
        std::vector<std::pair<double, std::vector<float>>> terms;
        const double count = static_cast<double>(docs);
        terms.emplace_back(rocchio ? 0.3 : 1 / (count + 1), vector);
        for (const auto& [key, score] : first) {
            terms.emplace_back(rocchio ? 0.9 / count : 1 / (count + 1), points.vectors.at(key));
        }
        const std::string options = std::string(rocchio ? "kind=rocchio alpha=0.3 beta=0.9" : "") +
                                    " docs=" + std::to_string(docs);
        quern_query_feedback(query, options.c_str());
        quern_query_limit(query, 12);
        Same(points.Search(query), Rank(points, Sum(terms, cosine), cosine, {}), 12);
        quern_query_free(query);
    }
}

TEST_CASE("feedback of a query with legs takes the others along as it is told") {
    Points points(300);
    const char* const text = "mill stone";
    for (int round = 0; round < 24; round++) {
        CAPTURE(round);
        const double before = round % 2 == 0 ? 1 : 0;
        const double after = round % 4 < 2 ? 0.5 : 0;
        const auto key = static_cast<int64_t>(1 + round);
        const auto make = [&](double text_weight, const std::vector<double>* moved,
                              std::vector<float>* space) {
            quern_query* dense = quern_query_new(points.db, "points");
            if (points.vectors.count(key) != 0 && moved == nullptr) {
                quern_query_key_int(dense, "angle", &key, 1);
            } else {
                space->assign(moved->begin(), moved->end());
                quern_query_dense(dense, "angle", space->data(), 1, kWide);
            }
            quern_query* body = quern_query_new(points.db, "points");
            quern_query_text(body, "body", &text, 1);
            quern_query* query = quern_query_new(points.db, "points");
            quern_query_leg(query, body, text_weight, nullptr);
            quern_query_leg(query, dense, 2, "absent=-1");
            quern_query_free(dense);
            quern_query_free(body);
            return query;
        };
        if (points.vectors.count(key) == 0) {
            continue;
        }
        std::vector<float> space;
        quern_query* first = make(before, nullptr, &space);
        quern_query_limit(first, 4);
        std::vector<std::pair<double, std::vector<float>>> terms;
        std::vector<std::vector<float>> docs;
        for (const auto& [found, score] : points.Search(first)) {
            CHECK(found != key);
            if (points.vectors.count(found) != 0) {
                docs.push_back(points.vectors.at(found));
            }
        }
        quern_query_free(first);
        const double share = 1 / (static_cast<double>(docs.size()) + 1);
        terms.emplace_back(share, points.vectors.at(key));
        for (const auto& doc : docs) {
            terms.emplace_back(share, doc);
        }
        const std::vector<double> moved = Sum(terms, true);
        quern_query* second = make(after, &moved, &space);
        quern_query_limit(second, 11);
        auto want = points.Search(second);
        std::erase_if(want, [&](const auto& row) { return row.first == key; });
        want.resize(10);
        quern_query_free(second);
        quern_query* query = make(1, nullptr, &space);
        const std::string options =
            "docs=4 before=" + std::to_string(before) + " after=" + std::to_string(after);
        quern_query_feedback(query, options.c_str());
        quern_query_limit(query, 10);
        const auto rows = points.Search(query);
        REQUIRE(rows.size() == want.size());
        for (size_t i = 0; i < rows.size(); i++) {
            CHECK(rows[i].first == want[i].first);
            CHECK(rows[i].second == Approx(want[i].second).epsilon(1e-5));
        }
        quern_query_free(query);
    }
}

TEST_CASE("examples for and against count by their best scores") {
    Points points(300);
    for (int round = 0; round < 60; round++) {
        CAPTURE(round);
        const double penalty = 0.25 * (1 + round % 5);
        std::vector<std::vector<float>> examples;
        quern_query* query = quern_query_new(points.db, "points");
        for (size_t l = 0; l < 5; l++) {
            examples.push_back(points.Vector());
            quern_query* leg = quern_query_new(points.db, "points");
            quern_query_dense(leg, "angle", examples.back().data(), 1, kWide);
            quern_query_limit(leg, 3);  // the proof needs longer lists
            quern_query_leg(query, leg, 1, l >= 3 ? "against=1" : nullptr);
            quern_query_free(leg);
            examples.back() = examples[l];
        }
        const std::string fusion = "kind=best penalty=" + std::to_string(penalty);
        quern_query_fusion(query, fusion.c_str());
        quern_query_limit(query, 15);
        // Buffers are borrowed: they live in examples, whose vectors do not move their elements.
        const auto rows = points.Search(query);
        std::vector<std::pair<double, int64_t>> want;
        for (const auto& [key, vector] : points.vectors) {
            double best = -kInfinity;
            double worst = -kInfinity;
            for (size_t l = 0; l < 5; l++) {
                const std::vector<double> example(examples[l].begin(), examples[l].end());
                double& of = l >= 3 ? worst : best;
                of = std::max(of, Dot(example, vector) / (Length(vector) * Length(examples[l])));
            }
            want.emplace_back(-(best - penalty * std::max(0.0, worst - best)), key);
        }
        std::sort(want.begin(), want.end());
        Same(rows, want, 15);
        // What the legs add to a score makes it up: one of those for it, and one against it.
        quern_error err = QUERN_ERROR_INIT;
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &err) == QUERN_OK);
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            double sum = 0;
            size_t given = 0;
            size_t taken = 0;
            for (size_t l = 0; l < 5; l++) {
                const double part = quern_result_leg_part(result, row, l);
                sum += part;
                given += l < 3 && part != 0 ? 1 : 0;
                taken += l >= 3 && part != 0 ? 1 : 0;
                REQUIRE((l < 3 || part <= 0));
            }
            REQUIRE(given == 1);
            REQUIRE(taken <= 1);
            REQUIRE(sum == Approx(static_cast<double>(quern_result_score(result, row))));
        }
        quern_result_free(result);
        quern_query_free(query);
    }
}
