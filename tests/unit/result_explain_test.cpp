// What a result tells of how it came about (quern_result_explain), beside counts of its own: the
// chunks that SQLite says there are, records that match, and what the same search says elsewhere.
#include <sqlite3.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "articles_file.h"
#include "indexed_file.h"

using Json = nlohmann::json;
using indexed::IndexedFile;
using indexed::kDim;

namespace {

struct Searched {
    Json json;
    std::map<int32_t, int64_t> stats;
    std::vector<std::map<int32_t, int64_t>> legs;
};

Searched Run(quern_query* query) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
    const int32_t status = quern_search(query, &result, &err);
    INFO(err.message);
    REQUIRE(status == QUERN_OK);
    quern_text* text = nullptr;
    REQUIRE(quern_result_explain(result, &text, &err) == QUERN_OK);
    Searched searched;
    searched.json = Json::parse(quern_text_data(text));
    quern_text_free(text);
    searched.legs.resize(quern_result_legs(result));
    for (int32_t stat = 1; stat <= QUERN_RESULT_SCORED_IN_CELLS; stat++) {
        searched.stats[stat] = quern_result_stat(result, stat);
        for (size_t leg = 0; leg < searched.legs.size(); leg++) {
            searched.legs[leg][stat] = quern_result_leg_stat(result, leg, stat);
        }
    }
    quern_result_free(result);
    return searched;
}

Json Planned(quern_query* query) {
    quern_error err = QUERN_ERROR_INIT;
    quern_text* text = nullptr;
    REQUIRE(quern_query_explain(query, &text, &err) == QUERN_OK);
    Json json = Json::parse(quern_text_data(text));
    quern_text_free(text);
    return json;
}

int64_t Sum(const Json& segments, const char* name) {
    int64_t sum = 0;
    for (const Json& segment : segments) {
        sum += segment["truth"].value(name, int64_t{0});
    }
    return sum;
}

// Everything that the counts of a search are in two places.
void Agree(const Searched& searched) {
    const std::pair<const char*, int32_t> names[] = {
        {"vectors_scored", QUERN_RESULT_VECTORS_SCORED},
        {"scored_by_walks", QUERN_RESULT_SCORED_BY_WALKS},
        {"scored_by_codes", QUERN_RESULT_SCORED_BY_CODES},
        {"scored_in_cells", QUERN_RESULT_SCORED_IN_CELLS},
        {"vectors_refined", QUERN_RESULT_VECTORS_REFINED},
        {"vectors_read", QUERN_RESULT_VECTORS_READ},
        {"vectors_cached", QUERN_RESULT_VECTORS_CACHED},
        {"postings", QUERN_RESULT_POSTINGS},
        {"cells_opened", QUERN_RESULT_CELLS_OPENED}};
    for (const auto& [name, stat] : names) {
        CAPTURE(name);
        REQUIRE(searched.json["counts"][name] == searched.stats.at(stat));
        for (size_t leg = 0; leg < searched.legs.size(); leg++) {
            REQUIRE(searched.json["legs"][leg]["counts"].value(name, int64_t{0}) ==
                    searched.legs[leg].at(stat));
        }
    }
    const Json& read = searched.json["counts"]["read"];
    REQUIRE(read["bytes"] == searched.stats.at(QUERN_RESULT_BYTES_READ));
    REQUIRE(read["chunks"] == searched.stats.at(QUERN_RESULT_CHUNKS_READ));
    REQUIRE(read["pages_cached"] == searched.stats.at(QUERN_RESULT_PAGES_CACHED));
    REQUIRE(searched.json["time_ns"]["total"] == searched.stats.at(QUERN_RESULT_TOTAL_NS));
}

