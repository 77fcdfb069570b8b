// A random walk through the C API beside a plain model in memory: after every step both must answer
// the same. Small thresholds make seals and merges happen all the time.
#include <quern.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/slow_build.h"

namespace {

constexpr size_t kDim = 5;
constexpr size_t kSparseDims = 12;

using SparseVector = std::map<uint32_t, float>;

struct Record {
    std::optional<int64_t> year;
    std::optional<std::string> title;
    std::optional<std::vector<float>> emb;
    std::optional<SparseVector> terms;
    bool operator==(const Record&) const = default;
};

class Walk {
public:
    Walk(std::string path, unsigned seed)
        : path_(std::move(path)), random_(seed), binary_(seed % 2 == 0) {
        Open();
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, nullptr);
        quern_schema_sparse(schema, "terms", binary_ ? "dims=12 weights=none" : "dims=12");
        Ok(quern_create(db_, "docs", schema, &err_));
        quern_schema_free(schema);
    }
    ~Walk() { quern_close(db_); }

    void Step() {
        switch (Random(12)) {
            case 0:
            case 1:
            case 2:
            case 3: Write(Random(3) == 0 ? Kind::kInsert : Kind::kUpsert); break;
            case 4:
            case 5: Write(Kind::kUpdate); break;
            case 6:
            case 7: Write(Kind::kDelete); break;
            case 8: Ok(quern_optimize(db_, Random(2) ? "docs" : nullptr, 0, &err_)); break;
            case 9:
                if (path_ != ":memory:" && Random(3) == 0) {
                    quern_close(db_);
                    Open();
                }
                break;
            case 10:
                if (Random(4) == 0) {
                    Ok(quern_vacuum(db_, &err_));
                }
                break;
            default:
                Search();
                SearchSparse();
                break;
        }
    }

    void CheckAll() {
        uint64_t count = 0;
        Ok(quern_count(db_, "docs", nullptr, &count, &err_));
        REQUIRE(count == model_.size());
        quern_cursor* cursor = nullptr;
        Ok(quern_scan(db_, "docs", nullptr, "*", &cursor, &err_));
        auto expected = model_.begin();
        while (true) {
            quern_result* rows = nullptr;
            Ok(quern_cursor_next(cursor, 1 + Random(7), &rows, &err_));
            const size_t n = quern_result_rows(rows);
            for (size_t i = 0; i < n; i++, ++expected) {
                REQUIRE(expected != model_.end());
                REQUIRE(expected->first == quern_result_key_text(rows, i));
                REQUIRE(expected->second == Take(rows, i));
            }
            quern_result_free(rows);
            if (n == 0) {
                break;
            }
        }
        REQUIRE(expected == model_.end());
        quern_cursor_free(cursor);
        quern_text* report = nullptr;
        const int32_t status = quern_verify(db_, &report, &err_);
        INFO(quern_text_data(report));
        REQUIRE(status == QUERN_OK);
        quern_text_free(report);
    }

private:
    enum class Kind { kInsert, kUpsert, kUpdate, kDelete };

    void Ok(int32_t status) {
        INFO(err_.message);
        REQUIRE(status == QUERN_OK);
    }
    size_t Random(size_t n) { return random_() % n; }
    void Open() {
        err_ = QUERN_ERROR_INIT;
        Ok(quern_open(path_.c_str(), "seal_rows=40 seal_kb=4 threads=2", &db_, &err_));
    }
    std::string RandomKey() { return "k" + std::to_string(Random(120)); }
    std::vector<float> RandomVector() {
        std::vector<float> vector(kDim);
        for (float& value : vector) {
            value = static_cast<float>(Random(4));  // many ties
        }
        return vector;
    }

    SparseVector RandomSparse() {
        SparseVector vector;
        for (size_t n = Random(5); n > 0; n--) {
            const float weight = static_cast<float>(Random(4)) - 1;  // many ties
            vector[static_cast<uint32_t>(Random(kSparseDims))] = weight == 0 ? 0.5f : weight;
        }
        return vector;
    }
    // Rows as arrays, each in a random order.
    struct Rows {
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
    };
    void AddRow(const SparseVector& vector, Rows* rows) {
        std::vector<std::pair<uint32_t, float>> entries(vector.begin(), vector.end());
        std::shuffle(entries.begin(), entries.end(), random_);
        for (const auto& [dimension, weight] : entries) {
            rows->dims.push_back(dimension);
            rows->weights.push_back(weight);
        }
        rows->offsets.push_back(rows->dims.size());
    }

    static Record Take(quern_result* rows, size_t row) {
        Record record;
        if (quern_result_type(rows, row, 0) != 0) {
            record.year = quern_result_int(rows, row, 0);
        }
        if (quern_result_type(rows, row, 1) != 0) {
            record.title = quern_result_text(rows, row, 1, nullptr);
        }
        size_t dim = 0;
        if (const void* vector = quern_result_dense(rows, row, 2, &dim)) {
            record.emb.emplace(kDim);
            std::memcpy(record.emb->data(), vector, kDim * sizeof(float));
        }
        const float* weights = nullptr;
        size_t entries = 0;
        if (const uint32_t* dims = quern_result_sparse(rows, row, 3, &weights, &entries)) {
            record.terms.emplace();
            for (size_t i = 0; i < entries; i++) {
                record.terms->emplace(dims[i], weights[i]);
            }
        }
        return record;
    }

