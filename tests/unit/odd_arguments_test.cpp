// Whatever functions are asked for that say no error, and builders are given: a handle that is
// none, a row, column or type that is not there, lists of nothing. They tell nothing, and what is
// wrong comes with the next call that can say it.
#include <quern.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/every_kind.h"

namespace {

using quern::testing::Builder;
using World = quern::testing::EveryKind;

constexpr const char* kColumns = "a1,a2,a3,a4,a5,a6,a7,emb,terms,body";

// All that a result is asked for by row and column; the number of answers that are not empty.
size_t AskAll(const quern_result* r) {
    size_t told = 0;
    const auto count = [&](bool there) { told += there ? 1 : 0; };
    for (size_t row = 0; row < 4; row++) {
        count(quern_result_found(r, row) != 0);
        count(quern_result_key_int(r, row) != 0);
        count(quern_result_key_text(r, row) != nullptr);
        count(quern_result_distance(r, row) != 0);
        count(quern_result_score(r, row) != 0);
        count(quern_result_offset(r, row) != 0);
        count(quern_result_group(r, row) >= 0);
        for (size_t col = 0; col < 12; col++) {
            size_t size = 0;
            const float* weights = nullptr;
            count(quern_result_type(r, row, col) != 0);
            count(quern_result_int(r, row, col) != 0);
            count(quern_result_real(r, row, col) != 0);
            count(quern_result_text(r, row, col, &size) != nullptr);
            count(quern_result_text(r, row, col, nullptr) != nullptr);
            count(quern_result_dense(r, row, col, &size) != nullptr);
            count(quern_result_dense(r, row, col, nullptr) != nullptr);
            count(quern_result_sparse(r, row, col, &weights, &size) != nullptr);
            count(quern_result_sparse(r, row, col, nullptr, nullptr) != nullptr);
        }
    }
    std::vector<int64_t> ints(5);
    std::vector<double> reals(5);
    std::vector<float> matrix(10);
    std::vector<uint8_t> valid(5);
    std::string text(100, '\0');
    for (size_t col = 0; col < 12; col++) {
        count(quern_result_column_name(r, col) != nullptr);
        count(quern_result_column_type(r, col) != 0);
        count(quern_result_dense_type(r, col) != 0);
        count(quern_result_dense_dim(r, col) != 0);
        for (const bool valued : {true, false}) {
            uint8_t* const v = valued ? valid.data() : nullptr;
            count(quern_result_column_int(r, col, valued ? ints.data() : nullptr, v) != 0);
            count(quern_result_column_real(r, col, valued ? reals.data() : nullptr, v) != 0);
            count(quern_result_column_text(r, col, valued ? ints.data() : nullptr,
                                           valued ? text.data() : nullptr, v) != 0);
            count(quern_result_column_dense(r, col, valued ? matrix.data() : nullptr, v) != 0);
        }
    }
    count(quern_result_rows(r) != 0);
    count(quern_result_queries(r) != 0);
    count(quern_result_columns(r) != 0);
    count(quern_result_flags(r) != 0);
    count(quern_result_bookmark(r) != nullptr);
    count(quern_result_key_type(r) != 0);
    count(quern_result_keys_int(r) != nullptr);
    count(quern_result_keys_text(r) != nullptr);
    count(quern_result_distances(r) != nullptr);
    count(quern_result_scores(r) != nullptr);
    count(quern_result_offsets(r) != nullptr);
    for (int32_t stat = -1; stat < 60; stat++) {
        count(quern_result_stat(r, stat) != 0);
        count(quern_result_leg_stat(r, 0, stat) != 0);
    }
    return told;
}

}  // namespace

