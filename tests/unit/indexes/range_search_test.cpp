// Everything within a distance through an index: the recall that was promised, on real vectors and
// after deletes, and the cases in which a scan is the answer.
#include <quern.h>
#include <zstd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "engine/dense/range_measure.h"
#include "tests/unit/indexed_file.h"

namespace {

// The folder with the real data: QUERN_DATA, or shared/data beside the source tree.
std::filesystem::path DataFolder() {
    if (const char* set = std::getenv("QUERN_DATA")) {
        return set;
    }
    return std::filesystem::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
}

constexpr size_t kNpyHeader = 128;

// The elements of a packed npy file as far as they are wanted.
std::string ReadNpy(const std::filesystem::path& path, size_t bytes) {
    std::ifstream file(path, std::ios::binary);
    const std::string in(std::istreambuf_iterator<char>(file), {});
    std::string out(kNpyHeader + bytes, '\0');
    ZSTD_DStream* stream = ZSTD_createDStream();
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    while (output.pos < output.size && input.pos < input.size) {
        REQUIRE(!ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)));
    }
    ZSTD_freeDStream(stream);
    REQUIRE(output.pos == out.size());
    return out.substr(kNpyHeader);
}

struct RealVectors {
    size_t dim;
    int32_t metric;
    int32_t type;
    std::string rows;  // of type
    size_t count;
    std::vector<float> queries;
};

constexpr size_t kQueries = 100;

RealVectors Images(size_t count) {
    constexpr size_t kDim = 784;
    const std::string bytes =
        ReadNpy(DataFolder() / "mnist784" / "images.u8.npy.zst", (count + kQueries) * kDim);
    std::vector<float> values;
    for (const char c : bytes) {
        values.push_back(static_cast<float>(static_cast<uint8_t>(c)));
    }
    const auto split = values.begin() + static_cast<ptrdiff_t>(count * kDim);
    RealVectors images{kDim, QUERN_L2, QUERN_F32, "", count, {split, values.end()}};
    images.rows.assign(reinterpret_cast<const char*>(values.data()), count * kDim * sizeof(float));
    return images;
}

RealVectors Words(size_t count) {
    constexpr size_t kDim = 100;
    const std::filesystem::path folder = DataFolder() / "words250k";
    const std::string bytes =
        ReadNpy(folder / "query.f32.npy.zst", kQueries * kDim * sizeof(float));
    RealVectors words{kDim,      QUERN_IP,
                      QUERN_F16, ReadNpy(folder / "base.f16.npy.zst", count * kDim * 2),
                      count,     {}};
    words.queries.resize(kQueries * kDim);
    std::memcpy(words.queries.data(), bytes.data(), bytes.size());
    return words;
}

// A collection with these vectors and an index.
class Collection {
public:
    Collection(const RealVectors& vectors, const std::string& options) : vectors_(vectors) {
        // One thread builds the same index each time, so that shares near a bound do not come and
        // go.
        REQUIRE(quern_open(":memory:", "threads=1", &db_, &err_) == QUERN_OK);
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", vectors.dim, vectors.metric, options.c_str());
        Ok(quern_create(db_, "real", schema, &err_));
        quern_schema_free(schema);
        std::vector<int64_t> keys(vectors.count);
        for (size_t i = 0; i < keys.size(); i++) {
            keys[i] = static_cast<int64_t>(i);
        }
        quern_batch* batch = quern_batch_new(db_, "real", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense_raw(batch, "emb", vectors.rows.data(), vectors.type, vectors.dim,
                              nullptr);
        Ok(quern_insert(batch, nullptr, &err_));
        quern_batch_free(batch);
        Ok(quern_optimize(db_, nullptr, 0, &err_));
    }
    ~Collection() { quern_close(db_); }
    Collection(const Collection&) = delete;

    void DeleteThirds() {
        std::vector<int64_t> keys;
        for (size_t i = 0; i < vectors_.count; i += 3) {
            keys.push_back(static_cast<int64_t>(i));
        }
        quern_batch* batch = quern_batch_new(db_, "real", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, nullptr, &err_));
        quern_batch_free(batch);
    }
    // Everything within a distance of one query; all of them without a limit get their bound here.
    quern_result* Within(size_t q, double distance, const char* options) {
        quern_query* query = quern_query_new(db_, "real");
        quern_query_dense(query, "emb", vectors_.queries.data() + q * vectors_.dim, 1,
                          vectors_.dim);
        quern_query_limit(query, 0);
        quern_query_max_distance(query, distance);
        quern_query_options(query, options);
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err_));
        quern_query_free(query);
        return result;
    }
    // Distances of the `deepest` nearest records of each query, one query after the other.
    std::vector<float> TrueDistances(size_t deepest) {
        quern_query* query = quern_query_new(db_, "real");
        quern_query_dense(query, "emb", vectors_.queries.data(), kQueries, vectors_.dim);
        quern_query_limit(query, deepest);
        quern_query_options(query, "recall=exact");
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err_));
        std::vector<float> distances;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            distances.push_back(quern_result_distance(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        REQUIRE(distances.size() == deepest * kQueries);
        return distances;
    }

private:
    void Ok(int32_t status) {
        INFO(err_.message);
        REQUIRE(status == QUERN_OK);
    }
    const RealVectors& vectors_;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
};

