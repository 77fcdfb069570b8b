/* What filters do without a search: lists and their pages, facets, changes. */
#include "contract_check.h"

#include <string.h>

/* The keys of a list, one behind the other; the caller frees *r. */
static const char* keys_of(quern_query* q, quern_result** r) {
    static char keys[64];
    size_t i;
    keys[0] = '\0';
    WANT(QUERN_OK, quern_query_list(q, r, E));
    for (i = 0; i < quern_result_rows(*r); i++) {
        strcat(keys, quern_result_key_text(*r, i));
    }
    return keys;
}

static void list_is(const char* wanted, quern_query* q) {
    quern_result* r = NULL;
    CHECK_TEXT(wanted, keys_of(q, &r));
    quern_result_free(r);
}

static void wrong_handles(void) {
    quern_db* db = open_docs();
    quern_query* wrong[2];
    size_t i;
    wrong[0] = NULL;
    wrong[1] = (quern_query*)db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_result* r = (quern_result*)&contract_error;
        uint64_t count = 0;
        quern_query_order(wrong[i], "n");
        quern_query_after(wrong[i], "x");
        quern_query_set(wrong[i], "n = 1");
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_list(wrong[i], &r, E));
        CHECK(r == NULL);
        r = (quern_result*)&contract_error;
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_facet(wrong[i], "n", 1, &r, E));
        CHECK(r == NULL);
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_update(wrong[i], NULL, &count, E));
    }
    CHECK(quern_result_bookmark(NULL) == NULL);
    CHECK(quern_result_bookmark((quern_result*)db) == NULL);
    quern_close(db);
}

static void lists(void) {
    quern_db* db = open_docs();
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    list_is("abc", q);
    quern_query_order(q, "n desc");
    list_is("cba", q);
    quern_query_order(q, "t, id desc");
    list_is("cba", q);
    quern_query_filter(q, "n != 2");
    list_is("ca", q);
    quern_query_order(q, "");
    list_is("ac", q);
    quern_query_columns(q, "n");
    quern_query_limit(q, 1);
    CHECK_TEXT("a", keys_of(q, &r));
    CHECK_INT(1, quern_result_int(r, 0, 0));
    CHECK_INT(2, quern_result_stat(r, QUERN_RESULT_MATCHES));
    CHECK_INT(1, quern_result_queries(r));
    CHECK(quern_result_distances(r) == NULL);
    quern_query_after(q, quern_result_bookmark(r));
    quern_result_free(r);
    CHECK_TEXT("c", keys_of(q, &r));
    quern_query_after(q, quern_result_bookmark(r));
    {
        /* Behind the last one: nothing, and the bookmark stays. */
        quern_result* none = NULL;
        CHECK_TEXT("", keys_of(q, &none));
        CHECK_TEXT(quern_result_bookmark(r), quern_result_bookmark(none));
        quern_result_free(none);
    }
    quern_result_free(r);
    quern_query_after(q, NULL);
    quern_query_limit(q, 0);
    list_is("ac", q);
    WANT(QUERN_ERR_MISUSE, quern_query_list(q, NULL, E));
    quern_query_filter(q, "n > 5");
    CHECK_TEXT("", keys_of(q, &r));
    CHECK(quern_result_bookmark(r) == NULL);
    quern_result_free(r);
    quern_query_free(q);
    quern_close(db);
}

static void wrong_lists(void) {
    static const struct {
        const char* order;
        const char* after;
        int32_t status;
        const char* named;
    } wanted[] = {
        {"n up", NULL, QUERN_ERR_SQL, "order, byte 2"},
        {"n,", NULL, QUERN_ERR_SQL, "order, byte 2"},
        {"n nulls", NULL, QUERN_ERR_SQL, "first or last"},
        {"absent", NULL, QUERN_ERR_UNKNOWN_FIELD, "absent"},
        {"v", NULL, QUERN_ERR_UNKNOWN_FIELD, "'v'"},
        {"1", NULL, QUERN_ERR_SQL, "order, byte 0"},
        {NULL, "*", QUERN_ERR_MALFORMED, "bookmark"},
        {NULL, "AAAA", QUERN_ERR_MALFORMED, "bookmark"},
        {"n", "AQAAAwFh", QUERN_ERR_INVALID, "order"},
    };
    size_t i;
    quern_db* db = open_docs();
    for (i = 0; i < COUNT_OF(wanted); i++) {
        quern_result* r = (quern_result*)&contract_error;
        quern_query* q = quern_query_new(db, "docs");
        quern_query_order(q, wanted[i].order);
        quern_query_after(q, wanted[i].after);
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_query_list(q, &r, E));
        CHECK(r == NULL);
        quern_query_free(q);
    }
    quern_close(db);
}

