/* Opening, closing, version, status names, the error struct, progress, limits: every argument wrong
 * once. */
#include "contract_check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static void versions(void) {
    CHECK_TEXT(QUERN_VERSION, quern_version());
    CHECK_INT(QUERN_VERSION_NUMBER, quern_version_number());
    CHECK(strstr(quern_build_info(), "quern " QUERN_VERSION) != NULL);
    CHECK(strstr(quern_build_info(), "SQLite ") != NULL);
    CHECK(strchr(quern_build_info(), '\n') == NULL);
}

static void status_names(void) {
    static const struct {
        int32_t status;
        const char* name;
    } names[] = {
        {0, "QUERN_OK"},
        {-100, "QUERN_ERR_MISUSE"},
        {-101, "QUERN_ERR_INVALID"},
        {-102, "QUERN_ERR_CLOSED"},
        {-103, "QUERN_ERR_NOT_FOUND"},
        {-104, "QUERN_ERR_UNKNOWN_FIELD"},
        {-105, "QUERN_ERR_EXISTS"},
        {-106, "QUERN_ERR_KEY_EXISTS"},
        {-107, "QUERN_ERR_DUPLICATE_KEY"},
        {-108, "QUERN_ERR_DIMENSION"},
        {-109, "QUERN_ERR_TYPE"},
        {-110, "QUERN_ERR_NOT_FINITE"},
        {-111, "QUERN_ERR_READ_ONLY"},
        {-112, "QUERN_ERR_TXN"},
        {-113, "QUERN_ERR_SQL"},
        {-114, "QUERN_ERR_OPTION"},
        {-115, "QUERN_ERR_MALFORMED"},
        {-200, "QUERN_ERR_LIMIT"},
        {-201, "QUERN_ERR_NOMEM"},
        {-300, "QUERN_ERR_BUSY"},
        {-400, "QUERN_ERR_IO"},
        {-401, "QUERN_ERR_FULL"},
        {-402, "QUERN_ERR_CANT_OPEN"},
        {-403, "QUERN_ERR_OUTCOME_UNKNOWN"},
        {-404, "QUERN_ERR_POISONED"},
        {-500, "QUERN_ERR_CORRUPT"},
        {-501, "QUERN_ERR_TRUNCATED"},
        {-600, "QUERN_ERR_NOT_A_DATABASE"},
        {-601, "QUERN_ERR_NEWER"},
        {-700, "QUERN_ERR_INTERRUPTED"},
        {-900, "QUERN_ERR_INTERNAL"},
        {1, "QUERN_ERR_?"},
        {-1, "QUERN_ERR_?"},
        {-116, "QUERN_ERR_?"},
        {INT32_MAX, "QUERN_ERR_?"},
        {INT32_MIN, "QUERN_ERR_?"},
    };
    size_t i;
    for (i = 0; i < COUNT_OF(names); i++) {
        CHECK_TEXT(names[i].name, quern_status_name(names[i].status));
    }
}

/* struct_size 0, short, exact, longer; NULL. */
static void error_struct(void) {
    quern_db* db;
    quern_error err = QUERN_ERROR_INIT;
    struct {
        quern_error known;
        char later[16]; /* fields of a version to come */
    } longer;
    CHECK_INT(sizeof(quern_error), err.struct_size);
    CHECK_INT(QUERN_ERR_MISUSE, quern_open(NULL, NULL, &db, NULL));
    CHECK_INT(QUERN_ERR_MISUSE, quern_open(NULL, NULL, &db, &err));
    CHECK_INT(QUERN_ERR_MISUSE, err.status);
    CHECK(strstr(err.message, "path") != NULL);
    CHECK_INT(0, err.os_errno);

    memset(&err, 0x55, sizeof err);
    err.struct_size = 0;
    CHECK_INT(QUERN_ERR_MISUSE, quern_open(NULL, NULL, &db, &err));
    CHECK_INT(0x55555555, err.status);
    err.struct_size = (uint32_t)sizeof err - 1;
    CHECK_INT(QUERN_ERR_MISUSE, quern_open(NULL, NULL, &db, &err));
    CHECK_INT(0x55555555, err.status);
    CHECK_INT(0x55, err.message[0]);

    memset(&longer, 0x55, sizeof longer);
    longer.known.struct_size = (uint32_t)sizeof longer;
    CHECK_INT(QUERN_ERR_MISUSE, quern_open(NULL, NULL, &db, &longer.known));
    CHECK_INT(QUERN_ERR_MISUSE, longer.known.status);
    CHECK_INT(0x55, longer.later[0]);
    CHECK_INT(sizeof longer, longer.known.struct_size);
}

/* A message is cut to its place, at a character's border, and always ends; nothing behind it is
 * touched, whether its end falls between two characters or into one. */
static void long_message(void) {
    static const char* const begins[] = {"/nowhere/", "/nowhere/x"};
    char path[3000];
    struct {
        quern_error known;
        char behind[16];
    } err;
    size_t begin;
    size_t i;
    size_t length;
    quern_db* db;
    for (begin = 0; begin < COUNT_OF(begins); begin++) {
        strcpy(path, begins[begin]);
        for (i = strlen(path); i + 3 < sizeof path; i += 2) {
            memcpy(path + i, "\xC3\xA9", 3); /* two bytes of one character */
        }
        memset(&err, 0x55, sizeof err);
        err.known.struct_size = (uint32_t)sizeof err;
        CHECK_INT(QUERN_ERR_CANT_OPEN, quern_open(path, NULL, &db, &err.known));
        CHECK_INT(0x55, err.behind[0]);
        CHECK(memchr(err.known.message, 0, sizeof err.known.message) != NULL);
        err.known.message[sizeof err.known.message - 1] = 0;
        length = strlen(err.known.message);
        CHECK(length > 100);
        CHECK((err.known.message[length - 1] & 0xFF) != 0xC3);
    }
}

