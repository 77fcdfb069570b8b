// Calls at a moment that is not theirs, for every function that can meet it: from a callback of the
// same database, on a handle that another thread uses, on a file that was damaged while it was
// open.
#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "capi/handles.h"

namespace {

class World {
public:
    World() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_refused_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
        Ok(quern_open(path_.c_str(), nullptr, &db, E));
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "hub", QUERN_REAL, nullptr);
        quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        Ok(quern_create(db, "docs", schema, E));
        quern_schema_free(schema);
        keys = quern_batch_new(db, "docs", 2);
        quern_batch_key_int(keys, kKeys);
        quern_batch_dense(keys, "emb", kVectors, 2, nullptr);
        Ok(quern_upsert(keys, nullptr, E));
        query = quern_query_new(db, "docs");
        quern_query_dense(query, "emb", kVectors, 1, 2);
        quern_query_limit(query, 2);
        fused = quern_query_new(db, "docs");
        quern_query_leg(fused, query, 1, nullptr);
        quern_query_limit(fused, 2);
        Ok(quern_scan(db, "docs", nullptr, "*", &cursor, E));
        Ok(quern_search(query, &hits, E));
    }
    ~World() {
        quern_rollback(txn);
        quern_result_free(hits);
        quern_cursor_free(cursor);
        quern_query_free(fused);
        quern_query_free(query);
        quern_batch_free(keys);
        quern_close(db);
        Remove();
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    // As another process may do it.
    void Write(const char* sql) {
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path_.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_close(raw) == SQLITE_OK);
    }

    static constexpr int64_t kKeys[2] = {1, 2};
    static constexpr float kVectors[4] = {0, 1, 2, 3};
    quern_db* db = nullptr;
    quern_batch* keys = nullptr;
    quern_query* query = nullptr;
    quern_query* fused = nullptr;
    quern_cursor* cursor = nullptr;
    quern_result* hits = nullptr;
    quern_txn* txn = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    quern_error* const E = &err;

private:
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm", ".copy"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    std::string path_;
};

// What a function makes, which nothing is made of here.
struct Made {
    quern_result* result = nullptr;
    quern_text* text = nullptr;
    quern_snapshot* snapshot = nullptr;
    quern_cursor* cursor = nullptr;
    quern_txn* txn = nullptr;
    uint64_t count = 0;
    double quality = 0;
    bool nothing() const {
        return result == nullptr && text == nullptr && snapshot == nullptr && cursor == nullptr &&
               txn == nullptr;
    }
};

struct Call {
    const char* name;
    std::function<int32_t(World& w, Made* out)> run;
    // What of these it stands on.
    bool query = false;
    bool keys = false;
    bool reads = true;  // the catalog, for a snapshot of its own
};

