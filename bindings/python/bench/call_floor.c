/* What the calls of call_overhead.py cost in C: the same loops without Python. The functions of the
   library come as pointers, so that nothing has to be linked. */
#include <stdint.h>
#include <time.h>

#include <quern.h>

typedef int32_t (*search_fn)(quern_query*, quern_result**, quern_error*);
typedef void (*free_fn)(quern_result*);
typedef void (*dense_fn)(quern_query*, const char*, const float*, size_t, size_t);
typedef quern_batch* (*batch_new_fn)(quern_db*, const char*, size_t);
typedef void (*key_fn)(quern_batch*, const int64_t*);
typedef void (*matrix_fn)(quern_batch*, const char*, const float*, size_t, const uint8_t*);
typedef int32_t (*write_fn)(quern_batch*, quern_txn*, quern_error*);
typedef void (*batch_free_fn)(quern_batch*);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds for n searches, the vector set anew each time; -1 when one fails. */
double floor_search(quern_query* q, const float* vectors, size_t queries, size_t dim, size_t n,
                    dense_fn dense, search_fn search, free_fn release) {
    quern_error err = QUERN_ERROR_INIT;
    const double start = now();
    for (size_t i = 0; i < n; i++) {
        quern_result* r;
        dense(q, "vector", vectors, queries, dim);
        if (search(q, &r, &err) != QUERN_OK) {
            return -1;
        }
        release(r);
    }
    return now() - start;
}

/* Seconds to write n records. */
double floor_upsert(quern_db* db, const char* collection, const int64_t* keys, const float* vectors,
                    size_t n, size_t dim, batch_new_fn make, key_fn key, matrix_fn dense,
                    write_fn write, batch_free_fn release) {
    quern_error err = QUERN_ERROR_INIT;
    const double start = now();
    quern_batch* b = make(db, collection, n);
    key(b, keys);
    dense(b, "vector", vectors, dim, NULL);
    const int32_t status = write(b, NULL, &err);
    release(b);
    return status == QUERN_OK ? now() - start : -1;
}
