// Sparse fields with more records than a superblock has, beside a model: with weights and binary,
// in segments with an index and in the log, with records that are replaced and deleted.
#include <quern.h>

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "storage/chunk_store.h"
#include "tests/unit/hostile_file.h"
#include "tests/unit/sparse_sample.h"

using namespace sparse_sample;

namespace {

class ModelFile : public HostileFile {
public:
    explicit ModelFile(bool binary) : binary_(binary) {
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "words", binary ? "dims=2000 weights=none" : "dims=2000");
        Ok(quern_create(db, "terms", schema, &err));
        CHECK(quern_schema_sparse_type(schema, 0) == (binary ? QUERN_BIT : QUERN_F32));
        quern_schema_free(schema);
    }
    void Upsert(const std::vector<int64_t>& keys, std::mt19937* random) {
        Shape shape;
        shape.dimensions = 2000;
        shape.entries_max = 12;
        shape.weights = binary_ ? 4 : 2;
        shape.negative = binary_ ? 0 : 0.05;
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (const int64_t key : keys) {
            model_[key] = RandomVector(shape, random);
            for (const SparseEntry& entry : model_[key]) {
                dims.push_back(entry.dimension);
                weights.push_back(entry.weight);
            }
            offsets.push_back(dims.size());
        }
        quern_batch* batch = quern_batch_new(db, "terms", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_sparse(batch, "words", offsets.data(), dims.data(),
                           binary_ ? nullptr : weights.data(), nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Delete(const std::vector<int64_t>& keys) {
        quern_batch* batch = quern_batch_new(db, "terms", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, nullptr, &err));
        quern_batch_free(batch);
        for (const int64_t key : keys) {
            model_.erase(key);
        }
    }
    void Compare(bool weighted, std::mt19937* random) {
        Shape shape;
        shape.dimensions = 2000;
        shape.entries_max = 20;
        shape.weights = weighted ? 2 : 4;
        const SparseVector query = RandomVector(shape, random);
        std::vector<std::pair<double, int64_t>> best;
        for (const auto& [key, row] : model_) {
            double score = 0;
            bool common = false;
            for (const SparseEntry& a : query) {
                for (const SparseEntry& b : row) {
                    common = common || a.dimension == b.dimension;
                    score += a.dimension == b.dimension
                                 ? static_cast<double>(a.weight) * static_cast<double>(b.weight)
                                 : 0;
                }
            }
            if (common) {
                best.emplace_back(-score, key);
            }
        }
        std::sort(best.begin(), best.end());
        best.resize(std::min<size_t>(best.size(), 50));
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (const SparseEntry& entry : query) {
            dims.push_back(entry.dimension);
            weights.push_back(entry.weight);
        }
        const size_t offsets[] = {0, dims.size()};
        quern_query* q = quern_query_new(db, "terms");
        quern_query_sparse(q, "words", offsets, dims.data(), weighted ? weights.data() : nullptr,
                           1);
        quern_query_limit(q, 50);
        quern_query_columns(q, "words");
        quern_result* result = nullptr;
        Ok(quern_search(q, &result, &err));
        CHECK(quern_result_flags(result) == QUERN_FLAG_EXACT);
        REQUIRE(quern_result_rows(result) == best.size());
        for (size_t i = 0; i < best.size(); i++) {
            REQUIRE(quern_result_key_int(result, i) == best[i].second);
            REQUIRE(quern_result_score(result, i) == static_cast<float>(-best[i].first));
            const float* stored = nullptr;
            size_t count = 0;
            const uint32_t* at = quern_result_sparse(result, i, 0, &stored, &count);
            const SparseVector& row = model_.at(best[i].second);
            REQUIRE(count == row.size());
            for (size_t e = 0; e < count; e++) {
                REQUIRE((at[e] == row[e].dimension && stored[e] == row[e].weight));
            }
        }
        quern_result_free(result);
        quern_query_free(q);
    }
    // How a search would be answered, as JSON.
    std::string Explain() {
        const size_t offsets[] = {0, 1};
        const uint32_t dimension = 3;
        quern_query* q = quern_query_new(db, "terms");
        quern_query_sparse(q, "words", offsets, &dimension, nullptr, 1);
        quern_text* text = nullptr;
        Ok(quern_query_explain(q, &text, &err));
        const std::string json = quern_text_data(text);
        quern_text_free(text);
        quern_query_free(q);
        return json;
    }
    // What quern_info tells of the index of the one segment.
    nlohmann::json Index() {
        quern_text* text = nullptr;
        Ok(quern_info(db, &text, &err));
        const auto info = nlohmann::json::parse(quern_text_data(text));
        quern_text_free(text);
        for (const auto& collection : info["collections"]) {
            if (collection["name"] == "terms") {
                return collection["segments"].at(0)["indexes"].at(0);
            }
        }
        return {};
    }
    // How many parts of a kind the file has; reopens it.
    int64_t Parts(quern::storage::PartKind kind) {
        quern_close(db);
        db = nullptr;
        sqlite3* raw = nullptr;
        sqlite3_stmt* count = nullptr;
        REQUIRE(sqlite3_open(path().c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_prepare_v2(raw, "SELECT count(*) FROM quern_part WHERE kind=?1", -1, &count,
                                   nullptr) == SQLITE_OK);
        sqlite3_bind_int(count, 1, static_cast<int>(kind));
        REQUIRE(sqlite3_step(count) == SQLITE_ROW);
        const int64_t parts = sqlite3_column_int64(count, 0);
        sqlite3_finalize(count);
        REQUIRE(sqlite3_close(raw) == SQLITE_OK);
        Open();
        return parts;
    }

private:
    bool binary_;
    std::map<int64_t, SparseVector> model_;
};

std::vector<int64_t> Keys(int64_t first, int64_t end, int64_t step) {
    std::vector<int64_t> keys;
    for (int64_t key = first; key < end; key += step) {
        keys.push_back(key);
    }
    return keys;
}

}  // namespace

TEST_CASE("sparse searches over several superblocks find what a model finds", "[sparse]") {
    for (const bool binary : {false, true}) {
        CAPTURE(binary);
        std::mt19937 random(31);
        ModelFile file(binary);
        file.Upsert(Keys(0, 9000, 1), &random);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        CHECK(file.Parts(quern::storage::PartKind::kSparseWeights) == (binary ? 0 : 1));
        CHECK(file.Parts(quern::storage::PartKind::kSparseHead) == 1);
        const nlohmann::json index = file.Index();
        CHECK((index["field"] == "words" && index["kind"] == "sparse"));
        CHECK(index["vectors"] == 9000);
        CHECK(file.Explain().find(R"("way":"index")") != std::string::npos);
        CHECK(index["memory_bytes"] > index["stored_bytes"]);
        for (int q = 0; q < 10; q++) {
            file.Compare(q % 2 == 0, &random);
        }
        // Now some are dead, and others stand in the log.
        file.Delete(Keys(5, 9000, 7));
        file.Upsert(Keys(0, 9500, 11), &random);
        for (int q = 0; q < 10; q++) {
            file.Compare(q % 2 == 0, &random);
        }
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        for (int q = 0; q < 6; q++) {
            file.Compare(q % 2 == 0, &random);
        }
        CHECK(file.Problems().empty());
    }
}

TEST_CASE("a binary sparse field refuses weights other than 1", "[sparse]") {
    ModelFile file(true);
    const int64_t key = 1;
    const size_t offsets[] = {0, 2};
    const uint32_t dims[] = {3, 9};
    for (const float weight : {2.0f, 0.0f, -1.0f, 1.0f}) {
        const float weights[] = {1, weight};
        quern_batch* batch = quern_batch_new(file.db, "terms", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_sparse(batch, "words", offsets, dims, weights, nullptr);
        const int32_t status = quern_upsert(batch, nullptr, &file.err);
        CHECK(status == (weight == 1 ? QUERN_OK : QUERN_ERR_INVALID));
        quern_batch_free(batch);
    }
    quern_schema* schema = quern_schema_new();
    quern_schema_sparse(schema, "other", "weights=f16");
    CHECK(quern_create(file.db, "more", schema, &file.err) == QUERN_ERR_OPTION);
    quern_schema_free(schema);
}
