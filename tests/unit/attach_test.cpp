// Files attached for filters and SQL: what may be read of them, what not, and when.
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/filtered_file.h"

using namespace filtered;

namespace {

// A plain SQLite file of the app's.
struct AppFile {
    explicit AppFile(const char* name)
        : path((std::filesystem::temp_directory_path() /
                ("quern_attach_" + std::to_string(getpid()) + name + " 100%?#.db"))
                   .string()) {
        std::remove(path.c_str());
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    }
    ~AppFile() {
        sqlite3_close(db);
        // While the database still has it attached, closing it does not take these away.
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::remove((path + suffix).c_str());
        }
    }
    void Run(const char* sql) {
        INFO(sql);
        REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    }
    void Fill() {
        Run("CREATE TABLE marks(doc INTEGER PRIMARY KEY, stars INTEGER);"
            "INSERT INTO marks VALUES(1, 5), (2, 1), (8, 4), (70, 5), (100000, 5);"
            "CREATE VIRTUAL TABLE notes USING fts5(body);"
            "INSERT INTO notes(rowid, body) VALUES(5, 'a quantum leap'), (9, 'zebra'), (71, "
            "'quantum');"
            "CREATE TABLE good(doc); INSERT INTO good VALUES(6);"
            "CREATE VIEW stars AS SELECT doc FROM marks;");
    }
    std::string path;
    sqlite3* db = nullptr;
};

using Keys = std::set<int64_t>;

Keys Find(FilteredFile* file, const std::string& filter) {
    CAPTURE(filter);
    quern_query* query = file->Query(filter);
    quern_query_limit(query, 0);
    quern_result* result = nullptr;
    file->Ok(quern_query_list(query, &result, &file->err));
    Keys keys;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        keys.insert(quern_result_key_int(result, row));
    }
    quern_result_free(result);
    quern_query_free(query);
    return keys;
}

int32_t Sql(FilteredFile* file, const std::string& statement) {
    quern_result* result = nullptr;
    const int32_t status = quern_sql(file->db, nullptr, statement.c_str(), &result, &file->err);
    quern_result_free(result);
    return status;
}

}  // namespace

TEST_CASE("filters read attached files", "[filter][attach]") {
    FilteredFile file("_attached");
    file.Fill(100);
    AppFile app("app");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    CHECK(Find(&file, "id in (select doc from app.marks where stars > 3)") == Keys{1, 8, 70});
    CHECK(Find(&file, "id in (select rowid from app.notes where notes match 'quantum')") ==
          Keys{5, 71});
    CHECK(Find(&file,
               "id in (select rowid from app.notes where notes match 'qu*' order by rank "
               "limit 1)")
              .size() == 1);
    CHECK(Find(&file, "exists (select 1 from app.marks where doc = docs.id) and id < 5") ==
          Keys{1, 2});
    // Mistakes in what full-text tables are asked are told where they are asked.
    const struct {
        std::string filter;
        const char* says;
    } wrong[] = {
        {"id > 0 and id in (select rowid from app.notes where notes match 'a AND')",
         "filter, byte 58: fts5: syntax error"},
        {"id > 0 and id in (select rowid from app.notes where notes match 'a \"b')",
         "filter, byte 58: unterminated string"},
        {"id > 0 and id in (select rowid from app.notes where notes match 'nope: a')",
         "filter, byte 58: no such column: nope"},
        // The query's and, not the statement's.
        {"id > 0 and id in (select rowid from app.notes where notes match 'a AND AND' and 1)",
         "filter, byte 58: fts5: syntax error"},
        // Whose it is of two nobody tells: that of the condition.
        {"id > 0 and id in (select rowid from app.notes where notes match 'a' union select rowid "
         "from app.notes where notes match 'AND')",
         "filter, byte 11: fts5: syntax error"},
    };
    for (const auto& one : wrong) {
        CAPTURE(one.filter);
        CHECK(file.Fails(one.filter) == QUERN_ERR_SQL);
        INFO(file.err.message);
        CHECK(file.Says(one.says));
    }
    // The row id of the records themselves stays out of sight.
    for (const char* own : {"rowid = 1", "(select 1) = 1 and rowid > 0", "(1) = oid"}) {
        CHECK(file.Fails(own) == QUERN_ERR_UNKNOWN_FIELD);
    }
    CHECK(Find(&file, "id in app.good or id = 9") == Keys{6, 9});
    // One condition of several, beside those that are decided on columns.
    const std::string more = "id < 50 and not id in (select doc from app.marks)";
    Keys wanted = file.Truth("id < 50");
    for (const int64_t key : {1, 2, 8}) {
        wanted.erase(key);
    }
    CHECK(Find(&file, more) == wanted);
    CHECK(file.Found(file.Query("id in (select doc from app.marks)"), "").size() <= 4);
}

