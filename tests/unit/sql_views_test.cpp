// What a statement of a user leaves on the connection: nothing, however it ends.
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
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
    const std::vector<SqlView> views = {{"docs", "SELECT a FROM mAiN.t", {"t"}}};
    SqlSink sink;
    sink.columns = [](const std::vector<std::string>&) { return Status(); };
    sink.row = [](const std::vector<Cell>&) { return Status(); };
    Work work;
    for (const char* wrong :
         {"UPDATE t SET a=1", "ATTACH 'a'||'b' AS x", "PRAGMA data_version",
          "PRAGMA main.data_version", "PRAGMA data_version=1", "SAVEPOINT x", "DETACH x",
          "SELECT 1 LIMIT 'x'", "SELECT 1; oh no", "SELECT 1; SELECT 2", "SELECT rowid FROM docs",
          "SELECT ROWID FROM temp.docs", "SELECT * FROM t", "SELECT * FROM quern_t", "",
          "EXPLAIN SELECT 1", "SELECT quern_wanted(1)"}) {
        const Status status = RunSql(c, views, wrong, &work, sink);
        CAPTURE(wrong, status.message());
        CHECK(status.code() == Code::kSql);
    }
    for (const char* right :
         {"SELECT 1;", "SELECT 1; -- and no more", "SELECT a FROM docs;  ",
          "SELECT value FROM json_each('[1,2]')", "SELECT key FROM main.json_tree('[1]')"}) {
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
    // Mistakes in it, with places.
    for (const char* wrong : {"a > ", "a > (", "a ? b", "nope = 1", "a = 1) or (1", "lower(a, 1)",
                              "a = 'x", "(select 1 from t) = b"}) {
        condition.text = wrong;
        const Status status = RunCondition(c, views, condition, &work, count);
        CAPTURE(wrong, status.message());
        CHECK((status.ok() || status.message().find("filter") == 0));
    }
}
