/* Queries of several legs: what is refused, and what is told of each leg. */
#include "contract_check.h"

#include <math.h>
#include <string.h>

static const float origin[] = {0, 0, 0};
static const float two[] = {0, 0, 0, 1, 1, 1};

static quern_query* leg_of(quern_db* db, const float* matrix, size_t n) {
    quern_query* q = quern_query_new(db, "docs");
    quern_query_dense(q, "v", matrix, n, 3);
    return q;
}

static void null_query(void) {
    quern_db* db = open_docs();
    quern_query* leg = leg_of(db, origin, 1);
    quern_query* wrong[2];
    quern_result* r = NULL;
    size_t i;
    wrong[0] = NULL;
    wrong[1] = (quern_query*)db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_query* q = quern_query_new(db, "docs");
        quern_query_leg(wrong[i], leg, 1, NULL);
        quern_query_fusion(wrong[i], "kind=sum");
        quern_query_formula(wrong[i], "1");
        quern_query_formula_bind(wrong[i], "?1", 1);
        quern_query_leg(q, wrong[i], 1, NULL);
        WANT_NAMED(QUERN_ERR_MISUSE, "leg ", quern_search(q, &r, E));
        quern_query_free(q);
    }
    CHECK_INT(0, quern_result_legs(NULL));
    CHECK(isnan(quern_result_leg_score(NULL, 0, 0)));
    CHECK(quern_result_leg_part(NULL, 0, 0) == 0);
    CHECK_INT(0, quern_result_leg_stat(NULL, 0, QUERN_RESULT_LISTS));
    quern_query_free(leg);
    quern_close(db);
}

