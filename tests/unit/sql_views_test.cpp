// What a statement of a user leaves on the connection: nothing, however it ends.
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <new>

#include "storage/sql_reader.h"

using namespace quern;
using namespace quern::storage;

TEST_CASE("views of a statement go with it, also when a sink throws", "[sql]") {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("quern_views_" + std::to_string(getpid()) + ".db"))
                                 .string();
    const auto remove = [&] {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path + suffix);
        }
    };
    remove();
    for (const bool read_only : {false, true}) {
        CAPTURE(read_only);
        ConnectionOptions options;
        options.path = path;
        options.create = !read_only;
        options.read_only = read_only;
        auto opened = Connection::Open(options);
        REQUIRE(opened.ok());
        Connection* const connection = opened->get();
        if (!read_only) {
            REQUIRE(connection->Execute("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)").ok());
        }
        REQUIRE(connection->Execute("BEGIN").ok());
        const std::vector<SqlView> views = {{"docs", "SELECT a FROM mAiN.t", {"t"}},
                                            {"other", "SELECT a + 1 AS a FROM mAiN.t", {"t"}}};
        const std::string statement = "SELECT docs.a FROM docs, other";
        Work work;
        size_t rows = 0;
        bool fails = true;
        SqlSink sink;
        sink.columns = [](const std::vector<std::string>&) { return Status(); };
        sink.row = [&](const std::vector<Cell>&) {
            rows++;
            if (fails) {
                throw std::bad_alloc();
            }
            return Status();
        };
        const auto left = [&] {
            const auto count = connection->QueryInt("SELECT count(*) FROM temp.sqlite_master");
            REQUIRE(count.ok());
            return *count;
        };
        REQUIRE_THROWS_AS(RunSql(connection, views, statement, &work, sink), std::bad_alloc);
        CHECK(rows == 1);
        CHECK(left() == 0);
        // The connection does what it did, and no more.
        fails = false;
        rows = 0;
        REQUIRE(RunSql(connection, views, statement, &work, sink).ok());
        CHECK(rows == 4);
        CHECK(left() == 0);
        CHECK(connection->Execute("CREATE TEMP TABLE more(a)").ok() == !read_only);
        // Those that were made before one that cannot be.
        const std::vector<SqlView> wrong = {views[0], {"wrong", "SELECT", {"t"}}};
        CHECK(!RunSql(connection, wrong, statement, &work, sink).ok());
        CHECK(left() == (read_only ? 0 : 1));
    }
    remove();
}

