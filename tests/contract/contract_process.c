/* Time and processes: progress and interruption, calls from inside the callback, fork, a writer in
 * another process, threads. */
#define _XOPEN_SOURCE 700
#include "contract_check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Runs for minutes unless it is stopped; the first gives a row now and then, the second none before
 * its end. */
static const char endless[] =
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 4000000000) select x "
    "from c where x % 10000 = 0";
static const char endless_silent[] =
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 4000000000) select "
    "count(*) from c";

static const char* const key_d[] = {"d"};

/* What a callback does, and what it saw. */
struct caller {
    quern_db* db;
    quern_batch* batch;
    int calls;
    int interrupts; /* stop through quern_interrupt instead of the return value */
    int32_t inside; /* the status of a call from inside */
};

static int stop_at_once(void* user, const char* task, uint64_t done, uint64_t total) {
    struct caller* caller = user;
    caller->calls++;
    if (task == NULL || task[0] == '\0' || (total != 0 && done > total)) {
        caller->calls = -1000;
    }
    if (caller->interrupts) {
        quern_interrupt(caller->db);
        return 0;
    }
    return 1;
}

static void progress_stops(void) {
    struct caller caller;
    quern_result* r = (quern_result*)&contract_error;
    memset(&caller, 0, sizeof caller);
    caller.db = open_docs();
    WANT(QUERN_OK, quern_progress(caller.db, stop_at_once, &caller, E));
    WANT(QUERN_ERR_INTERRUPTED, quern_sql(caller.db, NULL, endless, &r, E));
    CHECK(r == NULL);
    CHECK_INT(1, caller.calls);
    caller.interrupts = 1;
    WANT(QUERN_ERR_INTERRUPTED, quern_sql(caller.db, NULL, endless, &r, E));
    CHECK_INT(2, caller.calls);
    /* Calls that start afterwards are not affected. */
    CHECK_INT(3, count_of(caller.db, "docs"));
    quern_close(caller.db);
}

static void* interrupt_soon(void* argument) {
    struct timespec while_it_starts;
    int i;
    while_it_starts.tv_sec = 0;
    while_it_starts.tv_nsec = 50 * 1000 * 1000;
    for (i = 0; i < 20; i++) { /* the call may start late on a busy machine */
        nanosleep(&while_it_starts, NULL);
        quern_interrupt(argument);
    }
    return NULL;
}

