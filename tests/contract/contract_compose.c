/* Queries made of others: sums of vectors, feedback, examples for and against. */
#include "contract_check.h"

#include <math.h>

static const float one[] = {1, 0, 0};
static const float nan_vector[] = {0, NAN, 0};

static void null_query(void) {
    quern_db* db = open_docs();
    quern_query* wrong[2];
    size_t i;
    wrong[0] = NULL;
    wrong[1] = (quern_query*)db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        quern_query_compose(wrong[i], "v", 1, NULL);
        quern_query_term_dense(wrong[i], 0, 1, one, 3);
        quern_query_term_key_int(wrong[i], 0, 1, 1);
        quern_query_term_key_text(wrong[i], 0, 1, "a");
        quern_query_feedback(wrong[i], NULL);
    }
    quern_close(db);
}

/* What a composed query with one term comes to. */
enum term { DENSE, TEXT, INT, NO_TERM };
static void composed(quern_db* db, const char* field, size_t n, const char* options, enum term term,
                     size_t query, double weight, const float* vector, size_t dim, const char* key,
                     int32_t status, const char* piece) {
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_query_compose(q, field, n, options);
    switch (term) {
        case DENSE: quern_query_term_dense(q, query, weight, vector, dim); break;
        case TEXT: quern_query_term_key_text(q, query, weight, key); break;
        case INT: quern_query_term_key_int(q, query, weight, 1); break;
        case NO_TERM: break;
    }
    WANT_NAMED(status, piece, quern_search(q, &r, E));
    CHECK(r == NULL);
    quern_query_free(q);
}

static void wrong_terms(void) {
    quern_db* db = open_docs();
    quern_query* q;
    quern_result* r = NULL;
    composed(db, NULL, 1, NULL, DENSE, 0, 1, one, 3, NULL, QUERN_ERR_MISUSE, "field");
    composed(db, "none", 1, NULL, DENSE, 0, 1, one, 3, NULL, QUERN_ERR_UNKNOWN_FIELD, "none");
    composed(db, "v", (size_t)2097152, NULL, NO_TERM, 0, 1, NULL, 0, NULL, QUERN_ERR_LIMIT,
             "1048576");
    composed(db, "v", 1, "term=unit", DENSE, 0, 1, one, 3, NULL, QUERN_ERR_OPTION, "terms");
    composed(db, "v", 1, "terms=short", DENSE, 0, 1, one, 3, NULL, QUERN_ERR_OPTION, "unit or raw");
    composed(db, "v", 1, "scale=sum", DENSE, 0, 1, one, 3, NULL, QUERN_ERR_OPTION, "mean");
    composed(db, "v", 1, "scale=mean", DENSE, 0, -1, one, 3, NULL, QUERN_ERR_INVALID, "scale=mean");
    composed(db, "v", 1, NULL, NO_TERM, 0, 1, NULL, 0, NULL, QUERN_ERR_INVALID, "no terms");
    composed(db, "v", 2, NULL, DENSE, 0, 1, one, 3, NULL, QUERN_ERR_INVALID, "query 1");
    composed(db, "v", 1, NULL, DENSE, 1, 1, one, 3, NULL, QUERN_ERR_INVALID, "no number 1");
    composed(db, "v", 1, NULL, DENSE, 0, (double)NAN, one, 3, NULL, QUERN_ERR_INVALID, "weight");
    composed(db, "v", 1, NULL, DENSE, 0, 1, NULL, 3, NULL, QUERN_ERR_MISUSE, "vector");
    composed(db, "v", 1, NULL, DENSE, 0, 1, one, 2, NULL, QUERN_ERR_DIMENSION, "dimension 3");
    composed(db, "v", 1, NULL, DENSE, 0, 1, one, (size_t)1 << 40, NULL, QUERN_ERR_DIMENSION,
             "65536");
    composed(db, "v", 1, NULL, DENSE, 0, 1, nan_vector, 3, NULL, QUERN_ERR_NOT_FINITE, "element 1");
    composed(db, "v", 1, NULL, DENSE, 0, 1e300, one, 3, NULL, QUERN_ERR_NOT_FINITE, "beyond f32");
    composed(db, "v", 1, NULL, TEXT, 0, 1, NULL, 0, NULL, QUERN_ERR_MISUSE, "key");
    composed(db, "v", 1, NULL, TEXT, 0, 1, NULL, 0, "zz", QUERN_ERR_NOT_FOUND, "zz");
    composed(db, "v", 1, NULL, INT, 0, 1, NULL, 0, NULL, QUERN_ERR_TYPE, "text keys");
    q = quern_query_new(db, "docs");
    quern_query_term_dense(q, 0, 1, one, 3);
    WANT_NAMED(QUERN_ERR_MISUSE, "quern_query_compose", quern_search(q, &r, E));
    quern_query_free(q);
    quern_close(db);
}

