// The file below everything: who holds it, what becomes of those that wait, and what is told when
// it is not what it was.
#include "storage/file_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/at_end.h"
#include "storage/base/parallel.h"
#include "storage/catalog.h"
#include "storage/file_place.h"
#include "storage/page_vfs.h"
#include "tests/unit/faulty_vfs.h"

namespace {

using namespace quern;
using namespace quern::storage;

// While it lives, the n-th call of one of the system's functions fails that SQLite makes.
class SystemFails {
public:
    SystemFails(const char* name, int n) : name_(name) {
        left_ = n;
        real_ = Vfs()->xGetSystemCall(Vfs(), name);
        REQUIRE(real_ != nullptr);
        int (*const stat)(int, struct stat*) = Stat;
        ssize_t (*const read)(int, void*, size_t, off_t) = Read;
        REQUIRE(Vfs()->xSetSystemCall(
                    Vfs(), name,
                    name_ == "fstat" ? reinterpret_cast<sqlite3_syscall_ptr>(stat)
                                     : reinterpret_cast<sqlite3_syscall_ptr>(read)) == SQLITE_OK);
    }
    ~SystemFails() { Vfs()->xSetSystemCall(Vfs(), name_.c_str(), real_); }
    SystemFails(const SystemFails&) = delete;
    SystemFails& operator=(const SystemFails&) = delete;

private:
    static sqlite3_vfs* Vfs() { return sqlite3_vfs_find("unix"); }
    static bool Now() {
        errno = EIO;
        return --left_ == 0;
    }
    static int Stat(int file, struct stat* to) { return Now() ? -1 : fstat(file, to); }
    static ssize_t Read(int file, void* to, size_t bytes, off_t at) {
        return Now() ? -1 : pread(file, to, bytes, at);
    }
    static inline int left_ = 0;
    std::string name_;
    sqlite3_syscall_ptr real_ = nullptr;
};

class Folder {
public:
    Folder() {
        path = (std::filesystem::temp_directory_path() /
                ("quern_file_store_" + std::to_string(getpid())))
                   .string();
        std::filesystem::remove_all(path);
        std::filesystem::create_directory(path);
        REQUIRE(RegisterPageVfs().ok());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string File(const char* name, const std::string& bytes) const {
        const std::string file = path + "/" + name;
        std::ofstream(file, std::ios::binary) << bytes;
        return file;
    }
    StoreOptions Options(const char* name = "db") const {
        StoreOptions options;
        options.path = path + "/" + name;
        options.busy_ms = 20;
        return options;
    }
    std::string path;
};

std::unique_ptr<FileStore> Opened(const StoreOptions& options) {
    auto store = FileStore::Open(options);
    CAPTURE(store.status().message());
    REQUIRE(store.ok());
    return std::move(*store);
}

}  // namespace

TEST_CASE("who waits for a writer waits so long, or until he is interrupted") {
    const Folder folder;
    std::atomic<uint64_t> interrupts{0};
    StoreOptions options = folder.Options();
    options.interrupts = &interrupts;
    const auto first = Opened(options);
    const auto deaf = Opened(folder.Options());  // nobody interrupts it
    const auto second = Opened(options);         // as another process
    options.busy_ms = 60000;
    const auto patient = Opened(options);
    auto writer = first->BeginWrite();
    REQUIRE(writer.ok());
    for (FileStore* store : {first.get(), second.get(), deaf.get()}) {
        const Status status = store->BeginWrite().status();
        CAPTURE(status.message());
        CHECK(status.code() == Code::kBusy);
    }
    for (const bool same : {false, true}) {
        // Its own thread holds the turn, then.
        if (same) {
            writer = Status();
            writer = patient->BeginWrite();
            REQUIRE(writer.ok());
        }
        std::thread interrupter([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            interrupts++;
        });
        const Status status = patient->BeginWrite().status();
        interrupter.join();
        CAPTURE(same, status.message());
        CHECK(status.code() == Code::kInterrupted);
    }
    // Likewise, where nobody can.
    writer = Status();
    writer = deaf->BeginWrite();
    REQUIRE(writer.ok());
    CHECK(deaf->BeginWrite().status().code() == Code::kBusy);
}

TEST_CASE("who lets others write waits for them so long, and no longer") {
    const Folder folder;
    StoreOptions options = folder.Options();
    options.busy_ms = 60000;
    const auto store = Opened(options);
    auto writer = store->BeginWrite();
    REQUIRE(writer.ok());
    std::atomic<bool> begun{false};
    std::thread other([&] {
        begun = true;
        static_cast<void>(store->BeginWrite().ok());
    });
    while (!begun) {
        std::this_thread::yield();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto before = std::chrono::steady_clock::now();
    store->LetOthersWrite();  // it holds the turn itself: nobody comes
    CHECK(std::chrono::steady_clock::now() - before > std::chrono::milliseconds(30));
    writer = Status();
    other.join();
}

TEST_CASE("a file that another one has replaced is not read as if it were the same") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    std::filesystem::rename(folder.path + "/db", folder.path + "/old");
    const auto other = Opened(folder.Options());
    const Status status = store->BeginRead().status();
    CAPTURE(status.message());
    CHECK(status.code() == Code::kCantOpen);
    CHECK(status.message().find("taken its place") != std::string::npos);
}

TEST_CASE("copies go into new files, and others are attached, not the database itself") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    Work work;
    CHECK(store->Backup("", &work).code() == Code::kInvalid);
    CHECK(store->Backup(":memory:", &work).code() == Code::kInvalid);
    CHECK(store->Backup(folder.path + "/db", &work).code() == Code::kExists);
    CHECK(store->Backup(folder.path + "/none/copy", &work).code() == Code::kCantOpen);
    std::atomic<uint64_t> epoch{0};
    Work stopped(&epoch, nullptr);
    epoch++;
    const std::string copy = folder.path + "/co'py";
    CHECK(store->Backup(copy, &work).ok());
    CHECK(store->Vacuum(&stopped).code() == Code::kInterrupted);
    CHECK(store->Attach("c", folder.path + "/db").code() == Code::kInvalid);
    CHECK(store->Attach("c", folder.path + "/none").code() == Code::kCantOpen);
    CHECK(store->Attach("c", folder.path).code() == Code::kCantOpen);
    CHECK(store->Attach("1c", copy).code() == Code::kInvalid);
    CHECK(store->Attach("sqlite_c", copy).code() == Code::kInvalid);
    CHECK(store->Attach("c", copy).ok());
    CHECK(store->Attach("C", copy).code() == Code::kExists);
    CHECK(store->Detach("c").ok());
    CHECK(store->Detach("c").code() == Code::kNotFound);
    StoreOptions memory;
    memory.path = ":memory:";
    memory.create = false;
    CHECK(FileStore::Open(memory).status().code() == Code::kCantOpen);
}