const std::vector<Call>& Calls() {
    static constexpr size_t kFirst[2] = {0, 0};
    static constexpr float kGains[2] = {1, 1};
    static const std::vector<Call> calls = {
        {"search", [](World& w, Made* m) { return quern_search(w.query, &m->result, w.E); }, true},
        {"list", [](World& w, Made* m) { return quern_query_list(w.query, &m->result, w.E); },
         true},
        {"facet",
         [](World& w, Made* m) { return quern_query_facet(w.query, "year", 9, &m->result, w.E); },
         true},
        {"query_count",
         [](World& w, Made* m) { return quern_query_count(w.query, &m->count, w.E); }, true},
        {"explain", [](World& w, Made* m) { return quern_query_explain(w.query, &m->text, w.E); },
         true},
        {"explain_hits",
         [](World& w, Made* m) { return quern_explain_hits(w.query, w.hits, &m->text, w.E); },
         true},
        {"audit",
         [](World& w, Made* m) { return quern_recall_audit(w.query, nullptr, &m->text, w.E); },
         true},
        {"query_delete",
         [](World& w, Made* m) {
             quern_query_filter(w.query, "year = 1");
             return quern_query_delete(w.query, nullptr, &m->count, w.E);
         },
         true},
        {"query_update",
         [](World& w, Made* m) {
             quern_query_filter(w.query, "year = 1");
             quern_query_set(w.query, "year = 2");
             return quern_query_update(w.query, nullptr, &m->count, w.E);
         },
         true},
        {"fit",
         [](World& w, Made* m) {
             return quern_fit_fusion(w.fused, w.keys, kFirst, kGains, nullptr, &m->text,
                                     &m->quality, w.E);
         },
         false, true},
        {"store_fusion", [](World& w, Made*) { return quern_store_fusion(w.fused, "f", w.E); }},
        {"get", [](World& w, Made* m) { return quern_get(w.keys, nullptr, "*", &m->result, w.E); },
         false, true},
        {"insert", [](World& w, Made*) { return quern_insert(w.keys, nullptr, w.E); }, false, true},
        {"next", [](World& w, Made* m) { return quern_cursor_next(w.cursor, 1, &m->result, w.E); },
         false, false, false},
        {"after", [](World& w, Made*) { return quern_cursor_after_int(w.cursor, 1, w.E); }, false,
         false, false},
        {"snapshot", [](World& w, Made* m) { return quern_snapshot_new(w.db, &m->snapshot, w.E); }},
        {"count",
         [](World& w, Made* m) { return quern_count(w.db, "docs", nullptr, &m->count, w.E); }},
        {"scan",
         [](World& w, Made* m) { return quern_scan(w.db, "docs", nullptr, "*", &m->cursor, w.E); }},
        {"sql",
         [](World& w, Made* m) { return quern_sql(w.db, nullptr, "select 1", &m->result, w.E); }},
        {"sparse_stats",
         [](World& w, Made* m) {
             return quern_sparse_stats(w.db, "docs", "terms", nullptr, nullptr, nullptr, 0,
                                       &m->text, w.E);
         }},
        {"token_weights",
         [](World& w, Made*) {
             return quern_set_token_weights(w.db, "docs", "terms", nullptr, nullptr, nullptr, 0,
                                            nullptr, w.E);
         }},
        {"collections", [](World& w, Made* m) { return quern_collections(w.db, &m->text, w.E); }},
        {"info", [](World& w, Made* m) { return quern_info(w.db, &m->text, w.E); }},
        {"stat",
         [](World& w, Made*) {
             int64_t value = 0;
             return quern_stat(w.db, QUERN_STAT_SEGMENTS, &value, w.E);
         }},
        {"limit",
         [](World& w, Made*) { return quern_limit(w.db, QUERN_LIMIT_QUERIES, -1, nullptr, w.E); },
         false, false, false},
        {"create",
         [](World& w, Made*) {
             quern_schema* schema = quern_schema_new();
             quern_schema_attr(schema, "a", QUERN_INT, nullptr);
             const int32_t status = quern_create(w.db, "more", schema, w.E);
             quern_schema_free(schema);
             return status;
         }},
        {"drop", [](World& w, Made*) { return quern_drop(w.db, "docs", w.E); }},
        {"rename", [](World& w, Made*) { return quern_rename(w.db, "docs", "d", w.E); }},
        {"add_attr",
         [](World& w, Made*) {
             return quern_add_attr(w.db, "docs", "a", QUERN_INT, nullptr, w.E);
         }},
        {"drop_column",
         [](World& w, Made*) { return quern_drop_column(w.db, "docs", "emb", w.E); }},
        {"drop_fusion", [](World& w, Made*) { return quern_drop_fusion(w.db, "docs", "f", w.E); }},
        {"hubs",
         [](World& w, Made*) {
             return quern_measure_hubs(w.db, "docs", "emb", "hub", World::kVectors, 1, 2, nullptr,
                                       w.E);
         }},
        {"optimize", [](World& w, Made*) { return quern_optimize(w.db, nullptr, 0, w.E); }},
        {"vacuum", [](World& w, Made*) { return quern_vacuum(w.db, w.E); }, false, false, false},
        {"backup", [](World& w, Made*) { return quern_backup(w.db, "/tmp/none/x", w.E); }, false,
         false, false},
        {"begin", [](World& w, Made* m) { return quern_begin(w.db, &m->txn, w.E); }},
        {"verify", [](World& w, Made*) { return quern_verify(w.db, nullptr, w.E); }},
        {"attach", [](World& w, Made*) { return quern_attach(w.db, "a", "/tmp/none", w.E); }, false,
         false, false},
        {"detach", [](World& w, Made*) { return quern_detach(w.db, "a", w.E); }, false, false,
         false},
    };
    return calls;
}

}  // namespace

