// A collection with one vector field in a file of its own, for tests of searches through an index.
#pragma once

#include <quern.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace indexed {

inline constexpr size_t kDim = 24;

struct IndexedFile {
    std::string path;
    size_t dim = kDim;  // may be changed before Create
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    explicit IndexedFile(const std::string& name = "") {
        path = (std::filesystem::temp_directory_path() /
                ("quern_index_" + std::to_string(getpid()) + name + ".db"))
                   .string();
        Remove();
        Open();
    }
    ~IndexedFile() {
        quern_close(db);
        Remove();
    }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path + suffix);
        }
    }
    void Open(const char* options = "threads=2") {
        quern_close(db);
        const int32_t status = quern_open(path.c_str(), options, &db, &err);
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    // With an index unless the options say otherwise.
    void Create(int32_t metric, const std::string& options) {
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", dim, metric, options.c_str());
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
    }
    // As `fill` leaves a new file: the first who asks for `name` waits for it, others get the same
    // bytes.
    template <class Fill>
    void FillOnce(const std::string& name, const Fill& fill) {
        static std::map<std::string, std::string> made;
        std::string& bytes = made[name];
        if (bytes.empty()) {
            fill();
            quern_close(db);
            std::ifstream in(path, std::ios::binary);
            bytes.assign(std::istreambuf_iterator<char>(in), {});
        } else {
            quern_close(db);
            Remove();
            std::ofstream(path, std::ios::binary) << bytes;
        }
        db = nullptr;
        Open();
    }
    void Insert(int64_t first, const std::vector<float>& rows, const uint8_t* valid = nullptr) {
        const size_t count = rows.size() / dim;
        std::vector<int64_t> keys(count);
        for (size_t i = 0; i < count; i++) {
            keys[i] = first + static_cast<int64_t>(i);
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", rows.data(), dim, valid);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Delete(const std::vector<int64_t>& keys) {
        quern_batch* batch = quern_batch_new(db, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    struct Answer {
        std::vector<std::vector<int64_t>> keys;
        std::vector<std::vector<float>> distances;
        bool exact = false;
        bool degraded = false;
        bool partial = false;
        int64_t refined = 0;
        double told = 0;  // the recall
    };
    Answer Search(const std::vector<float>& queries, size_t k, const char* options,
                  const char* where = nullptr) {
        const size_t count = queries.size() / dim;
        quern_query* query = quern_query_new(db, "docs");
        quern_query_dense(query, "emb", queries.data(), count, dim);
        quern_query_limit(query, k);
        quern_query_options(query, options);
        if (where != nullptr) {
            quern_query_filter(query, where);
        }
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        Answer answer;
        for (size_t q = 0; q < count; q++) {
            answer.keys.emplace_back();
            answer.distances.emplace_back();
            const size_t first = quern_result_offset(result, q);
            const size_t last = quern_result_offset(result, q + 1);
            for (size_t row = first; row < last; row++) {
                answer.keys.back().push_back(quern_result_key_int(result, row));
                answer.distances.back().push_back(quern_result_distance(result, row));
            }
        }
        answer.exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
        answer.degraded = (quern_result_flags(result) & QUERN_FLAG_DEGRADED) != 0;
        answer.partial = (quern_result_flags(result) & QUERN_FLAG_PARTIAL) != 0;
        answer.told = 1e-6 * static_cast<double>(quern_result_stat(result, QUERN_RESULT_RECALL));
        answer.refined = quern_result_stat(result, QUERN_RESULT_VECTORS_REFINED);
        quern_result_free(result);
        quern_query_free(query);
        return answer;
    }
};

// Rows on a curved surface of few dimensions: an index soon knows how far it has to look in them.
// In rows of independent numbers it tries ever larger pools, which is most of the time that a build
// takes.
inline std::vector<float> MakeRows(size_t count, uint64_t seed, size_t dim = kDim) {
    std::mt19937_64 random(seed);
    std::mt19937_64 fixed(7);
    std::normal_distribution<float> normal;
    std::vector<float> mix(6 * dim);
    for (float& x : mix) {
        x = normal(fixed);
    }
    std::vector<float> rows(count * dim);
    for (size_t i = 0; i < count; i++) {
        float factor[6];
        for (float& f : factor) {
            f = normal(random);
        }
        for (size_t j = 0; j < dim; j++) {
            float sum = 0;
            for (size_t f = 0; f < 6; f++) {
                sum += factor[f] * mix[f * dim + j];
            }
            rows[i * dim + j] = std::sin(sum * 0.4f) + 0.02f * normal(random);
        }
    }
    return rows;
}

inline double Recall(const IndexedFile::Answer& found, const IndexedFile::Answer& truth) {
    size_t hits = 0;
    size_t all = 0;
    for (size_t q = 0; q < truth.keys.size(); q++) {
        const std::set<int64_t> right(truth.keys[q].begin(), truth.keys[q].end());
        for (const int64_t key : found.keys[q]) {
            hits += right.count(key);
        }
        all += right.size();
    }
    return static_cast<double>(hits) / static_cast<double>(all);
}

}  // namespace indexed
