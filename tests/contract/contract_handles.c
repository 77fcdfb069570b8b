/* Handles: the wrong kind, the parent closed first, freed twice. */
#include "contract_check.h"

#include <string.h>

static const char* const key_d[] = {"d"};

/* Something that is not a database, wherever a database is wanted. */
static void not_a_database(void) {
    static const float origin[] = {0, 0, 0};
    uint64_t count;
    int64_t value;
    quern_schema* s = quern_schema_new();
    quern_db* wrong = (quern_db*)(void*)s;
    quern_text* text;
    quern_schema* described;
    quern_txn* txn;
    quern_snapshot* snap;
    quern_cursor* c;
    quern_result* r;
    quern_batch* b;
    quern_query* q;
    WANT_NAMED(QUERN_ERR_MISUSE, "quern_db", quern_progress(wrong, NULL, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_create(wrong, "docs", s, E));
    WANT(QUERN_ERR_MISUSE, quern_drop(wrong, "docs", E));
    WANT(QUERN_ERR_MISUSE, quern_rename(wrong, "docs", "more", E));
    WANT(QUERN_ERR_MISUSE, quern_describe(wrong, "docs", &described, E));
    WANT(QUERN_ERR_MISUSE, quern_collections(wrong, &text, E));
    WANT(QUERN_ERR_MISUSE, quern_add_attr(wrong, "docs", "x2", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_dense(wrong, "docs", "x2", 3, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_set_attr(wrong, "docs", "x", "index=none", E));
    WANT(QUERN_ERR_MISUSE, quern_drop_column(wrong, "docs", "x", E));
    WANT(QUERN_ERR_MISUSE, quern_begin(wrong, &txn, E));
    WANT(QUERN_ERR_MISUSE, quern_snapshot_new(wrong, &snap, E));
    WANT(QUERN_ERR_MISUSE, quern_count(wrong, "docs", NULL, &count, E));
    WANT(QUERN_ERR_MISUSE, quern_scan(wrong, "docs", NULL, NULL, &c, E));
    WANT(QUERN_ERR_MISUSE, quern_optimize(wrong, NULL, 0, E));
    WANT(QUERN_ERR_MISUSE, quern_vacuum(wrong, E));
    WANT(QUERN_ERR_MISUSE, quern_backup(wrong, "x", E));
    WANT(QUERN_ERR_MISUSE, quern_verify(wrong, &text, E));
    WANT(QUERN_ERR_MISUSE, quern_rebuild(wrong, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_info(wrong, &text, E));
    WANT(QUERN_ERR_MISUSE, quern_stat(wrong, QUERN_STAT_CHUNKS, &value, E));
    WANT(QUERN_ERR_MISUSE, quern_limit(wrong, QUERN_LIMIT_QUERIES, -1, &value, E));
    WANT(QUERN_ERR_MISUSE, quern_sql(wrong, NULL, "select 1", &r, E));
    b = batch_of_one(wrong, "docs", key_d);
    WANT(QUERN_ERR_MISUSE, quern_insert(b, NULL, E));
    quern_batch_free(b);
    q = quern_query_new(wrong, "docs");
    quern_query_dense(q, "v", origin, 1, 3);
    WANT(QUERN_ERR_MISUSE, quern_search(q, &r, E));
    quern_query_free(q);
    quern_interrupt(wrong);
    quern_close(wrong);
    /* The schema has taken no harm. */
    CHECK_TEXT("id", quern_schema_key_name(s));
    quern_schema_free(s);
}

static void not_a_cursor(void) {
    quern_db* db = open_docs();
    quern_cursor* wrong = (quern_cursor*)(void*)db;
    quern_result* r;
    WANT(QUERN_ERR_MISUSE, quern_cursor_next(wrong, 1, &r, E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_after_int(wrong, 1, E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_after_text(wrong, "a", E));
    quern_cursor_free(wrong);
    quern_snapshot_free((quern_snapshot*)(void*)db);
    quern_query_free((quern_query*)(void*)db);
    quern_batch_free((quern_batch*)(void*)db);
    quern_schema_free((quern_schema*)(void*)db);
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

/* The parent is closed first: children say CLOSED, results can still be read, everything can still
 * be freed. */
static void parent_closed_first(void) {
    uint64_t generation;
    quern_db* db = open_docs();
    quern_snapshot* snap;
    quern_cursor* c;
    quern_txn* txn;
    quern_txn* forgotten;
    quern_result* r;
    quern_result* more = (quern_result*)&contract_error;
    quern_text* text;
    quern_schema* s;
    quern_query* q = query_of_docs(db);
    quern_query* under_snapshot = query_of_docs(db);
    quern_batch* b = batch_of_one(db, "docs", key_d);
    WANT(QUERN_OK, quern_snapshot_new(db, &snap, E));
    generation = quern_snapshot_generation(snap);
    quern_query_snapshot(under_snapshot, snap);
    WANT(QUERN_OK, quern_scan(db, "docs", NULL, "n", &c, E));
    WANT(QUERN_OK, quern_search(q, &r, E));
    WANT(QUERN_OK, quern_collections(db, &text, E));
    WANT(QUERN_OK, quern_describe(db, "docs", &s, E));
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_insert(b, txn, E));
    quern_close(db);

    WANT(QUERN_ERR_CLOSED, quern_insert(b, txn, E));
    WANT(QUERN_ERR_CLOSED, quern_insert(b, NULL, E));
    WANT(QUERN_ERR_CLOSED, quern_upsert(b, NULL, E));
    WANT(QUERN_ERR_CLOSED, quern_update(b, NULL, E));
    WANT(QUERN_ERR_CLOSED, quern_delete(b, NULL, E));
    WANT(QUERN_ERR_CLOSED, quern_get(b, NULL, NULL, &more, E));
    CHECK(more == NULL);
    WANT(QUERN_ERR_CLOSED, quern_get(b, snap, NULL, &more, E));
    WANT(QUERN_ERR_CLOSED, quern_search(q, &more, E));
    WANT(QUERN_ERR_CLOSED, quern_search(under_snapshot, &more, E));
    WANT(QUERN_ERR_CLOSED, quern_cursor_next(c, 1, &more, E));
    WANT(QUERN_ERR_CLOSED, quern_cursor_after_text(c, "a", E));
    WANT(QUERN_ERR_CLOSED, quern_commit(txn, E));
    CHECK(quern_snapshot_generation(snap) == generation || quern_snapshot_generation(snap) == 0);
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    CHECK_TEXT("[\"docs\"]", quern_text_data(text));
    CHECK_TEXT("id", quern_schema_key_name(s));
    quern_schema_free(s);
    quern_text_free(text);
    quern_result_free(r);
    quern_cursor_free(c);
    quern_query_free(q);
    quern_query_free(under_snapshot);
    quern_batch_free(b);
    quern_snapshot_free(snap);

    db = open_docs();
    WANT(QUERN_OK, quern_begin(db, &forgotten, E));
    quern_close(db);
    quern_rollback(forgotten);
}

/* An open transaction is rolled back by closing, and the file is whole. */
static void closed_with_a_transaction(void) {
    const char* path = scratch_path("closed.quern");
    quern_db* db = open_file(path, NULL);
    quern_txn* txn;
    quern_batch* b;
    create_docs(db, "docs");
    fill_docs(db, "docs");
    b = batch_of_one(db, "docs", key_d);
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_insert(b, txn, E));
    quern_close(db);
    quern_rollback(txn);
    quern_batch_free(b);
    db = open_file(path, "mode=rw");
    CHECK_INT(3, count_of(db, "docs"));
    WANT(QUERN_OK, quern_verify(db, NULL, E));
    quern_close(db);
}

/* Two handles on one file see each other's commits. */
static void two_handles(void) {
    const char* path = scratch_path("two.quern");
    quern_db* first = open_file(path, "busy_ms=30");
    quern_db* second;
    quern_txn* txn;
    quern_batch* b;
    quern_batch* through_second;
    create_docs(first, "docs");
    second = open_file(path, "busy_ms=30");
    b = batch_of_one(first, "docs", key_d);
    through_second = batch_of_one(second, "docs", key_d);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    CHECK_INT(1, count_of(second, "docs"));
    WANT(QUERN_ERR_KEY_EXISTS, quern_insert(through_second, NULL, E));
    WANT(QUERN_OK, quern_begin(first, &txn, E));
    WANT(QUERN_ERR_BUSY, quern_delete(through_second, NULL, E));
    quern_rollback(txn);
    WANT(QUERN_OK, quern_delete(through_second, NULL, E));
    CHECK_INT(0, count_of(first, "docs"));
    quern_batch_free(b);
    quern_batch_free(through_second);
    quern_close(first);
    quern_close(second);
}

#ifndef NDEBUG
/* Debug builds keep a registry of live handles: a freed one is told, not followed. */
static void freed_twice(void) {
    uint64_t count;
    quern_result* r;
    quern_db* db = open_docs();
    quern_schema* s = quern_schema_new();
    quern_query* q = query_of_docs(db);
    quern_batch* b = batch_of_one(db, "docs", key_d);
    quern_schema_free(s);
    quern_schema_free(s);
    CHECK(quern_schema_key_name(s) == NULL);
    WANT(QUERN_ERR_MISUSE, quern_create(db, "more", s, E));
    quern_query_free(q);
    quern_query_free(q);
    WANT(QUERN_ERR_MISUSE, quern_search(q, &r, E));
    quern_batch_free(b);
    quern_batch_free(b);
    WANT(QUERN_ERR_MISUSE, quern_insert(b, NULL, E));
    quern_close(db);
    quern_close(db);
    WANT_NAMED(QUERN_ERR_MISUSE, "freed already", quern_count(db, "docs", NULL, &count, E));
}
#else
static void freed_twice(void) {}
#endif

void contract_handles(void) {
    not_a_database();
    not_a_cursor();
    parent_closed_first();
    closed_with_a_transaction();
    two_handles();
    freed_twice();
}