TEST_CASE("no function of a database is called from a callback of the same") {
    World w;
    struct Seen {
        World* w;
        size_t calls;
        std::vector<std::string> wrong;
    } seen{&w, 0, {}};
    const auto callback = [](void* user, const char*, uint64_t, uint64_t) -> int {
        auto* const s = static_cast<Seen*>(user);
        World& inner = *s->w;
        // The call that runs has an error struct of its own.
        for (const Call& call : Calls()) {
            Made made;
            s->calls++;
            if (call.run(inner, &made) != QUERN_ERR_MISUSE || !made.nothing() ||
                std::string(inner.err.message).find("callback") == std::string::npos) {
                s->wrong.push_back(std::string(call.name) + ": " + inner.err.message);
            }
        }
        return 1;
    };
    w.Ok(quern_progress(w.db, callback, &seen, w.E));
    // Until the callback ends it.
    quern_error own = QUERN_ERROR_INIT;
    quern_result* rows = nullptr;
    const int32_t status = quern_sql(w.db, nullptr,
                                     "with recursive n(i) as (values(1) union all select i+1 from "
                                     "n) select count(*) from n",
                                     &rows, &own);
    CHECK(status == QUERN_ERR_INTERRUPTED);
    CHECK(seen.calls == Calls().size());
    CHECK(seen.wrong == std::vector<std::string>());
    w.Ok(quern_progress(w.db, nullptr, nullptr, w.E));
}

TEST_CASE("a handle that another thread uses is refused") {
    World w;
    w.Ok(quern_begin(w.db, &w.txn, w.E));
    const auto refused = [&](const char* name, int32_t status) {
        CAPTURE(name, w.err.message);
        CHECK(status == QUERN_ERR_MISUSE);
        CHECK(std::string(w.err.message).find("in use by another thread") != std::string::npos);
    };
    for (const Call& call : Calls()) {
        Made made;
        if (call.query || call.keys) {
            quern::capi::Handle* const handle =
                call.query ? static_cast<quern::capi::Handle*>(w.query) : w.keys;
            handle->in_use = true;
            refused(call.name, call.run(w, &made));
            handle->in_use = false;
            CHECK(made.nothing());
        }
    }
    Made made;
    w.fused->in_use = true;
    refused("fit", Calls()[9].run(w, &made));
    refused("store", Calls()[10].run(w, &made));
    w.fused->in_use = false;
    w.cursor->in_use = true;
    refused("next", quern_cursor_next(w.cursor, 1, &made.result, w.E));
    refused("after", quern_cursor_after_text(w.cursor, "a", w.E));
    w.cursor->in_use = false;
    w.txn->in_use = true;
    quern_query_filter(w.query, "year = 1");
    refused("write", quern_upsert(w.keys, w.txn, w.E));
    refused("delete", quern_query_delete(w.query, w.txn, nullptr, w.E));
    refused("commit", quern_commit(w.txn, w.E));
    w.txn->in_use = false;
    CHECK(made.nothing());
    // Nobody has lost anything.
    w.Ok(quern_upsert(w.keys, w.txn, w.E));
    w.Ok(quern_commit(std::exchange(w.txn, nullptr), w.E));
}

TEST_CASE("damage that comes while a file is open is told by whatever reads it next") {
    for (const Call& call : Calls()) {
        if (call.reads) {
            World w;
            CAPTURE(call.name);
            w.Write("DELETE FROM quern_state WHERE collection=0");
            Made made;
            const int32_t status = call.run(w, &made);
            CAPTURE(w.err.message);
            CHECK(status == QUERN_ERR_CORRUPT);
            CHECK(made.nothing());
            quern_result_free(made.result);
            quern_text_free(made.text);
            quern_snapshot_free(made.snapshot);
            quern_cursor_free(made.cursor);
            quern_rollback(made.txn);
        }
    }
}

