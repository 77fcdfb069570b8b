/* Values: every attribute type and element type, right and wrong. */
#include "contract_check.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char* const one_key[] = {"k"};

/* Each wrong value is refused whole, with its own status, and the message names the column. */
static void wrong_columns(void) {
    static const int64_t ints[] = {1};
    static const double reals[] = {1};
    static const uint8_t bools[] = {1};
    static const char* const texts[] = {"[1]"};
    static const void* const blobs[] = {"x"};
    static const size_t sizes[] = {0, 1};
    static const float vector[] = {1, 2, 3};
    quern_db* db = open_docs();
    int i;
    for (i = 0; i < 16; i++) {
        const char* named;
        int32_t wanted = QUERN_ERR_TYPE;
        quern_batch* b = batch_of_one(db, "docs", one_key);
        switch (i) {
            case 0:
                quern_batch_int(b, "r", ints, NULL);
                named = "'r'";
                break;
            case 1:
                quern_batch_real(b, "n", reals, NULL);
                named = "'n'";
                break;
            case 2:
                quern_batch_bool(b, "n", bools, NULL);
                named = "'n'";
                break;
            case 3:
                quern_batch_int(b, "b", ints, NULL);
                named = "'b'";
                break;
            case 4:
                quern_batch_text(b, "x", texts, NULL);
                named = "'x'";
                break;
            case 5:
                quern_batch_text(b, "g", texts, NULL);
                named = "'g'";
                break;
            case 6:
                quern_batch_blob(b, "t", blobs, sizes + 1, NULL);
                named = "'t'";
                break;
            case 7:
                quern_batch_tags(b, "j", sizes, texts, NULL);
                named = "'j'";
                break;
            case 8:
                quern_batch_int(b, "absent", ints, NULL);
                named = "'absent'";
                wanted = QUERN_ERR_UNKNOWN_FIELD;
                break;
            case 9:
                quern_batch_int(b, "v", ints, NULL);
                named = "'v'";
                wanted = QUERN_ERR_UNKNOWN_FIELD;
                break;
            case 10:
                quern_batch_int(b, "", ints, NULL);
                named = "''";
                wanted = QUERN_ERR_UNKNOWN_FIELD;
                break;
            case 11:
                quern_batch_dense(b, "n", vector, 3, NULL);
                named = "'n'";
                wanted = QUERN_ERR_UNKNOWN_FIELD;
                break;
            case 12:
                quern_batch_dense(b, "v", vector, 2, NULL);
                named = "'v'";
                wanted = QUERN_ERR_DIMENSION;
                break;
            case 13:
                quern_batch_dense(b, "v", vector, 0, NULL);
                named = "'v'";
                wanted = QUERN_ERR_DIMENSION;
                break;
            case 14:
                quern_batch_dense(b, "v", vector, SIZE_MAX, NULL);
                named = "'v'";
                wanted = QUERN_ERR_DIMENSION;
                break;
            default:
                quern_batch_dense_raw(b, "v", vector, QUERN_F16, 3, NULL);
                named = "'v'";
                break;
        }
        WANT_NAMED(wanted, named, quern_upsert(b, NULL, E));
        quern_batch_free(b);
    }
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static int32_t upsert_real(quern_db* db, double value) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "docs", one_key);
    quern_batch_real(b, "r", &value, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static int32_t upsert_bool(quern_db* db, uint8_t value) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "docs", one_key);
    quern_batch_bool(b, "b", &value, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static int32_t upsert_text(quern_db* db, const char* attr, const char* value) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "docs", one_key);
    quern_batch_text(b, attr, &value, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static int32_t upsert_tags(quern_db* db, const size_t* offsets, const char* const* tags) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "docs", one_key);
    quern_batch_tags(b, "g", offsets, tags, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static void wrong_values(void) {
    static const char* const bad_json[] = {"",         "{",   "[1,]",     "nul", "{\"a\":}", "1 2",
                                           "\"\x01\"", "'a'", "\"\xff\"", "01",  "[1}"};
    static const char* const good_json[] = {
        "null", "1", "-1.5e3", "\"\\u00e9\"", "[]", "{\"a\":[1,2,{\"b\":null}]}", " [1] "};
    static const char* const tags[] = {"x", NULL, "\xff"};
    static const size_t down[] = {2, 1};
    static const size_t null_tag[] = {1, 2};
    static const size_t bad_tag[] = {2, 3};
    static const size_t empty[] = {0, 0};
    char deep[300];
    size_t i;
    quern_db* db = open_docs();
    WANT_NAMED(QUERN_ERR_NOT_FINITE, "'r'", upsert_real(db, (double)NAN));
    WANT(QUERN_ERR_NOT_FINITE, upsert_real(db, (double)INFINITY));
    WANT(QUERN_ERR_NOT_FINITE, upsert_real(db, -(double)INFINITY));
    WANT(QUERN_OK, upsert_real(db, -0.0));
    WANT_NAMED(QUERN_ERR_INVALID, "'b'", upsert_bool(db, 2));
    WANT(QUERN_ERR_INVALID, upsert_bool(db, 255));
    WANT_NAMED(QUERN_ERR_MALFORMED, "'t'", upsert_text(db, "t", "\xff"));
    WANT(QUERN_ERR_MALFORMED, upsert_text(db, "t", "half \xe2\x82"));
    WANT(QUERN_OK, upsert_text(db, "t", ""));
    for (i = 0; i < COUNT_OF(bad_json); i++) {
        check_case(bad_json[i]);
        WANT_NAMED(QUERN_ERR_MALFORMED, "'j'", upsert_text(db, "j", bad_json[i]));
    }
    for (i = 0; i < COUNT_OF(good_json); i++) {
        check_case(good_json[i]);
        WANT(QUERN_OK, upsert_text(db, "j", good_json[i]));
    }
    check_case(NULL);
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    WANT(QUERN_ERR_MALFORMED, upsert_text(db, "j", deep));
    WANT_NAMED(QUERN_ERR_INVALID, "'g'", upsert_tags(db, down, tags));
    WANT_NAMED(QUERN_ERR_MALFORMED, "'g'", upsert_tags(db, null_tag, tags));
    WANT_NAMED(QUERN_ERR_MALFORMED, "'g'", upsert_tags(db, bad_tag, tags));
    WANT(QUERN_OK, upsert_tags(db, empty, NULL));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_ATTR_BYTES, 4, NULL, E));
    WANT(QUERN_OK, upsert_text(db, "t", "four"));
    WANT_NAMED(QUERN_ERR_LIMIT, "'t'", upsert_text(db, "t", "five5"));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_ATTR_BYTES, 0, NULL, E));
    WANT(QUERN_ERR_LIMIT, upsert_text(db, "t", "x"));
    quern_close(db);
}

