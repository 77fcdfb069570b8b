// Recall that is measured on a query's own searches, and what is kept of it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/dense/recall_correction.h"
#include "indexed_file.h"

using indexed::IndexedFile;
using indexed::kDim;
using indexed::MakeRows;
using quern::dense::RecallCorrection;
using Json = nlohmann::json;

namespace {

constexpr size_t kRecords = 6000;
constexpr size_t kQueries = 400;

// Off the surface that the records lie on: to find their nearest takes more than it does for
// records.
std::vector<float> QueriesBeside(size_t count, uint64_t seed) {
    std::vector<float> rows = MakeRows(count, seed);
    std::mt19937_64 random(seed + 1);
    std::normal_distribution<float> normal(0.0f, 0.3f);
    for (float& x : rows) {
        x += normal(random);
    }
    return rows;
}

struct Audited {
    IndexedFile file;
    std::vector<float> queries = QueriesBeside(kQueries, 5);
    Audited() {
        file.FillOnce("audited", [&] {
            file.Create(QUERN_L2, "index=graph codes=4bit fine=memory m=4 ef_build=40");
            file.Insert(0, MakeRows(kRecords, 1));
            file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        });
    }
    quern_query* Query(size_t count, const char* options = "recall=0.9") {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", queries.data(), count, kDim);
        quern_query_limit(query, 10);
        quern_query_options(query, options);
        return query;
    }
    Json Audit(quern_query* query, const char* options) {
        quern_text* text = nullptr;
        file.Ok(quern_recall_audit(query, options, &text, &file.err));
        Json json = Json::parse(quern_text_data(text));
        quern_text_free(text);
        return json;
    }
    Json Audit(const char* options, size_t count = kQueries) {
        quern_query* query = Query(count);
        Json json = Audit(query, options);
        quern_query_free(query);
        return json;
    }
    // Counted here.
    double Recall(const char* options) {
        const auto found = file.Search(queries, 10, options).keys;
        const auto truth = file.Search(queries, 10, "recall=exact").keys;
        size_t hits = 0;
        for (size_t q = 0; q < kQueries; q++) {
            for (const int64_t key : found[q]) {
                hits += static_cast<size_t>(std::count(truth[q].begin(), truth[q].end(), key));
            }
        }
        return static_cast<double>(hits) / (10.0 * kQueries);
    }
};

}  // namespace

TEST_CASE("a correction asks for what delivers what is wanted", "[audit]") {
    CHECK(RecallCorrection().AskFor(0.9) == 0.9);
    const RecallCorrection correction({{0.8, 0.7}, {0.9, 0.84}, {0.95, 0.82}, {0.99, 0.95}});
    CHECK(correction.Text() == "0.8:0.7,0.9:0.82,0.95:0.82,0.99:0.95");
    CHECK(correction.AskFor(0.5) == 0.8);
    CHECK(correction.AskFor(0.82) == 0.9);
    // What is between two steps nobody has measured.
    CHECK(correction.AskFor(0.821) == 0.99);
    CHECK(correction.AskFor(0.95) == 0.99);
    CHECK(correction.AskFor(0.951) == 1);
    const auto read = RecallCorrection::Parse(correction.Text());
    REQUIRE(read.ok());
    CHECK(read->Text() == correction.Text());
    CHECK(RecallCorrection::Of("codes=i8 delivers=0.8:0.7 m=8").Text() == "0.8:0.7");
    CHECK(RecallCorrection::Of("codes=i8 undelivers=0.8:0.7").empty());
    for (const char* text : {"", "0.8", "0.8:", "0.8:0.7,", "0.8:0.7,0.8:0.9", "0.9:0.7,0.8:0.9",
                             "0:0.5", "1:0.5", "0.5:1.1", "0.5:-0.1", "nan:0.5", "0.5:nan",
                             "1e-1:0.5", "0.5:inf", "0.8:0.7;0.9:0.9", "0.8 :0.7"}) {
        INFO(text);
        CHECK_FALSE(RecallCorrection::Parse(text).ok());
        CHECK(RecallCorrection::Of("delivers=" + std::string(text)).empty());
    }
    const std::string descending = RecallCorrection::Parse("0.9:0.95,0.8:0.9").status().message();
    CHECK(descending.find("each asked one more than the one before") != std::string::npos);
    std::string many;
    for (int i = 1; i < 40; i++) {
        many += (i > 1 ? "," : "") + std::string("0.") + std::to_string(100 + i) + ":0.5";
    }
    CHECK_FALSE(RecallCorrection::Parse(many).ok());
}

