/* Schemas and collections: names, types, dimensions, metrics, options, and every change of a
 * schema. */
#include "contract_check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Names that are refused wherever a name is given. */
static const char* const bad_names[] = {
    "",       "_x",      "quern_x", "QUERN_X", "sqlite_x", "Sqlite_x",     "tab\there",
    "line\n", "del\x7f", "\xff",    "\xc3",    "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
};

static char name_255[256];
static char name_256[257];

static void make_long_names(void) {
    memset(name_255, 'n', 255);
    memset(name_256, 'n', 256);
}

/* The status with which a collection of this schema is refused or made. */
static int32_t try_schema(quern_db* db, quern_schema* s) {
    const int32_t status = quern_create(db, "made", s, E);
    if (status == QUERN_OK) {
        WANT(QUERN_OK, quern_drop(db, "made", E));
    }
    quern_schema_free(s);
    return status;
}

/* NULL and foreign handles: setters do nothing, getters give nothing. */
static void null_schema(void) {
    quern_text* not_a_schema;
    quern_db* db = open_memory();
    const quern_schema* wrong[2];
    size_t i;
    WANT(QUERN_OK, quern_collections(db, &not_a_schema, E));
    wrong[0] = NULL;
    wrong[1] = (const quern_schema*)(const void*)not_a_schema;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_schema* s = (quern_schema*)(size_t)wrong[i];
        quern_schema_key_int(s, "id");
        quern_schema_key_text(s, "id");
        quern_schema_attr(s, "n", QUERN_INT, NULL);
        quern_schema_dense(s, "v", 3, QUERN_L2, NULL);
        CHECK(quern_schema_key_name(s) == NULL);
        CHECK_INT(0, quern_schema_key_type(s));
        CHECK_INT(0, quern_schema_attr_count(s));
        CHECK(quern_schema_attr_name(s, 0) == NULL);
        CHECK_INT(0, quern_schema_attr_type(s, 0));
        CHECK_INT(0, quern_schema_dense_count(s));
        CHECK(quern_schema_dense_name(s, 0) == NULL);
        CHECK_INT(0, quern_schema_dense_dim(s, 0));
        CHECK_INT(0, quern_schema_dense_type(s, 0));
        CHECK_INT(0, quern_schema_dense_metric(s, 0));
        WANT_NAMED(QUERN_ERR_MISUSE, "s ", quern_create(db, "docs", s, E));
        quern_schema_free(s);
    }
    quern_text_free(not_a_schema);
    quern_close(db);
}

static void new_schema(void) {
    quern_schema* s = quern_schema_new();
    CHECK_TEXT("id", quern_schema_key_name(s));
    CHECK_INT(QUERN_KEY_INT, quern_schema_key_type(s));
    CHECK_INT(0, quern_schema_attr_count(s));
    CHECK_INT(0, quern_schema_dense_count(s));
    quern_schema_key_text(s, "isbn");
    quern_schema_attr(s, "year", QUERN_INT, "");
    quern_schema_dense(s, "emb", 7, QUERN_COSINE, "type=bf16");
    quern_schema_dense(s, "code", 9, QUERN_HAMMING, NULL);
    CHECK_TEXT("isbn", quern_schema_key_name(s));
    CHECK_INT(QUERN_KEY_TEXT, quern_schema_key_type(s));
    CHECK_INT(1, quern_schema_attr_count(s));
    CHECK_TEXT("year", quern_schema_attr_name(s, 0));
    CHECK_INT(QUERN_INT, quern_schema_attr_type(s, 0));
    CHECK(quern_schema_attr_name(s, 1) == NULL);
    CHECK(quern_schema_attr_name(s, SIZE_MAX) == NULL);
    CHECK_INT(0, quern_schema_attr_type(s, 1));
    CHECK_INT(2, quern_schema_dense_count(s));
    CHECK_TEXT("emb", quern_schema_dense_name(s, 0));
    CHECK_INT(7, quern_schema_dense_dim(s, 0));
    CHECK_INT(QUERN_BF16, quern_schema_dense_type(s, 0));
    CHECK_INT(QUERN_COSINE, quern_schema_dense_metric(s, 0));
    CHECK_INT(QUERN_BIT, quern_schema_dense_type(s, 1));
    CHECK(quern_schema_dense_name(s, 2) == NULL);
    CHECK_INT(0, quern_schema_dense_dim(s, SIZE_MAX));
    CHECK_INT(0, quern_schema_dense_type(s, 2));
    CHECK_INT(0, quern_schema_dense_metric(s, 2));
    quern_schema_free(s);
    quern_schema_free(NULL);
}

