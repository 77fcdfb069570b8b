// Work on the whole file, sound or damaged, when a page cannot be read or a statement cannot be
// made: it says so, and what it leaves is as good as what it found.
#include <sqlite3.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/at_end.h"
#include "storage/catalog.h"
#include "storage/file_mender.h"
#include "storage/file_store.h"
#include "tests/slow_build.h"
#include "tests/unit/stored_file.h"

namespace {

using namespace quern;
using namespace quern::storage;
using quern::testing::FaultyDisk;
using quern::testing::StoredFile;

// Refuses the n-th thing that any connection is asked to compile; or interrupts the n-th statement
// that begins, which ends then.
struct Refusal {
    static inline int64_t left = 0;
    static inline int64_t statements = 0;
    static int OnCompile(void*, int, const char*, const char*, const char*, const char*) {
        return left > 0 && --left == 0 ? SQLITE_DENY : SQLITE_OK;
    }
    static int OnStart(unsigned, void*, void* statement, void*) {
        if (statements > 0 && --statements == 0) {
            sqlite3_interrupt(sqlite3_db_handle(static_cast<sqlite3_stmt*>(statement)));
        }
        return 0;
    }
    static int OnOpen(sqlite3* db, char**, const sqlite3_api_routines*) {
        sqlite3_trace_v2(db, SQLITE_TRACE_STMT, OnStart, nullptr);
        return sqlite3_set_authorizer(db, OnCompile, nullptr);
    }
    static bool hit() { return left == 0 && statements == 0; }
    Refusal() { sqlite3_auto_extension(Entry()); }
    ~Refusal() {
        left = statements = 0;
        sqlite3_cancel_auto_extension(Entry());
    }
    static void (*Entry())() { return reinterpret_cast<void (*)()>(&OnOpen); }
};

// Who interrupts, counts it up.
std::atomic<uint64_t> interrupts{0};

// As a rebuild does it.
Status MendAll(FileStore* store) {
    Work work(&interrupts, nullptr);
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

// Runs a job on a file again and again, with one call of the disk or one statement after another
// failing, or interrupted at such a call; at each of the first, and
// at some of the others.
void RunAll(StoredFile* file, const std::string& bytes, const Job& job, const Job& again) {
    const Refusal refusal;
    for (const char how : {'d', 's', 'i', 't'}) {
        // The first calls each, then fewer and fewer of them.
        const int64_t dense = quern::Rounds(how == 'i' ? 40 : 120);
        bool hit = true;
        for (int64_t n = 1; hit; n += n < dense ? 1 : std::max<int64_t>(1, n / 12)) {
            file->Write(bytes);
            interrupts = 0;
            FaultyDisk::interrupts = how == 'i' ? &interrupts : nullptr;
            switch (how) {
                case 's': Refusal::left = n; break;
                case 't': Refusal::statements = n; break;
                default: FaultyDisk::calls_left = n;
            }
            const Status status = job(file);
            hit = FaultyDisk::calls_left == 0 && Refusal::hit();
            FaultyDisk::Heal();
            Refusal::left = Refusal::statements = 0;
            CAPTURE(how, n, status.message());
            CHECK((hit || status.ok()));
            CHECK(status.code() != Code::kInternal);
            CHECK((status.ok() || again(file).ok()));
            file->CheckSound();
        }
    }
}

// While it lives nothing fails.
class Pause {
public:
    ~Pause() {
        FaultyDisk::calls_left = calls_;
        Refusal::left = left_;
        Refusal::statements = statements_;
    }

private:
    int64_t calls_ = FaultyDisk::calls_left.exchange(0);
    int64_t left_ = std::exchange(Refusal::left, 0);
    int64_t statements_ = std::exchange(Refusal::statements, 0);
};

Job OnStore(const std::function<Status(FileStore* store)>& work) {
    return [work](StoredFile* file) -> Status {
        std::unique_ptr<FileStore> store;
        {
            const Pause pause;
            QUERN_ASSIGN(store, file->Open());
        }
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

TEST_CASE("a damaged page that nobody uses is mended, whatever fails, when it is tried again") {
    StoredFile file;
    // One that SQLite calls free, in a file that is sound otherwise.
    std::string bytes;
    uint32_t page = 0;
    {
        file.Write(file.sound);
        auto store = file.Open();
        REQUIRE(store.ok());
        auto writer = (*store)->BeginWrite();
        REQUIRE(writer.ok());
        REQUIRE((*writer)->connection()->Execute("CREATE TABLE gone(x)").ok());
        const std::string fill = "INSERT INTO gone VALUES(zeroblob(100000))";
        REQUIRE((*writer)->connection()->Execute(fill).ok());
        REQUIRE((*writer)->connection()->Execute("DROP TABLE gone").ok());
        REQUIRE((*writer)->Commit().ok());
    }
    {
        std::ifstream in(file.path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    page = static_cast<uint32_t>(bytes.size() / StoredFile::kPage);
    REQUIRE(page > file.Pages() + 3);
    StoredFile::Flip(&bytes, page);
    const Job mend = OnStore([](FileStore* store) {
        const Status status = store->MendFreePages();
        // What could not be read just then is left for the next time.
        const Pause pause;
        return status.ok() ? MendAll(store) : status;
    });
    RunAll(&file, bytes, mend, OnStore(MendAll));
    // Who only reads cannot mend it.
    file.Write(bytes);
    StoreOptions options;
    options.path = file.path;
    options.read_only = true;
    auto store = FileStore::Open(options);
    REQUIRE(store.ok());
    CHECK((*store)->MendFreePages().code() == Code::kReadOnly);
    CHECK((*store)->Checkpoint().code() == Code::kReadOnly);
}

TEST_CASE("figures of a file are told, or nothing, whatever fails") {
    StoredFile file;
    const Job figures = OnStore([](FileStore* store) { return store->Figures().status(); });
    RunAll(&file, file.sound, figures, figures);
}

TEST_CASE("work on a whole file leaves it sound, whatever fails") {
    StoredFile file;
    const Job all = OnStore([&](FileStore* store) -> Status {
        Work work(&interrupts, nullptr);
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
    for (const char* how : {"rw", "ro", "frozen"}) {
        const bool read_only = how[0] != 'r' || how[1] == 'o';
        const Job open = [&](StoredFile* of) -> Status {
            FaultyDisk::index_full = how[0] == 'f';
            const AtEnd heal([] { FaultyDisk::index_full = false; });
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
    for (const char how : {'d', 's', 't'}) {
        bool hit = true;
        for (int64_t n = 1; hit; n++) {
            std::filesystem::remove(file.path);
            FaultyDisk::calls_left = how == 'd' ? n : 0;
            Refusal::left = how == 's' ? n : 0;
            Refusal::statements = how == 't' ? n : 0;
            const Status status = file.Open().status();
            hit = FaultyDisk::calls_left == 0 && Refusal::hit();
            FaultyDisk::Heal();
            Refusal::left = Refusal::statements = 0;
            CAPTURE(how, n, status.message());
            // What fails when all is done, or need not be done, is no matter.
            CHECK((how == 's' ? status.ok() != hit : status.ok() || hit));
            // One that is complete already stays.
            if (std::filesystem::exists(file.path)) {
                auto store = file.Open();
                CAPTURE(store.status().message());
                REQUIRE(store.ok());
                auto reader = (*store)->BeginRead();
                REQUIRE(reader.ok());
                auto catalog = ReadCatalog((*reader)->connection());
                REQUIRE(catalog.ok());
                CHECK((*catalog)->collections.empty());
            }
        }
    }
}

TEST_CASE("a file that is read without locks is left when somebody writes it") {
    StoredFile file;
    file.Write(file.sound);
    FaultyDisk::index_full = true;
    StoreOptions options;
    options.path = file.path;
    options.read_only = true;
    auto store = FileStore::Open(options);
    REQUIRE(store.ok());
    CHECK_FALSE((*store)->CurrentMark().has_value());
    CHECK((*store)->BeginRead().ok());
    std::ofstream(file.path + "-wal") << "a log";
    const Status status = (*store)->BeginRead().status();
    CAPTURE(status.message());
    CHECK(status.message().find("there are commits in") != std::string::npos);
    // The log comes just when the file is opened without locks.
    static std::string log;
    static int opened;
    log = file.path + "-wal";
    opened = 0;
    const auto on_open = [](sqlite3*, char**, const sqlite3_api_routines*) {
        if (++opened == 2) {
            std::ofstream(log) << "a log";
        }
        return SQLITE_OK;
    };
    int (*const entry)(sqlite3*, char**, const sqlite3_api_routines*) = on_open;
    std::filesystem::remove(log);
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(entry));
    const Status begun = FileStore::Open(options).status();
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(entry));
    CAPTURE(begun.message());
    CHECK(begun.code() == Code::kBusy);
    std::filesystem::remove(log);
}

TEST_CASE("a file that was left in the middle of a change is not changed on a full disk") {
    StoredFile file;
    file.Write(file.sound);
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open_v2(file.path.c_str(), &raw, SQLITE_OPEN_READWRITE, CurrentPageVfs()) ==
            SQLITE_OK);
    const auto run = [&](const char* sql) {
        return sqlite3_exec(raw, sql, nullptr, nullptr, nullptr);
    };
    REQUIRE(run("PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; BEGIN IMMEDIATE") == SQLITE_OK);
    REQUIRE(run("UPDATE docs SET \"_hash\"=\"_hash\"+1; UPDATE quern_part SET items=items") ==
            SQLITE_OK);
    const auto read = [](const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string half = read(file.path);
    const std::string journal = read(file.path + "-journal");
    REQUIRE(run("ROLLBACK") == SQLITE_OK);
    sqlite3_close(raw);
    REQUIRE(journal.size() > StoredFile::kPage);
    file.Write(half);
    std::ofstream(file.path + "-journal", std::ios::binary) << journal;
    StoreOptions options;
    options.path = file.path;
    options.read_only = true;
    FaultyDisk::bytes_left = 0;
    const Status status = FileStore::Open(options).status();
    CAPTURE(status.message());
    CHECK(status.code() == Code::kFull);
    FaultyDisk::Heal();
    CHECK(FileStore::Open(options).ok());
    file.CheckSound();
}

TEST_CASE("a copy of a large file can be stopped, and of many bad pages some are told") {
    StoredFile file(size_t{600000});
    file.Write(file.sound);
    {
        auto store = file.Open();
        REQUIRE(store.ok());
        Work work(&interrupts, nullptr);
        interrupts++;
        CHECK((*store)->Backup(file.path + ".copy", &work).code() == Code::kInterrupted);
        CHECK_FALSE(std::filesystem::exists(file.path + ".copy"));
    }
    std::string bytes = file.sound;
    for (uint32_t page = 100; page <= 250; page++) {
        StoredFile::Flip(&bytes, page);
    }
    file.Write(bytes);
    auto store = file.Open();
    REQUIRE(store.ok());
    CHECK(file.Problems(store->get()).size() == 100);
}
