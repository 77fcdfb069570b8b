/* The smallest program that proves an installation: versions agree, and the main job works. */
#include <quern.h>

#include <stdio.h>

int main(void) {
    static const int64_t keys[] = {1, 2, 3};
    static const float vectors[] = {0, 0, 1, 0, 5, 5};
    static const float wanted[] = {0.9f, 0.1f};
    quern_db* db = NULL;
    quern_result* r = NULL;
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    quern_query* q;
    quern_error err = QUERN_ERROR_INIT;
    int right;
    if (quern_version_number() != QUERN_VERSION_NUMBER ||
        quern_open(":memory:", NULL, &db, &err) != QUERN_OK) {
        printf("wrong version or cannot open: %s %s\n", quern_version(), err.message);
        return 1;
    }
    quern_schema_dense(s, "emb", 2, QUERN_L2, NULL);
    if (quern_create(db, "points", s, &err) != QUERN_OK) {
        puts(err.message);
        return 1;
    }
    b = quern_batch_new(db, "points", 3);
    quern_batch_key_int(b, keys);
    quern_batch_dense(b, "emb", vectors, 2, NULL);
    q = quern_query_new(db, "points");
    quern_query_dense(q, "emb", wanted, 1, 2);
    quern_query_limit(q, 1);
    if (quern_insert(b, NULL, &err) != QUERN_OK || quern_search(q, &r, &err) != QUERN_OK) {
        puts(err.message);
        return 1;
    }
    right = quern_result_rows(r) == 1 && quern_result_key_int(r, 0) == 2;
    puts(right ? quern_build_info() : "wrong answer");
    quern_result_free(r);
    quern_query_free(q);
    quern_batch_free(b);
    quern_schema_free(s);
    quern_close(db);
    return right ? 0 : 1;
}