static void names(void) {
    size_t i;
    quern_schema* s;
    quern_db* db = open_memory();
    for (i = 0; i < COUNT_OF(bad_names) + 1; i++) {
        const char* bad = i < COUNT_OF(bad_names) ? bad_names[i] : name_256;
        check_case(bad);
        s = quern_schema_new();
        quern_schema_key_int(s, bad);
        WANT(QUERN_ERR_INVALID, try_schema(db, s));
        s = quern_schema_new();
        quern_schema_key_text(s, bad);
        WANT(QUERN_ERR_INVALID, try_schema(db, s));
        s = quern_schema_new();
        quern_schema_attr(s, bad, QUERN_INT, NULL);
        WANT(QUERN_ERR_INVALID, try_schema(db, s));
        s = quern_schema_new();
        quern_schema_dense(s, bad, 3, QUERN_L2, NULL);
        WANT(QUERN_ERR_INVALID, try_schema(db, s));
        s = quern_schema_new();
        WANT(QUERN_ERR_INVALID, quern_create(db, bad, s, E));
        WANT(QUERN_OK, quern_create(db, "good", s, E));
        quern_schema_free(s);
        WANT(QUERN_ERR_INVALID, quern_rename(db, "good", bad, E));
        WANT(QUERN_ERR_INVALID, quern_add_attr(db, "good", bad, QUERN_INT, NULL, E));
        WANT(QUERN_ERR_INVALID, quern_add_dense(db, "good", bad, 3, QUERN_L2, NULL, E));
        WANT(QUERN_OK, quern_drop(db, "good", E));
    }
    check_case(NULL);
    s = quern_schema_new();
    quern_schema_key_text(s, NULL);
    WANT_NAMED(QUERN_ERR_MISUSE, "name", try_schema(db, s));
    s = quern_schema_new();
    quern_schema_attr(s, NULL, QUERN_INT, NULL);
    WANT_NAMED(QUERN_ERR_MISUSE, "name", try_schema(db, s));
    s = quern_schema_new();
    quern_schema_dense(s, NULL, 3, QUERN_L2, NULL);
    WANT_NAMED(QUERN_ERR_MISUSE, "name", try_schema(db, s));
    /* Awkward but allowed. */
    s = quern_schema_new();
    quern_schema_key_text(s, "select");
    quern_schema_attr(s, "with space, comma \"quote\" ]", QUERN_INT, NULL);
    quern_schema_attr(s, "\xce\xbb", QUERN_TEXT, NULL);
    quern_schema_attr(s, name_255, QUERN_BLOB, NULL);
    quern_schema_dense(s, "'; drop table x; --", 1, QUERN_IP, NULL);
    WANT(QUERN_OK, quern_create(db, "a \"b\" 'c' [d]", s, E));
    quern_schema_free(s);
    WANT(QUERN_OK, quern_describe(db, "a \"b\" 'c' [d]", &s, E));
    CHECK_TEXT("with space, comma \"quote\" ]", quern_schema_attr_name(s, 0));
    CHECK_TEXT("\xce\xbb", quern_schema_attr_name(s, 1));
    CHECK_TEXT(name_255, quern_schema_attr_name(s, 2));
    quern_schema_free(s);
    quern_close(db);
}

