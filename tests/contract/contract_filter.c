/* Filters of queries: parameters, counting, deleting, and what is refused. */
#include "contract_check.h"

#include <math.h>
#include <string.h>

static const float origin[] = {0, 0, 0};
static const int64_t ints[] = {1, 3};
static const char* const texts[] = {"a", "c"};

static uint64_t count_with(quern_query* q) {
    uint64_t count = 77;
    WANT(QUERN_OK, quern_query_count(q, &count, E));
    return count;
}

static void null_query(void) {
    quern_db* db = open_docs();
    quern_query* wrong[2];
    size_t i;
    wrong[0] = NULL;
    wrong[1] = (quern_query*)db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_query* q = wrong[i];
        uint64_t count = 0;
        quern_query_filter(q, "n = 1");
        CHECK_INT(0, quern_query_parameter(q, ":a"));
        quern_query_bind_null(q, 1);
        quern_query_bind_int(q, 1, 1);
        quern_query_bind_real(q, 1, 1);
        quern_query_bind_text(q, 1, "a");
        quern_query_bind_blob(q, 1, "a", 1);
        quern_query_bind_ints(q, 1, ints, 2);
        quern_query_bind_texts(q, 1, texts, 2);
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_count(q, &count, E));
        WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_delete(q, NULL, &count, E));
        {
            quern_text* json = (quern_text*)&contract_error;
            WANT_NAMED(QUERN_ERR_MISUSE, "q ", quern_query_explain(q, &json, E));
            CHECK(json == NULL);
        }
    }
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static void binding(void) {
    quern_db* db = open_docs();
    quern_query* q = quern_query_new(db, "docs");
    CHECK_INT(3, count_with(q));
    quern_query_filter(q, "n = ?1 or id = :key");
    CHECK_INT(2, quern_query_parameter(q, ":key"));
    quern_query_bind_int(q, 1, 2);
    quern_query_bind_text(q, 2, "a");
    CHECK_INT(2, count_with(q));
    quern_query_bind_real(q, 1, 3.0);
    quern_query_bind_null(q, 2);
    CHECK_INT(1, count_with(q));
    quern_query_bind_real(q, 1, (double)NAN); /* a null, as in SQL */
    CHECK_INT(0, count_with(q));
    quern_query_bind_blob(q, 1, NULL, 0);
    CHECK_INT(0, count_with(q));
    quern_query_filter(q, "n in ?1");
    quern_query_bind_ints(q, 1, ints, 2);
    CHECK_INT(2, count_with(q));
    quern_query_bind_ints(q, 1, NULL, 0);
    CHECK_INT(0, count_with(q));
    quern_query_filter(q, "id not in ?1");
    quern_query_bind_texts(q, 1, texts, 2);
    CHECK_INT(1, count_with(q));
    quern_query_filter(q, NULL);
    CHECK_INT(3, count_with(q));
    quern_query_free(q);
    quern_close(db);
}

/* Each way to set a filter up wrongly, told by whatever uses the query; the first error stays. */
static void wrong_filters(void) {
    static const char* const null_text[] = {NULL};
    static const char* const bad_text[] = {"\xff"};
    static const struct {
        int32_t status;
        const char* named;
    } wanted[] = {
        {QUERN_ERR_INVALID, "no 2"},         {QUERN_ERR_INVALID, "no 0"},
        {QUERN_ERR_INVALID, "has no value"}, {QUERN_ERR_MISUSE, "value"},
        {QUERN_ERR_MISUSE, "values"},        {QUERN_ERR_MISUSE, "values"},
        {QUERN_ERR_MISUSE, "text"},          {QUERN_ERR_MALFORMED, "UTF-8"},
        {QUERN_ERR_MALFORMED, "UTF-8"},      {QUERN_ERR_TYPE, "list"},
        {QUERN_ERR_SQL, "byte 2"},           {QUERN_ERR_UNKNOWN_FIELD, "absent"},
    };
    size_t i;
    quern_db* db = open_docs();
    for (i = 0; i < COUNT_OF(wanted); i++) {
        quern_result* r = (quern_result*)&contract_error;
        uint64_t count = 0;
        quern_query* q = query_of_docs(db);
        quern_query_filter(q, "n = ?1");
        switch (i) {
            case 0: quern_query_bind_int(q, 2, 1); break;
            case 1: quern_query_bind_int(q, 0, 1); break;
            case 2: break;
            case 3: quern_query_bind_blob(q, 1, NULL, 1); break;
            case 4: quern_query_bind_ints(q, 1, NULL, 1); break;
            case 5: quern_query_bind_texts(q, 1, NULL, 1); break;
            case 6: quern_query_bind_texts(q, 1, null_text, 1); break;
            case 7: quern_query_bind_texts(q, 1, bad_text, 1); break;
            case 8: quern_query_bind_text(q, 1, "\xff"); break;
            case 9: quern_query_bind_ints(q, 1, ints, 2); break;
            case 10: quern_query_filter(q, "n ) 1"); break;
            default: quern_query_filter(q, "absent = 1"); break;
        }
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_search(q, &r, E));
        CHECK(r == NULL);
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_query_count(q, &count, E));
        WANT_NAMED(wanted[i].status, wanted[i].named, quern_query_delete(q, NULL, &count, E));
        quern_query_free(q);
    }
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static void searching(void) {
    quern_db* db = open_docs();
    quern_result* r = NULL;
    quern_query* q = query_of_docs(db);
    quern_query_filter(q, "n > 1");
    quern_query_dense(q, "v", origin, 1, 3);
    quern_query_limit(q, 10);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("b", quern_result_key_text(r, 0));
    quern_result_free(r);
    quern_query_filter(q, "n > 5");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_rows(r));
    quern_result_free(r);
    quern_query_options(q, "filter_ms=x");
    WANT_NAMED(QUERN_ERR_OPTION, "filter_ms", quern_search(q, &r, E));
    quern_query_free(q);
    quern_close(db);
}

