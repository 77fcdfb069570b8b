// Searches through indexes with filters of every selectivity: only what matches, always as many as
// there must be, near what a scan finds.
#include <map>

#include "tests/unit/indexed_file.h"

using namespace indexed;

namespace {

constexpr size_t kRows = 12000;

// share is a number below 10000, far a cluster's number.
void Fill(IndexedFile* file, const std::string& options, const std::vector<float>& rows) {
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "share", QUERN_INT, nullptr);
    quern_schema_attr(schema, "side", QUERN_REAL, nullptr);
    quern_schema_dense(schema, "emb", kDim, QUERN_L2, options.c_str());
    file->Ok(quern_create(file->db, "docs", schema, &file->err));
    quern_schema_free(schema);
    std::mt19937_64 random(5);
    std::vector<int64_t> keys(kRows);
    std::vector<int64_t> shares(kRows);
    std::vector<double> sides(kRows);
    std::vector<uint8_t> valid(kRows);
    for (size_t i = 0; i < kRows; i++) {
        keys[i] = static_cast<int64_t>(i);
        shares[i] = static_cast<int64_t>(random() % 10000);
        sides[i] = rows[i * kDim];
        valid[i] = random() % 20 != 0;
    }
    const auto put = [&](size_t first, size_t count) {
        quern_batch* batch = quern_batch_new(file->db, "docs", count);
        quern_batch_key_int(batch, keys.data() + first);
        quern_batch_int(batch, "share", shares.data() + first, nullptr);
        quern_batch_real(batch, "side", sides.data() + first, nullptr);
        quern_batch_dense(batch, "emb", rows.data() + first * kDim, kDim, valid.data() + first);
        file->Ok(quern_upsert(batch, nullptr, &file->err));
        quern_batch_free(batch);
    };
    put(0, kRows - 500);
    file->Ok(quern_optimize(file->db, nullptr, 0, &file->err));
    put(kRows - 500, 500);
    file->Delete({5, 6, 7, static_cast<int64_t>(kRows) - 3});
}

IndexedFile::Answer Ask(IndexedFile* file, const std::string& filter,
                        const std::vector<float>& queries, size_t k, const char* options) {
    quern_query* query = quern_query_new(file->db, "docs");
    quern_query_dense(query, "emb", queries.data(), queries.size() / kDim, kDim);
    quern_query_limit(query, k);
    quern_query_options(query, options);
    quern_query_filter(query, filter.c_str());
    quern_result* result = nullptr;
    file->Ok(quern_search(query, &result, &file->err));
    IndexedFile::Answer answer;
    for (size_t q = 0; q < queries.size() / kDim; q++) {
        answer.keys.emplace_back();
        for (size_t row = quern_result_offset(result, q); row < quern_result_offset(result, q + 1);
             row++) {
            answer.keys.back().push_back(quern_result_key_int(result, row));
        }
    }
    answer.exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
    quern_result_free(result);
    quern_query_free(query);
    return answer;
}

std::set<int64_t> Matches(IndexedFile* file, const std::string& filter) {
    quern_result* result = nullptr;
    file->Ok(quern_sql(file->db, nullptr, ("SELECT id FROM docs WHERE " + filter).c_str(), &result,
                       &file->err));
    std::set<int64_t> keys;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        keys.insert(quern_result_int(result, row, 0));
    }
    quern_result_free(result);
    return keys;
}

}  // namespace

TEST_CASE("filtered searches give min(k, matches), all of them matching", "[filter][index]") {
    const std::vector<float> rows = MakeRows(kRows, 3);
    const std::vector<float> queries = MakeRows(40, 4);
    for (const std::string options :
         {"index=graph codes=i8", "index=lists", "index=graph codes=f32", "index=none fine=disk"}) {
        CAPTURE(options);
        IndexedFile file("_filtered");
        Fill(&file, options, rows);
        for (const std::string filter :
             {"1", "share < 5000", "share < 3000", "share < 1000", "share < 300", "share < 100",
              "share < 10", "share = 1", "share < 0", "side > 0.9", "side < -0.5", "share is null",
              "id < 40", "id > 11600"}) {
            CAPTURE(filter);
            const std::set<int64_t> matches = Matches(&file, filter);
            const auto truth = Ask(&file, filter, queries, 10, "recall=exact");
            const auto found = Ask(&file, filter, queries, 10, "");
            CHECK(truth.exact);
            const size_t wanted = truth.keys[0].size();
            CHECK(wanted <= matches.size());
            CHECK((wanted == 10 || matches.size() < 30));
            for (size_t q = 0; q < truth.keys.size(); q++) {
                REQUIRE(found.keys[q].size() == wanted);
                REQUIRE(truth.keys[q].size() == wanted);
                for (const auto& keys : {found.keys[q], truth.keys[q]}) {
                    for (const int64_t key : keys) {
                        REQUIRE(matches.count(key) == 1);
                    }
                }
            }
            if (wanted > 0) {
                CHECK(Recall(found, truth) >= 0.9);
            }
            // One by one as in a batch, and against distances of our own.
            const std::vector<float> one(queries.begin(), queries.begin() + kDim);
            CHECK(Ask(&file, filter, one, 10, "recall=exact").keys[0] == truth.keys[0]);
        }
    }
}