// Bounds that catch 1, 10, 100 and 1000 records of each query.
void CheckRecall(Collection* collection, const std::string& name, int64_t deleted_step,
                 size_t* scans) {
    constexpr size_t kDeepest = 1000;
    const std::vector<float> truth = collection->TrueDistances(kDeepest);
    for (const double wanted : {0.9, 0.97}) {
        const std::string options = "recall=" + std::to_string(wanted);
        for (const size_t rank : {1, 10, 100, 1000}) {
            size_t found = 0;
            double expected = 1;
            for (size_t q = 0; q < kQueries; q++) {
                const auto bound = static_cast<double>(truth[q * kDeepest + rank - 1]);
                quern_result* within = collection->Within(q, bound, options.c_str());
                for (size_t row = 0; row < quern_result_rows(within); row++) {
                    const auto distance = static_cast<double>(quern_result_distance(within, row));
                    const int64_t key = quern_result_key_int(within, row);
                    if (distance > bound || (deleted_step > 0 && key % deleted_step == 0)) {
                        FAIL(name << ": record " << key << " at " << distance);
                    }
                }
                found += std::min(rank, quern_result_rows(within));
                const bool exact = (quern_result_flags(within) & QUERN_FLAG_EXACT) != 0;
                const int64_t stated = quern_result_stat(within, QUERN_RESULT_RECALL);
                REQUIRE(exact == (stated == 1000000));
                expected = std::min(expected, static_cast<double>(stated) / 1e6);
                *scans += exact ? 1 : 0;
                quern_result_free(within);
            }
            const double recall = static_cast<double>(found) / static_cast<double>(rank * kQueries);
            // Three standard errors more, because there are a few dozen such shares here, and two
            // are exceeded once in forty. Ten records of a query tell about as much as three of
            // several.
            const double asked = rank == 1 ? kQueries : 3.0 * kQueries;
            const double spread = rank > 10 ? 0 : 3 * std::sqrt(expected * (1 - expected) / asked);
            INFO(name << " " << options << " bound of " << rank << ": expected " << expected
                      << ", found " << recall);
            CHECK(expected >= wanted);
            CHECK(recall >= expected - 0.01 - spread);
        }
    }
}

}  // namespace

TEST_CASE("range searches through an index find what they promise on real vectors", "[index]") {
    if (!std::filesystem::exists(DataFolder() / "mnist784") ||
        !std::filesystem::exists(DataFolder() / "words250k")) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    const auto [name, count, options] = GENERATE(table<std::string, size_t, std::string>({
        {"images", 5000, "index=graph codes=i8 ef_build=60"},
        {"words", 12000, "index=graph codes=i8 ef_build=60 type=f16"},
        {"words", 21000, "index=lists type=f16"},
    }));
    const RealVectors vectors = name == "words" ? Words(count) : Images(count);
    Collection collection(vectors, options);
    size_t scans = 0;
    CheckRecall(&collection, name + " " + options, 0, &scans);
    // Some bounds catch too much, some promises are beyond the curve; not most.
    CHECK(scans <= kQueries * 8 * 5 / 8);
    collection.DeleteThirds();
    CheckRecall(&collection, name + " with deletes " + options, 3, &scans);
}

