/* Snapshots, count, get, scans, SQL. */
#include "contract_check.h"

#include <string.h>

static void snapshots(void) {
    static const char* const key[] = {"d"};
    uint64_t count = 0;
    uint64_t before;
    quern_snapshot* snap = (quern_snapshot*)&contract_error;
    quern_snapshot* later;
    quern_db* db = open_docs();
    quern_db* other = open_docs();
    quern_batch* b = batch_of_one(db, "docs", key);
    quern_batch* foreign = batch_of_one(other, "docs", key);
    quern_query* q;
    quern_result* r;
    quern_cursor* c;

    WANT(QUERN_ERR_MISUSE, quern_snapshot_new(NULL, &snap, E));
    CHECK(snap == NULL);
    WANT(QUERN_ERR_MISUSE, quern_snapshot_new(db, NULL, E));
    WANT(QUERN_OK, quern_snapshot_new(db, &snap, E));
    before = quern_snapshot_generation(snap);
    CHECK_INT(0, quern_snapshot_generation(NULL));
    CHECK_INT(0, quern_snapshot_generation((const quern_snapshot*)(const void*)b));
    WANT(QUERN_OK, quern_insert(b, NULL, E));

    /* The snapshot does not see what came later. */
    WANT(QUERN_OK, quern_snapshot_new(db, &later, E));
    CHECK(quern_snapshot_generation(later) > before);
    CHECK(quern_snapshot_generation(snap) == before);
    WANT(QUERN_OK, quern_count(db, "docs", snap, &count, E));
    CHECK_INT(3, count);
    WANT(QUERN_OK, quern_count(db, "docs", later, &count, E));
    CHECK_INT(4, count);
    WANT(QUERN_OK, quern_get(b, snap, NULL, &r, E));
    CHECK_INT(0, quern_result_found(r, 0));
    quern_result_free(r);

    /* A snapshot of another database is refused everywhere. */
    WANT_NAMED(QUERN_ERR_MISUSE, "snap", quern_count(other, "docs", snap, &count, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "snap", quern_get(foreign, snap, NULL, &r, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "snap", quern_scan(other, "docs", snap, NULL, &c, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "snap", quern_sql(other, snap, "select 1", &r, E));
    q = query_of_docs(other);
    quern_query_snapshot(q, snap);
    WANT_NAMED(QUERN_ERR_MISUSE, "snap", quern_search(q, &r, E));
    quern_query_free(q);
    /* So is something that is no snapshot. */
    WANT(QUERN_ERR_MISUSE, quern_count(db, "docs", (quern_snapshot*)(void*)b, &count, E));
    q = query_of_docs(db);
    quern_query_snapshot(q, (quern_snapshot*)(void*)b);
    WANT(QUERN_ERR_MISUSE, quern_search(q, &r, E));
    quern_query_free(q);

    quern_snapshot_free(later);
    quern_snapshot_free(snap);
    quern_snapshot_free(NULL);
    quern_batch_free(foreign);
    quern_batch_free(b);
    quern_close(other);
    quern_close(db);
}

static void counts(void) {
    uint64_t count = 0;
    quern_db* db = open_docs();
    WANT(QUERN_ERR_MISUSE, quern_count(NULL, "docs", NULL, &count, E));
    WANT(QUERN_ERR_MISUSE, quern_count(db, NULL, NULL, &count, E));
    WANT(QUERN_ERR_MISUSE, quern_count(db, "docs", NULL, NULL, E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "absent", quern_count(db, "absent", NULL, &count, E));
    WANT(QUERN_OK, quern_count(db, "Docs", NULL, &count, E));
    CHECK_INT(3, count);
    quern_close(db);
}

static void gets(void) {
    static const char* const keys[] = {"c", "absent", "a"};
    static const struct {
        const char* columns;
        int32_t status;
        size_t count;
    } columns[] = {
        {NULL, QUERN_OK, 0},
        {"", QUERN_OK, 0},
        {" , ", QUERN_OK, 0},
        {"n", QUERN_OK, 1},
        {"v,n", QUERN_OK, 2},
        {"N V t", QUERN_OK, 3},
        {"*", QUERN_OK, 8},
        {"n n", QUERN_OK, 2},
        {"\"n\"", QUERN_OK, 1},
        {"absent", QUERN_ERR_UNKNOWN_FIELD, 0},
        {"n absent", QUERN_ERR_UNKNOWN_FIELD, 0},
        {"n;v", QUERN_ERR_UNKNOWN_FIELD, 0},
        {"\"n", QUERN_ERR_INVALID, 0},
        {"\"*\"", QUERN_ERR_UNKNOWN_FIELD, 0},
        {"\xff", QUERN_ERR_UNKNOWN_FIELD, 0},
    };
    size_t i;
    quern_result* r = (quern_result*)&contract_error;
    quern_db* db = open_docs();
    quern_batch* b = quern_batch_new(db, "docs", 3);
    WANT(QUERN_ERR_MISUSE, quern_get(NULL, NULL, NULL, &r, E));
    CHECK(r == NULL);
    WANT(QUERN_ERR_MISUSE, quern_get(b, NULL, NULL, &r, E)); /* no keys */
    quern_batch_key_text(b, keys);
    WANT(QUERN_ERR_MISUSE, quern_get(b, NULL, NULL, NULL, E));
    for (i = 0; i < COUNT_OF(columns); i++) {
        check_case(columns[i].columns);
        WANT(columns[i].status, quern_get(b, NULL, columns[i].columns, &r, E));
        CHECK((r != NULL) == (columns[i].status == QUERN_OK));
        CHECK_INT(columns[i].count, quern_result_columns(r));
        quern_result_free(r);
    }
    check_case(NULL);
    WANT(QUERN_OK, quern_get(b, NULL, "n", &r, E));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_INT(1, quern_result_found(r, 0));
    CHECK_INT(0, quern_result_found(r, 1));
    CHECK_INT(1, quern_result_found(r, 2));
    CHECK_INT(3, quern_result_int(r, 0, 0));
    CHECK_INT(0, quern_result_type(r, 1, 0));
    CHECK_INT(1, quern_result_int(r, 2, 0));
    CHECK_TEXT("absent", quern_result_key_text(r, 1));
    quern_result_free(r);
    quern_batch_free(b);
    quern_close(db);
}

static void scans(void) {
    static const size_t bad_counts[] = {0, 1048577, SIZE_MAX};
    size_t i;
    quern_result* r = NULL;
    quern_cursor* c = (quern_cursor*)&contract_error;
    quern_db* db = open_docs();
    WANT(QUERN_ERR_MISUSE, quern_scan(NULL, "docs", NULL, NULL, &c, E));
    CHECK(c == NULL);
    WANT(QUERN_ERR_MISUSE, quern_scan(db, NULL, NULL, NULL, &c, E));
    WANT(QUERN_ERR_MISUSE, quern_scan(db, "docs", NULL, NULL, NULL, E));
    WANT(QUERN_ERR_NOT_FOUND, quern_scan(db, "absent", NULL, NULL, &c, E));
    WANT(QUERN_ERR_UNKNOWN_FIELD, quern_scan(db, "docs", NULL, "absent", &c, E));
    CHECK(c == NULL);
    WANT(QUERN_OK, quern_scan(db, "docs", NULL, "n", &c, E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_next(NULL, 1, &r, E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_next(c, 1, NULL, E));
    for (i = 0; i < COUNT_OF(bad_counts); i++) {
        r = (quern_result*)&contract_error;
        WANT_NAMED(QUERN_ERR_INVALID, "1048576", quern_cursor_next(c, bad_counts[i], &r, E));
        CHECK(r == NULL);
    }
    WANT(QUERN_ERR_MISUSE, quern_cursor_after_int(NULL, 1, E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_after_text(NULL, "a", E));
    WANT(QUERN_ERR_MISUSE, quern_cursor_after_text(c, NULL, E));
    WANT(QUERN_ERR_TYPE, quern_cursor_after_int(c, 1, E));
    WANT(QUERN_OK, quern_cursor_next(c, 1, &r, E));
    CHECK_TEXT("a", quern_result_key_text(r, 0));
    quern_result_free(r);
    WANT(QUERN_OK, quern_cursor_after_text(c, "aa", E)); /* need not exist */
    WANT(QUERN_OK, quern_cursor_next(c, 1048576, &r, E));
    CHECK_INT(2, quern_result_rows(r));
    CHECK_TEXT("b", quern_result_key_text(r, 0));
    CHECK_INT(3, quern_result_int(r, 1, 0));
    quern_result_free(r);
    WANT(QUERN_OK, quern_cursor_next(c, 1, &r, E)); /* at the end */
    CHECK_INT(0, quern_result_rows(r));
    quern_result_free(r);
    WANT(QUERN_OK, quern_cursor_after_text(c, "", E)); /* and back to the start */
    WANT(QUERN_OK, quern_cursor_next(c, 5, &r, E));
    CHECK_INT(3, quern_result_rows(r));
    quern_result_free(r);
    quern_cursor_free(c);
    quern_cursor_free(NULL);
    quern_close(db);
}

static void sql(void) {
    static const char* const refused[] = {
        "",
        "   ",
        "-- only a comment",
        "selec 1",
        "select",
        "select 1; select 2",
        "select absent from docs",
        "select * from absent",
        "insert into docs(id) values('z')",
        "update docs set n = 1",
        "delete from docs",
        "drop table docs",
        "create table t(x)",
        "create temp table t(x)",
        "create view w as select 1",
        "pragma journal_mode=delete",
        "pragma user_version",
        "attach 'other.db' as o",
        "detach main",
        "begin",
        "commit",
        "rollback",
        "savepoint s",
        "vacuum",
        "reindex",
        "analyze",
        "select load_extension('x')",
        "explain select 1",
        "select * from sqlite_schema",
        "select * from quern_format",
        "select 1 from sqlite_schema",
        "select 1 from main.sqlite_schema",
        "select 1 from quern_format",
        "select count(*) from quern_log_1",
        "select 1 from main.quern_log_1",
        "select id from main.docs",
        "select 1 from main.docs",
        "select count(*) from MAIN.docs",
        "select * from pragma_table_info('docs')",
        "select 1 from pragma_table_list",
        "select * from dbstat",
        "select 1 from dbstat",
        "select 1 from json_each('[') limit 1",
        "select writefile('x', 'y')",
        "replace into docs(id) values('z')",
        "select \xff",
    };
    static const char* const allowed[] = {
        "select 1",
        "select 1;",
        "select 1 ; -- done",
        "select * from docs",
        "SELECT \"n\" FROM Docs WHERE id = 'a'",
        "with recursive c(x) as (select 1 union all select x + 1 from c where x < 5) select sum(x) "
        "from c",
        "select a.id from docs a join docs b on a.n = b.n order by 1 limit 1",
        "values (1), (2)",
        /* views of which no column is read */
        "select 1 from docs",
        "select random() from docs",
        "select count(*) from docs",
        "select a.id from docs a, docs b",
        "select max(n) from docs having exists (select 1 from docs)",
        "with t as (select id from docs) select 1 from t",
        "with t as (select id from docs limit 2) select 1 from t",
        "select 1 from temp.docs",
        /* the table functions for JSON and tags */
        "select 1 from json_each('[1]')",
        "select value from main.json_each('[1]')",
        "select atom from json_tree('{\"a\":[1]}') where atom is not null",
        "select d.id, t.value from docs d, json_each('[\"x\",\"y\"]') t where t.value = 'y'",
        "select id from docs where exists (select 1 from json_each('[1,2]') where value = 2)",
    };
    size_t i;
    quern_result* r = NULL;
    quern_db* db = open_docs();
    WANT(QUERN_ERR_MISUSE, quern_sql(NULL, NULL, "select 1", &r, E));
    WANT(QUERN_ERR_MISUSE, quern_sql(db, NULL, NULL, &r, E));
    WANT(QUERN_ERR_MISUSE, quern_sql(db, NULL, "select 1", NULL, E));
    for (i = 0; i < COUNT_OF(refused); i++) {
        check_case(refused[i]);
        r = (quern_result*)&contract_error;
        WANT(QUERN_ERR_SQL, quern_sql(db, NULL, refused[i], &r, E));
        CHECK(r == NULL);
    }
    for (i = 0; i < COUNT_OF(allowed); i++) {
        check_case(allowed[i]);
        WANT(QUERN_OK, quern_sql(db, NULL, allowed[i], &r, E));
        CHECK(quern_result_rows(r) > 0);
        quern_result_free(r);
    }
    check_case(NULL);
    WANT(QUERN_OK,
         quern_sql(db, NULL, "select id, n, r, 1.5, x'00ff' from docs order by n desc", &r, E));
    CHECK_INT(1, quern_result_queries(r));
    CHECK_INT(3, quern_result_rows(r));
    CHECK_INT(5, quern_result_columns(r));
    CHECK_TEXT("n", quern_result_column_name(r, 1));
    CHECK_TEXT("c", quern_result_text(r, 0, 0, NULL));
    CHECK_INT(3, quern_result_int(r, 0, 1));
    CHECK_INT(0, quern_result_type(r, 0, 2));
    CHECK_INT(QUERN_REAL, quern_result_type(r, 0, 3));
    CHECK_INT(QUERN_BLOB, quern_result_type(r, 0, 4));
    quern_result_free(r);
    WANT_NAMED(QUERN_ERR_LIMIT, "the limit of a value",
               quern_sql(db, NULL, "select zeroblob(2e9)", &r, E));
    WANT(QUERN_OK, quern_limit(db, QUERN_LIMIT_RESULT_ROWS, 2, NULL, E));
    WANT(QUERN_ERR_LIMIT, quern_sql(db, NULL, "select id from docs", &r, E));
    CHECK(r == NULL);
    CHECK_INT(3, count_of(db, "docs"));
    quern_close(db);
}

static void attached(void) {
    quern_db* db = open_docs();
    quern_result* r = NULL;
    char name[80];
    const char* other_path = scratch_path("attached.db");
    write_file(other_path, "no database", 11);
    WANT_NAMED(QUERN_ERR_NOT_A_DATABASE, "app", quern_attach(db, "app", other_path, E));
    write_file(other_path, "", 0); /* to SQLite an empty database */
    WANT(QUERN_ERR_MISUSE, quern_attach(NULL, "app", other_path, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "name", quern_attach(db, NULL, other_path, E));
    WANT_NAMED(QUERN_ERR_MISUSE, "path", quern_attach(db, "app", NULL, E));
    WANT_NAMED(QUERN_ERR_CANT_OPEN, "app", quern_attach(db, "app", "/nowhere/at/all", E));
    WANT_NAMED(QUERN_ERR_INVALID, "main", quern_attach(db, "main", other_path, E));
    WANT_NAMED(QUERN_ERR_INVALID, "temp", quern_attach(db, "TEMP", other_path, E));
    WANT_NAMED(QUERN_ERR_INVALID, "quern_x", quern_attach(db, "quern_x", other_path, E));
    WANT_NAMED(QUERN_ERR_INVALID, "a b", quern_attach(db, "a b", other_path, E));
    WANT_NAMED(QUERN_ERR_INVALID, "name ''", quern_attach(db, "", other_path, E));
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    WANT_NAMED(QUERN_ERR_INVALID, "64", quern_attach(db, name, other_path, E));
    WANT(QUERN_ERR_MISUSE, quern_detach(NULL, "app", E));
    WANT_NAMED(QUERN_ERR_MISUSE, "name", quern_detach(db, NULL, E));
    WANT_NAMED(QUERN_ERR_NOT_FOUND, "app", quern_detach(db, "app", E));
    WANT(QUERN_ERR_SQL, quern_sql(db, NULL, "select * from app.docs", &r, E));
    WANT(QUERN_ERR_SQL, quern_sql(db, NULL, "attach 'x' as app", &r, E));
    WANT(QUERN_OK, quern_attach(db, "app", other_path, E));
    WANT_NAMED(QUERN_ERR_EXISTS, "app", quern_attach(db, "APP", other_path, E));
    WANT(QUERN_ERR_SQL, quern_sql(db, NULL, "create table app.t(x)", &r, E));
    WANT(QUERN_OK, quern_detach(db, "App", E));
    quern_close(db);
}

void contract_read(void) {
    snapshots();
    counts();
    gets();
    scans();
    sql();
    attached();
}
