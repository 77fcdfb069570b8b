// Whatever statement of the catalog, of segments and of records fails, its error comes out of the
// function that needed it. In turn each thing that SQLite is asked to compile is refused, and each
// statement is stopped at each of its steps, or nearly each; at its start, and behind each row.
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/catalog.h"
#include "storage/chunk_id.h"
#include "storage/chunk_store.h"
#include "storage/file_store.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace {

using namespace quern;
using namespace quern::storage;

constexpr size_t kMany = 200000;  // vectors: enough for several chunks

// What fails next; one at a time.
struct Strike {
    static inline int64_t left = 0;
    static inline bool hit = false;
    static bool Now() {
        hit = hit || left == 1;
        return left > 0 && --left == 0;
    }
    static int OnCompile(void*, int, const char*, const char*, const char*, const char*) {
        return Now() ? SQLITE_DENY : SQLITE_OK;
    }
    static int OnStep(void*) { return Now() ? 1 : 0; }
    // Begun, or just come to a row, it ends with the next thing that it does.
    static int OnTrace(unsigned, void*, void* statement, void*) {
        if (Now()) {
            sqlite3_interrupt(sqlite3_db_handle(static_cast<sqlite3_stmt*>(statement)));
        }
        return 0;
    }
};

enum class How { kCompile, kStep, kStart, kRow };

template <typename T>
Status StatusOf(const Result<T>& result) {
    return result.status();
}

// One collection with everything that a catalog can say, in memory. The parts of its segments are
// derived: those of one that is being built may have no others, which would be more than its items.
class World {
public:
    World() {
        StoreOptions options;
        options.path = ":memory:";
        auto opened = FileStore::Open(options);
        REQUIRE(opened.ok());
        store = std::move(*opened);
        auto writer = store->BeginWrite();
        REQUIRE(writer.ok());
        Connection* const c = (*writer)->connection();
        REQUIRE(CreateCollection(c, "docs", TheSchema(), 1).ok());
        ReadInfo(c);
        std::mt19937_64 random(7);
        std::vector<uint64_t> vectors(kMany);
        std::generate(vectors.begin(), vectors.end(), random);
        live = MakeSegment(c, "live", vectors.data(), kMany);
        REQUIRE(PublishSegment(c, live, kMany, 1, "").ok());
        building = MakeSegment(c, "gone", vectors.data(), 9);
        built = PartOf(c, building);
        table = *LastSegment(c) + 1;
        REQUIRE(WriteTable(c, info->id, 4, PartKind::kTokenWeights, "tokens", 1).ok());
        REQUIRE(KeepFusion(c, *info, "f", "text", 1).ok());
        ReadInfo(c);
        REQUIRE(Records(c).ok());
        REQUIRE(Log(c).ok());
        REQUIRE((*writer)->Commit().ok());
    }
    static Schema TheSchema() {
        Schema schema;
        schema.attrs = {{1, "year", AttrType::kInt}, {2, "name", AttrType::kText}};
        schema.dense = {{3, "emb", Element::kF32, Metric::kL2, 2}};
        schema.sparse = {{4, "terms"}};
        schema.text = {{5, "body"}};
        schema.next_id = 6;
        return schema;
    }
    void ReadInfo(Connection* c) {
        auto read = ReadCatalog(c);
        REQUIRE(read.ok());
        catalog = *read;
        info = catalog->Find("DOCS");
        REQUIRE(info != nullptr);
    }
    int64_t MakeSegment(Connection* c, const char* owner, const uint64_t* vectors, size_t count) {
        auto segment = CreateSegment(c, info->id, owner);
        REQUIRE(segment.ok());
        REQUIRE(WritePart(c, *segment, vectors, count).ok());
        return *segment;
    }
    static Status WritePart(Connection* c, int64_t segment, const uint64_t* vectors, size_t count,
                            bool looks = false) {
        QUERN_ASSIGN(PartWriter part, PartWriter::Create(c, segment, 3, PartKind::kGraphCodes, 8, 4,
                                                         1, Effort::kFast));
        if (looks) {
            part.ShapeForLooks(count);
        }
        QUERN_TRY(part.Append(vectors, count));
        return part.Finish();
    }
    std::vector<Cell> Cells() const {
        std::vector<Cell> cells(2);
        cells[0].kind = Cell::Kind::kInt;
        cells[1].kind = Cell::Kind::kText;
        cells[1].text = "name";
        return cells;
    }
    Status Records(Connection* c) const {
        RecordTable table_of(c, *info);
        for (int64_t key = 1; key <= 3; key++) {
            QUERN_ASSIGN(const bool fresh,
                         table_of.Insert(next_rid + key, 5, Key::Int(next_rid + key), Cells()));
            REQUIRE(fresh);
        }
        return {};
    }
    Status Log(Connection* c) const {
        RecordLog log(c, *info);
        CollectionState last;
        last.generation = 1;
        LogEntry entry;
        entry.rid = next_rid + 100;
        entry.key = Key::Int(next_rid + 100);
        entry.cells = Cells();
        QUERN_TRY(log.Append(entry, nullptr));
        entry.rid++;
        entry.kind = LogKind::kDelete;
        entry.dead = 1;
        return log.Append(entry, &last);
    }
    PartInfo PartOf(Connection* c, int64_t segment) const {
        auto segments = ReadSegments(
            c, info->id, segment == live ? SegmentState::kLive : SegmentState::kBuilding,
            &info->schema);
        CAPTURE(segments.status().message());
        REQUIRE(segments.ok());
        REQUIRE(segments->size() == 1);
        return segments->at(0).parts.at(0);
    }