/* From another thread, in the middle of one long statement. */
static void interrupted_from_outside(void) {
    pthread_t thread;
    quern_result* r = (quern_result*)&contract_error;
    quern_db* db = open_docs();
    CHECK_INT(0, pthread_create(&thread, NULL, interrupt_soon, db));
    WANT(QUERN_ERR_INTERRUPTED, quern_sql(db, NULL, endless_silent, &r, E));
    CHECK(r == NULL);
    pthread_join(thread, NULL);
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static int call_inside(void* user, const char* task, uint64_t done, uint64_t total) {
    struct caller* caller = user;
    uint64_t count = 0;
    quern_text* text = NULL;
    quern_result* r = NULL;
    quern_txn* txn = NULL;
    const int32_t statuses[] = {
        quern_count(caller->db, "docs", NULL, &count, NULL),
        quern_insert(caller->batch, NULL, NULL),
        quern_get(caller->batch, NULL, NULL, &r, NULL),
        quern_begin(caller->db, &txn, NULL),
        quern_verify(caller->db, &text, NULL),
        quern_progress(caller->db, NULL, NULL, NULL),
        quern_sql(caller->db, NULL, "select 1", &r, NULL),
    };
    size_t i;
    (void)task;
    (void)done;
    (void)total;
    caller->calls++;
    caller->inside = QUERN_ERR_MISUSE;
    for (i = 0; i < COUNT_OF(statuses); i++) {
        if (statuses[i] != QUERN_ERR_MISUSE) {
            caller->inside = statuses[i];
        }
    }
    quern_close(caller->db); /* refused, too */
    return 1;
}

static void calls_from_inside(void) {
    struct caller caller;
    quern_result* r = NULL;
    memset(&caller, 0, sizeof caller);
    caller.db = open_docs();
    caller.batch = batch_of_one(caller.db, "docs", key_d);
    WANT(QUERN_OK, quern_progress(caller.db, call_inside, &caller, E));
    WANT(QUERN_ERR_INTERRUPTED, quern_sql(caller.db, NULL, endless, &r, E));
    CHECK_INT(1, caller.calls);
    CHECK_INT(QUERN_ERR_MISUSE, caller.inside);
    WANT(QUERN_OK, quern_progress(caller.db, NULL, NULL, E));
    CHECK_INT(3, count_of(caller.db, "docs"));
    quern_batch_free(caller.batch);
    quern_close(caller.db);
}

/* Stopping a write leaves nothing of it. */
static void stopped_write(void) {
    enum { ROWS = 200000 };
    struct caller caller;
    int64_t* keys = malloc(ROWS * sizeof *keys);
    const char** texts = malloc(ROWS * sizeof *texts);
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    int32_t status;
    int i;
    memset(&caller, 0, sizeof caller);
    caller.db = open_memory();
    quern_schema_attr(s, "t", QUERN_TEXT, NULL);
    WANT(QUERN_OK, quern_create(caller.db, "rows", s, E));
    quern_schema_free(s);
    for (i = 0; i < ROWS; i++) {
        keys[i] = ROWS - i;
        texts[i] = "the same few words in every record";
    }
    WANT(QUERN_OK, quern_progress(caller.db, stop_at_once, &caller, E));
    b = quern_batch_new(caller.db, "rows", ROWS);
    quern_batch_key_int(b, keys);
    quern_batch_text(b, "t", texts, NULL);
    status = quern_insert(b, NULL, E);
    /* A very fast machine may finish before the first call. */
    CHECK(status == QUERN_ERR_INTERRUPTED || (status == QUERN_OK && caller.calls == 0));
    WANT(QUERN_OK, quern_progress(caller.db, NULL, NULL, E));
    CHECK_INT(status == QUERN_OK ? ROWS : 0, count_of(caller.db, "rows"));
    WANT(QUERN_OK, quern_verify(caller.db, NULL, E));
    quern_batch_free(b);
    quern_close(caller.db);
    free(texts);
    free(keys);
}

/* Waits for the child and tells its exit code. */
static int exit_code_of(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

/* Every call on an inherited handle is MISUSE; freeing them does nothing bad. The first call that
 * is not gives the exit code. */
static int use_after_fork(quern_db* db, quern_txn* txn, quern_batch* b, quern_query* q,
                          quern_snapshot* snap, quern_cursor* c, quern_schema* s) {
    uint64_t count = 0;
    int64_t value = 0;
    quern_result* r = NULL;
    quern_text* text = NULL;
    quern_txn* another = NULL;
    quern_snapshot* newer = NULL;
    quern_cursor* cursor = NULL;
    quern_schema* described = NULL;
    const int32_t statuses[] = {
        quern_progress(db, NULL, NULL, NULL),
        quern_create(db, "more", s, NULL),
        quern_drop(db, "docs", NULL),
        quern_rename(db, "docs", "more", NULL),
        quern_describe(db, "docs", &described, NULL),
        quern_collections(db, &text, NULL),
        quern_add_attr(db, "docs", "x2", QUERN_INT, NULL, NULL),
        quern_add_dense(db, "docs", "x2", 2, QUERN_L2, NULL, NULL),
        quern_set_attr(db, "docs", "n", "index=none", NULL),
        quern_drop_column(db, "docs", "n", NULL),
        quern_begin(db, &another, NULL),
        quern_insert(b, txn, NULL),
        quern_insert(b, NULL, NULL),
        quern_upsert(b, NULL, NULL),
        quern_update(b, NULL, NULL),
        quern_delete(b, NULL, NULL),
        quern_get(b, NULL, NULL, &r, NULL),
        quern_snapshot_new(db, &newer, NULL),
        quern_count(db, "docs", NULL, &count, NULL),
        quern_count(db, "docs", snap, &count, NULL),
        quern_scan(db, "docs", NULL, NULL, &cursor, NULL),
        quern_cursor_after_text(c, "a", NULL),
        quern_cursor_next(c, 1, &r, NULL),
        quern_search(q, &r, NULL),
        quern_optimize(db, NULL, 0, NULL),
        quern_vacuum(db, NULL),
        quern_backup(db, "never", NULL),
        quern_verify(db, &text, NULL),
        quern_rebuild(db, NULL, NULL),
        quern_info(db, &text, NULL),
        quern_stat(db, QUERN_STAT_CHUNKS, &value, NULL),
        quern_limit(db, QUERN_LIMIT_QUERIES, -1, &value, NULL),
        quern_sql(db, NULL, "select 1", &r, NULL),
        quern_commit(txn, NULL),
    };
    size_t i;
    for (i = 0; i < COUNT_OF(statuses); i++) {
        if (statuses[i] != QUERN_ERR_MISUSE) {
            return (int)i + 1;
        }
    }
    quern_interrupt(db);
    quern_rollback(txn);
    quern_cursor_free(c);
    quern_snapshot_free(snap);
    quern_query_free(q);
    quern_batch_free(b);
    quern_close(db);
    return 0;
}

static void fork_is_survived(const char* path, const char* options) {
    quern_db* db = open_file(path, options);
    quern_txn* txn;
    quern_snapshot* snap;
    quern_cursor* c;
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    quern_query* q;
    pid_t child;
    create_docs(db, "docs");
    fill_docs(db, "docs");
    b = batch_of_one(db, "docs", key_d);
    q = query_of_docs(db);
    WANT(QUERN_OK, quern_snapshot_new(db, &snap, E));
    WANT(QUERN_OK, quern_scan(db, "docs", NULL, NULL, &c, E));
    WANT(QUERN_OK, quern_begin(db, &txn, E));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        end_child(use_after_fork(db, txn, b, q, snap, c, s));
    }
    CHECK_INT(0, exit_code_of(child));
    /* The parent goes on as if nothing had been. */
    WANT(QUERN_OK, quern_insert(b, txn, E));
    WANT(QUERN_OK, quern_commit(txn, E));
    CHECK_INT(4, count_of(db, "docs"));
    quern_cursor_free(c);
    quern_snapshot_free(snap);
    quern_query_free(q);
    quern_batch_free(b);
    quern_schema_free(s);
    WANT(QUERN_OK, quern_verify(db, NULL, E));
    quern_close(db);
}

/* A child that opens the file by itself, takes the writer, tells so, and keeps it until told to go.
 */
static int hold_the_writer(const char* path, int ready, int go) {
    char byte = 'r';
    quern_db* db = NULL;
    quern_txn* txn = NULL;
    if (quern_open(path, NULL, &db, NULL) != QUERN_OK || quern_begin(db, &txn, NULL) != QUERN_OK) {
        return 1;
    }
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1) {
        return 2;
    }
    quern_rollback(txn);
    quern_close(db);
    return 0;
}