TEST_CASE("attached files are read as they are at the time", "[filter][attach]") {
    FilteredFile file("_attached_now");
    file.Fill(100);
    AppFile app("now");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    const std::string filter = "id in (select doc from app.marks where stars > 3)";
    CHECK(Find(&file, filter) == Keys{1, 8, 70});
    app.Run("INSERT INTO marks VALUES(20, 5); DELETE FROM marks WHERE doc = 1");
    CHECK(Find(&file, filter) == Keys{8, 20, 70});
    // Another schema, with another full-text table.
    app.Run(
        "CREATE VIRTUAL TABLE more USING fts5(body); INSERT INTO more(rowid, body) VALUES(33, "
        "'leap')");
    CHECK(Find(&file, "id in (select rowid from app.more where more match 'leap')") == Keys{33});
    app.Run("PRAGMA journal_mode=WAL; INSERT INTO marks VALUES(21, 5)");
    CHECK(Find(&file, filter) == Keys{8, 20, 21, 70});
    // A snapshot that has read it goes on seeing what it saw.
    quern_snapshot* snapshot = nullptr;
    file.Ok(quern_snapshot_new(file.db, &snapshot, &file.err));
    const auto count = [&] {
        quern_result* result = nullptr;
        file.Ok(quern_sql(file.db, snapshot, "select count(*) from app.marks", &result, &file.err));
        const int64_t rows = quern_result_int(result, 0, 0);
        quern_result_free(result);
        return rows;
    };
    const int64_t before = count();
    app.Run("INSERT INTO marks VALUES(22, 5)");
    CHECK(count() == before);
    // Detached meanwhile, its name is unknown, there and elsewhere; and is free again.
    file.Ok(quern_detach(file.db, "APP", &file.err));
    CHECK(Sql(&file, "select * from app.marks") == QUERN_ERR_SQL);
    quern_result* result = nullptr;
    CHECK(quern_sql(file.db, snapshot, "select * from app.marks", &result, &file.err) ==
          QUERN_ERR_SQL);
    quern_snapshot_free(snapshot);
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    CHECK(Find(&file, filter) == Keys{8, 20, 21, 22, 70});
    CHECK(quern_attach(file.db, "App", app.path.c_str(), &file.err) == QUERN_ERR_EXISTS);
    CHECK(file.Says("app"));
}

