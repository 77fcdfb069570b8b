// Searches that go through an index, by the C API: recall, deletes, repeats, zero vectors, absent
// fields, damage and rebuild.
#include <quern.h>
#include <sqlite3.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/db/index_options.h"
#include "tests/unit/indexes/mixed_rows.h"

using namespace indexed;

TEST_CASE("fields of a file from before indexes were the default stay exact", "[index]") {
    quern::DenseDef def;
    REQUIRE_FALSE(quern::IndexOptions::Of(def).WantsIndex(1000000));
    def.options = "index=auto";
    REQUIRE(quern::IndexOptions::Of(def).WantsIndex(1000000));
    REQUIRE_FALSE(quern::IndexOptions::Of(def).WantsIndex(1000));
}

TEST_CASE("an indexed collection answers with the recall that was asked for", "[index]") {
    const auto [metric, options] = GENERATE(table<int32_t, std::string>({
        {QUERN_L2, "ef_build=80"},
        {QUERN_IP, "ef_build=80"},
        {QUERN_COSINE, "ef_build=80"},
        {QUERN_L2, "codes=f32 ef_build=80"},
        {QUERN_COSINE, "codes=4bit ef_build=80"},
        {QUERN_L2, "codes=1bit ef_build=80"},
        {QUERN_COSINE, "codes=1bit ef_build=80"},
        {QUERN_IP, "codes=pq ef_build=80"},
        {QUERN_IP, "codes=lvq8 ef_build=80"},
        {QUERN_COSINE, "codes=bf16 ef_build=80"},
        {QUERN_L2, "codes=packed ef_build=80"},
        {QUERN_COSINE, "codes=packed ef_build=80"},
        {QUERN_L2, "type=f16 ef_build=80"},
        {QUERN_IP, "index=none"},
    }));
    IndexedFile file;
    file.Create(metric, options);
    file.Insert(0, MakeRows(4000, 1));
    const std::vector<float> queries = MakeRows(100, 2);
    REQUIRE(file.Search(queries, 10, "").exact);  // nothing is indexed yet
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto truth = file.Search(queries, 10, "recall=exact");
    REQUIRE(truth.exact);
    const auto found = file.Search(queries, 10, "recall=0.98");
    INFO(metric << " " << options);
    REQUIRE(found.exact == (options == "index=none"));
    REQUIRE(Recall(found, truth) > 0.95);
    // True distances, in order, also when they come from codes at first.
    for (size_t q = 0; q < 100; q++) {
        REQUIRE(found.keys[q].size() == 10);
        REQUIRE(std::is_sorted(found.distances[q].begin(), found.distances[q].end()));
        REQUIRE(found.distances[q][0] >= truth.distances[q][0]);
    }
    // The log is searched, too, and answers are the same after reopening.
    file.Insert(9000, std::vector<float>(queries.begin(), queries.begin() + kDim));
    if (metric != QUERN_IP) {
        REQUIRE(file.Search(queries, 1, "").keys[0][0] == 9000);
    }
    const auto before = file.Search(queries, 10, "ef=100");
    // What the curve says of this walk, whatever other ways would be asked for.
    if (options != "index=none") {
        const double told = file.Search(queries, 10, "ef=320").told;
        REQUIRE(told > 0.98);
        REQUIRE(told >= file.Search(queries, 10, "ef=20").told);
        REQUIRE(file.Search(queries, 10, "ef=320 recall=0.5").told == told);
    }
    file.Open();
    REQUIRE(file.Search(queries, 10, "ef=100").keys == before.keys);
    REQUIRE(file.Search(queries, 10, "ef=100 threads=1").keys == before.keys);
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}