    std::unique_ptr<FileStore> store;
    std::shared_ptr<Catalog> catalog;
    std::shared_ptr<const CollectionInfo> info;
    int64_t live = 0;
    int64_t building = 0;
    int64_t table = 0;
    int64_t next_rid = 0;
    PartInfo built;
};

struct Job {
    const char* name;
    std::function<Status(World* w, Connection* c)> run;
};

bool NobodyLives(const std::string&) {
    return true;
}

Status SweepAll(Connection* c) {
    while (true) {
        QUERN_ASSIGN(const bool done, SweepStep(c, NobodyLives, INT64_MAX, 1));
        if (done) {
            return {};
        }
    }
}

const RecordTable::Visit kGoOn = [](const RecordRow&) -> Result<bool> { return true; };

const std::vector<Job>& Catalogs() {
    static const std::vector<Job> works = {
        {"read", [](World*, Connection* c) { return StatusOf(ReadCatalog(c)); }},
        {"check", [](World* w, Connection* c) { return CheckSchema(c, *w->catalog); }},
        {"generation",
         [](World* w, Connection* c) { return StatusOf(ReadGeneration(c, *w->catalog)); }},
        {"state",
         [](World* w, Connection* c) -> Status {
             QUERN_ASSIGN(CollectionState state, ReadState(c, w->info->id));
             QUERN_TRY(NextEpoch(c, w->info->id, &state));
             return WriteState(c, w->info->id, state);
         }},
        {"create",
         [](World* w, Connection* c) {
             return StatusOf(CreateCollection(c, "more", w->info->schema, 2));
         }},
        {"drop", [](World* w, Connection* c) { return DropCollection(c, *w->info, 2); }},
        {"rename", [](World* w, Connection* c) { return RenameCollection(c, *w->info, "x", 2); }},
        {"respell",
         [](World* w, Connection* c) { return RenameCollection(c, *w->info, "Docs", 2); }},
        {"add attribute",
         [](World* w, Connection* c) {
             return AddAttr(c, *w->info, {8, "more", AttrType::kReal}, 2);
         }},
        {"add dense",
         [](World* w, Connection* c) {
             return AddDense(c, *w->info, {8, "more", Element::kI8, Metric::kIp, 3}, 2);
         }},
        {"add sparse",
         [](World* w, Connection* c) {
             return AddSparse(c, *w->info, {8, "more"}, 2);
         }},
        {"add text",
         [](World* w, Connection* c) {
             return AddText(c, *w->info, {8, "more"}, 2);
         }},
        {"options", [](World* w, Connection* c) { return SetOptions(c, *w->info, 3, "a=1", 2); }},
        {"keep", [](World* w, Connection* c) { return KeepFusion(c, *w->info, "g", "text", 2); }},
        {"keep again",
         [](World* w, Connection* c) { return KeepFusion(c, *w->info, "F", "text", 2); }},
        {"forget",
         [](World* w, Connection* c) { return DropFusion(c, *w->info, w->info->fusions[0], 2); }},
        {"note", [](World*, Connection* c) { return NoteTableChange(c, 2); }},
        {"drop attribute",
         [](World* w, Connection* c) {
             return DropAttr(c, *w->info, w->info->schema.attrs[0], 2);
         }},
        {"drop field", [](World* w, Connection* c) { return DropField(c, *w->info, 0, 2); }},
    };
    return works;
}