static void locked_by_another_process(void) {
    const char* path = scratch_path("locked.quern");
    quern_db* db = open_file(path, "busy_ms=50");
    quern_txn* txn;
    quern_batch* b;
    int ready[2];
    int go[2];
    char byte = 'g';
    pid_t child;
    create_docs(db, "docs");
    fill_docs(db, "docs");
    if (pipe(ready) != 0 || pipe(go) != 0) {
        perror("pipe");
        exit(2);
    }
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(ready[0]); /* so that either side sees the end when the other is gone */
        close(go[1]);
        end_child(hold_the_writer(path, ready[1], go[0]));
    }
    close(ready[1]);
    close(go[0]);
    CHECK_INT(1, read(ready[0], &byte, 1));
    b = batch_of_one(db, "docs", key_d);
    WANT(QUERN_ERR_BUSY, quern_insert(b, NULL, E));
    WANT(QUERN_ERR_BUSY, quern_begin(db, &txn, E));
    WANT(QUERN_ERR_BUSY, quern_drop(db, "docs", E));
    CHECK_INT(3, count_of(db, "docs")); /* readers never wait */
    CHECK_INT(1, write(go[1], &byte, 1));
    CHECK_INT(0, exit_code_of(child));
    close(ready[0]);
    close(go[1]);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    quern_batch_free(b);
    quern_close(db);
}

/* One handle, many threads: searches beside writes. */
struct worker {
    quern_db* db;
    int number;
    int32_t status;
};

