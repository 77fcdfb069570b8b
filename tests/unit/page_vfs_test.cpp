// The layer of page checksums, over files that are quern's and over others.
#include "storage/page_vfs.h"

#include <sqlite3.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "storage/memory_vfs.h"
#include "storage/page_mending.h"
#include "tests/unit/faulty_vfs.h"

namespace {

using namespace quern::storage;
using quern::testing::FaultyDisk;
constexpr size_t kPage = 16384;

int Run(sqlite3* db, const std::string& sql) {
    return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
}

// A file that SQLite itself makes, through a VFS or another.
class Place {
public:
    Place() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_page_vfs_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
    }
    ~Place() {
        sqlite3_close(db);
        Remove();
    }
    void Open(const char* vfs) {
        sqlite3_close(db);
        db = nullptr;
        REQUIRE(sqlite3_open_v2(path_.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                vfs) == SQLITE_OK);
    }
    // As quern makes its files.
    void MakePages() {
        int reserved = 64;
        sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
        REQUIRE(Run(db,
                    "PRAGMA page_size=16384; CREATE TABLE t(x); "
                    "INSERT INTO t VALUES(randomblob(100000))") == SQLITE_OK);
    }
    void Flip(size_t byte) {
        std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(static_cast<std::streamoff>(byte));
        const int was = file.get();
        file.seekp(static_cast<std::streamoff>(byte));
        file.put(static_cast<char>(was ^ 1));
    }
    std::string Content() {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }
    const std::string& path() const { return path_; }
    sqlite3* db = nullptr;

private:
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) {
            std::filesystem::remove_all(path_ + suffix);
        }
    }
    std::string path_;
};

}  // namespace

TEST_CASE("files of others pass through the layer of checksums as they are") {
    REQUIRE(RegisterPageVfs().ok());
    for (const char* page_size : {"4096", "16384"}) {
        CAPTURE(page_size);
        Place place;
        place.Open(nullptr);
        REQUIRE(Run(place.db, std::string("PRAGMA page_size=") + page_size +
                                  "; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(50000))") ==
                SQLITE_OK);
        const std::string before = place.Content();
        place.Open(CurrentPageVfs());
        CHECK(Run(place.db, "SELECT sum(length(x)) FROM t") == SQLITE_OK);
        CHECK(place.Content() == before);
        CHECK(Run(place.db, "UPDATE t SET x=zeroblob(50000)") == SQLITE_OK);
        CHECK(Run(place.db, "PRAGMA integrity_check") == SQLITE_OK);
        place.Open(nullptr);
        CHECK(Run(place.db, "SELECT sum(length(x)) FROM t") == SQLITE_OK);
    }
}

TEST_CASE("the layer of checksums lies over a VFS without shared memory, too") {
    CHECK(RegisterPageVfsOver("no such VFS") == nullptr);
    const char* const name = RegisterPageVfsOver("unix-dotfile");
    REQUIRE(name != nullptr);
    CHECK(RegisterPageVfsOver("unix-dotfile") == name);
    Place place;
    place.Open(name);
    place.MakePages();
    CHECK(Run(place.db, "PRAGMA journal_mode=wal") == SQLITE_OK);  // and stays what it was
    CHECK_FALSE(ReadLogMark(place.db).has_value());
    CHECK(ScanPages(place.db)->empty());
    CHECK(*CountPages(place.db) == place.Content().size() / kPage);
    place.Flip(3 * kPage + 100);
    CHECK(*ScanPages(place.db) == std::vector<uint32_t>{4});
    place.Open(name);
    CHECK(Run(place.db, "SELECT sum(length(x)) FROM t WHERE x<>''") == SQLITE_IOERR);
    CHECK(sqlite3_extended_errcode(place.db) == SQLITE_IOERR_DATA);
    CHECK(LastBadPage(place.path()) == 4u);
    const std::string near = std::filesystem::relative(place.path()).string();
    REQUIRE(RegisterPageVfs().ok());
    CHECK(LastBadPage(near) == 4u);
    CHECK_FALSE(LastBadPage("/no/such/file").has_value());
}

