/* clang-format off */
/*
** quern - an embedded vector database: one library, one file, no server.
**
** This header is the manual. It is C99, needs nothing but itself, and works from C++.
**
** CONVENTIONS
**
**  1. Handles are distinct opaque types. A constructor sets its out parameter to NULL on failure. Every
**     *_free and quern_close accepts NULL and does nothing.
**  2. Every call that can fail returns an int32_t status: QUERN_OK (0) or a negative code from the list below.
**     The last argument, quern_error *err, may be NULL. The caller owns it; it holds the code and a message
**     that names what was wrong. Nothing is allocated for it, and no message is shared between threads.
**  3. Builders (quern_schema, quern_batch, quern_query) remember their first error. Their setters return
**     nothing; the call that uses the builder reports that error and does nothing else.
**  4. Rare knobs are strings "key=value key=value". They are checked: an unknown key is an error that names
**     it and lists the right ones. NULL and "" mean the defaults.
**  5. The caller's buffers are borrowed for the call only, unless a function says otherwise. Matrices are
**     row-major: row i of a matrix of dimension d starts at m + i*d. Strings are UTF-8.
**  6. Pointers that a getter returns stay valid until its handle is freed.
**  7. A quern_db handle may be used from many threads at once. A schema, batch, query, transaction or
**     cursor belongs to one thread at a time and may move between threads. Snapshots and results may be shared by many threads.
**     quern_interrupt may be called from any thread.
**  8. Closing is safe in any order. After quern_close, handles made from it can still be freed (and results
**     still be read); any other call on them returns QUERN_ERR_CLOSED. A handle carried across fork() returns
**     QUERN_ERR_MISUSE in the child.
**  9. The library never prints, aborts, exits, installs signal handlers or reads environment variables.
** 10. A search of vectors returns min(k, matches) records for each query, always, unless a bound of its own (max_distance, min_score)
**     or a budget (timeout_ms, max_scored, max_bytes: QUERN_FLAG_PARTIAL) leaves some out; sparse and text searches find only what has a
**     dimension or word of the query. Distances: smaller is nearer, for every metric. Ties are broken by key (integers by value, texts by
**     their bytes).
**
** PROMISES (README.md names the test that would break each; a break is a bug. SECURITY.md: what hostile files can do)
**
**  P1  A transaction is there whole or not at all (records, indexes, counters), after a crash at any moment.
**  P2  durability=full: a commit that returned QUERN_OK survives a killed process, a crash of the system, and a power cut on storage that
**      honours fsync.
**  P3  durability=relaxed: the last commits may be lost then, never one in the middle, never the file's integrity.
**  P4  A commit whose outcome cannot be known says so (QUERN_ERR_OUTCOME_UNKNOWN); the handle then refuses to write (QUERN_ERR_POISONED),
**      and reopening tells the truth.
**  P5  Damage gives an error or the right answer, never a wrong one. The exception: a damaged write-ahead log ends at the damage, and the
**      database is that of an earlier commit.
**  P6  No file makes quern crash, hang, read out of bounds, or allocate beyond the limits; anything else is a security bug.
**  P7  No misuse does either, NULL, closed handles, absurd sizes and fork() included; pointers to freed or foreign memory are beyond help.
**  P8  A reader sees one committed state, across collections and indexes, whatever others do, and never waits for them.
**  P9  Every live record is returned by quern_get, scans and exact searches, with the same answer for any number of threads and on any
**      processor (but for the rounding of f32 sums), and by searches through indexes as often after many updates as in a
**      fresh file; a deleted one by none.
**  P10 Every later 1.x reads the files of every earlier 1.x and runs programs built with it. An older one refuses a newer file.
**
** DISTANCES AND SCORES
**
**   metric          distance                                   score (larger is better)
**   QUERN_L2        squared Euclidean distance                 -distance
**   QUERN_IP        -inner product                             inner product
**   QUERN_COSINE    1 - cosine; 1 when either vector is zero   cosine; 0 when either vector is zero
**   QUERN_HAMMING   number of differing bits                   -distance
**
**   sparse fields   -inner product                             inner product
**   text fields     -BM25                                      BM25, see quern_query_text
**
**   Those of dense fields are computed in f32 from the stored elements (exactly, for i8 and bit elements, as far as f32 reaches).
**   Sparse scores are sums of exact products in double precision, in the order of dimensions, and ordered as such; f32 is what
**   is handed out. Only records that have a dimension in common with the query are results of a sparse search.
**   A zero vector is data, not an error. NaN and infinities are refused.
**
** A COMPLETE EXAMPLE (compiled and run by the tests)
**
**   #include <quern.h>
**   #include <stdio.h>
**   int main(void) {
**       quern_db *db; quern_error err = QUERN_ERROR_INIT; quern_result *r;
**       if (quern_open(":memory:", NULL, &db, &err)) { puts(err.message); return 1; }
**       quern_schema *s = quern_schema_new();
**       quern_schema_key_text(s, "id");
**       quern_schema_attr(s, "year", QUERN_INT, NULL);
**       quern_schema_dense(s, "emb", 2, QUERN_L2, NULL);
**       if (quern_create(db, "docs", s, &err)) { puts(err.message); return 1; }
**       quern_schema_free(s);
**       const char *ids[] = {"a", "b", "c"}; int64_t years[] = {2019, 2020, 2021};
**       float m[] = {0, 0, 1, 0, 5, 5}, query[] = {0.9f, 0.1f};
**       quern_batch *b = quern_batch_new(db, "docs", 3);
**       quern_batch_key_text(b, ids); quern_batch_int(b, "year", years, NULL);
**       quern_batch_dense(b, "emb", m, 2, NULL);
**       if (quern_upsert(b, NULL, &err)) { puts(err.message); return 1; }
**       quern_batch_free(b);
**       quern_query *q = quern_query_new(db, "docs");
**       quern_query_dense(q, "emb", query, 1, 2); quern_query_limit(q, 2); quern_query_columns(q, "year");
**       if (quern_search(q, &r, &err)) { puts(err.message); return 1; }
**       for (size_t i = 0; i < quern_result_rows(r); i++)
**           printf("%s %.2f %d\n", quern_result_key_text(r, i), quern_result_distance(r, i),
**                  (int)quern_result_int(r, i, 0));
**       quern_result_free(r); quern_query_free(q); quern_close(db);
**       return 0;
**   }
**
**   prints:  b 0.02 2020
**            a 0.82 2019
*/
#ifndef QUERN_H
#define QUERN_H


#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(QUERN_STATIC)
#define QUERN_API
#elif defined(_WIN32)
#define QUERN_API __declspec(dllimport)
#else
#define QUERN_API __attribute__((visibility("default")))
#endif
#if defined(__GNUC__) || defined(__clang__)
#define QUERN_MUST_USE __attribute__((warn_unused_result))
#else
#define QUERN_MUST_USE
#endif

/* ---- Version --------------------------------------------------------------------------------- since 0.1 -- */

#define QUERN_VERSION "0.1.0"
#define QUERN_VERSION_NUMBER 1000 /* major * 1000000 + minor * 1000 + patch */

/* The version of the library that is running; compare with the macros above. Never fail, any thread. */
QUERN_API const char *quern_version(void);
QUERN_API int32_t quern_version_number(void);
/* One line: version, compiler, SQLite and zstd versions in use, the SIMD level chosen on this processor. */
QUERN_API const char *quern_build_info(void);

/* ---- Status codes: values are part of the ABI, do not change ---------------------------------- since 0.1 -- */

#define QUERN_OK 0

/* usage family, -100 .. -199: the call was wrong; nothing happened */
#define QUERN_ERR_MISUSE (-100)        /* NULL or wrong handle, wrong call order, use after fork */
#define QUERN_ERR_INVALID (-101)       /* an argument has a value that is not allowed; the message names it */
#define QUERN_ERR_CLOSED (-102)        /* the database of this handle was closed */
#define QUERN_ERR_NOT_FOUND (-103)     /* no such collection, or no such key where one is required */
#define QUERN_ERR_UNKNOWN_FIELD (-104) /* the collection has no field or attribute of that name */
#define QUERN_ERR_EXISTS (-105)        /* a collection, field or attribute of that name exists already */
#define QUERN_ERR_KEY_EXISTS (-106)    /* insert: the key is in the collection already */
#define QUERN_ERR_DUPLICATE_KEY (-107) /* the same key twice in one batch */
#define QUERN_ERR_DIMENSION (-108)     /* a vector has another dimension than its field */
#define QUERN_ERR_TYPE (-109)          /* a value or key of another type than its column */
#define QUERN_ERR_NOT_FINITE (-110)    /* NaN or infinity in a vector or a real attribute */
#define QUERN_ERR_READ_ONLY (-111)     /* write on a read-only database */
#define QUERN_ERR_TXN (-112)           /* the transaction is over (committed, rolled back, or failed) */
#define QUERN_ERR_SQL (-113)           /* error in a statement or a filter, or one that may not run */
#define QUERN_ERR_OPTION (-114)        /* unknown option key or bad value in an option string */
#define QUERN_ERR_MALFORMED (-115)     /* text that does not parse (JSON attribute, UTF-8) */
/* limit family, -200 .. -299 */
#define QUERN_ERR_LIMIT (-200) /* more than a limit allows; the message names limit and value */
#define QUERN_ERR_NOMEM (-201) /* out of memory */
/* busy family, -300 .. -399 */
#define QUERN_ERR_BUSY (-300) /* another writer holds the file longer than busy_ms, or changed it under a reader
                                 that cannot lock it (see quern_open) */
/* I/O family, -400 .. -499 */
#define QUERN_ERR_IO (-400)              /* read or write failed; os_errno tells more */
#define QUERN_ERR_FULL (-401)            /* disk full; what was begun was rolled back */
#define QUERN_ERR_CANT_OPEN (-402)       /* the file does not exist or may not be opened */
#define QUERN_ERR_OUTCOME_UNKNOWN (-403) /* commit failed part-way: the transaction may be there or not after
                                            reopening. The writer refuses more work until the file is reopened */
#define QUERN_ERR_POISONED (-404)        /* an earlier commit had an unknown outcome: close and reopen */
/* corruption family, -500 .. -599 */
#define QUERN_ERR_CORRUPT (-500)   /* damaged content; the message names collection, segment, part and chunk, or the page:
                                      quern_verify tells of all there is, quern_rebuild makes anew what can be */
#define QUERN_ERR_TRUNCATED (-501) /* the file is shorter than its header says */
/* format family, -600 .. -699 */
#define QUERN_ERR_NOT_A_DATABASE (-600) /* not a quern file */
#define QUERN_ERR_NEWER (-601)          /* written by a newer version with features that this one lacks */
/* interrupted family, -700 .. -799 */
#define QUERN_ERR_INTERRUPTED (-700) /* quern_interrupt, or the progress callback said stop; rolled back */
/* internal family, -900 .. -999 */
#define QUERN_ERR_INTERNAL (-900) /* a bug in quern: please report it */

/* "QUERN_ERR_BUSY" for -300 and so on; "QUERN_ERR_?" for a number that is none. Never NULL. Any thread. */
QUERN_API const char *quern_status_name(int32_t status);

#define QUERN_MESSAGE_BYTES 480
typedef struct quern_error {
    uint32_t struct_size; /* sizeof(quern_error), set by QUERN_ERROR_INIT; 0 or too small: treated as NULL */
    int32_t status;       /* the code that the call returned */
    int32_t detail;       /* extended SQLite result code, or 0 */
    int32_t os_errno;     /* errno of the failed system call, or 0 */
    char message[QUERN_MESSAGE_BYTES]; /* UTF-8, NUL-terminated, cut if longer */
} quern_error;
#define QUERN_ERROR_INIT {sizeof(quern_error), 0, 0, 0, {0}}

/* ---- Handles --------------------------------------------------------------------------------------------- */

typedef struct quern_db quern_db;             /* an open database; thread-safe */
typedef struct quern_schema quern_schema;     /* description of a collection */
typedef struct quern_txn quern_txn;           /* a write transaction */
typedef struct quern_batch quern_batch;       /* records by columns, to be written, fetched or deleted */
typedef struct quern_snapshot quern_snapshot; /* a stable view of the whole database; thread-safe */
typedef struct quern_query quern_query;       /* a search to be run */
typedef struct quern_cursor quern_cursor;     /* a scan in key order */
typedef struct quern_result quern_result;     /* rows and columns that came back */
typedef struct quern_keys quern_keys;         /* a set of keys for filters; thread-safe */
typedef struct quern_text quern_text;         /* a text that came back (JSON reports, names) */

/* ---- Open and close --------------------------------------------------------------------------- since 0.1 -- */

