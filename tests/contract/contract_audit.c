/* Measuring the recall of a query's own searches. */
#include "contract_check.h"

#include <stddef.h>
#include <string.h>

static void handles_and_options(void) {
    quern_db* db = open_docs();
    quern_query* q = query_of_docs(db);
    quern_query* empty = quern_query_new(db, "docs");
    quern_text* json = NULL;
    WANT_NAMED(QUERN_ERR_MISUSE, "q", quern_recall_audit(NULL, NULL, &json, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "json", quern_recall_audit(q, NULL, NULL, E));
    WANT_NAMED(QUERN_ERR_OPTION, "keep=on", quern_recall_audit(q, "keep=on", &json, E));
    WANT_NAMED(QUERN_ERR_OPTION, "samples", quern_recall_audit(q, "samples=3", &json, E));
    WANT_NAMED(QUERN_ERR_INVALID, "too few", quern_recall_audit(q, "keep=yes", &json, E));
    CHECK(quern_recall_audit(empty, NULL, &json, E) != QUERN_OK);
    CHECK(json == NULL);
    WANT(QUERN_OK, quern_recall_audit(q, NULL, &json, E));
    CHECK(strstr(quern_text_data(json), "\"recall\":1.0") != NULL);
    quern_text_free(json);
    quern_query_free(empty);
    quern_query_free(q);
    quern_close(db);
}

static void the_option(void) {
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_schema_dense(s, "v", 3, QUERN_L2, "delivers=0.9:0.8,0.95:0.9");
    WANT(QUERN_OK, quern_create(db, "good", s, E));
    quern_schema_dense(s, "w", 3, QUERN_L2, "delivers=0.9");
    WANT_NAMED(QUERN_ERR_OPTION, "delivers=0.9", quern_create(db, "bad", s, E));
    quern_schema_free(s);
    quern_close(db);
}

void contract_audit(void) {
    handles_and_options();
    the_option();
}
