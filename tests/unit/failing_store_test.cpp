// Work on the whole file, sound or damaged, when a page cannot be read or a statement cannot be
// made: it says so, and what it leaves is as good as what it found.
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/catalog.h"
#include "storage/chunk_store.h"
#include "storage/file_mender.h"
#include "storage/file_store.h"
#include "storage/page_vfs.h"
#include "tests/unit/faulty_vfs.h"

namespace {

using namespace quern;
using namespace quern::storage;
using quern::testing::FaultyDisk;

constexpr size_t kValues = 80000;  // of eight bytes, in several chunks

// Refuses the n-th thing that any connection is asked to compile.
struct Refusal {
    static inline int64_t left = 0;
    static int OnCompile(void*, int, const char*, const char*, const char*, const char*) {
        return left > 0 && --left == 0 ? SQLITE_DENY : SQLITE_OK;
    }
    static int OnOpen(sqlite3* db, char**, const sqlite3_api_routines*) {
        return sqlite3_set_authorizer(db, OnCompile, nullptr);
    }
    Refusal() { sqlite3_auto_extension(Entry()); }
    ~Refusal() {
        left = 0;
        sqlite3_cancel_auto_extension(Entry());
    }
    static void (*Entry())() { return reinterpret_cast<void (*)()>(&OnOpen); }
};

class StoredFile {
public:
    StoredFile() {
        quern::testing::SetBaseVfs(FaultyDisk::Register());
        FaultyDisk::Heal();
        path = (std::filesystem::temp_directory_path() /
                ("quern_failing_" + std::to_string(getpid()) + ".db"))
                   .string();
        static const std::string made = Make();
        sound = made;
    }
    ~StoredFile() {
        FaultyDisk::Heal();
        Remove();
        quern::testing::SetBaseVfs(nullptr);
    }
    void Write(const std::string& bytes) {
        Remove();
        std::ofstream(path, std::ios::binary) << bytes;
    }
    Result<std::unique_ptr<FileStore>> Open() {
        StoreOptions options;
        options.path = path;
        options.busy_ms = 5;
        return FileStore::Open(options);
    }
    // The file with a page flipped, the root of a table or index.
    std::string Damaged(const char* root) {
        Write(sound);
        sqlite3* raw = nullptr;
        sqlite3_stmt* row = nullptr;
        const std::string sql =
            std::string("SELECT rootpage FROM sqlite_schema WHERE name='") + root + "'";
        REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_prepare_v2(raw, sql.c_str(), -1, &row, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_step(row) == SQLITE_ROW);
        const auto page = static_cast<size_t>(sqlite3_column_int(row, 0));
        sqlite3_finalize(row);
        sqlite3_close(raw);
        std::string bytes = sound;
        for (size_t i = 0; i < 12; i++) {
            char& byte = bytes.at((page - 1) * static_cast<size_t>(kPageBytes) + i);
            byte = static_cast<char>(byte ^ 0x5a);
        }
        return bytes;
    }
    // Everything is there, and nothing is wrong.
    void CheckSound() {
        auto store = Open();
        CAPTURE(store.status().message());
        REQUIRE(store.ok());
        Work work;
        std::vector<std::string> problems;
        CHECK((*store)->CheckPages(&work, &problems).ok());
        CHECK(problems == std::vector<std::string>());
        auto reader = (*store)->BeginRead();
        REQUIRE(reader.ok());
        Connection* const c = (*reader)->connection();
        auto segments = ReadSegments(c, 1, SegmentState::kLive);
        REQUIRE(segments.ok());
        REQUIRE(segments->size() == 1);
        const PartInfo& part = segments->at(0).parts.at(0);
        std::vector<uint64_t> values(part.items);
        const Status read =
            ReadChunks(c, part, 0, part.chunks.size(), 1, reinterpret_cast<char*>(values.data()));
        CAPTURE(read.message());
        CHECK(read.ok());
        CHECK(values == Values());
    }

    std::string path;
    std::string sound;

private:
    static const std::vector<uint64_t>& Values() {
        static const std::vector<uint64_t> values = [] {
            std::mt19937_64 random(7);
            std::vector<uint64_t> made(kValues);
            std::generate(made.begin(), made.end(), random);
            return made;
        }();
        return values;
    }
    std::string Make() {
        Remove();
        {
            auto store = Open();
            REQUIRE(store.ok());
            auto writer = (*store)->BeginWrite();
            REQUIRE(writer.ok());
            Connection* const c = (*writer)->connection();
            Schema schema;
            schema.key_type = KeyType::kText;
            schema.dense = {{1, "emb", Element::kF32, Metric::kL2, 2}};
            schema.next_id = 2;
            REQUIRE(CreateCollection(c, "docs", schema, 1).ok());
            auto segment = CreateSegment(c, 1, "me");
            REQUIRE(segment.ok());
            auto part =
                PartWriter::Create(c, *segment, 1, PartKind::kVectors, 8, 4, 1, Effort::kFast);
            REQUIRE(part.ok());
            REQUIRE(part->Append(Values().data(), kValues).ok());
            REQUIRE(part->Finish().ok());
            REQUIRE(PublishSegment(c, *segment, kValues, 1, "").ok());
            REQUIRE((*writer)->Commit().ok());
        }
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm", "-journal", ".copy", ".copy-journal"}) {
            std::filesystem::remove(path + suffix);
        }
    }
};