const std::vector<Job>& Segments() {
    static const std::vector<uint64_t> vectors(100000, 0x123456789);
    static const std::vector<Job> works = {
        {"read",
         [](World* w, Connection* c) {
             return StatusOf(ReadSegments(c, w->info->id, SegmentState::kLive));
         }},
        {"layout",
         [](World* w, Connection* c) {
             return StatusOf(ReadLayoutHash(c, w->info->id, w->building));
         }},
        {"create",
         [](World* w, Connection* c) { return StatusOf(CreateSegment(c, w->info->id, "me")); }},
        {"publish",
         [](World* w, Connection* c) { return PublishSegment(c, w->building, 9, 2, "mark"); }},
        {"live", [](World* w, Connection* c) { return StatusOf(IsLive(c, w->live)); }},
        {"retire", [](World* w, Connection* c) { return RetireSegment(c, w->live); }},
        {"abandon", [](World* w, Connection* c) { return AbandonSegment(c, w->building); }},
        {"table",
         [](World* w, Connection* c) {
             return StatusOf(
                 WriteTable(c, w->info->id, 4, PartKind::kTokenWeights, "new tokens", 2));
         }},
        {"large table",
         [](World* w, Connection* c) {
             static const std::string large(300000, 'x');
             return StatusOf(WriteTable(c, w->info->id, 4, PartKind::kTokenWeights, large, 2));
         }},
        {"read chunk",
         [](World* w, Connection* c) {
             std::string out(w->built.raw_bytes(), '\0');
             return ReadChunk(c, w->built, 0, out.data());
         }},
        {"read chunks",
         [](World* w, Connection* c) {
             std::string out(w->built.raw_bytes(), '\0');
             return ReadChunks(c, w->built, 0, w->built.chunks.size(), 1, out.data());
         }},
        {"retire table", [](World* w, Connection* c) { return RetireTable(c, w->table); }},
        {"last", [](World*, Connection* c) { return StatusOf(LastSegment(c)); }},
        {"needs sweep", [](World*, Connection* c) { return StatusOf(NeedsSweep(c, NobodyLives)); }},
        {"sweep", [](World*, Connection* c) { return SweepAll(c); }},
        {"remove part", [](World* w, Connection* c) { return RemovePart(c, w->built); }},
        {"move parts", [](World* w, Connection* c) { return MoveParts(c, w->building, w->live); }},
        {"write part",
         [](World* w, Connection* c) {
             return World::WritePart(c, w->building, vectors.data(), vectors.size());
         }},
        {"write part for looks",
         [](World* w, Connection* c) {
             return World::WritePart(c, w->building, vectors.data(), 20000, true);
         }},
        {"write small part for looks",
         [](World* w, Connection* c) {
             return World::WritePart(c, w->building, vectors.data(), 4000, true);
         }},
    };
    return works;
}

