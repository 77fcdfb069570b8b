// Where a process has no memory left at all, which the C library's own allocator says: libzstd and
// files in memory ask it, too.
#include <quern.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "storage/codec.h"
#include "storage/memory_vfs.h"
#include "tests/slow_build.h"

namespace {

using namespace quern;
using namespace quern::storage;

// While it lives there are no blocks of `least` bytes or more; some are there of kSmall bytes, if
// that is less.
class NoMemory {
public:
    explicit NoMemory(size_t least) {
        // Those that are given back have others between them, and cannot become one.
        for (void*& block : small_) {
            block = least > kSmall ? std::malloc(kSmall) : nullptr;
        }
        getrlimit(RLIMIT_AS, &before_);
        rlimit none = before_;
        none.rlim_cur = 1;
        setrlimit(RLIMIT_AS, &none);
        for (size_t bytes = size_t{1} << 24; bytes > kCached && bytes >= least; bytes /= 2) {
            TakeAll(bytes);
        }
        // Small blocks that were given back are kept by their sizes, and are none of another.
        for (size_t bytes = kCached; bytes >= least; bytes -= kStep) {
            TakeAll(bytes);
        }
        for (size_t i = 0; i < kBlocks; i += 2) {
            std::free(std::exchange(small_[i], nullptr));
        }
    }
    ~NoMemory() {
        setrlimit(RLIMIT_AS, &before_);
        for (void* block : small_) {
            std::free(block);
        }
        while (held_ != nullptr) {
            std::free(std::exchange(held_, *static_cast<void**>(held_)));
        }
    }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;

private:
    void TakeAll(size_t bytes) {
        while (void* block = std::malloc(bytes)) {
            *static_cast<void**>(block) = held_;
            held_ = block;
        }
    }

    static constexpr size_t kCached = 1056;
    static constexpr size_t kStep = 16;
    static constexpr size_t kSmall = 1000;
    static constexpr size_t kBlocks = 100;
    rlimit before_{};
    void* small_[kBlocks] = {};
    void* held_ = nullptr;
};

// Runs work on a new thread, which has `spare` bytes in one piece, and nothing else of that size.
void OnNewThread(size_t spare, const std::function<void()>& work) {
    std::thread thread([&] {
        void* const kept = std::malloc(spare);
        const NoMemory none(2048);
        std::free(kept);
        work();
    });
    thread.join();
}

}  // namespace

TEST_CASE("a chunk that there is no memory to pack is stored as it is, or told not to be read") {
    if (kSlowBuild) {
        return;  // the sanitizers have an allocator of their own
    }
    const std::string raw(100000, 'x');
    Bytes packed;
    REQUIRE(Encode(Codec::kZstd, raw, Effort::kFast, &packed) == Codec::kZstd);
    std::string out(raw.size(), '\0');
    for (const size_t spare : {size_t{16}, size_t{8} << 10, size_t{16} << 10, size_t{64} << 10}) {
        Bytes stored;
        stored.reserve(2 * raw.size());
        Codec codec = Codec::kSplit2;
        OnNewThread(spare, [&] { codec = Encode(Codec::kZstd, raw, Effort::kFast, &stored); });
        CAPTURE(spare);
        CHECK(codec == Codec::kRaw);
        CHECK(stored == raw);
        Code code = Code::kOk;
        OnNewThread(spare, [&] {
            code =
                Decode(static_cast<uint32_t>(Codec::kZstd), packed, out.data(), out.size()).code();
        });
        CHECK((code == Code::kNoMem || code == Code::kCorrupt));
    }
}

TEST_CASE("a file in memory that finds none to grow tells it") {
    if (kSlowBuild) {
        return;
    }
    REQUIRE(RegisterMemoryVfs().ok());
    sqlite3_vfs* const vfs = sqlite3_vfs_find(MemoryVfs());
    const std::unique_ptr<char[]> space(new char[static_cast<size_t>(vfs->szOsFile)]());
    auto* const file = reinterpret_cast<sqlite3_file*>(space.get());
    REQUIRE(vfs->xOpen(vfs, "/no memory", file, SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB,
                       nullptr) == SQLITE_OK);
    int written = SQLITE_OK;
    int grown = SQLITE_OK;
    {
        const NoMemory none(2048);
        written = file->pMethods->xWrite(file, "x", 1, 0);
        grown = file->pMethods->xTruncate(file, 1 << 20);
    }
    CHECK(written == SQLITE_IOERR_NOMEM);
    CHECK(grown == SQLITE_IOERR_NOMEM);
    CHECK(file->pMethods->xWrite(file, "x", 1, 0) == SQLITE_OK);
    file->pMethods->xClose(file);
    DropMemoryFiles("/no memory");
}

TEST_CASE("where there is no memory for a handle, none is made") {
    if (kSlowBuild) {
        return;
    }
    quern_db* db = nullptr;
    REQUIRE(quern_open(":memory:", nullptr, &db, nullptr) == QUERN_OK);
    bool made = false;
    {
        const NoMemory none(16);
        made = quern_schema_new() != nullptr || quern_batch_new(db, "docs", 1) != nullptr ||
               quern_query_new(db, "docs") != nullptr;
    }
    CHECK_FALSE(made);
    quern_close(db);
}

TEST_CASE("an error for which there is no memory keeps its code, and takes nothing more") {
    if (kSlowBuild) {
        return;
    }
    const std::string context = "where it was, of which there is more than fits into a short text";
    Status status;
    {
        const NoMemory none(16);
        status = Status::Error(Code::kBusy, "of which %s", "there is no text");
        status.WithDetail(5, 6).WithContext(context);
    }
    CHECK(status.code() == Code::kBusy);
    CHECK(status.detail() == 0);
    CHECK(status.message().find("no memory") != std::string::npos);
    // One that has a text does without the context.
    status = Status::Error(Code::kBusy, "%s", std::string(200, 'x').c_str());
    {
        const NoMemory none(16);
        status.WithContext(context);
    }
    CHECK(status.message() == std::string(200, 'x'));
}