// Chunks of the file's parts of these kinds.
int64_t Chunks(const std::string& path, const std::string& kinds) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    const std::string sql =
        "SELECT count(*) FROM quern_chunk WHERE id >> 20 IN (SELECT id FROM quern_part" +
        (kinds.empty() ? std::string() : " WHERE kind IN (" + kinds + ")") + ")";
    REQUIRE(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    const int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

struct Attributed : IndexedFile {
    explicit Attributed(const char* options, size_t count = 6000) : IndexedFile("_explain") {
        FillOnce("explain " + std::to_string(count) + " " + options, [&] {
            quern_schema* schema = quern_schema_new();
            quern_schema_attr(schema, "year", QUERN_INT, nullptr);
            quern_schema_dense(schema, "emb", kDim, QUERN_L2, options);
            Ok(quern_create(db, "docs", schema, &err));
            quern_schema_free(schema);
            Add(0, count);
            Ok(quern_optimize(db, nullptr, 0, &err));
        });
    }
    // Record i has the year i % 100.
    void Add(int64_t first, size_t count) {
        const std::vector<float> rows = indexed::MakeRows(count, static_cast<uint64_t>(first) + 3);
        std::vector<int64_t> keys(count), years(count);
        for (size_t i = 0; i < count; i++) {
            keys[i] = first + static_cast<int64_t>(i);
            years[i] = keys[i] % 100;
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "year", years.data(), nullptr);
        quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    quern_query* Query(const std::vector<float>& queries, const char* options,
                       const char* filter = nullptr) {
        quern_query* query = quern_query_new(db, "docs");
        quern_query_dense(query, "emb", queries.data(), queries.size() / kDim, kDim);
        quern_query_options(query, options);
        quern_query_filter(query, filter);
        return query;
    }
};

}  // namespace

TEST_CASE("chunks, pages and vectors that are read or found in memory are counted", "[explain]") {
    Attributed file("index=none", 20000);
    const std::vector<float> queries = indexed::MakeRows(2, 99);
    file.Open("threads=1");
    quern_query* query = file.Query(queries, "recall=1");
    const Searched cold = Run(query);
    Agree(cold);
    // Vectors, and the row ids that tell keys.
    const int64_t vectors = Chunks(file.path, "3");
    CHECK(vectors > 1);
    CHECK(cold.stats.at(QUERN_RESULT_CHUNKS_READ) >= vectors);
    CHECK(cold.stats.at(QUERN_RESULT_CHUNKS_READ) <= vectors + Chunks(file.path, "1"));
    CHECK(Sum(cold.json["segments"], "vectors_scored") == 40000);
    CHECK(cold.json["segments"][0]["truth"]["read"]["chunks"].get<int64_t>() >= vectors);
    const Searched warm = Run(query);
    Agree(warm);
    CHECK(warm.stats.at(QUERN_RESULT_CHUNKS_READ) == 0);
    CHECK(warm.stats.at(QUERN_RESULT_BYTES_READ) == 0);
    quern_query_free(query);

    // Not kept in memory: the same chunks again, and pages that the connection still has.
    file.Open("threads=1 memory_mb=1 cache_mb=0");
    query = file.Query(queries, "recall=1");
    for (int round = 0; round < 2; round++) {
        const Searched streamed = Run(query);
        Agree(streamed);
        CHECK(streamed.stats.at(QUERN_RESULT_CHUNKS_READ) >= vectors);
        CHECK(streamed.stats.at(QUERN_RESULT_PAGES_CACHED) > 0);
    }
    quern_query_free(query);
}

TEST_CASE("candidates of a walk are in memory or are read", "[explain]") {
    Attributed file("index=graph codes=i8 m=8");
    file.Open("threads=1 cache_mb=8 memory_mb=2");
    const std::vector<float> queries = indexed::MakeRows(1, 98);
    quern_query* query = file.Query(queries, "ef=64 refine=exact");
    int64_t looked_at = 0;
    for (int round = 0; round < 3; round++) {
        const Searched searched = Run(query);
        Agree(searched);
        const int64_t read = searched.stats.at(QUERN_RESULT_VECTORS_READ);
        const int64_t cached = searched.stats.at(QUERN_RESULT_VECTORS_CACHED);
        if (searched.stats.at(QUERN_RESULT_SCORED_BY_WALKS) == 0) {
            continue;  // no room for the index
        }
        CHECK(read + cached == searched.stats.at(QUERN_RESULT_VECTORS_REFINED));
        CHECK((round == 0 || cached == looked_at));
        looked_at = read + cached;
    }
    quern_query_free(query);
}

TEST_CASE("plans are told beside what was done", "[explain]") {
    for (const char* options : {"index=graph codes=i8 m=8", "index=graph codes=f32 m=8",
                                "index=lists lists=60 codes=i8", "index=none"}) {
        Attributed file(options);
        file.Add(6000, 50);  // stays in the log
        const std::vector<float> queries = indexed::MakeRows(5, 97);
        for (const char* filter : {"", "year < 50", "year < 3", "id < 20", "year < 0"}) {
            for (const char* knobs : {"", "recall=1", "recall=0.99"}) {
                CAPTURE(options, filter, knobs);
                quern_query* query = file.Query(queries, knobs, *filter != 0 ? filter : nullptr);
                const Json plan = Planned(query);
                const Searched searched = Run(query);
                quern_query_free(query);
                Agree(searched);
                const Json& segments = searched.json["segments"];
                REQUIRE(segments.size() == 2);
                CHECK(segments[1]["segment"] == "log");
                const Json& segment = segments[0];
                CHECK(segment["segment"] == plan["segments"][0]["segment"]);
                CHECK(segment["records"] == 6000);
                CHECK(segment["queries"] == 5);
                // What matches, by hand.
                const int64_t matches = *filter == 0                         ? 6000
                                        : std::string(filter) == "year < 50" ? 3000
                                        : std::string(filter) == "year < 3"  ? 180
                                        : std::string(filter) == "id < 20"   ? 20
                                                                             : 0;
                CHECK(segment["matches"] == matches);
                CHECK(segment["estimate"]["selectivity"].get<double>() ==
                      Approx(static_cast<double>(matches) / 6000));
                // Ways: that of the plan, and as many answers as queries.
                CHECK(segment["way"] == plan["segments"][0]["way"]);
                int64_t answers = 0;
                for (const auto& [way, count] : segment["truth"]["ways"].items()) {
                    answers += count.get<int64_t>();
                }
                CHECK(answers == 5);
                CHECK(Sum(segments, "vectors_scored") ==
                      searched.stats.at(QUERN_RESULT_VECTORS_SCORED));
                CHECK(Sum(segments, "vectors_refined") ==
                      searched.stats.at(QUERN_RESULT_VECTORS_REFINED));
                const Json& truth = segment["truth"];
                const Json& estimate = segment["estimate"];
                if (truth["ways"].value("scan", 0) == 5 && segment["way"] == "scan") {
                    // A scan looks at what it said it would, for what it said it costs.
                    CHECK(estimate["vectors_scored"] == truth["vectors_scored"]);
                    CHECK(truth["vectors_scored"] == 5 * matches);
                    CHECK(truth["selectivity"] == estimate["selectivity"]);
                    if (matches > 0) {
                        CHECK(truth["cost_ns"].get<double>() ==
                              Approx(estimate["cost_ns"].get<double>()).epsilon(0.01));
                    }
                } else {
                    CHECK(estimate["vectors_scored"].get<int64_t>() > 0);
                    CHECK(truth["cost_ns"].get<int64_t>() > 0);
                    CHECK(estimate["cost_ns"].get<int64_t>() > 0);
                    CHECK(estimate["ways_ns"].size() >= 2);
                }
                if (segment["way"] == "graph" && *filter != 0) {
                    const double met = truth["selectivity"].get<double>();
                    CHECK((met > 0 && met <= 1));
                }
                // Of the log, what matches is looked at.
                const int64_t in_log = *filter == 0 || std::string(filter) == "year < 50" ? 50
                                       : std::string(filter) == "year < 3"                ? 3
                                                                                          : 0;
                CHECK(segments[1]["matches"] == in_log);
                CHECK(segments[1]["estimate"]["vectors_scored"] == 5 * in_log);
                CHECK(segments[1]["truth"]["vectors_scored"] == 5 * in_log);
            }
        }
    }
}

TEST_CASE("legs, candidates and feedback are explained like searches of their own", "[explain]") {
    using namespace quern::testing;
    Articles articles;
    for (int64_t key = 0; key < 400; key++) {
        articles.Put(key);
        if (key == 300) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int round = 0; round < 40; round++) {
        CAPTURE(round);
        quern_query* query = quern_query_new(articles.db, "articles");
        std::vector<LegQuery> legs;
        legs.reserve(3);
        for (size_t l = 0; l < 3; l++) {
            legs.push_back(LegQuery::Make(&articles));
            quern_query* leg = legs[l].Query(articles.db);
            quern_query_leg(query, leg, 1, l == 1 ? "name=second" : nullptr);
            quern_query_free(leg);
        }
        const LegQuery first = LegQuery::Make(&articles);
        const bool among = round % 2 == 1;
        if (among) {
            quern_query* from = first.Query(articles.db);
            quern_query_candidates(query, from);
            quern_query_free(from);
        }
        quern_query_filter(query, round % 3 == 0 ? kFilter : nullptr);
        const Searched searched = Run(query);
        quern_query_free(query);
        Agree(searched);
        const char* const fields[] = {"emb", "place", "terms", "body"};
        REQUIRE(searched.json["legs"].size() == 3);
        CHECK(searched.json["legs"][1]["name"] == "second");
        for (size_t l = 0; l < 3; l++) {
            const Json& leg = searched.json["legs"][l];
            CHECK(leg["field"] == fields[legs[l].field]);
            CHECK(leg["lists"] == searched.legs[l].at(QUERN_RESULT_LISTS));
            CHECK(leg["looked_up"] == searched.legs[l].at(QUERN_RESULT_LOOKED_UP));
            if (among) {
                CHECK(leg.count("segments") == 0);
                CHECK(leg.count("candidates_scored") == 1);
            } else {
                CHECK(Sum(leg["segments"], "vectors_scored") ==
                      searched.legs[l].at(QUERN_RESULT_VECTORS_SCORED));
                CHECK(Sum(leg["segments"], "postings") ==
                      searched.legs[l].at(QUERN_RESULT_POSTINGS));
            }
        }
        CHECK((searched.json.count("candidates") == 1) == among);
        if (among) {
            const Json& from = searched.json["candidates"];
            CHECK(from["field"] == fields[first.field]);
            CHECK(Sum(from["segments"], "vectors_scored") == from["counts"]["vectors_scored"]);
        }
    }
    // Pages are searched deeper and deeper: all of it counts. Feedback is a search before.
    const LegQuery leg = [&] {
        LegQuery made = LegQuery::Make(&articles);
        while (made.field != 0) {
            made = LegQuery::Make(&articles);
        }
        return made;
    }();
    quern_query* query = leg.Query(articles.db);
    quern_query_group(query, "year", 3);
    const Searched grouped = Run(query);
    Agree(grouped);
    CHECK(Sum(grouped.json["segments"], "vectors_scored") ==
          grouped.stats.at(QUERN_RESULT_VECTORS_SCORED));
    quern_query_group(query, nullptr, 1);
    quern_query_feedback(query, nullptr);
    const Searched moved = Run(query);
    Agree(moved);
    CHECK(Sum(moved.json["segments"], "vectors_scored") +
              Sum(moved.json["feedback"]["segments"], "vectors_scored") ==
          moved.stats.at(QUERN_RESULT_VECTORS_SCORED));
    quern_query_free(query);
}

TEST_CASE("where a budget ends is told by the plan, the segment, the leg", "[explain]") {
    const Json scored = Json::array({"max_scored"});
    Attributed file("index=none", 3000);
    file.Add(3000, 2000);
    const std::vector<float> one = indexed::MakeRows(1, 99);
    const auto ask = [&](const std::string& options) { return file.Query(one, options.c_str()); };
    // In the middle of a segment: the log is not come to.
    quern_query* query = ask("max_scored=1000");
    Json plan = Planned(query);
    CHECK(plan["segments"][0]["vectors_scored"] == 3000);
    CHECK(plan["segments"][0]["ends"] == "max_scored");
    Searched searched = Run(query);
    Agree(searched);
    CHECK(searched.json["partial"] == true);
    CHECK(searched.json["budget"] ==
          Json({{"timeout_ms", 0}, {"max_scored", 1000}, {"max_bytes", 0}, {"left_out", scored}}));
    REQUIRE(searched.json["segments"].size() == 2);
    CHECK(searched.json["segments"][0]["left_out"] == scored);
    CHECK(searched.json["segments"][0]["truth"]["vectors_scored"] == 1000);
    CHECK(searched.json["segments"][1] ==
          Json({{"segment", "log"}, {"records", 2000}, {"left_out", scored}, {"queries", 0}}));
    quern_query_free(query);
    // In the log, which the plan says nothing of.
    query = ask("max_scored=4000");
    plan = Planned(query);
    CHECK(plan["segments"][0].count("ends") == 0);
    searched = Run(query);
    CHECK(searched.json["segments"][0].count("left_out") == 0);
    CHECK(searched.json["segments"].back()["left_out"] == scored);
    quern_query_free(query);
    // Nowhere.
    query = ask("max_scored=100000");
    searched = Run(query);
    CHECK(searched.json["budget"]["left_out"] == Json::array());
    for (const Json& segment : searched.json["segments"]) {
        CHECK(segment.count("left_out") == 0);
    }
    quern_query_free(query);
    query = ask("recall=exact");
    searched = Run(query);
    CHECK(searched.json.count("budget") == 0);
    CHECK(Planned(query)["segments"][0].count("vectors_scored") == 0);
    quern_query_free(query);
    // Of two legs with equal shares, the one that has more to look at.
    quern_query* first = ask("");
    quern_query* second = ask("");
    query = quern_query_new(file.db, "docs");
    quern_query_leg(query, first, 1, "name=short");
    quern_query_leg(query, second, 1, nullptr);
    quern_query_options(query, "max_scored=9000");
    searched = Run(query);
    CHECK(searched.json["legs"][0]["left_out"] == scored);
    CHECK(searched.json["legs"][0]["segments"].back()["left_out"] == scored);
    CHECK(searched.json["legs"][0]["segments"][0].count("left_out") == 0);
    plan = Planned(query);
    CHECK(plan["legs"][0]["segments"][0]["vectors_scored"] == 3000);
    quern_query_options(query, "max_scored=2000");
    plan = Planned(query);
    CHECK(plan["legs"][0]["segments"][0]["ends"] == "max_scored");
    quern_query_free(query);
    quern_query_free(first);
    quern_query_free(second);
}

TEST_CASE("what a leg may not read is told to have been left out", "[explain]") {
    const Json bytes = Json::array({"max_bytes"});
    Attributed file("index=none", 20000);
    file.Open("threads=1 memory_mb=1 cache_mb=0");
    const std::vector<float> one = indexed::MakeRows(1, 99);
    quern_query* leg = file.Query(one, "");
    quern_query* query = quern_query_new(file.db, "docs");
    quern_query_leg(query, leg, 1, nullptr);
    quern_query_leg(query, leg, 1, nullptr);
    quern_query_options(query, "max_bytes=1");
    const Searched searched = Run(query);
    CHECK(searched.json["partial"] == true);
    CHECK(searched.json["budget"]["left_out"] == bytes);
    CHECK(searched.json["legs"][1]["left_out"] == bytes);
    // The second leg has not read its first piece.
    CHECK(searched.json["legs"][1]["segments"][0]["queries"] == 0);
    CHECK(searched.json["legs"][1]["counts"]["vectors_scored"] == 0);
    CHECK(searched.json["legs"][0]["counts"]["vectors_scored"] > 0);
    CHECK(searched.json["hits"] == 10);
    quern_query_free(query);
    quern_query_free(leg);
}
