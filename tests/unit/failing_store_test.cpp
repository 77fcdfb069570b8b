// Work on the whole file, sound or damaged, when a page cannot be read or a statement cannot be
// made: it says so, and what it leaves is as good as what it found.
#include <sqlite3.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "storage/catalog.h"
#include "storage/file_mender.h"
#include "storage/file_store.h"
#include "tests/unit/stored_file.h"

namespace {

using namespace quern;
using namespace quern::storage;
using quern::testing::FaultyDisk;
using quern::testing::StoredFile;

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
void RunAll(StoredFile* file, const std::string& bytes, const Job& job, const Job& again, ) {
    const Refusal refusal;
    for (const char how : {'d', 's', 'i'}) {
        const int64_t dense = how == 'i' ? 50 : 250;
        bool hit = true;
        for (int64_t n = 1; hit; n += n < dense ? 1 : n / 12) {
            file->Write(bytes);
            interrupts = 0;
            FaultyDisk::interrupts = how == 'i' ? &interrupts : nullptr;
            if (how == 's') {
                Refusal::left = n;
            } else {
                FaultyDisk::calls_left = n;
            }
            const Status status = job(file);
            hit = FaultyDisk::calls_left == 0 && Refusal::left == 0;
            FaultyDisk::Heal();
            Refusal::left = 0;
            CAPTURE(how, n, status.message());
            CHECK((hit || status.ok()));
            CHECK(status.code() != Code::kInternal);
            CHECK((status.ok() || again(file).ok()));
            file->CheckSound();
        }
    }
}

Job OnStore(const std::function<Status(FileStore* store)>& work) {
    return [work](StoredFile* file) -> Status {
        const int64_t calls = FaultyDisk::calls_left.exchange(0);
        const int64_t left = std::exchange(Refusal::left, 0);
        QUERN_ASSIGN(const std::unique_ptr<FileStore> store, file->Open());
        FaultyDisk::calls_left = calls;
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