/* A budget: what is wrong with it, what is told of it, and what a search does that has spent it. */
static void budget(void) {
    static const char* const wrong[] = {"timeout_ms=x", "timeout_ms=-1", "max_scored=1.5",
                                        "max_bytes=all"};
    quern_db* db = open_docs();
    quern_text* json = NULL;
    quern_result* r = NULL;
    quern_query* q;
    size_t i;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        q = query_of_docs(db);
        quern_query_options(q, wrong[i]);
        WANT(QUERN_ERR_OPTION, quern_search(q, &r, E));
        CHECK(r == NULL);
        quern_query_free(q);
    }
    q = query_of_docs(db);
    quern_query_limit(q, 10);
    quern_query_options(q, "timeout_ms=0 max_scored=0 max_bytes=0");
    WANT(QUERN_OK, quern_query_explain(q, &json, E));
    CHECK(strstr(quern_text_data(json), "budget") == NULL);
    quern_text_free(json);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_LEFT_OUT));
    quern_result_free(r);
    quern_query_options(q, "max_scored=1000000 max_bytes=70000000 timeout_ms=3600000");
    WANT(QUERN_OK, quern_query_explain(q, &json, E));
    CHECK(strstr(quern_text_data(json),
                 "\"budget\":{\"timeout_ms\":3600000,\"max_scored\":1000000,"
                 "\"max_bytes\":70000000}") != NULL);
    quern_text_free(json);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    quern_result_free(r);
    WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
    quern_query_options(q, "max_scored=1");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_rows(r));
    CHECK_INT(QUERN_FLAG_PARTIAL, quern_result_flags(r));
    CHECK_INT(2, quern_result_stat(r, QUERN_RESULT_LEFT_OUT));
    CHECK_INT(0, quern_result_stat(r, QUERN_RESULT_RECALL));
    CHECK_INT(1, quern_result_stat(r, QUERN_RESULT_VECTORS_SCORED));
    quern_result_free(r);
    quern_query_free(q);
    quern_close(db);
}

static void explaining(void) {
    quern_db* db = open_docs();
    quern_text* json = NULL;
    quern_query* q = query_of_docs(db);
    quern_query_filter(q, "n > 1 and length(id) = 1");
    WANT(QUERN_ERR_MISUSE, quern_query_explain(q, NULL, E));
    WANT(QUERN_OK, quern_query_explain(q, &json, E));
    CHECK(strstr(quern_text_data(json), "\"matches\":2") != NULL);
    CHECK(strstr(quern_text_data(json), "\"by\":\"sqlite\"") != NULL);
    quern_text_free(json);
    quern_query_filter(q, "n >");
    WANT(QUERN_ERR_SQL, quern_query_explain(q, &json, E));
    CHECK(json == NULL);
    quern_query_free(q);
    quern_close(db);
}

static void deleting(void) {
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_txn* txn = NULL;
    uint64_t deleted = 77;
    quern_query* q = quern_query_new(db, "docs");
    WANT(QUERN_ERR_INVALID, quern_query_delete(q, NULL, &deleted, E));
    WANT(QUERN_ERR_MISUSE, quern_query_count(q, NULL, E));
    quern_query_filter(q, "n = 2");
    WANT(QUERN_OK, quern_begin(other, &txn, E));
    WANT(QUERN_ERR_MISUSE, quern_query_delete(q, txn, &deleted, E));
    quern_rollback(txn);
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    WANT(QUERN_OK, quern_query_delete(q, txn, &deleted, E));
    CHECK_INT(1, deleted);
    WANT(QUERN_OK, quern_commit(txn, E));
    CHECK_INT(2, count_of(db, "docs"));
    quern_query_filter(q, "1");
    WANT(QUERN_OK, quern_query_delete(q, NULL, NULL, E));
    CHECK_INT(0, count_of(db, "docs"));
    quern_close(db);
    WANT(QUERN_ERR_CLOSED, quern_query_count(q, &deleted, E));
    WANT(QUERN_ERR_CLOSED, quern_query_delete(q, NULL, &deleted, E));
    quern_query_free(q);
    quern_close(other);
}

void contract_filter(void) {
    null_query();
    binding();
    wrong_filters();
    searching();
    budget();
    explaining();
    deleting();
}
