/* Queries: what to look for, how many, how far; and the metrics' promises. */
#include "contract_check.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float origin[] = {0, 0, 0};
static const char* const text_keys[] = {"b"};
static const int64_t int_keys[] = {1};

static void null_query(void) {
    quern_db* db = open_docs();
    quern_result* r = NULL;
    quern_query* wrong[2];
    size_t i;
    wrong[0] = NULL;
    wrong[1] = (quern_query*)db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_query* q = wrong[i];
        quern_query_dense(q, "v", origin, 1, 3);
        quern_query_dense_raw(q, "v", origin, QUERN_F32, 1, 3);
        quern_query_key_int(q, "v", int_keys, 1);
        quern_query_key_text(q, "v", text_keys, 1);
        quern_query_limit(q, 1);
        quern_query_max_distance(q, 1);
        quern_query_min_score(q, 1);
        quern_query_columns(q, "n");
        quern_query_snapshot(q, NULL);
        quern_query_options(q, "threads=1");
        r = (quern_result*)&contract_error;
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_search(q, &r, E));
        CHECK(r == NULL);
        quern_query_free(q);
    }
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

/* Each way to set a query up wrongly, told by the search; the first error stays. */
static void wrong_queries(void) {
    static const float not_finite[] = {0, NAN, 0};
    static const char* const null_key[] = {NULL};
    static const char* const absent_key[] = {"absent"};
    static const struct {
        int32_t status;
        const char* named;
    } wanted[] = {
        {QUERN_ERR_MISUSE, "field"},
        {QUERN_ERR_MISUSE, "matrix"},
        {QUERN_ERR_UNKNOWN_FIELD, "'absent'"},
        {QUERN_ERR_UNKNOWN_FIELD, "'n'"},
        {QUERN_ERR_DIMENSION, "'v'"},
        {QUERN_ERR_DIMENSION, "'v'"},
        {QUERN_ERR_DIMENSION, "'v'"},
        {QUERN_ERR_NOT_FINITE, "element 1"},
        {QUERN_ERR_MISUSE, "field"},
        {QUERN_ERR_MISUSE, "matrix"},
        {QUERN_ERR_INVALID, "'v'"},
        {QUERN_ERR_INVALID, "'v'"},
        {QUERN_ERR_TYPE, "'v'"},
        {QUERN_ERR_MISUSE, "field"},
        {QUERN_ERR_MISUSE, "keys"},
        {QUERN_ERR_MISUSE, "field"},
        {QUERN_ERR_MISUSE, "keys"},
        {QUERN_ERR_MISUSE, "key 0"},
        {QUERN_ERR_NOT_FOUND, "absent"},
        {QUERN_ERR_TYPE, "text"},
        {QUERN_ERR_LIMIT, "1048576"},
        {QUERN_ERR_LIMIT, "1048576"},
        {QUERN_ERR_NOT_FINITE, "NaN"},
        {QUERN_ERR_NOT_FINITE, "NaN"},
        {QUERN_ERR_UNKNOWN_FIELD, "'absent'"},
        {QUERN_ERR_OPTION, "colour"},
        {QUERN_ERR_OPTION, "threads"},
        {QUERN_ERR_OPTION, "self"},
        {QUERN_ERR_LIMIT, "1048576"},
        {QUERN_ERR_LIMIT, "1048576"},
        {QUERN_ERR_INVALID, "limit 0"},
    };
    size_t i;
    quern_db* db = open_docs();
    for (i = 0; i < COUNT_OF(wanted); i++) {
        quern_result* r = (quern_result*)&contract_error;
        quern_query* q = query_of_docs(db);
        switch (i) {
            case 0: quern_query_dense(q, NULL, origin, 1, 3); break;
            case 1: quern_query_dense(q, "v", NULL, 1, 3); break;
            case 2: quern_query_dense(q, "absent", origin, 1, 3); break;
            case 3: quern_query_dense(q, "n", origin, 1, 3); break;
            case 4: quern_query_dense(q, "v", origin, 1, 2); break;
            case 5: quern_query_dense(q, "v", origin, 1, 0); break;
            case 6: quern_query_dense(q, "v", origin, 1, SIZE_MAX); break;
            case 7: quern_query_dense(q, "v", not_finite, 1, 3); break;
            case 8: quern_query_dense_raw(q, NULL, origin, QUERN_F32, 1, 3); break;
            case 9: quern_query_dense_raw(q, "v", NULL, QUERN_F32, 1, 3); break;
            case 10: quern_query_dense_raw(q, "v", origin, 0, 1, 3); break;
            case 11: quern_query_dense_raw(q, "v", origin, INT_MAX, 1, 3); break;
            case 12: quern_query_dense_raw(q, "v", origin, QUERN_BIT, 1, 3); break;
            case 13: quern_query_key_int(q, NULL, int_keys, 1); break;
            case 14: quern_query_key_int(q, "v", NULL, 1); break;
            case 15: quern_query_key_text(q, NULL, text_keys, 1); break;
            case 16: quern_query_key_text(q, "v", NULL, 1); break;
            case 17: quern_query_key_text(q, "v", null_key, 1); break;
            case 18: quern_query_key_text(q, "v", absent_key, 1); break;
            case 19: quern_query_key_int(q, "v", int_keys, 1); break;
            case 20: quern_query_limit(q, 1048577); break;
            case 21: quern_query_limit(q, SIZE_MAX); break;
            case 22: quern_query_max_distance(q, (double)NAN); break;
            case 23: quern_query_min_score(q, (double)NAN); break;
            case 24: quern_query_columns(q, "n absent"); break;
            case 25: quern_query_options(q, "colour=red"); break;
            case 26: quern_query_options(q, "threads=0"); break;
            case 27: quern_query_options(q, "self=maybe"); break;
            case 28: quern_query_key_int(q, "v", int_keys, SIZE_MAX); break;
            case 29: quern_query_key_text(q, "v", text_keys, 1048577); break;
            default: quern_query_limit(q, 0); break;
        }
        quern_query_columns(q, i == 24 ? "n absent" : NULL);
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_search(q, &r, E));
        CHECK(r == NULL);
        WANT(wanted[i].status, quern_search(q, &r, E));
        quern_query_free(q);
    }
    quern_close(db);
}