static void facets(void) {
    static const int64_t numbers[] = {7};
    static const char* const tags[] = {"y", "x"};
    static const size_t offsets[] = {0, 2};
    static const char* const key[] = {"d"};
    quern_db* db = open_docs();
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_batch* b = batch_of_one(db, "docs", key);
    quern_batch_int(b, "n", numbers, NULL);
    quern_batch_tags(b, "g", offsets, tags, NULL);
    WANT(QUERN_OK, quern_upsert(b, NULL, E));
    quern_batch_free(b);
    WANT(QUERN_OK, quern_query_facet(q, "n", 2, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_INT(1, quern_result_int(r, 0, 0));
    CHECK_INT(1, quern_result_int(r, 0, 1));
    CHECK_TEXT("count", quern_result_column_name(r, 1));
    CHECK_INT(4, quern_result_stat(r, QUERN_RESULT_VALUES));
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_NULLS));
    CHECK(quern_result_bookmark(r) == NULL);
    quern_result_free(r);
    WANT(QUERN_OK, quern_query_facet(q, "g", 10, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("x", quern_result_text(r, 0, 0, NULL));
    CHECK_INT(3, quern_result_stat(r, QUERN_RESULT_NULLS));
    CHECK_INT(4, quern_result_stat(r, QUERN_RESULT_MATCHES));
    quern_result_free(r);
    WANT(QUERN_ERR_MISUSE, quern_query_facet(q, NULL, 1, &r, E));
    WANT(QUERN_ERR_MISUSE, quern_query_facet(q, "n", 1, NULL, E));
    WANT_NAMED(QUERN_ERR_INVALID, "n is 0", quern_query_facet(q, "n", 0, &r, E));
    WANT_NAMED(QUERN_ERR_UNKNOWN_FIELD, "absent", quern_query_facet(q, "absent", 1, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
    quern_close(db);
}

static void updates(void) {
    static const char* const tags[] = {"y", "x"};
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_query* q = quern_query_new(db, "docs");
    quern_txn* txn = NULL;
    quern_result* r = NULL;
    uint64_t updated = 77;
    quern_query_set(q, "n = 5");
    WANT_NAMED(QUERN_ERR_INVALID, "filter", quern_query_update(q, NULL, &updated, E));
    quern_query_filter(q, "n >= :low");
    quern_query_bind_int(q, 1, 2);
    WANT_NAMED(QUERN_ERR_INVALID, "sets nothing", quern_query_update(q, NULL, &updated, E));
    quern_query_set(q, "r = :low, t = ?, g = :tags, b = true, x = x'00ff', j = '[1]'");
    CHECK_INT(3, quern_query_parameter(q, ":tags"));
    quern_query_bind_text(q, 2, "new");
    quern_query_bind_texts(q, 3, tags, 2);
    WANT(QUERN_OK, quern_begin(other, &txn, E));
    WANT(QUERN_ERR_MISUSE, quern_query_update(q, txn, &updated, E));
    quern_rollback(txn);
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_query_update(q, txn, &updated, E));
    CHECK_INT(2, updated);
    WANT(QUERN_OK, quern_commit(txn, E));
    quern_query_filter(q, "t = 'new' and r = 2 and b and g has all ('x', 'y') and x = x'00FF'");
    quern_query_columns(q, "j");
    WANT(QUERN_OK, quern_query_list(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("[1]", quern_result_text(r, 1, 0, NULL));
    quern_result_free(r);
    quern_query_set(q, "t = null, g = ()");
    WANT(QUERN_OK, quern_query_update(q, NULL, NULL, E));
    quern_query_filter(q, "t is null and g = '[]'");
    WANT(QUERN_OK, quern_query_count(q, &updated, E));
    CHECK_INT(2, updated);
    quern_close(db);
    quern_query_set(q, "n = 1");
    WANT(QUERN_ERR_CLOSED, quern_query_update(q, NULL, &updated, E));
    WANT(QUERN_ERR_CLOSED, quern_query_list(q, &r, E));
    WANT(QUERN_ERR_CLOSED, quern_query_facet(q, "n", 1, &r, E));
    quern_query_free(q);
    quern_close(other);
}

static void wrong_updates(void) {
    static const struct {
        const char* set;
        int32_t status;
        const char* named;
    } wanted[] = {
        {"n = 1.5", QUERN_ERR_TYPE, "byte 4"},
        {"t = 1", QUERN_ERR_TYPE, "a text"},
        {"b = 2", QUERN_ERR_TYPE, "a bool"},
        {"g = 'x'", QUERN_ERR_TYPE, "list"},
        {"t = ('x')", QUERN_ERR_TYPE, "a text"},
        {"j = 'no json'", QUERN_ERR_MALFORMED, "JSON"},
        {"id = 'z'", QUERN_ERR_INVALID, "key"},
        {"absent = 1", QUERN_ERR_UNKNOWN_FIELD, "absent"},
        {"v = 1", QUERN_ERR_UNKNOWN_FIELD, "'v'"},
        {"n = 1, N = 2", QUERN_ERR_INVALID, "twice"},
        {"n = ?", QUERN_ERR_INVALID, "no value"},
        {"n = n + 1", QUERN_ERR_SQL, "set, byte 4"},
        {"n = 1 +", QUERN_ERR_SQL, "set, byte 6"},
        {"n", QUERN_ERR_SQL, "set, byte 1"},
        {"n = (1", QUERN_ERR_SQL, "set, byte 4"},
        {"", QUERN_ERR_SQL, "empty"},
    };
    size_t i;
    quern_db* db = open_docs();
    quern_query* q;
    quern_txn* txn = NULL;
    uint64_t updated = 0;
    for (i = 0; i < COUNT_OF(wanted); i++) {
        check_case(wanted[i].set);
        q = quern_query_new(db, "docs");
        quern_query_filter(q, "1");
        quern_query_set(q, wanted[i].set);
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_query_update(q, NULL, &updated, E));
        quern_query_free(q);
    }
    check_case(NULL);
    /* An error inside a transaction ends it, even when there is nobody to be changed. */
    q = quern_query_new(db, "docs");
    quern_query_filter(q, "0");
    quern_query_set(q, "absent = 1");
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_query_update(q, txn, &updated, E));
    WANT(QUERN_ERR_TXN, quern_query_update(q, txn, &updated, E));
    WANT(QUERN_ERR_TXN, quern_commit(txn, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_filter(q, "n in (1, 2, 3) and t is null");
    WANT(QUERN_OK, quern_query_count(q, &updated, E));
    CHECK_INT(3, updated);
    quern_query_free(q);
    quern_close(db);
}

void contract_lists(void) {
    wrong_handles();
    lists();
    wrong_lists();
    facets();
    updates();
    wrong_updates();
}
