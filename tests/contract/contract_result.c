/* Results and texts: every getter with every index out of range, on NULL, and on something else. */
#include "contract_check.h"

#include <limits.h>
#include <string.h>

static void nothing_from(const quern_result* r) {
    size_t size = 77;
    size_t dim = 77;
    CHECK_INT(0, quern_result_rows(r));
    CHECK_INT(0, quern_result_queries(r));
    CHECK_INT(0, quern_result_offset(r, 0));
    CHECK_INT(0, quern_result_flags(r));
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_VECTORS_SCORED));
    CHECK_INT(0, quern_result_found(r, 0));
    CHECK_INT(0, quern_result_key_int(r, 0));
    CHECK(quern_result_key_text(r, 0) == NULL);
    CHECK(quern_result_distance(r, 0) == 0.0f);
    CHECK(quern_result_score(r, 0) == 0.0f);
    CHECK(quern_result_keys_int(r) == NULL);
    CHECK(quern_result_keys_text(r) == NULL);
    CHECK(quern_result_distances(r) == NULL);
    CHECK_INT(0, quern_result_columns(r));
    CHECK(quern_result_column_name(r, 0) == NULL);
    CHECK_INT(0, quern_result_column_type(r, 0));
    CHECK_INT(0, quern_result_type(r, 0, 0));
    CHECK_INT(0, quern_result_int(r, 0, 0));
    CHECK(quern_result_real(r, 0, 0) == 0.0);
    CHECK(quern_result_text(r, 0, 0, &size) == NULL);
    CHECK_INT(0, size);
    CHECK(quern_result_dense(r, 0, 0, &dim) == NULL);
    CHECK_INT(0, dim);
    CHECK_INT(0, quern_result_dense_type(r, 0));
    CHECK_INT(0, quern_result_dense_dim(r, 0));
    CHECK(quern_result_scores(r) == NULL);
    CHECK(quern_result_offsets(r) == NULL);
    CHECK_INT(0, quern_result_key_type(r));
    CHECK_INT(0, quern_result_column_int(r, 0, NULL, NULL));
    CHECK_INT(0, quern_result_column_real(r, 0, NULL, NULL));
    CHECK_INT(0, quern_result_column_text(r, 0, NULL, NULL, NULL));
    CHECK_INT(0, quern_result_column_dense(r, 0, NULL, NULL));
}

static void out_of_range(const quern_result* r, size_t row, size_t col) {
    CHECK(quern_result_column_name(r, col) == NULL);
    CHECK_INT(0, quern_result_column_type(r, col));
    CHECK_INT(0, quern_result_dense_type(r, col));
    CHECK_INT(0, quern_result_dense_dim(r, col));
    CHECK_INT(0, quern_result_found(r, row));
    CHECK(quern_result_key_text(r, row) == NULL);
    CHECK_INT(0, quern_result_key_int(r, row));
    CHECK(quern_result_distance(r, row) == 0.0f);
    CHECK(quern_result_score(r, row) == 0.0f);
    CHECK_INT(0, quern_result_type(r, row, 0));
    CHECK_INT(0, quern_result_type(r, 0, col));
    CHECK_INT(0, quern_result_int(r, row, 0));
    CHECK_INT(0, quern_result_int(r, 0, col));
    CHECK(quern_result_real(r, 0, col) == 0.0);
    CHECK(quern_result_text(r, 0, col, NULL) == NULL);
    CHECK(quern_result_text(r, row, 0, NULL) == NULL);
    CHECK(quern_result_dense(r, row, 1, NULL) == NULL);
    CHECK(quern_result_dense(r, 0, col, NULL) == NULL);
}

static void search_result(quern_db* db) {
    quern_result* r = NULL;
    quern_query* q = query_of_docs(db);
    quern_query_limit(q, 2);
    quern_query_columns(q, "n, v");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_INT(1, quern_result_queries(r));
    CHECK_INT(0, quern_result_offset(r, 0));
    CHECK_INT(2, quern_result_offset(r, 1));
    CHECK_INT(0, quern_result_offset(r, 2));
    CHECK_INT(0, quern_result_offset(r, SIZE_MAX));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    CHECK(quern_result_stat(r, QUERN_RESULT_VECTORS_SCORED) > 0);
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_VECTORS_REFINED));
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_MEMORY_NEEDED));
    CHECK_INT(1000000, quern_result_stat(r, QUERN_RESULT_RECALL));
    CHECK_INT(0, quern_result_stat(r, 0));
    CHECK_INT(0, quern_result_stat(r, 77));
    CHECK_TEXT("a", quern_result_keys_text(r)[0]);
    CHECK_TEXT("b", quern_result_keys_text(r)[1]);
    CHECK(quern_result_keys_int(r) == NULL);
    CHECK_INT(0, quern_result_key_int(r, 0));
    CHECK(quern_result_distances(r)[1] == 1.0f);
    CHECK(quern_result_distance(r, 1) == 1.0f);
    CHECK(quern_result_score(r, 1) == -1.0f);
    CHECK_INT(2, quern_result_columns(r));
    CHECK_TEXT("n", quern_result_column_name(r, 0));
    CHECK_INT(QUERN_INT, quern_result_column_type(r, 0));
    CHECK_INT(QUERN_DENSE, quern_result_column_type(r, 1));
    CHECK_INT(QUERN_F32, quern_result_dense_type(r, 1));
    CHECK_INT(0, quern_result_dense_type(r, 0));
    CHECK(quern_result_dense_dim(r, 1) > 0);
    CHECK_INT(0, quern_result_dense_dim(r, 0));
    /* A getter of another type gives nothing; int serves real. */
    CHECK(quern_result_real(r, 1, 0) == 2.0);
    CHECK(quern_result_text(r, 0, 0, NULL) == NULL);
    CHECK(quern_result_dense(r, 0, 0, NULL) == NULL);
    CHECK_INT(0, quern_result_int(r, 0, 1));
    out_of_range(r, 2, 2);
    out_of_range(r, SIZE_MAX, SIZE_MAX);
    out_of_range(r, SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1);
    quern_query_free(q);
    /* The result outlives its query. */
    CHECK_TEXT("b", quern_result_key_text(r, 1));
    quern_result_free(r);
}