static void wrong_places(void) {
    quern_db* db = open_docs();
    quern_result* r = NULL;
    quern_query* q = quern_query_new(NULL, "docs");
    quern_query_dense(q, "v", origin, 1, 3);
    WANT_NAMED(QUERN_ERR_MISUSE, "db", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, NULL);
    quern_query_dense(q, "v", origin, 1, 3);
    WANT_NAMED(QUERN_ERR_MISUSE, "collection", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "absent");
    quern_query_dense(q, "v", origin, 1, 3);
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    WANT(QUERN_ERR_INVALID, quern_search(q, &r, E)); /* nothing to look for */
    quern_query_dense(q, "v", origin, 1, 3);
    WANT(QUERN_ERR_MISUSE, quern_search(q, NULL, E));
    WANT(QUERN_OK, quern_search(q, &r, E)); /* and still usable */
    CHECK_INT(3, quern_result_rows(r));
    quern_result_free(r);
    quern_query_free(q);
    quern_query_free(NULL);
    quern_close(db);
}

/* Counts of queries beyond every memory, and beyond what a signed number holds. */
static void too_many_queries(void) {
    static const size_t counts[] = {1048577,         (size_t)1 << 32, ((size_t)1 << 61) + 1,
                                    (size_t)1 << 62, (size_t)1 << 63, SIZE_MAX};
    size_t i;
    quern_db* db = open_docs();
    for (i = 0; i < COUNT_OF(counts); i++) {
        quern_result* r = NULL;
        quern_query* q = quern_query_new(db, "docs");
        quern_query_dense(q, "v", origin, counts[i], 3);
        WANT(QUERN_ERR_LIMIT, quern_search(q, &r, E));
        CHECK(r == NULL);
        quern_query_free(q);
    }
    quern_close(db);
}

static void limits(void) {
    static const float two[] = {0, 0, 0, 5, 5, 5};
    quern_db* db = open_docs();
    quern_result* r = NULL;
    quern_query* q = quern_query_new(db, "docs");
    quern_query_dense(q, "v", two, 2, 3);
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_QUERIES, 1, NULL, E));
    WANT_NAMED(QUERN_ERR_LIMIT, "limit is 1", quern_search(q, &r, E));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_QUERIES, 2, NULL, E));
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(6, quern_result_rows(r));
    CHECK_INT(2, quern_result_queries(r));
    quern_result_free(r);
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_RESULT_ROWS, 5, NULL, E));
    WANT(QUERN_ERR_LIMIT, quern_search(q, &r, E));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_RESULT_ROWS, 6, NULL, E));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_SEARCH_BYTES, 10, NULL, E));
    WANT(QUERN_ERR_LIMIT, quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
    quern_close(db);
}

