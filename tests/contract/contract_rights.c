/* What lies beside the file, and rights: a database stays one file whoever read it last; where one
 * may not write, one can read; what cannot be read is refused with the reason. */
#define _XOPEN_SOURCE 700
#include "contract_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 600, NOBODY = 65534, MANY = 3000, TEXT_BYTES = 1000 };

/* The file's name with a suffix; overwritten by the next call. */
static const char* beside(const char* path, const char* suffix) {
    static char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return name;
}

static int is_there(const char* path) {
    struct stat info;
    return stat(path, &info) == 0;
}

static int is_alone(const char* path) {
    return is_there(path) && !is_there(beside(path, "-wal")) && !is_there(beside(path, "-shm")) &&
           !is_there(beside(path, "-journal"));
}

static void set_mode(const char* path, mode_t mode) {
    if (chmod(path, mode) != 0) {
        perror(path);
        exit(2);
    }
}

/* Records that do not fit a connection's cache, so that reading them reads the file. */
static int32_t add_many(quern_db* db, const char* letter) {
    static char text[TEXT_BYTES + 1];
    static char names[MANY][16];
    static const char* keys[MANY];
    static const char* texts[MANY];
    quern_batch* b = quern_batch_new(db, "docs", MANY);
    int32_t status;
    int i;
    memset(text, letter[0], TEXT_BYTES);
    for (i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%s%d", letter, i);
        keys[i] = names[i];
        texts[i] = text;
    }
    quern_batch_key_text(b, keys);
    quern_batch_text(b, "t", texts, NULL);
    status = quern_upsert(b, NULL, NULL);
    quern_batch_free(b);
    return status;
}

static void make_database(const char* path) {
    quern_db* db = open_file(path, NULL);
    create_docs(db, "docs");
    fill_docs(db, "docs");
    CHECK_INT(QUERN_OK, add_many(db, "m"));
    quern_close(db);
    CHECK(is_alone(path));
}

static void check_same_bytes(const char* path, const unsigned char* before, size_t size) {
    size_t now;
    unsigned char* after = read_file(path, &now);
    CHECK_INT(size, now);
    CHECK(now == size && memcmp(before, after, size) == 0);
    free(after);
}

/* Readers put away what they made, whoever closes last, and change nothing. */
static void readers_leave_nothing(void) {
    const char* path = scratch_path("alone.quern");
    quern_db* reader;
    quern_db* writer;
    unsigned char* before;
    size_t size;
    make_database(path);
    before = read_file(path, &size);
    reader = open_file(path, "mode=ro");
    CHECK_INT(MANY + 3, count_of(reader, "docs"));
    WANT(QUERN_OK, quern_verify(reader, NULL, E));
    quern_close(reader);
    CHECK(is_alone(path));
    check_same_bytes(path, before, size);
    free(before);

    reader = open_file(path, "mode=ro");
    writer = open_file(path, NULL);
    CHECK_INT(QUERN_OK, add_many(writer, "w"));
    CHECK_INT(2 * MANY + 3, count_of(reader, "docs"));
    quern_close(writer);
    CHECK_INT(2 * MANY + 3, count_of(reader, "docs"));
    quern_close(reader);
    CHECK(is_alone(path));

    /* A snapshot keeps the writer from putting the log away; its reader does. */
    {
        quern_snapshot* snap;
        reader = open_file(path, "mode=ro");
        writer = open_file(path, NULL);
        WANT(QUERN_OK, quern_snapshot_new(reader, &snap, E));
        CHECK_INT(QUERN_OK, add_many(writer, "x"));
        quern_close(writer);
        quern_snapshot_free(snap);
        quern_close(reader);
        CHECK(is_alone(path));
        reader = open_file(path, "mode=ro");
        CHECK_INT(3 * MANY + 3, count_of(reader, "docs"));
        quern_close(reader);
    }
}

/* SQL needs views of its own for its time; writing stays out. */
static void sql_only_reads(void) {
    const char* path = scratch_path("sql-ro.quern");
    quern_db* db;
    quern_result* r;
    make_database(path);
    db = open_file(path, "mode=ro");
    WANT(QUERN_OK, quern_sql(db, NULL, "select count(*) from docs", &r, E));
    CHECK_INT(MANY + 3, quern_result_int(r, 0, 0));
    quern_result_free(r);
    WANT(QUERN_ERR_SQL, quern_sql(db, NULL, "delete from docs", &r, E));
    WANT(QUERN_ERR_SQL, quern_sql(db, NULL, "create table more(x)", &r, E));
    WANT(QUERN_OK, quern_sql(db, NULL, "select id from docs where n = 1", &r, E));
    CHECK_TEXT("a", quern_result_text(r, 0, 0, NULL));
    quern_result_free(r);
    quern_close(db);
    CHECK(is_alone(path));
}