/* Every type goes in and comes out; null and absent are told from empty. */
static void round_trip(void) {
    static const char* const ids[] = {"full", "null", "empty"};
    static const int64_t ints[] = {INT64_MIN, 1, 0};
    static const double reals[] = {1e-300, 1, 0};
    static const uint8_t bools[] = {1, 1, 0};
    static const char* const texts[] = {"gr\xc3\xbc\xc3\x9f", NULL, ""};
    static const char* const jsons[] = {"{\"a\": 1}", NULL, "\"\""};
    static const void* const blobs[] = {"a\0b", "", ""};
    static const size_t blob_sizes[] = {3, 0, 0};
    static const char* const tags[] = {"pear", "apple", "pear", "with \"quotes\""};
    static const size_t offsets[] = {0, 4, 4, 4};
    static const float vectors[] = {1, 2, 3, 9, 9, 9, 0, 0, 0};
    static const uint8_t valid[] = {1, 0, 1};
    size_t size;
    size_t dim;
    quern_db* db = open_docs();
    quern_result* r;
    quern_batch* b = quern_batch_new(db, "docs", 3);
    quern_batch_key_text(b, ids);
    quern_batch_int(b, "n", ints, valid);
    quern_batch_real(b, "r", reals, valid);
    quern_batch_bool(b, "b", bools, valid);
    quern_batch_text(b, "t", texts, NULL);
    quern_batch_text(b, "j", jsons, NULL);
    quern_batch_blob(b, "x", blobs, blob_sizes, valid);
    quern_batch_tags(b, "g", offsets, tags, valid);
    quern_batch_dense(b, "v", vectors, 3, valid);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    WANT(QUERN_OK, quern_get(b, NULL, "*", &r, E));
    CHECK_INT(8, quern_result_columns(r));
    CHECK(quern_result_int(r, 0, 0) == INT64_MIN);
    CHECK(quern_result_real(r, 0, 1) == 1e-300);
    CHECK_TEXT(texts[0], quern_result_text(r, 0, 2, &size));
    CHECK_INT(6, size);
    CHECK_INT(1, quern_result_int(r, 0, 3));
    CHECK(memcmp("a\0b", quern_result_text(r, 0, 4, &size), 4) == 0);
    CHECK_INT(3, size);
    CHECK_TEXT("{\"a\": 1}", quern_result_text(r, 0, 5, NULL));
    CHECK_TEXT("[\"apple\",\"pear\",\"with \\\"quotes\\\"\"]", quern_result_text(r, 0, 6, NULL));
    CHECK(memcmp(vectors, quern_result_dense(r, 0, 7, &dim), 3 * sizeof(float)) == 0);
    CHECK_INT(3, dim);
    for (size = 0; size < 8; size++) {
        CHECK_INT(0, quern_result_type(r, 1, size));
        CHECK(quern_result_type(r, 2, size) == quern_result_column_type(r, size));
    }
    CHECK(quern_result_text(r, 1, 2, &size) == NULL);
    CHECK_INT(0, size);
    CHECK(quern_result_dense(r, 1, 7, &dim) == NULL);
    CHECK_INT(0, dim);
    CHECK_TEXT("", quern_result_text(r, 2, 2, &size));
    CHECK_INT(0, size);
    CHECK_TEXT("[]", quern_result_text(r, 2, 6, NULL));
    CHECK(quern_result_text(r, 2, 4, NULL) != NULL);
    quern_result_free(r);
    quern_batch_free(b);
    quern_close(db);
}