static void* search_often(void* argument) {
    struct worker* worker = argument;
    static const float origin[] = {0, 0, 0};
    int i;
    for (i = 0; i < 50 && worker->status == QUERN_OK; i++) {
        quern_result* r = NULL;
        quern_query* q = quern_query_new(worker->db, "docs");
        quern_query_dense(q, "v", origin, 1, 3);
        worker->status = quern_search(q, &r, NULL);
        if (worker->status == QUERN_OK &&
            (quern_result_rows(r) < 3 || strcmp(quern_result_key_text(r, 0), "a") != 0)) {
            worker->status = 1;
        }
        quern_result_free(r);
        quern_query_free(q);
    }
    return NULL;
}

static void* write_often(void* argument) {
    struct worker* worker = argument;
    static const float far_away[] = {9, 9, 9};
    int i;
    for (i = 0; i < 50 && worker->status == QUERN_OK; i++) {
        char text[32];
        const char* key = text;
        quern_batch* b = quern_batch_new(worker->db, "docs", 1);
        snprintf(text, sizeof text, "w%d-%d", worker->number, i);
        quern_batch_key_text(b, &key);
        quern_batch_dense(b, "v", far_away, 3, NULL);
        worker->status = quern_upsert(b, NULL, NULL);
        quern_batch_free(b);
    }
    return NULL;
}

static void many_threads(void) {
    enum { WORKERS = 4 };
    pthread_t threads[WORKERS];
    struct worker workers[WORKERS];
    quern_db* db = open_file(":memory:", "seal_rows=40");
    int i;
    create_docs(db, "docs");
    fill_docs(db, "docs");
    for (i = 0; i < WORKERS; i++) {
        workers[i].db = db;
        workers[i].number = i;
        workers[i].status = QUERN_OK;
        CHECK_INT(0, pthread_create(&threads[i], NULL, i % 2 == 0 ? search_often : write_often,
                                    &workers[i]));
    }
    for (i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(QUERN_OK, workers[i].status);
    }
    CHECK_INT(103, count_of(db, "docs"));
    quern_close(db);
}

/* A call that waits for the writer, from a thread of its own. */
struct waiting_insert {
    quern_batch* batch;
    int32_t status;
    quern_error error;
};

static void* insert_and_wait(void* argument) {
    struct waiting_insert* insert = argument;
    insert->status = quern_insert(insert->batch, NULL, &insert->error);
    return NULL;
}

/* Two threads with one batch: the writer is held elsewhere, so whichever call comes first waits
 * until it is told BUSY, and the other finds the batch in use. */
static void two_threads_one_batch(void) {
    const char* path = scratch_path("two_threads.quern");
    quern_db* holder = open_file(path, NULL);
    quern_db* db;
    quern_txn* txn;
    quern_batch* b;
    pthread_t thread;
    struct waiting_insert calls[2];
    int refused;
    create_docs(holder, "docs");
    db = open_file(path, "busy_ms=1500");
    b = batch_of_one(db, "docs", key_d);
    memset(calls, 0, sizeof calls);
    calls[0].batch = calls[1].batch = b;
    calls[0].error.struct_size = calls[1].error.struct_size = (uint32_t)sizeof(quern_error);
    WANT(QUERN_OK, quern_begin(holder, &txn, E));
    CHECK_INT(0, pthread_create(&thread, NULL, insert_and_wait, &calls[0]));
    insert_and_wait(&calls[1]);
    pthread_join(thread, NULL);
    refused = calls[1].status == QUERN_ERR_MISUSE;
    CHECK_INT(QUERN_ERR_MISUSE, calls[refused].status);
    CHECK(strstr(calls[refused].error.message, "in use by another thread") != NULL);
    CHECK_INT(QUERN_ERR_BUSY, calls[!refused].status);
    quern_rollback(txn);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    CHECK_INT(1, count_of(db, "docs"));
    quern_batch_free(b);
    quern_close(db);
    quern_close(holder);
}

void contract_process(void) {
    progress_stops();
    interrupted_from_outside();
    calls_from_inside();
    stopped_write();
    fork_is_survived(scratch_path("forked.quern"), "maintenance=auto");
    fork_is_survived(":memory:", NULL);
    locked_by_another_process();
    many_threads();
    two_threads_one_batch();
}