TEST_CASE("of a file without the layer nothing is told and nothing is mended") {
    Place place;
    place.Open(nullptr);
    place.MakePages();
    CHECK(ScanPages(place.db)->empty());
    CHECK(*CountPages(place.db) == 0);
    CHECK(MendFreePages(place.db) == 0);
    CHECK_FALSE(ReadLogMark(place.db).has_value());
    CHECK_FALSE(FrozenFileChanged(place.db));
    ShowForMending(place.db, {});
    LetReadEmptyPages(place.db, false);
    std::string page(kPage, '\0');
    CHECK_FALSE(*ReadPageAsIs(place.db, 1, page.data()));
}

TEST_CASE("pages are read as they are, with what their checksums say") {
    REQUIRE(RegisterPageVfs().ok());
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    place.Flip(2 * kPage + 5);
    std::string page(kPage, '\0');
    bool sound = true;
    CHECK_FALSE(*ReadPageAsIs(place.db, 0, page.data(), &sound));
    CHECK_FALSE(sound);
    CHECK(*ReadPageAsIs(place.db, 2, page.data(), &sound));
    CHECK(sound);
    CHECK(*ReadPageAsIs(place.db, 3, page.data(), &sound));
    CHECK_FALSE(sound);
    CHECK(*ReadPageAsIs(place.db, 3, page.data()));
    CHECK_FALSE(*ReadPageAsIs(place.db, 100000, page.data(), &sound));
    CHECK_FALSE(sound);
    CHECK_FALSE(IsPointerMap(1));
    CHECK(IsPointerMap(2));
    CHECK_FALSE(IsPointerMap(3));
    CHECK(IsPointerMap(2 + 3265));
}

TEST_CASE("damaged pages that hold nothing are mended, others are left") {
    REQUIRE(RegisterPageVfs().ok());
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    // Of what was deleted the first page becomes the trunk of the list of free ones, which counts.
    REQUIRE(Run(place.db,
                "CREATE TABLE u AS SELECT x FROM t; DELETE FROM t; "
                "INSERT INTO t SELECT randomblob(20000)") == SQLITE_OK);
    const uint32_t pages = *CountPages(place.db);
    size_t mended = 0;
    size_t left = 0;
    for (uint32_t page = 2; page <= pages; page++) {
        place.Flip((page - 1) * kPage + 9000);
        if (MendFreePages(place.db) == 1) {
            mended++;
            CHECK(ScanPages(place.db)->empty());
        } else {
            left++;
            CHECK(*ScanPages(place.db) == std::vector<uint32_t>{page});
            place.Flip((page - 1) * kPage + 9000);
        }
    }
    CHECK(mended > 0);
    CHECK(left > 0);
    // A first page that cannot be believed leads to no list.
    place.Flip(9000);
    place.Flip(3 * kPage + 9000);
    CHECK(MendFreePages(place.db) == 0);
}

TEST_CASE("no extension is loaded through the layer of checksums") {
    REQUIRE(RegisterPageVfs().ok());
    sqlite3_vfs* vfs = sqlite3_vfs_find(CurrentPageVfs());
    char text[100] = "";
    CHECK(vfs->xDlOpen(vfs, "libm.so.6") == nullptr);
    vfs->xDlError(vfs, sizeof text, text);
    CHECK(std::string(text) == "extensions are not loaded");
    CHECK(vfs->xDlSym(vfs, nullptr, "sin") == nullptr);
    vfs->xDlClose(vfs, nullptr);
    // What else a VFS is asked for comes from the one below, also when that one is an older kind.
    REQUIRE(RegisterMemoryVfs().ok());
    for (const char* name : {CurrentPageVfs(), MemoryPageVfs()}) {
        CAPTURE(name);
        vfs = sqlite3_vfs_find(name);
        double days = 0;
        sqlite3_int64 milliseconds = 0;
        CHECK(vfs->xCurrentTime(vfs, &days) == SQLITE_OK);
        CHECK(vfs->xCurrentTimeInt64(vfs, &milliseconds) == SQLITE_OK);
        CHECK(static_cast<double>(milliseconds) / 86400000.0 == Approx(days).epsilon(1e-6));
        vfs->xGetLastError(vfs, sizeof text, text);
        CHECK(vfs->xSleep(vfs, 1) >= 0);
        CHECK(vfs->xRandomness(vfs, 8, text) == 8);
    }
}

