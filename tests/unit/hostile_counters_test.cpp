// Files that somebody has written to with SQLite, page checksums and all: what fits no state that a
// quern could have reached must be named, must not be built upon, and must not keep maintenance
// going for ever.
#include <catch2/catch.hpp>

#include "hostile_file.h"

TEST_CASE("optimize ends on a file with tombstones that go with nothing") {
    HostileFile file;
    REQUIRE(file.Problems().empty());
    const bool of_live_record = GENERATE(true, false);
    CAPTURE(of_live_record);
    file.Alter(of_live_record ? "INSERT INTO quern_dead VALUES(1,1)"
                              : "INSERT INTO quern_dead VALUES(1,1000000)");
    const std::string problems = file.Problems();
    CHECK(problems.find(of_live_record ? "is dead but has a row" : "tombstone of row id 1000000") !=
          std::string::npos);
    // How often it merges is seen by the segment ids that it takes.
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    int64_t segments = 0;
    file.Ok(quern_stat(file.db, QUERN_STAT_SEGMENTS, &segments, &file.err));
    CHECK(segments == 1);
    quern_result* rows = nullptr;
    file.Ok(quern_sql(file.db, nullptr, "select count(*) from docs", &rows, &file.err));
    quern_result_free(rows);
    file.Alter(
        "CREATE TEMP TABLE ok(n CHECK(n<8)); INSERT INTO ok SELECT records FROM quern_state "
        "WHERE collection=0");
}

TEST_CASE("counters that no file can reach are refused") {
    HostileFile file;
    const char* sql = GENERATE(
        "UPDATE quern_state SET next_rid=9223372036854775807 WHERE "
        "collection>0",
        "UPDATE quern_state SET next_rid=4611686018427387905 WHERE "
        "collection>0",
        "UPDATE quern_state SET generation=9223372036854775807 WHERE "
        "collection>0",
        "UPDATE quern_state SET epoch=9223372036854775807 WHERE "
        "collection>0",
        "UPDATE quern_state SET records=9223372036854775807 WHERE "
        "collection=0",
        "UPDATE quern_state SET digest=9223372036854775807 WHERE "
        "collection=0",
        "UPDATE quern_state SET next_rid=9223372036854775807 WHERE "
        "collection=0");
    CAPTURE(sql);
    file.Alter(sql);
    CHECK(file.Problems().find("impossible counters") != std::string::npos);
    CHECK(file.Insert(100, 3) == QUERN_ERR_CORRUPT);
    CHECK(file.Insert(1000, 5000) == QUERN_ERR_CORRUPT);
}

TEST_CASE("counters that are used up end the writing, not the file") {
    HostileFile file;
    const char* sql = GENERATE(
        "UPDATE quern_state SET next_rid=4611686018427387904 WHERE "
        "collection>0",
        "UPDATE quern_state SET generation=4611686018427387904 WHERE "
        "collection>0");
    CAPTURE(sql);
    file.Alter(sql);
    CHECK(file.Problems().empty());
    CHECK(file.Insert(100, 3) == QUERN_ERR_LIMIT);
    CHECK(file.Insert(1000, 5000) == QUERN_ERR_LIMIT);
    CHECK(file.Problems().empty());
    uint64_t count = 0;
    file.Ok(quern_count(file.db, "docs", nullptr, &count, &file.err));
    CHECK(count == 20);
}

TEST_CASE("ids that were never given out are named") {
    HostileFile file;
    struct Lie {
        const char* sql;
        const char* named;
    };
    const Lie lie = GENERATE(
        Lie{"UPDATE quern_state SET next_rid=2 WHERE collection>0", "row ids that were never"},
        Lie{"UPDATE quern_state SET records=0 WHERE collection=0", "segments with ids that were"},
        Lie{"UPDATE quern_state SET digest=1 WHERE collection=0", "parts with ids that were"},
        Lie{"UPDATE quern_state SET next_rid=1 WHERE collection=0", "collections with ids that"});
    CAPTURE(lie.sql);
    file.Alter(lie.sql);
    CHECK(file.Problems().find(lie.named) != std::string::npos);
}