TEST_CASE("statements of users that do not read, or fail, are told why", "[sql]") {
    ConnectionOptions options;
    options.path = ":memory:";
    options.create = true;
    auto opened = Connection::Open(options);
    REQUIRE(opened.ok());
    Connection* const c = opened->get();
    REQUIRE(c->Execute("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)").ok());
    REQUIRE(c->Execute("CREATE TABLE u(b)").ok());
    const std::vector<SqlView> views = {{"docs", "SELECT a FROM mAiN.t", {"t"}},
                                        {"rows", "SELECT a AS rowid FROM mAiN.t", {"t"}, true},
                                        {"odd", "SELECT b FROM mAiN.u", {"t"}}};
    SqlSink sink;
    sink.columns = [](const std::vector<std::string>&) { return Status(); };
    sink.row = [](const std::vector<Cell>&) { return Status(); };
    Work work;
    for (const char* wrong : {"UPDATE t SET a=1",
                              "ATTACH 'a'||'b' AS x",
                              "PRAGMA data_version",
                              "PRAGMA main.data_version",
                              "PRAGMA data_version=1",
                              "SAVEPOINT x",
                              "DETACH x",
                              "SELECT 1 LIMIT 'x'",
                              "SELECT 1; oh no",
                              "SELECT 1; SELECT 2",
                              "SELECT rowid FROM docs",
                              "SELECT ROWID FROM temp.docs",
                              "SELECT * FROM t",
                              "SELECT * FROM quern_t",
                              "",
                              "EXPLAIN SELECT 1",
                              "SELECT quern_wanted(1)",
                              "SELECT b FROM odd",
                              "SELECT rowid FROM odd",
                              "WITH c AS (SELECT a FROM t) SELECT * FROM c"}) {
        const Status status = RunSql(c, views, wrong, &work, sink);
        CAPTURE(wrong, status.message());
        CHECK(status.code() == Code::kSql);
    }
    for (const char* right :
         {"SELECT 1;", "SELECT 1; -- and no more", "SELECT a FROM docs;  ",
          "SELECT value FROM json_each('[1,2]')", "SELECT key FROM main.json_tree('[1]')",
          "SELECT rowid FROM rows", "WITH c AS (SELECT a FROM docs) SELECT * FROM c"}) {
        const Status status = RunSql(c, views, right, &work, sink);
        CAPTURE(right, status.message());
        CHECK(status.ok());
    }
    // Who takes what is found may have enough, and may be stopped.
    SqlSink full = sink;
    full.columns = [](const std::vector<std::string>&) {
        return Status::Error(Code::kLimit, "too many");
    };
    CHECK(RunSql(c, views, "SELECT 1", &work, full).code() == Code::kLimit);
    full = sink;
    full.row = [](const std::vector<Cell>&) { return Status::Error(Code::kLimit, "too many"); };
    CHECK(RunSql(c, views, "SELECT a FROM docs", &work, full).code() == Code::kLimit);
    std::atomic<uint64_t> epoch{0};
    Work stopped(&epoch, nullptr);
    full.row = [&](const std::vector<Cell>&) {
        epoch++;
        return Status();
    };
    CHECK(RunSql(c, views, "SELECT a FROM docs", &stopped, full).code() == Code::kInterrupted);
    // A value of no bytes is one, whatever it points to.
    SqlCondition condition;
    condition.table = "t";
    condition.name = "docs";
    condition.columns = "a";
    condition.text = "a > 1 and ?1 = ''";
    Cell empty;
    empty.kind = Cell::Kind::kText;
    condition.parameters = {empty};
    size_t rows = 0;
    const auto count = [&](const std::vector<Cell>&) {
        rows++;
        return Status();
    };
    const Status found = RunCondition(c, views, condition, &work, count);
    CAPTURE(found.message());
    CHECK(found.ok());
    CHECK(rows == 2);
    // By row ids, of which a view has none.
    condition.parameters.clear();
    condition.text = "a in (select rowid from docs)";
    CHECK(RunCondition(c, views, condition, &work, count).code() == Code::kSql);
    condition.text = "a in (select rowid from rows)";
    CHECK(RunCondition(c, views, condition, &work, count).ok());
    // Beside another one, and turned round.
    condition.only = "a < 3";
    condition.text = "a > 1";
    for (const bool negated : {false, true}) {
        rows = 0;
        condition.negated = negated;
        CHECK(RunCondition(c, views, condition, &work, count).ok());
        CHECK(rows == 1);
    }
    // Mistakes in it, with places.
    for (const bool moved : {false, true}) {
        if (moved) {
            condition.origin = [](size_t byte) { return byte + 1000; };
        }
        for (const char* wrong : {"a > ", "a > (", "a ? b", "nope = 1", "a = 1) or (1",
                                  "lower(a, 1)", "a = 'x", "(select 1 from t) = b", "(a", "a in (1",
                                  "max(a) > 1", "a = (1, 2)", "a match 'x'"}) {
            condition.text = wrong;
            const Status status = RunCondition(c, views, condition, &work, count);
            CAPTURE(wrong, status.message());
            CHECK((status.ok() || status.message().find("filter") == 0));
        }
    }
}