TEST_CASE("what is bound to a statement may be too large for it") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    auto reader = store->BeginRead();
    REQUIRE(reader.ok());
    Connection* const c = (*reader)->connection();
    const int length = sqlite3_limit(c->handle(), SQLITE_LIMIT_LENGTH, 100);
    {
        auto statement = c->Prepare("SELECT ?1");
        REQUIRE(statement.ok());
        const std::string text(200, 'x');
        CHECK(statement->Text(1, text).Step().status().code() == Code::kLimit);
        statement->Again();
        CHECK(statement->Text(1, "x").Step().ok());
    }
    sqlite3_limit(c->handle(), SQLITE_LIMIT_LENGTH, length);
    // Nothing is wanted while nobody says what.
    CHECK(*c->QueryInt("SELECT quern_wanted(5)") == 0);
    CHECK(*c->QueryInt("SELECT 1 WHERE 0") == 0);
    // Functions that are made anew run without anybody who could stop them, too.
    CHECK(*c->QueryInt("SELECT length(replace(hex(zeroblob(2000000)), '0', 'a'))") == 4000000);
    {
        std::atomic<uint64_t> epoch{0};
        Work work(&epoch, nullptr);
        const ScopedWork scope(c, &work, "test");
        epoch++;
        CHECK(c->QueryInt("SELECT length(replace(hex(zeroblob(2000000)), '0', 'a'))")
                  .status()
                  .code() == Code::kInterrupted);
    }
    // Of many statements some are kept.
    for (int i = 0; i < 500; i++) {
        REQUIRE(*c->QueryInt("SELECT " + std::to_string(i)) == i);
    }
    CHECK(*c->QueryInt("SELECT 499") == 499);
    c->ForgetStatements();
}