TEST_CASE("a correction asks more where what is delivered jumps", "[audit]") {
    CHECK(RecallCorrection().AskBetween() == 0);
    CHECK(RecallCorrection({{0.9, 0.9}}).AskBetween() == 0);
    CHECK(RecallCorrection({{0.9, 0.9}, {0.95, 0.905}, {0.99, 0.91}}).AskBetween() == 0);
    // Nothing can be between.
    CHECK(RecallCorrection({{0.95, 0.7}, {0.953, 0.95}}).AskBetween() == 0);
    // So little no sample tells.
    CHECK(RecallCorrection({{0.99, 0.99995}, {0.999, 1}}).AskBetween() == 0);
    const double between = RecallCorrection({{0.6, 0.5}, {0.8, 0.996}, {0.99, 0.999}}).AskBetween();
    CHECK(between == Approx(1 - std::sqrt(0.4 * 0.2)).margin(1e-5));
    // As often as it asks, it comes to an end, and what it has can be kept.
    for (const bool jumps : {false, true}) {
        std::vector<RecallCorrection::Step> steps;
        const auto delivers = [&](double asked) { return jumps && asked < 0.7 ? 0.3 : asked; };
        for (const double asked : RecallCorrection::kAsked) {
            steps.push_back({asked, delivers(asked)});
        }
        while (const double asked = RecallCorrection(steps).AskBetween()) {
            const auto above = std::find_if(steps.begin(), steps.end(),
                                            [&](const auto& step) { return step.asked >= asked; });
            REQUIRE(above != steps.end());
            REQUIRE(above->asked > asked);
            steps.insert(above, {asked, delivers(asked)});
            REQUIRE(steps.size() <= 32);
        }
        const RecallCorrection correction(steps);
        CHECK(RecallCorrection::Parse(correction.Text()).ok());
        CHECK(steps.size() > RecallCorrection::kAsked.size());
        for (const double wanted : {0.5, 0.65, 0.8, 0.93, 0.97}) {
            CHECK(correction.AskFor(wanted) >= wanted);
            CHECK(correction.AskFor(wanted) < 1 - (1 - std::max(wanted, jumps ? 0.7 : 0)) * 0.7);
        }
    }
}

TEST_CASE("what an audit keeps loses no recall where a curve jumps", "[audit]") {
    // Walks find about seven of ten at most; a scan over codes nearly all.
    IndexedFile file;
    file.dim = 32;
    file.Create(QUERN_L2, "index=graph codes=1bit m=4 ef_build=10");
    std::mt19937_64 random(3);
    std::normal_distribution<float> normal;
    const auto rows = [&](size_t count) {
        std::vector<float> made(count * file.dim);
        for (float& x : made) {
            x = normal(random);
        }
        return made;
    };
    file.Insert(0, rows(kRecords));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = rows(100);
    const auto truth = file.Search(queries, 10, "recall=exact");
    quern_query* query = quern_query_new(file.db, "docs");
    quern_query_dense(query, "emb", queries.data(), 100, file.dim);
    quern_query_limit(query, 10);
    quern_text* text = nullptr;
    file.Ok(quern_recall_audit(query, "keep=yes", &text, &file.err));
    const std::string delivers = Json::parse(quern_text_data(text))["kept"][0]["delivers"];
    quern_text_free(text);
    quern_query_free(query);
    for (const double wanted : {0.5, 0.7, 0.8, 0.85, 0.9, 0.95}) {
        const std::string options = "recall=" + std::to_string(wanted);
        INFO(options << "; " << delivers);
        CHECK(indexed::Recall(file.Search(queries, 10, options.c_str()), truth) >= wanted);
    }
}

