#include "tests/crash/crash_workload.h"

#include <cstdio>
#include <random>
#include <vector>

namespace quern::crash {

namespace {

constexpr size_t kDim = 4;

// A record's content follows from its key and a number, so that every version differs.
struct Batch {
    std::vector<int64_t> keys;
    std::vector<int64_t> numbers;
    std::vector<std::string> texts;
    std::vector<const char*> text_pointers;
    std::vector<float> vectors;
    std::vector<uint8_t> has_vector;
    quern_batch* batch = nullptr;

    Batch(quern_db* db, const char* collection, std::mt19937* random, size_t count, bool with_note,
          bool keys_only) {
        const auto first = static_cast<int64_t>((*random)() % 60);
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i) * 3);
            numbers.push_back(static_cast<int64_t>((*random)() % 100000));
            texts.push_back("note " + std::to_string((*random)()));
            has_vector.push_back((*random)() % 8 != 0);
            for (size_t d = 0; d < kDim; d++) {
                vectors.push_back(static_cast<float>((*random)() % 1000));
            }
        }
        for (const std::string& text : texts) {
            text_pointers.push_back(text.c_str());
        }
        batch = quern_batch_new(db, collection, count);
        quern_batch_key_int(batch, keys.data());
        if (!keys_only) {
            quern_batch_int(batch, "number", numbers.data(), nullptr);
            if (with_note) {
                quern_batch_text(batch, "note", text_pointers.data(), nullptr);
            }
            quern_batch_dense(batch, "emb", vectors.data(), kDim, has_vector.data());
        }
    }
    ~Batch() { quern_batch_free(batch); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
};

bool Create(quern_db* db, const char* name) {
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "number", QUERN_INT, nullptr);
    quern_schema_dense(schema, "emb", kDim, QUERN_COSINE, nullptr);
    const bool ok = quern_create(db, name, schema, nullptr) == QUERN_OK;
    quern_schema_free(schema);
    return ok;
}

bool HasColumn(quern_db* db, const char* collection, const std::string& column) {
    quern_schema* schema = nullptr;
    bool has = false;
    if (quern_describe(db, collection, &schema, nullptr) == QUERN_OK) {
        for (size_t i = 0; i < quern_schema_attr_count(schema); i++) {
            has = has || column == quern_schema_attr_name(schema, i);
        }
        for (size_t i = 0; i < quern_schema_dense_count(schema); i++) {
            has = has || column == quern_schema_dense_name(schema, i);
        }
        quern_schema_free(schema);
    }
    return has;
}

bool Exists(quern_db* db, const char* collection) {
    uint64_t count = 0;
    return quern_count(db, collection, nullptr, &count, nullptr) == QUERN_OK;
}

}  // namespace

std::string Dump(quern_db* db, std::string* error) {
    quern_error err = QUERN_ERROR_INIT;
    std::string dump;
    auto fail = [&](const char* what) {
        *error = std::string(what) + ": " + err.message;
        return std::string();
    };
    quern_text* names = nullptr;
    if (quern_collections(db, &names, &err) != QUERN_OK) {
        return fail("collections");
    }
    const std::string list = quern_text_data(names);
    quern_text_free(names);
    dump = list + "\n";
    for (const char* collection : {"a", "b"}) {
        if (list.find(std::string("\"") + collection + "\"") == std::string::npos) {
            continue;
        }
        quern_cursor* cursor = nullptr;
        if (quern_scan(db, collection, nullptr, "*", &cursor, &err) != QUERN_OK) {
            return fail("scan");
        }
        while (true) {
            quern_result* rows = nullptr;
            if (quern_cursor_next(cursor, 1000, &rows, &err) != QUERN_OK) {
                quern_cursor_free(cursor);
                return fail("next");
            }
            for (size_t row = 0; row < quern_result_rows(rows); row++) {
                dump += collection + std::to_string(quern_result_key_int(rows, row));
                for (size_t column = 0; column < quern_result_columns(rows); column++) {
                    dump += std::string(" ") + quern_result_column_name(rows, column) + "=";
                    switch (quern_result_type(rows, row, column)) {
                        case QUERN_INT:
                            dump += std::to_string(quern_result_int(rows, row, column));
                            break;
                        case QUERN_TEXT:
                            dump += quern_result_text(rows, row, column, nullptr);
                            break;
                        case QUERN_DENSE: {
                            size_t dim = 0;
                            const auto* vector = static_cast<const float*>(
                                quern_result_dense(rows, row, column, &dim));
                            for (size_t d = 0; d < dim; d++) {
                                dump += std::to_string(vector[d]) + ",";
                            }
                            break;
                        }
                        default: dump += "-";
                    }
                }
                dump += "\n";
            }
            const bool end = quern_result_rows(rows) == 0;
            quern_result_free(rows);
            if (end) {
                break;
            }
        }
        quern_cursor_free(cursor);
    }
    return dump;
}

