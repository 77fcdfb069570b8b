/* Batches: handles and sizes, keys, and what insert, upsert, update and delete promise. */
#include "contract_check.h"

#include <limits.h>
#include <string.h>

typedef int32_t write_function(quern_batch*, quern_txn*, quern_error*);
/* The library's own functions warn when a result is dropped; behind a pointer they are plain. */
static write_function* const writes[] = {quern_insert, quern_upsert, quern_update, quern_delete};

static void null_batch(void) {
    static const int64_t ints[] = {1};
    static const double reals[] = {1};
    static const uint8_t bools[] = {1};
    static const char* const texts[] = {"x"};
    static const void* const blobs[] = {"x"};
    static const size_t sizes[] = {0, 1};
    static const float vector[] = {1, 2, 3};
    quern_db* db = open_docs();
    quern_query* query = query_of_docs(db);
    quern_batch* wrong[2];
    quern_result* r;
    size_t i;
    size_t w;
    wrong[0] = NULL;
    wrong[1] = (quern_batch*)query;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_batch* b = wrong[i];
        quern_batch_key_int(b, ints);
        quern_batch_key_text(b, texts);
        quern_batch_int(b, "n", ints, NULL);
        quern_batch_real(b, "r", reals, NULL);
        quern_batch_bool(b, "b", bools, NULL);
        quern_batch_text(b, "t", texts, NULL);
        quern_batch_blob(b, "x", blobs, sizes, NULL);
        quern_batch_tags(b, "g", sizes, texts, NULL);
        quern_batch_dense(b, "v", vector, 3, NULL);
        quern_batch_dense_raw(b, "v", vector, QUERN_F32, 3, NULL);
        CHECK_INT(0, quern_batch_affected(b));
        for (w = 0; w < COUNT_OF(writes); w++) {
            WANT_NAMED(QUERN_ERR_MISUSE, "b ", writes[w](b, NULL, E));
        }
        WANT(QUERN_ERR_MISUSE, quern_get(b, NULL, NULL, &r, E));
        CHECK(r == NULL);
        quern_batch_free(b);
    }
    /* The query has taken no harm from being taken for a batch. */
    WANT(QUERN_OK, quern_search(query, &r, E));
    quern_result_free(r);
    quern_query_free(query);
    quern_close(db);
}