static void composing(void) {
    quern_db* db = open_docs();
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    /* b - a + (0, 2, 0) = (1, 2, 0): c is 1 away; a and b do not find themselves. */
    static const float up[] = {0, 2, 0};
    quern_query_compose(q, "v", 1, NULL);
    quern_query_term_key_text(q, 0, 1, "b");
    quern_query_term_dense(q, 0, 1, up, 3);
    quern_query_term_key_text(q, 0, -1, "a");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(1, quern_result_rows(r));
    CHECK_TEXT("c", quern_result_key_text(r, 0));
    CHECK(quern_result_distance(r, 0) == 1);
    quern_result_free(r);
    quern_query_options(q, "self=include");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    quern_result_free(r);
    /* Another target takes its place. */
    quern_query_dense(q, "v", one, 1, 3);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_TEXT("b", quern_result_key_text(r, 0));
    quern_result_free(r);
    quern_query_free(q);
    quern_close(db);
}

static void feedback_of(quern_db* db, const char* options, int32_t status, const char* piece) {
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_query_dense(q, "v", one, 1, 3);
    quern_query_feedback(q, options);
    if (status == QUERN_OK) {
        WANT(QUERN_OK, quern_search(q, &r, E));
        CHECK_INT(3, quern_result_rows(r));
        quern_result_free(r);
    } else {
        WANT_NAMED(status, piece, quern_search(q, &r, E));
        CHECK(r == NULL);
    }
    quern_query_free(q);
}