TEST_CASE("every code of SQLite's has one of ours") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    auto reader = store->BeginRead();
    REQUIRE(reader.ok());
    const std::pair<int, Code> codes[] = {
        {SQLITE_BUSY, Code::kBusy},          {SQLITE_LOCKED, Code::kBusy},
        {SQLITE_PROTOCOL, Code::kBusy},      {SQLITE_IOERR_VNODE, Code::kBusy},
        {SQLITE_NOMEM, Code::kNoMem},        {SQLITE_IOERR_NOMEM, Code::kNoMem},
        {SQLITE_READONLY, Code::kReadOnly},  {SQLITE_INTERRUPT, Code::kInterrupted},
        {SQLITE_IOERR, Code::kIo},           {SQLITE_IOERR_SHMSIZE, Code::kIo},
        {SQLITE_IOERR_DATA, Code::kCorrupt}, {SQLITE_IOERR_CORRUPTFS, Code::kCorrupt},
        {SQLITE_CORRUPT, Code::kCorrupt},    {SQLITE_CORRUPT_VTAB, Code::kCorrupt},
        {SQLITE_CONSTRAINT, Code::kCorrupt}, {SQLITE_ERROR, Code::kCorrupt},
        {SQLITE_FULL, Code::kFull},          {SQLITE_CANTOPEN, Code::kCantOpen},
        {SQLITE_PERM, Code::kCantOpen},      {SQLITE_NOTADB, Code::kNotADatabase},
        {SQLITE_TOOBIG, Code::kLimit},       {SQLITE_AUTH, Code::kSql},
        {SQLITE_MISUSE, Code::kInternal},
    };
    for (const auto& [code, ours] : codes) {
        const Status status = (*reader)->connection()->ErrorStatus(code, nullptr);
        CAPTURE(code, status.message());
        CHECK(status.code() == ours);
        CHECK(status.detail() == code);
    }
    CHECK(FailureIn("*** error code=266").code() == Code::kIo);
    CHECK(FailureIn("*** error code=7").code() == Code::kNoMem);
    CHECK(FailureIn("*** error code=3082").code() == Code::kNoMem);
    CHECK(FailureIn("*** error code=11").ok());
    CHECK(FailureIn("ok").ok());
    CHECK(FileUri("//a b?c#d%e") == "file:////a b%3Fc%23d%25e");
}

