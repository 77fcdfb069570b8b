// Exact search against the ground truth of real vector sets. Skipped where the data is absent.
#include <quern.h>
#include <zstd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace {

// The folder with the real data: QUERN_DATA, or shared/data beside the source tree.
std::filesystem::path DataFolder() {
    if (const char* set = std::getenv("QUERN_DATA")) {
        return set;
    }
    return std::filesystem::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
}

// The first `most` bytes of a zstd file, decoded.
std::string ReadZst(const std::filesystem::path& path, size_t most) {
    std::ifstream file(path, std::ios::binary);
    std::string out;
    std::vector<char> in(ZSTD_DStreamInSize());
    std::vector<char> piece(ZSTD_DStreamOutSize());
    ZSTD_DStream* stream = ZSTD_createDStream();
    while (out.size() < most && file) {
        file.read(in.data(), static_cast<std::streamsize>(in.size()));
        ZSTD_inBuffer input{in.data(), static_cast<size_t>(file.gcount()), 0};
        while (input.pos < input.size && out.size() < most) {
            ZSTD_outBuffer output{piece.data(), piece.size(), 0};
            REQUIRE(!ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)));
            out.append(piece.data(), output.pos);
        }
    }
    ZSTD_freeDStream(stream);
    out.resize(std::min(out.size(), most));
    return out;
}

// Rows of a bvecs file as f32.
std::vector<float> Bvecs(const std::string& bytes, size_t dim) {
    std::vector<float> values;
    for (size_t at = 0; at + 4 + dim <= bytes.size(); at += 4 + dim) {
        for (size_t i = 0; i < dim; i++) {
            values.push_back(static_cast<float>(static_cast<uint8_t>(bytes[at + 4 + i])));
        }
    }
    return values;
}

}  // namespace

TEST_CASE("exact search finds the true neighbours of real image descriptors", "[real]") {
    const std::filesystem::path folder = DataFolder() / "sift500k";
    if (!std::filesystem::exists(folder / "base.bvecs.zst")) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    constexpr size_t kDim = 128;
    constexpr size_t kTruth = 100;
    constexpr size_t kQueries = 200;
    constexpr size_t kBatch = 50000;
    const std::vector<float> base = Bvecs(ReadZst(folder / "base.bvecs.zst", SIZE_MAX), kDim);
    const std::vector<float> queries =
        Bvecs(ReadZst(folder / "query.bvecs.zst", kQueries * (4 + kDim)), kDim);
    const std::string truth =
        ReadZst(folder / "truth100.l2.ivecs.zst", kQueries * (4 + 4 * kTruth));
    const size_t rows = base.size() / kDim;
    REQUIRE(rows == 500000);
    REQUIRE(queries.size() == kQueries * kDim);

    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    REQUIRE(quern_open(":memory:", nullptr, &db, &err) == QUERN_OK);
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kDim, QUERN_L2, "index=none");
    REQUIRE(quern_create(db, "sift", schema, &err) == QUERN_OK);
    quern_schema_free(schema);
    for (size_t first = 0; first < rows; first += kBatch) {
        std::vector<int64_t> keys(std::min(kBatch, rows - first));
        for (size_t i = 0; i < keys.size(); i++) {
            keys[i] = static_cast<int64_t>(first + i);
        }
        quern_batch* batch = quern_batch_new(db, "sift", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", base.data() + first * kDim, kDim, nullptr);
        REQUIRE(quern_insert(batch, nullptr, &err) == QUERN_OK);
        quern_batch_free(batch);
    }
    auto check = [&] {
        quern_query* query = quern_query_new(db, "sift");
        quern_query_dense(query, "emb", queries.data(), kQueries, kDim);
        quern_query_limit(query, kTruth);
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &err) == QUERN_OK);
        size_t found = 0;
        for (size_t q = 0; q < kQueries; q++) {
            REQUIRE(quern_result_offset(result, q) == q * kTruth);
            std::set<int64_t> ids;
            for (size_t i = 0; i < kTruth; i++) {
                int32_t id = 0;
                std::memcpy(&id, truth.data() + q * (4 + 4 * kTruth) + 4 + 4 * i, sizeof id);
                ids.insert(id);
            }
            for (size_t i = 0; i < kTruth; i++) {
                found += ids.count(quern_result_key_int(result, q * kTruth + i));
            }
        }
        // The truth breaks ties by position, as quern does by key.
        REQUIRE(found == kQueries * kTruth);
        // One by one the answers are the same bits.
        for (size_t q = 0; q < 5; q++) {
            quern_result* single = nullptr;
            quern_query_dense(query, "emb", queries.data() + q * kDim, 1, kDim);
            REQUIRE(quern_search(query, &single, &err) == QUERN_OK);
            for (size_t i = 0; i < kTruth; i++) {
                REQUIRE(quern_result_key_int(single, i) ==
                        quern_result_key_int(result, q * kTruth + i));
                REQUIRE(quern_result_distance(single, i) ==
                        quern_result_distance(result, q * kTruth + i));
            }
            quern_result_free(single);
        }
        quern_result_free(result);
        quern_query_free(query);
    };
    check();
    REQUIRE(quern_optimize(db, nullptr, 0, &err) == QUERN_OK);
    check();
    REQUIRE(quern_verify(db, nullptr, &err) == QUERN_OK);
    quern_close(db);
}

