// Bounds of sparse and text searches are those of the scores that are handed out; and what a result
// says of its recall.
#include <quern.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace {

class Notes {
public:
    Notes() {
        Ok(quern_open(":memory:", nullptr, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", "stop=english");
        Ok(quern_create(db, "notes", schema, &err));
        quern_schema_free(schema);
    }
    ~Notes() { quern_close(db); }
    Notes(const Notes&) = delete;
    Notes& operator=(const Notes&) = delete;

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    void Put(int64_t key, const std::vector<float>& weights, const char* text) {
        std::vector<uint32_t> dims;
        for (uint32_t d = 0; d < weights.size(); d++) {
            dims.push_back(d);
        }
        const size_t offsets[] = {0, dims.size()};
        quern_batch* batch = quern_batch_new(db, "notes", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_sparse(batch, "terms", offsets, dims.data(), weights.data(), nullptr);
        quern_batch_text(batch, "body", &text, nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    // Keys of the hits of a text.
    std::vector<int64_t> Find(const char* text) {
        quern_query* query = quern_query_new(db, "notes");
        quern_query_text(query, "body", &text, 1);
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        std::vector<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.push_back(quern_result_key_int(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return keys;
    }
    // With the score, or the distance, of each hit as the bound, as many hits are found.
    void BoundsKeepTheirHits(quern_query* query) {
        quern_query_limit(query, 50);
        quern_result* all = nullptr;
        Ok(quern_search(query, &all, &err));
        REQUIRE(quern_result_rows(all) > 5);
        CHECK(quern_result_stat(all, QUERN_RESULT_RECALL) == 1000000);
        for (size_t row = 0; row < quern_result_rows(all); row++) {
            const auto score = static_cast<double>(quern_result_score(all, row));
            for (const bool by_distance : {false, true}) {
                by_distance ? quern_query_max_distance(query, -score)
                            : quern_query_min_score(query, score);
                quern_result* bounded = nullptr;
                Ok(quern_search(query, &bounded, &err));
                CHECK(quern_result_rows(bounded) >= row + 1);
                for (size_t i = 0; i < quern_result_rows(bounded); i++) {
                    CHECK(static_cast<double>(quern_result_score(bounded, i)) >= score);
                }
                quern_result_free(bounded);
            }
        }
        quern_result_free(all);
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
};

}  // namespace

TEST_CASE("the score of a sparse or text hit is a bound that keeps it") {
    Notes notes;
    std::mt19937 random(5);
    std::uniform_real_distribution<float> weight(-1, 1);
    for (int64_t key = 0; key < 60; key++) {
        std::vector<float> weights(7);
        for (float& x : weights) {
            x = weight(random);
        }
        std::string text = "mill";
        for (int64_t i = 0; i < key % 11; i++) {
            text += i % 3 == 0 ? " mill" : " stone";
        }
        notes.Put(key, weights, text.c_str());
        if (key == 30) {
            notes.Ok(quern_optimize(notes.db, nullptr, 0, &notes.err));
        }
    }
    const uint32_t dims[] = {0, 1, 2, 3, 4, 5, 6};
    const float weights[] = {0.7f, -0.9f, 0.3f, 1.1f, 0.1f, -0.2f, 0.6f};
    const size_t offsets[] = {0, 7};
    quern_query* query = quern_query_new(notes.db, "notes");
    quern_query_sparse(query, "terms", offsets, dims, weights, 1);
    notes.BoundsKeepTheirHits(query);
    quern_query_free(query);
    const char* const text = "mill stone";
    query = quern_query_new(notes.db, "notes");
    quern_query_text(query, "body", &text, 1);
    notes.BoundsKeepTheirHits(query);
    quern_query_free(query);
}

TEST_CASE("a beginning of words may be a stop word") {
    Notes notes;
    notes.Put(0, {1}, "rung of a ladder");
    notes.Put(1, {1}, "he is running");
    notes.Put(2, {1}, "theory");
    CHECK(notes.Find("the*") == std::vector<int64_t>{2});
    CHECK(notes.Find("+rung +the*").empty());
    CHECK(notes.Find("theory -the*").empty());
    CHECK(notes.Find("the").empty());
    const char* const broken = "\xC3";
    quern_query* query = quern_query_new(notes.db, "notes");
    quern_query_text(query, "body", &broken, 1);
    quern_result* result = nullptr;
    CHECK(quern_search(query, &result, &notes.err) == QUERN_ERR_MALFORMED);
    quern_query_free(query);
}