namespace {

// A connection to a plain file, and to another one beside it, which is attached or not.
class TwoFiles {
public:
    TwoFiles() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_two_files_" + std::to_string(getpid())))
                    .string();
        Remove();
        for (const char* name : {"/own", "/app"}) {
            std::filesystem::create_directory(path_);
            sqlite3* db = Raw(name);
            REQUIRE(sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(9000))",
                                 nullptr, nullptr, nullptr) == SQLITE_OK);
            sqlite3_close(db);
        }
        ConnectionOptions options;
        options.path = path_ + "/own";
        const auto attachments = std::make_shared<Attachments>();
        REQUIRE(attachments->Add("app", path_ + "/app").ok());
        options.attachments = attachments;
        auto opened = Connection::Open(options);
        REQUIRE(opened.ok());
        connection_ = std::move(*opened);
    }
    ~TwoFiles() { Remove(); }
    sqlite3* Raw(const std::string& name) {
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open((path_ + name).c_str(), &db) == SQLITE_OK);
        return db;
    }
    void Overwrite(const std::string& name, int64_t from) {
        std::fstream file(path_ + name, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(from);
        file << std::string(200, 'x');
    }
    // What becomes of a statement before whose first row this happens.
    Status Run(const char* statement, const std::function<void()>& happens) {
        SqlSink sink;
        sink.columns = [&](const std::vector<std::string>&) {
            happens();
            return Status();
        };
        sink.row = [](const std::vector<Cell>&) { return Status(); };
        Work work;
        return RunSql(connection_.get(), {{"docs", "SELECT a FROM mAiN.t", {"t"}}}, statement,
                      &work, sink);
    }

private:
    void Remove() { std::filesystem::remove_all(path_); }
    std::string path_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace

TEST_CASE("a statement that meets a held or damaged file tells whether that is the app's",
          "[sql]") {
    for (const bool app : {false, true}) {
        CAPTURE(app);
        const char* const statement = app ? "SELECT a FROM app.t" : "SELECT a FROM docs";
        const std::string name = app ? "/app" : "/own";
        TwoFiles files;
        CHECK(files.Run(statement, [] {}).ok());
        sqlite3* holder = files.Raw(name);
        const Status held = files.Run(statement, [&] {
            REQUIRE(sqlite3_exec(holder, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) ==
                    SQLITE_OK);
        });
        sqlite3_close(holder);
        CAPTURE(held.message());
        CHECK(held.code() == Code::kBusy);
        CHECK((held.message().find("attached file") != std::string::npos) == app);
        const Status torn = files.Run(statement, [&] {
            files.Overwrite(name, 24);
            files.Overwrite(name, 4096);
        });
        CAPTURE(torn.message());
        CHECK(torn.code() == (app ? Code::kSql : Code::kCorrupt));
    }
    for (const bool app : {false, true}) {
        TwoFiles files;
        const Status other = files.Run(app ? "SELECT a FROM app.t" : "SELECT a FROM docs",
                                       [&] { files.Overwrite(app ? "/app" : "/own", 0); });
        CAPTURE(app, other.message());
        CHECK(other.code() == (app ? Code::kSql : Code::kNotADatabase));
    }
}

TEST_CASE("a statement whose views cannot be made or taken away again tells it", "[sql]") {
    static int64_t left;
    const auto on_start = [](unsigned, void*, void* statement, void*) {
        if (--left == 0) {
            sqlite3_interrupt(sqlite3_db_handle(static_cast<sqlite3_stmt*>(statement)));
        }
        return 0;
    };
    for (const bool read_only : {false, true}) {
        ConnectionOptions options;
        options.path = ":memory:";
        options.create = true;
        options.read_only = read_only;
        auto opened = Connection::Open(options);
        REQUIRE(opened.ok());
        Connection* const c = opened->get();
        const std::vector<SqlView> views = {{"one", "SELECT 1 AS a", {}},
                                            {"two", "SELECT 2 AS a", {}}};
        SqlSink sink;
        sink.columns = [](const std::vector<std::string>&) { return Status(); };
        sink.row = [](const std::vector<Cell>&) { return Status(); };
        Work work;
        int told = 0;
        bool hit = true;
        for (int64_t n = 1; hit; n++) {
            left = n;
            sqlite3_trace_v2(c->handle(), SQLITE_TRACE_STMT, on_start, nullptr);
            const Status status = RunSql(c, views, "SELECT one.a FROM one, two", &work, sink);
            sqlite3_trace_v2(c->handle(), 0, nullptr, nullptr);
            hit = left <= 0;
            CAPTURE(read_only, n, status.message());
            CHECK((status.ok() || (hit && status.code() == Code::kInterrupted)));
            told += status.ok() ? 0 : 1;
            REQUIRE(c->Execute("PRAGMA query_only=OFF; DROP VIEW IF EXISTS temp.one;"
                               "DROP VIEW IF EXISTS temp.two")
                        .ok());
            REQUIRE(c->Execute(read_only ? "PRAGMA query_only=ON" : "SELECT 1").ok());
        }
        CHECK(told > 4);
    }
}