namespace {

// A file opened below SQLite, through the layer.
class RawFile {
public:
    RawFile(const std::string& path, int flags)
        : vfs_(sqlite3_vfs_find(CurrentPageVfs())),
          name_(sqlite3_create_filename(path.c_str(), "", "", 0, nullptr)),
          space_(static_cast<size_t>(vfs_->szOsFile)) {
        CAPTURE(path);
        REQUIRE(vfs_->xOpen(vfs_, name_, file(), flags, nullptr) == SQLITE_OK);
    }
    ~RawFile() {
        file()->pMethods->xClose(file());
        sqlite3_free_filename(name_);
    }
    RawFile(const RawFile&) = delete;
    RawFile& operator=(const RawFile&) = delete;
    int Read(std::string* page, sqlite3_int64 at) {
        return file()->pMethods->xRead(file(), page->data(), static_cast<int>(page->size()), at);
    }
    int Write(const std::string& page, sqlite3_int64 at) {
        return file()->pMethods->xWrite(file(), page.data(), static_cast<int>(page.size()), at);
    }

private:
    sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(space_.data()); }
    sqlite3_vfs* vfs_;
    const char* name_;
    std::vector<char> space_;
};

// While it lives, the layer lies over a disk that can fail.
struct Faulty {
    Faulty() {
        quern::testing::SetBaseVfs(FaultyDisk::Register());
        FaultyDisk::Heal();
    }
    ~Faulty() {
        FaultyDisk::Heal();
        quern::testing::SetBaseVfs(nullptr);
    }
};

constexpr int kMain = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

// Overwrites a page of a database, through the layer.
void WritePage(sqlite3* db, uint32_t number, const std::string& page) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    REQUIRE(file->pMethods->xWrite(file, page.data(), static_cast<int>(kPage),
                                   sqlite3_int64{number - 1} * static_cast<int>(kPage)) ==
            SQLITE_OK);
}

}  // namespace

TEST_CASE("what a file is, its first page says, once it is there") {
    REQUIRE(RegisterPageVfs().ok());
    std::string header = std::string("SQLite format 3\0", 16) + std::string("\x40\0\0\0\x40", 5);
    header.resize(kPage);
    std::string page(kPage, 'x');
    for (const size_t other : {0, 16, 17, 20, 100}) {  // 100: of ours
        Place place;
        RawFile file(place.path(), kMain);
        // Other pages may be written before the first.
        REQUIRE(file.Write(page, kPage) == SQLITE_OK);
        std::string back(kPage, '\0');
        CHECK(file.Read(&back, kPage) == SQLITE_OK);
        std::string first = header;
        first[other] = static_cast<char>(first[other] ^ 1);
        REQUIRE(file.Write(first, 0) == SQLITE_OK);
        {
            std::fstream raw(place.path(), std::ios::binary | std::ios::in | std::ios::out);
            raw.seekp(kPage + 9);
            raw.put('y');
        }
        CAPTURE(other);
        CHECK(file.Read(&back, kPage) == (other == 100 ? SQLITE_IOERR_DATA : SQLITE_OK));
        // No page, and none of the file.
        CHECK(file.Read(&back, 100) == SQLITE_OK);
        back.resize(10);
        CHECK(file.Read(&back, kPage) == SQLITE_OK);
    }
    // One that goes with its connection is no main file.
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2("", &db, kMain & ~SQLITE_OPEN_MAIN_DB, CurrentPageVfs()) == SQLITE_OK);
    REQUIRE(Run(db, "CREATE TABLE t(x)") == SQLITE_OK);
    CHECK_FALSE(FrozenFileChanged(db));
    CHECK(*CountPages(db) == 0);
    sqlite3_close(db);
}