static void open_arguments(void) {
    quern_db* db = (quern_db*)&contract_error;
    WANT_NAMED(QUERN_ERR_MISUSE, "db", quern_open(":memory:", NULL, NULL, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "path", quern_open(NULL, NULL, &db, E));
    CHECK(db == NULL);
    db = (quern_db*)&contract_error;
    WANT_NAMED(QUERN_ERR_INVALID, "path", quern_open("", NULL, &db, E));
    CHECK(db == NULL);
}

static void open_options(void) {
    static const char* const wrong[] = {
        "mode=w",
        "mode=",
        "mode",
        "mode=RWC",
        "durability=half",
        "busy_ms=-1",
        "busy_ms=1.5",
        "busy_ms=99999999999999999999",
        "busy_ms=3600001",
        "threads=0",
        "threads=257",
        "threads=x",
        "memory_mb=0",
        "memory_mb=1073741825",
        "maintenance=on",
        "seal_rows=0",
        "seal_kb=0",
        "seal_rows=1 seal_rows=2",
        "=1",
        "colour=red",
        "mode=rwc,threads=2",
        "mode =rwc",
        "mode=rwc\tthreads=2",
    };
    static const char* const right[] = {
        NULL,
        "",
        "   ",
        "mode=rwc",
        " threads=1  busy_ms=0 ",
        "threads=256",
        "durability=relaxed maintenance=off",
        "memory_mb=1 seal_rows=1 seal_kb=1",
        "maintenance=background",
    };
    size_t i;
    quern_db* db;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        check_case(wrong[i]);
        db = (quern_db*)&contract_error;
        WANT(QUERN_ERR_OPTION, quern_open(":memory:", wrong[i], &db, E));
        CHECK(db == NULL);
    }
    check_case(NULL);
    /* The message names the wrong key and lists the right ones. */
    WANT_NAMED(QUERN_ERR_OPTION, "colour", quern_open(":memory:", "threads=2 colour=red", &db, E));
    check_message(__FILE__, __LINE__, "durability");
    check_message(__FILE__, __LINE__, "seal_kb");
    for (i = 0; i < COUNT_OF(right); i++) {
        check_case(right[i]);
        WANT(QUERN_OK, quern_open(":memory:", right[i], &db, E));
        quern_close(db);
    }
    check_case(NULL);
    quern_close(NULL);
    quern_interrupt(NULL);
}

static int count_calls(void* user, const char* task, uint64_t done, uint64_t total) {
    (void)task;
    (void)done;
    (void)total;
    ++*(int*)user;
    return 0;
}

static void progress_arguments(void) {
    int calls = 0;
    quern_db* db = open_memory();
    WANT_NAMED(QUERN_ERR_MISUSE, "db", quern_progress(NULL, count_calls, &calls, E));
    WANT(QUERN_OK, quern_progress(db, count_calls, &calls, E));
    WANT(QUERN_OK, quern_progress(db, NULL, NULL, E));
    WANT(QUERN_OK, quern_progress(db, NULL, &calls, E));
    quern_close(db);
    CHECK_INT(0, calls);
}

static void limit_arguments(void) {
    static const int32_t unknown[] = {0, -1, 5, INT_MAX, INT_MIN};
    static const struct {
        int32_t limit;
        int64_t preset;
    } known[] = {
        {QUERN_LIMIT_RESULT_ROWS, INT32_MAX},
        {QUERN_LIMIT_QUERIES, 1048576},
        {QUERN_LIMIT_ATTR_BYTES, 16 * 1024 * 1024},
        {QUERN_LIMIT_SEARCH_BYTES, 1024 * 1024 * 1024},
    };
    size_t i;
    int64_t old = 0;
    quern_db* db = open_memory();
    WANT(QUERN_ERR_MISUSE, quern_limit(NULL, QUERN_LIMIT_QUERIES, -1, &old, E));
    for (i = 0; i < COUNT_OF(unknown); i++) {
        WANT(QUERN_ERR_INVALID, quern_limit(db, unknown[i], -1, &old, E));
    }
    for (i = 0; i < COUNT_OF(known); i++) {
        WANT(QUERN_OK, quern_limit(db, known[i].limit, -1, &old, E));
        CHECK_INT(known[i].preset, old);
        WANT(QUERN_OK, quern_limit(db, known[i].limit, 7, &old, E));
        CHECK_INT(known[i].preset, old);
        WANT(QUERN_ERR_INVALID, quern_limit(db, known[i].limit, -2, &old, E));
        WANT(QUERN_ERR_INVALID, quern_limit(db, known[i].limit, INT64_MIN, &old, E));
        WANT(QUERN_OK, quern_limit(db, known[i].limit, 0, NULL, E));
        WANT(QUERN_OK, quern_limit(db, known[i].limit, -1, &old, E));
        CHECK_INT(0, old);
    }
    WANT(QUERN_ERR_INVALID, quern_limit(db, QUERN_LIMIT_RESULT_ROWS, INT64_MAX, NULL, E));
    quern_close(db);
}

void contract_open(void) {
    versions();
    status_names();
    error_struct();
    long_message();
    open_arguments();
    open_options();
    progress_arguments();
    limit_arguments();
}