/* Opens a database file, creating it when absent. ":memory:" makes one that lives in memory until closed.
** Options:
**   mode=rwc|rw|ro       create if absent (default) | must exist | read only
**   durability=full|relaxed   full (default): a commit that returned survives power loss, on storage that
**                        honours fsync. relaxed: recent commits may be lost then, never a part of one, never
**                        the file's integrity.
**   busy_ms=N            how long a writer waits for another process's or thread's transaction (default 5000)
**   threads=N            workers for batches and maintenance, 1 to 256 (default: processors)
**   memory_mb=N          most memory for vectors and indexes kept loaded (default: a quarter of the machine's).
**                        Vectors that do not fit are read from the file; without room for an index, a search
**                        scans the file and says so (QUERN_FLAG_MEMORY).
**   cache_mb=N           most memory, beside that, for single vectors that were read from the file (default 16)
**   maintenance=auto|off|background   who seals and merges: the committing thread (default), nobody (call
**                        quern_optimize yourself), or a worker thread of this handle
**   seal_rows=N seal_kb=N     the log is sealed into a segment beyond this (default 16384 rows, 16384 KiB)
** While the file is open, two companions lie beside it: FILE-wal, the write-ahead log, and FILE-shm, its index. The
** last handle of all processes to close folds the log into the file and removes both. A mode=ro handle does that, too,
** where the file may be written; beyond that it never changes the file.
** The log is moved into the file as it grows. Beyond about 25 MB a commit waits up to 200 ms (longer beyond several times
** that, never longer than busy_ms, and at most a tenth of the time) until the readers inside it have left; readers do
** not wait. It still grows while one snapshot stays open.
** mode=ro where they cannot be made (the directory or the file may not be written, or the disk is full): the file is
** read as it stands, without locks, and no companions are made. A snapshot then is the file as it was found. Should
** somebody with more rights write the file meanwhile, reads of older snapshots return BUSY, never a mixture; a new
** snapshot sees the change. A log that holds commits but cannot be read without making its index is CANT_OPEN.
** Cost: a few file reads whatever the file's size; vectors are loaded by the first search that needs them.
** Do not open the same file with a second copy of SQLite inside the same process: POSIX drops the locks.
** Errors: CANT_OPEN, NOT_A_DATABASE, NEWER, TRUNCATED, CORRUPT, BUSY, READ_ONLY (the file or its directory may not be
** written, and mode is not ro), FULL (no room for what a writer needs beside the file; mode=ro works), OPTION, IO, NOMEM.
** A database that could not be created leaves no file. */
QUERN_API int32_t quern_open(const char *path, const char *options, quern_db **db, quern_error *err) QUERN_MUST_USE;

/* Closes; NULL is allowed. Transactions still open are rolled back, snapshots and cursors end. */
QUERN_API void quern_close(quern_db *db);

/* Makes every running and slow call on this handle return QUERN_ERR_INTERRUPTED soon, those that wait for a lock as well. Any thread, and safe
** to call from a signal handler. Calls that start afterwards are not affected. */
QUERN_API void quern_interrupt(quern_db *db);

/* Called from slow work (import batches, seal, merge, vacuum, verify, backup, large searches) about ten times a second, on the
** thread that called quern. total is 0 when unknown. Return nonzero to stop: the call then returns
** QUERN_ERR_INTERRUPTED. Calling quern on the same handle from inside is refused with MISUSE (quern_interrupt is allowed); do not
** wait in it for another thread that uses the handle. fn NULL removes it. */
typedef int (*quern_progress_fn)(void *user, const char *task, uint64_t done, uint64_t total);
QUERN_API int32_t quern_progress(quern_db *db, quern_progress_fn fn, void *user, quern_error *err);

/* ---- Schemas and collections ------------------------------------------------------------------ since 0.1 -- */

/* Types of attributes. Any attribute of a record may be null. */
#define QUERN_INT 1  /* int64_t */
#define QUERN_REAL 2 /* double, finite */
#define QUERN_TEXT 3 /* UTF-8 without NUL */
#define QUERN_BOOL 4 /* uint8_t 0 or 1 */
#define QUERN_BLOB 5 /* bytes */
#define QUERN_JSON 6 /* UTF-8 text that is valid JSON (else MALFORMED), without \u0000: SQLite would end the text there (INVALID) */
#define QUERN_TAGS 7 /* a set of texts; stored sorted, without repeats, as a JSON array */

/* Column types that only appear in results. */
#define QUERN_DENSE 8  /* a vector; see quern_result_dense */
#define QUERN_SPARSE 9 /* a sparse vector; see quern_result_sparse */

/* Element types of dense fields. */
#define QUERN_F32 1
#define QUERN_F16 2
#define QUERN_BF16 3
#define QUERN_I8 4  /* int8_t */
#define QUERN_BIT 5 /* bits, packed: dimension i is bit (i % 8), counted from the lowest, of byte i / 8 */

/* Metrics. BIT fields take QUERN_HAMMING only; the others take L2, IP, COSINE. */
#define QUERN_L2 1
#define QUERN_IP 2
#define QUERN_COSINE 3
#define QUERN_HAMMING 4

/* Key types. */
#define QUERN_KEY_INT 1
#define QUERN_KEY_TEXT 2

/* Names of collections, keys, attributes and fields: 1 to 255 bytes of UTF-8 without control characters; not
** starting with "_", "quern_" or "sqlite_"; two names that differ in ASCII case only are the same. Key, attributes and
** fields of a collection share one name space.
** A new schema has an int64 key named "id" and nothing else. NULL when out of memory. */
QUERN_API quern_schema *quern_schema_new(void);
QUERN_API void quern_schema_free(quern_schema *s);
QUERN_API void quern_schema_key_int(quern_schema *s, const char *name);
QUERN_API void quern_schema_key_text(quern_schema *s, const char *name); /* keys of 1 to 1024 bytes */
/* Options: index=auto|none   auto (default): optimize and background maintenance keep the values of segments with 1024 records or more
** in the file as filters want them, so that the first filter of a handle does not read all records; long texts (more than 128 bytes a
** record, all different) are left out. none: not so. Filters give the same answers either way. quern_set_attr changes it later. */
QUERN_API void quern_schema_attr(quern_schema *s, const char *name, int32_t type, const char *options);
/* dim: number of elements, 1 to 65536. Options:
**   type=f32|f16|bf16|i8|bit   element type (default f32; bit under HAMMING)
**   index=auto|none|graph|lists  auto (default): segments of 2048 vectors or more get a graph (HNSW: Malkov, Yashunin,
**                              TPAMI 2018), the smaller ones and the log are scanned; none: every search is exact (so is
**                              any with recall=exact); graph: segments of 64 or more; lists: of 64 or more get cells around
**                              k-means centres. Lists are built sooner, and work with little memory: what
**                              does not fit memory_mb is read from the file cell by cell. With it in memory a graph
**                              answers sooner
**   codes=auto|f32|f16|bf16|i8|lvq8|4bit|lvq4|pq|1bit|packed
**                              what a walk over the graph measures. f32: the vectors themselves; anything else: codes kept
**                              in memory, smaller than f32 by a factor of about 2 (f16, bf16), 4 (i8, lvq8), 8 (4bit,
**                              lvq4), 16 (pq), 28 (1bit). i8 and 4bit have their steps per dimension, lvq8 and lvq4 per
**                              vector; pq: product codes, pairs of dimensions; 1bit: signs after a random rotation, which
**                              state their error; packed: 4bit, and in memory bits of all neighbours beside each node (about
**                              4 * dim + 256 bytes a vector with the default m, made when the index is loaded, which needs
**                              twice that for a moment), so that one look is enough for all of them; where memory_mb
**                              has no room for that, a walk goes over the 4bit codes. i8, 4bit and packed leave out
**                              dimensions without a spread. What codes find is measured again with the stored vectors:
**                              distances are always true ones. auto: 4bit, lvq4, i8 or lvq8, whichever takes least time for recall 0.95
**                              and 0.99 when the index is built; pq or 1bit when memory_mb has no room for these.
**                              Lists take auto (i8), i8, 4bit, or f32: a copy of the vectors in the order of their cells.
**                              Bits are measured as they are, whatever codes= says
**   fine=auto|memory|disk      where the stored vectors are while a search walks over codes: auto: in memory when memory_mb
**                              allows that with ease, loaded bit by bit as searches look at them; memory: in memory if
**                              memory_mb allows it at all, loaded by the first search; disk: in the file, single ones in the
**                              cache (cache_mb). In memory, vectors of an f32 field whose values in a segment are all numbers of a
**                              narrower type (whole numbers from 0 to 255 or -128 to 127, bf16, f16) take 1 or 2 bytes a value:
**                              searches are quicker, results and stored vectors the same to the bit
**   m=N ef_build=N             links of a node (2 to 128, default 16; twice as many on the base level) and candidates
**                              looked at when it is inserted (8 to 10000, default 200): more is better and slower to build
**   lists=N                    cells of a segment (default: about 4 * sqrt(vectors); fewer where that leaves cells
**                              empty or centres would take more than 64 MiB)
**   delivers=X:Y,X:Y,...       what recall Y the field's queries get when the curves are asked for X; quern_recall_audit
**                              finds it out. Each X more than the one before
** A segment whose inner products or distances are beyond float (vectors longer than 1.8e19 under IP, 9e18 under L2) has no index and is scanned.
** Indexes are built by quern_optimize, quern_rebuild and background maintenance, never by a commit. Cost of a build: about
** as long as 10000 distances for each vector, shared out among `threads`; memory: the field's vectors, and about
** 8 * m + dim bytes for each. Vectors of a field that asks for an index are merged into chunks of a few KiB, so that a look at
** one of them reads little. */
QUERN_API void quern_schema_dense(quern_schema *s, const char *name, size_t dim, int32_t metric, const char *options);

/* A field of sparse vectors: pairs of a dimension (any uint32_t) and a weight (float of any sign). Options:
**   dims=N             every dimension is below N, 1 to 4294967296 (default: 4294967296)
**   weights=f32|none buckets=N   N, 1 to 65536: ranges of dims / N dimensions each, rounded up, which queries may weigh (bucket_weights). none: a binary field. Its vectors are sets of dimensions, kept without weights (about half the
**                      bytes); batches give no weights, or all 1 (else QUERN_ERR_INVALID), results have 1. The score is how
**                      many dimensions a record shares with the query, or the sum of the query's weights for them
**   index=auto|none    auto (default): segments with 2048 vectors of the field and more get an index, built as those of dense
**                      fields are; none: every search scores every record. approx=graph: a second part of the index of segments with 8192 vectors of the field and more
**                      (others have none, and are searched exactly), for searches with recall=X or ef=N, which may miss some. It takes 100 bytes a
**                      vector (300 in memory) and 3 to 7 an entry: more than the index itself, and 25 times as much beside the small one of a binary field of short vectors
**   prune_mass=X prune_ratio=X prune_below=X prune_top=N   which entries of a vector an index finds it by: the heaviest, until they have the
**                      share X of its sum; those with at least X times its heaviest; with at least X; the N heaviest. Several hold
**                      together. Scores are of all entries still: what is left of the index orders records, and the best 2 * k + 32
**                      by it are scored. So searches may miss records (QUERN_FLAG_EXACT is not set, QUERN_RESULT_RECALL is 0; how many depends
**                      on the vectors, quern_recall_audit measures it), but where so few match (about 3 * k + 100, more in large segments)
**                      that scoring all of them costs no more: then QUERN_FLAG_EXACT is set. recall=1 scores every record, and so does with approx=graph any
**                      recall=X that no walk keeps; without approx=graph recall=X below 1 changes nothing, and is kept for no k. Not of binary fields, which have no weights to go by (OPTION)
**   impacts=8|exact    8: where the weights of a segment would take an index more than a byte each (more than 256 different ones), it keeps
**                      impacts of 8 bits: up to 3 bytes an entry less in memory. A search finds more by these than are wanted, and scores
**                      again, by weights that it reads from the file, those that can be among the best, until no other can be: results
**                      and scores are those of exact (the default). Cost: a look into the file, about 10 us, for each of the k and a few more
** Values are kept exactly, but for entries with weight 0, which are left out. A file that had a sparse field cannot be opened by
** libraries from before there were any (QUERN_ERR_NEWER). Searches are exact, with an index and without; an index
** that is damaged, or that memory_mb has no room for, is told by the flags of the result, and the records are scored. */
QUERN_API void quern_schema_sparse(quern_schema *s, const char *name, const char *options);

/* A field of texts that are searched by their words (quern_query_text). Options, words with spaces between them:
**   tokenizer=NAME      of SQLite FTS5: unicode61 (default), ascii, trigram; its arguments follow as NAME=VALUE
**   porter              English stems of its tokens
**   stop=none|english|a,b,c   words that are left out (default: none); for other languages word by word. One of which the
**                       tokenizer makes several words, or none, or a part (foo-bar, ---, don't), is refused (OPTION), as no word would ever be it; so is any synonym that is not one word
**   synonyms=a:b,c:d    the words of a group are one: wor* finds it when any of them begins so
**   positions=0|1       whether phrases can be found (default: 1). Stop words leave their places: with stop=the the phrase "grind the grind"
**                       finds "grind x grind", whatever x is, and not "grind grind"
**   k1=X b=X            of BM25 (default: 1.2 and 0.75)
** Segments with 512 texts of the field and more get an index, built as those of dense fields; others, and blocks of the log, are
** indexed in memory by the first search that meets them, and kept: those of the log beyond memory_mb, too, up to the bytes of the log.
** Each option is given once (but tokenchars and separators of a tokenizer, which add up). A value that holds spaces stands in single quotes. At most 4096 bytes. Words
** of more than 255 bytes, in texts and queries, are cut there (between two characters): what begins alike so far is one word. Values are set with quern_batch_text and read with
** quern_result_text: valid UTF-8 of at most 16 MiB and 1048576 words. A file that had a text field cannot be opened by libraries
** from before there were any (QUERN_ERR_NEWER). */
QUERN_API void quern_schema_text(quern_schema *s, const char *name, const char *options);