TEST_CASE("an audit tells the recall of queries as they are", "[audit]") {
    Audited audited;
    const Json json = audited.Audit(nullptr);
    CHECK(json["queries"] == kQueries);
    CHECK(json["field"] == "emb");
    CHECK(json["k"] == 10);
    CHECK(json["told"] == 0.9);
    CHECK(json["parts"].empty());
    CHECK(json["loses"].is_null());
    CHECK(json["kept"].empty());
    const double recall = json["recall"];
    CHECK(recall == Approx(audited.Recall("recall=0.9")).margin(1e-9));
    CHECK(recall < 0.98);
    CHECK(json["error"] > 0.0);
    CHECK(json["error"] < 0.05);
    const Json some = audited.Audit("sample=60");
    CHECK(some["queries"] == 60);
    CHECK(std::abs(some["recall"].get<double>() - recall) < 0.1);
}

TEST_CASE("what an audit keeps makes a told recall true for such queries", "[audit]") {
    Audited audited;
    const double before = audited.Recall("recall=0.9");
    const Json json = audited.Audit("keep=yes");
    REQUIRE(json["kept"].size() == 1);
    const std::string delivers = json["kept"][0]["delivers"];
    CHECK(RecallCorrection::Parse(delivers).ok());
    for (const char* told : {"recall=0.9", "recall=0.95"}) {
        const double wanted = std::stod(std::string(told).substr(7));
        const double recall = audited.Recall(told);
        INFO(told << " " << recall << ", before " << before << "; " << delivers);
        CHECK(recall >= wanted - 0.015);
    }
    // Knobs that are given count as before, and so does an exact search.
    CHECK(audited.file.Search(audited.queries, 10, "recall=exact").exact);
    const double after = audited.Recall("recall=0.9");
    audited.file.Open();
    CHECK(audited.Recall("recall=0.9") == after);
    // A search that scans has nothing to tell, and takes nothing away.
    quern_query* all = audited.Query(60);
    quern_query_limit(all, kRecords);
    CHECK(audited.Audit(all, "keep=yes")["kept"].empty());
    quern_query_free(all);
    CHECK(audited.Recall("recall=0.9") == after);
    // Kept again, it is measured on the curves and not on what was kept.
    CHECK(audited.Audit("keep=yes")["kept"][0]["delivers"] == delivers);
    CHECK(audited.Audit("keep=forget")["kept"][0]["delivers"] == "");
    CHECK(audited.Recall("recall=0.9") == before);
}

TEST_CASE("an audit names the leg that loses", "[audit]") {
    Audited audited;
    quern_query* near = audited.Query(100, "ef=10 refine=none");
    quern_query* exact = audited.Query(100, "recall=exact");
    quern_query* query = quern_query_new(audited.file.db, "docs");
    quern_query_leg(query, exact, 1, nullptr);
    quern_query_leg(query, near, 0.5, nullptr);
    quern_query_limit(query, 10);
    const Json json = audited.Audit(query, nullptr);
    REQUIRE(json["parts"].size() == 2);
    CHECK(json["parts"][0]["part"] == "leg 0");
    CHECK(json["parts"][0]["recall"] == 1.0);
    CHECK(json["parts"][0]["told"] == 1.0);
    CHECK(json["parts"][1]["recall"] < 1.0);
    CHECK(json["loses"] == "leg 1");
    quern_query_free(query);
    // So does one that only looks for candidates.
    query = audited.Query(100, "recall=exact");
    quern_query_candidates(query, near);
    const Json among = audited.Audit(query, nullptr);
    CHECK(among["loses"] == "candidates");
    // What was no candidate is not found, however well others score; and budgets count for nothing.
    CHECK(among["recall"].get<double>() < 1.0);
    quern_query_options(query, "max_scored=20");
    CHECK(audited.Audit(query, nullptr) == among);
    quern_query_free(query);
    quern_query_free(near);
    quern_query_free(exact);
}