/* Key, attributes and fields share one name space; ASCII case does not count. */
static void same_names(void) {
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_schema_attr(s, "year", QUERN_INT, NULL);
    quern_schema_attr(s, "YEAR", QUERN_TEXT, NULL);
    WANT_NAMED(QUERN_ERR_EXISTS, "YEAR", try_schema(db, s));
    s = quern_schema_new();
    quern_schema_attr(s, "Id", QUERN_INT, NULL);
    WANT(QUERN_ERR_EXISTS, try_schema(db, s));
    s = quern_schema_new();
    quern_schema_dense(s, "x", 3, QUERN_L2, NULL);
    quern_schema_key_int(s, "X");
    WANT(QUERN_ERR_EXISTS, try_schema(db, s));
    s = quern_schema_new();
    quern_schema_attr(s, "x", QUERN_INT, NULL);
    quern_schema_dense(s, "x", 3, QUERN_L2, NULL);
    WANT(QUERN_ERR_EXISTS, try_schema(db, s));
    /* The first error is the one that is told, and it stays. */
    s = quern_schema_new();
    quern_schema_attr(s, "x", 99, NULL);
    quern_schema_attr(s, "", QUERN_INT, NULL);
    quern_schema_attr(s, "fine", QUERN_INT, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "99", quern_create(db, "made", s, E));
    WANT_NAMED(QUERN_ERR_INVALID, "99", quern_create(db, "made", s, E));
    quern_schema_free(s);
    quern_close(db);
}

static void types_and_options(void) {
    static const int32_t bad_types[] = {0, -1, QUERN_TAGS + 1, INT_MAX, INT_MIN};
    static const int32_t bad_metrics[] = {0, -1, QUERN_HAMMING + 1, INT_MAX, INT_MIN};
    static const size_t bad_dims[] = {0, 65537, SIZE_MAX, (size_t)UINT32_MAX + 2};
    static const struct {
        int32_t metric;
        const char* options;
        int32_t status;
    } elements[] = {
        {QUERN_L2, "type=f32", QUERN_OK},
        {QUERN_IP, "type=f16", QUERN_OK},
        {QUERN_COSINE, "type=i8", QUERN_OK},
        {QUERN_HAMMING, "type=bit", QUERN_OK},
        {QUERN_HAMMING, "", QUERN_OK},
        {QUERN_HAMMING, "type=f32", QUERN_ERR_INVALID},
        {QUERN_HAMMING, "type=i8", QUERN_ERR_INVALID},
        {QUERN_L2, "type=bit", QUERN_ERR_INVALID},
        {QUERN_L2, "type=f64", QUERN_ERR_OPTION},
        {QUERN_L2, "type=", QUERN_ERR_OPTION},
        {QUERN_L2, "type", QUERN_ERR_OPTION},
        {QUERN_L2, "type=f32 type=f32", QUERN_ERR_OPTION},
        {QUERN_L2, "codes=2bit", QUERN_ERR_OPTION},
    };
    size_t i;
    quern_schema* s;
    quern_db* db = open_memory();
    WANT(QUERN_OK, quern_create(db, "docs", s = quern_schema_new(), E));
    quern_schema_free(s);
    for (i = 0; i < COUNT_OF(bad_types); i++) {
        s = quern_schema_new();
        quern_schema_attr(s, "x", bad_types[i], NULL);
        WANT_NAMED(QUERN_ERR_INVALID, "'x'", try_schema(db, s));
        WANT_NAMED(QUERN_ERR_INVALID, "'x'",
                   quern_add_attr(db, "docs", "x", bad_types[i], NULL, E));
    }
    s = quern_schema_new();
    quern_schema_attr(s, "x", QUERN_INT, "size=3");
    WANT_NAMED(QUERN_ERR_OPTION, "size", try_schema(db, s));
    WANT_NAMED(QUERN_ERR_OPTION, "size", quern_add_attr(db, "docs", "x", QUERN_INT, "size=3", E));
    for (i = 0; i < COUNT_OF(bad_metrics); i++) {
        s = quern_schema_new();
        quern_schema_dense(s, "x", 3, bad_metrics[i], NULL);
        WANT_NAMED(QUERN_ERR_INVALID, "'x'", try_schema(db, s));
        WANT_NAMED(QUERN_ERR_INVALID, "'x'",
                   quern_add_dense(db, "docs", "x", 3, bad_metrics[i], NULL, E));
    }
    for (i = 0; i < COUNT_OF(bad_dims); i++) {
        s = quern_schema_new();
        quern_schema_dense(s, "x", bad_dims[i], QUERN_L2, NULL);
        WANT_NAMED(QUERN_ERR_INVALID, "65536", try_schema(db, s));
        WANT_NAMED(QUERN_ERR_INVALID, "65536",
                   quern_add_dense(db, "docs", "x", bad_dims[i], QUERN_L2, NULL, E));
    }
    s = quern_schema_new();
    quern_schema_dense(s, "x", 1, QUERN_L2, NULL);
    quern_schema_dense(s, "y", 65536, QUERN_L2, NULL);
    WANT(QUERN_OK, try_schema(db, s));
    for (i = 0; i < COUNT_OF(elements); i++) {
        check_case(elements[i].options);
        s = quern_schema_new();
        quern_schema_dense(s, "x", 8, elements[i].metric, elements[i].options);
        WANT(elements[i].status, try_schema(db, s));
    }
    check_case(NULL);
    quern_close(db);
}

