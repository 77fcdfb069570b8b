/* Text fields. */
#include "contract_check.h"

#include <stddef.h>

static const int64_t keys[] = {1, 2, 3};
static const char* const texts[] = {"two brown foxes", "brown and quick", "nothing"};

static void check_schema(quern_db* db) {
    quern_schema* s = quern_schema_new();
    quern_schema_text(s, "w", "porter stop=english");
    quern_schema_text(s, "x", NULL);
    quern_schema_dense(s, "v", 1, QUERN_L2, NULL);
    CHECK_INT(2, quern_schema_text_count(s));
    CHECK_TEXT("w", quern_schema_text_name(s, 0));
    CHECK_TEXT("porter stop=english", quern_schema_text_options(s, 0));
    CHECK_TEXT("", quern_schema_text_options(s, 1));
    CHECK(quern_schema_text_name(s, 2) == NULL);
    CHECK(quern_schema_text_options(s, 2) == NULL);
    CHECK_INT(0, quern_schema_text_count(NULL));
    WANT(QUERN_OK, quern_create(db, "s", s, E));
    quern_schema_text(s, "V", NULL);
    WANT(QUERN_ERR_EXISTS, quern_create(db, "t", s, E));
    quern_schema_free(s);
    s = NULL;
    WANT(QUERN_OK, quern_describe(db, "s", &s, E));
    CHECK_INT(2, quern_schema_text_count(s));
    CHECK_TEXT("porter stop=english", quern_schema_text_options(s, 0));
    quern_schema_free(s);
    s = quern_schema_new();
    quern_schema_text(s, "w", "stem=klingon");
    WANT_NAMED(QUERN_ERR_OPTION, "'w'", quern_create(db, "t", s, E));
    quern_schema_free(s);
    s = quern_schema_new();
    quern_schema_text(s, NULL, NULL);
    WANT(QUERN_ERR_MISUSE, quern_create(db, "t", s, E));
    quern_schema_free(s);
    quern_schema_text(NULL, "w", NULL);
    WANT(QUERN_ERR_MISUSE, quern_add_text(NULL, "s", "y", NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_add_text(db, "s", NULL, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_add_text(db, "none", "y", NULL, E));
    WANT(QUERN_ERR_EXISTS, quern_add_text(db, "s", "w", NULL, E));
    WANT(QUERN_ERR_OPTION, quern_add_text(db, "s", "y", "k1=much", E));
    WANT_NAMED(QUERN_ERR_OPTION, "'postions'", quern_add_text(db, "s", "y", "postions=0", E));
    WANT_NAMED(QUERN_ERR_OPTION, "'k1' is given twice",
               quern_add_text(db, "s", "y", "k1=1 k1=2", E));
    WANT(QUERN_OK, quern_add_text(db, "s", "y", "positions=0", E));
}

static void check_batch(quern_db* db) {
    const float matrix[] = {1, 2, 3};
    const char* bad = "no \xff UTF-8";
    quern_batch* b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_text(b, "w", texts, NULL);
    quern_batch_text(b, "y", texts, NULL);
    quern_batch_dense(b, "v", matrix, 1, NULL);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "s", 3);
    quern_batch_key_int(b, keys);
    quern_batch_dense(b, "w", matrix, 1, NULL);
    WANT_NAMED(QUERN_ERR_TYPE, "'w' is text", quern_upsert(b, NULL, E));
    quern_batch_free(b);
    b = quern_batch_new(db, "s", 1);
    quern_batch_key_int(b, keys);
    quern_batch_text(b, "w", &bad, NULL);
    WANT_NAMED(QUERN_ERR_MALFORMED, "'w'", quern_upsert(b, NULL, E));
    quern_batch_free(b);
}

static void check_search(quern_db* db) {
    const char* const queries[] = {"fox", "brown -quick", ""};
    const char* const phrase[] = {"\"brown foxes\""};
    const char* const none[] = {"fox", NULL};
    quern_query* q = quern_query_new(db, "s");
    quern_result* r = NULL;
    size_t n = 0;
    quern_query_text(q, "w", queries, 3);
    quern_query_columns(q, "w");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_queries(r));
    CHECK_INT(1, quern_result_offset(r, 1));
    CHECK_INT(2, quern_result_offset(r, 2));
    CHECK_INT(2, quern_result_rows(r)); /* the third query asks for nothing */
    CHECK_INT(1, quern_result_key_int(r, 0));
    CHECK_INT(1, quern_result_key_int(r, 1));
    CHECK(quern_result_score(r, 0) > 0);
    CHECK(quern_result_distance(r, 0) == -quern_result_score(r, 0));
    CHECK_INT(QUERN_FLAG_EXACT, quern_result_flags(r));
    CHECK_INT(QUERN_TEXT, quern_result_column_type(r, 0));
    CHECK_TEXT("two brown foxes", quern_result_text(r, 0, 0, &n));
    CHECK_INT(15, n);
    quern_result_free(r);
    r = NULL;
    quern_query_text(q, "y", phrase, 1);
    WANT_NAMED(QUERN_ERR_INVALID, "'y'", quern_search(q, &r, E));
    quern_query_text(q, "v", queries, 1);
    WANT_NAMED(QUERN_ERR_TYPE, "'v' is dense", quern_search(q, &r, E));
    quern_query_dense(q, "w", &(const float){1}, 1, 1);
    WANT_NAMED(QUERN_ERR_TYPE, "'w' is text", quern_search(q, &r, E));
    quern_query_key_int(q, "w", keys, 1);
    WANT_NAMED(QUERN_ERR_INVALID, "'w' is text", quern_search(q, &r, E));
    quern_query_text(q, "none", queries, 1);
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_search(q, &r, E));
    quern_query_text(q, "w", NULL, 0);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_queries(r));
    quern_result_free(r);
    r = NULL;
    quern_query_text(q, "w", none, 2);
    WANT_NAMED(QUERN_ERR_MISUSE, "query 1", quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
    q = quern_query_new(db, "s");
    quern_query_text(q, "w", NULL, 1);
    WANT(QUERN_ERR_MISUSE, quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_text(NULL, "w", queries, 1);
}

static void check_snippet(quern_db* db) {
    const char* text = "The quick fox saw (as foxes do) a brown hen.";
    const size_t n = 44;
    quern_text* t = NULL;
    WANT(QUERN_OK, quern_snippet(db, "s", "w", "fox hen", text, n, NULL, &t, E));
    CHECK_TEXT("The quick **fox** saw (as **foxes** do) a brown **hen**.", quern_text_data(t));
    quern_text_free(t);
    WANT(QUERN_OK,
         quern_snippet(db, "s", "w", "hen", text, n, "words=2 before=< after=> more=~", &t, E));
    CHECK_TEXT("~brown <hen>.", quern_text_data(t));
    quern_text_free(t);
    WANT(QUERN_OK, quern_snippet(db, "s", "w", "hen", text, n, "words=0 before= after=", &t, E));
    CHECK_TEXT(text, quern_text_data(t));
    quern_text_free(t);
    WANT(QUERN_OK, quern_snippet(db, "s", "w", "hen", text, n,
                                 "words=2 before='<b> ' after=' it''s' more='' ", &t, E));
    CHECK_TEXT("brown <b> hen it's.", quern_text_data(t));
    quern_text_free(t);
    WANT_NAMED(QUERN_ERR_OPTION, "'before': the quote does not end",
               quern_snippet(db, "s", "w", "hen", text, n, "before='<b> after=x", &t, E));
    WANT_NAMED(QUERN_ERR_OPTION, "'before': the value goes on behind its quote",
               quern_snippet(db, "s", "w", "hen", text, n, "before='<b>'x", &t, E));
    WANT(QUERN_OK, quern_snippet(db, "s", "w", "cow", text, n, "words=2", &t, E));
    CHECK_TEXT("The quick fox...", quern_text_data(t));
    quern_text_free(t);
    WANT(QUERN_OK, quern_snippet(db, "s", "w", "cow", NULL, 0, NULL, &t, E));
    CHECK_TEXT("", quern_text_data(t));
    quern_text_free(t);
    WANT_NAMED(QUERN_ERR_MALFORMED, "'w'", quern_snippet(db, "s", "w", "\"", text, n, NULL, &t, E));
    CHECK(t == NULL);
    WANT(QUERN_ERR_MALFORMED, quern_snippet(db, "s", "w", "a", "\xff", 1, NULL, &t, E));
    WANT(QUERN_ERR_OPTION, quern_snippet(db, "s", "w", "a", text, n, "words=few", &t, E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_snippet(db, "s", "v", "a", text, n, NULL, &t, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_snippet(db, "none", "w", "a", text, n, NULL, &t, E));
    WANT(QUERN_ERR_MISUSE, quern_snippet(NULL, "s", "w", "a", text, n, NULL, &t, E));
    WANT(QUERN_ERR_MISUSE, quern_snippet(db, "s", "w", NULL, text, n, NULL, &t, E));
    WANT(QUERN_ERR_MISUSE, quern_snippet(db, "s", "w", "a", NULL, n, NULL, &t, E));
    WANT(QUERN_ERR_MISUSE, quern_snippet(db, "s", "w", "a", text, n, NULL, NULL, E));
}

void contract_text(void) {
    quern_db* db = open_memory();
    check_schema(db);
    check_batch(db);
    check_search(db);
    check_snippet(db);
    quern_close(db);
}
