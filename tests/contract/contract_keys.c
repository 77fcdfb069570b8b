/* Sets of keys, and values for single queries of a search. */
#include "contract_check.h"

static const char* const texts[] = {"a", "c", "a"};
static const int64_t ints[] = {1, 3};
static const unsigned char bitmap[] = {0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 7, 0};

static uint64_t count_with(quern_query* q) {
    uint64_t count = 77;
    WANT(QUERN_OK, quern_query_count(q, &count, E));
    return count;
}

static void making(void) {
    static const char* const null_text[] = {NULL};
    quern_keys* k = (quern_keys*)&contract_error;
    WANT(QUERN_ERR_MISUSE, quern_keys_int(NULL, 1, &k, E));
    CHECK(k == NULL);
    WANT(QUERN_ERR_MISUSE, quern_keys_int(ints, 2, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_keys_text(NULL, 1, &k, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "key 0", quern_keys_text(null_text, 1, &k, E));
    WANT(QUERN_ERR_MISUSE, quern_keys_roaring(NULL, 0, 32, &k, E));
    WANT_NAMED(QUERN_ERR_INVALID, "bits", quern_keys_roaring(bitmap, sizeof(bitmap), 16, &k, E));
    WANT_NAMED(QUERN_ERR_MALFORMED, "byte",
               quern_keys_roaring(bitmap, sizeof(bitmap) - 1, 32, &k, E));
    WANT_NAMED(QUERN_ERR_MALFORMED, "byte", quern_keys_roaring(bitmap, sizeof(bitmap), 64, &k, E));
    CHECK(k == NULL);
    WANT(QUERN_OK, quern_keys_roaring(bitmap, sizeof(bitmap), 32, &k, E));
    CHECK_INT(1, quern_keys_count(k));
    quern_keys_free(k);
    WANT(QUERN_OK, quern_keys_int(NULL, 0, &k, E));
    CHECK_INT(0, quern_keys_count(k));
    quern_keys_free(k);
    quern_keys_free(NULL);
    CHECK_INT(0, quern_keys_count(NULL));
}

static void using(void) {
    quern_db* db = open_docs();
    quern_keys* k = NULL;
    quern_keys* numbers = NULL;
    uint64_t count = 0;
    quern_query* q = quern_query_new(db, "docs");
    quern_query_only_keys(NULL, NULL);
    quern_query_except_keys(NULL, NULL);
    WANT(QUERN_OK, quern_keys_text(texts, 3, &k, E));
    WANT(QUERN_OK, quern_keys_int(ints, 2, &numbers, E));
    CHECK_INT(2, quern_keys_count(k));
    quern_query_only_keys(q, k);
    CHECK_INT(2, count_with(q));
    quern_query_filter(q, "n > 1");
    CHECK_INT(1, count_with(q));
    quern_query_only_keys(q, NULL);
    quern_query_except_keys(q, k);
    CHECK_INT(1, count_with(q));
    quern_query_filter(q, NULL);
    quern_keys_free(k);
    CHECK_INT(1, count_with(q));
    WANT(QUERN_OK, quern_query_delete(q, NULL, &count, E));
    CHECK_INT(1, count);
    CHECK_INT(2, count_of(db, "docs"));
    quern_query_except_keys(q, NULL);
    WANT(QUERN_ERR_INVALID, quern_query_delete(q, NULL, &count, E));
    quern_query_only_keys(q, numbers);
    WANT(QUERN_ERR_TYPE, quern_query_count(q, &count, E));
    WANT(QUERN_ERR_TYPE, quern_query_delete(q, NULL, &count, E));
    quern_query_only_keys(q, (quern_keys*)db);
    WANT(QUERN_ERR_MISUSE, quern_query_count(q, &count, E));
    quern_keys_free(numbers);
    quern_query_free(q);
    quern_close(db);
}

static void of_queries(void) {
    static const float vectors[] = {0, 0, 0, 0, 0, 0};
    quern_db* db = open_docs();
    quern_result* r = NULL;
    quern_query* q = query_of_docs(db);
    quern_query_bind_for(NULL, 0);
    quern_query_filter(q, "n = ?1");
    quern_query_bind_for(q, 1);
    quern_query_bind_int(q, 1, 3);
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_search(q, &r, E));
    quern_query_dense(q, "v", vectors, 2, 3);
    WANT_NAMED(QUERN_ERR_INVALID, "no value", quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_bind_for(q, QUERN_ALL_QUERIES);
    quern_query_bind_int(q, 1, 2);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("b", quern_result_key_text(r, 0));
    CHECK_TEXT("c", quern_result_key_text(r, 1));
    CHECK_INT(1, quern_result_offset(r, 1));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    quern_result_free(r);
    uint64_t count = 0;
    quern_text* json = NULL;
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_count(q, &count, E));
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_list(q, &r, E));
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_facet(q, "n", 3, &r, E));
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_explain(q, &json, E));
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_delete(q, NULL, &count, E));
    quern_query_set(q, "n = 1");
    WANT_NAMED(QUERN_ERR_INVALID, "query number 1", quern_query_update(q, NULL, &count, E));
    quern_query_bind_for(q, 1048576);
    WANT_NAMED(QUERN_ERR_LIMIT, "query number", quern_search(q, &r, E));
    quern_query_free(q);
    quern_close(db);
}

void contract_keys(void) {
    making();
    using();
    of_queries();
}