const std::vector<Job>& RecordsAndLog() {
    static const std::vector<Job> works = {
        {"insert",
         [](World* w, Connection* c) {
             w->next_rid = 1000;
             const Status status = w->Records(c);
             w->next_rid = 0;
             return status;
         }},
        {"find",
         [](World* w, Connection* c) {
             return StatusOf(RecordTable(c, *w->info).Find(Key::Int(1)));
         }},
        {"remove", [](World* w, Connection* c) { return RecordTable(c, *w->info).Remove(1); }},
        {"update",
         [](World* w, Connection* c) {
             return RecordTable(c, *w->info).Update(1, 6, {0, 1}, w->Cells());
         }},
        {"by row id",
         [](World* w, Connection* c) {
             return StatusOf(RecordTable(c, *w->info).ReadByRid(1, {0, 1}, kGoOn));
         }},
        {"by key",
         [](World* w, Connection* c) {
             return StatusOf(RecordTable(c, *w->info).ReadByKey(Key::Int(1), {1}, kGoOn));
         }},
        {"key of",
         [](World* w, Connection* c) { return StatusOf(RecordTable(c, *w->info).KeyOf(1)); }},
        {"scan",
         [](World* w, Connection* c) {
             return RecordTable(c, *w->info).Scan(Key::Int(1), {0}, kGoOn);
         }},
        {"scan by row id",
         [](World* w, Connection* c) { return RecordTable(c, *w->info).ScanByRid(0, {0}, kGoOn); }},
        {"append",
         [](World* w, Connection* c) {
             w->next_rid = 1000;
             const Status status = w->Log(c);
             w->next_rid = 0;
             return status;
         }},
        {"read",
         [](World* w, Connection* c) {
             return RecordLog(c, *w->info).Read(0, [](const LogEntry&) { return Status(); });
         }},
        {"read one",
         [](World* w, Connection* c) {
             return StatusOf(
                 RecordLog(c, *w->info).ReadOne(100, [](const LogEntry&) { return Status(); }));
         }},
        {"read cells",
         [](World* w, Connection* c) {
             return StatusOf(
                 RecordLog(c, *w->info).ReadCells(100, {0, 1}, [](const std::vector<Cell>&) {
                     return Status();
                 }));
         }},
        {"clear", [](World* w, Connection* c) { return RecordLog(c, *w->info).Clear(); }},
    };
    return works;
}

// Runs with the n-th of what `how` says failing; true: so many there were.
bool RunOnce(World* w, const Job& work, How how, int64_t n) {
    auto writer = w->store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    c->ForgetStatements();
    Strike::left = n;
    Strike::hit = false;
    switch (how) {
        case How::kCompile: sqlite3_set_authorizer(c->handle(), Strike::OnCompile, nullptr); break;
        case How::kStep: sqlite3_progress_handler(c->handle(), 1, Strike::OnStep, nullptr); break;
        case How::kStart:
            sqlite3_trace_v2(c->handle(), SQLITE_TRACE_STMT, Strike::OnTrace, nullptr);
            break;
        case How::kRow:
            sqlite3_trace_v2(c->handle(), SQLITE_TRACE_ROW, Strike::OnTrace, nullptr);
            break;
    }
    const Status status = work.run(w, c);
    Strike::left = 0;
    sqlite3_set_authorizer(c->handle(), nullptr, nullptr);
    sqlite3_progress_handler(c->handle(), 0, nullptr, nullptr);
    sqlite3_trace_v2(c->handle(), 0, nullptr, nullptr);
    CAPTURE(work.name, static_cast<int>(how), n, status.message());
    // Of some statements nothing is asked behind the row, and some have ended at their start.
    const bool surely = how == How::kCompile || how == How::kStep;
    CHECK((surely ? status.ok() != Strike::hit : status.ok() || Strike::hit));
    // A function that may not be used is for SQLite an error like that of a missing table.
    const bool denied = status.code() == Code::kSql || status.code() == Code::kCorrupt;
    CHECK((status.ok() || (how == How::kCompile ? denied : status.code() == Code::kInterrupted)));
    return Strike::hit;
}