/* A process of its own, without the rights of root. Its exit code is the line of the first check in
 * it that failed (modulo 256), 0 for none. */
#define MUST(condition)                \
    do {                               \
        if (!(condition)) {            \
            return __LINE__ % 255 + 1; \
        }                              \
    } while (0)

struct guest {
    const char* path;
    int ready; /* pipes: tell the host, wait for the host */
    int go;
};

static pid_t start_guest(int (*run)(struct guest*), struct guest* guest) {
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
            end_child(255);
        }
        end_child(run(guest));
    }
    return child;
}

static int exit_code_of(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

/* A scratch directory that others may enter, with a database in it; NULL where they may not. */
static const char* make_guest_room(const char* name) {
    static char path[PATH_BYTES];
    const char* room = scratch_path(name);
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "%s", room);
    *strrchr(parent, '/') = '\0';
    set_mode(parent, 0711);
    if (mkdir(room, 0755) != 0) {
        perror(room);
        exit(2);
    }
    snprintf(path, sizeof path, "%s/a.quern", room);
    make_database(path);
    return path;
}

static void close_guest_room(const char* name, const char* path, mode_t file, mode_t directory) {
    set_mode(path, file);
    set_mode(scratch_path(name), directory);
}

static void remove_guest_room(const char* name, const char* path) {
    close_guest_room(name, path, 0644, 0755);
    remove(beside(path, "-wal"));
    remove(beside(path, "-shm"));
    remove(path);
}

static int cannot_enter(struct guest* guest) {
    return access(guest->path, R_OK);
}

static int read_as_guest(struct guest* guest) {
    quern_db* db = NULL;
    quern_error err = QUERN_ERROR_INIT;
    uint64_t count = 0;
    quern_result* r = NULL;
    quern_query* q;
    MUST(quern_open(guest->path, "mode=ro", &db, &err) == QUERN_OK);
    MUST(quern_count(db, "docs", NULL, &count, NULL) == QUERN_OK && count == MANY + 3);
    q = query_of_docs(db);
    MUST(quern_search(q, &r, NULL) == QUERN_OK);
    MUST(strcmp(quern_result_key_text(r, 0), "a") == 0);
    quern_result_free(r);
    quern_query_free(q);
    MUST(quern_sql(db, NULL, "select count(*) from docs", &r, NULL) == QUERN_OK);
    quern_result_free(r);
    MUST(quern_verify(db, NULL, NULL) == QUERN_OK);
    MUST(quern_drop(db, "docs", NULL) == QUERN_ERR_READ_ONLY);
    quern_close(db);
    MUST(quern_open(guest->path, NULL, &db, &err) == QUERN_ERR_READ_ONLY);
    MUST(db == NULL && strstr(err.message, "mode=ro") != NULL);
    return 0;
}

static void no_rights(void) {
    static const struct {
        const char* name;
        mode_t file;
        mode_t directory;
    } rooms[] = {
        {"room-closed", 0444, 0555},     /* a file and a directory that may not be written */
        {"room-open-file", 0666, 0555},  /* only the directory */
        {"room-open-folder", 0444, 0777} /* only the file */
    };
    size_t i;
    for (i = 0; i < COUNT_OF(rooms); i++) {
        const char* path = make_guest_room(rooms[i].name);
        struct guest guest;
        unsigned char* before;
        size_t size;
        guest.path = path;
        check_case(rooms[i].name);
        before = read_file(path, &size);
        close_guest_room(rooms[i].name, path, rooms[i].file, rooms[i].directory);
        if (exit_code_of(start_guest(cannot_enter, &guest)) != 0) {
            printf("skipped: nobody may enter %s\n", path);
        } else {
            CHECK_INT(0, exit_code_of(start_guest(read_as_guest, &guest)));
            CHECK(is_alone(path));
            check_same_bytes(path, before, size);
        }
        free(before);
        remove_guest_room(rooms[i].name, path);
    }
    check_case(NULL);
}

static int scan_all(quern_db* db, quern_snapshot* snap) {
    quern_cursor* c = NULL;
    int32_t status = quern_scan(db, "docs", snap, NULL, &c, NULL);
    while (status == QUERN_OK) {
        quern_result* r = NULL;
        size_t rows = 0;
        status = quern_cursor_next(c, 100, &r, NULL);
        if (status == QUERN_OK) {
            rows = quern_result_rows(r);
        }
        quern_result_free(r);
        if (rows == 0) {
            break;
        }
    }
    quern_cursor_free(c);
    return status;
}