TEST_CASE("a range search counts repeats, zero vectors and the log", "[index]") {
    const auto [metric, options] = GENERATE(table<int32_t, std::string>({
        {QUERN_L2, "index=graph"},
        {QUERN_COSINE, "index=graph codes=i8"},
        {QUERN_IP, "index=graph codes=f32"},
        {QUERN_L2, "index=lists"},
        {QUERN_COSINE, "index=lists codes=f32"},
    }));
    indexed::IndexedFile file;
    file.Create(metric, options);
    std::vector<float> rows = indexed::MakeRows(4000, 1);
    for (size_t i = 0; i < 4000; i += 400) {
        std::fill_n(&rows[i * indexed::kDim], indexed::kDim, 0.0f);
        std::copy_n(&rows[7 * indexed::kDim], indexed::kDim, &rows[(i + 1) * indexed::kDim]);
    }
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> repeated(&rows[7 * indexed::kDim], &rows[8 * indexed::kDim]);
    file.Insert(9000, repeated);
    file.Delete({401});
    const auto within = [&](const std::vector<float>& query, size_t limit, double distance,
                            const char* how) {
        quern_query* q = quern_query_new(file.db, "docs");
        quern_query_dense(q, "emb", query.data(), 1, indexed::kDim);
        quern_query_limit(q, limit);
        quern_query_max_distance(q, distance);
        quern_query_options(q, how);
        quern_result* result = nullptr;
        file.Ok(quern_search(q, &result, &file.err));
        quern_query_free(q);
        std::vector<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.push_back(quern_result_key_int(result, row));
        }
        const bool exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
        const int64_t recall = quern_result_stat(result, QUERN_RESULT_RECALL);
        quern_result_free(result);
        return std::make_tuple(keys, exact, recall);
    };
    const std::vector<float> zero(indexed::kDim, 0.0f);
    INFO(metric << " " << options);
    if (metric != QUERN_IP) {
        // Key 7, its nine living repeats, and the one in the log.
        const auto [keys, exact, recall] = within(repeated, 0, 1e-5, "recall=0.9");
        CHECK(!exact);
        CHECK(recall == 900000);
        CHECK(keys == std::get<0>(within(repeated, 0, 1e-5, "recall=exact")));
        CHECK(keys.size() == 11);
    }
    if (metric == QUERN_L2) {
        CHECK(std::get<0>(within(zero, 0, 1e-3, "recall=0.9")).size() == 10);
    }
    // A limit far beyond what the bound leaves takes the same way.
    const double few = metric == QUERN_IP ? -8.0 : metric == QUERN_L2 ? 1.0 : 0.05;
    const auto all = std::get<0>(within(repeated, 0, few, "recall=0.9"));
    CHECK(std::get<0>(within(repeated, 3000, few, "recall=0.9")).size() ==
          std::min<size_t>(3000, all.size()));
    // Most of all records: a scan.
    const double most = metric == QUERN_IP ? 100.0 : metric == QUERN_L2 ? 1000.0 : 1.9;
    const auto [many, scanned, certain] = within(repeated, 0, most, "recall=0.9");
    CHECK(scanned);
    CHECK(certain == 1000000);
    CHECK(many == std::get<0>(within(repeated, 0, most, "recall=exact")));
    // Knobs instead of a recall: what the curve says of them.
    const auto [some, forced, said] = within(repeated, 0, few, "ef=64 nprobe=64");
    CHECK(said > 500000);
    CHECK(said <= 1000000);
}

TEST_CASE("a range search finds what it promises where many are equally far", "[index]") {
    constexpr size_t kBits = 32;
    constexpr size_t kRows = 4000;
    constexpr size_t kAsked = 200;
    indexed::IndexedFile file;
    file.dim = kBits;
    file.Create(QUERN_HAMMING, "index=graph");
    std::mt19937_64 random(1);
    std::vector<float> rows((kRows + kAsked) * kBits);
    for (float& bit : rows) {
        bit = static_cast<float>(random() & 1);
    }
    file.Insert(0, {rows.begin(), rows.begin() + kRows * kBits});
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto within = [&](size_t query, const char* how) {
        quern_query* q = quern_query_new(file.db, "docs");
        quern_query_dense(q, "emb", &rows[(kRows + query) * kBits], 1, kBits);
        quern_query_limit(q, 0);
        quern_query_max_distance(q, 8);  // some fourteen records, a few of which are nearer
        quern_query_options(q, how);
        quern_result* result = nullptr;
        file.Ok(quern_search(q, &result, &file.err));
        quern_query_free(q);
        const auto found = static_cast<double>(quern_result_rows(result));
        const bool exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
        quern_result_free(result);
        return std::make_pair(found, exact);
    };
    for (const double told : {0.9, 0.95}) {
        const std::string how = "recall=" + std::to_string(told);
        double found = 0;
        double all = 0;
        size_t exact = 0;
        for (size_t q = 0; q < kAsked; q++) {
            const auto [some, scanned] = within(q, how.c_str());
            found += some;
            exact += scanned ? 1 : 0;
            all += within(q, "recall=exact").first;
        }
        INFO(how << ": " << found << " of " << all);
        CHECK(exact == 0);
        CHECK(found / all >= told - 0.01);
    }
}

TEST_CASE("a range curve counts what its bounds catch", "[index]") {
    const auto list = [](std::vector<float> distances) {
        std::vector<quern::kernels::Hit> hits;
        for (const float distance : distances) {
            hits.push_back({distance, static_cast<uint32_t>(hits.size())});
        }
        return hits;
    };
    using quern::dense::CaughtBy;
    // No two equally far: as many as the rank, to the last.
    CHECK(CaughtBy(list({1, 2, 3, 4}), 1) == 1);
    CHECK(CaughtBy(list({1, 2, 3, 4}), 4) == 4);
    // All that are as far as the rank's.
    CHECK(CaughtBy(list({1, 1, 1, 2, 3}), 1) == 3);
    CHECK(CaughtBy(list({1, 2, 2, 2, 3}), 3) == 4);
    // Of those as far as the last there may be more than the list has.
    CHECK(CaughtBy(list({1, 2, 2, 3, 3}), 4) == 3);
    CHECK(CaughtBy(list({1, 2, 2, 3}), 4) == 3);
    CHECK(CaughtBy(list({2, 2, 2, 2}), 2) == 0);
}