TEST_CASE("lists deliver the recall that was asked for on real images", "[lists]") {
    const std::filesystem::path file = DataFolder() / "mnist784" / "images.u8.npy.zst";
    if (!std::filesystem::exists(file)) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    constexpr size_t kDim = 784;
    constexpr size_t kRows = 12000;
    constexpr size_t kQueries = 400;
    constexpr size_t kHeader = 128;  // of the npy format
    const std::string bytes = ReadZst(file, kHeader + (kRows + kQueries) * kDim);
    REQUIRE(bytes.size() == kHeader + (kRows + kQueries) * kDim);
    std::vector<float> values((kRows + kQueries) * kDim);
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = static_cast<float>(static_cast<uint8_t>(bytes[kHeader + i]));
    }
    const float* queries = values.data() + kRows * kDim;

    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    REQUIRE(quern_open(":memory:", nullptr, &db, &err) == QUERN_OK);
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "image", kDim, QUERN_L2, "index=lists");
    REQUIRE(quern_create(db, "mnist", schema, &err) == QUERN_OK);
    quern_schema_free(schema);
    std::vector<int64_t> keys(kRows);
    for (size_t i = 0; i < kRows; i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(db, "mnist", kRows);
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "image", values.data(), kDim, nullptr);
    REQUIRE(quern_insert(batch, nullptr, &err) == QUERN_OK);
    quern_batch_free(batch);
    REQUIRE(quern_optimize(db, nullptr, 0, &err) == QUERN_OK);

    const auto search = [&](const std::string& options) {
        quern_query* query = quern_query_new(db, "mnist");
        quern_query_dense(query, "image", queries, kQueries, kDim);
        quern_query_options(query, options.c_str());
        quern_result* result = nullptr;
        REQUIRE(quern_search(query, &result, &err) == QUERN_OK);
        REQUIRE(quern_result_offset(result, kQueries) == kQueries * 10);
        std::set<std::pair<size_t, int64_t>> found;
        for (size_t row = 0; row < kQueries * 10; row++) {
            found.emplace(row / 10, quern_result_key_int(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return found;
    };
    const auto truth = search("recall=exact");
    for (const double wanted : {0.9, 0.98}) {
        size_t hits = 0;
        for (const auto& hit : search("recall=" + std::to_string(wanted))) {
            hits += truth.count(hit);
        }
        INFO("recall " << wanted);
        REQUIRE(static_cast<double>(hits) > (wanted - 0.02) * static_cast<double>(truth.size()));
    }
    quern_close(db);
}