/* Three records with a number and no text, and a fourth, which is added here, with a text and no
 * number. */
static void whole_columns(quern_db* db) {
    static const char* const key[] = {"zz"};
    static const char* const words[] = {"last"};
    static const float at[] = {9, 9, 9};
    quern_result* r = NULL;
    quern_batch* b = quern_batch_new(db, "docs", 1);
    quern_query* q = query_of_docs(db);
    int64_t numbers[4] = {7, 7, 7, 7};
    double reals[4] = {7, 7, 7, 7};
    int64_t offsets[5] = {7, 7, 7, 7, 7};
    float matrix[12];
    uint8_t valid[4] = {7, 7, 7, 7};
    char text[64];
    size_t row;
    size_t rows;
    quern_batch_key_text(b, key);
    quern_batch_text(b, "t", words, NULL);
    quern_batch_dense(b, "v", at, 3, NULL);
    WANT(QUERN_OK, quern_upsert(b, NULL, E));
    quern_batch_free(b);
    quern_query_limit(q, 10);
    quern_query_columns(q, "n, r, t, v");
    WANT(QUERN_OK, quern_search(q, &r, E));
    rows = quern_result_rows(r);
    CHECK_INT(4, rows);
    CHECK_INT(QUERN_TEXT, quern_result_key_type(r));
    CHECK_INT(0, quern_result_offsets(r)[0]);
    CHECK_INT(4, quern_result_offsets(r)[1]);
    CHECK_INT(3, quern_result_column_int(r, 0, numbers, valid));
    for (row = 0; row < rows; row++) {
        CHECK(quern_result_scores(r)[row] == quern_result_score(r, row));
        CHECK_INT(quern_result_int(r, row, 0), numbers[row]);
        CHECK_INT(quern_result_type(r, row, 0) != 0, valid[row]);
    }
    CHECK_INT(3, quern_result_column_int(r, 0, NULL, NULL));
    CHECK_INT(0, quern_result_column_int(r, 1, NULL, NULL));
    CHECK_INT(0, quern_result_column_int(r, 3, numbers, valid));
    CHECK_INT(0, valid[0]);
    CHECK_INT(3, quern_result_column_real(r, 0, reals, NULL)); /* int serves real */
    CHECK(reals[0] == 1.0 && reals[3] == 0.0);
    CHECK_INT(quern_result_column_real(r, 1, reals, valid),
              quern_result_column_real(r, 1, NULL, NULL));
    for (row = 0; row < rows; row++) {
        CHECK(reals[row] == quern_result_real(r, row, 1));
    }
    CHECK_INT(quern_result_column_text(r, 2, offsets, NULL, valid),
              quern_result_column_text(r, 2, NULL, NULL, NULL));
    CHECK_INT(1, quern_result_column_text(r, 2, NULL, NULL, NULL));
    CHECK(offsets[0] == 0 && offsets[4] == 4);
    quern_result_column_text(r, 2, offsets, text, valid);
    for (row = 0; row < rows; row++) {
        size_t size;
        const char* one = quern_result_text(r, row, 2, &size);
        CHECK_INT(size, offsets[row + 1] - offsets[row]);
        CHECK_INT(one != NULL, valid[row]);
        CHECK(one == NULL || memcmp(one, text + offsets[row], size) == 0);
    }
    CHECK_INT(4, quern_result_column_dense(r, 3, NULL, NULL));
    CHECK_INT(4, quern_result_column_dense(r, 3, matrix, valid));
    for (row = 0; row < rows; row++) {
        CHECK(memcmp(quern_result_dense(r, row, 3, NULL), matrix + 3 * row, 3 * sizeof matrix[0]) ==
              0);
    }
    CHECK_INT(0, quern_result_column_dense(r, 0, matrix, valid));
    CHECK_INT(0, quern_result_column_int(r, 4, numbers, valid));
    CHECK_INT(0, quern_result_column_real(r, SIZE_MAX, reals, valid));
    CHECK_INT(0, quern_result_column_text(r, SIZE_MAX, offsets, text, valid));
    CHECK_INT(0, quern_result_column_dense(r, SIZE_MAX, matrix, valid));
    quern_query_free(q);
    quern_result_free(r);
}

static void texts(quern_db* db) {
    quern_text* t = NULL;
    CHECK_TEXT("", quern_text_data(NULL));
    CHECK_INT(0, quern_text_size(NULL));
    quern_text_free(NULL);
    CHECK_TEXT("", quern_text_data((const quern_text*)(const void*)db));
    CHECK_INT(0, quern_text_size((const quern_text*)(const void*)db));
    quern_text_free((quern_text*)(void*)db);
    WANT(QUERN_OK, quern_collections(db, &t, E));
    CHECK_INT(strlen(quern_text_data(t)), quern_text_size(t));
    quern_text_free(t);
}

void contract_result(void) {
    quern_db* db = open_docs();
    quern_result_free(NULL);
    quern_result_free((quern_result*)(void*)db);
    nothing_from(NULL);
    nothing_from((const quern_result*)(const void*)db);
    search_result(db);
    whole_columns(db);
    texts(db);
    quern_close(db);
}
