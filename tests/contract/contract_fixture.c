/* The files and databases that contract checks work on. */
#define _XOPEN_SOURCE 700
#include "contract_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 64, PATH_BYTES = 512 };

static char scratch_directory[PATH_BYTES];
static char scratch_files[FILES_MAX][PATH_BYTES];
static int scratch_file_count;
static long scratch_owner;

static void remove_scratch(void) {
    static const char* const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_BYTES + 16];
    int i;
    size_t s;
    if ((long)getpid() != scratch_owner) {
        return; /* a forked child */
    }
    for (i = 0; i < scratch_file_count; i++) {
        for (s = 0; s < COUNT_OF(suffixes); s++) {
            snprintf(path, sizeof path, "%.500s%s", scratch_files[i], suffixes[s]);
            remove(path);
        }
    }
    rmdir(scratch_directory);
}

void end_child(int code) {
#ifdef QUERN_COVERAGE
    exit(code); /* which writes what it has counted */
#else
    _exit(code);
#endif
}

const char* scratch_path(const char* name) {
    int i;
    char* path;
    if (scratch_directory[0] == '\0') {
        const char* parent = getenv("TMPDIR");
        snprintf(scratch_directory, sizeof scratch_directory, "%.400s/quern-contract-XXXXXX",
                 parent == NULL ? "/tmp" : parent);
        if (mkdtemp(scratch_directory) == NULL) {
            perror(scratch_directory);
            exit(2);
        }
        scratch_owner = (long)getpid();
        atexit(remove_scratch);
    }
    path = scratch_files[scratch_file_count];
    snprintf(path, PATH_BYTES, "%.400s/%.100s", scratch_directory, name);
    for (i = 0; i < scratch_file_count; i++) {
        if (strcmp(scratch_files[i], path) == 0) {
            return scratch_files[i];
        }
    }
    if (++scratch_file_count == FILES_MAX) {
        printf("more scratch files than %d\n", (int)FILES_MAX);
        exit(2);
    }
    return path;
}

void write_file(const char* path, const void* data, size_t size) {
    FILE* file = fopen(path, "wb");
    if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

unsigned char* read_file(const char* path, size_t* size) {
    unsigned char* data;
    long end;
    FILE* file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        perror(path);
        exit(2);
    }
    *size = (size_t)end;
    data = malloc(*size + 1);
    if (data == NULL || fread(data, 1, *size, file) != *size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return data;
}

quern_db* open_file(const char* path, const char* options) {
    quern_db* db;
    WANT(QUERN_OK, quern_open(path, options, &db, E));
    if (db == NULL) {
        exit(2);
    }
    return db;
}

quern_db* open_memory(void) {
    return open_file(":memory:", "busy_ms=30");
}

void create_docs(quern_db* db, const char* name) {
    quern_schema* s = quern_schema_new();
    quern_schema_key_text(s, "id");
    quern_schema_attr(s, "n", QUERN_INT, NULL);
    quern_schema_attr(s, "r", QUERN_REAL, NULL);
    quern_schema_attr(s, "t", QUERN_TEXT, NULL);
    quern_schema_attr(s, "b", QUERN_BOOL, NULL);
    quern_schema_attr(s, "x", QUERN_BLOB, NULL);
    quern_schema_attr(s, "j", QUERN_JSON, NULL);
    quern_schema_attr(s, "g", QUERN_TAGS, NULL);
    quern_schema_dense(s, "v", 3, QUERN_L2, NULL);
    WANT(QUERN_OK, quern_create(db, name, s, E));
    quern_schema_free(s);
}

void fill_docs(quern_db* db, const char* name) {
    static const char* const keys[] = {"a", "b", "c"};
    static const int64_t numbers[] = {1, 2, 3};
    static const float vectors[] = {0, 0, 0, 1, 0, 0, 0, 2, 0};
    quern_batch* b = quern_batch_new(db, name, 3);
    quern_batch_key_text(b, keys);
    quern_batch_int(b, "n", numbers, NULL);
    quern_batch_dense(b, "v", vectors, 3, NULL);
    WANT(QUERN_OK, quern_insert(b, NULL, E));
    CHECK_INT(3, quern_batch_affected(b));
    quern_batch_free(b);
}

quern_db* open_docs(void) {
    quern_db* db = open_memory();
    create_docs(db, "docs");
    fill_docs(db, "docs");
    return db;
}

quern_batch* batch_of_one(quern_db* db, const char* collection, const char* const* key) {
    quern_batch* b = quern_batch_new(db, collection, 1);
    quern_batch_key_text(b, key);
    return b;
}

uint64_t count_of(quern_db* db, const char* collection) {
    uint64_t count = UINT64_MAX;
    WANT(QUERN_OK, quern_count(db, collection, NULL, &count, E));
    return count;
}

quern_query* query_of_docs(quern_db* db) {
    static const float origin[] = {0, 0, 0};
    quern_query* q = quern_query_new(db, "docs");
    quern_query_dense(q, "v", origin, 1, 3);
    quern_query_limit(q, 1);
    return q;
}