TEST_CASE("a frozen file that is gone has changed") {
    const Faulty faulty;
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    for (const char* how : {"", "?immutable=0", "?immutable=1"}) {
        CAPTURE(how);
        const std::string name = "file:" + place.path() + how;
        sqlite3* db = nullptr;
        const bool frozen = std::string(how) == "?immutable=1";
        FaultyDisk::vanishes = frozen;
        const int code = sqlite3_open_v2(name.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI,
                                         CurrentPageVfs());
        CHECK(code == (frozen ? SQLITE_IOERR : SQLITE_OK));
        CHECK((frozen || Run(db, "SELECT * FROM sqlite_schema") == SQLITE_OK));
        CHECK((frozen || !FrozenFileChanged(db)));
        sqlite3_close(db);
    }
}

TEST_CASE("the list of free pages is followed as far as it makes sense") {
    REQUIRE(RegisterPageVfs().ok());
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    REQUIRE(Run(place.db, "DELETE FROM t") == SQLITE_OK);
    std::string first(kPage, '\0');
    REQUIRE(*ReadPageAsIs(place.db, 1, first.data()));
    const auto trunk = static_cast<uint32_t>(static_cast<uint8_t>(first[35]));
    REQUIRE(trunk > 1);
    std::string page(kPage, '\0');
    REQUIRE(*ReadPageAsIs(place.db, trunk, page.data()));
    const auto leaf = static_cast<uint32_t>(static_cast<uint8_t>(page[11]));
    REQUIRE(leaf > 1);
    place.Flip((leaf - 1) * kPage + 50);
    // It leads to itself; it has more leaves than a page can have.
    std::string loop = page;
    loop[3] = static_cast<char>(trunk);
    loop[7] = 0;
    WritePage(place.db, trunk, loop);
    CHECK(MendFreePages(place.db) == 0);
    std::string many = page;
    many[5] = 0x7f;
    WritePage(place.db, trunk, many);
    CHECK(MendFreePages(place.db) == 0);
    WritePage(place.db, trunk, page);
    CHECK(MendFreePages(place.db) == 1);
    CHECK(MendFreePages(place.db) == 0);
    CHECK(ScanPages(place.db)->empty());
}

TEST_CASE("pages are scanned and mended, or left, whatever call of the disk fails") {
    const Faulty faulty;
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    REQUIRE(Run(place.db, "PRAGMA journal_mode=wal; DELETE FROM t") == SQLITE_OK);
    CHECK_FALSE(*LogIsEmpty(place.db));
    CHECK(MendFreePages(place.db) == 0);  // the list may be there
    int told = 0;
    for (int64_t n = 1; n < 20; n++) {
        FaultyDisk::calls_left = n;
        const auto bad = ScanPages(place.db);
        FaultyDisk::calls_left = n;
        const auto empty = LogIsEmpty(place.db);
        FaultyDisk::Heal();
        CHECK((bad.ok() ? bad->empty() : bad.status().code() == quern::Code::kIo));
        CHECK((empty.ok() ? !*empty : empty.status().code() == quern::Code::kIo));
        told += bad.ok() ? 0 : 1;
    }
    CHECK(told > 0);
    // One that is cut meanwhile holds what was read of it.
    for (int64_t n = 1; n < 5; n++) {
        FaultyDisk::short_left = n;
        const auto empty = LogIsEmpty(place.db);
        FaultyDisk::Heal();
        CHECK(empty.ok());
        CHECK((n > 2 || *empty));
    }
    REQUIRE(Run(place.db, "PRAGMA wal_checkpoint(truncate)") == SQLITE_OK);
    std::string page(kPage, '\0');
    REQUIRE(*ReadPageAsIs(place.db, 1, page.data()));
    const auto trunk = static_cast<size_t>(static_cast<uint8_t>(page[35]));
    REQUIRE(*ReadPageAsIs(place.db, static_cast<uint32_t>(trunk), page.data()));
    const size_t at = (static_cast<size_t>(static_cast<uint8_t>(page[11])) - 1) * kPage + 50;
    size_t mended = 0;
    for (int64_t n = 1; n < 40; n++) {
        place.Flip(at);
        FaultyDisk::calls_left = n;
        mended += MendFreePages(place.db);
        FaultyDisk::Heal();
        if (!ScanPages(place.db)->empty()) {
            place.Flip(at);
        }
        CHECK(ScanPages(place.db)->empty());
    }
    CHECK(mended > 0);
    CHECK(mended < 39);
    FaultyDisk::calls_left = 1;
    CHECK(CountPages(place.db).status().code() == quern::Code::kIo);
}

