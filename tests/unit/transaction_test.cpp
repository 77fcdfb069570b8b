// Transactions of many batches: large ones send their records past the log, and whatever was
// written before in the same transaction must be found wherever it is.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

struct Record {
    int64_t year = 0;
    std::vector<float> emb;
    bool operator==(const Record&) const = default;
};

class Docs {
public:
    explicit Docs(const char* options) {
        Ok(quern_open(":memory:", options, &db_, &err_));
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_dense(schema, "emb", 3, QUERN_COSINE, nullptr);
        Ok(quern_create(db_, "docs", schema, &err_));
        quern_schema_free(schema);
    }
    ~Docs() { quern_close(db_); }

    void Ok(int32_t status) {
        INFO(err_.message);
        REQUIRE(status == QUERN_OK);
    }
    void Begin() { Ok(quern_begin(db_, &txn_, &err_)); }
    void Commit() {
        Ok(quern_commit(txn_, &err_));
        txn_ = nullptr;
    }
    void Rollback() {
        quern_rollback(txn_);
        txn_ = nullptr;
    }

    using Write = int32_t (*)(quern_batch*, quern_txn*, quern_error*);
    static int32_t Insert(quern_batch* b, quern_txn* t, quern_error* e) {
        return quern_insert(b, t, e);
    }
    static int32_t Upsert(quern_batch* b, quern_txn* t, quern_error* e) {
        return quern_upsert(b, t, e);
    }
    static int32_t Update(quern_batch* b, quern_txn* t, quern_error* e) {
        return quern_update(b, t, e);
    }

    // A year and a vector (if wanted) that say which write of which key it was.
    int32_t Put(Write write, const std::vector<int64_t>& keys, bool years, bool vectors) {
        if (keys.empty()) {
            return QUERN_OK;
        }
        std::vector<int64_t> year;
        std::vector<float> emb;
        for (const int64_t key : keys) {
            serial_++;
            year.push_back(serial_);
            emb.insert(emb.end(), {static_cast<float>(serial_), static_cast<float>(key), 1.0f});
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        if (years) {
            quern_batch_int(batch, "year", year.data(), nullptr);
        }
        if (vectors) {
            quern_batch_dense(batch, "emb", emb.data(), 3, nullptr);
        }
        const int32_t status = write(batch, txn_, &err_);
        quern_batch_free(batch);
        for (size_t i = 0; status == QUERN_OK && i < keys.size(); i++) {
            Record& record = model[keys[i]];
            if (years) {
                record.year = year[i];
            }
            if (vectors) {
                record.emb.assign(emb.begin() + static_cast<ptrdiff_t>(3 * i),
                                  emb.begin() + static_cast<ptrdiff_t>(3 * i + 3));
            }
        }
        return status;
    }
    void Delete(const std::vector<int64_t>& keys) {
        if (keys.empty()) {
            return;
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, txn_, &err_));
        quern_batch_free(batch);
        for (const int64_t key : keys) {
            model.erase(key);
        }
    }

    void Check() {
        quern_cursor* cursor = nullptr;
        Ok(quern_scan(db_, "docs", nullptr, "*", &cursor, &err_));
        quern_result* rows = nullptr;
        Ok(quern_cursor_next(cursor, 100000, &rows, &err_));
        std::map<int64_t, Record> found;
        for (size_t i = 0; i < quern_result_rows(rows); i++) {
            Record& record = found[quern_result_key_int(rows, i)];
            record.year = quern_result_int(rows, i, 0);
            size_t dim = 0;
            const auto* emb = static_cast<const float*>(quern_result_dense(rows, i, 1, &dim));
            record.emb.assign(emb, emb + dim);
        }
        REQUIRE(found == model);
        quern_result_free(rows);
        quern_cursor_free(cursor);
        quern_text* report = nullptr;
        const int32_t status = quern_verify(db_, &report, &err_);
        INFO(quern_text_data(report));
        REQUIRE(status == QUERN_OK);
        quern_text_free(report);
    }
    int64_t Stat(int32_t what) {
        int64_t value = 0;
        Ok(quern_stat(db_, what, &value, &err_));
        return value;
    }
    quern_db* db() { return db_; }
    quern_error* error() { return &err_; }