TEST_CASE("what is missing, of another kind or of another collection is refused and named") {
    World w;
    using Set = std::function<void(quern_query*)>;
    // What one setter was given, as the next search says it.
    const auto told = [&](const char* said, int32_t wanted, const Set& set) {
        quern_query* query = quern_query_new(w.db, "docs");
        quern_query_dense(query, "emb", World::kVectors, 1, 2);
        quern_query_limit(query, 2);
        set(query);
        Made made;
        const int32_t status = quern_search(query, &made.result, w.E);
        quern_query_free(query);
        CAPTURE(said, w.err.message);
        CHECK(status == wanted);
        CHECK(std::string(w.err.message).find(said) != std::string::npos);
        CHECK(made.nothing());
    };
    constexpr size_t kFirst[2] = {0, 1};
    constexpr uint32_t kDims[1] = {1};
    const char* const word = "word";
    told("field is NULL", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_sparse(q, nullptr, kFirst, kDims, nullptr, 1); });
    told("offsets is NULL", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_sparse(q, "terms", nullptr, kDims, nullptr, 1); });
    told("field is NULL", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_text(q, nullptr, &word, 1); });
    told("texts is NULL", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_text(q, "body", nullptr, 1); });
    told("queries in one search", QUERN_ERR_LIMIT,
         [&](quern_query* q) { quern_query_text(q, "body", &word, size_t{1} << 40); });
    told("needs quern_query_compose", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_term_key_int(q, 0, 1, 1); });
    for (const bool by_key : {true, false}) {
        const auto compose = [by_key](size_t query, double weight) -> Set {
            return [=](quern_query* q) {
                quern_query_compose(q, "emb", 1, nullptr);
                if (by_key) {
                    quern_query_term_key_text(q, query, weight, "a");
                } else {
                    quern_query_term_key_int(q, query, weight, 1);
                }
            };
        };
        told("there is no number 1", QUERN_ERR_INVALID, compose(1, 1));
        told("the weight of a term", QUERN_ERR_INVALID, compose(0, 1.0 / 0.0));
    }
    told("key is NULL", QUERN_ERR_MISUSE, [&](quern_query* q) {
        quern_query_compose(q, "emb", 1, nullptr);
        quern_query_term_key_text(q, 0, 1, nullptr);
    });
    // A part of a query is asked for its own mistakes, and must search the same.
    quern_query* part = quern_query_new(w.db, "docs");
    quern_query_dense(part, nullptr, World::kVectors, 1, 2);
    told("field is NULL", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_leg(q, part, 1, nullptr); });
    quern_query_free(part);
    quern_db* other = nullptr;
    w.Ok(quern_open(":memory:", nullptr, &other, w.E));
    part = quern_query_new(other, "docs");
    told("searches another collection", QUERN_ERR_MISUSE,
         [&](quern_query* q) { quern_query_leg(q, part, 1, nullptr); });
    // Fitting is asked for legs, and for judgments of the same collection.
    static constexpr float kGains[2] = {1, 1};
    const auto fit = [&](quern_query* query, quern_batch* keys, const char* said) {
        double quality[2];
        Made made;
        CHECK(quern_fit_fusion(query, keys, kFirst, kGains, nullptr, &made.text, quality, w.E) < 0);
        CAPTURE(said, w.err.message);
        CHECK(std::string(w.err.message).find(said) != std::string::npos);
    };
    quern_batch* strange = quern_batch_new(other, "docs", 2);
    quern_batch_key_int(strange, World::kKeys);
    fit(w.fused, strange, "of another collection");
    quern_batch_key_int(strange, nullptr);
    fit(w.fused, strange, "keys is NULL");
    quern_batch_free(strange);
    strange = quern_batch_new(w.db, "docs", 2);
    fit(w.fused, strange, "no key 0");
    quern_batch_free(strange);
    fit(w.query, w.keys, "no legs");
    fit(part, w.keys, "");
    quern_query_limit(w.fused, 0);
    fit(w.fused, w.keys, "limit");
    CHECK(quern_store_fusion(w.fused, "f", w.E) == QUERN_ERR_INVALID);
    quern_query_limit(w.fused, 2);
    quern_query_leg(w.fused, w.fused, 1, nullptr);
    fit(w.fused, w.keys, "the query itself");
    quern_query_free(part);
    quern_close(other);
    // Functions with names.
    Made made;
    const auto misused = [&](const char* said, int32_t status) {
        CAPTURE(said, w.err.message);
        CHECK(status == QUERN_ERR_MISUSE);
        CHECK(std::string(w.err.message).find(said) != std::string::npos);
        CHECK(made.nothing());
    };
    misused("collection is NULL",
            quern_snippet(w.db, nullptr, "body", "a", "a", 1, nullptr, &made.text, w.E));
    misused("field is NULL",
            quern_snippet(w.db, "docs", nullptr, "a", "a", 1, nullptr, &made.text, w.E));
    misused("collection is NULL", quern_sparse_stats(w.db, nullptr, "terms", nullptr, nullptr,
                                                     nullptr, 0, &made.text, w.E));
    misused("field is NULL", quern_sparse_stats(w.db, "docs", nullptr, nullptr, nullptr, nullptr, 0,
                                                &made.text, w.E));
    misused("k is NULL", quern_keys_text(&word, 1, nullptr, w.E));
    misused("name is NULL", quern_add_sparse(w.db, "docs", nullptr, nullptr, w.E));
    misused("name is NULL", quern_add_text(w.db, "docs", nullptr, nullptr, w.E));
    CHECK(quern_add_sparse(w.db, "docs", "_x", nullptr, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_add_text(w.db, "docs", "_x", nullptr, w.E) == QUERN_ERR_INVALID);
    // A handle of another kind.
    auto* const txn = reinterpret_cast<quern_txn*>(w.query);
    quern_query_filter(w.query, "year = 1");
    misused("txn is not a quern_txn", quern_query_delete(w.query, txn, nullptr, w.E));
    misused("txn is not a quern_txn", quern_upsert(w.keys, txn, w.E));
    CHECK(std::string(quern_text_data(reinterpret_cast<quern_text*>(w.query))).empty());
    CHECK(quern_query_parameter(w.query, nullptr) == 0);
    CHECK(quern_query_parameter(nullptr, "a") == 0);
    quern_batch_sparse(w.keys, nullptr, kFirst, kDims, nullptr, nullptr);
    misused("field is NULL", quern_upsert(w.keys, nullptr, w.E));
}