void RunAll(const std::vector<Job>& works) {
    World w;
    for (const Job& work : works) {
        for (const How how : {How::kCompile, How::kStep, How::kStart, How::kRow}) {
            int64_t n = 1;
            while (RunOnce(&w, work, how, n)) {
                n += how == How::kStart || how == How::kRow
                         ? 1
                         : std::max<int64_t>(1, n / (how == How::kCompile ? 60 : 25));
            }
            // Nothing of it is left.
            auto reader = w.store->BeginRead();
            REQUIRE(reader.ok());
            CHECK(CheckSchema((*reader)->connection(), *w.catalog).ok());
        }
    }
}

}  // namespace

TEST_CASE("whatever statement of the catalog fails, its error is told") {
    RunAll(Catalogs());
}

TEST_CASE("whatever statement about segments fails, its error is told") {
    RunAll(Segments());
}

TEST_CASE("whatever statement about records fails, its error is told") {
    RunAll(RecordsAndLog());
}

TEST_CASE("segments that are gone are not found") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    constexpr int64_t kNone = 1000;
    CHECK(ReadLayoutHash(c, w.info->id, kNone).status().code() == Code::kNotFound);
    CHECK(PublishSegment(c, kNone, 9, 2, "").code() == Code::kNotFound);
    CHECK(PublishSegment(c, w.live, 9, 2, "").code() == Code::kNotFound);
    CHECK(RetireSegment(c, w.building).code() == Code::kNotFound);
    CHECK(AbandonSegment(c, kNone).ok());
    CHECK(RetireTable(c, kNone).ok());
    CHECK(MoveParts(c, kNone, w.live).code() == Code::kNotFound);
    CHECK(MoveParts(c, w.building, kNone).code() == Code::kNotFound);
    // A part is swept away while it is written.
    auto part = PartWriter::Create(c, w.live, 3, PartKind::kVectors, 8, 4, 1, Effort::kFast);
    REQUIRE(part.ok());
    REQUIRE(c->Execute("DELETE FROM quern_part").ok());
    CHECK(part->Finish().code() == Code::kNotFound);
}

TEST_CASE("parts are read by one thread and by several, and what is wrong with a chunk is told") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    const PartInfo part = w.PartOf(c, w.live);
    REQUIRE(part.chunks.size() > 5);
    std::string one(part.raw_bytes(), '\0');
    std::string several(part.raw_bytes(), '\0');
    const size_t all = part.chunks.size();
    CHECK_FALSE(*NeedsSweep(c, [](const std::string&) { return false; }));
    CHECK(ReadChunks(c, part, 0, all, 1, one.data()).ok());
    CHECK(ReadChunks(c, part, 0, all, 3, several.data()).ok());
    CHECK(one == several);
    for (const int threads : {1, 3}) {
        for (size_t wrong = 0; wrong < all; wrong += 2) {
            CAPTURE(threads, wrong);
            const Status status =
                ForChunksOnThreads(c, part, 0, all, threads, [&](size_t chunk, BytesView) {
                    return chunk == wrong ? Status::Error(Code::kLimit, "not this one") : Status();
                });
            CHECK(status.code() == Code::kLimit);
        }
        REQUIRE(c->Execute("SAVEPOINT here").ok());
        REQUIRE(
            c->Execute("DELETE FROM quern_chunk WHERE id=" + std::to_string(ChunkId(part.id, 3)))
                .ok());
        CHECK(ReadChunks(c, part, 0, all, threads, several.data()).code() == Code::kCorrupt);
        CHECK(ReadChunk(c, part, 3, several.data()).message().find("missing") != std::string::npos);
        REQUIRE(c->Execute("UPDATE quern_chunk SET data=x'00' WHERE id=" +
                           std::to_string(ChunkId(part.id, all - 1)))
                    .ok());
        CHECK(ReadChunks(c, part, 4, all, threads, several.data()).code() == Code::kCorrupt);
        // The last is gone.
        REQUIRE(c->Execute("DELETE FROM quern_chunk").ok());
        CHECK(ReadChunks(c, part, 0, all, threads, several.data()).code() == Code::kCorrupt);
        REQUIRE(c->Execute("ROLLBACK TO here").ok());
    }
}