/* min(k, matches), the empty matrix, bounds by distance and score, the record itself. */
static void how_many(void) {
    quern_db* db = open_docs();
    quern_result* r;
    quern_query* q = quern_query_new(db, "docs");
    quern_query_dense(q, "v", origin, 1, 3);
    quern_query_limit(q, 1048576);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    quern_result_free(r);
    quern_query_dense(q, "v", NULL, 0, 3); /* no queries: an empty answer */
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_rows(r));
    CHECK_INT(0, quern_result_queries(r));
    quern_result_free(r);
    quern_query_dense(q, "v", origin, 1, 3);
    quern_query_limit(q, 0);
    quern_query_max_distance(q, 1);
    WANT(QUERN_OK, quern_search(q, &r, E)); /* the bound belongs to it */
    CHECK_INT(2, quern_result_rows(r));
    quern_result_free(r);
    quern_query_min_score(q, -0.5); /* the last bound counts */
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_rows(r));
    quern_result_free(r);
    quern_query_max_distance(q, (double)INFINITY);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    quern_result_free(r);
    quern_query_max_distance(q, -1);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_rows(r));
    CHECK_INT(1, quern_result_queries(r));
    quern_result_free(r);
    quern_query_free(q);

    q = quern_query_new(db, "docs");
    quern_query_key_text(q, "v", text_keys, 1);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    quern_result_free(r);
    quern_query_options(q, "self=include threads=2");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_TEXT("b", quern_result_key_text(r, 0));
    quern_result_free(r);
    quern_query_free(q);
    quern_close(db);
}

/* A zero vector is data: under cosine its distance to everything is 1. Ties go by key. */
static void zero_vectors(void) {
    static const char* const ids[] = {"z", "x", "y"};
    static const float vectors[] = {0, 0, 3, 4, 0, 0};
    static const float queries[] = {3, 4, 0, 0};
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_batch* b = quern_batch_new(db, "c", 3);
    quern_query* q = quern_query_new(db, "c");
    quern_result* r;
    size_t i;
    quern_schema_key_text(s, "id");
    quern_schema_dense(s, "v", 2, QUERN_COSINE, NULL);
    WANT(QUERN_OK, quern_create(db, "c", s, E));
    quern_schema_free(s);
    quern_batch_key_text(b, ids);
    quern_batch_dense(b, "v", vectors, 2, NULL);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_query_dense(q, "v", queries, 2, 2);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(6, quern_result_rows(r));
    CHECK_INT(3, quern_result_offset(r, 1));
    CHECK_TEXT("x", quern_result_key_text(r, 0));
    CHECK(fabs((double)quern_result_distance(r, 0)) < 1e-6);
    CHECK_TEXT("y", quern_result_key_text(r, 1));
    CHECK_TEXT("z", quern_result_key_text(r, 2));
    for (i = 1; i < 6; i++) {
        CHECK(quern_result_distance(r, i) == 1.0f);
        CHECK(quern_result_score(r, i) == 0.0f);
    }
    CHECK_TEXT("x", quern_result_key_text(r, 3)); /* all equally far from nothing: key order */
    CHECK_TEXT("z", quern_result_key_text(r, 5));
    quern_result_free(r);
    quern_query_free(q);
    quern_batch_free(b);
    quern_close(db);
}