TEST_CASE("an attached file is the one that lies at its path", "[filter][attach]") {
    FilteredFile file("_attached_path");
    file.Fill(100);
    AppFile app("path");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    const std::string filter = "id in (select doc from app.marks where stars > 3)";
    CHECK(Find(&file, filter) == Keys{1, 8, 70});
    quern_snapshot* snapshot = nullptr;
    file.Ok(quern_snapshot_new(file.db, &snapshot, &file.err));
    const auto count = [&] {
        quern_result* result = nullptr;
        file.Ok(quern_sql(file.db, snapshot, "select count(*) from app.marks", &result, &file.err));
        const int64_t rows = quern_result_int(result, 0, 0);
        quern_result_free(result);
        return rows;
    };
    CHECK(count() == 5);
    {
        AppFile other("other");
        other.Run("CREATE TABLE marks(doc, stars); INSERT INTO marks VALUES(2, 5), (5, 5), (5, 1)");
        std::filesystem::rename(other.path, app.path);
    }
    CHECK(Find(&file, filter) == Keys{2, 5});
    CHECK(Sql(&file, "select stars from app.marks") == QUERN_OK);
    // Who has read the former one goes on with it.
    CHECK(count() == 5);
    std::filesystem::remove(app.path);
    CHECK(Sql(&file, "select * from app.marks") == QUERN_ERR_CANT_OPEN);
    CHECK(file.Says(app.path));
    CHECK(file.Fails(filter) == QUERN_ERR_CANT_OPEN);
    CHECK(Find(&file, "id < 3") == file.Truth("id < 3"));
    std::ofstream(app.path) << std::string(5000, 'x');
    CHECK(file.Fails(filter) == QUERN_ERR_NOT_A_DATABASE);
    CHECK(file.Says(app.path));
    CHECK(count() == 5);
    quern_snapshot_free(snapshot);
    std::filesystem::remove(app.path);
    std::filesystem::create_directory(app.path);
    CHECK(Sql(&file, "select * from app.marks") == QUERN_ERR_CANT_OPEN);
    CHECK(file.Says("is a directory"));
    std::filesystem::remove(app.path);
    {
        AppFile other("back");
        other.Run("CREATE TABLE marks(doc, stars); INSERT INTO marks VALUES(9, 5)");
        std::filesystem::rename(other.path, app.path);
    }
    CHECK(Find(&file, filter) == Keys{9});
}

TEST_CASE("what cannot be attached is told with the reason", "[filter][attach]") {
    FilteredFile file("_attached_reason");
    const auto directory = std::filesystem::temp_directory_path().string();
    CHECK(quern_attach(file.db, "app", directory.c_str(), &file.err) == QUERN_ERR_CANT_OPEN);
    CHECK(file.Says("is a directory"));
    AppFile app("reason");
    app.Run("CREATE TABLE t(x); CREATE VIEW inner AS SELECT x FROM main.t");
    CHECK(quern_attach(file.db, "app", app.path.c_str(), &file.err) == QUERN_ERR_INVALID);
    CHECK(file.Says("SQLite does not read its tables from another database"));
    CHECK(file.Says("view inner cannot reference objects in database main"));
}

TEST_CASE("a refusal of SQLite's names what is refused", "[filter][sql]") {
    FilteredFile file("_refusal");
    for (const auto& [statement, refused] :
         {std::pair{"pragma user_version=3", "not authorized: PRAGMA user_version"},
          {"attach 'x' as y", "not authorized: ATTACH of x"},
          {"detach main", "not authorized: DETACH of main"},
          {"begin", "not authorized: transactions"},
          {"select * from dbstat", "no such table: dbstat"}}) {
        CAPTURE(statement);
        CHECK(Sql(&file, statement) == QUERN_ERR_SQL);
        INFO(file.err.message);
        CHECK(file.Says(refused));
    }
}

TEST_CASE("records are deleted by what an attached file says", "[filter][attach]") {
    FilteredFile file("_attached_delete");
    file.Fill(100);
    AppFile app("delete");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    quern_query* query = file.Query("id in (select doc from app.marks where stars > 3)");
    uint64_t deleted = 0;
    file.Ok(quern_query_delete(query, nullptr, &deleted, &file.err));
    quern_query_free(query);
    CHECK(deleted == 3);
    CHECK(file.Truth("id in (1, 8, 70)").empty());
    // Work on the whole file concerns this one alone.
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_vacuum(file.db, &file.err));
    file.Ok(quern_verify(file.db, nullptr, &file.err));
    app.Run("INSERT INTO marks VALUES(2000, 1)");  // nobody holds a lock
}