/* The query that a leg with these options and weight makes wrong. */
static void refused(quern_db* db, quern_query* leg, double weight, const char* options,
                    const char* fusion, int32_t status, const char* piece) {
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_query_leg(q, leg, weight, options);
    quern_query_fusion(q, fusion);
    WANT_NAMED(status, piece, quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
}

static void wrong_legs(void) {
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_query* leg = leg_of(db, origin, 1);
    quern_query* nested = quern_query_new(db, "docs");
    quern_query* empty = quern_query_new(db, "docs");
    quern_query* foreign = leg_of(other, origin, 1);
    quern_query* filtered = leg_of(db, origin, 1);
    quern_query* q = quern_query_new(db, "docs");
    quern_query* unknown = quern_query_new(db, "docs");
    quern_query* endless = leg_of(db, origin, 1);
    quern_result* r = NULL;
    int i;
    quern_query_limit(endless, 0);
    quern_query_leg(nested, leg, 1, NULL);
    quern_query_filter(filtered, "n = 1");
    quern_query_dense(unknown, "none", origin, 1, 3);
    refused(db, leg, -1, NULL, NULL, QUERN_ERR_INVALID, "weight");
    refused(db, leg, (double)NAN, NULL, NULL, QUERN_ERR_INVALID, "weight");
    refused(db, leg, (double)INFINITY, NULL, NULL, QUERN_ERR_INVALID, "weight");
    refused(db, leg, 0, NULL, NULL, QUERN_ERR_INVALID, "weights");
    refused(db, leg, 1, "missing=1", NULL, QUERN_ERR_OPTION, "missing");
    refused(db, leg, 1, "absent=inf", NULL, QUERN_ERR_OPTION, "absent");
    refused(db, leg, 1, "absent=nan", NULL, QUERN_ERR_OPTION, "absent");
    refused(db, leg, 1, NULL, "kind=mean", QUERN_ERR_OPTION, "kind");
    refused(db, leg, 1, NULL, "normalize=l2", QUERN_ERR_OPTION, "normalize");
    refused(db, leg, 1, NULL, "rrf_k=-1", QUERN_ERR_OPTION, "rrf_k");
    refused(db, leg, 1, NULL, "weights=", QUERN_ERR_OPTION, "weights");
    /* Options that contradict each other. */
    refused(db, leg, 1, NULL, "kind=rrf normalize=minmax", QUERN_ERR_INVALID,
            "normalize=minmax goes not with kind=rrf");
    refused(db, leg, 1, NULL, "normalize=zscore kind=rrf", QUERN_ERR_INVALID,
            "normalize=zscore goes not with kind=rrf");
    refused(db, leg, 1, NULL, "kind=sum rrf_k=5", QUERN_ERR_INVALID,
            "rrf_k=5 goes with kind=rrf, the kind is sum");
    refused(db, leg, 1, NULL, "penalty=1", QUERN_ERR_INVALID,
            "penalty=1 goes with kind=best, the kind is sum");
    refused(db, endless, 1, NULL, NULL, QUERN_ERR_INVALID, "leg 0: limit 0");
    refused(db, nested, 1, NULL, NULL, QUERN_ERR_INVALID, "legs itself");
    refused(db, empty, 1, NULL, NULL, QUERN_ERR_INVALID, "nothing to look for");
    refused(db, foreign, 1, NULL, NULL, QUERN_ERR_MISUSE, "another");
    refused(db, filtered, 1, NULL, NULL, QUERN_ERR_INVALID, "filter");
    refused(db, unknown, 1, NULL, NULL, QUERN_ERR_UNKNOWN_FIELD, "none");
    quern_query_leg(q, leg, 1, NULL);
    quern_query_dense(q, "v", origin, 1, 3);
    WANT_NAMED(QUERN_ERR_INVALID, "legs", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(endless);
    q = leg_of(db, origin, 1);
    quern_query_options(q, "refine=none recall=exact");
    WANT_NAMED(QUERN_ERR_INVALID, "refine=none goes not with recall=exact", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, q, 1, NULL);
    WANT_NAMED(QUERN_ERR_MISUSE, "itself", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, NULL);
    quern_query_max_distance(q, 1);
    WANT_NAMED(QUERN_ERR_INVALID, "distance", quern_search(q, &r, E));
    quern_query_free(q);
    /* Legs must have as many queries. */
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, NULL);
    quern_query_free(leg);
    leg = leg_of(db, two, 2);
    quern_query_leg(q, leg, 1, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "leg 1 has 2", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    for (i = 0; i < 65; i++) {
        quern_query_leg(q, leg, 1, NULL);
    }
    WANT_NAMED(QUERN_ERR_LIMIT, "64", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(leg);
    quern_query_free(nested);
    quern_query_free(empty);
    quern_query_free(foreign);
    quern_query_free(filtered);
    quern_query_free(unknown);
    quern_close(other);
    quern_close(db);
}

static void searching(void) {
    quern_db* db = open_docs();
    quern_query* leg = leg_of(db, two, 2);
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_text* text = NULL;
    size_t row;
    quern_query_leg(q, leg, 2, "absent=-100");
    quern_query_leg(q, leg, 0, NULL);
    quern_query_free(leg); /* copied */
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_queries(r));
    CHECK_INT(2, quern_result_legs(r));
    CHECK(quern_result_rows(r) > 0);
    for (row = 0; row < quern_result_rows(r); row++) {
        CHECK(quern_result_score(r, row) == (float)(2 * quern_result_leg_score(r, row, 0)));
        CHECK(quern_result_leg_score(r, row, 1) == quern_result_leg_score(r, row, 0));
        CHECK(quern_result_distance(r, row) == -quern_result_score(r, row));
        CHECK((float)quern_result_leg_part(r, row, 0) == quern_result_score(r, row));
        CHECK(quern_result_leg_part(r, row, 1) == 0);
    }
    CHECK(isnan(quern_result_leg_score(r, row, 0)));
    CHECK(isnan(quern_result_leg_score(r, 0, 2)));
    CHECK(quern_result_leg_part(r, row, 0) == 0);
    CHECK(quern_result_leg_part(r, 0, 2) == 0);
    CHECK_INT(2, quern_result_leg_stat(r, 0, QUERN_RESULT_LISTS));
    CHECK_INT(0, quern_result_leg_stat(r, 1, QUERN_RESULT_LISTS));
    CHECK_INT(0, quern_result_leg_stat(r, 2, QUERN_RESULT_LISTS));
    CHECK_INT(0, quern_result_leg_stat(r, 0, 99));
    CHECK_INT(quern_result_stat(r, QUERN_RESULT_HITS),
              quern_result_leg_stat(r, 0, QUERN_RESULT_HITS));
    quern_result_free(r);
    WANT(QUERN_OK, quern_query_explain(q, &text, E));
    CHECK(strstr(quern_text_data(text),
                 "\"fusion\":{\"kind\":\"sum\",\"normalize\":\"none\"},\"legs\":[{\"leg\":0,"
                 "\"field\":\"v\",\"kind\":\"dense\",\"weight\":2.0,\"absent\":-100.0,"
                 "\"hits\":100,\"segments\":[") != NULL);
    quern_text_free(text);
    /* A smallest score, and everything above it. */
    quern_query_limit(q, 0);
    quern_query_min_score(q, 1e9);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_rows(r));
    quern_result_free(r);
    quern_query_min_score(q, -1e9);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK(quern_result_rows(r) > 0);
    quern_result_free(r);
    quern_query_limit(q, 10);
    quern_query_fusion(q, "kind=rrf rrf_k=0");
    WANT(QUERN_OK, quern_search(q, &r, E));
    quern_result_free(r);
    quern_close(db);
    WANT(QUERN_ERR_CLOSED, quern_search(q, &r, E));
    quern_query_free(q);
}

/* What a query among the candidates of `from` comes to. */
static void among(quern_db* db, quern_query* from, int32_t status, const char* piece) {
    quern_query* q = leg_of(db, origin, 1);
    quern_result* r = NULL;
    quern_query_candidates(q, from);
    if (status == QUERN_OK) {
        WANT(QUERN_OK, quern_search(q, &r, E));
        CHECK(quern_result_rows(r) > 0);
        quern_result_free(r);
    } else {
        WANT_NAMED(status, piece, quern_search(q, &r, E));
        CHECK(r == NULL);
    }
    quern_query_free(q);
}

static void candidates(void) {
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_query* from = leg_of(db, origin, 1);
    quern_query* empty = quern_query_new(db, "docs");
    quern_query* foreign = leg_of(other, origin, 1);
    quern_query* filtered = leg_of(db, origin, 1);
    quern_query* all = leg_of(db, origin, 1);
    quern_query* unknown = quern_query_new(db, "docs");
    quern_query* many = leg_of(db, two, 2);
    quern_query* q;
    quern_query* next;
    quern_result* r = NULL;
    quern_text* text = NULL;
    int i;
    quern_query_candidates(NULL, from);
    quern_query_candidates((quern_query*)db, from);
    quern_query_filter(filtered, "n = 1");
    quern_query_limit(all, 0);
    quern_query_dense(unknown, "none", origin, 1, 3);
    among(db, from, QUERN_OK, NULL);
    among(db, NULL, QUERN_OK, NULL); /* none: all records */
    among(db, (quern_query*)db, QUERN_ERR_MISUSE, "from");
    among(db, empty, QUERN_ERR_INVALID, "nothing to look for");
    among(db, foreign, QUERN_ERR_MISUSE, "another collection");
    among(db, filtered, QUERN_ERR_INVALID, "filter");
    among(db, all, QUERN_ERR_INVALID, "limit 0");
    among(db, unknown, QUERN_ERR_UNKNOWN_FIELD, "the query for candidates");
    among(db, many, QUERN_ERR_INVALID, "has 2");
    q = leg_of(db, origin, 1);
    quern_query_candidates(q, q);
    WANT_NAMED(QUERN_ERR_MISUSE, "itself", quern_search(q, &r, E));
    quern_query_free(q);
    /* Those of one record, then all that the query matches of them. */
    q = leg_of(db, two, 1);
    quern_query_limit(from, 1);
    quern_query_candidates(q, from);
    quern_query_limit(q, 0);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_rows(r));
    quern_result_free(r);
    WANT(QUERN_OK, quern_query_explain(q, &text, E));
    CHECK(strstr(quern_text_data(text), "\"candidates\":{\"hits\":") != NULL);
    quern_text_free(text);
    quern_query_candidates(q, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "limit 0", quern_search(q, &r, E));
    quern_query_free(q);
    /* Eight levels, and no ninth; what a query has come to in the meantime is a copy. */
    q = leg_of(db, origin, 1);
    for (i = 0; i < 8; i++) {
        next = leg_of(db, origin, 1);
        quern_query_candidates(next, q);
        quern_query_free(q);
        q = next;
    }
    WANT(QUERN_OK, quern_search(q, &r, E));
    quern_result_free(r);
    next = leg_of(db, origin, 1);
    quern_query_candidates(next, q);
    WANT_NAMED(QUERN_ERR_LIMIT, "9 deep", quern_search(next, &r, E));
    quern_query_free(next);
    next = quern_query_new(db, "docs");
    for (i = 0; i < 64; i++) {
        quern_query_leg(next, q, 1, NULL);
    }
    WANT_NAMED(QUERN_ERR_LIMIT, "searches", quern_search(next, &r, E));
    quern_query_free(next);
    quern_query_free(q);
    quern_query_free(from);
    quern_query_free(empty);
    quern_query_free(foreign);
    quern_query_free(filtered);
    quern_query_free(all);
    quern_query_free(unknown);
    quern_query_free(many);
    quern_close(other);
    quern_close(db);
}