static void many_columns(void) {
    int i;
    char name[16];
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "a%d", i);
        quern_schema_attr(s, name, QUERN_INT, NULL);
    }
    WANT(QUERN_OK, quern_create(db, "wide", s, E));
    WANT(QUERN_ERR_LIMIT, quern_add_attr(db, "wide", "more", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_LIMIT, quern_add_dense(db, "wide", "more", 3, QUERN_L2, NULL, E));
    quern_schema_attr(s, "more", QUERN_INT, NULL);
    WANT_NAMED(QUERN_ERR_LIMIT, "1000", try_schema(db, s));
    quern_close(db);
}

static void collections(void) {
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_schema* described = (quern_schema*)&contract_error;
    quern_text* text = (quern_text*)&contract_error;
    uint64_t count;

    WANT(QUERN_ERR_MISUSE, quern_create(NULL, "docs", s, E));
    WANT(QUERN_ERR_MISUSE, quern_create(db, NULL, s, E));
    WANT(QUERN_ERR_MISUSE, quern_create(db, "docs", NULL, E));
    WANT(QUERN_OK, quern_create(db, "docs", s, E));
    WANT_NAMED(QUERN_ERR_EXISTS, "docs", quern_create(db, "docs", s, E));
    WANT(QUERN_ERR_EXISTS, quern_create(db, "DOCS", s, E));
    WANT(QUERN_OK, quern_create(db, "books", s, E));

    WANT(QUERN_ERR_MISUSE, quern_collections(NULL, &text, E));
    CHECK(text == NULL);
    WANT(QUERN_ERR_MISUSE, quern_collections(db, NULL, E));
    WANT(QUERN_OK, quern_collections(db, &text, E));
    CHECK_TEXT("[\"books\",\"docs\"]", quern_text_data(text));
    CHECK_INT(strlen("[\"books\",\"docs\"]"), quern_text_size(text));
    quern_text_free(text);

    WANT(QUERN_ERR_MISUSE, quern_describe(NULL, "docs", &described, E));
    CHECK(described == NULL);
    WANT(QUERN_ERR_MISUSE, quern_describe(db, NULL, &described, E));
    WANT(QUERN_ERR_MISUSE, quern_describe(db, "docs", NULL, E));
    described = (quern_schema*)&contract_error;
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", quern_describe(db, "absent", &described, E));
    CHECK(described == NULL);
    WANT(QUERN_OK, quern_describe(db, "Docs", &described, E));
    CHECK_TEXT("id", quern_schema_key_name(described));
    quern_schema_free(described);

    WANT(QUERN_ERR_MISUSE, quern_rename(NULL, "docs", "papers", E));
    WANT(QUERN_ERR_MISUSE, quern_rename(db, NULL, "papers", E));
    WANT(QUERN_ERR_MISUSE, quern_rename(db, "docs", NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_rename(db, "absent", "papers", E));
    WANT(QUERN_ERR_EXISTS, quern_rename(db, "docs", "BOOKS", E));
    WANT(QUERN_OK, quern_rename(db, "docs", "docs", E));
    WANT(QUERN_OK, quern_rename(db, "docs", "Docs", E));
    WANT(QUERN_OK, quern_rename(db, "docs", "papers", E));
    WANT(QUERN_ERR_NOT_FOUND, quern_count(db, "docs", NULL, &count, E));
    CHECK_INT(0, count_of(db, "papers"));

    WANT(QUERN_ERR_MISUSE, quern_drop(NULL, "papers", E));
    WANT(QUERN_ERR_MISUSE, quern_drop(db, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_drop(db, "absent", E));
    WANT(QUERN_OK, quern_drop(db, "papers", E));
    WANT(QUERN_ERR_NOT_FOUND, quern_drop(db, "papers", E));
    quern_schema_free(s);
    quern_close(db);
}

static void later_changes(void) {
    quern_db* db = open_docs();
    quern_schema* s;
    WANT(QUERN_ERR_MISUSE, quern_add_attr(NULL, "docs", "x2", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_attr(db, NULL, "x2", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_attr(db, "docs", NULL, QUERN_INT, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_add_attr(db, "absent", "x2", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_attr(db, "docs", "N", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_attr(db, "docs", "v", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_attr(db, "docs", "id", QUERN_INT, NULL, E));
    WANT(QUERN_OK, quern_add_attr(db, "docs", "x2", QUERN_REAL, NULL, E));

    WANT(QUERN_ERR_MISUSE, quern_set_attr(NULL, "docs", "x2", "index=none", E));
    WANT(QUERN_ERR_MISUSE, quern_set_attr(db, NULL, "x2", "index=none", E));
    WANT(QUERN_ERR_MISUSE, quern_set_attr(db, "docs", NULL, "index=none", E));
    WANT(QUERN_ERR_NOT_FOUND, quern_set_attr(db, "absent", "x2", "index=none", E));
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "absent",
               quern_set_attr(db, "docs", "absent", "index=none", E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_set_attr(db, "docs", "id", "index=none", E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_set_attr(db, "docs", "v", "index=none", E));
    WANT_NAMED(QUERN_ERR_OPTION, "x2", quern_set_attr(db, "docs", "x2", NULL, E));
    WANT_NAMED(QUERN_ERR_OPTION, "x2", quern_set_attr(db, "docs", "x2", " ", E));
    WANT_NAMED(QUERN_ERR_OPTION, "type", quern_set_attr(db, "docs", "x2", "type=int", E));
    WANT_NAMED(QUERN_ERR_OPTION, "type", quern_set_attr(db, "docs", "x2", "index=auto type=1", E));
    WANT_NAMED(QUERN_ERR_OPTION, "index", quern_set_attr(db, "docs", "x2", "index", E));
    WANT_NAMED(QUERN_ERR_OPTION, "graph", quern_set_attr(db, "docs", "x2", "index=graph", E));
    WANT_NAMED(QUERN_ERR_OPTION, "twice",
               quern_set_attr(db, "docs", "x2", "index=none index=auto", E));
    WANT(QUERN_OK, quern_set_attr(db, "docs", "X2", "index=none", E));
    WANT(QUERN_OK, quern_set_attr(db, "docs", "x2", "index=none", E));
    WANT(QUERN_OK, quern_set_attr(db, "docs", "x2", "index=auto", E));

    WANT(QUERN_ERR_MISUSE, quern_add_dense(NULL, "docs", "w", 2, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_dense(db, NULL, "w", 2, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_dense(db, "docs", NULL, 2, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_add_dense(db, "absent", "w", 2, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_dense(db, "docs", "V", 2, QUERN_L2, NULL, E));
    WANT(QUERN_OK, quern_add_dense(db, "docs", "w", 2, QUERN_L2, NULL, E));

    WANT(QUERN_ERR_MISUSE, quern_drop_column(NULL, "docs", "n", E));
    WANT(QUERN_ERR_MISUSE, quern_drop_column(db, NULL, "n", E));
    WANT(QUERN_ERR_MISUSE, quern_drop_column(db, "docs", NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_drop_column(db, "absent", "n", E));
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "absent", quern_drop_column(db, "docs", "absent", E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_drop_column(db, "docs", "id", E)); /* the key stays */
    WANT(QUERN_OK, quern_drop_column(db, "docs", "n", E));
    WANT(QUERN_OK, quern_drop_column(db, "docs", "v", E));
    WANT(QUERN_OK, quern_describe(db, "docs", &s, E));
    CHECK_INT(7, quern_schema_attr_count(s));
    CHECK_TEXT("x2", quern_schema_attr_name(s, 6));
    CHECK_INT(1, quern_schema_dense_count(s));
    CHECK_TEXT("w", quern_schema_dense_name(s, 0));
    quern_schema_free(s);
    CHECK_INT(3, count_of(db, "docs"));
    WANT(QUERN_OK, quern_verify(db, NULL, E));
    quern_close(db);
}

void contract_schema(void) {
    make_long_names();
    null_schema();
    new_schema();
    names();
    same_names();
    types_and_options();
    many_columns();
    collections();
    later_changes();
}
