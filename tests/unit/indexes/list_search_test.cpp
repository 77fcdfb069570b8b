// Searches that go through a list index, by the C API: recall, deletes, what stands outside, rows
// that stay in the file, damage and rebuild.
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "tests/unit/indexes/mixed_rows.h"

using namespace indexed;

namespace {

// Overwrites bytes in the middle of the first chunk of a part, as any SQLite finds them.
void DamagePart(const std::string& path, int kind) {
    std::string stored;
    sqlite3* plain = nullptr;
    sqlite3_stmt* row = nullptr;
    REQUIRE(sqlite3_open_v2(path.c_str(), &plain, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(plain,
                               "SELECT substr(data, length(data) / 2, 64) FROM quern_chunk WHERE "
                               "id = (SELECT id << 20 FROM quern_part WHERE kind = ?)",
                               -1, &row, nullptr) == SQLITE_OK);
    sqlite3_bind_int(row, 1, kind);
    REQUIRE(sqlite3_step(row) == SQLITE_ROW);
    stored.assign(static_cast<const char*>(sqlite3_column_blob(row, 0)),
                  static_cast<size_t>(sqlite3_column_bytes(row, 0)));
    sqlite3_finalize(row);
    sqlite3_close(plain);
    std::string bytes;
    {
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const size_t at = bytes.find(stored);
    REQUIRE(at != std::string::npos);
    std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out.write("\x01\x02\x03\x04", 4);
}

}  // namespace

TEST_CASE("a collection with lists answers with the recall that was asked for", "[lists]") {
    const auto [metric, options] = GENERATE(table<int32_t, std::string>({
        {QUERN_L2, ""},
        {QUERN_IP, "codes=i8"},
        {QUERN_COSINE, "codes=4bit"},
        {QUERN_L2, "codes=f32 lists=80"},
        {QUERN_COSINE, "codes=f32"},
        {QUERN_L2, "type=f16"},
    }));
    IndexedFile file;
    file.Create(metric, "index=lists " + options);
    file.Insert(0, MakeRows(4000, 1));
    const std::vector<float> queries = MakeRows(100, 2);
    REQUIRE(file.Search(queries, 10, "").exact);  // nothing is indexed yet
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto found = file.Search(queries, 10, "recall=0.95");
    INFO(metric << " " << options);
    REQUIRE(!found.exact);
    REQUIRE(Recall(found, truth) > 0.92);
    for (size_t q = 0; q < 100; q++) {
        REQUIRE(found.keys[q].size() == 10);
        REQUIRE(std::is_sorted(found.distances[q].begin(), found.distances[q].end()));
    }
    const auto before = file.Search(queries, 10, "nprobe=20 refine=60");
    REQUIRE(Recall(before, truth) > Recall(file.Search(queries, 10, "nprobe=1"), truth));
    file.Open();
    REQUIRE(file.Search(queries, 10, "nprobe=20 refine=60").keys == before.keys);
    // All cells: what codes let through is exact.
    REQUIRE(Recall(file.Search(queries, 10, "nprobe=1000000 refine=400"), truth) == 1.0);
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}

TEST_CASE("bits have lists, too", "[lists]") {
    IndexedFile file;
    file.Create(QUERN_HAMMING, "index=lists type=bit");
    std::vector<float> rows = MakeRows(4000, 1);
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = MakeRows(50, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto found = file.Search(queries, 10, "nprobe=100000");
    REQUIRE(!found.exact);
    // Many are equally near: distances tell.
    REQUIRE(found.distances == truth.distances);
}

TEST_CASE("deleted records never come out of lists", "[lists]") {
    IndexedFile file;
    file.Create(QUERN_L2, "index=lists");
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
        for (const char* options : {"recall=0.95", "nprobe=1"}) {
            const auto found = file.Search(queries, 20, options);
            for (size_t q = 0; q < 50; q++) {
                REQUIRE(found.keys[q].size() == truth.keys[q].size());  // min(k, what lives)
                for (const int64_t key : found.keys[q]) {
                    REQUIRE((key >= 3990 || key % step != 0));
                }
            }
        }
        REQUIRE(Recall(file.Search(queries, 20, "recall=0.95"), truth) > 0.9);
    }
}

TEST_CASE("after churn lists are as good as fresh ones", "[lists]") {
    IndexedFile file;
    file.Create(QUERN_COSINE, "index=lists");
    file.Insert(0, MakeRows(4000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    for (int round = 0; round < 3; round++) {
        std::vector<int64_t> dead;
        for (int64_t key = round; key < 4000; key += 9) {
            dead.push_back(key);
        }
        file.Delete(dead);
        file.Insert(10000 + round * 1000, MakeRows(400, 20 + static_cast<uint64_t>(round)));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }
    const std::vector<float> queries = MakeRows(100, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    REQUIRE(Recall(file.Search(queries, 10, "recall=0.95"), truth) > 0.92);
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}

TEST_CASE("zero vectors, repeats and absent values keep their places beside lists", "[lists]") {
    const int32_t metric = GENERATE(QUERN_L2, QUERN_IP, QUERN_COSINE);
    IndexedFile file;
    file.Create(metric, "index=lists");
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
        // The one that stands for all of them goes; its repeats stay.
        file.Delete({truth.keys[0][0], truth.keys[0][1]});
        const std::vector<float> first(queries.begin(), queries.begin() + kDim);
        REQUIRE(file.Search(first, 10, "nprobe=1").keys ==
                file.Search(first, 10, "recall=exact").keys);
    }
    const std::vector<float> zero(kDim, 0.0f);
    REQUIRE(file.Search(zero, 20, "").keys[0].size() == 20);
}

TEST_CASE("small and equal collections have lists", "[lists]") {
    const size_t count = GENERATE(size_t{64}, size_t{65}, size_t{100});
    const int kind = GENERATE(0, 1, 2);  // all different, all equal, all zero
    IndexedFile file;
    file.Create(QUERN_L2, "index=lists");
    std::vector<float> rows = MakeRows(count, 1);
    for (size_t i = kDim; i < rows.size() && kind == 1; i++) {
        rows[i] = rows[i % kDim];
    }
    if (kind == 2) {
        std::fill(rows.begin(), rows.end(), 0.0f);
    }
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = MakeRows(5, 2);
    for (const size_t k : {size_t{1}, size_t{10}, size_t{1000}}) {
        const auto truth = file.Search(queries, k, "recall=exact");
        const auto found = file.Search(queries, k, "nprobe=3");
        for (size_t q = 0; q < 5; q++) {
            REQUIRE(found.keys[q].size() == std::min(k, count));
        }
        if (kind > 0 || k == 1000) {
            REQUIRE(found.keys == truth.keys);
        }
    }
    file.Open();
    file.Search(queries, 10, "nprobe=3");
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}

TEST_CASE("rows of lists stay in the file when memory is short", "[lists]") {
    const std::string codes = GENERATE("i8", "f32");
    IndexedFile file;
    file.Create(QUERN_COSINE, "index=lists codes=" + codes);
    file.Insert(0, MakeRows(60000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_vacuum(file.db, &file.err));
    const std::vector<float> queries = MakeRows(30, 2);
    const auto whole = file.Search(queries, 10, "nprobe=12 refine=40");
    REQUIRE(!whole.exact);
    // Vectors are 5.8 MB, codes 1.9 MB, and what is always in memory less than 1 MB.
    file.Open("memory_mb=2 threads=2");
    const auto some = file.Search(queries, 10, "nprobe=12 refine=40");
    REQUIRE(!some.exact);
    REQUIRE(some.keys == whole.keys);
    int64_t memory = 0;
    file.Ok(quern_stat(file.db, QUERN_STAT_MEMORY_BYTES, &memory, &file.err));
    REQUIRE(memory < int64_t{3} << 20);
    quern_close(file.db);
    file.db = nullptr;
    // A chunk that only a search comes to.
    DamagePart(file.path, 76);
    file.Open("memory_mb=3 threads=2");  // row ids take one of them first
    const auto truth = file.Search(queries, 10, "recall=exact");
    REQUIRE(!truth.degraded);
    const auto found = file.Search(queries, 10, "nprobe=100000");
    REQUIRE(found.exact);
    REQUIRE(found.degraded);
    REQUIRE(found.keys == truth.keys);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    REQUIRE(!file.Search(queries, 10, "nprobe=12").exact);
    REQUIRE(!file.Search(queries, 10, "nprobe=12").degraded);
}

TEST_CASE("damaged lists are passed over and built anew", "[lists]") {
    const int kind = GENERATE(73, 75, 76);
    IndexedFile file;
    file.FillOnce("lists to be damaged", [&] {
        file.Create(QUERN_L2, "index=lists");
        // So many that the middle of each part has a page of its own.
        file.Insert(0, MakeRows(20000, 1));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        file.Ok(quern_vacuum(file.db, &file.err));
    });
    const std::vector<float> queries = MakeRows(20, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    quern_close(file.db);
    file.db = nullptr;
    DamagePart(file.path, kind);
    file.Open();
    const auto found = file.Search(queries, 10, "recall=0.9");
    INFO("part " << kind);
    REQUIRE(found.exact);
    REQUIRE(found.degraded);
    REQUIRE(found.keys == truth.keys);
    REQUIRE(quern_verify(file.db, nullptr, &file.err) == QUERN_ERR_CORRUPT);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    const auto again = file.Search(queries, 10, "recall=0.9");
    REQUIRE(!again.exact);
    REQUIRE(!again.degraded);
}

TEST_CASE("options of lists are checked and told", "[lists]") {
    IndexedFile file;
    for (const char* bad : {"lists=0", "lists=many", "lists=2000000"}) {
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, bad);
        REQUIRE(quern_create(file.db, "docs", schema, &file.err) == QUERN_ERR_OPTION);
        REQUIRE(std::string(file.err.message).find("lists") != std::string::npos);
        quern_schema_free(schema);
    }
    file.Create(QUERN_L2, "lists=9 index=lists");
    file.Insert(0, MakeRows(100, 1));
    quern_query* query = quern_query_new(file.db, "docs");
    const std::vector<float> vector(kDim, 0.5f);
    quern_query_dense(query, "emb", vector.data(), 1, kDim);
    quern_query_options(query, "nprobe=0");
    quern_result* result = nullptr;
    REQUIRE(quern_search(query, &result, &file.err) == QUERN_ERR_OPTION);
    quern_query_free(query);
    quern_text* info = nullptr;
    file.Ok(quern_info(file.db, &info, &file.err));
    REQUIRE(std::string(quern_text_data(info)).find("index=lists lists=9") != std::string::npos);
    quern_text_free(info);
}