TEST_CASE("whatever a result is asked for, it tells nothing where there is nothing") {
    World w;
    for (const char* collection : {"ints", "texts"}) {
        quern_batch* keys = w.Keys(collection);
        quern_result* r = nullptr;
        w.Ok(quern_get(keys, nullptr, kColumns, &r, w.E));
        quern_batch_free(keys);
        REQUIRE(quern_result_columns(r) == 10);
        CHECK(AskAll(r) > 40);
        // Of the second record there is the key alone.
        for (size_t col = 0; col < 10; col++) {
            CHECK(quern_result_type(r, 0, col) != 0);
            CHECK(quern_result_type(r, 1, col) == 0);
        }
        CHECK(quern_result_int(r, 0, 0) == 7);
        CHECK(quern_result_real(r, 0, 0) == 7);
        quern_result_free(r);
        // A search has distances, a list a bookmark; some have no columns.
        const float vector[2] = {0, 0};
        quern_query* q = quern_query_new(w.db, collection);
        quern_query_dense(q, "emb", vector, 1, 2);
        quern_query_limit(q, 1);
        w.Ok(quern_search(q, &r, w.E));
        CHECK(AskAll(r) > 5);
        quern_result_free(r);
        w.Ok(quern_query_list(q, &r, w.E));
        CHECK(AskAll(r) > 3);
        CHECK(quern_result_bookmark(r) != nullptr);
        quern_result_free(r);
        CHECK(AskAll(reinterpret_cast<quern_result*>(q)) == 0);
        quern_query_free(q);
    }
    CHECK(AskAll(nullptr) == 0);
    CHECK(std::string(quern_text_data(nullptr)).empty());
    CHECK(quern_text_size(nullptr) == 0);
    quern_text_free(nullptr);
    quern_result_free(nullptr);
    quern_text* text = nullptr;
    w.Ok(quern_collections(w.db, &text, w.E));
    CHECK(quern_text_size(text) == std::string(quern_text_data(text)).size());
    CHECK(quern_text_size(reinterpret_cast<quern_text*>(w.db)) == 0);
    quern_text_free(reinterpret_cast<quern_text*>(w.db));
    quern_text_free(text);
}