    void Write(Kind kind) {
        const size_t n = Random(20) == 0 ? 4500 : 1 + Random(6);
        std::vector<std::string> keys;
        for (size_t i = 0; i < n; i++) {
            std::string key = n > 100 ? "big" + std::to_string(Random(100000)) : RandomKey();
            if (std::find(keys.begin(), keys.end(), key) == keys.end() || n > 100) {
                keys.push_back(key);
            }
        }
        if (n > 100) {
            std::sort(keys.begin(), keys.end());
            keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
            std::shuffle(keys.begin(), keys.end(), random_);
            if (kind == Kind::kUpsert && big_written_) {
                kind = Kind::kDelete;  // keeps the walk small
            }
            big_written_ = !big_written_;
        }
        const bool set_year = kind != Kind::kUpdate || Random(2) == 0;
        const bool set_emb = kind != Kind::kUpdate || Random(3) == 0;
        const bool set_terms = kind != Kind::kUpdate || Random(3) == 0;
        std::vector<SparseVector> terms;
        std::vector<uint8_t> terms_valid;
        Rows rows;
        std::vector<const char*> key_pointers;
        std::vector<int64_t> years;
        std::vector<uint8_t> year_valid;
        std::vector<std::string> titles;
        std::vector<const char*> title_pointers;
        std::vector<float> matrix;
        std::vector<uint8_t> emb_valid;
        for (size_t i = 0; i < keys.size(); i++) {
            key_pointers.push_back(keys[i].c_str());
            years.push_back(static_cast<int64_t>(Random(100)));
            year_valid.push_back(Random(5) != 0);
            titles.push_back("title " + std::to_string(Random(1000)));
            const std::vector<float> vector = RandomVector();
            matrix.insert(matrix.end(), vector.begin(), vector.end());
            emb_valid.push_back(Random(6) != 0);
            terms.push_back(RandomSparse());
            for (auto& entry : terms.back()) {
                entry.second = binary_ ? 1 : entry.second;
            }
            AddRow(terms.back(), &rows);
            terms_valid.push_back(Random(6) != 0);
        }
        for (size_t i = 0; i < keys.size(); i++) {
            title_pointers.push_back(titles[i].c_str());
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_text(batch, key_pointers.data());
        if (set_year) {
            quern_batch_int(batch, "year", years.data(), year_valid.data());
        }
        if (kind != Kind::kUpdate) {
            quern_batch_text(batch, "title", title_pointers.data(), nullptr);
        }
        if (set_emb) {
            quern_batch_dense(batch, "emb", matrix.data(), kDim, emb_valid.data());
        }
        if (set_terms) {
            quern_batch_sparse(batch, "terms", rows.offsets.data(), rows.dims.data(),
                               binary_ && Random(2) == 0 ? nullptr : rows.weights.data(),
                               terms_valid.data());
        }
        quern_txn* txn = nullptr;
        const size_t mode = Random(4);  // own transaction, committed, rolled back
        if (mode >= 2) {
            Ok(quern_begin(db_, &txn, &err_));
        }
        bool exists_all = true;
        bool exists_any = false;
        for (const std::string& key : keys) {
            exists_all = exists_all && model_.count(key) == 1;
            exists_any = exists_any || model_.count(key) == 1;
        }
        int32_t status = QUERN_OK;
        int32_t expected = QUERN_OK;
        switch (kind) {
            case Kind::kInsert:
                status = quern_insert(batch, txn, &err_);
                expected = exists_any ? QUERN_ERR_KEY_EXISTS : QUERN_OK;
                break;
            case Kind::kUpsert: status = quern_upsert(batch, txn, &err_); break;
            case Kind::kUpdate:
                status = quern_update(batch, txn, &err_);
                expected = exists_all ? QUERN_OK : QUERN_ERR_NOT_FOUND;
                break;
            case Kind::kDelete: status = quern_delete(batch, txn, &err_); break;
        }
        INFO(err_.message);
        REQUIRE(status == expected);
        bool committed = status == QUERN_OK;
        if (txn != nullptr) {
            if (mode == 3 || status != QUERN_OK) {
                quern_rollback(txn);
                committed = false;
            } else {
                Ok(quern_commit(txn, &err_));
            }
        }
        if (committed) {
            for (size_t i = 0; i < keys.size(); i++) {
                if (kind == Kind::kDelete) {
                    model_.erase(keys[i]);
                    continue;
                }
                Record& record = model_[keys[i]];
                if (kind != Kind::kUpdate) {
                    record = Record();
                    record.title = titles[i];
                }
                if (set_year) {
                    record.year = year_valid[i] ? std::optional<int64_t>(years[i]) : std::nullopt;
                }
                if (set_terms) {
                    record.terms = terms_valid[i] ? std::optional(terms[i]) : std::nullopt;
                }
                if (set_emb) {
                    record.emb.reset();
                    if (emb_valid[i]) {
                        record.emb = std::vector<float>(
                            matrix.begin() + static_cast<ptrdiff_t>(i * kDim),
                            matrix.begin() + static_cast<ptrdiff_t>((i + 1) * kDim));
                    }
                }
            }
        }
        quern_batch_free(batch);
    }

    void Search() {
        const size_t n = 1 + Random(8);
        const size_t k = 1 + Random(30);
        std::vector<float> queries;
        for (size_t i = 0; i < n; i++) {
            const std::vector<float> vector = RandomVector();
            queries.insert(queries.end(), vector.begin(), vector.end());
        }
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_dense(query, "emb", queries.data(), n, kDim);
        quern_query_limit(query, k);
        quern_query_options(query, "recall=exact");  // beside the indexes that optimize has built
        quern_query_columns(query, "*");
        quern_result* rows = nullptr;
        Ok(quern_search(query, &rows, &err_));
        REQUIRE(quern_result_queries(rows) == n);
        for (size_t q = 0; q < n; q++) {
            std::vector<std::pair<float, std::string>> nearest;
            for (const auto& [key, record] : model_) {
                if (record.emb) {
                    float distance = 0;
                    for (size_t i = 0; i < kDim; i++) {
                        const float difference = queries[q * kDim + i] - (*record.emb)[i];
                        distance += difference * difference;
                    }
                    nearest.emplace_back(distance, key);
                }
            }
            std::sort(nearest.begin(), nearest.end());
            nearest.resize(std::min(nearest.size(), k));
            const size_t first = quern_result_offset(rows, q);
            REQUIRE(quern_result_offset(rows, q + 1) - first == nearest.size());
            for (size_t i = 0; i < nearest.size(); i++) {
                REQUIRE(quern_result_key_text(rows, first + i) == nearest[i].second);
                REQUIRE(quern_result_distance(rows, first + i) == nearest[i].first);
                REQUIRE(Take(rows, first + i) == model_.at(nearest[i].second));
            }
        }
        quern_result_free(rows);
        quern_query_free(query);
    }

    // Exact scores in double precision; only records with a dimension of the query; ties by key.
    void SearchSparse() {
        const size_t n = 1 + Random(5);
        const size_t k = 1 + Random(30);
        const bool bounded = Random(4) == 0;
        std::vector<SparseVector> queries;
        Rows arrays;
        for (size_t i = 0; i < n; i++) {
            queries.push_back(RandomSparse());
            AddRow(queries.back(), &arrays);
        }
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_sparse(query, "terms", arrays.offsets.data(), arrays.dims.data(),
                           arrays.weights.data(), n);
        quern_query_limit(query, bounded ? 0 : k);
        if (bounded) {
            quern_query_min_score(query, 1.0);
        }
        quern_query_columns(query, "*");
        quern_result* rows = nullptr;
        Ok(quern_search(query, &rows, &err_));
        REQUIRE(quern_result_queries(rows) == n);
        for (size_t q = 0; q < n; q++) {
            std::vector<std::pair<double, std::string>> best;
            for (const auto& [key, record] : model_) {
                double score = 0;
                bool common = false;
                for (const auto& [dimension, weight] : queries[q]) {
                    if (record.terms && record.terms->count(dimension) != 0) {
                        common = true;
                        score += static_cast<double>(weight) *
                                 static_cast<double>(record.terms->at(dimension));
                    }
                }
                if (common && (!bounded || score >= 1.0)) {
                    best.emplace_back(-score, key);
                }
            }
            std::sort(best.begin(), best.end());
            best.resize(bounded ? best.size() : std::min(best.size(), k));
            const size_t first = quern_result_offset(rows, q);
            REQUIRE(quern_result_offset(rows, q + 1) - first == best.size());
            for (size_t i = 0; i < best.size(); i++) {
                REQUIRE(quern_result_key_text(rows, first + i) == best[i].second);
                REQUIRE(static_cast<double>(quern_result_score(rows, first + i)) == -best[i].first);
                REQUIRE(Take(rows, first + i) == model_.at(best[i].second));
            }
        }
        quern_result_free(rows);
        quern_query_free(query);
    }

    std::string path_;
    std::mt19937 random_;
    bool binary_;  // the sparse field is
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    std::map<std::string, Record> model_;
    bool big_written_ = false;
};

}  // namespace

constexpr int kSteps = quern::Rounds(250);

TEST_CASE("a random walk agrees with a model") {
    const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
    const bool memory = GENERATE(false, true);
    const std::string path = memory ? ":memory:"
                                    : (std::filesystem::temp_directory_path() /
                                       ("quern_model_" + std::to_string(getpid()) + ".db"))
                                          .string();
    if (!memory) {
        std::filesystem::remove(path);
    }
    CAPTURE(seed, memory);
    {
        Walk walk(path, seed);
        for (int step = 0; step < kSteps; step++) {
            CAPTURE(step);
            walk.Step();
            if (step % 10 == 0) {
                walk.CheckAll();
            }
        }
        walk.CheckAll();
    }
    if (!memory) {
        std::filesystem::remove(path);
    }
}
