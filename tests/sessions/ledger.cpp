#include "tests/sessions/ledger.h"

#include <algorithm>
#include <cstring>

#include "tests/sessions/violation.h"

namespace sessions {
namespace {

int64_t Mix(int64_t key, int64_t value) {
    uint64_t x = static_cast<uint64_t>(key) * 0x9E3779B97F4A7C15u ^ static_cast<uint64_t>(value);
    x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9u;
    return static_cast<int64_t>(x >> 16);
}

std::string TextOf(const Triple& triple) {
    return std::to_string(triple.serial) + "/" + std::to_string(triple.count) + "/" +
           std::to_string(triple.digest);
}

Triple TripleOf(int64_t serial, const LedgerRows& rows) {
    Triple triple{serial, static_cast<int64_t>(rows.size()), 0};
    for (const auto& [key, row] : rows) {
        triple.digest ^= Mix(key, row.value);
    }
    return triple;
}

}  // namespace

quern_db* OpenFile(const std::string& path, const char* options) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    Ok(quern_open(path.c_str(), options, &db, &err), err, "quern_open");
    return db;
}

void CreateLedger(quern_db* db) {
    quern_error err = QUERN_ERROR_INIT;
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "value", QUERN_INT, nullptr);
    quern_schema_dense(schema, "emb", kLedgerDim, QUERN_L2, "index=graph codes=f32");
    int32_t status = quern_create(db, "docs", schema, &err);
    quern_schema_free(schema);
    Ok(status, err, "quern_create");
    schema = quern_schema_new();
    quern_schema_attr(schema, "serial", QUERN_INT, nullptr);
    quern_schema_attr(schema, "count", QUERN_INT, nullptr);
    quern_schema_attr(schema, "digest", QUERN_INT, nullptr);
    status = quern_create(db, "ledger", schema, &err);
    quern_schema_free(schema);
    Ok(status, err, "quern_create");
}

Triple ReadLedger(quern_db* db, quern_snapshot* snapshot) {
    quern_error err = QUERN_ERROR_INIT;
    const int64_t key = 0;
    quern_batch* batch = quern_batch_new(db, "ledger", 1);
    quern_batch_key_int(batch, &key);
    quern_result* result = nullptr;
    const int32_t status = quern_get(batch, snapshot, "serial count digest", &result, &err);
    quern_batch_free(batch);
    Ok(status, err, "quern_get");
    Triple triple;
    if (quern_result_found(result, 0) != 0) {
        triple = {quern_result_int(result, 0, 0), quern_result_int(result, 0, 1),
                  quern_result_int(result, 0, 2)};
    }
    quern_result_free(result);
    return triple;
}

LedgerRows ReadLedgerRows(quern_db* db, quern_snapshot* snapshot) {
    quern_error err = QUERN_ERROR_INIT;
    quern_cursor* cursor = nullptr;
    Ok(quern_scan(db, "docs", snapshot, "value emb", &cursor, &err), err, "quern_scan");
    const std::shared_ptr<quern_cursor> owner(cursor, quern_cursor_free);
    LedgerRows rows;
    for (size_t got = 1; got > 0;) {
        quern_result* result = nullptr;
        Ok(quern_cursor_next(cursor, 500, &result, &err), err, "quern_cursor_next");
        got = quern_result_rows(result);
        for (size_t i = 0; i < got; i++) {
            LedgerRow row{quern_result_int(result, i, 0), {}};
            std::memcpy(row.vector, quern_result_dense(result, i, 1, nullptr), sizeof row.vector);
            rows[quern_result_key_int(result, i)] = row;
        }
        quern_result_free(result);
    }
    return rows;
}