namespace {

// A search of one leg in a collection of no records, beside that of the world.
struct Odd {
    explicit Odd(World* w) {
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "raw", QUERN_BLOB, nullptr);
        quern_schema_attr(schema, "live", QUERN_BOOL, nullptr);
        quern_schema_attr(schema, "share", QUERN_REAL, nullptr);
        quern_schema_sparse(schema, "bits", "weights=none");
        w->Ok(quern_create(w->db, "odd", schema, w->E));
        quern_schema_free(schema);
    }
};

}  // namespace

TEST_CASE("arguments that may be missing are, and sizes of nothing") {
    World w;
    const Odd odd(&w);
    const auto fails = [&](int32_t status, int32_t want) {
        INFO(w.err.message);
        CHECK(status == want);
    };
    // Lists of nothing.
    quern_keys* keys = nullptr;
    w.Ok(quern_keys_int(nullptr, 0, &keys, w.E));
    quern_keys_free(keys);
    w.Ok(quern_keys_text(nullptr, 0, &keys, w.E));
    quern_keys_free(keys);
    fails(quern_keys_int(w.kKeys, 1, nullptr, w.E), QUERN_ERR_MISUSE);
    const auto with_query = [&](const char* collection, auto body) {
        quern_query* q = quern_query_new(w.db, collection);
        body(q);
        quern_query_free(q);
    };
    quern_result* r = nullptr;
    quern_text* text = nullptr;
    uint64_t count = 0;
    with_query("docs", [&](quern_query* q) {
        quern_query_filter(q, "year in :list or year = :one");
        CHECK(quern_query_parameter(q, nullptr) == 0);
        CHECK(quern_query_parameter(nullptr, ":one") == 0);
        quern_query_bind_ints(q, 1, nullptr, 0);
        quern_query_bind_text(q, 2, nullptr);
        w.Ok(quern_query_list(q, &r, w.E));
        quern_result_free(r);
        fails(quern_query_facet(q, "year", size_t{1} << 40, &r, w.E), QUERN_ERR_INVALID);
        w.Ok(quern_query_facet(q, "year", 5, &r, w.E));
        fails(quern_explain_hits(q, r, &text, w.E), QUERN_ERR_INVALID);
        quern_result_free(r);
        quern_query_set(q, nullptr);
        fails(quern_query_delete(q, reinterpret_cast<quern_txn*>(q), &count, w.E),
              QUERN_ERR_MISUSE);
        w.Ok(quern_query_delete(q, nullptr, nullptr, w.E));
    });
    for (const size_t parameter : {size_t{0}, size_t{2}}) {
        const std::function<void(quern_query*)> binds[] = {
            [&](quern_query* q) { quern_query_bind_null(q, parameter); },
            [&](quern_query* q) { quern_query_bind_int(q, parameter, 1); },
            [&](quern_query* q) { quern_query_bind_text(q, parameter, "a"); },
            [&](quern_query* q) { quern_query_bind_blob(q, parameter, "a", 1); },
            [&](quern_query* q) { quern_query_bind_ints(q, parameter, w.kKeys, 1); },
        };
        for (const auto& bind : binds) {
            with_query("docs", [&](quern_query* q) {
                quern_query_filter(q, "year = ?");
                bind(q);
                bind(q);  // the first error stays
                fails(quern_query_list(q, &r, w.E), QUERN_ERR_INVALID);
            });
        }
    }
    with_query("docs", [&](quern_query* q) {
        quern_query_key_int(q, "emb", nullptr, 0);
        quern_query_term_dense(q, 0, 1, w.kVectors, 2);
        quern_query_term_key_text(q, 0, 1, "a");
        fails(quern_search(q, &r, w.E), QUERN_ERR_MISUSE);
        fails(quern_query_explain(q, &text, w.E), QUERN_ERR_MISUSE);
        fails(quern_explain_hits(q, w.hits, &text, w.E), QUERN_ERR_MISUSE);
    });
    with_query("docs", [&](quern_query* q) {
        quern_query_compose(q, "emb", 1, nullptr);
        quern_query_term_dense(q, 1, 1, w.kVectors, 2);
        fails(quern_search(q, &r, w.E), QUERN_ERR_INVALID);
    });
    with_query("docs", [&](quern_query* q) {
        quern_query_sparse(q, "terms", nullptr, nullptr, nullptr, 0);
        const int32_t status = quern_search(q, &r, w.E);
        CHECK((status == QUERN_OK || status == QUERN_ERR_INVALID));
        quern_result_free(status == QUERN_OK ? r : nullptr);
    });
    with_query("odd", [&](quern_query* q) {
        quern_query_key_text(q, "bits", nullptr, 0);
        const int32_t status = quern_search(q, &r, w.E);
        CHECK(status != QUERN_ERR_INTERNAL);
        quern_result_free(status == QUERN_OK ? r : nullptr);
    });
    // A part of another collection.
    with_query("odd", [&](quern_query* q) {
        quern_query_leg(q, w.query, 1, nullptr);
        fails(quern_search(q, &r, w.E), QUERN_ERR_MISUSE);
    });
    quern_schema* schema = nullptr;
    w.Ok(quern_describe(w.db, "odd", &schema, w.E));
    CHECK(quern_schema_sparse_type(schema, 0) == QUERN_BIT);
    CHECK(quern_schema_sparse_type(schema, 1) == 0);
    quern_schema_free(schema);
    w.Ok(quern_describe(w.db, "docs", &schema, w.E));
    CHECK(quern_schema_sparse_type(schema, 0) == QUERN_F32);
    quern_schema_key_int(schema, "year");
    fails(quern_create(w.db, "more", schema, w.E), QUERN_ERR_EXISTS);
    quern_schema_free(schema);
    w.Ok(quern_describe(w.db, "docs", &schema, w.E));
    quern_schema_key_int(schema, "emb");
    fails(quern_create(w.db, "more", schema, w.E), QUERN_ERR_EXISTS);
    quern_schema_free(schema);
    // What is wrong before is told, whatever the call.
    quern_batch* bad = quern_batch_new(w.db, "docs", 1);
    quern_batch_key_int(bad, nullptr);
    fails(quern_get(bad, nullptr, nullptr, &r, w.E), QUERN_ERR_MISUSE);
    quern_batch_free(bad);
}

