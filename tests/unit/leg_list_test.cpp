// What is in the list of a leg: so many hits as its limit says, of equals those with the lowest
// keys, wherever the records lie.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

// Records with keys from 0 on whose values in two fields are small numbers, so that many are equal.
class Numbers {
public:
    Numbers(std::vector<float> v, std::vector<float> w) : v_(std::move(v)), w_(std::move(w)) {
        Ok(quern_open(":memory:", "maintenance=off", &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "v", 1, QUERN_IP, "index=none");
        quern_schema_dense(schema, "w", 1, QUERN_IP, "index=none");
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        Ok(quern_create(db, "numbers", schema, &err));
        quern_schema_free(schema);
    }
    ~Numbers() { quern_close(db); }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    int64_t count() const { return static_cast<int64_t>(v_.size()); }
    double v(int64_t key) const { return static_cast<double>(v_[static_cast<size_t>(key)]); }

    void Put(int64_t key) {
        const float v = v_[static_cast<size_t>(key)];
        const float w = w_[static_cast<size_t>(key)];
        const size_t offsets[2] = {0, 1};
        const uint32_t dimension = 0;
        std::string text;
        for (int i = 0; i < static_cast<int>(v); i++) {
            text += "word ";
        }
        const char* const body = text.c_str();
        quern_batch* batch = quern_batch_new(db, "numbers", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_dense(batch, "v", &v, 1, nullptr);
        quern_batch_dense(batch, "w", &w, 1, nullptr);
        quern_batch_sparse(batch, "terms", offsets, &dimension, &v, nullptr);
        quern_batch_text(batch, "body", &body, nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Seal() { Ok(quern_optimize(db, nullptr, 0, &err)); }
    // 0: all in the log; 1: all in one segment; 2: every second one in the log; 3: the log holds
    // them in the order of falling keys.
    void Lay(int layout) {
        for (int64_t i = 0; i < count(); i++) {
            const int64_t key = layout == 3 ? count() - 1 - i : i;
            if (layout != 2 || key % 2 == 0) {
                Put(key);
            }
        }
        if (layout == 1 || layout == 2) {
            Seal();
        }
        for (int64_t key = 1; layout == 2 && key < count(); key += 2) {
            Put(key);
        }
    }

    quern_query* Leg(const std::string& field, size_t limit) {
        quern_query* leg = quern_query_new(db, "numbers");
        if (field == "terms") {
            quern_query_sparse(leg, "terms", offsets_, &dimension_, &one_, 1);
        } else if (field == "body") {
            quern_query_text(leg, "body", &word_, 1);
        } else {
            quern_query_dense(leg, field.c_str(), &one_, 1, 1);
        }
        quern_query_limit(leg, limit);
        return leg;
    }
    quern_query* LegByKey(const char* field, int64_t key, size_t limit) {
        quern_query* leg = quern_query_new(db, "numbers");
        quern_query_key_int(leg, field, &key, 1);
        quern_query_limit(leg, limit);
        return leg;
    }
    // Frees the legs. flags: may be NULL.
    std::vector<std::pair<int64_t, double>> Search(const std::vector<quern_query*>& legs,
                                                   const char* fusion, size_t k,
                                                   uint32_t* flags = nullptr, double weight = 1) {
        quern_query* query = quern_query_new(db, "numbers");
        for (quern_query* leg : legs) {
            quern_query_leg(query, leg, weight, nullptr);
            quern_query_free(leg);
        }
        quern_query_fusion(query, fusion);
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        std::vector<std::pair<int64_t, double>> rows;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            rows.emplace_back(quern_result_key_int(result, row),
                              static_cast<double>(quern_result_score(result, row)));
        }
        if (flags != nullptr) {
            *flags = quern_result_flags(result);
        }
        quern_result_free(result);
        quern_query_free(query);
        return rows;
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;

private:
    std::vector<float> v_;
    std::vector<float> w_;
    const float one_ = 1;
    const uint32_t dimension_ = 0;
    const size_t offsets_[2] = {0, 1};
    const char* word_ = "word";
};

std::vector<float> SmallNumbers(size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> numbers(count);
    for (float& number : numbers) {
        number = static_cast<float>(std::uniform_int_distribution<int>(1, 4)(random));
    }
    return numbers;
}

}  // namespace

TEST_CASE("a leg's list has as many hits as its limit says, wherever records lie", "[legs]") {
    const std::vector<float> v = SmallNumbers(60, 3);
    const std::vector<float> w = SmallNumbers(60, 4);
    std::vector<int64_t> order;  // by v, of equals by key
    for (int64_t key = 0; key < 60; key++) {
        order.push_back(key);
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return v[static_cast<size_t>(a)] > v[static_cast<size_t>(b)];
    });
    std::map<std::string, std::vector<std::pair<int64_t, double>>> first;
    for (int layout = 0; layout < 4; layout++) {
        Numbers numbers(v, w);
        numbers.Lay(layout);
        for (const std::string field : {"v", "terms", "body"}) {
            for (const size_t limit : {1, 2, 7, 20, 33, 60}) {
                CAPTURE(layout, field, limit);
                const auto ranked =
                    numbers.Search({numbers.Leg(field, limit)}, "kind=rrf rrf_k=0", 100);
                std::vector<std::pair<double, int64_t>> want;
                for (size_t i = 0; i < limit && field != "body"; i++) {
                    // Equal hits have equal ranks.
                    size_t rank = 1;
                    for (size_t j = 0; j < limit; j++) {
                        rank += numbers.v(order[j]) > numbers.v(order[i]) ? 1 : 0;
                    }
                    want.emplace_back(-1.0 / static_cast<double>(rank), order[i]);
                }
                std::sort(want.begin(), want.end());
                REQUIRE(ranked.size() == limit);
                for (size_t i = 0; i < want.size(); i++) {
                    REQUIRE(ranked[i].first == want[i].second);
                    REQUIRE(ranked[i].second == Approx(-want[i].first));
                }
                for (const char* const fusion :
                     {"kind=rrf", "normalize=minmax", "normalize=zscore", "normalize=distribution",
                      "kind=max normalize=zscore"}) {
                    const auto found = numbers.Search(
                        {numbers.Leg(field, limit), numbers.Leg("w", limit)}, fusion, 10);
                    const std::string name = field + std::to_string(limit) + fusion;
                    CAPTURE(fusion);
                    REQUIRE(first.try_emplace(name, found).first->second == found);
                }
            }
        }
    }
}

TEST_CASE("what looks for itself takes no place in the lists of other legs", "[legs]") {
    // Record 0 is the best by v.
    for (const int layout : {0, 1, 2}) {
        Numbers numbers({9, 8, 7, 6, 5, 4}, {3, 1, 4, 1, 5, 9});
        numbers.Lay(layout);
        for (size_t limit = 1; limit <= 4; limit++) {
            for (const std::string field : {"v", "terms", "body"}) {
                CAPTURE(layout, limit, field);
                // Ranks in the lists of both: the one of v begins with record 1.
                const auto found = numbers.Search(
                    {numbers.Leg(field, limit), numbers.LegByKey("w", 0, 2)}, "kind=rrf", 6);
                std::map<int64_t, double> want = {{5, 1.0 / 61}, {4, 1.0 / 62}};
                if (field == "body") {
                    REQUIRE(found.size() >= std::max<size_t>(2, limit));
                    continue;
                }
                for (size_t i = 1; i <= limit; i++) {
                    want[static_cast<int64_t>(i)] += 1.0 / static_cast<double>(60 + i);
                }
                REQUIRE(found.size() == want.size());
                for (const auto& [key, score] : found) {
                    CAPTURE(key);
                    REQUIRE(score == Approx(want[key]));
                }
            }
        }
    }
}

TEST_CASE("a list of all records has ended", "[legs]") {
    for (const int layout : {0, 1, 2}) {
        for (const size_t count : {1, 5, 17}) {
            std::vector<float> v(count);
            for (size_t i = 0; i < count; i++) {
                v[i] = static_cast<float>(i + 1);
            }
            Numbers numbers(v, v);
            numbers.Lay(layout);
            for (size_t limit = 1; limit <= count; limit++) {
                for (const char* const field : {"v", "terms", "body"}) {
                    CAPTURE(layout, count, limit, field);
                    uint32_t flags = 0;
                    const auto found = numbers.Search({numbers.Leg(field, limit)}, "kind=sum",
                                                      count + limit % 3, &flags);
                    REQUIRE(found.size() == count);
                    REQUIRE((flags & QUERN_FLAG_EXACT) != 0);
                }
            }
        }
    }
}

TEST_CASE("a sum that has no value is in no result", "[legs]") {
    for (const int layout : {0, 1}) {
        Numbers numbers({10, 20, -10, 3, -5, 1}, {-10, 10, -10, 4, 5, 1});
        numbers.Lay(layout);
        // Infinities of both signs are no number, as they are none in a formula.
        const auto found = numbers.Search({numbers.Leg("v", 6), numbers.Leg("w", 6)}, "kind=sum", 6,
                                          nullptr, 1e308);
        std::vector<int64_t> keys;
        for (const auto& [key, score] : found) {
            REQUIRE(score == std::numeric_limits<double>::infinity());
            keys.push_back(key);
        }
        REQUIRE(keys == std::vector<int64_t>{1, 3, 5});
        for (size_t k = 1; k < 6; k++) {
            const auto some = numbers.Search({numbers.Leg("v", 1), numbers.Leg("w", 1)}, "kind=sum",
                                             k, nullptr, 1e308);
            REQUIRE(some.size() == std::min<size_t>(3, k));
        }
    }
}