/* The table of distances and scores in the header. */
static void metrics(void) {
    static const struct {
        int32_t metric;
        float distance;
        float score;
    } wanted[] = {
        {QUERN_L2, 13, -13}, {QUERN_IP, -2, 2}, {QUERN_COSINE, 0, 0}, {QUERN_HAMMING, 2, -2}};
    static const int64_t key[] = {1};
    static const float stored[] = {1, 2, 3};
    static const float query[] = {1, -1, 1};
    size_t i;
    for (i = 0; i < COUNT_OF(wanted); i++) {
        const float unit[] = {1, 0, 0};
        const float* asked = wanted[i].metric == QUERN_HAMMING ? unit : query;
        quern_db* db = open_memory();
        quern_schema* s = quern_schema_new();
        quern_batch* b = quern_batch_new(db, "c", 1);
        quern_query* q = quern_query_new(db, "c");
        quern_result* r;
        quern_schema_dense(s, "v", 3, wanted[i].metric, NULL);
        WANT(QUERN_OK, quern_create(db, "c", s, E));
        quern_schema_free(s);
        quern_batch_key_int(b, key);
        quern_batch_dense(b, "v", stored, 3, NULL);
        WANT(QUERN_OK, quern_insert(b, NULL, E));
        quern_query_dense(q, "v", asked, 1, 3);
        WANT(QUERN_OK, quern_search(q, &r, E));
        if (wanted[i].metric == QUERN_COSINE) { /* 2 / (sqrt(14) * sqrt(3)) */
            CHECK(fabs((double)quern_result_score(r, 0) - 2 / sqrt(42.0)) < 1e-6);
            CHECK(fabs((double)quern_result_distance(r, 0) - (1 - 2 / sqrt(42.0))) < 1e-6);
        } else {
            CHECK(quern_result_distance(r, 0) == wanted[i].distance);
            CHECK(quern_result_score(r, 0) == wanted[i].score);
        }
        quern_result_free(r);
        quern_query_free(q);
        quern_batch_free(b);
        quern_close(db);
    }
}

/* The same answer, to the bit, for every number of threads, and for a batch as for its queries one
 * by one. */
static void every_thread_count(void) {
    enum { ROWS = 20000, DIM = 256, QUERIES = 3, K = 50 };
    static const char* const threads[] = {"threads=1", "threads=2", "threads=3", "threads=16"};
    float* vectors = malloc(sizeof(float) * ROWS * DIM);
    int64_t* keys = malloc(sizeof(int64_t) * ROWS);
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_batch* b = quern_batch_new(db, "many", ROWS);
    quern_result* first = NULL;
    uint32_t state = 7;
    size_t i;
    for (i = 0; i < (size_t)ROWS * DIM; i++) {
        state = state * 1664525u + 1013904223u;
        vectors[i] = (float)(state >> 24) / 256.0f - 0.5f;
    }
    for (i = 0; i < ROWS; i++) {
        keys[i] = (int64_t)i;
    }
    quern_schema_dense(s, "v", DIM, QUERN_COSINE, NULL);
    WANT(QUERN_OK, quern_create(db, "many", s, E));
    quern_batch_key_int(b, keys);
    quern_batch_dense(b, "v", vectors, DIM, NULL);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    for (i = 0; i < COUNT_OF(threads); i++) {
        quern_result* r = NULL;
        quern_query* q = quern_query_new(db, "many");
        quern_query_dense(q, "v", vectors + DIM / 2, QUERIES, DIM);
        quern_query_limit(q, K);
        quern_query_options(q, threads[i]);
        check_case(threads[i]);
        WANT(QUERN_OK, quern_search(q, &r, E));
        quern_query_free(q);
        CHECK_INT(QUERIES * K, quern_result_rows(r));
        if (first == NULL) {
            first = r;
            continue;
        }
        CHECK(memcmp(quern_result_keys_int(first), quern_result_keys_int(r),
                     sizeof(int64_t) * QUERIES * K) == 0);
        CHECK(memcmp(quern_result_distances(first), quern_result_distances(r),
                     sizeof(float) * QUERIES * K) == 0);
        quern_result_free(r);
    }
    check_case("one by one");
    for (i = 0; i < QUERIES; i++) {
        quern_result* r = NULL;
        quern_query* q = quern_query_new(db, "many");
        quern_query_dense(q, "v", vectors + DIM / 2 + i * DIM, 1, DIM);
        quern_query_limit(q, K);
        WANT(QUERN_OK, quern_search(q, &r, E));
        quern_query_free(q);
        CHECK(memcmp(quern_result_keys_int(first) + i * K, quern_result_keys_int(r),
                     sizeof(int64_t) * K) == 0);
        CHECK(memcmp(quern_result_distances(first) + i * K, quern_result_distances(r),
                     sizeof(float) * K) == 0);
        quern_result_free(r);
    }
    check_case(NULL);
    quern_result_free(first);
    quern_batch_free(b);
    quern_schema_free(s);
    quern_close(db);
    free(keys);
    free(vectors);
}

void contract_search(void) {
    null_query();
    wrong_queries();
    wrong_places();
    too_many_queries();
    limits();
    how_many();
    zero_vectors();
    metrics();
    every_thread_count();
}
