// What a statement of a user leaves on the connection: nothing, however it ends.
#include <unistd.h>

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