TEST_CASE("what lies at a path is told from what does not") {
    const Folder folder;
    const std::string file = folder.File("file", "x");
    const std::string empty = folder.File("empty", "");
    CHECK(FileExists(file));
    CHECK_FALSE(FileExists(folder.path + "/none"));
    CHECK_FALSE(FileExists(file + "/none"));
    CHECK(FileExists("/" + std::string(5000, 'x')));  // nobody can tell
    CHECK(IsDirectory(folder.path));
    CHECK_FALSE(IsDirectory(file));
    CHECK_FALSE(IsDirectory(folder.path + "/none"));
    CHECK(IsReadableFile(file));
    CHECK_FALSE(IsReadableFile(empty));
    CHECK_FALSE(IsReadableFile(folder.path));
    CHECK_FALSE(IsReadableFile(folder.path + "/none"));
    CHECK_FALSE(MayNotBeWritten(file));
    CHECK_FALSE(MayNotBeWritten(folder.path + "/none"));
    CHECK(PendingFile(file).empty());
    folder.File("file-journal", "x");
    CHECK(PendingFile(file) == file + "-journal");
    folder.File("file-wal", "x");
    CHECK(PendingFile(file) == file + "-wal");
    CHECK_FALSE(StampAtRest(folder.path + "/none").has_value());
    CHECK(StampAtRest(file) == StampOf(file));
    CHECK(FullName(std::string(5000, 'x')) == std::string(5000, 'x'));
    // A time in the future is no reason to wait.
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
    const auto before = std::chrono::steady_clock::now();
    CHECK(StampAtRest(file).has_value());
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
    // One that is written all the time is not waited for without end.
    std::atomic<bool> enough{false};
    std::thread toucher([&] {
        while (!enough) {
            std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() +
                                                       std::chrono::milliseconds(20));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    CHECK(StampAtRest(file).has_value());
    enough = true;
    toucher.join();
    // Nor one that is taken away meanwhile.
    const std::string brief = folder.File("brief", "x");
    std::thread remover([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::filesystem::remove(brief);
    });
    CHECK_FALSE(StampAtRest(brief).has_value());
    remover.join();
    // What one may not read or write.
    std::filesystem::permissions(file, std::filesystem::perms::none);
    const uid_t own = geteuid();
    if (own != 0 || seteuid(65534) == 0) {
        const bool readable = IsReadableFile(file);
        const bool writable = !MayNotBeWritten(file);
        StoreOptions options = folder.Options("file");
        const Status written = FileStore::Open(options).status();
        options.read_only = true;
        const Status read = FileStore::Open(options).status();
        CHECK((own != 0 || seteuid(own) == 0));
        CHECK_FALSE(written.ok());
        CHECK_FALSE(read.ok());
        CHECK_FALSE(readable);
        CHECK_FALSE(writable);
    }
    FileStamp stamp;
    for (auto FileStamp::*part : {&FileStamp::device, &FileStamp::inode}) {
        FileStamp other = stamp;
        other.*part = 1;
        CHECK_FALSE(stamp == other);
        CHECK_FALSE(stamp.IsSameFile(other));
    }
    for (auto FileStamp::*part : {&FileStamp::bytes, &FileStamp::modified_ns}) {
        FileStamp other = stamp;
        other.*part = 1;
        CHECK_FALSE(stamp == other);
    }
}

TEST_CASE("a file shorter than it says is told from one that is none of ours") {
    const Folder folder;
    std::string page(kPageBytes, '\0');
    page.replace(0, 16, std::string("SQLite format 3\0", 16));
    page[16] = 0x40;
    page[31] = 3;  // pages
    CHECK(CheckLength(folder.File("short", page)).code() == Code::kTruncated);
    CHECK(CheckLength(folder.File("long", page + page + page)).ok());
    folder.File("logged-wal", "x");
    CHECK(CheckLength(folder.File("logged", page)).ok());
    for (const size_t at : {0, 16, 17}) {
        std::string other = page;
        other[at] = 'x';
        CHECK(CheckLength(folder.File("other", other)).ok());
    }
    CHECK(CheckLength(folder.File("tiny", "x")).ok());
    // A file of which the system does not tell the length is not shorter than it says.
    const std::string untold = folder.File("untold", page);
    for (int n = 1; n <= 4; n++) {
        const SystemFails fails("fstat", n);
        const Status status = CheckLength(untold);
        CHECK((status.ok() || status.code() == Code::kTruncated));
    }
    CHECK(CheckLength(folder.path + "/none").ok());
}

TEST_CASE("a file that was not born is removed, and no other") {
    const Folder folder;
    RemoveUnborn(folder.path + "/none");
    RemoveUnborn(folder.path);
    CHECK(IsDirectory(folder.path));
    const auto kept = [&](const std::string& bytes) {
        const std::string file = folder.File("unborn", bytes);
        RemoveUnborn(file);
        return FileExists(file);
    };
    std::string page(kPageBytes, '\0');
    CHECK_FALSE(kept(""));
    CHECK_FALSE(kept(page));
    CHECK(kept(page + page));
    CHECK(kept("xy"));  // SQLite says of one byte that it is none
    page[68] = 'Q';
    CHECK(kept(page));
    folder.File("unborn-wal", "x");
    CHECK(kept(""));
    std::filesystem::remove(folder.path + "/unborn-wal");
    // Of which the disk does not tell what it is.
    quern::testing::SetBaseVfs(quern::testing::FaultyDisk::Register());
    page[68] = '\0';
    int left = 0;
    for (int n = 1; n <= 8; n++) {
        const std::string untold = folder.File("unborn", page);
        quern::testing::FaultyDisk::calls_left = n;
        RemoveUnborn(untold);
        quern::testing::FaultyDisk::Heal();
        left += FileExists(untold) ? 1 : 0;
    }
    quern::testing::SetBaseVfs(nullptr);
    CHECK(left > 4);
    CHECK(left < 8);
    // Somebody uses it.
    const std::string file = folder.File("unborn", "");
    for (const char* how :
         {"BEGIN; SELECT * FROM sqlite_schema", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"}) {
        CAPTURE(how);
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_exec(raw, how, nullptr, nullptr, nullptr) == SQLITE_OK);
        RemoveUnborn(file);
        CHECK(FileExists(file));
        sqlite3_close(raw);
    }
}

namespace {

// A database that is none of ours, or nearly one.
std::string RawFile(const Folder& folder, const char* name, const std::string& sql,
                    int reserved = 0) {
    const std::string path = folder.path + "/" + name;
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            CurrentPageVfs()) == SQLITE_OK);
    sqlite3_file_control(raw, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    REQUIRE(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(raw);
    return path;
}

}  // namespace

TEST_CASE("of several threads that fail one is told") {
    std::atomic<int> failed{0};
    const Status status = RunOnThreads(3, [&](int worker) -> Status {
        failed++;
        while (failed < 3) {
            std::this_thread::yield();
        }
        return Status::Error(Code::kLimit, "worker %d", worker);
    });
    CHECK(status.code() == Code::kLimit);
    CHECK(failed == 3);
}

TEST_CASE("a database that is not one of ours is refused, whatever it says of itself") {
    const Folder folder;
    const std::string ours = "PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
    const std::string pages = "PRAGMA page_size=16384;";
    struct Other {
        std::string sql;
        int reserved = 0;
    };
    const Other others[] = {
        {"PRAGMA user_version=5; CREATE TABLE t(x); DROP TABLE t"},
        {"CREATE TABLE t(x)"},
        {"PRAGMA application_id=77; CREATE TABLE t(x)"},
        {pages + ours + "CREATE TABLE t(x)", 64},
        {"PRAGMA page_size=4096;" + ours + "PRAGMA user_version=1; CREATE TABLE t(x)", 64},
        {pages + ours + "PRAGMA user_version=1; CREATE TABLE t(x)", 0},
    };
    int n = 0;
    for (const Other& other : others) {
        const std::string name = "raw" + std::to_string(n++);
        RawFile(folder, name.c_str(), other.sql, other.reserved);
        const Status status = FileStore::Open(folder.Options(name.c_str())).status();
        CAPTURE(other.sql, status.message());
        CHECK(status.code() == Code::kNotADatabase);
    }
    // An empty one becomes ours only by those who may.
    RawFile(folder, "empty", "CREATE TABLE t(x); DROP TABLE t");
    StoreOptions options = folder.Options("empty");
    options.create = false;
    CHECK(FileStore::Open(options).status().code() == Code::kNotADatabase);
    options.read_only = true;
    CHECK(FileStore::Open(options).status().code() == Code::kNotADatabase);
    options.create = true;
    CHECK(FileStore::Open(options).status().code() == Code::kNotADatabase);
}

TEST_CASE("an interrupted commit is rolled back, and writing goes on") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    {
        auto writer = store->BeginWrite();
        REQUIRE(writer.ok());
        Connection* const c = (*writer)->connection();
        REQUIRE(NoteTableChange(c, 2).ok());
        auto busy = c->Prepare("SELECT 1 UNION ALL SELECT 2");
        REQUIRE(busy.ok());
        REQUIRE(busy->Step().ok());
        sqlite3_interrupt(c->handle());
        CHECK((*writer)->Commit().code() == Code::kInterrupted);
    }
    CHECK_FALSE(store->poisoned());
    // Nor does one poison it that was not begun.
    {
        auto writer = store->BeginWrite();
        REQUIRE(writer.ok());
        Connection* const c = (*writer)->connection();
        c->ForgetStatements();
        const auto refuse = [](void*, int action, const char*, const char*, const char*,
                               const char*) {
            return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
        };
        sqlite3_set_authorizer(c->handle(), refuse, nullptr);
        CHECK((*writer)->Commit().code() == Code::kSql);
        sqlite3_set_authorizer(c->handle(), nullptr, nullptr);
    }
    CHECK_FALSE(store->poisoned());
    auto writer = store->BeginWrite();
    REQUIRE(writer.ok());
    CHECK((*writer)->Commit().ok());
}

TEST_CASE("a transaction that nobody holds does not keep the next one out") {
    const Folder folder;
    StoreOptions options = folder.Options();
    const auto store = Opened(options);
    Connection* c = nullptr;
    const auto left = [&](const char* how) {
        auto writer = store->BeginWrite();
        REQUIRE(writer.ok());
        c = (*writer)->connection();
        REQUIRE((*writer)->Commit().ok());
        REQUIRE(c->Execute(how).ok());
    };
    left("BEGIN");
    CHECK(store->BeginWrite().ok());
    // Not even one that cannot be rolled back.
    for (const bool gone : {true, false}) {
        left("BEGIN");
        c->ForgetStatements();
        const auto refuse = [](void*, int action, const char*, const char*, const char*,
                               const char*) {
            return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
        };
        sqlite3_set_authorizer(c->handle(), refuse, nullptr);
        const std::string away = folder.path + "/away";
        if (gone) {
            std::filesystem::rename(options.path, away);
            std::filesystem::create_directory(options.path);
        }
        CHECK(store->BeginWrite().ok() != gone);
        if (gone) {
            std::filesystem::remove(options.path);
            std::filesystem::rename(away, options.path);
        }
        CHECK(store->BeginWrite().ok());
    }
}

TEST_CASE("so many readers are kept, and who reads a file that is gone is told") {
    const Folder folder;
    const auto store = Opened(folder.Options());
    CHECK_FALSE(store->CurrentMark().has_value());
    {
        std::vector<std::unique_ptr<Reader>> readers;
        for (int i = 0; i < 20; i++) {
            auto reader = store->BeginRead();
            REQUIRE(reader.ok());
            readers.push_back(std::move(*reader));
        }
        CHECK_FALSE(store->CurrentMark().has_value());
    }
    CHECK(store->CurrentMark().has_value());
    std::vector<std::unique_ptr<Reader>> readers;
    for (int i = 0; i < 16; i++) {
        auto reader = store->BeginRead();
        REQUIRE(reader.ok());
        readers.push_back(std::move(*reader));
    }
    std::filesystem::remove(folder.path + "/db");
    CHECK(store->BeginRead().status().code() == Code::kCantOpen);
}

TEST_CASE("attached files are told from each other, and what is wrong with them") {
    const Folder folder;
    // A function of the app's, which the app has not said to be for every file's schema.
    const auto on_open = [](sqlite3* db, char**, const sqlite3_api_routines*) {
        return sqlite3_create_function(
            db, "apps", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
            [](sqlite3_context* to, int, sqlite3_value**) { sqlite3_result_int(to, 1); }, nullptr,
            nullptr);
    };
    int (*const entry)(sqlite3*, char**, const sqlite3_api_routines*) = on_open;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(entry));
    const auto store = Opened(folder.Options());
    const AtEnd forget([&] { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(entry)); });
    const auto attach = [&](const std::string& path) {
        const Status status = store->Attach("c", path);
        CAPTURE(path, status.message());
        return status.ok() ? Code::kOk : status.code();
    };
    const auto raw = [&](const char* name, const std::string& sql) {
        return RawFile(folder, name, sql);
    };
    CHECK(attach(raw("utf16", "PRAGMA encoding='UTF-16'; CREATE TABLE t(x)")) == Code::kInvalid);
    CHECK(attach(folder.File("text", std::string(5000, 'x'))) == Code::kNotADatabase);
    // Schemas that SQLite does not read, or not in the place of another.
    const std::string write = "; PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=";
    CHECK(attach(raw("torn", "CREATE TABLE t(x)" + write + "'oh no'")) == Code::kNotADatabase);
    CHECK(attach(raw("unsafe", "CREATE TABLE t(x, y AS (abs(x)))" + write +
                                   "replace(sql,'abs','apps')")) == Code::kInvalid);
    CHECK(attach(raw("dice", "CREATE TABLE t(x, y AS (abs(x)))" + write +
                                 "replace(sql,'abs(x)','random()')")) == Code::kInvalid);
    {
        const std::string path = raw("unread", "CREATE TABLE t(x)");
        int failed = 0;
        for (int n = 1; n < 12; n++) {
            const SystemFails fails("fstat", n);
            const Code code = attach(path);
            failed += code == Code::kIo ? 1 : 0;
            CHECK((code != Code::kOk || store->Detach("c").ok()));
        }
        CHECK(failed > 0);
    }
    const std::string held = raw("held", "CREATE TABLE t(x)");
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(held.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
    CHECK(attach(held) == Code::kBusy);
    sqlite3_close(db);
    CHECK(attach(held) == Code::kOk);
    CHECK(store->Detach("c").ok());
    int told = 0;
    for (sqlite3_int64 room = 0; room < 100000; room += 2000) {
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        const Status status = store->Attach("c", held);
        sqlite3_hard_heap_limit64(0);
        CAPTURE(room, status.message());
        CHECK((status.ok() || status.code() == Code::kNoMem));
        told += status.ok() ? 0 : 1;
        CHECK((!status.ok() || store->Detach("c").ok()));
    }
    CHECK(told > 0);
    // Likewise, who opens a connection or makes a copy.
    told = 0;
    for (sqlite3_int64 room = 0; room < 300000; room += 1500) {
        ConnectionOptions options;
        options.path = held;
        const std::string copy = folder.path + "/copy" + std::to_string(room);
        Work work;
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        const Status opened = Connection::Open(options).status();
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        const Status copied = store->Backup(copy, &work);
        sqlite3_hard_heap_limit64(0);
        CAPTURE(room, opened.message(), copied.message());
        CHECK((opened.ok() || opened.code() == Code::kNoMem));
        CHECK((copied.ok() || copied.code() == Code::kNoMem));
        told += opened.ok() || copied.ok() ? 0 : 1;
    }
    CHECK(told > 0);
}

TEST_CASE("another process may make a new database while this one does") {
    const Folder folder;
    static std::string path;
    static bool made;
    path = folder.path + "/new";
    made = false;
    // Between the look whether there is anything and the lock.
    const auto on_compile = [](void*, int action, const char* what, const char*, const char*,
                               const char*) {
        if (action == SQLITE_TRANSACTION && std::string(what) == "BEGIN" && !made) {
            made = true;
            StoreOptions options;
            options.path = path;
            CHECK(FileStore::Open(options).ok());
        }
        return SQLITE_OK;
    };
    static int (*hook)(void*, int, const char*, const char*, const char*, const char*);
    hook = on_compile;
    const auto on_open = [](sqlite3* db, char**, const sqlite3_api_routines*) {
        return sqlite3_set_authorizer(db, hook, nullptr);
    };
    int (*const entry)(sqlite3*, char**, const sqlite3_api_routines*) = on_open;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(entry));
    auto store = FileStore::Open(folder.Options("new"));
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(entry));
    CAPTURE(store.status().message());
    CHECK(made);
    REQUIRE(store.ok());
    auto reader = (*store)->BeginRead();
    REQUIRE(reader.ok());
    CHECK(ReadCatalog((*reader)->connection()).ok());
}