TEST_CASE("whatever a filter's parameters are bound to, a mistake is told by what uses them") {
    World w;
    const int64_t ints[2] = {7, 8};
    const char* const words[2] = {"word", nullptr};
    const char* const wild = "\xff";
    const auto with = [&](const char* filter, const Builder& bind) {
        return w.List([&](quern_query* q) {
            quern_query_filter(q, filter);
            bind(q);
        });
    };
    const struct {
        const char* filter;
        Builder bind;
        int32_t status;
    } cases[] = {
        {"a1 = ?", [](quern_query* q) { quern_query_bind_null(q, 1); }, QUERN_OK},
        {"a1 = ?", [](quern_query* q) { quern_query_bind_real(q, 1, 7); }, QUERN_OK},
        {"a3 = ?", [&](quern_query* q) { quern_query_bind_text(q, 1, words[0]); }, QUERN_OK},
        {"a3 = ?", [&](quern_query* q) { quern_query_bind_text(q, 1, nullptr); }, QUERN_OK},
        {"a3 = ?", [&](quern_query* q) { quern_query_bind_text(q, 1, wild); }, QUERN_ERR_MALFORMED},
        {"a5 = ?", [](quern_query* q) { quern_query_bind_blob(q, 1, "blob", 4); }, QUERN_OK},
        {"a5 = ?", [](quern_query* q) { quern_query_bind_blob(q, 1, nullptr, 0); }, QUERN_OK},
        {"a5 = ?", [](quern_query* q) { quern_query_bind_blob(q, 1, nullptr, 1); },
         QUERN_ERR_MISUSE},
        {"a1 in ?", [&](quern_query* q) { quern_query_bind_ints(q, 1, ints, 2); }, QUERN_OK},
        {"a1 in ?", [&](quern_query* q) { quern_query_bind_ints(q, 1, nullptr, 0); }, QUERN_OK},
        {"a1 in ?", [&](quern_query* q) { quern_query_bind_ints(q, 1, nullptr, 2); },
         QUERN_ERR_MISUSE},
        {"a3 in ?", [&](quern_query* q) { quern_query_bind_texts(q, 1, words, 1); }, QUERN_OK},
        {"a3 in ?", [&](quern_query* q) { quern_query_bind_texts(q, 1, nullptr, 0); }, QUERN_OK},
        {"a3 in ?", [&](quern_query* q) { quern_query_bind_texts(q, 1, nullptr, 1); },
         QUERN_ERR_MISUSE},
        {"a3 in ?", [&](quern_query* q) { quern_query_bind_texts(q, 1, words, 2); },
         QUERN_ERR_MISUSE},
        {"a3 in ?", [&](quern_query* q) { quern_query_bind_texts(q, 1, &wild, 1); },
         QUERN_ERR_MALFORMED},
        {"a1 = ?", [](quern_query* q) { quern_query_bind_for(q, size_t{1} << 30); },
         QUERN_ERR_LIMIT},
        {"a1 = ?",
         [](quern_query* q) {
             quern_query_bind_for(q, 0);
             quern_query_bind_int(q, 1, 5);
         },
         QUERN_ERR_INVALID},
        {"a1 = ?",
         [](quern_query* q) {
             quern_query_bind_for(q, 0);
             quern_query_bind_for(q, QUERN_ALL_QUERIES);
             quern_query_bind_int(q, 1, 5);
         },
         QUERN_OK},
        {"a1 = '", [](quern_query*) {}, QUERN_ERR_SQL},
        {"a1 = 1", [](quern_query* q) { quern_query_filter(q, nullptr); }, QUERN_OK},
        {"a1 = 1", [](quern_query* q) { quern_query_set(q, "a1 = '"); }, QUERN_ERR_SQL},
        {"a1 = 1", [](quern_query* q) { quern_query_set(q, nullptr); }, QUERN_OK},
        {"a1 = 1", [](quern_query* q) { quern_query_order(q, nullptr); }, QUERN_OK},
        {"a1 = 1", [](quern_query* q) { quern_query_order(q, "a1"); }, QUERN_OK},
        {"a1 = 1", [](quern_query* q) { quern_query_after(q, nullptr); }, QUERN_OK},
        {"a1 = 1", [](quern_query* q) { quern_query_after(q, "no bookmark"); },
         QUERN_ERR_MALFORMED},
        {"a1 = :x and a2 = :y",
         [](quern_query* q) {
             quern_query_bind_int(q, quern_query_parameter(q, ":x"), 1);
             quern_query_bind_int(q, quern_query_parameter(q, ":y"), 1);
         },
         QUERN_OK},
    };
    // Each kind of value, for a parameter that is there or not, and for one query alone.
    const std::function<void(quern_query*, size_t)> kinds[] = {
        [](quern_query* q, size_t at) { quern_query_bind_int(q, at, 1); },
        [&](quern_query* q, size_t at) { quern_query_bind_text(q, at, words[0]); },
        [](quern_query* q, size_t at) { quern_query_bind_blob(q, at, "a", 1); },
        [&](quern_query* q, size_t at) { quern_query_bind_ints(q, at, ints, 1); },
        [&](quern_query* q, size_t at) { quern_query_bind_texts(q, at, words, 1); },
    };
    for (const auto& bind : kinds) {
        for (const size_t at : {size_t{0}, size_t{1}, size_t{2}}) {
            CHECK(with("a1 = ?", [&](quern_query* q) {
                      quern_query_bind_for(q, 0);
                      bind(q, at);
                  }) == QUERN_ERR_INVALID);
        }
    }
    int number = 0;
    for (const auto& one : cases) {
        const int32_t status = with(one.filter, one.bind);
        CAPTURE(number++, one.filter, status, w.err.message);
        CHECK((one.status == QUERN_OK) == (status == QUERN_OK));
        CHECK(status != QUERN_ERR_INTERNAL);
        CHECK((one.status == status || one.status == QUERN_ERR_MALFORMED));
    }
    // On what is no query nothing is bound.
    for (quern_query* none :
         {static_cast<quern_query*>(nullptr), reinterpret_cast<quern_query*>(w.db)}) {
        quern_query_filter(none, "a1 = 1");
        quern_query_bind_for(none, 0);
        quern_query_bind_null(none, 1);
        quern_query_bind_int(none, 1, 1);
        quern_query_bind_real(none, 1, 1);
        quern_query_bind_text(none, 1, "a");
        quern_query_bind_blob(none, 1, "a", 1);
        quern_query_bind_ints(none, 1, ints, 1);
        quern_query_bind_texts(none, 1, words, 1);
        quern_query_order(none, "a1");
        quern_query_after(none, "a1");
        quern_query_set(none, "a1 = 1");
        CHECK(quern_query_parameter(none, ":x") == 0);
        uint64_t count = 0;
        quern_result* r = nullptr;
        CHECK(quern_query_count(none, &count, w.E) == QUERN_ERR_MISUSE);
        CHECK(quern_query_list(none, &r, w.E) == QUERN_ERR_MISUSE);
        CHECK(quern_query_facet(none, "a1", 1, &r, w.E) == QUERN_ERR_MISUSE);
        CHECK(quern_query_delete(none, nullptr, &count, w.E) == QUERN_ERR_MISUSE);
        CHECK(quern_query_update(none, nullptr, &count, w.E) == QUERN_ERR_MISUSE);
    }
}