TEST_CASE("an audit of scaled scores and ranks counts records", "[audit]") {
    // Poor first lists put all scores on another scale, where they look as good as the true ones.
    Audited audited;
    quern_query* near = audited.Query(100, "ef=10 refine=none");
    const std::vector<float> elsewhere = QueriesBeside(100, 9);
    quern_query* other = quern_query_new(audited.file.db, "docs");
    quern_query_dense(other, "emb", elsewhere.data(), 100, kDim);
    quern_query_options(other, "recall=exact");
    quern_query* nearest = audited.Query(100, "recall=exact");
    quern_query_limit(near, 10);
    quern_query_limit(nearest, 10);
    quern_query_limit(other, 60);
    for (const char* fusion : {"normalize=minmax", "normalize=zscore", "kind=rrf"}) {
        std::vector<std::set<int64_t>> found[2];
        quern_query* query = nullptr;
        for (const bool exact : {true, false}) {
            quern_query_free(query);
            query = quern_query_new(audited.file.db, "docs");
            quern_query_leg(query, other, 0.2, nullptr);
            quern_query_leg(query, exact ? nearest : near, 1, nullptr);
            quern_query_fusion(query, fusion);
            quern_query_limit(query, 10);
            quern_result* result = nullptr;
            audited.file.Ok(quern_search(query, &result, &audited.file.err));
            for (size_t q = 0; q < 100; q++) {
                std::set<int64_t>& keys = found[exact ? 0 : 1].emplace_back();
                for (size_t row = quern_result_offset(result, q);
                     row < quern_result_offset(result, q + 1); row++) {
                    keys.insert(quern_result_key_int(result, row));
                }
            }
            quern_result_free(result);
        }
        size_t common = 0;
        for (size_t q = 0; q < 100; q++) {
            common += static_cast<size_t>(
                std::count_if(found[1][q].begin(), found[1][q].end(),
                              [&](int64_t key) { return found[0][q].count(key) != 0; }));
        }
        INFO(fusion);
        const double recall = static_cast<double>(common) / 1000;
        CHECK(recall < 0.99);
        // Ties with the last are found as well: of ranks there are some.
        CHECK(audited.Audit(query, nullptr)["recall"].get<double>() ==
              Approx(recall).margin(std::string(fusion) == "kind=rrf" ? 0.06 : 1e-9));
        quern_query_free(query);
    }
    quern_query_free(near);
    quern_query_free(nearest);
    quern_query_free(other);
}

TEST_CASE("audits that cannot be", "[audit]") {
    Audited audited;
    quern_text* json = nullptr;
    const auto fails = [&](quern_query* query, const char* options, int32_t status) {
        CHECK(quern_recall_audit(query, options, &json, &audited.file.err) == status);
        CHECK(json == nullptr);
        quern_query_free(query);
    };
    fails(audited.Query(49), "keep=yes", QUERN_ERR_INVALID);
    fails(audited.Query(400), "keep=yes sample=49", QUERN_ERR_INVALID);
    fails(audited.Query(10), "keep=perhaps", QUERN_ERR_OPTION);
    fails(audited.Query(10), "sample=0", QUERN_ERR_OPTION);
    fails(audited.Query(0), nullptr, QUERN_ERR_INVALID);
    quern_query* query = audited.Query(10);
    quern_query_limit(query, 0);
    quern_query_max_distance(query, 1);
    fails(query, nullptr, QUERN_ERR_INVALID);
    query = audited.Query(10);
    quern_query_offset(query, 3);
    fails(query, nullptr, QUERN_ERR_INVALID);
    // There is nothing to keep of sparse and text fields, and nobody is left to think there is.
    audited.file.Ok(
        quern_add_sparse(audited.file.db, "docs", "terms", "approx=graph", &audited.file.err));
    audited.file.Ok(quern_add_text(audited.file.db, "docs", "words", nullptr, &audited.file.err));
    const std::vector<size_t> offsets(61, 0);
    const std::vector<const char*> texts(60, "any");
    const auto others = [&](bool sparse) {
        quern_query* other = quern_query_new(audited.file.db, "docs");
        if (sparse) {
            quern_query_sparse(other, "terms", offsets.data(), nullptr, nullptr, 60);
        } else {
            quern_query_text(other, "words", texts.data(), 60);
        }
        return other;
    };
    for (const bool sparse : {false, true}) {
        fails(others(sparse), "keep=yes", QUERN_ERR_INVALID);
        CHECK(std::string(audited.file.err.message).find("keep=yes") != std::string::npos);
        quern_query* other = others(sparse);
        CHECK(audited.Audit(other, "keep=forget")["kept"].empty());
        quern_query_free(other);
    }
    audited.file.Open("threads=1 mode=ro");
    fails(audited.Query(60), "keep=yes", QUERN_ERR_READ_ONLY);
    CHECK(audited.Audit(nullptr, 60)["queries"] == 60);
}
