// What quern_info tells about indexes: which there is, the codes that were chosen, and bytes, from
// the file alone.
#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "tests/unit/indexed_file.h"

using namespace indexed;

namespace {

using Json = nlohmann::json;

Json Info(IndexedFile* file) {
    quern_text* text = nullptr;
    file->Ok(quern_info(file->db, &text, &file->err));
    Json info = Json::parse(quern_text_data(text));
    quern_text_free(text);
    return info;
}

// Of a file with one segment.
Json Indexes(const Json& info) {
    const Json& segments = info["collections"][0]["segments"];
    REQUIRE(segments.size() == 1);
    return segments[0]["indexes"];
}

}  // namespace

TEST_CASE("info tells the kind and the codes of an index", "[index]") {
    struct Case {
        const char* options;
        const char* kind;
        const char* codes;
    };
    const Case given = GENERATE(
        Case{"index=none", "none", ""}, Case{"index=auto", "none", ""},
        Case{"index=graph codes=f32", "graph", "f32"}, Case{"index=graph codes=pq", "graph", "pq"},
        Case{"index=graph codes=1bit", "graph", "1bit"},
        Case{"index=graph codes=packed", "graph", "packed"}, Case{"index=lists", "lists", "i8"},
        Case{"index=lists codes=4bit", "lists", "4bit"},
        Case{"index=lists codes=f32", "lists", "f32"});
    INFO(given.options);
    IndexedFile file;
    file.Create(QUERN_L2, std::string("ef_build=40 ") + given.options);
    // Zero vectors and repeats stand before the codes in a head.
    std::vector<float> rows = MakeRows(500, 1);
    std::fill_n(rows.begin() + 3 * kDim, kDim, 0.0f);
    std::copy_n(rows.begin(), kDim, rows.begin() + 7 * kDim);
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Open();
    const Json before = Info(&file);
    REQUIRE(Indexes(before).size() == 1);
    const Json index = Indexes(before)[0];
    REQUIRE(index["field"] == "emb");
    REQUIRE(index["kind"] == given.kind);
    REQUIRE(index["codes"] == given.codes);
    REQUIRE(index["damaged"] == false);
    REQUIRE(index["due"] == false);
    REQUIRE(index["vectors"] == 500);
    REQUIRE(before["memory"]["index_bytes"] == 0);  // nothing was loaded
    const bool none = index["kind"] == "none";
    REQUIRE((index["stored_bytes"].get<uint64_t>() == 0) == none);
    // What it takes once it is loaded; links of 24 bits and the head are a little less.
    file.Search(MakeRows(1, 2), 10, none ? "" : "ef=20 nprobe=2");
    const auto loaded = Info(&file)["memory"]["index_bytes"].get<uint64_t>();
    const auto told = index["memory_bytes"].get<uint64_t>();
    REQUIRE((told == 0) == none);
    REQUIRE(loaded <= told);
    REQUIRE(static_cast<double>(loaded) >= 0.6 * static_cast<double>(told));
}

TEST_CASE("info tells that an index of bits measures these as they are", "[index]") {
    IndexedFile file;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "signs", 64, QUERN_HAMMING, "index=graph ef_build=40");
    file.Ok(quern_create(file.db, "bits", schema, &file.err));
    quern_schema_free(schema);
    std::vector<uint64_t> rows(500);
    std::mt19937_64 random(7);
    std::generate(rows.begin(), rows.end(), random);
    std::vector<int64_t> keys(rows.size());
    std::iota(keys.begin(), keys.end(), 0);
    quern_batch* batch = quern_batch_new(file.db, "bits", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense_raw(batch, "signs", rows.data(), QUERN_BIT, 64, nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const Json index = Indexes(Info(&file))[0];
    CHECK(index["kind"] == "graph");
    CHECK(index["codes"] == "bit");
    CHECK(index["damaged"] == false);
}

TEST_CASE("info tells which indexes are still to be built", "[index]") {
    IndexedFile file;
    file.Create(QUERN_L2, "index=graph codes=i8");
    file.Insert(0, MakeRows(3000, 1));
    // Too little time for an index, in every call; the records are in a segment all the same.
    for (int call = 0; call < 3; call++) {
        file.Ok(quern_optimize(file.db, nullptr, 1, &file.err));
    }
    const Json info = Info(&file);
    if (!info["collections"][0]["segments"].empty()) {
        CHECK(Indexes(info)[0]["kind"] == "none");
        CHECK(Indexes(info)[0]["due"] == true);
    }
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Indexes(Info(&file))[0]["kind"] == "graph");
    CHECK(Indexes(Info(&file))[0]["due"] == false);
}

