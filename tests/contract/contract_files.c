/* What may lie at the path: nothing, something else, a damaged file, a newer one, one that may not
 * be written. */
#define _XOPEN_SOURCE 700
#include "contract_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    PAGE_BYTES = 16384,
    PAGE_CONTENT = 16320,
    HEADER_USER_VERSION = 60,
    HEADER_APPLICATION_ID = 68
};

static void write_u32_big_endian(unsigned char* at, uint32_t value) {
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

/* Gives page 1 a checksum that fits what it holds now. */
static void seal_first_page(unsigned char* file) {
    const XXH64_hash_t hash = XXH3_64bits_withSeed(file, PAGE_CONTENT, 1);
    int i;
    for (i = 0; i < 8; i++) {
        file[PAGE_CONTENT + i] = (unsigned char)(hash >> (8 * i));
    }
}

static void refuse(int32_t status, const char* what, const char* path, const char* options) {
    quern_db* db = (quern_db*)&contract_error;
    check_case(what);
    WANT(status, quern_open(path, options, &db, E));
    CHECK(db == NULL);
    check_case(NULL);
}

static void nothing_there(void) {
    quern_db* db;
    struct stat info;
    const char* path = scratch_path("absent.quern");
    refuse(QUERN_ERR_CANT_OPEN, "absent, ro", path, "mode=ro");
    refuse(QUERN_ERR_CANT_OPEN, "absent, rw", path, "mode=rw");
    CHECK(stat(path, &info) != 0); /* refusing creates nothing */
    refuse(QUERN_ERR_CANT_OPEN, "no such directory", "/nowhere/at/all.quern", NULL);
    refuse(QUERN_ERR_CANT_OPEN, "a directory", "/", NULL);
    path = scratch_path("folder");
    CHECK_INT(0, mkdir(path, 0700));
    refuse(QUERN_ERR_CANT_OPEN, "a directory", path, NULL);
    refuse(QUERN_ERR_CANT_OPEN, "a directory, ro", path, "mode=ro");
    path = scratch_path("absent.quern");
    refuse(QUERN_ERR_CANT_OPEN, "in memory, ro", ":memory:", "mode=ro");
    check_message(__FILE__, __LINE__, ":memory:");
    refuse(QUERN_ERR_CANT_OPEN, "in memory, rw", ":memory:", "mode=rw");
    WANT(QUERN_OK, quern_open(path, "mode=rwc", &db, E));
    quern_close(db);
    WANT(QUERN_OK, quern_open(path, "mode=rw", &db, E));
    quern_close(db);
    WANT(QUERN_OK, quern_open(path, "mode=ro", &db, E));
    quern_close(db);
}

static void something_else(void) {
    static const char text[] = "id,title\n1,not a database at all\n";
    unsigned char noise[4096];
    size_t i;
    quern_db* db;
    uint32_t state = 1;
    const char* path = scratch_path("text.csv");
    write_file(path, text, sizeof text - 1);
    refuse(QUERN_ERR_NOT_A_DATABASE, "text", path, NULL);
    refuse(QUERN_ERR_NOT_A_DATABASE, "text, ro", path, "mode=ro");
    for (i = 0; i < sizeof noise; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (unsigned char)(state >> 24);
    }
    path = scratch_path("noise.bin");
    write_file(path, noise, sizeof noise);
    refuse(QUERN_ERR_NOT_A_DATABASE, "noise", path, NULL);
    /* An empty file is no database yet: it may become one, but not for a reader. */
    path = scratch_path("empty");
    write_file(path, "", 0);
    refuse(QUERN_ERR_NOT_A_DATABASE, "empty, ro", path, "mode=ro");
    refuse(QUERN_ERR_NOT_A_DATABASE, "empty, rw", path, "mode=rw");
    WANT(QUERN_OK, quern_open(path, NULL, &db, E));
    quern_close(db);
}

static void make_database(const char* path) {
    quern_db* db = open_file(path, NULL);
    create_docs(db, "docs");
    fill_docs(db, "docs");
    WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
    quern_close(db);
}

static void damaged(void) {
    const char* good = scratch_path("good.quern");
    const char* path = scratch_path("damaged.quern");
    unsigned char* file;
    size_t size;
    make_database(good);
    file = read_file(good, &size);
    CHECK(size >= 2 * PAGE_BYTES && size % PAGE_BYTES == 0);

    write_file(path, file, size - PAGE_BYTES);
    refuse(QUERN_ERR_TRUNCATED, "one page short", path, NULL);
    refuse(QUERN_ERR_TRUNCATED, "one page short, ro", path, "mode=ro");
    write_file(path, file, PAGE_BYTES);
    refuse(QUERN_ERR_TRUNCATED, "first page only", path, NULL);
    write_file(path, file, 100);
    {
        quern_db* db = (quern_db*)&contract_error;
        const int32_t status = quern_open(path, NULL, &db, E);
        CHECK(status == QUERN_ERR_TRUNCATED || status == QUERN_ERR_NOT_A_DATABASE ||
              status == QUERN_ERR_CORRUPT);
        CHECK(db == NULL);
    }

    file[2000] ^= 1; /* in the first page: its checksum is wrong */
    write_file(path, file, size);
    refuse(QUERN_ERR_CORRUPT, "bit flipped in page 1", path, NULL);
    refuse(QUERN_ERR_CORRUPT, "bit flipped in page 1, ro", path, "mode=ro");
    file[2000] ^= 1;

    write_u32_big_endian(file + HEADER_USER_VERSION, 999);
    seal_first_page(file);
    write_file(path, file, size);
    refuse(QUERN_ERR_NEWER, "newer format", path, NULL);
    refuse(QUERN_ERR_NEWER, "newer format, ro", path, "mode=ro");
    check_message(__FILE__, __LINE__, "999");
    write_u32_big_endian(file + HEADER_USER_VERSION, 0);
    seal_first_page(file);
    write_file(path, file, size);
    refuse(QUERN_ERR_NOT_A_DATABASE, "format version 0", path, NULL);
    write_u32_big_endian(file + HEADER_USER_VERSION, 1);
    write_u32_big_endian(file + HEADER_APPLICATION_ID, 0x12345678);
    seal_first_page(file);
    write_file(path, file, size);
    refuse(QUERN_ERR_NOT_A_DATABASE, "somebody else's SQLite database", path, NULL);
    free(file);
}

/* Damage further inside is found by who reads it, and by verify, which names it. */
static void damaged_inside(void) {
    const char* good = scratch_path("inside.quern");
    const char* path = scratch_path("inside-damaged.quern");
    unsigned char* file;
    size_t size;
    size_t page;
    make_database(good);
    file = read_file(good, &size);
    for (page = 1; page < size / PAGE_BYTES; page++) {
        char name[32];
        quern_db* db = NULL;
        int32_t status;
        unsigned char* byte = file + page * PAGE_BYTES + 9000;
        snprintf(name, sizeof name, "page %d", (int)page + 1);
        check_case(name);
        *byte ^= 0x10;
        write_file(path, file, size);
        *byte ^= 0x10;
        status = quern_open(path, NULL, &db, E);
        if (status == QUERN_OK) {
            quern_text* report = NULL;
            WANT(QUERN_ERR_CORRUPT, quern_verify(db, &report, E));
            CHECK(report != NULL && strstr(quern_text_data(report), "\"problems\"") != NULL);
            quern_text_free(report);
            quern_close(db);
        } else {
            CHECK_INT(QUERN_ERR_CORRUPT, status);
            CHECK(db == NULL);
        }
    }
    check_case(NULL);
    free(file);
}

static void read_only(void) {
    static const char* const key[] = {"z"};
    const char* path = scratch_path("readonly.quern");
    quern_db* db;
    quern_txn* txn;
    quern_schema* s = quern_schema_new();
    quern_batch* b;
    quern_query* q;
    quern_result* r;
    make_database(path);
    db = open_file(path, "mode=ro");
    quern_schema_dense(s, "v", 3, QUERN_L2, NULL);
    b = batch_of_one(db, "docs", key);
    WANT(QUERN_ERR_READ_ONLY, quern_create(db, "more", s, E));
    WANT(QUERN_ERR_READ_ONLY, quern_drop(db, "docs", E));
    WANT(QUERN_ERR_READ_ONLY, quern_rename(db, "docs", "papers", E));
    WANT(QUERN_ERR_READ_ONLY, quern_add_attr(db, "docs", "more", QUERN_INT, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_add_dense(db, "docs", "more", 3, QUERN_L2, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_set_attr(db, "docs", "n", "index=none", E));
    WANT(QUERN_ERR_READ_ONLY, quern_drop_column(db, "docs", "n", E));
    WANT(QUERN_ERR_READ_ONLY, quern_begin(db, &txn, E));
    CHECK(txn == NULL);
    WANT(QUERN_ERR_READ_ONLY, quern_insert(b, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_upsert(b, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_update(b, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_delete(b, NULL, E));
    WANT(QUERN_ERR_READ_ONLY, quern_optimize(db, NULL, 0, E));
    WANT(QUERN_ERR_READ_ONLY, quern_vacuum(db, E));
    WANT(QUERN_ERR_READ_ONLY, quern_rebuild(db, NULL, E));
    CHECK_INT(3, count_of(db, "docs"));
    q = query_of_docs(db);
    WANT(QUERN_OK, quern_search(q, &r, E));
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    quern_result_free(r);
    WANT(QUERN_OK, quern_verify(db, NULL, E));
    quern_query_free(q);
    quern_batch_free(b);
    quern_schema_free(s);
    quern_close(db);
}

void contract_files(void) {
    nothing_there();
    something_else();
    damaged();
    damaged_inside();
    read_only();
}