TEST_CASE("a fusion is fitted to sums of legs of one collection, and no other query") {
    World w;
    const Odd odd(&w);
    const size_t queries[2] = {0, 0};
    const float gains[2] = {1, std::numeric_limits<float>::infinity()};
    quern_text* fusion = nullptr;
    const auto fit = [&](const std::function<void(quern_query*)>& change, quern_batch* keys,
                         const float* of) {
        quern_query* q = quern_query_new(w.db, "docs");
        quern_query_leg(q, w.query, 1, nullptr);
        quern_query_leg(q, w.query, 1, "name=again");
        change(q);
        const int32_t status =
            quern_fit_fusion(q, keys, queries, of, nullptr, &fusion, nullptr, w.E);
        quern_query_free(q);
        quern_text_free(status == QUERN_OK ? fusion : nullptr);
        INFO(w.err.message);
        CHECK(status != QUERN_ERR_INTERNAL);
        return status;
    };
    const auto none = [](quern_query*) {};
    CHECK(fit(none, w.keys, nullptr) == QUERN_OK);
    CHECK(fit(none, w.keys, gains) == QUERN_ERR_INVALID);
    CHECK(fit([](quern_query* q) { quern_query_formula(q, "emb + again"); }, w.keys, nullptr) ==
          QUERN_ERR_INVALID);
    CHECK(fit([](quern_query* q) { quern_query_fusion(q, "kind=rrf"); }, w.keys, nullptr) ==
          QUERN_ERR_INVALID);
    CHECK(fit([](quern_query* q) { quern_query_feedback(q, "leg=0"); }, w.keys, nullptr) ==
          QUERN_ERR_INVALID);
    quern_batch* other = quern_batch_new(w.db, "odd", 1);
    const char* const texts[1] = {nullptr};
    quern_batch_key_text(other, texts);
    CHECK(fit(none, other, nullptr) != QUERN_OK);
    quern_batch_free(other);
    quern_batch* nothing = quern_batch_new(w.db, "docs", 0);
    CHECK(fit(none, nothing, nullptr) == QUERN_ERR_INVALID);
    quern_batch_free(nothing);
    quern_snapshot* snapshot = nullptr;
    w.Ok(quern_snapshot_new(w.db, &snapshot, w.E));
    CHECK(fit([&](quern_query* q) { quern_query_snapshot(q, snapshot); }, w.keys, nullptr) ==
          QUERN_OK);
    quern_snapshot_free(snapshot);
    CHECK(quern_store_fusion(w.query, "x", w.E) == QUERN_ERR_INVALID);
}