/* Reading a schema that quern_describe returned (or one being built). Names are valid until it changes or is freed.
** An index out of range gives NULL or 0. Attributes and fields come in the order of their creation. */
QUERN_API const char *quern_schema_key_name(const quern_schema *s);
QUERN_API int32_t quern_schema_key_type(const quern_schema *s);
QUERN_API size_t quern_schema_attr_count(const quern_schema *s);
QUERN_API const char *quern_schema_attr_name(const quern_schema *s, size_t i);
QUERN_API int32_t quern_schema_attr_type(const quern_schema *s, size_t i);
QUERN_API size_t quern_schema_dense_count(const quern_schema *s);
QUERN_API const char *quern_schema_dense_name(const quern_schema *s, size_t i);
QUERN_API size_t quern_schema_dense_dim(const quern_schema *s, size_t i);
QUERN_API int32_t quern_schema_dense_type(const quern_schema *s, size_t i);
QUERN_API int32_t quern_schema_dense_metric(const quern_schema *s, size_t i);
QUERN_API size_t quern_schema_sparse_count(const quern_schema *s);
QUERN_API const char *quern_schema_sparse_name(const quern_schema *s, size_t i);
QUERN_API uint64_t quern_schema_sparse_dims(const quern_schema *s, size_t i);
QUERN_API int32_t quern_schema_sparse_type(const quern_schema *s, size_t i); /* QUERN_F32, or QUERN_BIT of a binary field */
QUERN_API const char *quern_schema_sparse_options(const quern_schema *s, size_t i); /* those beside dims= and weights= that are set, index=auto among them: without it, it is none */
QUERN_API size_t quern_schema_text_count(const quern_schema *s);
QUERN_API const char *quern_schema_text_name(const quern_schema *s, size_t i);
QUERN_API const char *quern_schema_text_options(const quern_schema *s, size_t i);