TEST_CASE("counts, facets and changes by a filter tell what they are not given") {
    World w;
    quern_db* other = nullptr;
    w.Ok(quern_open(":memory:", nullptr, &other, w.E));
    quern_txn* strange = nullptr;
    quern_txn* own = nullptr;
    w.Ok(quern_begin(other, &strange, w.E));
    quern_query* q = quern_query_new(w.db, "ints");
    uint64_t count = 0;
    quern_result* r = nullptr;
    CHECK(quern_query_count(q, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_query_list(q, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_query_facet(q, "a1", 1, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_query_facet(q, nullptr, 1, &r, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_query_facet(q, "a1", 0, &r, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_query_facet(q, "none", 1, &r, w.E) == QUERN_ERR_UNKNOWN_FIELD);
    CHECK(quern_query_delete(q, nullptr, &count, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_query_update(q, nullptr, &count, w.E) == QUERN_ERR_INVALID);
    quern_query_filter(q, "a1 = 7");
    CHECK(quern_query_update(q, nullptr, &count, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_query_delete(q, strange, &count, w.E) == QUERN_ERR_MISUSE);
    quern_query_set(q, "a1 = 8");
    CHECK(quern_query_update(q, strange, &count, w.E) == QUERN_ERR_MISUSE);
    w.Ok(quern_begin(w.db, &own, w.E));
    w.Ok(quern_query_update(q, own, &count, w.E));
    CHECK(count == 1);
    w.Ok(quern_query_delete(q, own, nullptr, w.E));
    quern_rollback(own);
    w.Ok(quern_query_update(q, nullptr, nullptr, w.E));
    // What the change itself refuses, in a transaction and without one.
    quern_query_set(q, "none = 1");
    CHECK(quern_query_update(q, nullptr, &count, w.E) != QUERN_OK);
    w.Ok(quern_begin(w.db, &own, w.E));
    CHECK(quern_query_update(q, own, &count, w.E) != QUERN_OK);
    quern_rollback(own);
    quern_query_free(q);
    // Values for one query of several are for searches.
    q = quern_query_new(w.db, "ints");
    quern_query_filter(q, "a1 = ?");
    quern_query_bind_for(q, 0);
    quern_query_bind_int(q, 1, 1);
    CHECK(quern_query_count(q, &count, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_query_facet(q, "a1", 1, &r, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_query_delete(q, nullptr, &count, w.E) == QUERN_ERR_INVALID);
    quern_query_free(q);
    quern_rollback(strange);
    quern_close(other);
}

TEST_CASE("in a callback a transaction is neither ended nor the database closed") {
    World w;
    struct Seen {
        World* w;
        quern_txn* txn = nullptr;
        int calls = 0;
        int refused = 0;
    } seen{&w};
    w.Ok(quern_begin(w.db, &seen.txn, w.E));
    const auto callback = [](void* user, const char*, uint64_t, uint64_t) -> int {
        auto* const s = static_cast<Seen*>(user);
        quern_db* const db = s->w->db;
        quern_schema* made = nullptr;
        quern_text* text = nullptr;
        quern_error err = QUERN_ERROR_INIT;
        quern_rollback(s->txn);
        quern_close(db);
        for (const int32_t status :
             {quern_commit(s->txn, &err), quern_describe(db, "ints", &made, &err),
              quern_set_attr(db, "ints", "a1", "index=none", &err),
              quern_add_dense(db, "ints", "x", 2, QUERN_L2, nullptr, &err),
              quern_add_sparse(db, "ints", "x", nullptr, &err),
              quern_add_text(db, "ints", "x", nullptr, &err), quern_rename(db, "ints", "x", &err),
              quern_drop(db, "ints", &err),
              quern_snippet(db, "ints", "body", "a", "a", 1, nullptr, &text, &err)}) {
            s->calls++;
            s->refused += status == QUERN_ERR_MISUSE ? 1 : 0;
        }
        return 1;
    };
    w.Ok(quern_progress(w.db, callback, &seen, w.E));
    quern_result* rows = nullptr;
    CHECK(quern_sql(w.db, nullptr,
                    "with recursive n(i) as (values(1) union all select i+1 from n) select "
                    "count(*) from n",
                    &rows, w.E) == QUERN_ERR_INTERRUPTED);
    CHECK(seen.calls == 9);
    CHECK(seen.refused == 9);
    w.Ok(quern_progress(w.db, nullptr, nullptr, w.E));
    w.Ok(quern_commit(seen.txn, w.E));
    // Without a collection to work on.
    quern_schema* s = nullptr;
    quern_text* text = nullptr;
    for (const int32_t status :
         {quern_describe(w.db, nullptr, &s, w.E),
          quern_set_attr(w.db, nullptr, "a1", "index=none", w.E),
          quern_add_attr(w.db, nullptr, "x", QUERN_INT, nullptr, w.E),
          quern_add_dense(w.db, nullptr, "x", 2, QUERN_L2, nullptr, w.E),
          quern_add_sparse(w.db, nullptr, "x", nullptr, w.E),
          quern_add_text(w.db, nullptr, "x", nullptr, w.E), quern_drop(w.db, nullptr, w.E),
          quern_drop_column(w.db, nullptr, "a1", w.E), quern_rename(w.db, nullptr, "x", w.E),
          quern_keys_roaring("", 0, 32, nullptr, w.E)}) {
        CHECK(status == QUERN_ERR_MISUSE);
    }
    CHECK(quern_snippet(w.db, "ints", "body", "a", "a", 1, "no=1", &text, w.E) == QUERN_ERR_OPTION);
}

TEST_CASE("queries that are not complete, or ask for two things at once, are told so") {
    World w;
    const float vector[2] = {0, 0};
    const char* const word = "word";
    quern_snapshot* snapshot = nullptr;
    w.Ok(quern_snapshot_new(w.db, &snapshot, w.E));
    quern_result* r = nullptr;
    const auto ask = [&](bool target, const Builder& build) {
        quern_query* q = quern_query_new(w.db, "ints");
        if (target) {
            quern_query_dense(q, "emb", vector, 1, 2);
        }
        quern_query_limit(q, 1);
        build(q);
        const int32_t status = quern_search(q, &r, w.E);
        quern_result_free(r);
        quern_text* text = nullptr;
        const int32_t explained = quern_query_explain(q, &text, w.E);
        CHECK((explained == QUERN_OK || status != QUERN_OK));
        CHECK(explained != QUERN_ERR_INTERNAL);
        quern_text_free(text);
        quern_query_free(q);
        return status;
    };
    const Builder right[] = {
        [&](quern_query* q) { quern_query_snapshot(q, snapshot); },
        [&](quern_query* q) {
            quern_query_snapshot(q, snapshot);
            quern_query_snapshot(q, nullptr);
        },
        [&](quern_query* q) { quern_query_text(q, "body", &word, 1); },
        [](quern_query* q) { quern_query_order(q, "a1"); },
    };
    for (const Builder& build : right) {
        w.Ok(ask(true, build));
    }
    const Builder wrong[] = {
        [&](quern_query* q) { quern_query_fusion(q, "stored=none"); },
        [&](quern_query* q) { quern_query_formula(q, "1 + 1"); },
        [](quern_query*) {},
    };
    for (const Builder& build : wrong) {
        CHECK(ask(false, build) != QUERN_OK);
    }
    const Builder both[] = {
        [](quern_query* q) {
            quern_query_order(q, "a1");
            quern_query_group(q, "a1", 1);
        },
        [](quern_query* q) {
            quern_query_group(q, "a1", 1);
            quern_query_diversify(q, "emb", "lambda=0.5");
        },
        [](quern_query* q) {
            quern_query_after(q, "x");
            quern_query_offset(q, 1);
        },
        [](quern_query* q) {
            quern_query_after(q, "x");
            quern_query_group(q, "a1", 1);
        },
        [](quern_query* q) {
            quern_query_after(q, "x");
            quern_query_diversify(q, "emb", "duplicates=0.5");
        },
        [](quern_query* q) {
            quern_query_after(q, "x");
            quern_query_limit(q, 0);
        },
        [](quern_query* q) { quern_query_limit(q, 0); },
        [](quern_query* q) { quern_query_after(q, "no bookmark"); },
        [](quern_query* q) { quern_query_snapshot(q, reinterpret_cast<quern_snapshot*>(q)); },
    };
    for (const Builder& build : both) {
        const int32_t status = ask(true, build);
        CAPTURE(status, w.err.message);
        CHECK(status != QUERN_OK);
        CHECK(status != QUERN_ERR_INTERNAL);
    }
    // A snapshot is for lists and counts, too.
    w.Ok(w.List([&](quern_query* q) { quern_query_snapshot(q, snapshot); }));
    quern_snapshot_free(snapshot);
}

TEST_CASE("whatever a schema is asked for or given, it tells nothing, or the first mistake") {
    World w;
    quern_schema* s = nullptr;
    w.Ok(quern_describe(w.db, "texts", &s, w.E));
    const auto ask = [](const quern_schema* of) {
        size_t told = quern_schema_key_name(of) != nullptr ? 1 : 0;
        told += quern_schema_key_type(of) != 0 ? 1 : 0;
        for (size_t i = 0; i < 9; i++) {
            for (const bool there :
                 {quern_schema_attr_name(of, i) != nullptr, quern_schema_attr_type(of, i) != 0,
                  quern_schema_dense_name(of, i) != nullptr, quern_schema_dense_dim(of, i) != 0,
                  quern_schema_dense_type(of, i) != 0, quern_schema_dense_metric(of, i) != 0,
                  quern_schema_sparse_name(of, i) != nullptr, quern_schema_sparse_dims(of, i) != 0,
                  quern_schema_sparse_type(of, i) != 0,
                  quern_schema_sparse_options(of, i) != nullptr,
                  quern_schema_text_name(of, i) != nullptr,
                  quern_schema_text_options(of, i) != nullptr}) {
                told += there ? 1 : 0;
            }
        }
        return told;
    };
    CHECK(ask(s) == 2 + 14 + 4 + 4 + 2);
    CHECK(ask(nullptr) == 0);
    auto* const none = reinterpret_cast<quern_schema*>(w.db);
    CHECK(ask(none) == 0);
    quern_schema_free(s);
    quern_schema_free(none);
    // Texts that nobody can read are cut somewhere.
    const std::string dots(2000, '\x80');
    const auto make = [&](const std::function<void(quern_schema*)>& build) {
        quern_schema* made = quern_schema_new();
        quern_schema_attr(made, "taken", QUERN_INT, nullptr);
        build(made);
        const int32_t status = quern_create(w.db, "made", made, w.E);
        quern_schema_free(made);
        return status;
    };
    const std::function<void(quern_schema*)> wrong[] = {
        [](quern_schema* of) { quern_schema_key_int(of, nullptr); },
        [](quern_schema* of) { quern_schema_key_text(of, "_x"); },
        [](quern_schema* of) { quern_schema_key_text(of, "taken"); },
        [](quern_schema* of) { quern_schema_attr(of, nullptr, QUERN_INT, nullptr); },
        [](quern_schema* of) { quern_schema_attr(of, "TAKEN", QUERN_INT, nullptr); },
        [](quern_schema* of) { quern_schema_attr(of, "_x", QUERN_INT, nullptr); },
        [](quern_schema* of) { quern_schema_attr(of, "x", 0, nullptr); },
        [](quern_schema* of) { quern_schema_attr(of, "x", QUERN_TAGS + 1, nullptr); },
        [](quern_schema* of) { quern_schema_attr(of, "x", QUERN_INT, "index=maybe"); },
        [](quern_schema* of) { quern_schema_attr(of, "x", QUERN_INT, "size=1"); },
        [](quern_schema* of) { quern_schema_dense(of, nullptr, 2, QUERN_L2, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "taken", 2, QUERN_L2, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "_x", 2, QUERN_L2, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, 0, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_HAMMING + 1, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 0, QUERN_L2, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 1 << 30, QUERN_L2, nullptr); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_L2, "type=f99"); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_L2, "type=bit"); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 8, QUERN_HAMMING, "type=i8"); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_L2, "m=x"); },
        [](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_L2, "no=x"); },
        [](quern_schema* of) {
            quern_schema_dense(of, "x", 2, QUERN_L2, "index=lists codes=1bit");
        },
        [&](quern_schema* of) { quern_schema_dense(of, "x", 2, QUERN_L2, dots.c_str()); },
        [](quern_schema* of) { quern_schema_sparse(of, nullptr, nullptr); },
        [](quern_schema* of) { quern_schema_sparse(of, "taken", nullptr); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "dims=0"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "no=0"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "weights=f16"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "index=maybe"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "index=none approx=graph"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "weights=none prune_top=5"); },
        [](quern_schema* of) { quern_schema_sparse(of, "x", "dims=2 buckets=9"); },
        [](quern_schema* of) { quern_schema_text(of, nullptr, nullptr); },
        [](quern_schema* of) { quern_schema_text(of, "taken", nullptr); },
        [](quern_schema* of) { quern_schema_text(of, "x", "nobody"); },
    };
    int number = 0;
    for (const auto& build : wrong) {
        const int32_t status = make(build);
        CAPTURE(number++, status, w.err.message);
        CHECK(status != QUERN_OK);
        CHECK(status != QUERN_ERR_INTERNAL);
    }
    quern_db* unnamed = nullptr;
    CHECK(quern_open(dots.c_str(), "create=never", &unnamed, w.E) != QUERN_OK);
    CHECK(quern_open(("/" + dots).c_str(), nullptr, &unnamed, w.E) != QUERN_OK);
    CHECK(quern_open(dots.c_str(), nullptr, &unnamed, w.E) != QUERN_OK);
    CHECK(quern_create(w.db, "made", nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_create(w.db, "made", none, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_create(nullptr, "made", none, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_create(w.db, nullptr, none, w.E) == QUERN_ERR_MISUSE);
    w.Ok(make([](quern_schema* of) {
        quern_schema_key_int(of, "number");
        quern_schema_dense(of, "bits", 8, QUERN_HAMMING, "type=bit");
        quern_schema_dense(of, "half", 8, QUERN_L2, "type=f16");
        quern_schema_dense(of, "short", 8, QUERN_COSINE, "type=bf16 index=none");
        quern_schema_dense(of, "tiny", 8, QUERN_IP, "type=i8");
        quern_schema_dense(of, "cells", 8, QUERN_IP, "index=lists codes=i8");
        quern_schema_sparse(of, "pairs", "dims=100 weights=f32 index=none");
        quern_schema_sparse(of, "sets", "weights=none");
        quern_schema_text(of, "words", "porter stop=english");
    }));
    // Of collections that are there, with what they do not take.
    CHECK(quern_rename(w.db, "made", nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_describe(w.db, "made", nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_describe(w.db, "nobody", &s, w.E) == QUERN_ERR_NOT_FOUND);
    CHECK(quern_collections(w.db, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_collections(nullptr, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_drop_column(w.db, "made", nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_add_attr(w.db, "made", "_x", QUERN_INT, nullptr, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_add_dense(w.db, "made", "_x", 2, QUERN_L2, nullptr, w.E) == QUERN_ERR_INVALID);
    CHECK(quern_set_attr(w.db, "made", nullptr, nullptr, w.E) == QUERN_ERR_MISUSE);
    for (const char* options : {"", "index=maybe", "size=1", "index"}) {
        CHECK(quern_set_attr(w.db, "made", "taken", options, w.E) == QUERN_ERR_OPTION);
    }
    CHECK(quern_set_attr(w.db, "made", "taken", nullptr, w.E) == QUERN_ERR_OPTION);
    w.Ok(quern_set_attr(w.db, "made", "taken", "index=none", w.E));
    // As many columns as a collection can have.
    const int32_t full = make([](quern_schema* of) {
        for (int i = 0; i < 5000; i++) {
            quern_schema_attr(of, ("c" + std::to_string(i)).c_str(), QUERN_INT, nullptr);
        }
    });
    CHECK(full == QUERN_ERR_LIMIT);
}

TEST_CASE("what a batch is given and may not be is told by the next write") {
    World w;
    const int64_t ints[2] = {1, 2};
    const float vectors[4] = {};
    const size_t offsets[3] = {};
    using Build = std::function<void(quern_batch*)>;
    const auto write = [&](const Build& build) {
        quern_batch* b = w.Keys("ints");
        build(b);
        const int32_t status = quern_upsert(b, nullptr, w.E);
        CHECK(quern_batch_affected(b) == (status == QUERN_OK ? 2 : 0));
        quern_batch_free(b);
        return status;
    };
    const Build wrong[] = {
        [&](quern_batch* b) { quern_batch_int(b, nullptr, ints, nullptr); },
        [&](quern_batch* b) { quern_batch_int(b, "a1", nullptr, nullptr); },
        [&](quern_batch* b) { quern_batch_blob(b, "a5", nullptr, nullptr, nullptr); },
        [&](quern_batch* b) { quern_batch_tags(b, "a7", nullptr, nullptr, nullptr); },
        [&](quern_batch* b) { quern_batch_dense(b, nullptr, vectors, 2, nullptr); },
        [&](quern_batch* b) { quern_batch_dense(b, "emb", nullptr, 2, nullptr); },
        [&](quern_batch* b) { quern_batch_dense_raw(b, "emb", vectors, 0, 2, nullptr); },
        [&](quern_batch* b) {
            quern_batch_dense_raw(b, "emb", vectors, QUERN_BIT + 1, 2, nullptr);
        },
        [&](quern_batch* b) { quern_batch_sparse(b, nullptr, offsets, nullptr, nullptr, nullptr); },
        [&](quern_batch* b) { quern_batch_sparse(b, "terms", nullptr, nullptr, nullptr, nullptr); },
        [](quern_batch* b) { quern_batch_key_int(b, nullptr); },
        [](quern_batch* b) { quern_batch_key_text(b, nullptr); },
    };
    for (const Build& build : wrong) {
        const int32_t status = write(build);
        CAPTURE(status, w.err.message);
        CHECK((status == QUERN_ERR_MISUSE || status == QUERN_ERR_INVALID));
    }
    w.Ok(write([&](quern_batch* b) { quern_batch_tags(b, "a7", offsets, nullptr, nullptr); }));
    for (const size_t n : {size_t{0}, size_t{1} << 40}) {
        quern_batch* b = quern_batch_new(w.db, "ints", n);
        CHECK(quern_upsert(b, nullptr, w.E) == QUERN_ERR_INVALID);
        quern_batch_free(b);
    }
    quern_batch* nowhere = quern_batch_new(w.db, nullptr, 1);
    CHECK(quern_upsert(nowhere, nullptr, w.E) == QUERN_ERR_MISUSE);
    quern_batch_free(nowhere);
    nowhere = quern_batch_new(nullptr, "ints", 1);
    CHECK(quern_upsert(nowhere, nullptr, w.E) == QUERN_ERR_MISUSE);
    quern_batch_free(nowhere);
    quern_db* other = nullptr;
    quern_txn* strange = nullptr;
    w.Ok(quern_open(":memory:", nullptr, &other, w.E));
    w.Ok(quern_begin(other, &strange, w.E));
    quern_batch* b = w.Keys("ints");
    CHECK(quern_upsert(b, strange, w.E) == QUERN_ERR_MISUSE);
    quern_batch_free(b);
    quern_rollback(strange);
    quern_close(other);
    for (quern_batch* none :
         {static_cast<quern_batch*>(nullptr), reinterpret_cast<quern_batch*>(w.db)}) {
        for (const Build& build : wrong) {
            build(none);
        }
        quern_batch_tags(none, "a7", offsets, nullptr, nullptr);
        CHECK(quern_insert(none, nullptr, w.E) == QUERN_ERR_MISUSE);
        CHECK(quern_batch_affected(none) == 0);
        quern_batch_free(none);
    }
    CHECK(quern_begin(w.db, nullptr, w.E) == QUERN_ERR_MISUSE);
    CHECK(quern_commit(nullptr, w.E) == QUERN_ERR_MISUSE);
    quern_rollback(nullptr);
}