bool RunWorkload(const std::string& path, const char* options, int steps, unsigned seed,
                 const std::function<void(quern_db*)>& acknowledged) {
    std::mt19937 random(seed);
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    auto check = [&](int32_t status, const char* what) {
        if (status != QUERN_OK) {
            std::fprintf(stderr, "workload: %s: %s\n", what, err.message);
        }
        return status == QUERN_OK;
    };
    if (!check(quern_open(path.c_str(), options, &db, &err), "open") || !Create(db, "a")) {
        return false;
    }
    acknowledged(db);
    bool ok = true;
    for (int step = 0; step < steps && ok; step++) {
        const char* collection = random() % 4 == 0 && Exists(db, "b") ? "b" : "a";
        const bool note = HasColumn(db, collection, "note");
        const size_t count = random() % 12 == 0 ? 40 : 1 + random() % 4;
        switch (random() % 24) {
            case 0: ok = check(quern_optimize(db, nullptr, 0, &err), "optimize"); break;
            case 1: ok = random() % 3 != 0 || check(quern_vacuum(db, &err), "vacuum"); break;
            case 2:
                if (!Exists(db, "b")) {
                    ok = Create(db, "b");
                } else if (random() % 3 == 0) {
                    ok = check(quern_drop(db, "b", &err), "drop");
                }
                break;
            case 3:
                ok = note ? check(quern_drop_column(db, collection, "note", &err), "drop column")
                          : check(quern_add_attr(db, collection, "note", QUERN_TEXT, nullptr, &err),
                                  "add attr");
                break;
            case 4:
                ok = HasColumn(db, collection, "second")
                         ? check(quern_drop_column(db, collection, "second", &err), "drop field")
                         : check(quern_add_dense(db, collection, "second", 2, QUERN_L2, nullptr,
                                                 &err),
                                 "add dense");
                break;
            case 5:
                quern_close(db);
                db = nullptr;
                ok = check(quern_open(path.c_str(), options, &db, &err), "reopen");
                break;
            case 6:
            case 7:
            case 8: {
                const Batch batch(db, collection, &random, count, false, true);
                ok = check(quern_delete(batch.batch, nullptr, &err), "delete");
                break;
            }
            case 9:
            case 10: {
                quern_txn* txn = nullptr;
                ok = check(quern_begin(db, &txn, &err), "begin");
                for (int i = 0; i < 3 && ok; i++) {
                    const Batch batch(db, i == 1 ? "a" : collection, &random, count,
                                      HasColumn(db, i == 1 ? "a" : collection, "note"), i == 2);
                    ok = check(i == 2 ? quern_delete(batch.batch, txn, &err)
                                      : quern_upsert(batch.batch, txn, &err),
                               "write");
                }
                if (random() % 4 == 0) {
                    quern_rollback(txn);
                } else {
                    ok = check(quern_commit(txn, &err), "commit") && ok;
                }
                break;
            }
            default: {
                const Batch batch(db, collection, &random, count, note, false);
                ok = check(quern_upsert(batch.batch, nullptr, &err), "upsert");
            }
        }
        if (ok) {
            acknowledged(db);
        }
    }
    quern_close(db);
    return ok;
}

}  // namespace quern::crash