TEST_CASE(
    "who reads chunks ends when another one fails, and takes them himself when all are busy") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    constexpr size_t kValues = 16 << 15;  // chunks of 256 KiB, with nothing left
    static const std::vector<uint64_t> values = [] {
        std::mt19937_64 random(9);
        std::vector<uint64_t> made(kValues);
        std::generate(made.begin(), made.end(), random);
        return made;
    }();
    const int64_t segment = w.MakeSegment(c, "large", values.data(), kValues);
    REQUIRE(PublishSegment(c, segment, kValues, 1, "").ok());
    auto segments = ReadSegments(c, w.info->id, SegmentState::kLive);
    REQUIRE(segments.ok());
    const PartInfo part = segments->back().parts.at(0);
    const size_t all = part.chunks.size();
    REQUIRE(all == 16);
    REQUIRE(part.chunks.back().stored_bytes == size_t{256} << 10);
    const auto reader = std::this_thread::get_id();
    const auto refusal = [] { return Status::Error(Code::kLimit, "no more"); };
    for (const bool own : {true, false}) {
        std::atomic<bool> begun{false};
        std::atomic<bool> failed{false};
        // The other waits until the reader has taken one, and fails only then, or not at all.
        const Status status =
            ForChunksOnThreads(c, part, 0, all, 2, [&](size_t, BytesView) -> Status {
                if (std::this_thread::get_id() == reader) {
                    while (!begun) {
                        std::this_thread::yield();
                    }
                    failed = true;
                    return own ? refusal() : Status();
                }
                begun = true;
                while (!failed) {
                    std::this_thread::yield();
                }
                return own ? Status() : refusal();
            });
        CAPTURE(own, status.message());
        CHECK(status.code() == Code::kLimit);
    }
    // The reader of the file is slow, and finds that there is nobody left.
    static std::atomic<bool> given;
    given = false;
    const auto wait = [](void*) {
        if (given) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return 0;
    };
    sqlite3_progress_handler(c->handle(), 1, wait, nullptr);
    const Status early = ForChunksOnThreads(c, part, 0, all, 2, [&](size_t, BytesView) {
        given = true;
        return refusal();
    });
    sqlite3_progress_handler(c->handle(), 0, nullptr, nullptr);
    CHECK(early.code() == Code::kLimit);
    // What the file says comes first, when all others are content.
    REQUIRE(
        c->Execute("DELETE FROM quern_chunk WHERE id=" + std::to_string(ChunkId(part.id, 9))).ok());
    const auto content = [](size_t, BytesView) { return Status(); };
    CHECK(ForChunksOnThreads(c, part, 0, all, 2, content).code() == Code::kCorrupt);
}

TEST_CASE("so many segments and parts a collection has, and no more") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    const std::string many =
        "WITH RECURSIVE n(i) AS (VALUES(1000) UNION ALL SELECT i+1 FROM n WHERE i<101100) ";
    for (const char* insert : {"INSERT INTO quern_part SELECT i,(SELECT min(id) FROM quern_segment "
                               "WHERE state=2),3,64,1,"
                               "0,8,1,x'' FROM n",
                               "INSERT INTO quern_segment SELECT i,1,2,0,1,'' FROM n"}) {
        REQUIRE(c->Execute("SAVEPOINT here").ok());
        const Status inserted = c->Execute(many + insert);
        CAPTURE(insert, inserted.message());
        REQUIRE(inserted.ok());
        CHECK(ReadSegments(c, 1, SegmentState::kLive).status().code() == Code::kCorrupt);
        REQUIRE(c->Execute("ROLLBACK TO here").ok());
    }
}

TEST_CASE("without the row of the database nothing gets an id") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    REQUIRE(c->Execute("DELETE FROM quern_state WHERE collection=0").ok());
    const auto corrupt = [](const Status& status) {
        CAPTURE(status.message());
        CHECK(status.code() == Code::kCorrupt);
        CHECK(status.message().find("the state of the database is missing") != std::string::npos);
    };
    corrupt(ReadCatalog(c).status());
    corrupt(CreateCollection(c, "more", World::TheSchema(), 1).status());
    corrupt(CreateSegment(c, w.info->id, "me").status());
    corrupt(World::WritePart(c, w.building, nullptr, 0));
    corrupt(NoteTableChange(c, 2));
}

