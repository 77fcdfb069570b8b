/* Transactions: one at a time, all or nothing, over after an error. */
#include "contract_check.h"

#include <string.h>

static const char* const key_p[] = {"p"};
static const char* const key_q[] = {"q"};
static const char* const key_a[] = {"a"};

static void arguments(void) {
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_txn* txn = (quern_txn*)&contract_error;
    quern_batch* b = batch_of_one(db, "docs", key_p);
    WANT(QUERN_ERR_MISUSE, quern_begin(NULL, &txn, E));
    CHECK(txn == NULL);
    WANT(QUERN_ERR_MISUSE, quern_begin((quern_db*)(void*)b, &txn, E));
    WANT(QUERN_ERR_MISUSE, quern_begin(db, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "txn", quern_commit(NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "txn", quern_commit((quern_txn*)(void*)b, E));
    quern_rollback(NULL);
    quern_rollback((quern_txn*)(void*)b);
    WANT_NAMED(QUERN_ERR_MISUSE, "txn", quern_insert(b, (quern_txn*)(void*)db, E));
    WANT(QUERN_OK, quern_begin(other, &txn, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "different databases", quern_insert(b, txn, E));
    quern_rollback(txn);
    CHECK_INT(3, count_of(db, "docs"));
    quern_batch_free(b);
    quern_close(other);
    quern_close(db);
}

static void commit_and_rollback(void) {
    quern_db* db = open_docs();
    quern_txn* txn = NULL;
    quern_batch* p = batch_of_one(db, "docs", key_p);
    quern_batch* q = batch_of_one(db, "more", key_q);
    create_docs(db, "more");
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_insert(p, txn, E));
    WANT(QUERN_OK, quern_insert(q, txn, E));
    CHECK_INT(3, count_of(db, "docs")); /* reads see committed data only */
    quern_rollback(txn);
    CHECK_INT(3, count_of(db, "docs"));
    CHECK_INT(0, count_of(db, "more"));
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_insert(p, txn, E));
    WANT(QUERN_ERR_KEY_EXISTS, quern_insert(p, txn, E)); /* its own writes it does see */
    /* That error has rolled all of it back. */
    WANT(QUERN_ERR_TXN, quern_insert(q, txn, E));
    WANT(QUERN_ERR_TXN, quern_delete(p, txn, E));
    WANT(QUERN_ERR_TXN, quern_commit(txn, E));
    CHECK_INT(3, count_of(db, "docs"));
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_insert(p, txn, E));
    WANT(QUERN_OK, quern_insert(q, txn, E));
    WANT(QUERN_OK, quern_commit(txn, E));
    CHECK_INT(4, count_of(db, "docs"));
    CHECK_INT(1, count_of(db, "more"));
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_commit(txn, E)); /* an empty one is fine */
    quern_batch_free(p);
    quern_batch_free(q);
    quern_close(db);
}

/* While one is open, every other write waits busy_ms and is told BUSY. */
static void one_at_a_time(void) {
    quern_db* db = open_docs();
    quern_txn* txn = NULL;
    quern_txn* second = (quern_txn*)&contract_error;
    quern_schema* s = quern_schema_new();
    quern_batch* p = batch_of_one(db, "docs", key_p);
    quern_batch* a = batch_of_one(db, "docs", key_a);
    quern_result* r;
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_ERR_BUSY, quern_begin(db, &second, E));
    CHECK(second == NULL);
    WANT(QUERN_ERR_BUSY, quern_upsert(p, NULL, E));
    WANT(QUERN_ERR_BUSY, quern_delete(a, NULL, E));
    WANT(QUERN_ERR_BUSY, quern_create(db, "more", s, E));
    WANT(QUERN_ERR_BUSY, quern_drop(db, "docs", E));
    WANT(QUERN_ERR_BUSY, quern_rename(db, "docs", "more", E));
    WANT(QUERN_ERR_BUSY, quern_add_attr(db, "docs", "more", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_BUSY, quern_set_attr(db, "docs", "n", "index=none", E));
    WANT(QUERN_ERR_BUSY, quern_vacuum(db, E));
    /* Readers do not notice. */
    WANT(QUERN_OK, quern_get(a, NULL, "n", &r, E));
    CHECK_INT(1, quern_result_found(r, 0));
    quern_result_free(r);
    CHECK_INT(3, count_of(db, "docs"));
    WANT(QUERN_OK, quern_upsert(p, txn, E));
    WANT(QUERN_OK, quern_commit(txn, E));
    WANT(QUERN_OK, quern_upsert(p, NULL, E)); /* the batch that was BUSY can be tried again */
    CHECK_INT(4, count_of(db, "docs"));
    quern_batch_free(p);
    quern_batch_free(a);
    quern_schema_free(s);
    quern_close(db);
}

/* Two handles write in turns: each begins with what the other has committed. */
static void writers_in_turns(void) {
    static const char* const keys[] = {"k0", "k1", "k2", "k3", "k4", "k5"};
    const char* path = scratch_path("turns.quern");
    quern_db* writers[2];
    quern_batch* b;
    size_t i;
    writers[0] = open_file(path, NULL);
    create_docs(writers[0], "docs");
    fill_docs(writers[0], "docs");
    writers[1] = open_file(path, "threads=1");
    for (i = 0; i < COUNT_OF(keys); i++) {
        b = batch_of_one(writers[i % 2], "docs", keys + i);
        WANT(QUERN_OK, quern_insert(b, NULL, E));
        quern_batch_free(b);
        b = batch_of_one(writers[(i + 1) % 2], "docs", keys + i);
        WANT(QUERN_ERR_KEY_EXISTS, quern_insert(b, NULL, E));
        quern_batch_free(b);
        CHECK_INT(4 + i, count_of(writers[0], "docs"));
        CHECK_INT(4 + i, count_of(writers[1], "docs"));
    }
    for (i = 0; i < COUNT_OF(keys); i++) {
        b = batch_of_one(writers[(i / 2) % 2], "docs", keys + i);
        WANT(QUERN_OK, quern_delete(b, NULL, E));
        CHECK_INT(1, quern_batch_affected(b));
        quern_batch_free(b);
    }
    WANT(QUERN_OK, quern_verify(writers[0], NULL, E));
    CHECK_INT(3, count_of(writers[1], "docs"));
    quern_close(writers[1]);
    quern_close(writers[0]);
}

void contract_txn(void) {
    arguments();
    commit_and_rollback();
    one_at_a_time();
    writers_in_turns();
}