static quern_db* open_fields(void) {
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_schema_key_text(s, "id");
    quern_schema_dense(s, "f32", 5, QUERN_L2, NULL);
    quern_schema_dense(s, "f16", 5, QUERN_IP, "type=f16");
    quern_schema_dense(s, "bf16", 5, QUERN_COSINE, "type=bf16");
    quern_schema_dense(s, "i8", 5, QUERN_L2, "type=i8");
    quern_schema_dense(s, "bit", 5, QUERN_HAMMING, NULL);
    WANT(QUERN_OK, quern_create(db, "fields", s, E));
    quern_schema_free(s);
    return db;
}

static int32_t upsert_dense(quern_db* db, const char* field, const float* vector) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "fields", one_key);
    quern_batch_dense(b, field, vector, 5, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static int32_t upsert_raw(quern_db* db, const char* field, const void* vector, int32_t type) {
    int32_t status;
    quern_batch* b = batch_of_one(db, "fields", one_key);
    quern_batch_dense_raw(b, field, vector, type, 5, NULL);
    status = quern_upsert(b, NULL, E);
    quern_batch_free(b);
    return status;
}

static void vector_values(void) {
    static const char* const fields[] = {"f32", "f16", "bf16", "i8", "bit"};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const uint16_t f16_infinity[] = {0, 0, 0x7C00, 0, 0};
    static const uint16_t f16_nan[] = {0, 0, 0x7E01, 0, 0};
    static const uint16_t bf16_infinity[] = {0, 0, 0, 0, 0xFF80};
    static const uint16_t halves[] = {0x3C00, 0, 0, 0, 0};
    static const int8_t bytes[] = {-128, 127, 0, 1, -1};
    static const uint8_t bits[] = {0xFF};
    static const int32_t bad_types[] = {0, -1, QUERN_BIT + 1, INT_MAX, INT_MIN};
    size_t i;
    size_t j;
    quern_result* r;
    quern_batch* b;
    quern_db* db = open_fields();
    for (i = 0; i < COUNT_OF(fields); i++) {
        for (j = 0; j < COUNT_OF(bad); j++) {
            float vector[5] = {1, 2, 3, 4, 5};
            check_case(fields[i]);
            vector[j] = bad[j];
            WANT_NAMED(QUERN_ERR_NOT_FINITE, fields[i], upsert_dense(db, fields[i], vector));
        }
    }
    check_case(NULL);
    {
        const float large[] = {0, 0, 0, 1e6f, 0};
        const float fraction[] = {0, 0, 0.5f, 0, 0};
        const float outside[] = {0, 128, 0, 0, 0};
        const float inside[] = {-128, 127, 0, 0, 0};
        WANT_NAMED(QUERN_ERR_INVALID, "'f16'", upsert_dense(db, "f16", large));
        WANT(QUERN_OK, upsert_dense(db, "bf16", large));
        WANT_NAMED(QUERN_ERR_INVALID, "'i8'", upsert_dense(db, "i8", fraction));
        WANT(QUERN_ERR_INVALID, upsert_dense(db, "i8", outside));
        WANT(QUERN_OK, upsert_dense(db, "i8", inside));
        WANT(QUERN_OK, upsert_dense(db, "bit", inside));
    }
    WANT_NAMED(QUERN_ERR_NOT_FINITE, "'f16'", upsert_raw(db, "f16", f16_infinity, QUERN_F16));
    WANT(QUERN_ERR_NOT_FINITE, upsert_raw(db, "f16", f16_nan, QUERN_F16));
    WANT(QUERN_ERR_NOT_FINITE, upsert_raw(db, "bf16", bf16_infinity, QUERN_BF16));
    WANT_NAMED(QUERN_ERR_TYPE, "'bf16'", upsert_raw(db, "bf16", halves, QUERN_F16));
    WANT(QUERN_ERR_TYPE, upsert_raw(db, "bit", bits, QUERN_I8));
    WANT(QUERN_OK, upsert_raw(db, "f16", halves, QUERN_F16));
    WANT(QUERN_OK, upsert_raw(db, "i8", bytes, QUERN_I8));
    for (i = 0; i < COUNT_OF(bad_types); i++) {
        WANT(QUERN_ERR_INVALID, upsert_raw(db, "i8", bytes, bad_types[i]));
    }
    /* Unused high bits of the last byte do not reach the file. */
    WANT(QUERN_OK, upsert_raw(db, "bit", bits, QUERN_BIT));
    b = batch_of_one(db, "fields", one_key);
    WANT(QUERN_OK, quern_get(b, NULL, "bit", &r, E));
    CHECK_INT(QUERN_BIT, quern_result_dense_type(r, 0));
    CHECK_INT(0x1F, *(const uint8_t*)quern_result_dense(r, 0, 0, NULL));
    quern_result_free(r);
    quern_batch_free(b);
    quern_close(db);
}

/* Matrices may start at any byte. */
static void unaligned_vectors(void) {
    static const char* const fields[] = {"f32", "f16", "bf16", "i8", "bit"};
    static const float vector[] = {1, 0, 3, -4, 5};
    static const uint16_t halves[] = {0x3C00, 0xBC00, 0, 0x4000, 0x4400};
    size_t shift;
    size_t i;
    for (shift = 1; shift < 4; shift++) {
        char* bytes = malloc(sizeof vector + shift);
        const float* unaligned = (const float*)(const void*)(bytes + shift);
        quern_db* db = open_fields();
        quern_batch* b = batch_of_one(db, "fields", one_key);
        quern_query* q;
        quern_result* r;
        memcpy(bytes + shift, vector, sizeof vector);
        for (i = 0; i < COUNT_OF(fields); i++) {
            check_case(fields[i]);
            WANT(QUERN_OK, upsert_dense(db, fields[i], unaligned));
            q = quern_query_new(db, "fields");
            quern_query_dense(q, fields[i], unaligned, 1, 5);
            WANT(QUERN_OK, quern_search(q, &r, E));
            CHECK_INT(1, quern_result_rows(r));
            quern_result_free(r);
            quern_query_free(q);
        }
        memcpy(bytes + shift, halves, sizeof halves);
        check_case("f16, raw");
        WANT(QUERN_OK, upsert_raw(db, "f16", bytes + shift, QUERN_F16));
        check_case("bf16, raw");
        WANT(QUERN_OK, upsert_raw(db, "bf16", bytes + shift, QUERN_BF16));
        q = quern_query_new(db, "fields");
        quern_query_dense_raw(q, "bf16", bytes + shift, QUERN_BF16, 1, 5);
        WANT(QUERN_OK, quern_search(q, &r, E));
        CHECK_INT(1, quern_result_rows(r));
        quern_result_free(r);
        quern_query_free(q);
        check_case(NULL);
        quern_batch_free(b);
        quern_close(db);
        free(bytes);
    }
}

void contract_values(void) {
    wrong_columns();
    wrong_values();
    round_trip();
    vector_values();
    unaligned_vectors();
}