void WriteOnce(quern_db* db, Random& random, LedgerRows* rows, int64_t serial) {
    quern_error err = QUERN_ERROR_INIT;
    quern_txn* txn = nullptr;
    Ok(quern_begin(db, &txn, &err), err, "quern_begin");
    LedgerRows changed;
    std::vector<int64_t> gone;
    for (size_t i = Pick(random, 0, 30) == 0 ? 150 : Pick(random, 1, 6); i > 0; i--) {
        const auto key = static_cast<int64_t>(Pick(random, 0, 400));
        if (Pick(random, 0, 2) == 0) {
            gone.push_back(key);
        } else {
            LedgerRow row{static_cast<int64_t>(random() >> 8), {}};
            for (float& x : row.vector) {
                x = static_cast<float>(Pick(random, 0, 9));
            }
            changed[key] = row;
        }
    }
    std::sort(gone.begin(), gone.end());
    gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
    if (!gone.empty()) {
        quern_batch* batch = quern_batch_new(db, "docs", gone.size());
        quern_batch_key_int(batch, gone.data());
        const int32_t status = quern_delete(batch, txn, &err);
        quern_batch_free(batch);
        Ok(status, err, "quern_delete");
    }
    for (const int64_t key : gone) {
        rows->erase(key);
    }
    std::vector<int64_t> keys, values;
    std::vector<float> matrix;
    for (const auto& [key, row] : changed) {
        keys.push_back(key);
        values.push_back(row.value);
        matrix.insert(matrix.end(), row.vector, row.vector + kLedgerDim);
        (*rows)[key] = row;
    }
    if (!keys.empty()) {
        quern_batch* batch = quern_batch_new(db, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "value", values.data(), nullptr);
        quern_batch_dense(batch, "emb", matrix.data(), kLedgerDim, nullptr);
        const int32_t status = quern_upsert(batch, txn, &err);
        quern_batch_free(batch);
        Ok(status, err, "quern_upsert");
    }
    const Triple triple = TripleOf(serial, *rows);
    const int64_t zero = 0;
    quern_batch* batch = quern_batch_new(db, "ledger", 1);
    quern_batch_key_int(batch, &zero);
    quern_batch_int(batch, "serial", &triple.serial, nullptr);
    quern_batch_int(batch, "count", &triple.count, nullptr);
    quern_batch_int(batch, "digest", &triple.digest, nullptr);
    int32_t status = quern_upsert(batch, txn, &err);
    quern_batch_free(batch);
    Ok(status, err, "quern_upsert");
    status = quern_commit(txn, &err);
    Ok(status, err, "quern_commit");
}

Triple Look(quern_db* db, quern_snapshot* snapshot, Random& random) {
    const Triple told = ReadLedger(db, snapshot);
    const LedgerRows rows = ReadLedgerRows(db, snapshot);
    const Triple found = TripleOf(told.serial, rows);
    Want(told == found, "a reader sees " + TextOf(found) + ", the ledger says " + TextOf(told));
    quern_error err = QUERN_ERROR_INIT;
    uint64_t count = 0;
    Ok(quern_count(db, "docs", snapshot, &count, &err), err, "quern_count");
    Want(count == rows.size(), "quern_count is another");
    float query[kLedgerDim];
    for (float& x : query) {
        x = static_cast<float>(Pick(random, 0, 9));
    }
    std::vector<std::pair<float, int64_t>> want;
    for (const auto& [key, row] : rows) {
        float distance = 0;
        for (size_t i = 0; i < kLedgerDim; i++) {
            distance += (row.vector[i] - query[i]) * (row.vector[i] - query[i]);
        }
        want.emplace_back(distance, key);
    }
    std::sort(want.begin(), want.end());
    quern_query* search = quern_query_new(db, "docs");
    quern_query_dense(search, "emb", query, 1, kLedgerDim);
    quern_query_options(search, "recall=exact");
    quern_query_snapshot(search, snapshot);
    quern_result* result = nullptr;
    const int32_t status = quern_search(search, &result, &err);
    quern_query_free(search);
    Ok(status, err, "quern_search");
    const std::shared_ptr<quern_result> owner(result, quern_result_free);
    Want(quern_result_rows(result) == std::min<size_t>(10, want.size()), "a search finds fewer");
    for (size_t i = 0; i < quern_result_rows(result); i++) {
        Want(quern_result_key_int(result, i) == want[i].second &&
                 quern_result_distance(result, i) == want[i].first,
             "a search finds other records than the scan");
    }
    return told;
}

}  // namespace sessions