// As a rebuild does it.
Status MendAll(FileStore* store) {
    Work work;
    std::vector<std::string> lost;
    QUERN_ASSIGN(const ChunkTable table, CheckChunkTable(store, &work));
    if (table == ChunkTable::kBroken) {
        QUERN_TRY(MendChunkTable(store, &work, &lost));
        CHECK(lost == std::vector<std::string>());
    }
    QUERN_TRY(MendIndexes(store, &work));
    QUERN_TRY(store->MendFreePages());
    return MendUnusedPages(store, &work);
}

using Job = std::function<Status(StoredFile* file)>;

// Runs a job on a file again and again, with one read or one statement after another failing.
void RunAll(StoredFile* file, const std::string& bytes, const Job& job, const Job& again) {
    const Refusal refusal;
    for (const bool read : {true, false}) {
        bool hit = true;
        for (int64_t n = 1; hit; n += std::max<int64_t>(1, n / 12)) {
            file->Write(bytes);
            if (read) {
                FaultyDisk::reads_left = n;
            } else {
                Refusal::left = n;
            }
            const Status status = job(file);
            hit = FaultyDisk::reads_left == 0 && Refusal::left == 0;
            FaultyDisk::Heal();
            Refusal::left = 0;
            CAPTURE(read, n, status.message());
            CHECK((hit || status.ok()));
            CHECK(status.code() != Code::kInternal);
            CHECK((status.ok() || again(file).ok()));
            file->CheckSound();
        }
    }
}

Job OnStore(const std::function<Status(FileStore* store)>& work) {
    return [work](StoredFile* file) -> Status {
        const int64_t reads = FaultyDisk::reads_left.exchange(0);
        const int64_t left = std::exchange(Refusal::left, 0);
        QUERN_ASSIGN(const std::unique_ptr<FileStore> store, file->Open());
        FaultyDisk::reads_left = reads;
        Refusal::left = left;
        return work(store.get());
    };
}

}  // namespace

TEST_CASE("a damaged tree of chunks is mended, whatever fails on the way, when it is tried again") {
    StoredFile file;
    const Job mend = OnStore(MendAll);
    RunAll(&file, file.Damaged("quern_chunk"), mend, mend);
}

TEST_CASE("a damaged index is mended, whatever fails on the way, when it is tried again") {
    StoredFile file;
    const Job mend = OnStore(MendAll);
    RunAll(&file, file.Damaged("quern_part_segment"), mend, mend);
}

TEST_CASE("work on a whole file leaves it sound, whatever fails") {
    StoredFile file;
    const Job all = OnStore([&](FileStore* store) -> Status {
        Work work;
        std::vector<std::string> problems;
        std::filesystem::remove(file.path + ".copy");
        QUERN_TRY(store->CheckPages(&work, &problems));
        QUERN_TRY(CheckTables(store, &work));
        QUERN_TRY(store->Figures().status());
        QUERN_TRY(store->Backup(file.path + ".copy", &work));
        QUERN_TRY(store->Attach("copy", file.path + ".copy"));
        QUERN_TRY(store->Detach("copy"));
        QUERN_TRY(store->ReturnFreePages(10).status());
        QUERN_TRY(store->Vacuum(&work));
        return store->Checkpoint();
    });
    RunAll(&file, file.sound, all, all);
}

TEST_CASE("a file is opened, or an error told, whatever fails") {
    StoredFile file;
    for (const bool read_only : {false, true}) {
        const Job open = [&](StoredFile* of) -> Status {
            StoreOptions options;
            options.path = of->path;
            options.create = !read_only;
            options.read_only = read_only;
            options.busy_ms = 5;
            QUERN_ASSIGN(const std::unique_ptr<FileStore> store, FileStore::Open(options));
            QUERN_TRY(store->BeginRead().status());
            return read_only ? Status() : store->BeginWrite().status();
        };
        RunAll(&file, file.sound, open, open);
    }
}

TEST_CASE("a new file is made whole, or not at all, whatever fails") {
    StoredFile file;
    const Refusal refusal;
    bool hit = true;
    for (int64_t n = 1; hit; n++) {
        std::filesystem::remove(file.path);
        Refusal::left = n;
        const Status status = file.Open().status();
        hit = Refusal::left == 0;
        Refusal::left = 0;
        CAPTURE(n, status.message());
        CHECK(status.ok() != hit);
        // One that is complete already stays.
        if (std::filesystem::exists(file.path)) {
            auto store = file.Open();
            REQUIRE(store.ok());
            auto reader = (*store)->BeginRead();
            REQUIRE(reader.ok());
            auto catalog = ReadCatalog((*reader)->connection());
            REQUIRE(catalog.ok());
            CHECK((*catalog)->collections.empty());
        }
    }
}