TEST_CASE("deleted records steer but never appear", "[index]") {
    IndexedFile file;
    file.Create(QUERN_L2, "");
    file.Insert(0, MakeRows(4000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = MakeRows(50, 2);
    for (const int64_t step : {7, 2, 1}) {
        std::vector<int64_t> dead;
        for (int64_t key = 0; key < 3990; key += step) {
            dead.push_back(key);
        }
        file.Delete(dead);
        const auto truth = file.Search(queries, 20, "recall=exact");
        const auto found = file.Search(queries, 20, "recall=0.95");
        for (size_t q = 0; q < 50; q++) {
            REQUIRE(found.keys[q].size() == truth.keys[q].size());  // min(k, what lives)
            for (const int64_t key : found.keys[q]) {
                REQUIRE((key >= 3990 || key % step != 0));
            }
        }
        REQUIRE(Recall(found, truth) > 0.9);
    }
}

TEST_CASE("zero vectors, repeats and absent values keep their places", "[index]") {
    const int32_t metric = GENERATE(QUERN_L2, QUERN_IP, QUERN_COSINE);
    IndexedFile file;
    file.Create(metric, "");
    const MixedRows mixed;
    file.Insert(0, mixed.rows, mixed.valid.data());
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float>& queries = mixed.queries;
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto found = file.Search(queries, 10, "recall=0.97");
    REQUIRE(!found.exact);
    REQUIRE(Recall(found, truth) > 0.93);
    if (metric != QUERN_IP) {
        // Hundreds are equally near: the smallest keys of them, as an exact search has it.
        REQUIRE(found.keys[0] == truth.keys[0]);
    }
    std::vector<float> zero(kDim, 0.0f);
    if (metric == QUERN_L2) {
        REQUIRE(file.Search(zero, 20, "").keys == file.Search(zero, 20, "recall=exact").keys);
    }
    REQUIRE(file.Search(zero, 20, "").keys[0].size() == 20);
    // All zeros are as far away: one is measured for all.
    const std::vector<float> far(&queries[kDim], &queries[2 * kDim]);
    REQUIRE(file.Search(far, 10, "ef=10 refine=10").refined == 11);
}

TEST_CASE("a search finds the same whether its vectors are in memory yet or not", "[index]") {
    IndexedFile file;
    file.Create(QUERN_COSINE, "index=graph codes=4bit");
    file.Insert(0, MakeRows(4000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Open("threads=1");
    const std::vector<float> queries = MakeRows(300, 2);
    const IndexedFile::Answer first = file.Search(queries, 10, "");
    for (int again = 0; again < 3; again++) {
        const IndexedFile::Answer later = file.Search(queries, 10, "");
        CHECK(later.keys == first.keys);
        CHECK(later.refined == first.refined);
    }
}

TEST_CASE("zero vectors of bits are as far as they are without measuring again", "[index]") {
    constexpr size_t kBits = 128;
    constexpr int64_t kRecords = 500;
    constexpr int64_t kZeros = 12;
    IndexedFile file;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kBits, QUERN_HAMMING, "index=graph");
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    std::mt19937 random(3);
    std::vector<uint8_t> rows(kRecords * kBits / 8);
    for (size_t i = kZeros * kBits / 8; i < rows.size(); i++) {
        rows[i] = static_cast<uint8_t>(random());
    }
    std::vector<int64_t> keys(kRecords);
    std::iota(keys.begin(), keys.end(), int64_t{0});
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense_raw(batch, "emb", rows.data(), QUERN_BIT, kBits, nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    quern_query* query = quern_query_new(file.db, "docs");
    quern_query_dense_raw(query, "emb", rows.data() + rows.size() / 2, QUERN_BIT, 1, kBits);
    quern_query_limit(query, kRecords);
    for (const char* options : {"ef=1000 refine=none", "recall=exact"}) {
        quern_query_options(query, options);
        quern_result* result = nullptr;
        file.Ok(quern_search(query, &result, &file.err));
        REQUIRE(quern_result_rows(result) == kRecords);
        CHECK(quern_result_key_int(result, 0) >= kZeros);
        for (size_t row = 0; row < kRecords; row++) {
            const auto key = static_cast<size_t>(quern_result_key_int(result, row));
            int differing = 0;
            for (size_t i = 0; i < kBits / 8; i++) {
                differing += std::popcount(
                    static_cast<uint8_t>(rows[key * kBits / 8 + i] ^ rows[rows.size() / 2 + i]));
            }
            CHECK(quern_result_distance(result, row) == static_cast<float>(differing));
        }
        quern_result_free(result);
    }
    quern_query_free(query);
}

TEST_CASE("vectors whose inner products or distances are beyond float are scanned", "[index]") {
    const float scale = GENERATE(1e17f, 1e18f, 1e20f, 1e30f);
    const auto [metric, options] = GENERATE(table<int32_t, std::string>({
        {QUERN_IP, "index=graph"},
        {QUERN_L2, "index=graph codes=pq"},
        {QUERN_L2, "index=graph codes=bf16"},
        {QUERN_IP, "index=lists"},
        {QUERN_L2, "index=lists"},
    }));
    if (scale == 1e18f && metric == QUERN_L2) {
        return;  // near the limit of distances: either is right
    }
    IndexedFile file;
    file.Create(metric, options);
    std::vector<float> rows = MakeRows(800, 1);
    for (float& x : rows) {
        x *= scale;
    }
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_verify(file.db, nullptr, &file.err));
    const std::vector<float> queries(rows.begin(), rows.begin() + 20 * kDim);
    const IndexedFile::Answer answer = file.Search(queries, 10, "");
    CHECK_FALSE(answer.degraded);
    CHECK(answer.exact == (scale > 1e19f));
    if (answer.exact) {
        CHECK(answer.keys == file.Search(queries, 10, "recall=exact").keys);
    }
    // And again: there is nothing to be done.
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK_FALSE(file.Search(queries, 10, "").degraded);
}

namespace {

// Overwrites some bytes of a graph's links, of the last that was written, in a closed file.
void DamageLinks(const std::string& path) {
    // Stored bytes from the middle of a chunk of links, as any SQLite reads them: its first bytes
    // may share a page with other chunks.
    std::string links;
    {
        sqlite3* plain = nullptr;
        sqlite3_stmt* row = nullptr;
        REQUIRE(sqlite3_open_v2(path.c_str(), &plain, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
        REQUIRE(
            sqlite3_prepare_v2(plain,
                               "SELECT substr(data, 50001, 64) FROM quern_chunk WHERE id = (SELECT "
                               "id << 20 FROM quern_part WHERE kind = 65 ORDER BY id DESC LIMIT 1)",
                               -1, &row, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_step(row) == SQLITE_ROW);
        links.assign(static_cast<const char*>(sqlite3_column_blob(row, 0)),
                     static_cast<size_t>(sqlite3_column_bytes(row, 0)));
        sqlite3_finalize(row);
        sqlite3_close(plain);
    }
    std::string bytes;
    {
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const size_t at = bytes.find(links);
    REQUIRE(at != std::string::npos);
    {
        std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(static_cast<std::streamoff>(at));
        out.write("\x01\x02\x03\x04", 4);
    }
}

}  // namespace

TEST_CASE("a damaged index is passed over and built anew", "[index]") {
    IndexedFile file;
    file.Create(QUERN_L2, "");
    file.Insert(0, MakeRows(3000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_vacuum(file.db, &file.err));
    const std::vector<float> queries = MakeRows(20, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    quern_close(file.db);
    file.db = nullptr;
    DamageLinks(file.path);
    file.Open();
    const auto found = file.Search(queries, 10, "recall=0.9");
    REQUIRE(found.exact);
    REQUIRE(found.degraded);
    REQUIRE(found.keys == truth.keys);
    REQUIRE(quern_verify(file.db, nullptr, &file.err) == QUERN_ERR_CORRUPT);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    const auto again = file.Search(queries, 10, "recall=0.9");
    REQUIRE(!again.exact);
    REQUIRE(!again.degraded);
}

TEST_CASE("damage of one field is not told of searches of another", "[index]") {
    IndexedFile file;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kDim, QUERN_L2, "index=graph ef_build=40");
    quern_schema_dense(schema, "hurt", kDim, QUERN_L2, "index=graph ef_build=40");
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    const std::vector<float> rows = MakeRows(3000, 1);
    std::vector<int64_t> keys(3000);
    for (size_t i = 0; i < keys.size(); i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
    quern_batch_dense(batch, "hurt", rows.data(), kDim, nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_vacuum(file.db, &file.err));
    quern_close(file.db);
    file.db = nullptr;
    DamageLinks(file.path);
    file.Open();
    const std::vector<float> queries = MakeRows(5, 2);
    const auto flags_of = [&](const char* field) {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, field, queries.data(), 5, kDim);
        quern_query_limit(query, 10);
        quern_query_options(query, "recall=0.9");
        quern_result* result = nullptr;
        file.Ok(quern_search(query, &result, &file.err));
        const uint32_t flags = quern_result_flags(result);
        quern_result_free(result);
        quern_query_free(query);
        return flags;
    };
    CHECK(flags_of("emb") == 0);
    CHECK((flags_of("hurt") & QUERN_FLAG_DEGRADED) != 0);
    CHECK(flags_of("emb") == 0);
}

TEST_CASE("pages that are damaged under an index are usable again after a rebuild", "[index]") {
    constexpr size_t kPage = 16384;
    IndexedFile file;
    // One thread makes the same graph again.
    file.Open("threads=1");
    file.Create(QUERN_L2, "index=graph codes=i8 m=32");
    file.Insert(0, MakeRows(3000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = MakeRows(20, 2);
    const auto whole = file.Search(queries, 10, "").keys;
    quern_close(file.db);
    file.db = nullptr;
    std::string sound;
    {
        std::ifstream in(file.path, std::ios::binary);
        sound.assign(std::istreambuf_iterator<char>(in), {});
    }
    size_t mended = 0;
    for (size_t page = 3; page < sound.size() / kPage; page += 2) {
        std::string damaged = sound;
        for (size_t i = 0; i < 8; i++) {
            damaged[page * kPage + 8000 + i] ^= '\x5a';
        }
        std::ofstream(file.path, std::ios::binary | std::ios::trunc) << damaged;
        if (quern_open(file.path.c_str(), "threads=1", &file.db, &file.err) == QUERN_OK) {
            quern_query* query = quern_query_new(file.db, "docs");
            quern_query_dense(query, "emb", queries.data(), 20, kDim);
            quern_result* result = nullptr;
            const bool answers = quern_search(query, &result, &file.err) == QUERN_OK;
            const bool degraded =
                answers && (quern_result_flags(result) & QUERN_FLAG_DEGRADED) != 0;
            quern_result_free(result);
            quern_query_free(query);
            if (degraded && quern_rebuild(file.db, nullptr, &file.err) == QUERN_OK) {
                INFO("page " << page + 1);
                file.Ok(quern_verify(file.db, nullptr, &file.err));
                file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
                file.Ok(quern_vacuum(file.db, &file.err));
                file.Ok(quern_verify(file.db, nullptr, &file.err));
                CHECK(file.Search(queries, 10, "").keys == whole);
                mended++;
            }
        }
        quern_close(file.db);
        file.db = nullptr;
        file.Remove();
    }
    CHECK(mended >= 3);
}

TEST_CASE("a memory budget too small for an index means exact answers", "[index]") {
    IndexedFile file;
    file.Create(QUERN_L2, "ef_build=40");
    file.Insert(0, MakeRows(16000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = MakeRows(10, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    file.Open("memory_mb=1");
    const auto found = file.Search(queries, 10, "");
    REQUIRE(found.exact);
    REQUIRE(found.keys == truth.keys);
    // Room for the index, none for the vectors: these are read from the file.
    file.Open("memory_mb=4");
    const auto some = file.Search(queries, 10, "recall=0.98");
    REQUIRE(!some.exact);
    REQUIRE(Recall(some, truth) > 0.9);
}

TEST_CASE("options of an index are checked and told", "[index]") {
    IndexedFile file;
    for (const char* bad : {"index=tree", "codes=2bit", "m=1", "m=1000", "ef_build=x", "nope=1"}) {
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, bad);
        REQUIRE(quern_create(file.db, "docs", schema, &file.err) == QUERN_ERR_OPTION);
        const std::string key = std::string(bad).substr(0, std::string(bad).find('='));
        REQUIRE(std::string(file.err.message).find(key) != std::string::npos);
        quern_schema_free(schema);
    }
    file.Create(QUERN_L2, "m=8 index=graph codes=4bit ef_build=50");
    file.Insert(0, MakeRows(100, 1));
    for (const char* bad : {"recall=0", "recall=1.5", "recall=often", "ef=0", "refine=-1"}) {
        quern_query* query = quern_query_new(file.db, "docs");
        const std::vector<float> vector(kDim, 0.5f);
        quern_query_dense(query, "emb", vector.data(), 1, kDim);
        quern_query_options(query, bad);
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &file.err) == QUERN_ERR_OPTION);
        quern_query_free(query);
    }
    quern_text* info = nullptr;
    file.Ok(quern_info(file.db, &info, &file.err));
    REQUIRE(std::string(quern_text_data(info)).find("codes=4bit ef_build=50 index=graph m=8") !=
            std::string::npos);
    quern_text_free(info);
}