    std::map<int64_t, Record> model;

private:
    quern_db* db_ = nullptr;
    quern_txn* txn_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    int64_t serial_ = 0;
};

std::vector<int64_t> Range(int64_t first, int64_t count) {
    std::vector<int64_t> keys;
    for (int64_t i = 0; i < count; i++) {
        keys.push_back(first + i);
    }
    return keys;
}

}  // namespace

TEST_CASE("many small batches in one transaction pass by the log") {
    Docs docs("maintenance=off");
    docs.Begin();
    for (int64_t batch = 0; batch < 40; batch++) {
        docs.Ok(docs.Put(Docs::Insert, Range(batch * 1000, 1000), true, true));
    }
    docs.Commit();
    // Only what came before the transaction was large.
    CHECK(docs.Stat(QUERN_STAT_LOG_ROWS) <= 6000);
    CHECK(docs.Stat(QUERN_STAT_SEGMENTS) == 1);
    docs.Check();
}

TEST_CASE("a large transaction finds what it wrote itself") {
    const unsigned seed = GENERATE(range(1u, 13u));
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto pick = [&](size_t n) { return random() % n; };
    // A few records make a transaction large, some kilobytes a segment.
    Docs docs("seal_rows=40 seal_kb=4");
    for (int round = 0; round < 6; round++) {
        const std::map<int64_t, Record> before = docs.model;
        docs.Begin();
        const size_t batches = 1 + pick(60);
        for (size_t batch = 0; batch < batches; batch++) {
            std::vector<int64_t> present;
            std::vector<int64_t> absent;
            std::vector<int64_t> any;
            for (int64_t key = 0; key < 300; key++) {
                if (pick(15) == 0) {
                    (docs.model.count(key) == 1 ? present : absent).push_back(key);
                    any.push_back(key);
                }
            }
            std::shuffle(any.begin(), any.end(), random);
            switch (pick(5)) {
                case 0: docs.Ok(docs.Put(Docs::Insert, absent, true, true)); break;
                case 1: docs.Ok(docs.Put(Docs::Upsert, any, true, true)); break;
                case 2: docs.Ok(docs.Put(Docs::Update, present, true, false)); break;
                case 3: docs.Ok(docs.Put(Docs::Update, present, false, true)); break;
                default: docs.Delete(any); break;
            }
        }
        if (pick(4) == 0) {
            docs.Rollback();
            docs.model = before;
        } else {
            docs.Commit();
        }
        docs.Check();
        if (pick(3) == 0) {
            docs.Ok(quern_optimize(docs.db(), nullptr, 0, docs.error()));
            docs.Check();
        }
    }
}

TEST_CASE("a large transaction refuses keys that are there") {
    Docs docs("seal_rows=40 seal_kb=4");
    docs.Ok(docs.Put(Docs::Insert, {1, 2, 3}, true, true));
    const std::map<int64_t, Record> before = docs.model;
    const int64_t again = GENERATE(2, 100, 140);  // committed; in the log of its own; buffered
    docs.Begin();
    docs.Ok(docs.Put(Docs::Insert, Range(100, 20), true, true));
    docs.Ok(docs.Put(Docs::Insert, Range(120, 30), true, true));
    CHECK(docs.Put(Docs::Insert, {again}, true, true) == QUERN_ERR_KEY_EXISTS);
    docs.Rollback();
    docs.model = before;
    docs.Check();
}

TEST_CASE("a record of the log that a large batch replaced is not found again") {
    Docs docs("");
    docs.Ok(docs.Put(Docs::Insert, {7, 8}, true, true));
    docs.Begin();
    docs.Ok(docs.Put(Docs::Upsert, Range(0, 5000), true, true));
    docs.Ok(docs.Put(Docs::Upsert, {7}, true, true));
    docs.Delete({8});
    docs.Commit();
    docs.Check();
}
