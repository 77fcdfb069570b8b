// The layer of page checksums, over files that are quern's and over others.
#include "storage/page_vfs.h"

#include <sqlite3.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "storage/memory_vfs.h"
#include "storage/page_mending.h"

namespace {

using namespace quern::storage;
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