TEST_CASE("attached files are only read, and run nothing", "[filter][attach]") {
    FilteredFile file("_attached_safe");
    file.Fill(100);
    AppFile app("safe");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    for (const char* statement :
         {"delete from app.marks", "insert into app.marks values(1, 1)", "create table app.x(y)",
          "drop table app.marks", "pragma app.user_version=3", "pragma app.journal_mode=delete",
          "select * from app.stars", "select * from app.sqlite_schema", "detach app", "vacuum app",
          "select * from app.pragma_table_info('marks')",
          "insert into app.notes(notes) values('optimize')"}) {
        CAPTURE(statement);
        CHECK(Sql(&file, statement) == QUERN_ERR_SQL);
    }
    CHECK(Sql(&file, "select * from app.marks, docs where doc = id") == QUERN_OK);
    // A table of the app's does not hide a collection, nor what is the database's own.
    app.Run("CREATE TABLE docs(id); CREATE TABLE quern_chunk(id); INSERT INTO docs VALUES(4711)");
    CHECK(Find(&file, "id in (select id from docs where id < 2)") == file.Truth("id < 2"));
    CHECK(Sql(&file, "select * from quern_chunk") == QUERN_ERR_SQL);
    CHECK(Sql(&file, "select * from main.quern_chunk") == QUERN_ERR_SQL);
}

TEST_CASE("modules of the process are no part of what a file may use", "[filter][attach]") {
    FilteredFile file("_attached_modules");
    file.Fill(100);
    AppFile app("modules");
    app.Fill();
    // What SQLite brings, under a text that tells of another module: reads other tables' pages.
    app.Run(
        "CREATE VIRTUAL TABLE pages USING \"fts5vocab\"(notes, 'row');"
        "CREATE VIRTUAL TABLE \"q\"\"uoted [1]\" USING fts5(body, tokenize='porter');"
        "INSERT INTO \"q\"\"uoted [1]\"(rowid, body) VALUES(5, 'leaping')");
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    CHECK(Sql(&file, "select * from app.pages /* using fts5(x) */") == QUERN_ERR_SQL);
    CHECK(file.Says("no such module"));
    CHECK(Find(&file,
               "id in (select rowid from app.\"q\"\"uoted [1]\" as t where body match 'leap')") ==
          Keys{5});
}

TEST_CASE("collections have no row ids to ask for", "[filter][sql]") {
    FilteredFile file("_no_rowid");
    file.Fill(100);
    for (const char* name : {"rowid", "OID"}) {
        CAPTURE(name);
        CHECK(Sql(&file, std::string("select ") + name + " from docs") == QUERN_ERR_SQL);
        CHECK(file.Says("docs.ROWID is prohibited"));
        CHECK(file.Fails(std::string("id in (select d.") + name + " from docs d)") ==
              QUERN_ERR_SQL);
    }
    CHECK(Sql(&file, "select count(*) from docs") == QUERN_OK);
}

