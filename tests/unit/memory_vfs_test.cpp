// The VFS that keeps files in memory, asked as SQLite asks it: what files hold, and who waits for
// whom.
#include "storage/memory_vfs.h"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>

namespace {

constexpr int kShared = SQLITE_LOCK_SHARED;
constexpr int kReserved = SQLITE_LOCK_RESERVED;
constexpr int kExclusive = SQLITE_LOCK_EXCLUSIVE;

sqlite3_vfs* Vfs() {
    REQUIRE(quern::storage::RegisterMemoryVfs().ok());
    return sqlite3_vfs_find(quern::storage::MemoryVfs());
}

class File {
public:
    explicit File(const char* name, int flags = SQLITE_OPEN_CREATE) {
        space_.reset(new char[static_cast<size_t>(Vfs()->szOsFile)]());
        file_ = reinterpret_cast<sqlite3_file*>(space_.get());
        code = Vfs()->xOpen(Vfs(), name, file_, flags | SQLITE_OPEN_MAIN_DB, nullptr);
    }
    ~File() { Close(); }
    void Close() {
        if (file_->pMethods != nullptr) {
            CHECK(file_->pMethods->xClose(file_) == SQLITE_OK);
            file_->pMethods = nullptr;
        }
    }
    int Write(const std::string& bytes, int64_t at) {
        return To().xWrite(file_, bytes.data(), static_cast<int>(bytes.size()), at);
    }
    // What is there; "short:" before it when zeros stand for what is not.
    std::string Read(int bytes, int64_t at) {
        std::string out(static_cast<size_t>(bytes), 'x');
        const int got = To().xRead(file_, out.data(), bytes, at);
        CHECK((got == SQLITE_OK || got == SQLITE_IOERR_SHORT_READ));
        return (got == SQLITE_OK ? "" : "short:") + out;
    }
    int Truncate(int64_t size) { return To().xTruncate(file_, size); }
    int64_t Size() {
        sqlite3_int64 size = -1;
        CHECK(To().xFileSize(file_, &size) == SQLITE_OK);
        return size;
    }
    int Lock(int level) { return To().xLock(file_, level); }
    int Unlock(int level) { return To().xUnlock(file_, level); }
    bool Reserved() {
        int held = -1;
        CHECK(To().xCheckReservedLock(file_, &held) == SQLITE_OK);
        return held != 0;
    }
    volatile void* Map(int region, bool extend) {
        volatile void* at = this;
        CHECK(To().xShmMap(file_, region, 32768, extend ? 1 : 0, &at) == SQLITE_OK);
        return at;
    }
    void Unmap(bool remove) { CHECK(To().xShmUnmap(file_, remove ? 1 : 0) == SQLITE_OK); }
    int Share(int first, int count = 1) {
        return To().xShmLock(file_, first, count, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED);
    }
    int Exclude(int first, int count = 1) {
        return To().xShmLock(file_, first, count, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    }
    void Release(int first, int kind) {
        CHECK(To().xShmLock(file_, first, 1, SQLITE_SHM_UNLOCK | kind) == SQLITE_OK);
    }
    const sqlite3_io_methods& To() { return *file_->pMethods; }
    sqlite3_file* file() { return file_; }

    int code = SQLITE_OK;

private:
    std::unique_ptr<char[]> space_;
    sqlite3_file* file_ = nullptr;
};

int Access(const char* name) {
    int there = -1;
    CHECK(Vfs()->xAccess(Vfs(), name, SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK);
    return there;
}

}  // namespace

TEST_CASE("files in memory are there under their names as long as somebody wants them") {
    CHECK(File("/m/none", 0).code == SQLITE_CANTOPEN);
    CHECK(Access("/m/none") == 0);
    CHECK(Vfs()->xDelete(Vfs(), "/m/none", 0) == SQLITE_IOERR_DELETE_NOENT);
    File one("/m/one");
    CHECK(one.Write("abc", 0) == SQLITE_OK);
    {
        // Deleted, it lives on for those who have it open, as on a disk.
        File same("/m/one", 0);
        CHECK(Access("/m/one") == 1);
        CHECK(Vfs()->xDelete(Vfs(), "/m/one", 0) == SQLITE_OK);
        CHECK(Access("/m/one") == 0);
        CHECK(same.Read(3, 0) == "abc");
    }
    {
        File brief("/m/brief", SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE);
        CHECK(Access("/m/brief") == 1);
    }
    CHECK(Access("/m/brief") == 0);
    {
        File nameless(nullptr);
        File other(nullptr);
        CHECK(nameless.Write("a", 0) == SQLITE_OK);
        CHECK(other.Size() == 0);
    }
    File kept("/m/kept");
    File far("/n/far");
    quern::storage::DropMemoryFiles("/m/");
    CHECK(Access("/m/kept") == 0);
    CHECK(Access("/n/far") == 1);
    quern::storage::DropMemoryFiles("/n/");
}

TEST_CASE("files in memory hold what was written, and zeros between") {
    constexpr int64_t kBlock = 256 << 10;  // stretches go over the end of one
    File file(nullptr);
    CHECK(file.Read(4, 0) == std::string("short:") + std::string(4, '\0'));
    CHECK(file.Write("begin", 0) == SQLITE_OK);
    CHECK(file.Write("over the end", kBlock - 4) == SQLITE_OK);
    CHECK(file.Size() == kBlock + 8);
    CHECK(file.Read(12, kBlock - 4) == "over the end");
    CHECK(file.Read(3, 5) == std::string(3, '\0'));
    CHECK(file.Read(6, kBlock + 4) ==
          "short:" + std::string("end").insert(0, " ") + std::string(2, '\0'));
    // What was cut off is gone, whatever the file grows to later.
    CHECK(file.Truncate(2) == SQLITE_OK);
    CHECK(file.Size() == 2);
    CHECK(file.Truncate(3 * kBlock) == SQLITE_OK);
    CHECK(file.Size() == 3 * kBlock);
    CHECK(file.Read(5, 0) == std::string("be\0\0\0", 5));
    CHECK(file.Read(12, kBlock - 4) == std::string(12, '\0'));
    CHECK(file.Write("x", 10) == SQLITE_OK);
    CHECK(file.Size() == 3 * kBlock);
    CHECK(file.To().xSync(file.file(), SQLITE_SYNC_FULL) == SQLITE_OK);
    CHECK(file.To().xFileControl(file.file(), SQLITE_FCNTL_SIZE_HINT, nullptr) == SQLITE_NOTFOUND);
    CHECK(file.To().xSectorSize(file.file()) == 4096);
}

TEST_CASE("locks of files in memory are those of SQLite's five states") {
    File a("/m/locks");
    File b("/m/locks");
    CHECK(a.Lock(kShared) == SQLITE_OK);
    CHECK(a.Lock(kShared) == SQLITE_OK);  // has it already
    CHECK(b.Lock(kShared) == SQLITE_OK);
    CHECK_FALSE(b.Reserved());
    CHECK(a.Lock(kReserved) == SQLITE_OK);
    CHECK(b.Reserved());
    CHECK(b.Lock(kReserved) == SQLITE_BUSY);
    CHECK(b.Lock(kExclusive) == SQLITE_BUSY);
    // One reader is still there; from now on there come no new ones.
    CHECK(a.Lock(kExclusive) == SQLITE_BUSY);
    File c("/m/locks");
    CHECK(c.Lock(kShared) == SQLITE_BUSY);
    CHECK(b.Unlock(SQLITE_LOCK_NONE) == SQLITE_OK);
    CHECK(b.Unlock(SQLITE_LOCK_NONE) == SQLITE_OK);  // has none
    CHECK(a.Lock(kExclusive) == SQLITE_OK);
    CHECK(c.Lock(kShared) == SQLITE_BUSY);
    CHECK(a.Unlock(kShared) == SQLITE_OK);
    CHECK_FALSE(b.Reserved());
    CHECK(c.Lock(kShared) == SQLITE_OK);
    // Exclusive without reserved before, as a rollback takes it; another's pending is in the way.
    CHECK(a.Lock(kExclusive) == SQLITE_BUSY);
    CHECK(b.Reserved());
    CHECK(c.Lock(kExclusive) == SQLITE_BUSY);
    a.Close();  // gives back what it holds
    CHECK_FALSE(b.Reserved());
    CHECK(c.Lock(kExclusive) == SQLITE_OK);
    CHECK(b.Reserved());
}

TEST_CASE("the log's index in memory is shared, and its locks keep others out") {
    File a("/m/index");
    File b("/m/index");
    CHECK(a.Map(0, false) == nullptr);
    volatile void* const first = a.Map(0, true);
    REQUIRE(first != nullptr);
    CHECK(b.Map(0, false) == first);
    CHECK(b.Map(2, true) != nullptr);
    CHECK(a.Map(1, false) != nullptr);
    CHECK(a.Share(3) == SQLITE_OK);
    CHECK(a.Share(3) == SQLITE_OK);  // has it already
    CHECK(b.Share(3) == SQLITE_OK);
    CHECK(a.Exclude(3) == SQLITE_BUSY);
    b.Release(3, SQLITE_SHM_SHARED);
    b.Release(3, SQLITE_SHM_SHARED);  // has it no more
    CHECK(b.Exclude(2, 2) == SQLITE_BUSY);
    CHECK(b.Exclude(2) == SQLITE_OK);  // nothing was taken of what was refused
    CHECK(a.Share(2) == SQLITE_BUSY);
    CHECK(a.Exclude(2) == SQLITE_BUSY);
    CHECK(b.Exclude(2) == SQLITE_OK);
    b.Release(2, SQLITE_SHM_EXCLUSIVE);
    b.Release(2, SQLITE_SHM_EXCLUSIVE);
    CHECK(a.Share(2) == SQLITE_OK);
    a.To().xShmBarrier(a.file());
    // Who leaves gives back his locks; the last may take the index with him.
    a.Unmap(true);
    a.Unmap(true);
    CHECK(b.Exclude(2, 2) == SQLITE_OK);
    CHECK(b.Map(0, false) == first);
    b.Unmap(false);
    CHECK(a.Map(0, false) == first);
    a.Unmap(true);
    CHECK(b.Map(0, false) == nullptr);
}

TEST_CASE("SQLite works on files in memory, with a log and with a journal") {
    for (const char* mode : {"wal", "delete", "truncate", "persist"}) {
        CAPTURE(mode);
        REQUIRE(quern::storage::RegisterMemoryVfs().ok());
        sqlite3* db[2] = {};
        for (sqlite3*& one : db) {
            REQUIRE(sqlite3_open_v2("/m/sqlite", &one, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                    quern::storage::MemoryPageVfs()) == SQLITE_OK);
        }
        const auto run = [](sqlite3* on, const std::string& sql) {
            return sqlite3_exec(on, sql.c_str(), nullptr, nullptr, nullptr);
        };
        CHECK(run(db[0], std::string("PRAGMA journal_mode=") + mode) == SQLITE_OK);
        CHECK(run(db[0], "CREATE TABLE t(x); INSERT INTO t VALUES(julianday('now'))") == SQLITE_OK);
        CHECK(run(db[1], "SELECT count(*) FROM t") == SQLITE_OK);
        CHECK(run(db[0], "BEGIN IMMEDIATE; INSERT INTO t VALUES(randomblob(200000))") == SQLITE_OK);
        CHECK(run(db[1], "BEGIN IMMEDIATE") == SQLITE_BUSY);
        CHECK(run(db[0], "ROLLBACK") == SQLITE_OK);
        CHECK(
            run(db[1], "INSERT INTO t SELECT randomblob(100000) FROM t; PRAGMA integrity_check") ==
            SQLITE_OK);
        CHECK(run(db[0], "VACUUM") == SQLITE_OK);
        for (sqlite3* one : db) {
            CHECK(sqlite3_close(one) == SQLITE_OK);
        }
        quern::storage::DropMemoryFiles("/m/");
    }
}
