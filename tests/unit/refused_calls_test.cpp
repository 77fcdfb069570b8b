// Calls at a moment that is not theirs, for every function that can meet it: from a callback of the
// same database, on a handle that another thread uses, on a file that was damaged while it was
// open.
#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
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
