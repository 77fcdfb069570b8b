// What a sparse field holds, and what queries touch, against a count by hand.
#include <quern.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/unit/hostile_file.h"

namespace {

using Json = nlohmann::json;

class ListFile : public HostileFile {
public:
    ListFile() {
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "w", "dims=1000");
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db, "terms", schema, &err));
        quern_schema_free(schema);
    }
    void Put(int64_t key, const std::vector<uint32_t>& dims, bool present = true) {
        const size_t offsets[] = {0, dims.size()};
        const auto valid = static_cast<uint8_t>(present ? 1 : 0);
        quern_batch* batch = quern_batch_new(db, "terms", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_sparse(batch, "w", offsets, dims.data(), nullptr, &valid);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    Json Statistics(const std::vector<std::vector<uint32_t>>& queries = {}) {
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        for (const auto& query : queries) {
            dims.insert(dims.end(), query.begin(), query.end());
            offsets.push_back(dims.size());
        }
        quern_text* text = nullptr;
        Ok(quern_sparse_stats(db, "terms", "w", nullptr, offsets.data(), dims.data(),
                              queries.size(), &text, &err));
        Json json = Json::parse(quern_text_data(text));
        quern_text_free(text);
        return json;
    }
};

bool Near(double a, double b) {
    return std::fabs(a - b) <= 1e-12 * std::max(1.0, std::fabs(b));
}

}  // namespace

TEST_CASE("statistics of a sparse field are those of its live records", "[sparse][statistics]") {
    ListFile file;
    CHECK(file.Statistics()["flops"] == 0.0);  // of nothing
    file.Put(1, {5, 6, 7});
    file.Put(2, {5, 6});
    file.Put(3, {});
    file.Put(4, {}, false);
    file.Put(5, {1, 2, 3, 4});
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Put(5, {5});  // in place of a sealed one
    file.Put(6, {9, 5});
    // 5: four vectors, 6: two, 7 and 9: one.
    const Json json = file.Statistics();
    CHECK(json["records"] == 6);
    CHECK(json["vectors"] == 5);
    CHECK(json["empty"] == 1);
    CHECK(json["entries"] == 8);
    CHECK(json["dimensions"] == 4);
    CHECK(Near(json["postings_per_query"], (16.0 + 4 + 1 + 1) / 5));
    CHECK(Near(json["flops"], 22.0 / 25));
    CHECK(Near(json["ideal_flops"], 1.6 * 1.6 / 4));
    CHECK(Near(json["imbalance"], 22.0 / 25 / 0.64));
    CHECK(json["share_of_100"] == 1.0);
    CHECK(json["lists"]["mean"] == 2.0);
    CHECK(json["lists"]["most"] == 4);
    // 1, 1, 2, 4: half the mean difference by the mean.
    CHECK(Near(json["lists"]["gini"], (2.0 * (1 + 2 + 3 * 2 + 4 * 4) / (4 * 8)) - 5.0 / 4));
    CHECK(json["longest"][0] == Json{{"dimension", 5}, {"vectors", 4}, {"share", 0.8}});
    CHECK(json["longest"].size() == 4);
    CHECK(json["queries"].is_null());
    const Json asked = file.Statistics({{5, 7}, {6}, {500}, {}});
    CHECK(Near(asked["postings_per_query"], (5.0 + 2 + 0 + 0) / 4));
    CHECK(Near(asked["flops"], 7.0 / 4 / 5));
    CHECK(asked["queries"]["count"] == 4);
    CHECK(asked["queries"]["entries_per_query"] == 1.0);
    CHECK(asked["queries"]["postings"]["most"] == 5);
    CHECK(asked["queries"]["postings"]["median"] == 2);
}

TEST_CASE("a query of one dimension finds what is heaviest in it", "[sparse][statistics]") {
    ListFile file;
    std::vector<std::pair<float, int64_t>> weights;
    for (int64_t key = 0; key < 50; key++) {
        const uint32_t dims[] = {3, static_cast<uint32_t>(100 + key)};
        const float of_key[] = {static_cast<float>((key * 37) % 50) + 0.5f, 900};
        const size_t offsets[] = {0, 2};
        quern_batch* batch = quern_batch_new(file.db, "terms", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_sparse(batch, "w", offsets, dims, of_key, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        weights.emplace_back(of_key[0], key);
    }
    std::sort(weights.rbegin(), weights.rend());
    const size_t offsets[] = {0, 1};
    const uint32_t dim = 3;
    quern_query* query = quern_query_new(file.db, "terms");
    quern_query_sparse(query, "w", offsets, &dim, nullptr, 1);
    quern_query_limit(query, 5);
    quern_result* result = nullptr;
    file.Ok(quern_search(query, &result, &file.err));
    REQUIRE(quern_result_rows(result) == 5);
    for (size_t row = 0; row < 5; row++) {
        CHECK(quern_result_key_int(result, row) == weights[row].second);
        CHECK(quern_result_score(result, row) == weights[row].first);
    }
    quern_result_free(result);
    quern_query_free(query);
}