static int32_t insert_new(quern_db* db, const char* collection, size_t n) {
    static const char* const keys[] = {"new"};
    quern_batch* b = quern_batch_new(db, collection, n);
    int32_t status;
    quern_batch_key_text(b, keys);
    status = quern_insert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static void sizes_and_names(void) {
    static const size_t bad_sizes[] = {0, 16777217, SIZE_MAX, SIZE_MAX / 2 + 1};
    quern_db* db = open_docs();
    size_t i;
    for (i = 0; i < COUNT_OF(bad_sizes); i++) {
        WANT_NAMED(QUERN_ERR_INVALID, "16777216", insert_new(db, "docs", bad_sizes[i]));
    }
    WANT_NAMED(QUERN_ERR_MISUSE, "db", insert_new(NULL, "docs", 1));
    WANT_NAMED(QUERN_ERR_MISUSE, "collection", insert_new(db, NULL, 1));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", insert_new(db, "absent", 1));
    WANT(QUERN_ERR_NOT_FOUND, insert_new(db, "", 1));
    WANT(QUERN_OK, insert_new(db, "DOCS", 1));
    WANT_NAMED(QUERN_ERR_KEY_EXISTS, "'new'", insert_new(db, "docs", 1));
    CHECK_INT(4, count_of(db, "docs"));
    quern_close(db);
}

/* A builder keeps its first error; each use reports it. */
static void null_arguments(void) {
    static const char* const key[] = {"k"};
    static const size_t sizes[] = {0, 1};
    static const char* const texts[] = {"x"};
    static const void* const blobs[] = {"x"};
    static const int64_t ints[] = {1};
    static const double reals[] = {1};
    static const uint8_t bools[] = {1};
    static const float vector[] = {1, 2, 3};
    quern_db* db = open_docs();
    int i;
    for (i = 0; i < 22; i++) {
        const char* named = "NULL";
        int32_t wanted = QUERN_ERR_MISUSE;
        quern_batch* b = batch_of_one(db, "docs", key);
        switch (i) {
            case 0:
                quern_batch_key_int(b, NULL);
                named = "keys";
                break;
            case 1:
                quern_batch_key_text(b, NULL);
                named = "keys";
                break;
            case 2:
                quern_batch_int(b, NULL, ints, NULL);
                named = "attr";
                break;
            case 3:
                quern_batch_int(b, "n", NULL, NULL);
                named = "'n'";
                break;
            case 4:
                quern_batch_real(b, NULL, reals, NULL);
                named = "attr";
                break;
            case 5:
                quern_batch_real(b, "r", NULL, NULL);
                named = "'r'";
                break;
            case 6:
                quern_batch_bool(b, NULL, bools, NULL);
                named = "attr";
                break;
            case 7:
                quern_batch_bool(b, "b", NULL, NULL);
                named = "'b'";
                break;
            case 8:
                quern_batch_text(b, NULL, texts, NULL);
                named = "attr";
                break;
            case 9:
                quern_batch_text(b, "t", NULL, NULL);
                named = "'t'";
                break;
            case 10:
                quern_batch_blob(b, NULL, blobs, sizes, NULL);
                named = "attr";
                break;
            case 11:
                quern_batch_blob(b, "x", NULL, sizes, NULL);
                named = "'x'";
                break;
            case 12:
                quern_batch_blob(b, "x", blobs, NULL, NULL);
                named = "sizes";
                break;
            case 13:
                quern_batch_tags(b, NULL, sizes, texts, NULL);
                named = "attr";
                break;
            case 14:
                quern_batch_tags(b, "g", NULL, texts, NULL);
                named = "offsets";
                break;
            case 15:
                quern_batch_tags(b, "g", sizes, NULL, NULL);
                named = "'g'";
                break;
            case 16:
                quern_batch_dense(b, NULL, vector, 3, NULL);
                named = "field";
                break;
            case 17:
                quern_batch_dense(b, "v", NULL, 3, NULL);
                named = "'v'";
                break;
            case 18:
                quern_batch_dense_raw(b, NULL, vector, QUERN_F32, 3, NULL);
                named = "field";
                break;
            case 19:
                quern_batch_dense_raw(b, "v", NULL, QUERN_F32, 3, NULL);
                named = "'v'";
                break;
            case 20:
                quern_batch_dense_raw(b, "v", vector, 0, 3, NULL);
                named = "'v'";
                wanted = QUERN_ERR_INVALID;
                break;
            default:
                quern_batch_dense_raw(b, "v", vector, INT_MIN, 3, NULL);
                named = "'v'";
                wanted = QUERN_ERR_INVALID;
                break;
        }
        quern_batch_int(b, "n", ints, NULL); /* what comes later changes nothing */
        WANT_NAMED(wanted, named, quern_insert(b, NULL, E));
        WANT_NAMED(wanted, named, quern_upsert(b, NULL, E));
        quern_batch_free(b);
    }
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static int32_t upsert_text_key(quern_db* db, const char* key) {
    const char* keys[1];
    int32_t status;
    quern_batch* b;
    keys[0] = key;
    b = batch_of_one(db, "docs", keys);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static void keys(void) {
    static const char* const twice[] = {"p", "q", "p"};
    static const int64_t number[] = {7};
    static const int64_t extremes[] = {INT64_MAX, INT64_MIN, 0, -1};
    static const int64_t twice_int[] = {5, -5, 5};
    static char key_1024[1025];
    static char key_1025[1026];
    quern_db* db = open_docs();
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    quern_result* r;
    quern_cursor* c;
    memset(key_1024, 'k', 1024);
    memset(key_1025, 'k', 1025);
    WANT_NAMED(QUERN_ERR_INVALID, "NULL", upsert_text_key(db, NULL));
    WANT_NAMED(QUERN_ERR_INVALID, "empty", upsert_text_key(db, ""));
    WANT_NAMED(QUERN_ERR_LIMIT, "1024", upsert_text_key(db, key_1025));
    WANT(QUERN_OK, upsert_text_key(db, key_1024));
    WANT_NAMED(QUERN_ERR_MALFORMED, "UTF-8", upsert_text_key(db, "\xff"));
    WANT(QUERN_ERR_MALFORMED, upsert_text_key(db, "ab\xe2\x82"));
    WANT(QUERN_OK, upsert_text_key(db, "\xe2\x82\xac"));

    b = quern_batch_new(db, "docs", 3);
    WANT_NAMED(QUERN_ERR_MISUSE, "keys", quern_upsert(b, NULL, E)); /* none were set */
    quern_batch_key_text(b, twice);
    WANT_NAMED(QUERN_ERR_DUPLICATE_KEY, "'p'", quern_upsert(b, NULL, E));
    WANT(QUERN_ERR_DUPLICATE_KEY, quern_insert(b, NULL, E));
    WANT(QUERN_ERR_DUPLICATE_KEY, quern_update(b, NULL, E));
    WANT(QUERN_ERR_DUPLICATE_KEY, quern_delete(b, NULL, E));
    quern_batch_free(b);

    b = quern_batch_new(db, "docs", 1);
    quern_batch_key_int(b, number);
    WANT_NAMED(QUERN_ERR_TYPE, "id", quern_upsert(b, NULL, E));
    WANT(QUERN_ERR_TYPE, quern_delete(b, NULL, E));
    WANT(QUERN_ERR_TYPE, quern_get(b, NULL, NULL, &r, E));
    quern_batch_free(b);

    quern_schema_key_int(s, "number");
    WANT(QUERN_OK, quern_create(db, "numbers", s, E));
    quern_schema_free(s);
    b = quern_batch_new(db, "numbers", 4);
    quern_batch_key_int(b, extremes);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "numbers", 3);
    quern_batch_key_int(b, twice_int);
    WANT_NAMED(QUERN_ERR_DUPLICATE_KEY, "5", quern_insert(b, NULL, E));
    quern_batch_key_text(b, twice); /* the last kind of key that was set counts */
    WANT_NAMED(QUERN_ERR_TYPE, "number", quern_insert(b, NULL, E));
    quern_batch_free(b);
    WANT(QUERN_OK, quern_scan(db, "numbers", NULL, NULL, &c, E));
    WANT(QUERN_OK, quern_cursor_next(c, 10, &r, E));
    CHECK_INT(4, quern_result_rows(r));
    CHECK(quern_result_key_int(r, 0) == INT64_MIN);
    CHECK(quern_result_key_int(r, 3) == INT64_MAX);
    quern_result_free(r);
    quern_cursor_free(c);
    quern_close(db);
}

/* A batch is all or nothing, and stays usable. */
static void what_writes_promise(void) {
    static const char* const new_and_old[] = {"z", "a"};
    static const char* const only_old[] = {"a", "c"};
    static const int64_t numbers[] = {10, 11};
    quern_db* db = open_docs();
    quern_result* r;
    quern_batch* b = quern_batch_new(db, "docs", 2);
    quern_batch_key_text(b, new_and_old);
    quern_batch_int(b, "n", numbers, NULL);
    WANT_NAMED(QUERN_ERR_KEY_EXISTS, "'a'", quern_insert(b, NULL, E));
    CHECK_INT(0, quern_batch_affected(b));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "'z'", quern_update(b, NULL, E));
    CHECK_INT(3, count_of(db, "docs"));
    WANT(QUERN_OK, quern_upsert(b, NULL, E));
    CHECK_INT(2, quern_batch_affected(b));
    CHECK_INT(4, count_of(db, "docs"));
    WANT(QUERN_OK, quern_get(b, NULL, "n v", &r, E));
    CHECK_INT(11, quern_result_int(r, 1, 0));
    CHECK(quern_result_dense(r, 1, 1, NULL) == NULL); /* upsert replaced the whole record */
    quern_result_free(r);
    WANT(QUERN_OK, quern_delete(b, NULL, E));
    CHECK_INT(2, quern_batch_affected(b));
    WANT(QUERN_OK, quern_delete(b, NULL, E)); /* keys that do not exist are passed over */
    CHECK_INT(0, quern_batch_affected(b));
    quern_batch_free(b);

    b = quern_batch_new(db, "docs", 2);
    quern_batch_key_text(b, only_old);
    WANT(QUERN_ERR_NOT_FOUND, quern_update(b, NULL, E));
    quern_batch_free(b);
    b = batch_of_one(db, "docs", only_old + 1);
    quern_batch_int(b, "n", numbers, NULL);
    WANT(QUERN_OK, quern_update(b, NULL, E));
    WANT(QUERN_OK, quern_get(b, NULL, "n v", &r, E));
    CHECK_INT(10, quern_result_int(r, 0, 0));
    CHECK(quern_result_dense(r, 0, 1, NULL) != NULL); /* update left it as it was */
    quern_result_free(r);
    quern_batch_free(b);
    quern_batch_free(NULL);
    quern_close(db);
}

void contract_batch(void) {
    null_batch();
    sizes_and_names();
    null_arguments();
    keys();
    what_writes_promise();
}