TEST_CASE("a mark of the log is told only when both of its copies say the same") {
    REQUIRE(RegisterPageVfs().ok());
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    REQUIRE(Run(place.db, "PRAGMA journal_mode=wal; DELETE FROM t; SELECT * FROM t") == SQLITE_OK);
    CHECK(ReadLogMark(place.db).has_value());
    // Of the index of the log: its header comes twice, and is zero before it holds anything.
    constexpr size_t kHeader = 48;
    std::fstream index(place.path() + "-shm", std::ios::binary | std::ios::in | std::ios::out);
    std::string headers(2 * kHeader, '\0');
    index.read(headers.data(), static_cast<std::streamsize>(headers.size()));
    const auto tells = [&](const std::string& bytes) {
        index.seekp(0).write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
        return ReadLogMark(place.db).has_value();
    };
    std::string other = headers;
    other[kHeader + 8] ^= 1;
    CHECK_FALSE(tells(other));
    CHECK_FALSE(tells(std::string(headers.size(), '\0')));
    CHECK(tells(headers));
}

TEST_CASE("a file that goes with its connection is no main file") {
    REQUIRE(RegisterPageVfs().ok());
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2("", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            CurrentPageVfs()) == SQLITE_OK);
    CHECK(Run(db,
              "PRAGMA cache_size=1; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(999999))"
              "; UPDATE t SET x=randomblob(999999)") == SQLITE_OK);
    CHECK_FALSE(ReadLogMark(db).has_value());
    CHECK_FALSE(FrozenFileChanged(db));
    CHECK(ScanPages(db)->empty());
    sqlite3_close(db);
}

TEST_CASE("of many bad pages a hundred are told") {
    REQUIRE(RegisterPageVfs().ok());
    Place place;
    place.Open(CurrentPageVfs());
    place.MakePages();
    REQUIRE(Run(place.db, "INSERT INTO t VALUES(randomblob(2000000))") == SQLITE_OK);
    for (uint32_t page = 2; page <= *CountPages(place.db); page++) {
        place.Flip((page - 1) * kPage + 300);
    }
    CHECK(ScanPages(place.db)->size() == 100);
}

TEST_CASE("a VFS below that cannot do all has a layer as well") {
    static sqlite3_vfs older = *sqlite3_vfs_find(nullptr);
    older.pNext = nullptr;
    older.zName = "quern-older";
    older.xGetLastError = nullptr;
    older.xCurrentTimeInt64 = nullptr;
    REQUIRE(sqlite3_vfs_register(&older, 0) == SQLITE_OK);
    sqlite3_vfs* const vfs = sqlite3_vfs_find(RegisterPageVfsOver("quern-older"));
    REQUIRE(vfs != nullptr);
    char text[10] = "";
    sqlite3_int64 milliseconds = 0;
    CHECK(vfs->xGetLastError(vfs, sizeof text, text) == 0);
    CHECK(vfs->xCurrentTimeInt64(vfs, &milliseconds) == SQLITE_OK);
    CHECK(milliseconds > 0);
    CHECK_FALSE(LastBadPage(std::string(5000, 'x')).has_value());
    quern::testing::SetBaseVfs("no such VFS");
    CHECK_FALSE(LastBadPage("x").has_value());
    CHECK(RegisterPageVfs().ok());
    CHECK(CurrentPageVfs() != nullptr);
}