static void feedback(void) {
    quern_db* db = open_docs();
    quern_query* leg = quern_query_new(db, "docs");
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    feedback_of(db, NULL, QUERN_OK, NULL);
    feedback_of(db, "kind=rocchio alpha=1 beta=0.5 docs=1", QUERN_OK, NULL);
    feedback_of(db, "kind=mean", QUERN_ERR_OPTION, "average or rocchio");
    feedback_of(db, "docs=0", QUERN_ERR_OPTION, "docs");
    feedback_of(db, "docs=1001", QUERN_ERR_OPTION, "docs");
    feedback_of(db, "alpha=-1", QUERN_ERR_OPTION, "alpha");
    feedback_of(db, "beta=nan", QUERN_ERR_OPTION, "beta");
    feedback_of(db, "before=x", QUERN_ERR_OPTION, "before");
    feedback_of(db, "kind=average alpha=1", QUERN_ERR_INVALID, "alpha goes with kind=rocchio");
    feedback_of(db, "beta=1", QUERN_ERR_INVALID, "beta goes with kind=rocchio");
    feedback_of(db, "kind=rocchio alpha=0 beta=0", QUERN_ERR_INVALID, "alpha=0 and beta=0");
    feedback_of(db, "terms=10", QUERN_ERR_INVALID, "terms=10, field 'v' is dense");
    feedback_of(db, "leg=5", QUERN_ERR_INVALID, "leg=5, the query has no legs");
    feedback_of(db, "weight=1", QUERN_ERR_OPTION, "weight");
    quern_query_dense(leg, "v", one, 1, 3);
    quern_query_leg(q, leg, 1, NULL);
    quern_query_leg(q, leg, 1, NULL);
    quern_query_feedback(q, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "say which", quern_search(q, &r, E));
    quern_query_feedback(q, "leg=2");
    WANT_NAMED(QUERN_ERR_INVALID, "leg 2", quern_search(q, &r, E));
    quern_query_feedback(q, "leg=1 after=0");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(2, quern_result_legs(r));
    quern_result_free(r);
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_feedback(leg, NULL);
    quern_query_leg(q, leg, 1, NULL);
    WANT_NAMED(QUERN_ERR_INVALID, "feedback", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(leg);
    quern_close(db);
}

static void examples(void) {
    quern_db* db = open_docs();
    quern_query* leg = quern_query_new(db, "docs");
    quern_query* q = quern_query_new(db, "docs");
    quern_result* r = NULL;
    quern_query_dense(leg, "v", one, 1, 3);
    quern_query_leg(q, leg, 1, NULL);
    quern_query_leg(q, leg, 1, "against=1");
    WANT_NAMED(QUERN_ERR_INVALID, "kind=best", quern_search(q, &r, E));
    quern_query_fusion(q, "kind=best normalize=minmax");
    WANT_NAMED(QUERN_ERR_INVALID, "normalized", quern_search(q, &r, E));
    quern_query_fusion(q, "kind=best normalize=none penalty=2");
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    quern_result_free(r);
    quern_query_fusion(q, "penalty=-1");
    WANT_NAMED(QUERN_ERR_OPTION, "penalty", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, "against=1");
    quern_query_fusion(q, "kind=best");
    WANT_NAMED(QUERN_ERR_INVALID, "weights", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, leg, 1, "against=yes");
    WANT_NAMED(QUERN_ERR_OPTION, "0 or 1", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(leg);
    quern_close(db);
}

/* Legs that know the nearest of two queries, and judgments for these. */
static const char* const judged_keys[] = {"a", "c", "zz"};
static const size_t judged_queries[] = {0, 1, 1};

static void fit_of(quern_db* db, quern_query* q, const size_t* queries, const float* gains,
                   const char* options, int32_t status, const char* piece) {
    quern_batch* keys = quern_batch_new(db, "docs", 3);
    quern_text* fusion = NULL;
    quern_batch_key_text(keys, judged_keys);
    WANT_NAMED(status, piece, quern_fit_fusion(q, keys, queries, gains, options, &fusion, NULL, E));
    CHECK(fusion == NULL);
    quern_batch_free(keys);
}

static void fitting(void) {
    quern_db* db = open_docs();
    static const float good[] = {0, 0, 0, 0, 2, 0};
    static const float bad[] = {1, 0, 0, 1, 0, 0};
    static const float no_gains[] = {0, 0, 0};
    static const float nan_gains[] = {NAN, 0, 0};
    static const float gone_gains[] = {0, 0, 2};
    static const size_t far_queries[] = {0, 7, 1};
    quern_query* one_leg = quern_query_new(db, "docs");
    quern_query* other_leg = quern_query_new(db, "docs");
    quern_query* q = quern_query_new(db, "docs");
    quern_batch* keys = quern_batch_new(db, "docs", 3);
    quern_batch* ints = quern_batch_new(db, "docs", 1);
    int64_t number = 1;
    quern_text* fusion = NULL;
    double quality[2] = {-1, -1};
    quern_result* r = NULL;
    quern_batch_key_text(keys, judged_keys);
    quern_batch_key_int(ints, &number);
    quern_query_dense(one_leg, "v", good, 2, 3);
    quern_query_dense(other_leg, "v", bad, 2, 3);
    fit_of(db, one_leg, judged_queries, NULL, NULL, QUERN_ERR_INVALID, "no legs");
    quern_query_leg(q, one_leg, 1, NULL);
    quern_query_leg(q, other_leg, 4, NULL);
    WANT(QUERN_ERR_MISUSE,
         quern_fit_fusion(NULL, keys, judged_queries, NULL, NULL, &fusion, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_fit_fusion(q, NULL, judged_queries, NULL, NULL, &fusion, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "fusion",
               quern_fit_fusion(q, keys, judged_queries, NULL, NULL, NULL, NULL, E));
    fit_of(db, q, NULL, NULL, NULL, QUERN_ERR_MISUSE, "queries");
    fit_of(db, q, judged_queries, no_gains, NULL, QUERN_ERR_INVALID, "of use");
    fit_of(db, q, judged_queries, nan_gains, NULL, QUERN_ERR_INVALID, "gain 0");
    fit_of(db, q, judged_queries, gone_gains, NULL, QUERN_ERR_NOT_FOUND, "the key 'zz'");
    fit_of(db, q, far_queries, NULL, NULL, QUERN_ERR_INVALID, "query 7");
    fit_of(db, q, judged_queries, NULL, "metric=map", QUERN_ERR_OPTION, "ndcg or mrr");
    fit_of(db, q, judged_queries, NULL, "k=0", QUERN_ERR_OPTION, "k=0");
    fit_of(db, q, judged_queries, NULL, "store=", QUERN_ERR_OPTION, "store=");
    fit_of(db, q, judged_queries, NULL, "store=_x", QUERN_ERR_INVALID, "_x");
    WANT_NAMED(QUERN_ERR_TYPE, "text keys",
               quern_fit_fusion(q, ints, judged_queries, NULL, NULL, &fusion, NULL, E));
    /* The leg that knows better comes to weigh more than it was given. */
    WANT(QUERN_OK,
         quern_fit_fusion(q, keys, judged_queries, NULL, "metric=mrr k=1", &fusion, quality, E));
    CHECK(quality[0] == 0);
    CHECK(quality[1] == 1);
    quern_query_fusion(q, quern_text_data(fusion));
    quern_text_free(fusion);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    quern_result_free(r);
    quern_query_fusion(q, "kind=rrf");
    fit_of(db, q, judged_queries, NULL, NULL, QUERN_ERR_INVALID, "sums");
    quern_query_fusion(q, "kind=sum weights=1,x");
    WANT_NAMED(QUERN_ERR_OPTION, "weights", quern_search(q, &r, E));
    quern_query_free(q);
    q = quern_query_new(db, "docs");
    quern_query_leg(q, one_leg, 1, NULL);
    quern_query_fusion(q, "weights=1,2");
    WANT_NAMED(QUERN_ERR_INVALID, "2 weights", quern_search(q, &r, E));
    quern_query_fusion(q, "weights=0");
    WANT_NAMED(QUERN_ERR_INVALID, "weights of all legs", quern_search(q, &r, E));
    quern_query_free(q);
    quern_query_free(one_leg);
    quern_query_free(other_leg);
    quern_batch_free(keys);
    quern_batch_free(ints);
    quern_close(db);
}

/* Two legs over one field, by their names. */
static quern_query* named_legs(quern_db* db, double a, double b, const char* fusion) {
    static const float good[] = {0, 0, 0};
    static const float bad[] = {1, 0, 0};
    quern_query* q = quern_query_new(db, "docs");
    quern_query* leg = quern_query_new(db, "docs");
    quern_query_dense(leg, "v", good, 1, 3);
    quern_query_leg(q, leg, a, "name=good");
    quern_query_dense(leg, "v", bad, 1, 3);
    quern_query_leg(q, leg, b, "name=bad");
    quern_query_free(leg);
    quern_query_fusion(q, fusion);
    return q;
}

static void storing(void) {
    quern_db* db = open_docs();
    quern_query* q = named_legs(db, 4, 1, "kind=sum");
    quern_query* named = named_legs(db, 1, 1, "stored=mine");
    quern_query* formula = named_legs(db, 1, 1, NULL);
    quern_batch* keys = quern_batch_new(db, "docs", 1);
    quern_result* r = NULL;
    quern_result* r2 = NULL;
    quern_text* fusion = NULL;
    static const size_t zero[] = {0};
    quern_batch_key_text(keys, judged_keys);
    WANT(QUERN_ERR_MISUSE, quern_store_fusion(NULL, "mine", E));
    WANT_NAMED(QUERN_ERR_MISUSE, "name", quern_store_fusion(q, NULL, E));
    WANT_NAMED(QUERN_ERR_INVALID, "a b", quern_store_fusion(q, "a b", E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "are none", quern_search(named, &r, E));
    quern_query_formula(formula, "good + bad");
    WANT_NAMED(QUERN_ERR_INVALID, "formula", quern_store_fusion(formula, "mine", E));
    WANT(QUERN_OK, quern_store_fusion(q, "mine", E));
    WANT(QUERN_OK, quern_search(named, &r, E));
    WANT(QUERN_OK, quern_search(q, &r2, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK(quern_result_score(r, 1) == quern_result_score(r2, 1));
    quern_result_free(r);
    quern_result_free(r2);
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "are: 'mine'", quern_drop_fusion(db, "docs", "x", E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "no collection", quern_drop_fusion(db, "x", "mine", E));
    WANT(QUERN_ERR_MISUSE, quern_drop_fusion(NULL, "docs", "mine", E));
    WANT_NAMED(QUERN_ERR_MISUSE, "collection", quern_drop_fusion(db, NULL, "mine", E));
    WANT_NAMED(QUERN_ERR_MISUSE, "name", quern_drop_fusion(db, "docs", NULL, E));
    WANT(QUERN_OK, quern_drop_fusion(db, "docs", "mine", E));
    WANT(QUERN_ERR_NOT_FOUND, quern_search(named, &r, E));
    /* What was learned, under a name. */
    WANT(QUERN_OK, quern_fit_fusion(q, keys, zero, NULL, "store=mine", &fusion, NULL, E));
    quern_text_free(fusion);
    WANT(QUERN_OK, quern_search(named, &r, E));
    quern_result_free(r);
    /* A set of options has nothing beside a name, and the later call counts. */
    quern_query_fusion(named, "weights=1,0");
    WANT(QUERN_OK, quern_search(named, &r, E));
    quern_result_free(r);
    quern_query_fusion(named, "stored=mine kind=max");
    WANT_NAMED(QUERN_ERR_OPTION, "nothing goes beside", quern_search(named, &r, E));
    quern_query_free(named);
    named = named_legs(db, 1, 1, "stored=");
    WANT_NAMED(QUERN_ERR_OPTION, "stored=", quern_search(named, &r, E));
    quern_query_free(named);
    quern_query_free(q);
    quern_query_free(formula);
    quern_batch_free(keys);
    quern_close(db);
}

/* A collection with what quern_measure_hubs writes to. */
static quern_db* open_measured(size_t n) {
    static const int64_t keys[] = {1, 2, 3, 4};
    static const float rows[] = {1, 0, 1, 1, 0, 1, 0, 1};
    static const uint8_t valid[] = {1, 1, 1, 0};
    quern_db* db = open_memory();
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    quern_schema_dense(s, "v", 2, QUERN_COSINE, NULL);
    quern_schema_attr(s, "hub", QUERN_REAL, NULL);
    quern_schema_attr(s, "spread", QUERN_REAL, NULL);
    quern_schema_attr(s, "kind", QUERN_INT, NULL);
    WANT(QUERN_OK, quern_create(db, "m", s, E));
    quern_schema_free(s);
    b = quern_batch_new(db, "m", n);
    quern_batch_key_int(b, keys);
    quern_batch_dense(b, "v", rows, 2, valid);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_batch_free(b);
    return db;
}

static double hub_of(quern_db* db, int64_t key, int* known) {
    quern_batch* b = quern_batch_new(db, "m", 1);
    quern_result* r = NULL;
    double hub;
    quern_batch_key_int(b, &key);
    WANT(QUERN_OK, quern_get(b, NULL, "hub", &r, E));
    hub = quern_result_real(r, 0, 0);
    *known = quern_result_type(r, 0, 0) != 0;
    quern_result_free(r);
    quern_batch_free(b);
    return hub;
}

static void measured(quern_db* db, const char* attribute, const float* vectors, size_t n,
                     size_t dim, const char* options, int32_t status, const char* piece) {
    WANT_NAMED(status, piece,
               quern_measure_hubs(db, "m", "v", attribute, vectors, n, dim, options, E));
}

static void hubs(void) {
    static const float asked[] = {1, 0, 0, 1};
    static const float endless[] = {1, INFINITY};
    quern_db* db = open_measured(4);
    int known = 0;
    double hub;
    WANT(QUERN_ERR_MISUSE, quern_measure_hubs(NULL, "m", "v", "hub", NULL, 0, 0, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_measure_hubs(db, NULL, "v", "hub", NULL, 0, 0, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_measure_hubs(db, "m", NULL, "hub", NULL, 0, 0, NULL, E));
    WANT(QUERN_ERR_MISUSE, quern_measure_hubs(db, "m", "v", NULL, NULL, 0, 0, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_measure_hubs(db, "nope", "v", "hub", NULL, 0, 0, NULL, E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_measure_hubs(db, "m", "w", "hub", NULL, 0, 0, NULL, E));
    measured(db, "hub", NULL, 1, 2, NULL, QUERN_ERR_MISUSE, "vectors");
    measured(db, "nope", asked, 2, 2, NULL, QUERN_ERR_UNKNOWN_FIELD, "nope");
    measured(db, "kind", asked, 2, 2, NULL, QUERN_ERR_TYPE, "not real");
    measured(db, "hub", asked, 1, 3, NULL, QUERN_ERR_DIMENSION, "dimension 3");
    measured(db, "hub", endless, 1, 2, NULL, QUERN_ERR_NOT_FINITE, "element 1");
    measured(db, "hub", asked, 2, 2, "kind=best", QUERN_ERR_OPTION, "csls");
    measured(db, "hub", asked, 2, 2, "k=0", QUERN_ERR_OPTION, "k=0");
    measured(db, "hub", asked, 2, 2, "temperature=0", QUERN_ERR_OPTION, "temperature");
    measured(db, "hub", asked, 2, 2, "by=kind", QUERN_ERR_INVALID, "zscore");
    measured(db, "hub", asked, 2, 2, "kind=zscore by=nope", QUERN_ERR_UNKNOWN_FIELD, "nope");
    measured(db, "hub", asked, 2, 2, "kind=zscore deviation=kind", QUERN_ERR_TYPE, "not real");
    hub_of(db, 1, &known);
    CHECK(known == 0);
    WANT(QUERN_OK, quern_measure_hubs(db, "m", "v", "hub", asked, 2, 2, "k=1", E));
    hub = hub_of(db, 1, &known);
    CHECK(known != 0 && fabs(hub - 1) < 1e-6);
    hub = hub_of(db, 2, &known);
    CHECK(fabs(hub - sqrt(0.5)) < 1e-6);
    hub_of(db, 4, &known);
    CHECK(known == 0);
    WANT(QUERN_OK, quern_measure_hubs(db, "m", "v", "hub", asked, 2, 2,
                                      "kind=zscore deviation=spread by=kind threads=1", E));
    hub = hub_of(db, 3, &known);
    CHECK(fabs(hub - (1 + 2 * sqrt(0.5) + 1) / 6) < 1e-6);
    /* By the others, of which there must be some. */
    WANT(QUERN_OK, quern_measure_hubs(db, "m", "v", "hub", NULL, 0, 0, "kind=nicdm k=1", E));
    hub = hub_of(db, 1, &known);
    CHECK(fabs(hub - sqrt(2 - sqrt(2))) < 1e-5);
    WANT(QUERN_OK, quern_measure_hubs(db, "m", "v", "hub", NULL, 0, 0, "kind=scaling sample=2", E));
    WANT(QUERN_OK, quern_measure_hubs(db, "m", "v", "hub", NULL, 0, 0, "kind=softmax", E));
    quern_close(db);
    db = open_memory();
    create_docs(db, "m");
    measured(db, "nope", NULL, 0, 0, NULL, QUERN_ERR_UNKNOWN_FIELD, "nope");
    quern_close(db);
}

void contract_compose(void) {
    hubs();
    fitting();
    storing();
    null_query();
    wrong_terms();
    composing();
    feedback();
    examples();
}