TEST_CASE("an exact filtered search is the right one", "[filter]") {
    const std::vector<float> rows = MakeRows(kRows, 3);
    const std::vector<float> queries = MakeRows(5, 4);
    IndexedFile file("_right");
    Fill(&file, "index=none", rows);
    const std::set<int64_t> matches = Matches(&file, "share % 3 = 1");
    // Records without a vector are found by no search.
    const std::set<int64_t> with_vector = [&] {
        const auto all =
            Ask(&file, "1", {queries.begin(), queries.begin() + kDim}, kRows, "recall=exact");
        return std::set<int64_t>(all.keys[0].begin(), all.keys[0].end());
    }();
    const auto found = Ask(&file, "share % 3 = 1", queries, 10, "");
    for (size_t q = 0; q < found.keys.size(); q++) {
        std::multimap<float, int64_t> nearest;
        for (const int64_t key : matches) {
            if (with_vector.count(key) == 0) {
                continue;
            }
            float distance = 0;
            for (size_t d = 0; d < kDim; d++) {
                const float difference =
                    rows[static_cast<size_t>(key) * kDim + d] - queries[q * kDim + d];
                distance += difference * difference;
            }
            nearest.emplace(distance, key);
        }
        std::set<int64_t> wanted;
        for (auto at = nearest.begin(); wanted.size() < 10; ++at) {
            wanted.insert(at->second);
        }
        CHECK(std::set<int64_t>(found.keys[q].begin(), found.keys[q].end()) == wanted);
    }
}

namespace {

std::string Explain(IndexedFile* file, const std::string& filter, const std::vector<float>& query,
                    const char* options = "") {
    quern_query* q = quern_query_new(file->db, "docs");
    quern_query_dense(q, "emb", query.data(), 1, kDim);
    quern_query_filter(q, filter.c_str());
    quern_query_options(q, options);
    quern_text* json = nullptr;
    file->Ok(quern_query_explain(q, &json, &file->err));
    std::string text = quern_text_data(json);
    quern_text_free(json);
    quern_query_free(q);
    return text;
}

double NumberIn(const std::string& json, const std::string& key) {
    const size_t at = json.find("\"" + key + "\":");
    REQUIRE(at != std::string::npos);
    return std::stod(json.substr(at + key.size() + 3));
}

}  // namespace

TEST_CASE("explain tells the way of each condition and each segment", "[filter][index]") {
    IndexedFile file("_explain");
    Fill(&file, "index=graph codes=i8", MakeRows(kRows, 3));
    const std::vector<float> query = MakeRows(1, 4);
    const auto explain = [&](const std::string& filter) { return Explain(&file, filter, query); };
    const auto says = [](const std::string& text, const char* piece) {
        INFO(text);
        CHECK(text.find(piece) != std::string::npos);
    };
    const std::string few = explain("share < 10 or abs(side) < 0");
    says(few, R"({"text":"share < 10","byte":0,"by":"columns"})");
    says(few, R"({"text":"abs(side) < 0","byte":14,"by":"sqlite"})");
    says(few, R"("way":"scan")");
    says(explain("share < 5000"), R"("way":"graph")");
    says(explain("share < 5000"),
         ("\"matches\":" + std::to_string(Matches(&file, "share < 5000").size())).c_str());
}

TEST_CASE("lists are opened where they cost less than a scan of the matches", "[filter][index]") {
    const std::vector<float> query = MakeRows(1, 4);
    for (const char* options : {"index=lists codes=i8", "index=lists codes=f32"}) {
        CAPTURE(options);
        IndexedFile file("_lists_cost");
        Fill(&file, options, MakeRows(kRows, 3));
        // Vectors are in memory after it.
        static_cast<void>(Ask(&file, "1", query, 10, "recall=exact"));
        for (const char* few : {"share < 30", "share < 100", "share < 300", "share < 1000"}) {
            const std::string text = Explain(&file, few, query);
            INFO(text);
            CHECK(text.find(R"("way":"scan")") != std::string::npos);
            CHECK(NumberIn(text, "lists_cost") > NumberIn(text, "scan_cost") * 0.9);
        }
        const std::string all = Explain(&file, "share < 9000", query);
        INFO(all);
        CHECK(all.find(R"("way":"lists")") != std::string::npos);
        CHECK(NumberIn(all, "lists_cost") < NumberIn(all, "scan_cost"));
        // Every segment has every cost, those of ways that there are not are 0.
        CHECK(NumberIn(all, "walk_cost") == 0);
        CHECK(NumberIn(all, "codes_cost") == 0);
        const std::string exact = Explain(&file, "share < 9000", query, "recall=exact");
        CHECK(NumberIn(exact, "lists_cost") == 0);
        CHECK(NumberIn(exact, "scan_cost") == 0);
    }
}

TEST_CASE("a filter that is true for every record costs what none does", "[filter][index]") {
    IndexedFile file("_true");
    const std::vector<float> queries = MakeRows(40, 4);
    Fill(&file, "index=graph codes=i8", MakeRows(kRows, 3));
    const auto scored = [&](const std::string& filter) {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", queries.data(), 40, kDim);
        quern_query_limit(query, 10);
        quern_query_filter(query, filter.empty() ? nullptr : filter.c_str());
        quern_result* result = nullptr;
        file.Ok(quern_search(query, &result, &file.err));
        const int64_t codes = quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED);
        quern_result_free(result);
        quern_query_free(query);
        return codes;
    };
    // Some records are deleted, in the segment and in the log.
    CHECK(scored("share >= 0") == scored(""));
    CHECK(Ask(&file, "share >= 0", queries, 10, "").keys == Ask(&file, "1", queries, 10, "").keys);
    CHECK(scored("share >= 10") != scored(""));
}
