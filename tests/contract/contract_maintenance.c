/* Optimize, vacuum, backup, verify, rebuild, info and figures: arguments, and that answers stay the
 * same. */
#include "contract_check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void arguments(void) {
    static const int32_t bad_stats[] = {0, -1, QUERN_STAT_SQLITE_BYTES + 1, INT_MAX, INT_MIN};
    size_t i;
    int32_t stat;
    int64_t value = 0;
    quern_text* text = (quern_text*)&contract_error;
    quern_db* db = open_docs();
    WANT(QUERN_ERR_MISUSE, quern_optimize(NULL, NULL, 0, E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", quern_optimize(db, "absent", 0, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_optimize(db, "", 0, E));
    WANT(QUERN_OK, quern_optimize(db, "docs", 1, E));
    WANT(QUERN_OK, quern_optimize(db, "DOCS", UINT32_MAX, E));
    WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
    WANT(QUERN_ERR_MISUSE, quern_vacuum(NULL, E));
    WANT(QUERN_OK, quern_vacuum(db, E));
    WANT(QUERN_ERR_MISUSE, quern_rebuild(NULL, NULL, E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", quern_rebuild(db, "absent", E));
    WANT(QUERN_OK, quern_rebuild(db, "docs", E));
    WANT(QUERN_OK, quern_rebuild(db, NULL, E));

    WANT(QUERN_ERR_MISUSE, quern_verify(NULL, &text, E));
    CHECK(text == NULL);
    WANT(QUERN_OK, quern_verify(db, NULL, E));
    WANT(QUERN_OK, quern_verify(db, &text, E));
    CHECK(strstr(quern_text_data(text), "\"ok\": true") != NULL);
    quern_text_free(text);

    text = (quern_text*)&contract_error;
    WANT(QUERN_ERR_MISUSE, quern_info(NULL, &text, E));
    CHECK(text == NULL);
    WANT(QUERN_ERR_MISUSE, quern_info(db, NULL, E));
    WANT(QUERN_OK, quern_info(db, &text, E));
    CHECK(strstr(quern_text_data(text), "\"docs\"") != NULL);
    quern_text_free(text);

    WANT(QUERN_ERR_MISUSE, quern_stat(NULL, QUERN_STAT_FILE_BYTES, &value, E));
    WANT(QUERN_ERR_MISUSE, quern_stat(db, QUERN_STAT_FILE_BYTES, NULL, E));
    for (i = 0; i < COUNT_OF(bad_stats); i++) {
        WANT(QUERN_ERR_INVALID, quern_stat(db, bad_stats[i], &value, E));
    }
    for (stat = QUERN_STAT_FILE_BYTES; stat <= QUERN_STAT_SQLITE_BYTES; stat++) {
        value = -1;
        WANT(QUERN_OK, quern_stat(db, stat, &value, E));
        CHECK(value >= 0);
    }
    WANT(QUERN_OK, quern_stat(db, QUERN_STAT_SEGMENTS, &value, E));
    CHECK_INT(1, value);
    WANT(QUERN_OK, quern_stat(db, QUERN_STAT_LOG_ROWS, &value, E));
    CHECK_INT(0, value);
    quern_close(db);
}

static void backups(void) {
    const char* path = scratch_path("backup.quern");
    quern_db* copy;
    quern_db* db = open_docs();
    WANT(QUERN_ERR_MISUSE, quern_backup(NULL, path, E));
    WANT(QUERN_ERR_MISUSE, quern_backup(db, NULL, E));
    WANT(QUERN_ERR_INVALID, quern_backup(db, "", E));
    WANT(QUERN_ERR_INVALID, quern_backup(db, ":memory:", E));
    WANT(QUERN_ERR_CANT_OPEN, quern_backup(db, "/nowhere/at/all.quern", E));
    WANT(QUERN_ERR_EXISTS, quern_backup(db, "/", E));
    WANT(QUERN_OK, quern_backup(db, path, E));
    WANT_NAMED(QUERN_ERR_EXISTS, "backup.quern", quern_backup(db, path, E));
    quern_close(db);
    copy = open_file(path, "mode=ro");
    CHECK_INT(3, count_of(copy, "docs"));
    WANT(QUERN_OK, quern_verify(copy, NULL, E));
    quern_close(copy);
}

static void expect_answers(quern_db* db) {
    size_t dim;
    quern_result* r;
    quern_query* q = query_of_docs(db);
    quern_query_limit(q, 10);
    quern_query_columns(q, "n v");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    CHECK_TEXT("c", quern_result_key_text(r, 1));
    CHECK(quern_result_distance(r, 1) == 4.0f);
    CHECK_INT(3, quern_result_int(r, 1, 0));
    CHECK(((const float*)quern_result_dense(r, 1, 1, &dim))[1] == 2.0f);
    quern_result_free(r);
    quern_query_free(q);
    WANT(QUERN_OK, quern_verify(db, NULL, E));
}

/* Maintenance changes no answer. */
static void same_answers(void) {
    static const char* const key[] = {"b"};
    const char* path = scratch_path("maintained.quern");
    quern_db* db = open_file(path, NULL);
    quern_batch* b;
    create_docs(db, "docs");
    fill_docs(db, "docs");
    b = batch_of_one(db, "docs", key);
    WANT(QUERN_OK, quern_delete(b, NULL, E));
    quern_batch_free(b);
    expect_answers(db);
    WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
    expect_answers(db);
    WANT(QUERN_OK, quern_vacuum(db, E));
    expect_answers(db);
    WANT(QUERN_OK, quern_rebuild(db, NULL, E));
    expect_answers(db);
    quern_close(db);
    db = open_file(path, "mode=rw");
    expect_answers(db);
    quern_close(db);
}

static int file_holds(const char* path, const void* bytes, size_t size) {
    size_t total;
    size_t i;
    int holds = 0;
    unsigned char* file = read_file(path, &total);
    for (i = 0; i + size <= total && !holds; i++) {
        holds = memcmp(file + i, bytes, size) == 0;
    }
    free(file);
    return holds;
}

/* Deleted means gone: after optimize and vacuum the record's bytes are nowhere in the file. */
static void deleted_is_gone(void) {
    static const char* const key[] = {"the-key-that-goes"};
    static const char* const text[] = {"a sentence that must not stay behind"};
    static const float vector[] = {1.2345678f, -9.8765432f, 3.1415927f};
    const char* path = scratch_path("gone.quern");
    int sealed;
    for (sealed = 0; sealed < 2; sealed++) { /* deleted out of the log, and out of a segment */
        quern_db* db;
        quern_batch* b;
        remove(path);
        db = open_file(path, NULL);
        create_docs(db, "docs");
        fill_docs(db, "docs");
        b = batch_of_one(db, "docs", key);
        quern_batch_text(b, "t", text, NULL);
        quern_batch_dense(b, "v", vector, 3, NULL);
        WANT(QUERN_OK, quern_insert(b, NULL, E));
        if (sealed) {
            WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
        }
        quern_close(db);
        CHECK(file_holds(path, text[0], strlen(text[0])));
        CHECK(file_holds(path, key[0], strlen(key[0])));
        quern_batch_free(b);
        db = open_file(path, NULL);
        b = batch_of_one(db, "docs", key);
        WANT(QUERN_OK, quern_delete(b, NULL, E));
        CHECK_INT(1, quern_batch_affected(b));
        WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
        WANT(QUERN_OK, quern_vacuum(db, E));
        quern_batch_free(b);
        quern_close(db);
        CHECK(!file_holds(path, text[0], strlen(text[0])));
        CHECK(!file_holds(path, key[0], strlen(key[0])));
        CHECK(!file_holds(path, vector, sizeof vector));
    }
}

void contract_maintenance(void) {
    arguments();
    backups();
    same_answers();
    deleted_is_gone();
}
