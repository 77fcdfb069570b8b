// What a catalog says is looked at before it is believed: files that somebody has written to with
// SQLite, page checksums and all, each with one thing in it that no quern writes.
#include <catch2/catch.hpp>

#include "hostile_file.h"

namespace {

// How one file says it, after `sql` was run on it.
struct Lie {
    const char* sql;
    const char* named;  // part of what opening it, or verify, says
    int32_t status = QUERN_ERR_CORRUPT;
};

constexpr Lie kCatalogLies[] = {
    {"DELETE FROM quern_state WHERE collection=0", "the state of the database is missing"},
    {"DELETE FROM quern_state WHERE collection>0", "the state of a collection is missing"},
    {"UPDATE quern_state SET next_rid=0 WHERE collection>0", "impossible counters"},
    {"UPDATE quern_state SET next_rid=0 WHERE collection=0", "impossible counters"},
    {"UPDATE quern_state SET epoch=-1", "impossible counters"},
    {"UPDATE quern_state SET epoch=(1<<62)+7", "impossible counters"},
    {"UPDATE quern_state SET generation=-1", "impossible counters"},
    {"UPDATE quern_collection SET id=-id", "a bad name, key or id"},
    {"UPDATE quern_collection SET name=''", "a bad name, key or id"},
    {"UPDATE quern_collection SET key_name=''", "a bad name, key or id"},
    {"UPDATE quern_collection SET key_type=0", "a bad name, key or id"},
    {"UPDATE quern_collection SET key_type=3", "a bad name, key or id"},
    {"UPDATE quern_collection SET next_column=0", "a bad name, key or id"},
    {"UPDATE quern_collection SET next_column=4294967296", "a bad name, key or id"},
    {"INSERT INTO quern_collection VALUES(2,'DOCS','id',1,1)", "two collections named"},
    {"WITH RECURSIVE n(i) AS (VALUES(2) UNION ALL SELECT i+1 FROM n WHERE i<70000) "
     "INSERT INTO quern_collection SELECT i,'c'||i,'id',1,1 FROM n",
     "too many collections"},
    {"INSERT INTO quern_column VALUES(99,1,'x',1,1,0,0,'')", "a column of no collection"},
    {"UPDATE quern_column SET id=0 WHERE id=1", "bad id or name"},
    {"UPDATE quern_column SET id=9 WHERE id=1", "bad id or name"},
    {"UPDATE quern_column SET name='' WHERE id=1", "bad id or name"},
    {"UPDATE quern_column SET name='EMB' WHERE id=3", "bad id or name"},
    {"UPDATE quern_column SET options=printf('%*d',5000,7) WHERE id=2", "bad options"},
    {"UPDATE quern_column SET options=CAST(x'ff' AS TEXT) WHERE id=2", "bad options"},
    {"UPDATE quern_column SET type=0 WHERE id=1", "bad kind, type"},
    {"UPDATE quern_column SET type=8 WHERE id=1", "bad kind, type"},
    {"UPDATE quern_column SET kind=6 WHERE id=1", "bad kind, type"},
    {"UPDATE quern_column SET type=0 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET type=6 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET metric=0 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET metric=5 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET metric=4 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET dim=0 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET dim=1000000 WHERE id=2", "bad kind, type"},
    {"UPDATE quern_column SET kind=3, type=2, metric=2 WHERE id=3", "of a sparse field"},
    {"UPDATE quern_column SET kind=3, metric=1 WHERE id=3", "of a sparse field"},
    {"UPDATE quern_column SET kind=3, metric=2, dim=0 WHERE id=3", "of a sparse field"},
    {"UPDATE quern_column SET kind=3, metric=2, dim=4294967297 WHERE id=3", "of a sparse field"},
    {"UPDATE quern_column SET kind=4, type=1, metric=0, dim=0 WHERE id=3", "of a text field"},
    {"UPDATE quern_column SET kind=4, type=0, metric=1, dim=0 WHERE id=3", "of a text field"},
    {"UPDATE quern_column SET kind=4, type=0, metric=0, dim=1 WHERE id=3", "of a text field"},
    {"UPDATE quern_collection SET next_column=9000; "
     "WITH RECURSIVE n(i) AS (VALUES(4) UNION ALL SELECT i+1 FROM n WHERE i<8000) "
     "INSERT INTO quern_column SELECT 1,i,'c'||i,1,1,0,0,'' FROM n",
     "too many columns"},
};

// A fusion is a row with the id of a column.
constexpr Lie kFusionLies[] = {
    {"INSERT INTO quern_column VALUES(1,0,'f',5,0,0,0,'')", "bad id or name"},
    {"INSERT INTO quern_column VALUES(1,4,'f',5,0,0,0,'')", "bad id or name"},
    {"UPDATE quern_column SET kind=5, name='' WHERE id=3", "bad id or name"},
    {"UPDATE quern_collection SET next_column=6; INSERT INTO quern_column VALUES"
     "(1,4,'f',5,0,0,0,''),(1,5,'F',5,0,0,0,'')",
     "bad id or name"},
    {"UPDATE quern_column SET kind=5, type=1, metric=0, dim=0 WHERE id=3", "bad description"},
    {"UPDATE quern_column SET kind=5, type=0, metric=1, dim=0 WHERE id=3", "bad description"},
    {"UPDATE quern_column SET kind=5, type=0, metric=0, dim=1 WHERE id=3", "bad description"},
    {"UPDATE quern_column SET kind=5, type=0, metric=0, dim=0, options=printf('%*d',5000,7) "
     "WHERE id=3",
     "bad description"},
    {"UPDATE quern_column SET kind=5, type=0, metric=0, dim=0, options=CAST(x'ff' AS TEXT) "
     "WHERE id=3",
     "bad description"},
    {"UPDATE quern_collection SET next_column=300; "
     "WITH RECURSIVE n(i) AS (VALUES(4) UNION ALL SELECT i+1 FROM n WHERE i<290) "
     "INSERT INTO quern_column SELECT 1,i,'f'||i,5,0,0,0,'' FROM n",
     "too many fusions"},
};

constexpr Lie kSchemaLies[] = {
    {"CREATE TABLE evil(x)", "unexpected table 'evil'"},
    {"CREATE INDEX evil ON docs(year)", "unexpected index 'evil'"},
    {"CREATE VIEW evil AS SELECT 1", "unexpected view 'evil'"},
    {"CREATE TRIGGER evil AFTER INSERT ON docs BEGIN SELECT 1; END", "unexpected trigger 'evil'"},
    {"ALTER TABLE docs ADD COLUMN evil INTEGER", "unexpected table 'docs'"},
    {"ALTER TABLE docs RENAME COLUMN year TO \"ye\"\"ar\"", "unexpected table 'docs'"},
    {"DROP INDEX quern_part_segment", "a table is missing"},
    // Spaced otherwise, and the same; spelled otherwise, and perhaps not.
    {"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
     "sql=replace(sql,' ',char(13)||char(10)||char(9))",
     "", QUERN_OK},
    {"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE [docs]'||"
     "substr(sql,instr(sql,'(')) WHERE name='docs'",
     "unexpected table 'docs'"},
    {"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=sql||'/*~*/' WHERE name='docs'",
     "unexpected table 'docs'"},
    {"PRAGMA user_version=99", "newer", QUERN_ERR_NEWER},
    {"PRAGMA user_version=0", "not a quern database", QUERN_ERR_NOT_A_DATABASE},
    {"PRAGMA application_id=5", "not a quern database", QUERN_ERR_NOT_A_DATABASE},
    {"UPDATE quern_format SET value=1<<40 WHERE id=3", "(incompatible bits", QUERN_ERR_NEWER},
    {"UPDATE quern_format SET value=1<<40 WHERE id=2", "mode=ro", QUERN_ERR_NEWER},
};

constexpr Lie kSegmentLies[] = {
    {"UPDATE quern_segment SET items=-1", "impossible size"},
    {"UPDATE quern_segment SET items=1<<32", "impossible size"},
    {"UPDATE quern_part SET id=-id", "impossible numbers"},
    {"UPDATE quern_part SET id=id+(1<<44)", "impossible numbers"},
    {"UPDATE quern_part SET field=-1", "impossible numbers"},
    {"UPDATE quern_part SET field=1<<32", "impossible numbers"},
    {"UPDATE quern_part SET kind=0", "impossible numbers"},
    {"UPDATE quern_part SET kind=50", "impossible numbers"},
    {"UPDATE quern_part SET kind=1024", "impossible numbers"},
    {"UPDATE quern_part SET items=-1", "impossible numbers"},
    {"UPDATE quern_part SET item_bytes=0", "impossible numbers"},
    {"UPDATE quern_part SET item_bytes=1<<32", "impossible numbers"},
    {"UPDATE quern_part SET chunk_items=0", "impossible numbers"},
    {"UPDATE quern_part SET chunk_items=1<<32", "impossible numbers"},
    {"UPDATE quern_part SET item_bytes=300000", "impossible sizes"},
    {"UPDATE quern_part SET chunk_items=300000", "impossible sizes"},
    {"UPDATE quern_part SET items=1<<40", "impossible sizes"},
    {"UPDATE quern_part SET items=1<<31, chunk_items=1", "directory has the wrong size"},
    {"UPDATE quern_part SET chunks=CAST(chunks||x'00' AS BLOB)", "directory has the wrong size"},
    {"UPDATE quern_part SET items=1048577, chunk_items=1, item_bytes=1, chunks=zeroblob(20971540) "
     "WHERE id=(SELECT min(id) FROM quern_part)",
     "directory has the wrong size"},
    {"UPDATE quern_part SET chunks=CAST(substr(chunks,1,4)||x'ffffffff'||substr(chunks,9) AS BLOB)",
     "directory is inconsistent"},
    {"UPDATE quern_part SET chunks=zeroblob(length(chunks))", "directory is inconsistent"},
    {"UPDATE quern_segment SET items=1", "more items than its segment"},
};

// Entries of the log, of which the file has three.
constexpr Lie kLogLies[] = {
    {"UPDATE quern_log_1 SET _generation=NULL", "does not end a commit"},
    {"UPDATE quern_log_1 SET _rid=-_rid", "does not end a commit"},
    {"UPDATE quern_log_1 SET _rid=(1<<62)+_rid", "does not end a commit"},
    {"UPDATE quern_log_1 SET _records=-1", "impossible counters"},
    {"UPDATE quern_log_1 SET _generation=-1", "impossible counters"},
    {"UPDATE quern_log_1 SET _kind=0", "unknown kind"},
    {"UPDATE quern_log_1 SET _kind=9", "unknown kind"},
    {"UPDATE quern_log_1 SET _rid=-7 WHERE _rid=(SELECT min(_rid) FROM quern_log_1)", ""},
    {"UPDATE quern_log_1 SET _vectors=x'ff'", "a vector of no field"},
    {"UPDATE quern_log_1 SET _vectors=x'090100'", "a vector of no field"},
    {"UPDATE quern_log_1 SET _vectors=x'020100'", "of the wrong size"},
    {"UPDATE quern_log_1 SET _vectors=x'02080000'", "cut short"},
};

std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

template <size_t kCount>
void Tell(HostileFile* file, const Lie (&lies)[kCount]) {
    quern_close(file->db);
    file->db = nullptr;
    const std::string sound = ReadFile(file->path());
    for (const Lie& lie : lies) {
        CAPTURE(lie.sql);
        std::ofstream(file->path(), std::ios::binary) << sound;
        file->AlterClosed(lie.sql);
        int32_t status = quern_open(file->path().c_str(), nullptr, &file->db, &file->err);
        std::string said = file->err.message;
        if (status == QUERN_OK) {
            quern_text* report = nullptr;
            status = quern_verify(file->db, &report, &file->err);
            said = report != nullptr ? quern_text_data(report) : file->err.message;
            quern_text_free(report);
            // Nor does anybody work with it, or mend it to something else, without a word.
            uint64_t count = 0;
            const int32_t counted = quern_count(file->db, "docs", nullptr, &count, &file->err);
            const int32_t rebuilt = quern_rebuild(file->db, nullptr, &file->err);
            CHECK(counted != QUERN_ERR_INTERNAL);
            CHECK(rebuilt != QUERN_ERR_INTERNAL);
        }
        CAPTURE(said);
        CHECK(status == lie.status);
        CHECK(said.find(lie.named) != std::string::npos);
        quern_close(file->db);
        file->db = nullptr;
    }
}

}  // namespace

TEST_CASE("what no quern writes into a catalog is refused and named") {
    HostileFile file;
    SECTION("collections and columns") {
        Tell(&file, kCatalogLies);
    }
    SECTION("fusions") {
        Tell(&file, kFusionLies);
    }
    SECTION("tables") {
        Tell(&file, kSchemaLies);
    }
    SECTION("segments") {
        Tell(&file, kSegmentLies);
    }
    SECTION("the log") {
        file.Ok(file.Insert(100, 3));
        Tell(&file, kLogLies);
    }
}
