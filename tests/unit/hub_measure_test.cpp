// Numbers against hubs beside their definitions in double precision, and formulas that use them.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kDim = 12;

struct Measured {
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    size_t count = 0;
    std::vector<float> rows;

    Measured(int32_t metric, size_t records) : count(records) {
        Ok(quern_open(":memory:", "threads=2", &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, metric, "index=none");
        quern_schema_attr(schema, "hub", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "spread", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "kind", QUERN_INT, nullptr);
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
        rows = Random(count, 1);
        std::vector<int64_t> keys;
        std::vector<int64_t> kinds;
        std::vector<uint8_t> valid;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(static_cast<int64_t>(i));
            kinds.push_back(static_cast<int64_t>(i % 3));
            valid.push_back(i % 7 != 5);
        }
        const size_t half = count / 2;
        for (const size_t first : {size_t{0}, half}) {
            const size_t n = first == 0 ? half : count - half;
            quern_batch* batch = quern_batch_new(db, "docs", n);
            quern_batch_key_int(batch, keys.data() + first);
            quern_batch_int(batch, "kind", kinds.data() + first, nullptr);
            quern_batch_dense(batch, "emb", rows.data() + first * kDim, kDim, valid.data() + first);
            Ok(quern_insert(batch, nullptr, &err));
            quern_batch_free(batch);
            if (first == 0) {
                Ok(quern_optimize(db, nullptr, 0, &err));  // one half sealed, one in the log
            }
        }
    }
    ~Measured() { quern_close(db); }
    Measured(const Measured&) = delete;
    Measured& operator=(const Measured&) = delete;

    static std::vector<float> Random(size_t n, uint64_t seed) {
        std::mt19937_64 random(seed);
        std::normal_distribution<float> normal;
        std::vector<float> out(n * kDim);
        for (float& x : out) {
            x = normal(random);
        }
        return out;
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    bool has(size_t i) const { return i % 7 != 5; }

    // Of each record; NaN: null.
    std::vector<double> Column(const char* name) {
        quern_batch* batch = quern_batch_new(db, "docs", count);
        std::vector<int64_t> keys;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(static_cast<int64_t>(i));
        }
        quern_batch_key_int(batch, keys.data());
        quern_result* result = nullptr;
        Ok(quern_get(batch, nullptr, name, &result, &err));
        std::vector<double> values;
        for (size_t i = 0; i < count; i++) {
            values.push_back(quern_result_type(result, i, 0) == 0
                                 ? std::nan("")
                                 : quern_result_real(result, i, 0));
        }
        quern_result_free(result);
        quern_batch_free(batch);
        return values;
    }
};

double Score(int32_t metric, const float* a, const float* b) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    double far = 0;
    for (size_t i = 0; i < kDim; i++) {
        const auto x = static_cast<double>(a[i]);
        const auto y = static_cast<double>(b[i]);
        dot += x * y;
        aa += x * x;
        bb += y * y;
        far += (x - y) * (x - y);
    }
    return metric == QUERN_L2 ? -far : metric == QUERN_IP ? dot : dot / std::sqrt(aa * bb);
}

double Length(int32_t metric, double score) {
    return metric == QUERN_L2 ? std::sqrt(-score) : std::sqrt(2 * (1 - score));
}

// By the definition; scores: of one record with all that it is measured against.
double Expected(const std::string& kind, int32_t metric, std::vector<double> scores, size_t k) {
    std::sort(scores.rbegin(), scores.rend());
    if (kind == "softmax") {
        double sum = 0;
        for (const double score : scores) {
            sum += std::exp((score - scores[0]) / 0.1);
        }
        return scores[0] + 0.1 * std::log(sum);
    }
    if (kind == "zscore") {
        double sum = 0;
        for (const double score : scores) {
            sum += score / static_cast<double>(scores.size());
        }
        return sum;
    }
    scores.resize(std::min(k, scores.size()));
    if (kind == "scaling") {
        return Length(metric, scores.back());
    }
    double sum = 0;
    for (const double score : scores) {
        sum +=
            (kind == "csls" ? score : Length(metric, score)) / static_cast<double>(scores.size());
    }
    return sum;
}

}  // namespace