static int read_beside_the_owner(struct guest* guest) {
    quern_db* db = NULL;
    quern_snapshot* snap = NULL;
    uint64_t count = 0;
    char byte = 'r';
    MUST(quern_open(guest->path, "mode=ro", &db, NULL) == QUERN_OK);
    MUST(quern_snapshot_new(db, &snap, NULL) == QUERN_OK);
    MUST(quern_count(db, "docs", NULL, &count, NULL) == QUERN_OK && count == MANY + 3);
    MUST(write(guest->ready, &byte, 1) == 1 && read(guest->go, &byte, 1) == 1);
    /* The owner has written, and is there. What the old snapshot had is gone, and it says so. */
    MUST(scan_all(db, snap) == QUERN_ERR_BUSY);
    quern_snapshot_free(snap);
    MUST(quern_count(db, "docs", NULL, &count, NULL) == QUERN_OK && count == 2 * MANY + 3);
    MUST(scan_all(db, NULL) == QUERN_OK);
    MUST(write(guest->ready, &byte, 1) == 1 && read(guest->go, &byte, 1) == 1);
    /* The owner has gone. */
    MUST(quern_count(db, "docs", NULL, &count, NULL) == QUERN_OK && count == 3 * MANY + 3);
    MUST(scan_all(db, NULL) == QUERN_OK);
    quern_close(db);
    return 0;
}

/* One that reads without rights sees what the owner commits, with each new snapshot. */
static void owner_comes(void) {
    const char* path = make_guest_room("room-owner");
    struct guest guest;
    int ready[2];
    int go[2];
    char byte = 'g';
    pid_t child;
    quern_db* db;
    if (pipe(ready) != 0 || pipe(go) != 0) {
        perror("pipe");
        exit(2);
    }
    guest.path = path;
    guest.ready = ready[1];
    guest.go = go[0];
    close_guest_room("room-owner", path, 0444, 0555);
    if (exit_code_of(start_guest(cannot_enter, &guest)) == 0) {
        child = start_guest(read_beside_the_owner, &guest);
        close(ready[1]);
        CHECK_INT(1, read(ready[0], &byte, 1));
        close_guest_room("room-owner", path, 0644, 0755);
        db = open_file(path, NULL);
        CHECK_INT(QUERN_OK, add_many(db, "n"));
        WANT(QUERN_OK, quern_optimize(db, NULL, 0, E));
        CHECK_INT(1, write(go[1], &byte, 1));
        CHECK_INT(1, read(ready[0], &byte, 1));
        CHECK_INT(QUERN_OK, add_many(db, "o"));
        quern_close(db);
        CHECK_INT(1, write(go[1], &byte, 1));
        CHECK_INT(0, exit_code_of(child));
    } else {
        close(ready[1]);
        printf("skipped: nobody may enter %s\n", path);
    }
    close(ready[0]);
    close(go[0]);
    close(go[1]);
    remove_guest_room("room-owner", path);
}

static int leave_a_log(struct guest* guest) {
    quern_db* db = NULL;
    MUST(quern_open(guest->path, NULL, &db, NULL) == QUERN_OK);
    MUST(add_many(db, "l") == QUERN_OK);
    return 0; /* without closing */
}

static int read_with_log(struct guest* guest) {
    quern_db* db = NULL;
    quern_error err = QUERN_ERROR_INIT;
    MUST(quern_open(guest->path, "mode=ro", &db, &err) == QUERN_ERR_CANT_OPEN);
    MUST(strstr(err.message, "a.quern-wal") != NULL && strstr(err.message, "a.quern-shm") != NULL);
    return 0;
}

/* Commits that are in the log only cannot be read where the log's index cannot be made. */
static void log_without_rights(void) {
    const char* path = make_guest_room("room-log");
    struct guest guest;
    pid_t child;
    quern_db* db;
    guest.path = path;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        _exit(leave_a_log(&guest));
    }
    CHECK_INT(0, exit_code_of(child));
    CHECK(is_there(beside(path, "-wal")));
    CHECK_INT(0, remove(beside(path, "-shm")));
    close_guest_room("room-log", path, 0444, 0555);
    if (exit_code_of(start_guest(cannot_enter, &guest)) == 0) {
        CHECK_INT(0, exit_code_of(start_guest(read_with_log, &guest)));
    }
    close_guest_room("room-log", path, 0644, 0755);
    db = open_file(path, "mode=ro");
    CHECK_INT(2 * MANY + 3, count_of(db, "docs"));
    quern_close(db);
    CHECK(is_alone(path));
    remove_guest_room("room-log", path);
}

void contract_rights(void) {
    readers_leave_nothing();
    sql_only_reads();
    no_rights();
    owner_comes();
    log_without_rights();
}