/* A formula that quern_search refuses, over a leg v. */
static void refused_formula(quern_db* db, double weight, const char* options, const char* formula,
                            int32_t status, const char* piece) {
    quern_query* leg = leg_of(db, origin, 1);
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_query_leg(q, leg, weight, options);
    quern_query_formula(q, formula);
    WANT_NAMED(status, piece, quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
    quern_query_free(leg);
}

static void formulas(void) {
    quern_db* db = open_docs();
    quern_query* leg = leg_of(db, origin, 1);
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    size_t row;
    refused_formula(db, 1, NULL, "", QUERN_ERR_MALFORMED, "byte 0");
    refused_formula(db, 1, NULL, "1 + (v", QUERN_ERR_MALFORMED, "byte 4");
    refused_formula(db, 1, NULL, "v + none", QUERN_ERR_UNKNOWN_FIELD, "byte 4");
    refused_formula(db, 1, NULL, "v + t", QUERN_ERR_TYPE, "'t' is no number");
    refused_formula(db, 1, NULL, "v * :x", QUERN_ERR_INVALID, ":x");
    refused_formula(db, 1, NULL, "gauss_decay(v, 0, v)", QUERN_ERR_INVALID, "scale");
    refused_formula(db, 0.5, NULL, "v", QUERN_ERR_INVALID, "weight");
    refused_formula(db, 0, NULL, "v", QUERN_ERR_INVALID, "weights of all legs");
    refused_formula(db, 1, "name=_x", "v", QUERN_ERR_OPTION, "name");
    refused_formula(db, 1, "absent=null", NULL, QUERN_ERR_INVALID, "absent");
    refused_formula(db, 1, "name=w", "v", QUERN_ERR_UNKNOWN_FIELD, "'v'");
    quern_query_formula(q, "1");
    WANT_NAMED(QUERN_ERR_INVALID, "no legs", quern_search(q, &r, E));
    quern_query_leg(q, leg, 1, "name=w");
    quern_query_leg(q, leg, 1, "name=W");
    WANT_NAMED(QUERN_ERR_INVALID, "two legs", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, NULL);
    quern_query_leg(q, leg, 1, NULL);
    quern_query_formula(q, "v");
    WANT_NAMED(QUERN_ERR_INVALID, "several legs", quern_search(q, &r, E));
    quern_query_formula(q, "l0 + L1 + ?1");
    WANT_NAMED(QUERN_ERR_INVALID, "byte 10: no value is bound to ?1", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_formula(q, "l0 + ?1");
    quern_query_formula_bind(q, ":x", 1);
    WANT_NAMED(QUERN_ERR_INVALID, ":x", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_formula(q, "1");
    quern_query_formula_bind(q, NULL, 1);
    WANT(QUERN_ERR_MISUSE, quern_search(q, &r, E));
    quern_query_free(q);
    /* Scores by the formula; the later of formula and kind counts. */
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, "name=near");
    quern_query_leg(q, leg, 0, "name=again absent=null");
    quern_query_fusion(q, "kind=rrf");
    quern_query_formula(q, "near + 0.5 * again + ?1 + coalesce(n, 0) * :zero");
    quern_query_formula_bind(q, "?1", 3);
    quern_query_formula_bind(q, ":zero", 0);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK(quern_result_rows(r) > 0);
    for (row = 0; row < quern_result_rows(r); row++) {
        CHECK(quern_result_score(r, row) == (float)(1.5 * quern_result_leg_score(r, row, 0) + 3));
    }
    quern_result_free(r);
    quern_query_formula(q, "null");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(0, quern_result_rows(r));
    quern_result_free(r);
    quern_query_fusion(q, "kind=sum");
    WANT_NAMED(QUERN_ERR_INVALID, "absent=null", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(leg);
    quern_close(db);
}

/* A shape that quern_search refuses. */
static void refused_shape(quern_db* db, size_t offset, const char* attribute, size_t per_group,
                          const char* field, const char* options, int32_t status,
                          const char* piece) {
    quern_query* q = leg_of(db, origin, 1);
    quern_result* r = NULL;
    quern_query_offset(q, offset);
    quern_query_group(q, attribute, per_group);
    quern_query_diversify(q, field, options);
    WANT_NAMED(status, piece, quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
}

static void shapes(void) {
    quern_db* db = open_docs();
    quern_query* q = leg_of(db, origin, 1);
    quern_query* whole = quern_query_new(db, "docs");
    quern_result* r = NULL;
    size_t rows;
    refused_shape(db, 1048577, NULL, 0, NULL, NULL, QUERN_ERR_LIMIT, "offset");
    refused_shape(db, 0, "", 1, NULL, NULL, QUERN_ERR_INVALID, "no name");
    refused_shape(db, 0, "none", 1, NULL, NULL, QUERN_ERR_UNKNOWN_FIELD, "none");
    refused_shape(db, 0, "j", 1, NULL, NULL, QUERN_ERR_TYPE, "'j'");
    refused_shape(db, 0, "n", 0, NULL, NULL, QUERN_ERR_INVALID, "of each group");
    refused_shape(db, 0, "n", 10001, NULL, NULL, QUERN_ERR_INVALID, "of each group");
    refused_shape(db, 0, NULL, 0, "none", "lambda=1", QUERN_ERR_UNKNOWN_FIELD, "none");
    refused_shape(db, 0, NULL, 0, "v", NULL, QUERN_ERR_INVALID, "lambda");
    refused_shape(db, 0, NULL, 0, "v", "lambda=1.5", QUERN_ERR_OPTION, "lambda");
    refused_shape(db, 0, NULL, 0, "v", "duplicates=nan", QUERN_ERR_OPTION, "duplicates");
    refused_shape(db, 0, NULL, 0, "v", "lambda=1 pool=0", QUERN_ERR_OPTION, "pool");
    refused_shape(db, 0, NULL, 0, "v", "lambda=1 scale=max", QUERN_ERR_OPTION, "scale");
    refused_shape(db, 0, NULL, 0, "v", "near=1", QUERN_ERR_OPTION, "near");
    refused_shape(db, 0, "n", 1, "v", "lambda=1", QUERN_ERR_INVALID, "grouped");
    quern_query_offset(NULL, 1);
    quern_query_group(NULL, "n", 1);
    quern_query_diversify(NULL, "v", "lambda=1");
    CHECK_INT(-1, quern_result_group(NULL, 0));
    WANT(QUERN_OK, quern_search(q, &r, E));
    rows = quern_result_rows(r);
    CHECK(rows > 1);
    CHECK_INT(-1, quern_result_group(r, 0));
    quern_result_free(r);
    quern_query_offset(q, 1);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(rows - 1, quern_result_rows(r));
    quern_result_free(r);
    quern_query_group(q, "n", 2);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_group(r, 0));
    CHECK_INT(-1, quern_result_group(r, quern_result_rows(r)));
    quern_result_free(r);
    /* A leg has no shape. */
    quern_query_leg(whole, q, 1, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "offset", quern_search(whole, &r, E));
    quern_query_free(whole);
    quern_query_group(q, NULL, 0);
    quern_query_offset(q, 0);
    quern_query_diversify(q, "v", "lambda=0.5 duplicates=0.99 pool=50 scale=none");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK(quern_result_rows(r) > 0);
    quern_result_free(r);
    quern_query_diversify(q, NULL, NULL);
    quern_query_limit(q, 0);
    quern_query_max_distance(q, 1e30);
    quern_query_group(q, "t", 1);
    WANT(QUERN_OK, quern_search(q, &r, E));
    quern_result_free(r);
    quern_query_free(q);
    quern_close(db);
}

static void explaining(void) {
    quern_db* db = open_docs();
    quern_query* leg = leg_of(db, two, 2);
    quern_query* q = quern_query_new(db, "docs");
    quern_query* one = leg_of(db, two, 1);
    quern_query* empty = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_result* rows = NULL;
    quern_text* json = NULL;
    quern_query_leg(q, leg, 2, "name=near");
    WANT(QUERN_OK, quern_search(q, &r, E));
    WANT(QUERN_OK, quern_explain_hits(q, r, &json, E));
    CHECK(strstr(quern_text_data(json),
                 "\"legs\":[{\"leg\":0,\"name\":\"near\",\"field\":\"v\","
                 "\"kind\":\"dense\",\"score\":") != NULL);
    quern_text_free(json);
    WANT(QUERN_ERR_MISUSE, quern_explain_hits(NULL, r, &json, E));
    CHECK(json == NULL);
    WANT(QUERN_ERR_MISUSE, quern_explain_hits(q, NULL, &json, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "json", quern_explain_hits(q, r, NULL, E));
    WANT_NAMED(QUERN_ERR_INVALID, "2 queries", quern_explain_hits(one, r, &json, E));
    WANT(QUERN_ERR_INVALID, quern_explain_hits(empty, r, &json, E));
    WANT(QUERN_OK, quern_sql(db, NULL, "select 1", &rows, E));
    WANT_NAMED(QUERN_ERR_INVALID, "no result of a search", quern_explain_hits(q, rows, &json, E));
    quern_result_free(rows);
    CHECK(quern_result_stat(r, QUERN_RESULT_TOTAL_NS) >=
          quern_result_stat(r, QUERN_RESULT_FETCH_NS));
    quern_query_free(one);
    one = quern_query_new(db, "docs");
    quern_query_leg(one, leg, 1, "guide=near");
    WANT_NAMED(QUERN_ERR_INVALID, "names no leg", quern_search(one, &rows, E));
    quern_query_free(one);
    one = quern_query_new(db, "docs");
    quern_query_leg(one, leg, 1, "name=near guide=near");
    WANT_NAMED(QUERN_ERR_INVALID, "sparse or text", quern_search(one, &rows, E));
    quern_close(db);
    WANT(QUERN_ERR_CLOSED, quern_explain_hits(q, r, &json, E));
    quern_result_free(r);
    quern_query_free(q);
    quern_query_free(one);
    quern_query_free(leg);
    quern_query_free(empty);
}

void contract_hybrid(void) {
    explaining();
    shapes();
    null_query();
    wrong_legs();
    searching();
    candidates();
    formulas();
}