TEST_CASE("attached files that are damaged or gone are told of", "[filter][attach]") {
    FilteredFile file("_attached_bad");
    file.Fill(100);
    const std::string own = file.path;
    CHECK(quern_attach(file.db, "self", own.c_str(), &file.err) == QUERN_ERR_INVALID);
    CHECK(file.Says("itself"));
    AppFile text("text");
    std::ofstream(text.path) << std::string(4096, 'x');
    CHECK(quern_attach(file.db, "text", text.path.c_str(), &file.err) == QUERN_ERR_NOT_A_DATABASE);
    CHECK(file.Says("text"));
    CHECK(quern_detach(file.db, "text", &file.err) == QUERN_ERR_NOT_FOUND);
    AppFile app("bad");
    app.Fill();
    app.Run(
        "CREATE TABLE many(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 5000) INSERT INTO many SELECT hex(zeroblob(20)) FROM n");
    sqlite3_close(app.db);
    app.db = nullptr;
    {
        std::fstream bytes(app.path, std::ios::in | std::ios::out | std::ios::binary);
        const auto size = static_cast<std::streamoff>(std::filesystem::file_size(app.path));
        for (std::streamoff at = size / 2; at + 8 < size; at += 4096) {
            bytes.seekp(at / 4096 * 4096);
            bytes.write("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
        }
    }
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    CHECK(Sql(&file, "select max(length(x)) from app.many") == QUERN_ERR_SQL);
    CHECK(file.Says("an attached file is damaged"));
    CHECK(Find(&file, "id < 3") == file.Truth("id < 3"));  // ours is sound
    // Gone before a connection could open it: what does not name it works on.
    file.Ok(quern_detach(file.db, "app", &file.err));
    std::filesystem::remove(app.path);
    CHECK(quern_attach(file.db, "app", app.path.c_str(), &file.err) == QUERN_ERR_CANT_OPEN);
    std::ofstream(text.path).close();
    file.Ok(quern_attach(file.db, "empty", text.path.c_str(), &file.err));
    quern_snapshot* snapshot = nullptr;  // takes the connection that has it
    file.Ok(quern_snapshot_new(file.db, &snapshot, &file.err));
    std::filesystem::remove(text.path);
    CHECK(Sql(&file, "select * from empty.t") == QUERN_ERR_CANT_OPEN);
    CHECK(file.Says(text.path));
    CHECK(Sql(&file, "select 1") == QUERN_OK);
    // What is wrong with a statement that does not name it is its own.
    CHECK(Sql(&file, "select nope") == QUERN_ERR_SQL);
    quern_snapshot_free(snapshot);
}

TEST_CASE("an attached file that is damaged while it is attached is told of", "[filter][attach]") {
    FilteredFile file("_attached_torn");
    file.Fill(100);
    AppFile app("torn");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    CHECK(Sql(&file, "select * from app.marks") == QUERN_OK);
    app.Run(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='oh no' WHERE name='marks';"
        "PRAGMA schema_version=99");
    const auto told = [&] {
        CHECK(Sql(&file, "select * from app.marks") == QUERN_ERR_SQL);
        INFO(file.err.message);
        CHECK(file.Says("attached file 'app' is damaged"));
        // Views are made among the names of all files. It is not ours that is damaged.
        const int32_t other = Sql(&file, "select count(*) from docs");
        CHECK((other == QUERN_OK || other == QUERN_ERR_SQL));
        CHECK((other == QUERN_OK || file.Says("an attached file is damaged")));
    };
    told();
    std::fstream(app.path, std::ios::in | std::ios::out | std::ios::binary)
        << std::string(100, 'x');
    told();
    file.Ok(quern_detach(file.db, "app", &file.err));
    CHECK(Sql(&file, "select count(*) from docs") == QUERN_OK);
}

TEST_CASE("an attached file that a writer holds is waited for, and named", "[filter][attach]") {
    FilteredFile file("_attached_held");
    file.Fill(100);
    file.Open("busy_ms=20");
    AppFile app("held");
    app.Fill();
    file.Ok(quern_attach(file.db, "app", app.path.c_str(), &file.err));
    app.Run("BEGIN EXCLUSIVE");
    CHECK(Sql(&file, "select count(*) from app.marks where stars > 0") == QUERN_ERR_BUSY);
    CHECK(file.Says("attached file"));
    CHECK(Find(&file, "id < 3") == file.Truth("id < 3"));
    // A condition is told of it as well; what does not name the file works on.
    CHECK(file.Fails("id in (select doc from app.marks)") == QUERN_ERR_BUSY);
    CHECK(file.Says("'app'"));
    CHECK(Sql(&file, "select count(*) from docs") == QUERN_OK);
    app.Run("COMMIT");
    CHECK(Sql(&file, "select count(*) from app.marks where stars > 0") == QUERN_OK);
}

TEST_CASE("eight files are attached at most", "[filter][attach]") {
    FilteredFile file("_attached_many");
    file.Fill(100);
    AppFile app("many");
    app.Fill();
    for (int i = 0; i < 8; i++) {
        const std::string name = "app" + std::to_string(i);
        file.Ok(quern_attach(file.db, name.c_str(), app.path.c_str(), &file.err));
    }
    CHECK(quern_attach(file.db, "more", app.path.c_str(), &file.err) == QUERN_ERR_LIMIT);
    CHECK(Find(&file, "id in (select doc from app7.marks intersect select doc from app0.marks)") ==
          Keys{1, 2, 8, 70});
}
