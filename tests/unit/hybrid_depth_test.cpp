// What counts as a leg's first hits, and what is told of the hits of a fused search, through the C
// API on few records.
#include <quern.h>

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

namespace {

// Records 1, 2, ..., with a product with {1} each, words, and a year that is the key.
class Few {
public:
    Few(const std::vector<float>& products, const std::vector<const char*>& words) {
        Ok(quern_open(":memory:", nullptr, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "a", 1, QUERN_IP, nullptr);
        quern_schema_text(schema, "body", nullptr);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db, "few", schema, &err));
        quern_schema_free(schema);
        std::vector<int64_t> keys;
        for (size_t i = 0; i < products.size(); i++) {
            keys.push_back(static_cast<int64_t>(i) + 1);
        }
        quern_batch* batch = quern_batch_new(db, "few", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "a", products.data(), 1, nullptr);
        quern_batch_text(batch, "body", words.data(), nullptr);
        quern_batch_int(batch, "year", keys.data(), nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    ~Few() { quern_close(db); }
    Few(const Few&) = delete;
    Few& operator=(const Few&) = delete;

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    using Query = std::unique_ptr<quern_query, decltype(&quern_query_free)>;
    Query New() { return {quern_query_new(db, "few"), quern_query_free}; }
    Query Dense() {
        static const float kOne[] = {1};
        Query query = New();
        quern_query_dense(query.get(), "a", kOne, 1, 1);
        return query;
    }
    Query Text(const char* const* words) {
        Query query = New();
        quern_query_text(query.get(), "body", words, 1);
        return query;
    }
    std::vector<int64_t> Keys(const Query& query) {
        Ok(quern_search(query.get(), &result, &err));
        std::vector<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.push_back(quern_result_key_int(result, row));
        }
        return keys;
    }
    // Of the result of Keys.
    json Explained(const Query& query) {
        quern_text* text = nullptr;
        Ok(quern_explain_hits(query.get(), result, &text, &err));
        json all = json::parse(quern_text_data(text));
        quern_text_free(text);
        return all["hits"];
    }
    void Done() {
        quern_result_free(result);
        result = nullptr;
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
};

}  // namespace

TEST_CASE("a leg without a limit has all within its bound in its first list", "[hybrid]") {
    Few few({3, 2, 1, -1}, {"x", "x", "x", "x"});
    const Few::Query leg = few.Dense();
    quern_query_limit(leg.get(), 0);
    quern_query_min_score(leg.get(), 0);
    for (const char* const fusion : {"kind=rrf", "normalize=minmax", "normalize=zscore"}) {
        CAPTURE(fusion);
        const Few::Query query = few.New();
        quern_query_leg(query.get(), leg.get(), 1, nullptr);
        quern_query_fusion(query.get(), fusion);
        quern_query_limit(query.get(), 10);
        CHECK(few.Keys(query) == std::vector<int64_t>{1, 2, 3});
        if (fusion == std::string("normalize=minmax")) {
            CHECK(quern_result_score(few.result, 1) == Approx(0.5));
            CHECK(quern_result_score(few.result, 2) == Approx(0).margin(1e-7));
        }
        few.Done();
    }
    const Few::Query query = few.New();
    quern_query_leg(query.get(), leg.get(), 1, "name=e");
    quern_query_formula(query.get(), "e * (year - 2)");
    quern_query_limit(query.get(), 1);
    CHECK(few.Keys(query) == std::vector<int64_t>{3});
    few.Done();
}

TEST_CASE("a query without a limit keeps to the first lists of its legs", "[hybrid]") {
    Few few({3, 2, 1}, {"x", "x", "x"});
    const Few::Query leg = few.Dense();
    quern_query_limit(leg.get(), 2);
    const Few::Query query = few.New();
    quern_query_leg(query.get(), leg.get(), 1, nullptr);
    quern_query_limit(query.get(), 0);
    quern_query_min_score(query.get(), -9);
    quern_query_fusion(query.get(), "kind=rrf");
    CHECK(few.Keys(query) == std::vector<int64_t>{1, 2});
    few.Done();
    // Scaled by the first two, and all there are.
    quern_query_fusion(query.get(), "kind=sum normalize=minmax");
    CHECK(few.Keys(query) == std::vector<int64_t>{1, 2, 3});
    CHECK(quern_result_score(few.result, 2) == Approx(-1));
    few.Done();
}

TEST_CASE("what matches is never behind what does not, under normalize", "[hybrid]") {
    // Record 4 is better in both legs than record 5, which has no word; the list of the text has
    // two.
    Few few({5, 4, 1, 0.9f, 0.8f}, {"cat cat cat", "cat cat dog", "cat dog dog",
                                    "cat dog dog dog dog dog dog dog", "dog"});
    const char* const words[] = {"cat"};
    const Few::Query text = few.Text(words);
    quern_query_limit(text.get(), 2);
    const Few::Query dense = few.Dense();
    for (const char* const fusion :
         {"normalize=minmax", "normalize=zscore", "normalize=distribution"}) {
        CAPTURE(fusion);
        const Few::Query query = few.New();
        quern_query_leg(query.get(), dense.get(), 1, nullptr);
        quern_query_leg(query.get(), text.get(), 1, nullptr);
        quern_query_fusion(query.get(), fusion);
        const std::vector<int64_t> keys = few.Keys(query);
        REQUIRE(keys.size() == 5);
        CHECK(keys[4] == 5);
        few.Done();
    }
}

TEST_CASE("explained hits tell what the result was made of", "[hybrid]") {
    Few few({3, 2, 1}, {"cat", "cat", "dog"});
    const char* const words[] = {"cat"};
    const Few::Query dense = few.Dense();
    const Few::Query text = few.Text(words);
    SECTION("a leg with candidates of its own says nothing of others") {
        const Few::Query leg = few.Dense();
        const Few::Query from = few.Text(words);
        quern_query_candidates(leg.get(), from.get());
        const Few::Query query = few.New();
        quern_query_leg(query.get(), dense.get(), 1, nullptr);
        quern_query_leg(query.get(), leg.get(), 2, nullptr);
        CHECK(few.Keys(query) == std::vector<int64_t>{1, 2, 3});
        const json hits = few.Explained(query);
        CHECK(hits[0]["legs"][1]["score"] == 3);
        CHECK(hits[2]["legs"][1]["score"].is_null());
        for (const json& hit : hits) {
            double sum = 0;
            for (const json& of_leg : hit["legs"]) {
                sum += of_leg["part"].get<double>();
            }
            CHECK(sum == Approx(hit["score"].get<double>()));
        }
    }
    SECTION("a formula tells its values") {
        const Few::Query query = few.New();
        quern_query_leg(query.get(), dense.get(), 1, "name=e");
        quern_query_formula(query.get(), "2 * e + year");
        CHECK(few.Keys(query) == std::vector<int64_t>{1, 2, 3});
        const json hits = few.Explained(query);
        CHECK(hits[1]["formula"] ==
              json({{"text", "2 * e + year"}, {"values", {{"l0", 2}, {"year", 2}}}}));
    }
    SECTION("what a list did not hold has no rank") {
        Few ties({2, 2, 2}, {"x", "x", "x"});
        const Few::Query leg = ties.Dense();
        quern_query_limit(leg.get(), 1);
        const Few::Query other = ties.Dense();
        const Few::Query query = ties.New();
        quern_query_leg(query.get(), leg.get(), 1, nullptr);
        quern_query_leg(query.get(), other.get(), 1, nullptr);
        quern_query_fusion(query.get(), "kind=rrf");
        CHECK(ties.Keys(query) == std::vector<int64_t>{1, 2, 3});
        const json hits = ties.Explained(query);
        CHECK(hits[0]["legs"][0]["rank"] == 1);
        CHECK(hits[1]["legs"][0]["rank"].is_null());
        CHECK(hits[1]["legs"][1]["rank"] == 1);
        ties.Done();
    }
    few.Done();
}

TEST_CASE("legs that contradict are refused for what they are", "[hybrid]") {
    Few few({1}, {"x"});
    const Few::Query dense = few.Dense();
    const Few::Query against = few.New();
    quern_query_leg(against.get(), dense.get(), 1, "against=1");
    quern_query_fusion(against.get(), "kind=best");
    CHECK(quern_search(against.get(), &few.result, &few.err) == QUERN_ERR_INVALID);
    CHECK(std::string(few.err.message).find("against=1") != std::string::npos);
}

TEST_CASE("candidates of a leg are as many as the leg gives", "[hybrid]") {
    std::vector<float> products;
    std::vector<const char*> words;
    for (int i = 0; i < 300; i++) {
        products.push_back(static_cast<float>(i));
        words.push_back("x");
    }
    Few few(products, words);
    const Few::Query leg = few.Dense();
    const Few::Query from = few.Dense();
    quern_query_candidates(leg.get(), from.get());
    const Few::Query query = few.New();
    quern_query_leg(query.get(), leg.get(), 1, nullptr);
    quern_query_limit(query.get(), 250);
    CHECK(few.Keys(query).size() == 250);
    few.Done();
}

TEST_CASE("a leg that is asked for all of the true ones is exact, whatever bound= and terms= say",
          "[hybrid]") {
    constexpr size_t kRecords = 400;
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    REQUIRE(quern_open(":memory:", nullptr, &db, &err) == QUERN_OK);
    quern_schema* schema = quern_schema_new();
    quern_schema_sparse(schema, "terms", nullptr);
    quern_schema_text(schema, "body", nullptr);
    REQUIRE(quern_create(db, "docs", schema, &err) == QUERN_OK);
    quern_schema_free(schema);
    std::vector<int64_t> keys;
    std::vector<size_t> offsets = {0};
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    std::vector<const char*> words;
    for (size_t i = 0; i < kRecords; i++) {
        keys.push_back(static_cast<int64_t>(i));
        dims.push_back(7);
        weights.push_back(1 + static_cast<float>(i % 97));
        offsets.push_back(dims.size());
        words.push_back(i % 3 == 0 ? "cat" : i % 3 == 1 ? "cat dog" : "cat cat dog dog dog");
    }
    quern_batch* batch = quern_batch_new(db, "docs", kRecords);
    quern_batch_key_int(batch, keys.data());
    quern_batch_sparse(batch, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
    quern_batch_text(batch, "body", words.data(), nullptr);
    REQUIRE(quern_upsert(batch, nullptr, &err) == QUERN_OK);
    quern_batch_free(batch);
    // How long the lists of both legs are.
    const auto lists = [&](const char* of_terms, const char* of_body) {
        quern_query* terms = quern_query_new(db, "docs");
        quern_query_sparse(terms, "terms", offsets.data(), dims.data(), weights.data(), 1);
        quern_query_options(terms, of_terms);
        quern_query* body = quern_query_new(db, "docs");
        const char* const cat[] = {"cat"};
        quern_query_text(body, "body", cat, 1);
        quern_query_options(body, of_body);
        quern_query* query = quern_query_new(db, "docs");
        quern_query_leg(query, terms, 1, nullptr);
        quern_query_leg(query, body, 1, nullptr);
        quern_query_fusion(query, "kind=sum");
        quern_query_limit(query, 100);
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &err) == QUERN_OK);
        CHECK((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
        quern_text* text = nullptr;
        REQUIRE(quern_result_explain(result, &text, &err) == QUERN_OK);
        json legs = json::parse(quern_text_data(text))["legs"];
        quern_text_free(text);
        quern_result_free(result);
        quern_query_free(query);
        quern_query_free(body);
        quern_query_free(terms);
        REQUIRE(legs.size() == 2);
        return std::vector<json>{legs[0]["hits"], legs[0]["lists"], legs[1]["hits"],
                                 legs[1]["lists"]};
    };
    const std::vector<json> exact = lists("recall=exact", "recall=exact");
    CHECK(exact[0] >= 150);
    CHECK(lists("recall=exact bound=0.5", nullptr) == exact);
    CHECK(lists("recall=1 terms=3 bound=0.5", nullptr) == exact);
    CHECK(lists(nullptr, "bound=0.5 terms=3") == exact);
    // Without that, the first list is no longer than is asked for, and proves nothing yet.
    CHECK(exact[1] == 1);
    CHECK(lists("bound=0.5", nullptr)[1] > 1);
    CHECK(lists("terms=3", nullptr)[1] > 1);
    quern_close(db);
}
