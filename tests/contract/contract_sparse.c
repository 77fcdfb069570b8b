/* Sparse fields. */
#include "contract_check.h"

#include <stddef.h>
#include <string.h>

static const int64_t keys[] = {1, 2, 3};
static const size_t offsets[] = {0, 2, 3, 3};
static const uint32_t dims[] = {7, 2, 7};
static const float weights[] = {0.5f, -1.0f, 2.0f};

static void check_schema(quern_db* db) {
    quern_schema* s = quern_schema_new();
    quern_schema_sparse(s, "w", "dims=10");
    quern_schema_sparse(s, "x", NULL);
    CHECK_INT(2, quern_schema_sparse_count(s));
    CHECK_TEXT("w", quern_schema_sparse_name(s, 0));
    CHECK_INT(10, quern_schema_sparse_dims(s, 0));
    CHECK_INT(INT64_C(4294967296), quern_schema_sparse_dims(s, 1));
    CHECK(quern_schema_sparse_name(s, 2) == NULL);
    CHECK_INT(0, quern_schema_sparse_dims(s, 2));
    CHECK_INT(QUERN_F32, quern_schema_sparse_type(s, 0));
    CHECK_INT(0, quern_schema_sparse_type(s, 2));
    CHECK_INT(0, quern_schema_sparse_type(NULL, 0));
    CHECK_INT(0, quern_schema_sparse_count(NULL));
    quern_schema_sparse(s, "z", "dims=9 weights=none buckets=3 index=none");
    CHECK_TEXT("index=auto", quern_schema_sparse_options(s, 0));
    CHECK_TEXT("buckets=3", quern_schema_sparse_options(s, 2));
    CHECK(quern_schema_sparse_options(s, 3) == NULL);
    CHECK(quern_schema_sparse_options(NULL, 0) == NULL);
    WANT(QUERN_OK, quern_create(db, "s", s, E));
    quern_schema_sparse(s, "W", NULL);
    WANT(QUERN_ERR_EXISTS, quern_create(db, "t", s, E));
    quern_schema_free(s);
    s = quern_schema_new();
    quern_schema_sparse(s, "w", "dims=0");
    WANT_NAMED(QUERN_ERR_OPTION, "dims", quern_create(db, "t", s, E));
    quern_schema_free(s);
    quern_schema_sparse(NULL, "w", NULL);
    WANT(QUERN_ERR_MISUSE, quern_add_sparse(NULL, "s", "y", NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_add_sparse(db, "none", "y", NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_sparse(db, "s", "w", NULL, E));
    WANT(QUERN_OK, quern_add_sparse(db, "s", "y", "dims=5", E));
}

static void check_batch(quern_db* db) {
    const float matrix[] = {1, 2, 3};
    quern_batch* b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_sparse(b, "w", offsets, dims, weights, NULL);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_sparse(b, "w", NULL, dims, weights, NULL);
    WANT_NAMED(QUERN_ERR_MISUSE, "offsets", quern_upsert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_dense(b, "w", matrix, 1, NULL);
    WANT_NAMED(QUERN_ERR_TYPE, "'w' is sparse", quern_upsert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_sparse(b, "none", offsets, dims, weights, NULL);
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "none", quern_upsert(b, NULL, E));
    quern_batch_free(b);
    quern_batch_sparse(NULL, "w", offsets, dims, weights, NULL);
}

static void check_search(quern_db* db) {
    quern_query* q = quern_query_new(db, "s");
    quern_result* r = NULL;
    const float* of_row = NULL;
    size_t n = 9;
    quern_query_sparse(q, "w", offsets, dims, weights, 3);
    quern_query_columns(q, "w");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_queries(r));
    CHECK_INT(2, quern_result_offset(r, 1)); /* record 3 is empty */
    CHECK_INT(1, quern_result_key_int(r, 0) == 1 ? quern_result_score(r, 0) == 1.25f : 1);
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    CHECK_INT(4, quern_result_rows(r)); /* the third query is empty */
    CHECK_INT(QUERN_SPARSE, quern_result_column_type(r, 0));
    CHECK(quern_result_sparse(r, 0, 0, &of_row, &n) != NULL);
    CHECK(n > 0 && of_row != NULL);
    CHECK(quern_result_sparse(r, 99, 0, &of_row, &n) == NULL);
    CHECK(n == 0 && of_row == NULL);
    quern_result_free(r);
    quern_query_sparse(q, "w", NULL, dims, weights, 1);
    WANT_NAMED(QUERN_ERR_MISUSE, "offsets", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_dense(q, "w", weights, 1, 1);
    WANT_NAMED(QUERN_ERR_TYPE, "'w' is sparse", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_key_int(q, "w", keys, 1);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_rows(r)); /* not itself */
    CHECK_INT(2, quern_result_key_int(r, 0));
    quern_result_free(r);
    quern_query_free(q);
    quern_query_sparse(NULL, "w", offsets, dims, weights, 1);
}

static void check_tokens(quern_db* db) {
    static const char* const tokens[] = {"mill", "stone"};
    static const char* const twice[] = {"mill", "mill"};
    static const char* const none[] = {"mill", NULL};
    static const char* const texts[] = {"A Mill", "nothing", "stone mill"};
    const uint32_t of_tokens[] = {7, 2};
    const float of_queries[] = {2.0f, 1.0f};
    quern_query* q = quern_query_new(db, "s");
    quern_result* r = NULL;
    quern_query_sparse_text(q, "w", texts, 3);
    WANT_NAMED(QUERN_ERR_INVALID, "'w' has no token weights", quern_search(q, &r, E));
    WANT(QUERN_ERR_MISUSE,
         quern_set_token_weights(NULL, "s", "w", tokens, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "collection",
               quern_set_token_weights(db, NULL, "w", tokens, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "field",
               quern_set_token_weights(db, "s", NULL, tokens, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "tokens",
               quern_set_token_weights(db, "s", "w", NULL, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "token 1",
               quern_set_token_weights(db, "s", "w", none, of_tokens, of_queries, 2, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND,
         quern_set_token_weights(db, "none", "w", tokens, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "none",
               quern_set_token_weights(db, "s", "none", tokens, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_INVALID, "'mill' is there twice",
               quern_set_token_weights(db, "s", "w", twice, of_tokens, of_queries, 2, NULL, E));
    WANT_NAMED(QUERN_ERR_OPTION, "k1",
               quern_set_token_weights(db, "s", "w", tokens, of_tokens, of_queries, 2, "k1=2", E));
    WANT_NAMED(QUERN_ERR_OPTION, "unicode61",
               quern_set_token_weights(db, "s", "w", tokens, of_tokens, of_queries, 2,
                                       "remove_diacritics=9", E));
    WANT_NAMED(
        QUERN_ERR_LIMIT, "1048577",
        quern_set_token_weights(db, "s", "w", tokens, of_tokens, of_queries, 1048577, NULL, E));
    WANT(QUERN_OK,
         quern_set_token_weights(db, "s", "w", tokens, of_tokens, of_queries, 2, "porter", E));
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_queries(r));
    CHECK_INT(2, quern_result_offset(r, 1));
    CHECK_INT(2, quern_result_offset(r, 2));
    CHECK(quern_result_score(r, 0) == 4.0f);
    quern_result_free(r);
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_sparse_text(q, "w", NULL, 1);
    WANT_NAMED(QUERN_ERR_MISUSE, "texts", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_sparse_text(q, "w", none, 2);
    WANT_NAMED(QUERN_ERR_MISUSE, "query 1", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_sparse_text(q, "w", NULL, 0);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_queries(r));
    quern_result_free(r);
    quern_query_free(q);
    WANT(QUERN_OK, quern_set_token_weights(db, "s", "w", NULL, NULL, NULL, 0, NULL, E));
    quern_query_sparse_text(NULL, "w", texts, 3);
}

static void check_stats(quern_db* db) {
    quern_text* json = NULL;
    const size_t down[] = {1, 0};
    WANT(QUERN_ERR_MISUSE, quern_sparse_stats(NULL, "s", "w", NULL, NULL, NULL, 0, &json, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "json",
               quern_sparse_stats(db, "s", "w", NULL, NULL, NULL, 0, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "offsets",
               quern_sparse_stats(db, "s", "w", NULL, NULL, dims, 1, &json, E));
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "none",
               quern_sparse_stats(db, "s", "none", NULL, NULL, NULL, 0, &json, E));
    WANT_NAMED(QUERN_ERR_INVALID, "query 0",
               quern_sparse_stats(db, "s", "w", NULL, down, dims, 1, &json, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_sparse_stats(db, "none", "w", NULL, NULL, NULL, 0, &json, E));
    CHECK(json == NULL);
    WANT(QUERN_OK, quern_sparse_stats(db, "s", "w", NULL, offsets, dims, 3, &json, E));
    CHECK(strstr(quern_text_data(json), "\"vectors\":3,\"empty\":1,\"entries\":3") != NULL);
    quern_text_free(json);
}

void contract_sparse(void) {
    quern_db* db = open_memory();
    check_schema(db);
    check_batch(db);
    check_search(db);
    check_tokens(db);
    check_stats(db);
    quern_close(db);
}