TEST_CASE("columns of every type are copied, and what is not asked for is left out") {
    World w;
    const Odd odd(&w);
    quern_batch* b = quern_batch_new(w.db, "odd", 2);
    const char* const ids[2] = {"a", "b"};
    quern_batch_key_text(b, ids);
    const char* const titles[2] = {"", "long"};
    quern_batch_text(b, "title", titles, nullptr);
    w.Ok(quern_upsert(b, nullptr, w.E));
    quern_result* r = nullptr;
    w.Ok(quern_get(b, nullptr, "title,raw,live,share,bits", &r, w.E));
    quern_batch_free(b);
    int64_t offsets[3] = {};
    char text[10] = "";
    uint8_t valid[2] = {};
    int64_t ints[2] = {};
    double reals[2] = {};
    for (size_t col = 0; col < 6; col++) {
        quern_result_column_text(r, col, offsets, text, valid);
        quern_result_column_text(r, col, nullptr, nullptr, nullptr);
        quern_result_column_int(r, col, ints, valid);
        quern_result_column_int(r, col, nullptr, nullptr);
        quern_result_column_real(r, col, reals, valid);
        quern_result_column_real(r, col, nullptr, nullptr);
    }
    quern_result_column_text(r, 0, offsets, text, valid);
    CHECK(std::string(text, static_cast<size_t>(offsets[2])) == "long");
    CHECK(quern_result_column_text(nullptr, 0, offsets, text, valid) == 0);
    CHECK(quern_result_sparse(r, 0, 4, nullptr, nullptr) == nullptr);
    CHECK(quern_result_scores(r) == nullptr);
    CHECK(quern_result_scores(w.hits) != nullptr);
    CHECK(quern_result_found(r, 0) == 1);
    CHECK(quern_result_found(w.hits, 0) == 1);
    CHECK(quern_result_found(w.hits, 100) == 0);
    CHECK(quern_result_keys_text(w.hits) == nullptr);
    CHECK(quern_result_keys_text(r) != nullptr);
    CHECK(quern_result_group(nullptr, 0) == -1);
    CHECK(quern_result_group(w.hits, 0) == -1);
    CHECK(quern_result_leg_stat(nullptr, 0, 0) == 0);
    quern_result_free(r);
    w.Ok(quern_search(w.fused, &r, w.E));
    for (const size_t row : {size_t{0}, size_t{100}}) {
        for (const size_t leg : {size_t{0}, size_t{9}}) {
            const bool there = row == 0 && leg == 0;
            CHECK(std::isnan(quern_result_leg_score(r, row, leg)) != there);
            CHECK((there || quern_result_leg_part(r, row, leg) == 0));
        }
    }
    CHECK(std::isnan(quern_result_leg_score(nullptr, 0, 0)));
    CHECK(quern_result_leg_part(nullptr, 0, 0) == 0);
    quern_result_free(r);
}