/* Each of the following is a transaction of its own. */
QUERN_API int32_t quern_create(quern_db *db, const char *collection, const quern_schema *s, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_drop(quern_db *db, const char *collection, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_rename(quern_db *db, const char *from, const char *to, quern_error *err) QUERN_MUST_USE;
/* The caller frees the schema. */
QUERN_API int32_t quern_describe(quern_db *db, const char *collection, quern_schema **s, quern_error *err) QUERN_MUST_USE;
/* Names of all collections, sorted: a JSON array of strings. The caller frees the text. */
QUERN_API int32_t quern_collections(quern_db *db, quern_text **names, quern_error *err) QUERN_MUST_USE;

/* Later changes of the schema. An added attribute is null, an added field absent, in all records there are. Dropping
** removes the values; cost: every record is read and its hash written anew. */
QUERN_API int32_t quern_add_attr(quern_db *db, const char *collection, const char *name, int32_t type, const char *options,
                                 quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_add_dense(quern_db *db, const char *collection, const char *name, size_t dim, int32_t metric,
                                  const char *options, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_add_sparse(quern_db *db, const char *collection, const char *name, const char *options,
                                   quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_add_text(quern_db *db, const char *collection, const char *name, const char *options,
                                 quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_drop_column(quern_db *db, const char *collection, const char *name, quern_error *err) QUERN_MUST_USE;

/* Changes whether the file keeps the values of an attribute for filters. Options: index=auto|none, as for quern_schema_attr; name, type
** and whatever else cannot be changed, and is refused by its name (OPTION). auto: the next quern_optimize, or background maintenance,
** builds them, also of segments that there are. none: those of the file are removed, and no more are built; snapshots that are held
** still have theirs. Filters give the same answers before, meanwhile and after; quern_info tells the option, and of each segment what is kept.
** UNKNOWN_FIELD: no such attribute (the key's values are always kept). Saying again what is so changes nothing. Cost: that of a commit. */
QUERN_API int32_t quern_set_attr(quern_db *db, const char *collection, const char *name, const char *options, quern_error *err) QUERN_MUST_USE;

/* Gives a sparse field token weights, so that texts can be its queries without a model (quern_query_sparse_text), as with the
** "inference-free" encoders of learned sparse retrieval: token i stands for dimension dims[i] (NULL: i) and counts weights[i] in a query.
** weights NULL: ln(1 + (n - df + 0.5) / (df + 0.5)) of the n live records that have the field, of which df have the dimension; it is
** counted now and stays so until the next call. They take the place of those before; count 0 takes them away. They are kept in the
** file, 1 to 1048576 of them, 16 MiB at most, in a transaction of its own. A file that had some cannot be opened by versions that
** do not know them (QUERN_ERR_NEWER). Options say how a text is cut into tokens: tokenizer=, its arguments, porter, stop= and
** synonyms= as for quern_schema_text, and
**   wordpiece     a word that is no token is cut into the longest tokens from its beginning on, all but the first written with "##"
**                 before them, as in BERT's vocabularies; if that does not come out even, it is unknown
** Tokens are words as the tokenizer leaves them (unicode61: lower case, without accents). Those that no word can be (a sign, [CLS], one with
** a space in it) are kept, since vocabularies come whole, and say nothing. Errors name the token: UNKNOWN_FIELD, TYPE,
** OPTION, INVALID (empty, or there twice), MALFORMED (UTF-8), NOT_FINITE, DIMENSION (not below the field's dims), LIMIT (beyond 255
** bytes; too many). Cost with weights NULL: that of quern_sparse_stats. */
QUERN_API int32_t quern_set_token_weights(quern_db *db, const char *collection, const char *field, const char *const *tokens,
                                          const uint32_t *dims, const float *weights, size_t count, const char *options,
                                          quern_error *err) QUERN_MUST_USE;

/* ---- Transactions ----------------------------------------------------------------------------- since 0.1 -- */

/* Starts the one write transaction there can be at a time; waits up to busy_ms for others (then BUSY). Readers never wait
** and see nothing of it before the commit. An error inside a transaction rolls all of it back; every
** further call with it returns QUERN_ERR_TXN. */
QUERN_API int32_t quern_begin(quern_db *db, quern_txn **txn, quern_error *err) QUERN_MUST_USE;
/* Ends and frees the transaction, whatever is returned. On QUERN_ERR_OUTCOME_UNKNOWN reopen the file to learn
** whether it is there. NULL is MISUSE. */
QUERN_API int32_t quern_commit(quern_txn *txn, quern_error *err) QUERN_MUST_USE;
/* Undoes everything and frees the transaction; NULL is allowed. */
QUERN_API void quern_rollback(quern_txn *txn);

/* ---- Batches: records by columns --------------------------------------------------------------- since 0.1 -- */

/* A batch of n records (1 to 16777216) of one collection. NULL when out of memory. Its columns are borrowed from the call that
** sets them until the batch is used: keep the arrays alive until then. valid[i] == 0 makes value i null (attribute)
** or absent (field); valid == NULL means all are there. Columns that are not set are null or absent (insert,
** upsert) or left as they are (update). */
QUERN_API quern_batch *quern_batch_new(quern_db *db, const char *collection, size_t n);
QUERN_API void quern_batch_free(quern_batch *b);
QUERN_API void quern_batch_key_int(quern_batch *b, const int64_t *keys);
QUERN_API void quern_batch_key_text(quern_batch *b, const char *const *keys); /* NUL-terminated */
QUERN_API void quern_batch_int(quern_batch *b, const char *attr, const int64_t *values, const uint8_t *valid);
QUERN_API void quern_batch_real(quern_batch *b, const char *attr, const double *values, const uint8_t *valid);
QUERN_API void quern_batch_bool(quern_batch *b, const char *attr, const uint8_t *values, const uint8_t *valid);
/* Text and json; a NULL pointer is a null. JSON with \u0000 in a text or name is INVALID; files of versions that took it open,
** and their filters see such a text up to there. */
QUERN_API void quern_batch_text(quern_batch *b, const char *attr, const char *const *values, const uint8_t *valid);
QUERN_API void quern_batch_blob(quern_batch *b, const char *attr, const void *const *values, const size_t *sizes,
                                const uint8_t *valid);
/* Record i has the tags tags[offsets[i]] .. tags[offsets[i+1]-1]; offsets has n + 1 entries. */
QUERN_API void quern_batch_tags(quern_batch *b, const char *attr, const size_t *offsets, const char *const *tags,
                                const uint8_t *valid);
/* An n x dim matrix of f32. For f16 and bf16 fields the values are rounded to nearest even (a value
** beyond f16's range is QUERN_ERR_INVALID); i8 fields need whole numbers from -128 to 127; bit fields take
** x > 0 as 1. Rows that are not valid are not read. */
QUERN_API void quern_batch_dense(quern_batch *b, const char *field, const float *matrix, size_t dim, const uint8_t *valid);
/* The same with elements of the field's own type: n rows of dim elements (bits: of (dim + 7) / 8 bytes; unused high bits
** of the last byte are ignored). type must be the field's type. */
QUERN_API void quern_batch_dense_raw(quern_batch *b, const char *field, const void *matrix, int32_t type, size_t dim,
                                     const uint8_t *valid);
/* Sparse vectors: record i has the entries offsets[i] .. offsets[i+1]-1 of dims and weights; offsets has n + 1 entries. weights
** NULL: all are 1. Entries come in any order. Errors name the record, the field and the entry: DIMENSION (not below the
** field's dims), INVALID (a dimension twice in one vector, offsets that go down), NOT_FINITE, LIMIT (more than 65535
** entries). An empty vector is a value; no search finds it. */
QUERN_API void quern_batch_sparse(quern_batch *b, const char *field, const size_t *offsets, const uint32_t *dims,
                                  const float *weights, const uint8_t *valid);

/* Using a batch. txn NULL: a transaction of its own, durable when the call returns. All or nothing. The batch stays
** usable, so a BUSY can be tried again. Costs: about 2 us a record and its bytes written once.
**   insert: every key must be new (KEY_EXISTS)          upsert: an existing record is replaced whole
**   update: every key must exist (NOT_FOUND); only the columns that are set change
**   delete: needs keys only; keys that do not exist are passed over */
QUERN_API int32_t quern_insert(quern_batch *b, quern_txn *txn, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_upsert(quern_batch *b, quern_txn *txn, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_update(quern_batch *b, quern_txn *txn, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_delete(quern_batch *b, quern_txn *txn, quern_error *err) QUERN_MUST_USE;
/* How many records the last successful use of the batch changed (delete: how many keys existed). */
QUERN_API size_t quern_batch_affected(const quern_batch *b);

/* ---- Snapshots, get, scan, count ---------------------------------------------------------------- since 0.1 -- */

/* A stable view of the whole database as of now. While it is held, the write-ahead log cannot shrink: hold it briefly. Wherever a snapshot is an argument, NULL means "now". Snapshots and reads see committed data only. */
QUERN_API int32_t quern_snapshot_new(quern_db *db, quern_snapshot **snap, quern_error *err) QUERN_MUST_USE;
QUERN_API void quern_snapshot_free(quern_snapshot *snap);
/* The number of committed changes of the database up to the snapshot; grows with every commit. */
QUERN_API uint64_t quern_snapshot_generation(const quern_snapshot *snap);

QUERN_API int32_t quern_count(quern_db *db, const char *collection, quern_snapshot *snap, uint64_t *count,
                              quern_error *err) QUERN_MUST_USE;

/* Records by the keys of a batch, row i for key i. columns: names of attributes and fields separated by spaces or commas
** (a name with other characters in double quotes), "*" for all, NULL or "" for the keys alone. A key that does not
** exist gives a row for which quern_result_found is 0. */
QUERN_API int32_t quern_get(quern_batch *keys, quern_snapshot *snap, const char *columns, quern_result **r,
                            quern_error *err) QUERN_MUST_USE;

/* A scan in key order; it holds a snapshot (its own if snap is NULL) until freed. */
QUERN_API int32_t quern_scan(quern_db *db, const char *collection, quern_snapshot *snap, const char *columns,
                             quern_cursor **c, quern_error *err) QUERN_MUST_USE;
/* Continue behind this key (which need not exist). */
QUERN_API int32_t quern_cursor_after_int(quern_cursor *c, int64_t key, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_cursor_after_text(quern_cursor *c, const char *key, quern_error *err) QUERN_MUST_USE;
/* The next up to n records (n 1 to 1048576); a result without rows at the end. */
QUERN_API int32_t quern_cursor_next(quern_cursor *c, size_t n, quern_result **r, quern_error *err) QUERN_MUST_USE;
QUERN_API void quern_cursor_free(quern_cursor *c);

/* ---- Search -------------------------------------------------------------------------------------- since 0.1 -- */

/* A query builder; NULL when out of memory. Set what to look for with legs, or with exactly one of the quern_query_dense*,
** quern_query_sparse, quern_query_sparse_text, quern_query_text, quern_query_key_* or quern_query_compose functions. */
QUERN_API quern_query *quern_query_new(quern_db *db, const char *collection);
QUERN_API void quern_query_free(quern_query *q);
/* n query vectors of dimension dim; borrowed until the query is freed or set anew. Converted like batch values, except
** that f16, bf16 and i8 fields compare with the full f32 query. */
QUERN_API void quern_query_dense(quern_query *q, const char *field, const float *matrix, size_t n, size_t dim);
/* The same with elements of type; bit fields take QUERN_BIT here. */
QUERN_API void quern_query_dense_raw(quern_query *q, const char *field, const void *matrix, int32_t type, size_t n, size_t dim);
/* n sparse query vectors for a sparse field, as in quern_batch_sparse; borrowed likewise. An empty one finds nothing. A query of one
** dimension with the weight 1 is a look the other way: it finds the records that are heaviest in that dimension, with their weights
** for scores. */
QUERN_API void quern_query_sparse(quern_query *q, const char *field, const size_t *offsets, const uint32_t *dims,
                                  const float *weights, size_t n);
/* n texts as queries for a sparse field, by its token weights (quern_set_token_weights); copied. Each distinct token counts once, with its
** weight; tokens of the same dimension add up; words that are no token say nothing. Errors: INVALID (the field has no token weights),
** MALFORMED, LIMIT (a text beyond 64 KiB). Cost: microseconds for each. */
QUERN_API void quern_query_sparse_text(quern_query *q, const char *field, const char *const *texts, size_t n);
/* n queries for a text field; copied. Records are scored by BM25 over the live records of the collection, those without a text
** included, which are as empty ones:
**   word   "some words"   wor*     should be there: as it is, one after the other, any word that begins so (with porter: any stem)
**   +x  -x   x OR y                must, must not be there, with a + the others need not; OR: as without it
**   x^2.5                          what x adds to a score counts 2.5 times; above 0, to 1000000; a word that is said twice counts twice
** A word with - takes no ^, OR stands between words without a sign, and a sign before a word, alone (else MALFORMED: so are - and --x). A phrase ends at the next ": it cannot hold one, and need not,
** since unicode61 and ascii pass over it. Words end at blanks, tabs and ends of lines. Other white space (U+00A0, U+3000) stands in a word, which the tokenizer
** cuts: x, U+00A0, y is the phrase "x y", and what is said of a word (+ - ^) is said of both; it takes no *.
** Scores are exact: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), score = sum of idf * tf / (tf + k1 * (1 - b + b * length / mean)).
** The distance is minus the score. An index that is damaged, or that memory_mb does not allow to keep, is told by the flags of the
** result; the answers are the same. Errors: MALFORMED names
** the byte, INVALID (a phrase, or a word cut into several, where positions=0), LIMIT (a text of 64 KiB, 1,024 words and phrases, a
** phrase of 64 terms; a word that the tokenizer cuts is one: with trigram, of 66 characters). */
QUERN_API void quern_query_text(quern_query *q, const char *field, const char *const *texts, size_t n);
/* For showing results: the piece of a text (of a result, or any other) that shows best what a query for the field finds in it, with
** that marked. Options:
**   words=N                  of at most so many words in a row, stop words among them not counted (default 24; 0: the whole text): those with the most
**                            different words and phrases of the query, then the most marks, then the first. A boost (x^2) chooses nothing
**   before=TEXT after=TEXT   around what is marked (default: ** each)
**   more=TEXT                where the text goes on before or behind the piece (default: ...)
** A TEXT that holds spaces stands in single quotes, in which '' is one: before='<b> '. So does one that begins with a quote.
** Nothing is escaped: for HTML, mark with control characters, escape, then replace these. A text in which nothing is found shows its
** beginning. Errors: MALFORMED, LIMIT, UNKNOWN_FIELD. */
QUERN_API int32_t quern_snippet(quern_db *db, const char *collection, const char *field, const char *query, const char *text,
                                size_t text_bytes, const char *options, quern_text **snippet, quern_error *err) QUERN_MUST_USE;
/* The vectors of n stored records; a record never finds itself unless the option self=include is set.
** NOT_FOUND if a key does not exist or its field is absent. */
QUERN_API void quern_query_key_int(quern_query *q, const char *field, const int64_t *keys, size_t n);
QUERN_API void quern_query_key_text(quern_query *q, const char *field, const char *const *keys, size_t n);
/* At most k records a query, 1 to 1048576; default 10. */
QUERN_API void quern_query_limit(quern_query *q, size_t k);
/* Only records with distance <= d; or score >= s (the two are two views of the same bound, the last call counts). Scores are compared
** as they are handed out, in f32 (those beyond f32 as doubles), of sparse and text fields, too, which are ordered by double. With
** quern_query_limit(q, 0) all of them are returned, up to 2^31 rows altogether (LIMIT beyond). Through an index that is the
** share `recall` of them, expected whether the bound catches one record or a thousand; a bound that catches more than
** about one in twenty is answered by a scan. */
QUERN_API void quern_query_max_distance(quern_query *q, double d);
QUERN_API void quern_query_min_score(quern_query *q, double s);
/* Only records for which the filter is true, a condition as SQL has it behind WHERE, over the key and the attributes:
**   year between ?1 and ?2 and lang in ('en', 'de') and title like 'quantum%' and tags has 'physics'
** Values compare as in SQLite; a condition that is NULL is not true. Beyond SQL: `x in ?1` with a list bound to ?1; for tags and JSON arrays `tags has 'a'`,
** `tags has any ('a', :b)`, `tags has all ?1` (NULL where tags is). has takes such values alone and binds as = does: `tags has 'a' || 'b'` is a mistake. Sub-queries see every collection under its name, and attached files (quern_attach). Names that begin with "_" are refused, so are
** filters that would write, or read anything else. NULL: no filter. Cost: conditions that compare one column with constants, and has, are decided on columns in
** memory if memory_mb has room; the first to name a column loads it, from the file if optimize has put it there (quern_schema_attr), else in a few times that of a SELECT. All others, and the log, are SQLite's. What columns have
** decided guards the rest: `kind = 'json' and json_extract(body, '$.a') = 1` asks SQLite about records of that kind only. Mistakes are told by quern_search with the byte of the filter where they are, or where the condition begins that cannot be answered (without a byte where one is too large for SQLite as a whole): SQL, UNKNOWN_FIELD, TYPE, INVALID (no value bound), LIMIT. */
QUERN_API void quern_query_filter(quern_query *q, const char *filter);
/* The values of the filter's parameters, after quern_query_filter, which forgets those of before; copied. ?1 is parameter 1; a ? and
** a :name, @name or $name that comes for the first time have the next number, which this tells for a name; 0: there is none. */
QUERN_API size_t quern_query_parameter(const quern_query *q, const char *name);
QUERN_API void quern_query_bind_null(quern_query *q, size_t parameter);
QUERN_API void quern_query_bind_int(quern_query *q, size_t parameter, int64_t value);
QUERN_API void quern_query_bind_real(quern_query *q, size_t parameter, double value);
QUERN_API void quern_query_bind_text(quern_query *q, size_t parameter, const char *value); /* NULL: a null */
QUERN_API void quern_query_bind_blob(quern_query *q, size_t parameter, const void *value, size_t size);
QUERN_API void quern_query_bind_ints(quern_query *q, size_t parameter, const int64_t *values, size_t n); /* a list */
QUERN_API void quern_query_bind_texts(quern_query *q, size_t parameter, const char *const *values, size_t n);
/* The values bound from now on are for query number `query` of a search with several queries, from 0; for QUERN_ALL_QUERIES they are for
** all of them again, as in the beginning. A query without a value of its own for a parameter has that of all. So each query of a search
** may have a filter of its own, of the same shape; each distinct one is run once, and queries that share it are searched together.
** What has one filter (count, explain, list, facet, delete, update) refuses such values: INVALID. */
#define QUERN_ALL_QUERIES ((size_t)-1)
QUERN_API void quern_query_bind_for(quern_query *q, size_t query);

/* A set of keys, made once and used in many filters, by any number of threads; it knows no database and survives all. For a list of keys
** (repeats count once), and for a roaring bitmap of 32-bit or 64-bit numbers (bits: 32 or 64) in the portable serialization that all
** libraries of roaring bitmaps write; its numbers are int keys. Copied. It takes about as much memory as the list or the bitmap.
** Errors: MALFORMED names the byte of the bitmap, INVALID (bits; a number of 2^63 or more). */
QUERN_API int32_t quern_keys_int(const int64_t *keys, size_t n, quern_keys **k, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_keys_text(const char *const *keys, size_t n, quern_keys **k, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_keys_roaring(const void *bitmap, size_t bytes, int32_t bits, quern_keys **k, quern_error *err) QUERN_MUST_USE;
QUERN_API uint64_t quern_keys_count(const quern_keys *k); /* distinct ones */
QUERN_API void quern_keys_free(quern_keys *k);            /* queries that use it keep what they need */
/* Only records whose keys are in the set, or are not: beside the text of quern_query_filter (with it or without), wherever a filter
** counts. Several sets count together; NULL takes all those of this kind away again. A set of keys of another type than the
** collection's is told by what uses the query: TYPE. Cost: a look-up for each key of a small set, a look at each record for others;
** what a set leaves is remembered until somebody commits. */
QUERN_API void quern_query_only_keys(quern_query *q, const quern_keys *k);
QUERN_API void quern_query_except_keys(quern_query *q, const quern_keys *k);

/* How the query would be answered, as JSON; its filter is run, its vectors are not looked at: {"collection","records","matches","filter":{"text","log","conditions":
** [{"text","byte","by"}]},"segments":[{"segment","records","matches","way","walk_cost","codes_cost","lists_cost","scan_cost"}]}. by: columns or sqlite; way: graph, lists, codes (of the index, of all that may match), scan. Costs, of dense
** fields: in rows that a walk scores; 0: no such way; all 0: nothing to choose from, without an index or with recall=1.
** way of sparse and text fields: index, scan, or made (an index of the segment's texts, in memory, by the first search).
** With sets of keys also "keys":[{"count","except"}]; with a budget also "budget":{"timeout_ms","max_scored","max_bytes"}. With max_scored each segment of a dense
** field also has "vectors_scored", what its way is expected to measure of one query, and, where that is more than is left, "ends":"max_scored"; way: none
** behind it. Legs have equal shares, candidates half. Where time or bytes will end is not foreseen.
** With legs, instead of segments: "fusion":{"kind","normalize","rrf_k", "penalty" or "formula"},"legs":[{"leg","name","field","kind","weight","against",
** "absent","hits","segments":[...]}]; kind: dense, sparse or text; absent: a number, null, "-inf" or "last hit"; hits: how many the leg gives at first.
** Of a query, or a leg, among candidates also "candidates":{"hits","field","kind","segments" or "fusion" and "legs","candidates"}; way: candidates.
** A leg with the option guide=LEG also has "guide", the number of that leg.
** What a search has done in truth, beside these estimates, is told by its result: quern_result_explain. */
QUERN_API int32_t quern_query_explain(quern_query *q, quern_text **json, quern_error *err) QUERN_MUST_USE;
/* How the search that gave r was done, the plan of each segment beside what was counted there, as JSON: {"queries","hits","exact",
** "partial","recall","field","kind","counts","time_ns","segments":[...],"legs":[...],"candidates","feedback"}. counts and time_ns are what
** quern_result_stat tells; "read":{"bytes","chunks","pages_cached"}. Of each segment (and "log") that was searched
**   "segment","records","matches","queries","way"   way: that of the plan: graph, codes, lists, scan; index, made of sparse and text fields
**   "estimate":{"selectivity","vectors_scored","vectors_refined","cost_ns","ways_ns":{"graph","codes","scan" or "lists"},"recall"}
**   "truth":{"ways","selectivity","vectors_scored","scored_by_walks",...,"vectors_refined",...,"read","cost_ns","time_ns"}
** All are sums over the queries (a leg that was searched again counts as one more), selectivities are means: estimated is the counted share
** of the field's values that the filter lets through, which a plan takes to be spread evenly; true is the share among those that walks with
** a filter have met. ways tells how many queries were answered how: a walk that gives up ends in codes or a scan. cost_ns are the constants
** that plans go by times the rows that were expected, or were there in truth; time_ns is the clock's (of text fields, of all threads
** together), loading included. null: nobody estimates that (sparse and text fields, ef, bounds without a limit). legs, candidates and feedback
** have "field","kind","counts","time_ns" and their own "segments". With a budget also "budget":{"timeout_ms","max_scored","max_bytes","left_out":[...]}: which of the
** three has run out ("timeout_ms",...); legs, candidates, feedback and segments that it has cut short have "left_out" of their own, a segment that the
** search has not come to nothing but that, "records" and "queries":0. Legs also "leg","name","lists","hits","looked_up"; what is
** searched among candidates has "candidates_scored" in place of segments. Any thread. Errors: INVALID (r is of no search). */
QUERN_API int32_t quern_result_explain(const quern_result *r, quern_text **json, quern_error *err) QUERN_MUST_USE;
/* What the scores of the hits of r are made of, r being a result that q had, as JSON: {"collection","hits":[{"query","key","score",
** "legs":[{"leg","name","field","kind","score","part","rank", ...}]}]}, hits in the order of rows; a query without legs is one leg, whose part is the
** hit's score. A leg that does not
** match the record, or whose own candidates it is not among, has the score null; name: its own, or that of its field; part: quern_result_leg_part; rank is its place among the
** leg's first hits (its limit, or 100, or q's limit if that is more), equal
** scores the same, also where they end (but under rrf, where only those that are in the list have a rank); null: it is not among them. Scores are as handed out, but where f32 has no room for one of a single field (a sum of huge
** weights) it is the double; of legs together that is null. Of a leg that matches also
**   of a sparse field   "parts":[{"dimension","weight","value","adds"}]: what query and record have in common; weight: the query's,
**                       value: the record's, adds: their product
**   of a text field     "parts":[{"term","weight","occurrences","value","adds"}]: the query's words, phrases and beginnings* as they are
**                       looked for; weight: idf, value: what the occurrences count for
**   of a dense field    "distance", and where an index goes by codes "codes" and "coarse", the distance that these tell
** With a formula each hit has "formula":{"text","values":{...}}: what legs (l0, l1, ...: part) and attributes were in it.
** In their order, adds are added up to the score to the bit. Records are looked up by their keys as of now, or in q's snapshot: one that
** is gone has "gone":true and no legs; one that was changed, its new scores. Cost: a search by each leg, and a look at each record's value in each field. Errors:
** those of quern_search, INVALID (r is of another number of queries, or of no search), TYPE. */
QUERN_API int32_t quern_explain_hits(quern_query *q, const quern_result *r, quern_text **json, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_query_count(quern_query *q, uint64_t *count, quern_error *err) QUERN_MUST_USE; /* of the records that match; no filter: all */

/* ---- Filters without a search: lists, facets, changes ------------------------------------------- since 0.1 -- */

/* These look at the query's filter and at what is said here; what it looks for, its bounds and its legs count for nothing. An order and a
** bookmark are for searches, too, as said below.
** quern_query_count above is one of them. */

/* The order of a list; NULL or "": by key, and of a search: the best first. Names of attributes, or of the key, each with its direction:
**   year desc, title nulls first, id desc
** Values are in the order in which SQLite compares them: numbers by value; texts, json, tags (as JSON arrays) and blobs by their
** bytes. Nulls come last, ascending or descending, unless `nulls first` stands behind. Ties are broken by key. Mistakes are told by
** quern_query_list, or quern_search, with the byte where they are: SQL, UNKNOWN_FIELD.
** A search finds the same hits (those of its page), with their scores, in this order; not with groups (INVALID). */
QUERN_API void quern_query_order(quern_query *q, const char *order);
/* Continue a list, or a search, behind this bookmark; NULL or "": from the beginning. Copied.
** A search with one query goes on with the hits that are farther than the last one of the page before, or as far with a higher key: in
** one snapshot an exact search gives each record once; through an index no record comes twice, and one that comes to light later than it should is passed
** over. In a newer state it goes on with what stands there now. Keep the limit: normalized scores and ranks of legs are by the first
** lists, whose length may depend on it. Cost: that of one with the limit of all pages so far. Errors, of quern_search: MALFORMED; INVALID (a bookmark of another search, by all that is looked for, or
** of a list: with another filter it goes on behind the same hit; several queries, an offset, groups, diversity, or limit 0 beside it). */
QUERN_API void quern_query_after(quern_query *q, const char *bookmark);
/* The records that match (no filter: all), in the query's order, at most quern_query_limit of them (default 10; 0: all), with its
** columns. To go on behind them, set the bookmark of this result and list again: in the same snapshot, that gives each record once; in
** a newer state, all those that stand behind the bookmark now, whether its own record is still there or not.
** QUERN_RESULT_MATCHES tells how many records match on all pages.
** Cost: that of the filter, a look at each match if there is an order, and a read of each row. Attributes to sort by are held in
** memory as those of filters are; where memory_mb has no room, and for the log, they are read from the file. Errors: those of the
** filter; MALFORMED, INVALID (a bookmark of another order or collection). */
QUERN_API int32_t quern_query_list(quern_query *q, quern_result **r, quern_error *err) QUERN_MUST_USE;
/* A text of letters, digits, - and _ for quern_query_after: where the last row of a list stands, or the last hit of a search with one query, a
** limit, and neither groups nor diversity. Of an empty page: the bookmark that it began behind. NULL for other results, and if there is nothing. */
QUERN_API const char *quern_result_bookmark(const quern_result *r);

/* How many of the records that match (no filter: all) have each value of an attribute: the n most frequent values (1 to 1048576), equally
** frequent ones in the order of values. Two columns: the value, and "count". Of tags each tag is counted. QUERN_RESULT_MATCHES tells how
** many records match, QUERN_RESULT_NULLS how many of these have no value, QUERN_RESULT_VALUES how many values there are.
** Cost: that of the filter, and a look at each match; memory as for lists. Errors: those of the filter; UNKNOWN_FIELD. */
QUERN_API int32_t quern_query_facet(quern_query *q, const char *attr, size_t n, quern_result **r, quern_error *err) QUERN_MUST_USE;

/* Deletes the records that match (no filter: INVALID), as quern_delete does; with txn, what it has written counts. *deleted (may be NULL)
** gets their number. */
QUERN_API int32_t quern_query_delete(quern_query *q, quern_txn *txn, uint64_t *deleted, quern_error *err) QUERN_MUST_USE;
/* What quern_query_update sets attributes to, as SQL has it behind SET:
**   year = ?1, lang = 'en', price = -1.5, good = true, note = null, tags = ('a', 'b')
** Constants and parameters only, of the attribute's type (a real takes whole numbers); tags take a list in brackets, or one that is bound
** (quern_query_bind_texts). Set it after quern_query_filter, which forgets it: parameters of the same name or number are those of the
** filter, others are numbered behind them. NULL: nothing to be set. */
QUERN_API void quern_query_set(quern_query *q, const char *assignments);
/* Changes the records that match (no filter: INVALID; the filter 1 matches all), as quern_update does: in one transaction, its own or
** txn, of which what it has written counts. *updated (may be NULL) gets their number. Mistakes in what is set are told with the byte
** where they are: SQL, UNKNOWN_FIELD, TYPE, INVALID. */
QUERN_API int32_t quern_query_update(quern_query *q, quern_txn *txn, uint64_t *updated, quern_error *err) QUERN_MUST_USE;

/* ---- What a search gives ------------------------------------------------------------------------- since 0.1 -- */

/* The shape of the result, of each query of a search, with legs or without. Shapes need more hits than they return, so the search
** is run again, deeper, until nothing behind can change them: a group that is hard to fill can take as long as a scan.
** With legs, scales and ranks are those of the lists that the legs give at first (their limits, or that of the query), as without a shape.
** In this order: near-duplicates are dropped; groups are made, or diverse hits chosen; the offset is passed over. Legs and queries
** for candidates have no shape.
**
** Passes over the first n hits (groups), up to 1048576; in one snapshot, pages fit together. */
QUERN_API void quern_query_offset(quern_query *q, size_t n);
/* Groups hits by an int, real, text or bool attribute, or the key. quern_query_limit then counts groups, those with the best
** hits; of each the first per_group hits (1 to 10000; or all it has). Rows of a group come together, the groups in the order of
** their best hits; quern_result_group tells the number of a row's group, from 0 (those that the offset passed over counted, too);
** -1 without groups. Records where the attribute is null are in no group. attribute NULL: no groups. */
QUERN_API void quern_query_group(quern_query *q, const char *attribute, size_t per_group);
QUERN_API int64_t quern_result_group(const quern_result *r, size_t row);
/* Diverse hits, by the cosines of their stored vectors in a dense field, whatever its metric (bits: of vectors of +1 and -1). A
** record without a vector is similar to none: 0. NULL: no diversity. Options:
**   duplicates=X   hits with a cosine of X or more (-1 to 1) to a better hit that stays are dropped. A cosine that is 1 but for
**                  the rounding of f32 (by less than 2^-24) counts as 1: 1 drops copies and multiples
**   lambda=X       maximal marginal relevance, 0 to 1: after the best hit each next one is the best by
**                  X * score - (1 - X) * its cosine to the most similar one before. Rows come in that order, with their scores
**   pool=N         hits that lambda chooses from, up to 65536 (default: five times limit + offset; set it to read pages); never fewer
**                  than limit + offset
**   scale=minmax|none   what lambda takes for a score: 1 for the best and 0 for the last of the pool (default), or the score */
QUERN_API void quern_query_diversify(quern_query *q, const char *field, const char *options);
/* Attributes and fields to return; as in quern_get. */
QUERN_API void quern_query_columns(quern_query *q, const char *columns);
/* Search in this snapshot; it must outlive the query's use. */
QUERN_API void quern_query_snapshot(quern_query *q, quern_snapshot *snap);
/* threads=N (default: the database's), self=include|exclude, filter_ms=N (how long SQLite may take for the filter; then LIMIT. Default
** 10 seconds, and 10 more for each million records, so that one which never ends does; 0: no bound. By the clock on the wall: where a busy
** machine leaves this process no time, a small N refuses filters that would take none; no text or blob that SQLite makes or reads for it may be
** larger than 16 MiB, or than twice the largest that it is given; of a
** filter's words and signs it is given 150000 at most, constants in lists behind in not counted, since nothing stops it while it reads them), and how an index is used:
**   recall=X       wanted share of the true nearest, above 0 up to 1 (default 0.95); the effort comes from a curve that
**                  was measured on held-out records when the index was built. 1 or exact: no index is used. Of a sparse field: default 1 (of pruned ones what their lists find), and less is of use with approx=graph
**                  alone. There a segment is asked by a walk if its curve tells one that gives X for k (to 100; below 10: for 10 as well) and costs less than an exact search, and is searched exactly if
**                  not: so are the log, segments without the graph (of less than 8192 vectors), those of which a filter and deletions leave less than a quarter, and
**                  queries of which a record has weights of the other sign. QUERN_FLAG_EXACT tells that no segment was asked by a walk; else QUERN_RESULT_RECALL is what
**                  the curves tell, measured with queries made of records: those that are unlike them may get less (quern_recall_audit measures it)
**                  Of a dense field with a graph a query whose results are farther than those of 99 in 100 records would be is asked again with more effort, or
**                  scanned, as no curve speaks for it ("far_queries" in quern_result_explain; not with refine=N; where max_scored leaves too little: QUERN_FLAG_PARTIAL)
**   ef=N           instead of recall (of a number: with both, ef counts; recall=exact stays exact): how many candidates a walk over a graph keeps (of a sparse field: with approx=graph); without a limit on k: how many beyond
**                  the bound
**   nprobe=N       instead of recall, as ef: how many cells of a list index are opened; more if these hold less than k records,
**                  fewer where bounds prove that the others hold nothing nearer. Without a limit on k: how many cells in a
**                  row may give nothing within the bound. Each kind of index has its own knob and passes over the other
**   refine=auto|exact|none|proof|N   how many of them are measured again with the stored vectors: as the curve says (auto, the
**                  default; with ef: all; with nprobe: 10 * k), all, none, N. proof: the answer is that of recall=exact, found by a
**                  scan over all codes of an index (i8, 4bit, packed, lvq, f16, bf16), after which so many are measured as it takes until bounds of the
**                  codes' errors prove that no other is as near; where they cannot (other codes, lists, files of before there were such bounds), or
**                  a scan of the vectors does as well, that is done. Only a max_scored of less than a scan makes it a walk. With none nothing is read, distances are those of
**                  the codes (QUERN_FLAG_UNREFINED), and the recall is not what was asked for but what the codes give: not beside recall=exact
**                  (INVALID). Lists take exact for 100 * k, none for auto
**   timeout_ms=N max_scored=N max_bytes=N   a budget, see below (default 0 each: no bound)
**   bound=X superblocks=N   of a sparse field (exact else; like terms= without effect on other fields): unread parts of an index count for X of their bounds, above 0, to 1 (but for N superblocks, 4); k = 10: 0.8 keeps 0.997 of the true records, 0.6 about 0.975
**   terms=N        of a sparse field, 0 to 65535 (default 0: all): approximate, but not beside recall=1 or exact, which stay exact, beside bound= as well; an index orders records by the N heaviest terms of the query,
**                  and scores the best 2 * k + 32 of these by all of its terms. bucket_weights=W,W,...: of a field with buckets=N, N numbers of at least 0 by which the query's weights in each are multiplied; in one
**                  of 0 a query's dimensions are as if they were not there: what shares no other with it does not match. With bound=, terms= and through
**                  pruned indexes QUERN_RESULT_RECALL is 0: not known (quern_recall_audit measures it) */
QUERN_API void quern_query_options(quern_query *q, const char *options);
/* A budget. A search that has spent one of the three ends with what it has, and its result is QUERN_FLAG_PARTIAL: true hits with true
** scores, in order, but others may have been better, and there may be fewer than k. QUERN_RESULT_LEFT_OUT tells which it was.
**   timeout_ms=N   from the call of quern_search on, all of it. Of several queries each has an equal share of the time that is left
**                  when it begins (scans without an index take turns of up to 128 queries); queries that time leaves nothing for have no rows. With
**                  legs, what these have found by then is fused query by query for half of timeout_ms more; queries after that have no rows. A filter that SQLite has not decided by then
**                  leaves nothing; what must be loaded is loaded whole (and is there the next time), and so are keys and columns
**                  of the hits: a search may end somewhat later
**   max_scored=N   records that are measured (as QUERN_RESULT_VECTORS_SCORED counts) for each query, in all fields and legs together: a query
**                  finds the same alone and among others, by however many threads, before and after vectors were loaded (of a fusion whose
**                  legs go through indexes as far as these are exact for all queries or for none: exact lists are made longer). Each has N. Less
**                  than a scan would need, it goes to an index if there is one (but for recall=exact, and for a walk that would meet fewer
**                  than k matches). Of a scan they are the first that match, by key
**   max_bytes=N    read from the file (QUERN_RESULT_BYTES_READ), for all queries together. Vectors are loaded whole only if that takes no
**                  more than is left: else they are scanned, or looked up, in the file, piece by piece, each time. Indexes, and columns
**                  that a filter needs, are loaded whole all the same, and count
** Spending is looked at between pieces of work, of which the first is always done: blocks of a scan, steps of a walk over a graph,
** cells of a list index, blocks of postings. So it may be somewhat more. Of a query that has several searches (legs, candidates, feedback, other filters) each does
** its first piece for what it may measure and the time it may take; but once others have read max_bytes, the next one reads nothing and finds nothing;
** of feedback, the second search then puts what the first has found in its order. Legs have equal shares of what is left when they begin; what one
** leaves, the next ones share. The query for candidates has half, feedback's first search has half, and there are at most
** max_scored / 2 candidates, all of which are scored. Once a search with legs has spent its budget, it looks up the scores of the k
** likeliest records that have none yet, and drops the others. A shape that would need more hits is made of those that there are, and nothing deeper is searched for.
** Options of legs and of queries for candidates say nothing about the budget: that of q is that of all. */
/* Makes the search of another query a leg of q, which then has legs instead of vectors or keys of its own: each record's
** scores in all legs become one (quern_query_fusion). leg is another query of the same collection, without legs; it is
** copied, may be freed, and its buffers are borrowed until q is freed. It has no filter: that of q is that of all legs. Of its
** settings columns and snapshot count for nothing; its limit is how many hits its list has at first (default 100, or q's limit if that is more): no more, of
** equal ones at the end those with the lowest keys, wherever they lie. A bound of its own is what it matches at all; limit 0 needs one (INVALID). All legs have as many queries: query i of one goes with query i of the others. weight is at
** least 0 and finite; with 0 the leg finds nothing, but its scores are told. Up to 64 legs. Options (NULL: none):
**   absent=X    what a record counts as that the leg does not match: because it has no value in the field, or has no term in
**               common with a sparse or text query. Default 0; -inf under l2 and hamming, where 0 is the best there is, which
**               keeps the record out of a sum's result. With normalize the default is 0 as well under a sparse or text field, which
**               is what such a record scores, so that none is behind it that matches with a score above 0; of a dense field the score of the leg's last hit.
**               Where all hits of the leg have one score, it is less: what becomes 0 (zscore: -1; under a sparse or text field
**               whose hits are above 0 that is what scores 0, and weaker matches are between); where it has none, 0. Nothing with kind=rrf
**   against=1   with kind=best: the leg finds nothing, its scores count against a record
**   name=NAME   what a formula calls the leg, and a stored fusion
**   guide=LEG   of a dense leg: looks where the first hits of that leg are, too, one in a sparse or text field, by its name or field:
**               a list index opens the cells that have the most of them (the first ones count more) beside as many nearest cells;
**               with nprobe=N every other of the N. In a sum (normalize=none) of these two alone, cells that hold nothing which could
**               get past the guide's hits are passed over. A graph is entered at them as well. Scans
**               and the log are as without
** A record that a leg looks for by its own key is in no leg's hits, and takes no place there, unless that leg has self=include. */
QUERN_API void quern_query_leg(quern_query *q, quern_query *leg, double weight, const char *options);
/* How legs are fused:
**   kind=sum    (default) the sum of weight * score. A score that a leg did not give is looked up, not guessed, and while
**               the legs are exact their lists are made longer until the result is proved to be that of all records. A record whose
**               sum is no number (inf - inf) or -inf is not in the result
**   kind=max    the highest weight * score, likewise; legs of weight 0 count for nothing
**   kind=best   examples for and against: the highest weight * score over the legs for it, less penalty * what the highest of
**               the legs with against=1 has more than that. Scores are taken as they are
**   kind=rrf    the sum of weight / (rrf_k + rank) over the legs that gave the record in their first lists; scores count for nothing. A
**               rank is 1 + the number of hits in the list with a higher score, so that equal hits have equal ranks. Quality is
**               often worse than with sums: never a default
**   normalize=none|minmax|zscore|distribution   what is done to a leg's scores before: nothing (default); 0 for its last
**               and 1 for its first hit; mean 0 and standard deviation 1; 0 and 1 for mean -+ 3 standard deviations. By the
**               hits that the leg gives at first: its limit, of equals at the end those of the lowest keys (ranks likewise). Not with
**               kind=rrf or best
**   rrf_k=X     default 60; with kind=rrf only
**   penalty=X   default 0.5; with kind=best only
**   weights=X,X,...   in place of the weights that the legs were given (quern_fit_fusion tells which)
**   stored=NAME  all of it as the collection keeps it under that name (quern_store_fusion, quern_fit_fusion), looked up when q is
**               searched; alone. Each leg gets the weight that is kept for its name, or its field if it has none, in whatever order
**               the legs were added. NOT_FOUND lists the names that there are, INVALID tells which legs a stored fusion is for
** The fused score is quern_result_score; distances are its negative. Cost: that of the legs, and a look at a stored value for
** each score that was not given. */
QUERN_API void quern_query_fusion(quern_query *q, const char *options);

/* Lets q find only what another query finds, its candidates: these are measured with the stored values, all of them, and
** nothing else is searched. So a cheap search chooses what a dear one scores:
**   codes, then vectors        quern_query_options(from, "refine=none"); from and q in the same field
**   terms, then vectors        from in a sparse or text field, q in a dense one; or the other way round
**   short, then long vectors   from in a field with the first dimensions of each vector
** from is another query of the same collection; it is copied and may be freed, its buffers are borrowed until q is freed. It
** may have legs, and candidates of its own, up to 8 deep; so may the legs of q, whose candidates count for that leg alone.
** Query i finds what is among the candidates of query i of from; both have as many. from has no filter: that of q is that
** of all. Its limit is how many candidates there are (default 100, or q's limit if that is more); columns and snapshot count
** for nothing. quern_query_limit(q, 0) returns all that match. The result is QUERN_FLAG_EXACT if the candidates were found
** exactly, QUERN_RESULT_RECALL is that of the search for them, and its cost is that of both. NULL: none, as in the
** beginning. Errors: MISUSE (from is q), INVALID, LIMIT (deeper, or more than 256 searches in one query). */
QUERN_API void quern_query_candidates(quern_query *q, quern_query *from);

/* Makes n query vectors for a dense field out of others, in place of quern_query_dense: each is the sum of its terms, which are
** vectors or the stored vectors of records, with weights of any sign. Terms are added afterwards, in any order, at least one a
** query, and copied; up to 1048576. So one says
**   the average of several queries        every weight the same (questions with made-up answers, several views of a thing)
**   king - man + woman                    1, -1, 1
**   like these, unlike those              1/p for each of p examples, -0.5/n for each of n against it (average; see also kind=best)
**   a label out of shares of labels       the shares, scale=mean (ConSE)
** Options:
**   terms=unit|raw         each term counts as one of length 1 (default under QUERN_COSINE), or as it is (default else)
**   scale=none|mean|unit   the sum as it is (default), divided by the sum of the weights (INVALID where that is not above 0), or brought to length 1
** Sums are made in double precision, in the order of the terms. A record that is a term does not find itself, unless
** self=include is set. Errors: NOT_FOUND (no such key, or its field is absent), TYPE (of keys; bit fields have no sums),
** DIMENSION, NOT_FINITE, INVALID, LIMIT, MISUSE (a term without quern_query_compose). */
QUERN_API void quern_query_compose(quern_query *q, const char *field, size_t n, const char *options);
QUERN_API void quern_query_term_dense(quern_query *q, size_t query, double weight, const float *vector, size_t dim);
QUERN_API void quern_query_term_key_int(quern_query *q, size_t query, double weight, int64_t key);
QUERN_API void quern_query_term_key_text(quern_query *q, size_t query, double weight, const char *key);
/* Pseudo-relevance feedback: q is searched twice; the records that the first search finds move the query of the second, of a dense
** field, or of a sparse or text one: then their heaviest dimensions, or words, come to it.
** It helps searches for a topic and hurts those for one known record. Options (NULL: the defaults):
**   kind=average       (default) the mean of the query and the vectors of the first 3 records
**   kind=rocchio       alpha * the query + beta * the mean of the first 5 records (of terms: 10)
**   docs=N             so many records instead, 1 to 1000; records without a vector there count for nothing
**   alpha=X beta=X     of kind=rocchio; default 0.4 and 0.6 (of terms: 1 and 0.75); not both 0
**   terms=N            of a sparse or text query: so many dimensions or words of the records, 1 to 1000 (default 50)
**   leg=N              of a query with legs: the one that is moved (default: the only one in a dense field, or the only one)
**   before=X after=X   what the weights of its other legs are multiplied with in the first search, and in the second (default
**                      1 and 1; 0: the dense leg alone finds the records, or makes up the result)
** Under QUERN_COSINE vectors count with length 1; so do the sparse vectors and the words of records, these with what they add to a BM25
** score, and their sum is then as long as the query (each of its words counts for 1). Words with + and - stay so. Bounds and limits of q are those of the second search. The result's cost is
** that of both searches; it is QUERN_FLAG_EXACT if both were. A query with feedback can be one for candidates, but no leg. */
QUERN_API void quern_query_feedback(quern_query *q, const char *options);
/* A formula in place of a kind of fusion (the later of the two calls counts; NULL: none): what it makes of the scores in
** the legs, and of attributes, is the score. One leg is enough, so boosts and decays are formulas, too:
**
**   0.7 * emb + 0.3 * terms + 0.1 * exp(-age / 30)
**   body * if(lang_ok and year >= :since, 1.5, 1) + gauss_decay(price, 100, :width)
**
**   names       the first of these that is called so: a leg, by the name that its option name=NAME gave it; an int, real or
**               bool attribute, or an int key; a leg by its field, if no other leg without a name searches it (a field called
**               l1 as well); a leg by its number: l0, l1, ... Quote a name
**               with other characters: "my age". Weights are the formula's: legs have weight 1, or 0 for a leg that finds
**               nothing and is only asked for scores
**   numbers     1, .5, 2e-3, true (1), false (0), null; everything is computed in double precision
**   operators   from those that bind least: or; and; not; < <= > >= = <> (1 or 0); + -; * /; - (of one); ^ (from the right)
**   functions   abs exp ln log2 log10 sqrt pow(x, y) min(x, ...) max(x, ...) if(condition, then, else) coalesce(x, ...)
**   decays      gauss_decay, exp_decay, linear_decay(x, origin, scale [, offset [, value]]): 1 up to the distance offset
**               (default 0) of x from origin, and value (default 0.5, between 0 and 1) at offset + scale; beyond, u = (distance
**               - offset) / scale gives value ^ (u * u), value ^ u, and max(0, 1 - (1 - value) * u). Scale, offset and
**               value are constants
**   parameters  ?1, :name, @name, $name: quern_query_formula_bind
**
** What a leg counts as that does not match a record: its option absent, as for sums; absent=null: null, for coalesce.
** null is also an attribute without a value, x / 0, a logarithm of what is not above 0, a root of what is below 0, inf - inf, 0 ^ a number below 0,
** a number below 0 (-inf as well) ^ one that is not whole,
** and whatever is computed of null, but for coalesce, `if` (null is not true), `and` and `or` (as in SQL). A record whose score
** is null or -inf is not in the result. Infinities are values otherwise; +inf comes first.
**
** Which records are scored: those of the legs' first hits (their limits), with true scores in all legs. As long as the legs are
** exact and it can be proved what the formula may give at most for all others, the lists are made longer until no other
** record can enter, as for sums; the result then is that of all records that any leg matches, and QUERN_FLAG_EXACT says so.
** That works for weighted sums, for whatever grows with the scores, and for attributes inside decays, bools, or, while
** the log is empty, anything bounded (quern_optimize empties it). It does not for a score times what may be negative:
** then the first hits must do (never less than k results, though, if there are so many), without that flag.
** A weighted sum by formula is kind=sum to the bit.
** Errors, told by quern_search, with the byte of the formula from 0: MALFORMED, UNKNOWN_FIELD, TYPE (an attribute that is no
** number), INVALID (parameter without a value, decay without constants), LIMIT (64 KiB, 64 terms in each other, 4096 steps). */
QUERN_API void quern_query_formula(quern_query *q, const char *formula);
/* The value of a parameter of the formula, after quern_query_formula, which forgets those of before. parameter: as the formula
** has it, ":width" or "?1". NaN: null. INVALID: there is no such parameter. */
QUERN_API void quern_query_formula_bind(quern_query *q, const char *parameter, double value);

/* Learns weights and normalization from judged examples: those under which the sums of the scores of q's legs rank the good
** records best. Example i says that the record of key i of the batch has been judged for query queries[i] of q, with a gain
** (gains NULL: 1 each; 0: of no use; at least 0 and finite); keys that do not exist count for nothing, if there are others. q has legs and is not
** changed; its weights and normalization are where the search starts, and what is told where nothing is better. Options:
**   metric=ndcg|mrr   what is made better: normalized discounted gain (default), or one over the rank of the first good record
**   k=N               of the first N records (default 10)
**   store=NAME        also keeps what was learned with the collection, as quern_store_fusion does (writes to the file)
** *fusion gets options for quern_query_fusion, for the application to keep: "kind=sum normalize=zscore weights=1,0.25".
** quality (may be NULL) gets two numbers: the metric's mean over the judged queries before, and with what was learned, by the
** lists that the legs give at first. Judge what was learned by other queries: these know it by heart. Cost: one search by
** each leg, and some hundred rankings of their lists a query. Errors: INVALID (no legs, feedback, kind not sum, a query
** number beyond q's, no judgment above 0), NOT_FOUND (none of the records judged above 0 exists; the message has a key), TYPE (of the keys). */
QUERN_API int32_t quern_fit_fusion(quern_query *q, quern_batch *keys, const size_t *queries, const float *gains,
                                   const char *options, quern_text **fusion, double *quality, quern_error *err) QUERN_MUST_USE;
/* Keeps how q's legs are fused (kind, normalization, weights; not a formula) with q's collection, in one transaction: it is there
** after reopening, in backups, and gone with the collection. One that has the name is replaced; names count without ASCII case, and have
** no spaces, commas, quotes or "=". Legs are kept by their names, or fields: give names to legs that share a field. Up to 256 a
** collection. quern_info lists them. A file in which fusions were stored is not opened by libraries that know none (NEWER). Errors: INVALID, LIMIT,
** NOT_FOUND, and those of writing. */
QUERN_API int32_t quern_store_fusion(quern_query *q, const char *name, quern_error *err) QUERN_MUST_USE;
/* NOT_FOUND lists the names that there are. */
QUERN_API int32_t quern_drop_fusion(quern_db *db, const char *collection, const char *name, quern_error *err) QUERN_MUST_USE;

/* Measures what recall the query's own searches have: runs it as it is set and exactly, and compares the hits. Ask with real queries, a
** hundred or more: curves that tell the effort for a recall are measured on records, and queries unlike these may get less, or more, than
** they were told. Options (NULL: none):
**   sample=N                of so many of its queries, evenly spread (default: all)
**   keep=no|yes|forget      yes: also measures each dense field (of the query, or of its legs) over the recalls that may be asked for, and
**                           keeps with the field what they deliver. From then on recall=X asks the curves for the least that was measured to give such queries X,
**                           in this and all later segments; where no effort does, the search is a scan. Takes 50 queries at the least,
**                           and counts for one kind of queries: keep what those tell that are asked in earnest. A query without a dense field is
**                           refused (INVALID): of sparse and text fields nothing is kept. forget: takes it back
** *json gets {"queries":n, "part":"query", "field", "k", "recall", "error", "told", "parts":[...], "loses", "kept":[{"field", "delivers"}]}.
** recall: the mean share of the exact hits that were found, ties with the last counted as found; error: its standard error. told: what the
** search promised (1: it was exact; null: nothing). parts: the same of the search for candidates and of each leg by itself (its name, or
** "leg N"), loses: the one that has the least, null if all have 1. delivers: the option of that name that the field has now (asked:delivered,...); a
** field that is scanned keeps what it had.
** A budget counts for nothing. Cost: an exact search and one as set, of the whole and of each part; with keep=yes 16 to 32 more a field. Errors: those of quern_search;
** INVALID (offset, groups, diversity, no limit, too few queries, nothing to keep it for); with keep also those of writing. */
QUERN_API int32_t quern_recall_audit(quern_query *q, const char *options, quern_text **json, quern_error *err) QUERN_MUST_USE;

/* Corrects searches for hubs (records that are near to nearly every query) and for gaps between kinds of records (images are farther
** from a text than texts are). For each record with a value in a dense field (no bits) it measures how near the record is to what is
** asked, and writes that to a real attribute; null for the others. A formula takes it from the score of a leg (quern_query_formula):
**
**   kind=csls     (default) the mean score of its k best                         2 * emb - hub
**   kind=softmax  temperature * ln(the sum of exp(score / temperature))          emb - hub
**   kind=scaling  its distance to the k-th nearest (Euclid's, of vectors of      QUERN_L2: emb / (hub * hub); QUERN_COSINE: (emb - 1) / hub
**   kind=nicdm    length 1 under QUERN_COSINE), or its mean distance to k        the same
**                 These two are for metrics with a distance: under QUERN_IP
**                 its negative products stand for it, and no formula is known
**   kind=zscore   the mean of all scores; their standard deviation goes to       (emb - hub) / spread
**                 the attribute that deviation=NAME names. by=ATTRIBUTE: of
**                 all records together that have the same value there
** vectors: n queries of the kind that will be asked (f32, of the field's dimension; rows one after the other), not those by which
** quality is judged. n 0: a sample of the records themselves stands for them, and none is measured against itself. Options:
**   k=N            default 10                        temperature=X   default 0.02
**   sample=N       of the records, when n is 0 (default 10000; softmax and zscore 1000)
**   threads=N      default: the database's
** One transaction; attributes of sealed records change in place, and indexes stay. A record that is written afterwards has null until
** the next call: coalesce(hub, 0.3). Give the leg a limit: a formula orders what its leg has found. Cost: a product of each record's
** vector with each query. Errors: UNKNOWN_FIELD, TYPE (no real attribute; bits), DIMENSION, NOT_FOUND (also: a record was deleted
** meanwhile; nothing is written), INVALID. */
QUERN_API int32_t quern_measure_hubs(quern_db *db, const char *collection, const char *field, const char *attribute,
                                     const float *vectors, size_t n, size_t dim, const char *options,
                                     quern_error *err) QUERN_MUST_USE;

/* Runs the query over the log and all segments, under one snapshot. The query may be run again. The log and segments without
** an index are searched exactly; where an index was used, QUERN_FLAG_EXACT is not set, and QUERN_RESULT_RECALL tells what to
** expect, unless all codes were looked at and bounds of their errors prove that nothing else is as near (always with refine=proof, mostly with
** refine=exact, by chance otherwise): that is exact as well. Without a bound always min(k, n) results of n live records that match the filter: a walk that meets too few of them is
** followed by a scan. Cost of an exact search: reads every vector of
** the field once per block of queries. Cost through an index: about 20 * ef codes, or all codes in the cells
** that are opened, and `refine` vectors a query. */
QUERN_API int32_t quern_search(quern_query *q, quern_result **r, quern_error *err) QUERN_MUST_USE;

/* ---- Results ------------------------------------------------------------------------------------- since 0.1 -- */

/* A result is a table of rows with a key, columns, and (after a search) a distance and a score. Rows of query i are
** quern_result_offset(r, i) up to but not including quern_result_offset(r, i + 1). Row or column out of range gives 0
** or NULL. Any thread may read; one at a time frees. */
QUERN_API void quern_result_free(quern_result *r);
QUERN_API size_t quern_result_rows(const quern_result *r);
QUERN_API size_t quern_result_queries(const quern_result *r);                /* 1 for get, scan, sql */
QUERN_API size_t quern_result_offset(const quern_result *r, size_t query);   /* 0 <= query <= queries */
/* Every answer is the exact one: all was measured, or bounds prove that nothing else is as good. Distances of dense vectors are
** those of f32 (DISTANCES AND SCORES, above): vectors that f32 finds equally far are ranked by their keys. */
#define QUERN_FLAG_EXACT 1u
#define QUERN_FLAG_DEGRADED 2u /* a derived part was missing or damaged; answers are right, run quern_rebuild */
#define QUERN_FLAG_UNREFINED 4u /* refine=none: distances are those of codes, which are approximate */
#define QUERN_FLAG_MEMORY 8u   /* an index was not used because memory_mb does not allow to load it; the answer
                                  is exact and slow. QUERN_RESULT_MEMORY_NEEDED tells how much would do */
#define QUERN_FLAG_PARTIAL 16u /* timeout_ms, max_scored or max_bytes ended the search: others may have been better */
QUERN_API uint32_t quern_result_flags(const quern_result *r);
/* What a search has cost, over all its queries; 0 for other results and unknown numbers. The bytes are those of the
** pages of 16 KiB that were read for it from the file or its log, loading included; whether the system had them in
** memory is not seen. */
#define QUERN_RESULT_BYTES_READ 1
#define QUERN_RESULT_VECTORS_SCORED 2   /* vectors or codes that walks and scans have measured, once for each query. Scans: of records that
                                           may be found (alive, let through by the filter) and have a value; text: of these, records that
                                           have a word of the query, in the blocks that were opened */
#define QUERN_RESULT_VECTORS_REFINED 3  /* candidates that were measured again with their stored vectors */
#define QUERN_RESULT_VECTORS_READ 4     /* of these, how many were not in memory */
#define QUERN_RESULT_MEMORY_NEEDED 5    /* bytes that memory_mb must allow for all indexes of the search to be used, beside all that the handle holds, also of other collections: nothing is given up for them; 0: it does */
#define QUERN_RESULT_RECALL 6           /* expected share of the true results, in millionths: 1000000 where everything was
                                           scanned, else the least that the plans for the segments stand for: the recall that
                                           was asked for, or what the measured curve says of the ef, nprobe or refine given;
                                           0: not known (refine=none, or beyond the curve). Curves are measured with records
                                           of the segment, for 1, 10 and 100 results: other k are told what the next of these
                                           would get, which is far too little for an ef or nprobe below it. Queries unlike the
                                           records may get less (quern_recall_audit) */
#define QUERN_RESULT_MATCHES 7          /* of a list or facet: records that the filter is true for */
#define QUERN_RESULT_NULLS 8            /* of a facet: of these, how many have no value */
#define QUERN_RESULT_VALUES 9           /* of a facet: how many values they have */
#define QUERN_RESULT_LISTS 10           /* of a search with legs: how often legs were searched; each made its list once at least,
                                           and again, longer, where the shorter one proved too little */
#define QUERN_RESULT_HITS 11            /* hits in the last list of each leg and query, all together */
#define QUERN_RESULT_LOOKED_UP 12       /* scores that legs had not given and that were looked up */
#define QUERN_RESULT_LEFT_OUT 13        /* of a QUERN_FLAG_PARTIAL result: what the search ran out of, 1 for timeout_ms + 2 for
                                           max_scored + 4 for max_bytes */
/* Of sparse and text fields (scans without an index have none of these): */
#define QUERN_RESULT_POSTINGS 14        /* postings that were added up */
#define QUERN_RESULT_BLOCKS 15          /* superblocks of records with a term of the query, whose bounds were looked at */
#define QUERN_RESULT_BLOCKS_OPENED 16   /* of these, how many were opened; the bounds of the others promised too little */
/* Of list indexes: */
#define QUERN_RESULT_CELLS_OPENED 17
#define QUERN_RESULT_CELLS_PASSED 18    /* cells that were due, in which bounds proved nothing nearer */
#define QUERN_RESULT_CELLS_GUIDED 19    /* cells that were due because of a guide (quern_query_leg), not for being near */
/* How long it took, in nanoseconds of a monotonic clock; of a leg, its own SEARCH, REFINE and LOOKUP. TOTAL is the whole search; FILTER,
** SEARCH, LOOKUP, FUSE and FETCH are stages of it, one after the other, beside which there is little else. */
#define QUERN_RESULT_TOTAL_NS 20
#define QUERN_RESULT_FILTER_NS 21       /* opening the collection as of the snapshot, and deciding which records match the filter */
#define QUERN_RESULT_SEARCH_NS 22       /* finding hits and candidates in fields, from making the queries ready and loading indexes on */
#define QUERN_RESULT_REFINE_NS 23       /* measuring candidates with stored values; within SEARCH that of all threads together; of
                                           candidates from another query beside it */
#define QUERN_RESULT_LOOKUP_NS 24       /* looking up scores that legs had not given */
#define QUERN_RESULT_FUSE_NS 25         /* making one list of those of the legs, columns of a formula included */
#define QUERN_RESULT_FETCH_NS 26        /* keys and columns of the hits, and their shape */
#define QUERN_RESULT_CHUNKS_READ 27     /* chunks of segments that were read from the file and unpacked */
#define QUERN_RESULT_PAGES_CACHED 28    /* pages of the file that were wanted and found in SQLite's cache (BYTES_READ has the others) */
#define QUERN_RESULT_VECTORS_CACHED 29  /* stored vectors that were looked at and found in memory; VECTORS_READ were not */
/* Of QUERN_RESULT_VECTORS_SCORED (the rest are vectors that scans have measured, and records of the log, sparse and text fields): */
#define QUERN_RESULT_SCORED_BY_WALKS 30
#define QUERN_RESULT_SCORED_BY_CODES 31
#define QUERN_RESULT_SCORED_IN_CELLS 32
QUERN_API int64_t quern_result_stat(const quern_result *r, int32_t stat);
QUERN_API int32_t quern_result_found(const quern_result *r, size_t row);     /* quern_get: was the key there? */
QUERN_API int64_t quern_result_key_int(const quern_result *r, size_t row);
QUERN_API const char *quern_result_key_text(const quern_result *r, size_t row);
QUERN_API float quern_result_distance(const quern_result *r, size_t row);
QUERN_API float quern_result_score(const quern_result *r, size_t row);
/* After a search with legs: how many; and the score of a hit in one of them, before weight and normalization, as exact as
** that leg searched alone. NaN where the leg does not match it; with kind=rrf also where the leg did not give it. */
QUERN_API size_t quern_result_legs(const quern_result *r);
QUERN_API double quern_result_leg_score(const quern_result *r, size_t row, size_t leg);
/* What the leg adds to the score: weight * normalized score, with what counts where the leg does not match; weight / (rrf_k +
** rank), or 0. Added up in the order of legs they are the score. With kind=max it is the score for the leg that has it (the first
** such), 0 for the others; with kind=best also what the first leg that is most against it takes away. With a formula: what its name for the leg stood for (NaN: null). */
QUERN_API double quern_result_leg_part(const quern_result *r, size_t row, size_t leg);
/* What one leg has cost, over all queries: the QUERN_RESULT_* of quern_result_stat, which tells their sums (of MEMORY_NEEDED what
** all legs need together, of RECALL the least; BYTES_READ and the times have also what is no leg's: the filter, fusing, keys and columns). 0 if there is no such leg. */
QUERN_API int64_t quern_result_leg_stat(const quern_result *r, size_t leg, int32_t stat);
/* The same as arrays of quern_result_rows entries; NULL when the result has none. */
QUERN_API const int64_t *quern_result_keys_int(const quern_result *r);
QUERN_API const char *const *quern_result_keys_text(const quern_result *r);
QUERN_API const float *quern_result_distances(const quern_result *r);
QUERN_API const float *quern_result_scores(const quern_result *r);
QUERN_API const size_t *quern_result_offsets(const quern_result *r);          /* quern_result_queries + 1 entries; NULL on NULL alone */
QUERN_API int32_t quern_result_key_type(const quern_result *r);               /* QUERN_INT or QUERN_TEXT, also without rows */
/* Columns in the order asked for ("*": attributes, then fields). */
QUERN_API size_t quern_result_columns(const quern_result *r);
QUERN_API const char *quern_result_column_name(const quern_result *r, size_t col);
QUERN_API int32_t quern_result_column_type(const quern_result *r, size_t col); /* QUERN_INT .. QUERN_SPARSE; sql: per value */
/* For quern_sql: the type of this value, 0 if null. Otherwise the column's type, 0 if null or absent. */
QUERN_API int32_t quern_result_type(const quern_result *r, size_t row, size_t col);
QUERN_API int64_t quern_result_int(const quern_result *r, size_t row, size_t col);   /* int, bool */
QUERN_API double quern_result_real(const quern_result *r, size_t row, size_t col);   /* real, int */
/* text, json, tags (as a JSON array), blob; *size (may be NULL) gets the bytes without the NUL that follows them. */
QUERN_API const char *quern_result_text(const quern_result *r, size_t row, size_t col, size_t *size);
/* A vector in the field's own element type; *dim (may be NULL) gets the dimension. NULL when absent. */
QUERN_API const void *quern_result_dense(const quern_result *r, size_t row, size_t col, size_t *dim);
/* The dimensions of a sparse vector, ascending; *weights (may be NULL) gets their weights, *n (may be NULL) their number. NULL when
** absent; an empty vector is not. */
QUERN_API const uint32_t *quern_result_sparse(const quern_result *r, size_t row, size_t col, const float **weights, size_t *n);
/* Element type, and dimension, of a dense column, whether or not a row has a vector there; 0 of any other. */
QUERN_API int32_t quern_result_dense_type(const quern_result *r, size_t col);
QUERN_API size_t quern_result_dense_dim(const quern_result *r, size_t col);

/* Whole columns, copied into arrays of the caller with a place for each of quern_result_rows rows (Arrow's and numpy's form, but
** for valid, which has a byte a row: 1 or 0). Each returns how many rows have a value of that kind, 0 for another kind of column; rows without
** one get 0 and valid 0. Arrays that are NULL are left out, so that a call can count. Any thread. */
QUERN_API size_t quern_result_column_int(const quern_result *r, size_t col, int64_t *values, uint8_t *valid);   /* int, bool */
QUERN_API size_t quern_result_column_real(const quern_result *r, size_t col, double *values, uint8_t *valid);   /* real, int, bool */
/* text, json, tags, blob: row i is the bytes offsets[i] up to but not including offsets[i + 1] of text, without a NUL. offsets has
** rows + 1 places; the last one is what text must hold, so call with text NULL first. */
QUERN_API size_t quern_result_column_text(const quern_result *r, size_t col, int64_t *offsets, char *text, uint8_t *valid);
/* A row-major matrix of the field's element type and dimension (of bit fields: whole bytes, dim / 8 rounded up, a row). */
QUERN_API size_t quern_result_column_dense(const quern_result *r, size_t col, void *matrix, uint8_t *valid);

/* ---- Texts -------------------------------------------------------------------------------------- since 0.1 -- */

QUERN_API const char *quern_text_data(const quern_text *t); /* NUL-terminated; "" for NULL */
QUERN_API size_t quern_text_size(const quern_text *t);
QUERN_API void quern_text_free(quern_text *t);

/* ---- Maintenance -------------------------------------------------------------------------------- since 0.1 -- */

/* Seals the log and merges segments so that each collection (NULL: every) is one segment without dead records, builds the indexes
** that fields ask for, and gives freed space back. It deals with what is there when it comes to a collection and then ends, however fast others go on writing: what they
** add, replace or delete meanwhile is left to a later call. max_ms > 0 stops at about that time and leaves a good state; call
** again to go on. The build of one index cannot be divided: where it would take longer than max_ms it is left out, in every call (quern_info tells it: "due").
** Readers and other writers keep working. Memory is bounded whatever the size. */
QUERN_API int32_t quern_optimize(quern_db *db, const char *collection, uint32_t max_ms, quern_error *err) QUERN_MUST_USE;
/* Rewrites the whole file without free space, in key order; needs as much free disk as the file twice over. After
** quern_optimize and quern_vacuum the bytes of deleted records are in no page and no log. BUSY while other
** connections hold snapshots longer than busy_ms. */
QUERN_API int32_t quern_vacuum(quern_db *db, quern_error *err) QUERN_MUST_USE;
/* Copies a snapshot of the database to a new file (EXISTS if there is one) while others read and write. It copies pages, each
** after its checksum has been proven; that the content fits together is not looked at: damage that was written with a good
** page checksum goes along. quern_verify, of either file, proves more. */
QUERN_API int32_t quern_backup(quern_db *db, const char *path, quern_error *err) QUERN_MUST_USE;
/* Reads and proves everything: page checksums and B-trees, schema, chunk checksums, decoding, counts, digests, that every record has its
** vectors. QUERN_OK or QUERN_ERR_CORRUPT. *report (may be NULL) gets JSON either way:
** {"ok":bool, "pages":n, "collections":[{"name","records","segments","chunks"}],
**  "problems":[{"collection","segment","part","chunk","message"}]}. Cost: one read of the file. */
QUERN_API int32_t quern_verify(quern_db *db, quern_text **report, quern_error *err) QUERN_MUST_USE;
/* Makes missing or damaged derived parts, indexes among them, anew (collection NULL: of all). Records are never touched. Where the B-tree
** of all chunks is damaged it is written anew in one transaction, then the file without damaged pages: disk for both, BUSY while snapshots are held.
** CORRUPT: all else was restored, and the message names what is lost, or the table that is hurt. Cost: the builds, and three reads of the file. */
QUERN_API int32_t quern_rebuild(quern_db *db, const char *collection, quern_error *err) QUERN_MUST_USE;

/* JSON: version, path, file and WAL bytes, pages, generation, memory by part, limits, and for each collection its schema, records,
** log rows, segments, parts with chunks and bytes, and "fusions":[{"name","options"}], those that quern_store_fusion keeps;
** of a sparse field with token weights "token_weights":{"tokens","options","stored_bytes"}. Each segment has
** "indexes":[{"field","kind","codes","vectors","stored_bytes","memory_bytes","damaged","due"}], one for each field that any of its records
** has: kind graph or lists, sparse, text, or none (searches scan it, or make an index of texts in memory); codes as the option has
** them, those that codes=auto chose among them, bit for bit fields, "" where there is no index or it cannot be told; memory_bytes: of the index when it is
** loaded whole, without the vectors; damaged: the description of a graph or lists cannot be read, or is of another version's layout
** (quern_verify reads the rest); due: there is none of the kind that the field wants, and quern_optimize with enough time makes it; and "columns":[{"attribute","state","values","stored_bytes","memory_bytes"}] of the key and each
** attribute, what filters find ready: state none, kept, left out (long texts), outdated or damaged; values: different ones. Nothing is
** loaded for this. */
QUERN_API int32_t quern_info(quern_db *db, quern_text **json, quern_error *err) QUERN_MUST_USE;

/* What a sparse field holds, and what queries go through because of that, as JSON, counted over the live records: {"field","records",
** "vectors","empty","entries","entries_per_vector","dimensions","flops","ideal_flops","imbalance","share_of_100","postings_per_query",
** "lists":{"gini","mean","median","p90","p99","most"},"longest":[{"dimension","vectors","share"}],"queries"}. A list is the vectors that
** have a dimension: their lengths, of 10 the dimensions. flops: the sum over all dimensions of the share of vectors times the share of
** queries that have it (Paria et al., ICLR 2020); times the vectors that is postings_per_query, which an exhaustive search touches;
** ideal_flops: if all dimensions were as frequent; imbalance: the one by the other; share_of_100: what the 100 heaviest dimensions
** make of flops; gini: 0 when all lists are as long, towards 1 when few hold all.
** n queries as for quern_query_sparse, without weights; 0: the records stand for them. With queries, "queries" is
** {"count","entries_per_query","postings":{"median","p90","p99","most"}}, else null. Cost: a read of the field's dimensions, and about 40
** bytes of memory for each distinct one. Errors: UNKNOWN_FIELD, TYPE (not a sparse field), and those of quern_batch_sparse for queries. */
QUERN_API int32_t quern_sparse_stats(quern_db *db, const char *collection, const char *field, quern_snapshot *snap,
                                     const size_t *offsets, const uint32_t *dims, size_t n, quern_text **json,
                                     quern_error *err) QUERN_MUST_USE;

/* Single figures, for programs that watch; an unknown one is QUERN_ERR_INVALID. */
#define QUERN_STAT_FILE_BYTES 1
#define QUERN_STAT_WAL_BYTES 2
#define QUERN_STAT_MEMORY_BYTES 3   /* vectors, ids and logs held in memory by this handle */
#define QUERN_STAT_SEGMENTS 4
#define QUERN_STAT_CHUNKS 5
#define QUERN_STAT_LOG_ROWS 6
#define QUERN_STAT_GENERATION 7
#define QUERN_STAT_SQLITE_BYTES 8   /* memory held by SQLite in this process */
QUERN_API int32_t quern_stat(quern_db *db, int32_t stat, int64_t *value, quern_error *err) QUERN_MUST_USE;

/* Limits: set value >= 0, or -1 to only read; *old (may be NULL) gets the value before. */
#define QUERN_LIMIT_RESULT_ROWS 1   /* rows of one result, over all its queries; default 2^31 - 1 */
#define QUERN_LIMIT_QUERIES 2       /* queries in one search; default 1048576 */
#define QUERN_LIMIT_ATTR_BYTES 3    /* bytes of one text, blob, json or tags value; default 16 MiB */
#define QUERN_LIMIT_SEARCH_BYTES 4  /* memory for one search's candidates and result; default 1 GiB */
QUERN_API int32_t quern_limit(quern_db *db, int32_t limit, int64_t value, int64_t *old, quern_error *err) QUERN_MUST_USE;

/* Runs one read-only SQL statement. Each collection is a view under its name, with key and attributes as columns; json_each and json_tree open tags
** and JSON; files that were attached (quern_attach) have their tables as name.table. Statements that would write, load extensions, call functions that do more than read (fts3_tokenizer, fts5, rtreecheck), or read anything
** else are refused (QUERN_ERR_SQL); they take as long as they take (quern_progress, quern_interrupt), but no call of a function does, as no text or blob is longer than 16 MiB. Results larger than the limits are cut with QUERN_ERR_LIMIT. */
QUERN_API int32_t quern_sql(quern_db *db, quern_snapshot *snap, const char *statement, quern_result **r,
                            quern_error *err) QUERN_MUST_USE;
/* Lets quern_sql, and filters in sub-queries, read the tables of another SQLite file as name.table, full-text ones with MATCH too:
**   id in (select doc from app.marks where stars > 3)        id in (select rowid from app.notes where notes match 'quantum')
** For this handle, until it is closed; at most 8 files. Nothing of the file is run or changed: it is opened for reading, its views and triggers are off,
** of virtual tables those of fts3 to fts5 and rtree work. The app and other processes may go on writing it, or put another file in its place; what they have
** committed is seen by the next call, or within a snapshot that has not read it yet. name: a letter, then letters, digits and _; not main, temp,
** quern_..., sqlite_.... Errors: INVALID (name; the database itself; another text encoding; a file that SQLite reads by itself only, as
** its definitions, of views as well, name the schema main or use functions that a foreign file may not call), EXISTS, LIMIT, CANT_OPEN (a directory, too), NOT_A_DATABASE
** (no SQLite file); later SQL where the file is damaged, CANT_OPEN where it is gone, NOT_A_DATABASE where something else has come in its place. A program that also uses SQLite by itself should load the same
** library for both: two copies in one process drop each other's locks. */
QUERN_API int32_t quern_attach(quern_db *db, const char *name, const char *path, quern_error *err) QUERN_MUST_USE;
QUERN_API int32_t quern_detach(quern_db *db, const char *name, quern_error *err) QUERN_MUST_USE; /* NOT_FOUND */

#ifdef __cplusplus
}
#endif

#endif /* QUERN_H */
