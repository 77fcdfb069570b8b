// Sparse fields by the C API, beside the model test: what is refused, what is kept, small memory,
// damage.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

#include "storage/sparse_value.h"
#include "tests/unit/hostile_file.h"

namespace {

constexpr size_t kRecords = 300;

// Beside what HostileFile has: collection "terms" with a field of 10,000 dimensions.
class SparseFile : public HostileFile {
public:
    SparseFile() {
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "words", "dims=10000");
        Ok(quern_create(db, "terms", schema, &err));
        quern_schema_free(schema);
    }
    int32_t Put(int64_t key, const std::vector<uint32_t>& dims, const std::vector<float>& weights) {
        const size_t offsets[] = {0, dims.size()};
        return PutRow(key, offsets, dims.data(), weights.data());
    }
    int32_t PutRow(int64_t key, const size_t* offsets, const uint32_t* dims, const float* weights) {
        quern_batch* batch = quern_batch_new(db, "terms", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_sparse(batch, "words", offsets, dims, weights, nullptr);
        const int32_t status = quern_upsert(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    void Fill() {
        for (size_t i = 0; i < kRecords; i++) {
            const auto n = static_cast<uint32_t>(i);
            Ok(Put(static_cast<int64_t>(i), {n, n + 300, 999},
                   {1.0f + static_cast<float>(i), -2, 0.25f * static_cast<float>(i % 7)}));
        }
        Ok(quern_optimize(db, nullptr, 0, &err));
    }
    // Keys of the best; the status otherwise.
    int32_t Search(const std::vector<uint32_t>& dims, std::vector<int64_t>* keys) {
        const size_t offsets[] = {0, dims.size()};
        quern_query* query = quern_query_new(db, "terms");
        quern_query_sparse(query, "words", offsets, dims.data(), nullptr, 1);
        quern_query_limit(query, 20);
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys->push_back(quern_result_key_int(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return status;
    }
    void Reopen(const char* options) {
        quern_close(db);
        db = nullptr;
        Ok(quern_open(path().c_str(), options, &db, &err));
    }
    bool Says(const char* piece) {
        INFO(err.message);
        return std::string(err.message).find(piece) != std::string::npos;
    }
};

}  // namespace

TEST_CASE("sparse fields refuse what is no vector, and say where it is") {
    SparseFile file;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(file.Put(7, {1, 2}, {1, nan}) == QUERN_ERR_NOT_FINITE);
    CHECK((file.Says("record 0 (key 7)") && file.Says("'words'") && file.Says("entry 1")));
    CHECK(file.Put(7, {5, 1, 5}, {1, 2, 3}) == QUERN_ERR_INVALID);
    CHECK((file.Says("dimension 5") && file.Says("twice")));
    CHECK(file.Put(7, {1, 10000}, {1, 2}) == QUERN_ERR_DIMENSION);
    CHECK((file.Says("10000") && file.Says("entry 1")));
    const size_t down[] = {2, 1};
    const uint32_t dims[] = {1, 2};
    const float weights[] = {1, 2};
    CHECK(file.PutRow(7, down, dims, weights) == QUERN_ERR_INVALID);
    const size_t two[] = {0, 2};
    CHECK(file.PutRow(7, two, nullptr, weights) == QUERN_ERR_MISUSE);
    CHECK(file.Put(7, std::vector<uint32_t>(65536, 1), std::vector<float>(65536, 1)) ==
          QUERN_ERR_LIMIT);
    uint64_t count = 1;
    file.Ok(quern_count(file.db, "terms", nullptr, &count, &file.err));
    CHECK(count == 0);
    std::vector<int64_t> keys;
    CHECK(file.Search({3, 3}, &keys) == QUERN_ERR_INVALID);
    CHECK((file.Says("query 0") && file.Says("'words'")));
}

TEST_CASE("sparse values are kept exactly, in the log and in segments") {
    SparseFile file;
    const float tiny = std::numeric_limits<float>::denorm_min();
    file.Ok(file.Put(1, {900, 4, 17}, {-0.1f, tiny, 3e38f}));
    file.Ok(file.Put(2, {5, 6}, {0, 2}));
    file.Ok(file.Put(3, {}, {}));
    for (const bool sealed : {false, true}) {
        CAPTURE(sealed);
        if (sealed) {
            file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        }
        const int64_t keys[] = {1, 2, 3};
        quern_batch* batch = quern_batch_new(file.db, "terms", 3);
        quern_batch_key_int(batch, keys);
        quern_result* result = nullptr;
        file.Ok(quern_get(batch, nullptr, "*", &result, &file.err));
        const float* weights = nullptr;
        size_t n = 0;
        const uint32_t* dims = quern_result_sparse(result, 0, 0, &weights, &n);
        REQUIRE(n == 3);
        CHECK((dims[0] == 4 && dims[1] == 17 && dims[2] == 900));
        CHECK((weights[0] == tiny && weights[1] == 3e38f && weights[2] == -0.1f));
        dims = quern_result_sparse(result, 1, 0, &weights, &n);
        REQUIRE(n == 1);
        CHECK((dims[0] == 6 && weights[0] == 2));
        CHECK(quern_result_sparse(result, 2, 0, nullptr, &n) != nullptr);  // empty, not absent
        CHECK(n == 0);
        quern_result_free(result);
        quern_batch_free(batch);
        std::vector<int64_t> found;
        file.Ok(file.Search({5}, &found));  // its weight was zero
        CHECK(found.empty());
        CHECK(file.Problems().empty());
    }
}

TEST_CASE("sparse values that do not fit the memory are read piece by piece") {
    SparseFile file;
    file.Fill();
    std::vector<uint32_t> many(5000);
    for (int64_t key = 1000; key < 1040; key++) {
        for (size_t i = 0; i < many.size(); i++) {
            many[i] = static_cast<uint32_t>(i + 2000 + static_cast<size_t>(key));
        }
        file.Ok(file.Put(key, many, std::vector<float>(many.size(), 1.5f)));
    }
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    std::vector<int64_t> right;
    file.Ok(file.Search({999, 10, 301, 3000, 3001, 8038}, &right));
    CHECK(right.size() == 20);
    file.Reopen("memory_mb=1");
    std::vector<int64_t> found;
    file.Ok(file.Search({999, 10, 301, 3000, 3001, 8038}, &found));
    CHECK(found == right);
}

TEST_CASE("damage of a sparse field is found and named") {
    SparseFile file;
    file.Fill();
    const auto [kind, name] = GENERATE(table<int, std::string>(
        {{5, "sparse lengths"}, {6, "sparse dimensions"}, {7, "sparse weights"}}));
    CAPTURE(name);
    file.Alter(
        "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20) IN (SELECT id "
        "FROM quern_part WHERE kind=" +
        std::to_string(kind) + ")");
    std::vector<int64_t> keys;
    CHECK(file.Search({999}, &keys) == QUERN_ERR_CORRUPT);
    CHECK((file.Says("collection 'terms'") && file.Says(name.c_str())));
    CHECK(file.Problems().find(name) != std::string::npos);
}

TEST_CASE("a dropped sparse field leaves a sound collection") {
    SparseFile file;
    file.Fill();
    file.Ok(quern_drop_column(file.db, "terms", "words", &file.err));
    CHECK(file.Problems().empty());
    file.Ok(quern_add_sparse(file.db, "terms", "words", nullptr, &file.err));
    file.Ok(file.Put(1, {4294967295u}, {1}));
    std::vector<int64_t> keys;
    file.Ok(file.Search({4294967295u}, &keys));
    CHECK(keys == std::vector<int64_t>{1});
    CHECK(file.Problems().empty());
}

TEST_CASE("bytes of a sparse value are proven") {
    using quern::storage::SparseValueProblem;
    const auto value = [](std::vector<uint32_t> dims, const std::vector<float>& weights) {
        std::string bytes(reinterpret_cast<const char*>(dims.data()), 4 * dims.size());
        return bytes.append(reinterpret_cast<const char*>(weights.data()), 4 * weights.size());
    };
    CHECK(SparseValueProblem("", 10, true) == nullptr);
    CHECK(SparseValueProblem(value({1, 9}, {1, -1}), 10, false) == nullptr);
    CHECK(SparseValueProblem(value({1, 10}, {1, 1}), 10, false) != nullptr);
    CHECK(SparseValueProblem(value({1, 1}, {1, 1}), 10, false) != nullptr);
    CHECK(SparseValueProblem(value({1, 2}, {1, 0}), 10, false) != nullptr);
    CHECK(SparseValueProblem("1234567", 10, false) != nullptr);
    CHECK(SparseValueProblem(value({1, 9}, {1, 1}), 10, true) == nullptr);
    CHECK(SparseValueProblem(value({1, 9}, {1, 2}), 10, true) != nullptr);
    uint32_t gaps[] = {4294967295u, 1};
    CHECK(!quern::storage::SparseDimensions(gaps, 2, uint64_t{1} << 32));
}