TEST_CASE("info tells the codes that codes=auto chose", "[index]") {
    // The codes that are told, and bytes of a row of those in the file.
    const auto made = [](const std::string& codes) {
        IndexedFile file;
        file.Create(QUERN_COSINE, "index=graph ef_build=40 codes=" + codes);
        file.Insert(0, MakeRows(1000, 1));
        REQUIRE(Info(&file)["collections"][0]["segments"].empty());  // all is in the log
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        const Json info = Info(&file);
        uint64_t row_bytes = 0;
        for (const Json& part : info["collections"][0]["segments"][0]["parts"]) {
            if (part["kind"] == "graph codes") {
                row_bytes = part["raw_bytes"].get<uint64_t>() / part["items"].get<uint64_t>();
            }
        }
        return std::make_pair(Indexes(info)[0]["codes"].get<std::string>(), row_bytes);
    };
    const auto chosen = made("auto");
    INFO(chosen.first << " of " << chosen.second << " bytes a row");
    const std::set<std::string> tried = {"4bit", "lvq4", "i8", "lvq8"};
    REQUIRE(tried.count(chosen.first) == 1);
    REQUIRE(chosen.second > 0);
    REQUIRE(made(chosen.first) == chosen);
}

TEST_CASE("info tells what filters find ready of each attribute", "[filter]") {
    IndexedFile file("_columns");
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    quern_schema_attr(schema, "raw", QUERN_INT, "index=none");
    quern_schema_attr(schema, "essay", QUERN_TEXT, nullptr);
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    constexpr size_t kRecords = 2000;
    std::vector<int64_t> keys(kRecords);
    std::vector<int64_t> years(kRecords);
    std::vector<std::string> essays(kRecords);
    std::vector<const char*> texts(kRecords);
    for (size_t i = 0; i < kRecords; i++) {
        keys[i] = static_cast<int64_t>(i) * 3;
        years[i] = static_cast<int64_t>(i % 40);
        essays[i] = std::string(300, 'x').append(std::to_string(i));
        texts[i] = essays[i].c_str();
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", kRecords);
    quern_batch_key_int(batch, keys.data());
    quern_batch_int(batch, "year", years.data(), nullptr);
    quern_batch_int(batch, "raw", years.data(), nullptr);
    quern_batch_text(batch, "essay", texts.data(), nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const Json info = Info(&file);
    const Json& segment = info["collections"][0]["segments"][0];
    std::map<std::string, Json> columns;
    for (const Json& column : segment["columns"]) {
        columns[column["attribute"]] = column;
    }
    REQUIRE(columns.size() == 4);
    CHECK(columns["id"]["state"] == "kept");
    CHECK(columns["id"]["values"] == kRecords);
    CHECK(columns["year"]["state"] == "kept");
    CHECK(columns["year"]["values"] == 40);
    // A number a record, and 40 of 8 bytes.
    CHECK(columns["year"]["memory_bytes"] >= kRecords + 40 * 8);
    CHECK(columns["year"]["memory_bytes"] <= kRecords + 40 * 8 + 64);
    CHECK(columns["year"]["stored_bytes"] > 0);
    CHECK(columns["raw"]["state"] == "none");
    CHECK(columns["raw"]["stored_bytes"] == 0);
    CHECK(columns["essay"]["state"] == "left out");
    CHECK(columns["essay"]["memory_bytes"] == 0);
    CHECK(info["collections"][0]["attributes"][1]["options"] == "index=none");
}