TEST_CASE("what is measured against hubs is what its definition says", "[hubs]") {
    const auto metric = GENERATE(QUERN_L2, QUERN_COSINE, QUERN_IP);
    Measured measured(metric, 400);
    const std::vector<float> asked = Measured::Random(90, 2);
    for (const std::string kind : {"csls", "softmax", "scaling", "nicdm", "zscore"}) {
        if (metric == QUERN_IP && (kind == "scaling" || kind == "nicdm")) {
            continue;
        }
        for (const bool own : {false, true}) {
            CAPTURE(metric, kind, own);
            const std::string options =
                "kind=" + kind + (kind == "softmax" ? " temperature=0.1" : "") + " k=4";
            measured.Ok(quern_measure_hubs(measured.db, "docs", "emb", "hub", asked.data(),
                                           own ? 0 : 90, kDim, options.c_str(), &measured.err));
            const std::vector<double> hubs = measured.Column("hub");
            for (size_t i = 0; i < measured.count; i++) {
                if (!measured.has(i)) {
                    REQUIRE(std::isnan(hubs[i]));
                    continue;
                }
                std::vector<double> scores;
                const float* const row = measured.rows.data() + i * kDim;
                for (size_t j = 0; j < (own ? measured.count : 90); j++) {
                    if (!own || (j != i && measured.has(j))) {
                        scores.push_back(
                            Score(metric, row, (own ? measured.rows : asked).data() + j * kDim));
                    }
                }
                REQUIRE(hubs[i] == Approx(Expected(kind, metric, scores, 4)).margin(1e-4));
            }
        }
    }
}

TEST_CASE("means and deviations of scores are those of a kind of records", "[hubs]") {
    Measured measured(QUERN_COSINE, 300);
    const std::vector<float> asked = Measured::Random(50, 2);
    measured.Ok(quern_measure_hubs(measured.db, "docs", "emb", "hub", asked.data(), 50, kDim,
                                   "kind=zscore deviation=spread by=kind", &measured.err));
    const std::vector<double> hubs = measured.Column("hub");
    const std::vector<double> spreads = measured.Column("spread");
    for (size_t kind = 0; kind < 3; kind++) {
        double sum = 0;
        double squares = 0;
        double count = 0;
        for (size_t i = kind; i < measured.count; i += 3) {
            for (size_t j = 0; j < 50 && measured.has(i); j++) {
                const double score =
                    Score(QUERN_COSINE, measured.rows.data() + i * kDim, &asked[j * kDim]);
                sum += score;
                squares += score * score;
                count++;
            }
        }
        const double mean = sum / count;
        for (size_t i = kind; i < measured.count; i += 3) {
            if (measured.has(i)) {
                REQUIRE(hubs[i] == Approx(mean).margin(1e-5));
                REQUIRE(spreads[i] ==
                        Approx(std::sqrt(squares / count - mean * mean)).margin(1e-5));
            }
        }
    }
}

TEST_CASE("a formula takes from scores what records have for being hubs", "[hubs]") {
    Measured measured(QUERN_COSINE, 300);
    const std::vector<float> asked = Measured::Random(80, 2);
    measured.Ok(quern_measure_hubs(measured.db, "docs", "emb", "hub", asked.data(), 80, kDim,
                                   nullptr, &measured.err));
    const std::vector<double> hubs = measured.Column("hub");
    const std::vector<float> query = Measured::Random(1, 3);
    std::vector<std::pair<double, int64_t>> order;
    for (size_t i = 0; i < measured.count; i++) {
        if (measured.has(i)) {
            order.emplace_back(
                hubs[i] - 2 * Score(QUERN_COSINE, query.data(), &measured.rows[i * kDim]),
                static_cast<int64_t>(i));
        }
    }
    std::sort(order.begin(), order.end());
    quern_query* leg = quern_query_new(measured.db, "docs");
    quern_query_dense(leg, "emb", query.data(), 1, kDim);
    quern_query_limit(leg, 300);
    quern_query* whole = quern_query_new(measured.db, "docs");
    quern_query_leg(whole, leg, 1, nullptr);
    quern_query_formula(whole, "2 * emb - hub");
    quern_result* result = nullptr;
    measured.Ok(quern_search(whole, &result, &measured.err));
    REQUIRE(quern_result_rows(result) == 10);
    REQUIRE((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
    for (size_t i = 0; i < 10; i++) {
        REQUIRE(quern_result_key_int(result, i) == order[i].second);
        REQUIRE(static_cast<double>(quern_result_score(result, i)) ==
                Approx(-order[i].first).margin(1e-5));
    }
    quern_result_free(result);
    quern_query_free(whole);
    quern_query_free(leg);
}