TEST_CASE("counters that are used up are not written") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    const auto set = [&](const char* counter, int64_t value) {
        REQUIRE(c->Execute(std::string("UPDATE quern_state SET ") + counter + "=" +
                           std::to_string(value) + " WHERE collection=0")
                    .ok());
    };
    set("next_rid", kCounterMax);
    CHECK(CreateCollection(c, "more", World::TheSchema(), 1).status().code() == Code::kLimit);
    set("records", kCounterMax);
    CHECK(CreateSegment(c, w.info->id, "me").status().code() == Code::kLimit);
    set("digest", kPartIdMax);
    CHECK(World::WritePart(c, w.building, nullptr, 0).code() == Code::kLimit);
    set("epoch", kCounterMax);
    CHECK(NoteTableChange(c, 2).code() == Code::kLimit);
    // Nor those that have come to be less than nothing.
    set("records", -9);
    CHECK(CreateSegment(c, w.info->id, "me").status().code() == Code::kLimit);
    set("epoch", kCounterMax);
    CHECK(AddText(c, *w.info, {UINT32_MAX, "more"}, 2).code() == Code::kLimit);
    for (int64_t CollectionState::*counter :
         {&CollectionState::next_rid, &CollectionState::epoch, &CollectionState::generation}) {
        CollectionState state;
        state.epoch = state.generation = 1;
        state.*counter = kCounterMax + 1;
        CHECK(WriteState(c, w.info->id, state).code() == Code::kLimit);
    }
    LogEntry entry;
    entry.rid = kCounterMax;
    CHECK(RecordLog(c, *w.info).Append(entry, nullptr).code() == Code::kLimit);
}

TEST_CASE("a collection keeps so many fusions, and each so long") {
    World w;
    auto writer = w.store->BeginWrite();
    REQUIRE(writer.ok());
    Connection* const c = (*writer)->connection();
    const std::string longest(kColumnOptionBytesMax, 'x');
    CHECK(KeepFusion(c, *w.info, "g", longest + "x", 2).code() == Code::kLimit);
    CHECK(KeepFusion(c, *w.info, "g", longest, 2).ok());
    w.ReadInfo(c);
    CollectionInfo full = *w.info;
    full.fusions.resize(kFusionsMax, full.fusions[0]);
    CHECK(KeepFusion(c, full, "h", "text", 2).code() == Code::kLimit);
    CHECK(KeepFusion(c, full, "F", "text", 2).ok());
}

TEST_CASE("who reads records and the log may stop, or fail") {
    World w;
    auto reader = w.store->BeginRead();
    REQUIRE(reader.ok());
    Connection* const c = (*reader)->connection();
    RecordTable records(c, *w.info);
    const auto fail = [](const RecordRow&) -> Result<bool> {
        return Status::Error(Code::kLimit, "no more");
    };
    int seen = 0;
    const auto stop = [&](const RecordRow&) -> Result<bool> { return ++seen < 2; };
    CHECK(records.Scan(std::nullopt, {}, fail).code() == Code::kLimit);
    CHECK(records.Scan(std::nullopt, {}, stop).ok());
    CHECK(seen == 2);
    CHECK(records.ReadByRid(1, {}, fail).status().code() == Code::kLimit);
    CHECK(records.ReadByKey(Key::Int(1), {}, fail).status().code() == Code::kLimit);
    const Result<bool> none = records.ReadByKey(Key::Int(77), {}, fail);
    CHECK((none.ok() && !*none));
    CHECK_FALSE(records.KeyOf(77)->has_value());
    RecordLog log(c, *w.info);
    const auto refuse = [](const auto&) { return Status::Error(Code::kLimit, "no more"); };
    CHECK(log.Read(0, refuse).code() == Code::kLimit);
    CHECK(log.ReadCells(100, {0}, refuse).status().code() == Code::kLimit);
    const Result<bool> no_entry = log.ReadCells(77, {0}, refuse);
    CHECK((no_entry.ok() && !*no_entry));
}
