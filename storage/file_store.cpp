#include "storage/file_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <zstd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"

namespace quern::storage {

namespace {

constexpr size_t kIdleReadersMax = 16;

// A process-wide number, so that two databases in memory never share files.
std::atomic<uint64_t> memory_databases{0};

// Never by opening it: closing a file again would drop the locks that this process has on it.
bool FileExists(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

// kTruncated when a file without a log is shorter than its header promises, else OK. Reads through
// SQLite's VFS, for the same reason.
Status CheckLength(const std::string& path) {
    struct stat info;
    if (stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0) {
        return {};
    }
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    std::unique_ptr<char[]> space(new char[static_cast<size_t>(vfs->szOsFile)]());
    auto* file = reinterpret_cast<sqlite3_file*>(space.get());
    std::string full(static_cast<size_t>(vfs->mxPathname) + 2, '\0');
    if (vfs->xFullPathname(vfs, path.c_str(), vfs->mxPathname, full.data()) != SQLITE_OK ||
        vfs->xOpen(vfs, full.c_str(), file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, nullptr) !=
            SQLITE_OK) {
        return {};
    }
    unsigned char header[32];
    sqlite3_int64 bytes = 0;
    const bool read = file->pMethods->xRead(file, header, sizeof header, 0) == SQLITE_OK &&
                      file->pMethods->xFileSize(file, &bytes) == SQLITE_OK;
    file->pMethods->xClose(file);
    if (!read || std::memcmp(header, "SQLite format 3", 16) != 0 || header[16] != 0x40 ||
        header[17] != 0) {
        return {};
    }
    int64_t pages = 0;
    for (int i = 28; i < 32; i++) {
        pages = pages << 8 | header[i];
    }
    if (bytes >= pages * kPageBytes) {
        return {};
    }
    return Status::Error(Code::kTruncated, "%s: has %lld bytes where its header promises %lld",
                         path.c_str(), static_cast<long long>(bytes),
                         static_cast<long long>(pages * kPageBytes));
}

// Bytes of the file as the file system sees it.
int64_t FileBytes(sqlite3* db, int which) {
    sqlite3_file* file = nullptr;
    sqlite3_int64 size = 0;
    if (sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file != nullptr &&
        file->pMethods != nullptr && file->pMethods->xFileSize(file, &size) == SQLITE_OK) {
        return size;
    }
    return 0;
}

}  // namespace

Reader::~Reader() {
    store_->Return(std::move(connection_));
}

Writer::~Writer() {
    if (open_) {
        sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        store_->UnlockWriter();
    }
}

Status Writer::Commit(const std::function<void(bool committed)>& before_unlock) {
    Status status;
    {
        Result<Statement> commit = connection_->Prepare("COMMIT");
        status = commit.ok() ? commit->Run() : commit.status();
    }
    if (!status.ok()) {
        const std::string message = status.message();
        sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        // A full disk cuts the commit's own frame short, which recovery ignores: that outcome is
        // known. After any other failure the frame may be whole on the disk although its sync
        // failed.
        if (status.code() != Code::kFull && status.code() != Code::kInterrupted) {
            status = Status::Error(Code::kOutcomeUnknown,
                                   "commit failed and its outcome is unknown; close and reopen the "
                                   "file to learn it (%s)",
                                   message.c_str())
                         .WithDetail(status.detail(), status.os_errno());
            std::lock_guard<std::mutex> lock(store_->mutex_);
            store_->poisoned_ = true;
        }
    }
    if (before_unlock) {
        before_unlock(status.ok());
    }
    open_ = false;
    store_->UnlockWriter();
    return status;
}

ConnectionOptions FileStore::ConnectionFor(bool writer) const {
    ConnectionOptions connection;
    connection.path = file_name_;
    connection.vfs = in_memory_ ? MemoryPageVfs() : CurrentPageVfs();
    connection.create = writer && options_.create;
    connection.read_only = options_.read_only;
    connection.immutable = immutable_;
    connection.busy_ms = options_.busy_ms;
    connection.cache_kb = writer ? 8000 : 2000;
    connection.durability = options_.durability;
    return connection;
}

Result<std::unique_ptr<Connection>> FileStore::OpenConnection(bool writer) {
    return Connection::Open(ConnectionFor(writer));
}

Result<std::unique_ptr<FileStore>> FileStore::Open(const StoreOptions& options) {
    QUERN_TRY(RegisterPageVfs());
    std::unique_ptr<FileStore> store(new FileStore());
    store->options_ = options;
    store->file_name_ = options.path;
    if (options.path == ":memory:") {
        QUERN_TRY(RegisterMemoryVfs());
        store->in_memory_ = true;
        store->file_name_ = "/quern-memory-" + std::to_string(memory_databases.fetch_add(1));
    }
    Status status = store->OpenFirst();
    if (status.code() == Code::kCorrupt && !store->in_memory_) {
        const Status length = CheckLength(options.path);
        status = length.ok() ? status : length;
    }
    if (!status.ok()) {
        return status;
    }
    return store;
}

Status FileStore::OpenFirst() {
    QUERN_ASSIGN(std::unique_ptr<Connection> connection, OpenConnection(!options_.read_only));
    Status header = CheckHeader(connection.get());
    // A file on read-only media cannot have its log index: without a log it can be read as it
    // stands.
    const bool cannot_lock = header.code() == Code::kCantOpen || header.code() == Code::kReadOnly;
    if (!header.ok() && options_.read_only && cannot_lock && !FileExists(options_.path + "-wal")) {
        immutable_ = true;
        connection.reset();
        QUERN_ASSIGN(connection, OpenConnection(false));
        header = CheckHeader(connection.get());
    }
    QUERN_TRY(header);
    if (options_.read_only) {
        idle_readers_.push_back(std::move(connection));
    } else {
        writer_ = std::move(connection);
    }
    return {};
}

FileStore::~FileStore() {
    idle_readers_.clear();
    if (writer_ != nullptr && !options_.read_only) {
        // Best effort: an idle file should be one file. Closing the last connection does the same.
        sqlite3_busy_timeout(writer_->handle(), 0);
        sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                  nullptr);
    }
    writer_.reset();
    if (in_memory_) {
        DropMemoryFiles(file_name_);
    }
}

Status FileStore::CheckHeader(Connection* connection) {
    QUERN_ASSIGN(int64_t application, connection->QueryInt("PRAGMA application_id"));
    QUERN_ASSIGN(const int64_t version, connection->QueryInt("PRAGMA user_version"));
    QUERN_ASSIGN(const int64_t tables, connection->QueryInt("SELECT count(*) FROM sqlite_schema"));
    const char* path = options_.path.c_str();
    if (application == 0 && version == 0 && tables == 0 && !options_.read_only && options_.create) {
        QUERN_TRY(Initialize(connection));
        QUERN_ASSIGN(application, connection->QueryInt("PRAGMA application_id"));
    }
    if (application != kApplicationId) {
        return Status::Error(Code::kNotADatabase,
                             "%s: not a quern database (SQLite application id %lld)", path,
                             static_cast<long long>(application));
    }
    QUERN_ASSIGN(const int64_t format, connection->QueryInt("PRAGMA user_version"));
    QUERN_ASSIGN(const int64_t page_bytes, connection->QueryInt("PRAGMA page_size"));
    int reserved = -1;
    sqlite3_file_control(connection->handle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (format > kFormatVersion) {
        return Status::Error(Code::kNewer, "%s: file format %lld is newer than this library's %lld",
                             path, static_cast<long long>(format),
                             static_cast<long long>(kFormatVersion));
    }
    if (format < 1 || page_bytes != kPageBytes || reserved != kReservedBytes) {
        return Status::Error(Code::kNotADatabase,
                             "%s: not a quern database (page size %lld, %d bytes reserved)", path,
                             static_cast<long long>(page_bytes), reserved);
    }
    // Feature bits, see FORMAT.md: this version knows none.
    QUERN_ASSIGN(Statement bits, connection->Prepare("SELECT id, value FROM quern_format"));
    while (true) {
        QUERN_ASSIGN(const bool row, bits.Step());
        if (!row) {
            break;
        }
        const bool blocks =
            bits.ColumnInt(0) == 3 || (bits.ColumnInt(0) == 2 && !options_.read_only);
        if (blocks && bits.ColumnInt(1) != 0) {
            return Status::Error(Code::kNewer,
                                 "%s: uses features of a newer version (%s bits %llx)%s", path,
                                 bits.ColumnInt(0) == 3 ? "incompatible" : "read-only compatible",
                                 static_cast<unsigned long long>(bits.ColumnInt(1)),
                                 bits.ColumnInt(0) == 3 ? "" : "; it can be opened with mode=ro");
        }
    }
    return {};
}

Status FileStore::Initialize(Connection* connection) {
    sqlite3* db = connection->handle();
    int reserved = kReservedBytes;
    const int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (code != SQLITE_OK) {
        return connection->ErrorStatus(code, "reserve bytes");
    }
    // Until the write-ahead log takes over there is a rollback journal. If its removal got lost in
    // a crash, it would later roll the file back to its very beginning: make the removal durable,
    // too.
    QUERN_ASSIGN(const int64_t synchronous, connection->QueryInt("PRAGMA synchronous"));
    QUERN_TRY(connection->Execute("PRAGMA synchronous=EXTRA"));
    QUERN_TRY(connection->Execute("PRAGMA page_size=" + std::to_string(kPageBytes)));
    QUERN_TRY(connection->Execute("PRAGMA auto_vacuum=INCREMENTAL"));
    QUERN_TRY(connection->Execute("PRAGMA journal_mode=WAL"));
    QUERN_TRY(connection->Execute("PRAGMA synchronous=" + std::to_string(synchronous)));
    QUERN_TRY(connection->Execute("BEGIN IMMEDIATE"));
    Status status;
    // Another process may have been faster.
    Result<int64_t> tables = connection->QueryInt("SELECT count(*) FROM sqlite_schema");
    if (!tables.ok()) {
        status = tables.status();
    } else if (*tables == 0) {
        status = CreateCatalog(connection);
    }
    connection->ForgetStatements();
    if (status.ok()) {
        status = connection->Execute("COMMIT");
    }
    if (!status.ok()) {
        sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    return status;
}

bool FileStore::poisoned() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return poisoned_;
}

Result<std::unique_ptr<Reader>> FileStore::BeginRead() {
    std::unique_ptr<Connection> connection;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!idle_readers_.empty()) {
            connection = std::move(idle_readers_.back());
            idle_readers_.pop_back();
        }
    }
    if (connection == nullptr) {
        QUERN_ASSIGN(connection, OpenConnection(false));
    }
    std::unique_ptr<Reader> reader(new Reader(this, std::move(connection)));
    {
        QUERN_ASSIGN(Statement begin, reader->connection()->Prepare("BEGIN"));
        QUERN_TRY(begin.Run());
    }
    // The first read fixes the snapshot.
    Result<int64_t> epoch = ReadCatalogEpoch(reader->connection());
    if (!epoch.ok()) {
        return epoch.status();
    }
    return reader;
}

void FileStore::Return(std::unique_ptr<Connection> connection) {
    if (connection == nullptr) {
        return;
    }
    connection->SetWork(nullptr, nullptr);
    bool good = true;
    if (connection->in_transaction()) {
        Result<Statement> end = connection->Prepare("COMMIT");
        good = end.ok() && end->Run().ok();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (good && !connection->in_transaction() && idle_readers_.size() < kIdleReadersMax) {
        idle_readers_.push_back(std::move(connection));
    }
}

Status FileStore::LockWriter() {
    if (options_.read_only) {
        return Status::Error(Code::kReadOnly, "%s: opened read-only", options_.path.c_str());
    }
    std::unique_lock<std::mutex> lock(mutex_);
    writers_waiting_++;
    const bool free = writer_free_.wait_for(lock, std::chrono::milliseconds(options_.busy_ms),
                                            [&] { return !writer_busy_; });
    writers_waiting_--;
    if (!free) {
        return Status::Error(Code::kBusy, "%s: another thread has a write transaction open",
                             options_.path.c_str());
    }
    if (poisoned_) {
        return Status::Error(
            Code::kPoisoned,
            "%s: an earlier commit failed with unknown outcome; close and reopen the file",
            options_.path.c_str());
    }
    writer_busy_ = true;
    return {};
}

void FileStore::UnlockWriter() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        writer_busy_ = false;
    }
    writer_free_.notify_one();
}

void FileStore::LetOthersWrite() {
    // Longer than the naps of a waiting process.
    constexpr auto kGap = std::chrono::milliseconds(4);
    constexpr int kGapsMax = 10;
    for (int i = 0; i < kGapsMax; i++) {
        std::this_thread::sleep_for(kGap);
        std::lock_guard<std::mutex> lock(mutex_);
        if (writers_waiting_ == 0) {
            return;
        }
    }
}

Result<std::unique_ptr<Writer>> FileStore::BeginWrite() {
    QUERN_TRY(LockWriter());
    if (writer_ == nullptr) {
        Result<std::unique_ptr<Connection>> opened = OpenConnection(true);
        if (!opened.ok()) {
            UnlockWriter();
            return opened.status();
        }
        writer_ = std::move(*opened);
    }
    Status status;
    {
        Result<Statement> begin = writer_->Prepare("BEGIN IMMEDIATE");
        status = begin.ok() ? begin->Run() : begin.status();
    }
    if (!status.ok()) {
        UnlockWriter();
        return status;
    }
    return std::unique_ptr<Writer>(new Writer(this, writer_.get()));
}

Result<bool> FileStore::ReturnFreePages(int max_pages) {
    QUERN_ASSIGN(std::unique_ptr<Writer> writer, BeginWrite());
    // Each step of this statement frees one page.
    QUERN_TRY(writer->connection()->Execute("PRAGMA incremental_vacuum(" +
                                            std::to_string(max_pages) + ")"));
    QUERN_ASSIGN(const int64_t left, writer->connection()->QueryInt("PRAGMA freelist_count"));
    QUERN_TRY(writer->Commit());
    return left == 0;
}

Status FileStore::Checkpoint() {
    QUERN_TRY(LockWriter());
    Status status;
    // Without waiting: readers that come and go all the time would keep every writer out for the
    // whole busy time.
    const ScopedNoWait no_wait(writer_.get());
    const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    // Busy: a reader is still in the log; the next commit will try again.
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        status = writer_->ErrorStatus(code, "checkpoint");
    }
    UnlockWriter();
    return status;
}

Status FileStore::Vacuum(Work* work) {
    QUERN_TRY(LockWriter());
    Status status;
    {
        ScopedWork scope(writer_.get(), work, "vacuum");
        writer_->ForgetStatements();
        // VACUUM attaches its temporary file.
        sqlite3_limit(writer_->handle(), SQLITE_LIMIT_ATTACHED, 1);
        status = writer_->Execute("VACUUM");
        sqlite3_limit(writer_->handle(), SQLITE_LIMIT_ATTACHED, 0);
    }
    if (status.ok()) {
        const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr,
                                                   SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
        if (code != SQLITE_OK) {
            status = writer_->ErrorStatus(code, "checkpoint after vacuum");
        }
    }
    UnlockWriter();
    return status;
}

Status FileStore::Backup(const std::string& path, Work* work) {
    if (path.empty() || path == ":memory:") {
        return Status::Error(Code::kInvalid, "backup: the target must be the path of a new file");
    }
    if (FileExists(path)) {
        return Status::Error(Code::kExists, "backup: %s exists already", path.c_str());
    }
    QUERN_ASSIGN(std::unique_ptr<Reader> reader, BeginRead());
    ConnectionOptions target_options;
    target_options.path = path;
    target_options.vfs = CurrentPageVfs();
    target_options.create = true;
    target_options.busy_ms = options_.busy_ms;
    target_options.durability = Durability::kFull;
    Status status;
    {
        QUERN_ASSIGN(std::unique_ptr<Connection> target, Connection::Open(target_options));
        int reserved = kReservedBytes;
        sqlite3_file_control(target->handle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
        QUERN_TRY(target->Execute("PRAGMA page_size=" + std::to_string(kPageBytes)));
        QUERN_TRY(target->Execute("PRAGMA synchronous=EXTRA"));  // as in Initialize
        sqlite3_backup* backup =
            sqlite3_backup_init(target->handle(), "main", reader->connection()->handle(), "main");
        if (backup == nullptr) {
            status = target->ErrorStatus(sqlite3_errcode(target->handle()), "backup");
        }
        while (status.ok()) {
            const int code = sqlite3_backup_step(backup, 256);
            if (code == SQLITE_DONE) {
                break;
            }
            if (code != SQLITE_OK) {
                status = target->ErrorStatus(code, "backup");
                break;
            }
            const auto total = static_cast<uint64_t>(sqlite3_backup_pagecount(backup));
            const auto left = static_cast<uint64_t>(sqlite3_backup_remaining(backup));
            status = work->Check("backup", total - left, total);
        }
        sqlite3_backup_finish(backup);
    }
    if (!status.ok()) {
        std::remove(path.c_str());
        std::remove((path + "-wal").c_str());
        std::remove((path + "-shm").c_str());
        std::remove((path + "-journal").c_str());
    }
    return status;
}

Status FileStore::CheckPages(Work* work, std::vector<std::string>* problems) {
    QUERN_ASSIGN(std::unique_ptr<Reader> reader, BeginRead());
    ScopedWork scope(reader->connection(), work, "verify pages");
    for (const uint32_t page : ScanPages(reader->connection()->handle())) {
        problems->push_back("page " + std::to_string(page) + ": checksum is wrong");
        if (problems->size() >= 100) {
            return {};
        }
    }
    Result<Statement> check = reader->connection()->Prepare("PRAGMA integrity_check(100)");
    Status status = check.status();
    while (status.ok()) {
        Result<bool> row = check->Step();
        status = row.status();
        if (!row.ok() || !*row) {
            break;
        }
        const std::string line(check->ColumnBytes(0));
        if (line != "ok") {
            problems->push_back("B-tree: " + line);
        }
    }
    if (status.code() == Code::kCorrupt) {
        problems->push_back(status.message());
        return {};
    }
    return status;
}

Result<FileFigures> FileStore::Figures() {
    FileFigures figures;
    QUERN_ASSIGN(std::unique_ptr<Reader> reader, BeginRead());
    QUERN_ASSIGN(figures.pages, reader->connection()->QueryInt("PRAGMA page_count"));
    QUERN_ASSIGN(figures.free_pages, reader->connection()->QueryInt("PRAGMA freelist_count"));
    figures.file_bytes = FileBytes(reader->connection()->handle(), SQLITE_FCNTL_FILE_POINTER);
    figures.wal_bytes = FileBytes(reader->connection()->handle(), SQLITE_FCNTL_JOURNAL_POINTER);
    return figures;
}

const char* SqliteVersion() {
    return sqlite3_libversion();
}
const char* ZstdVersion() {
    return ZSTD_versionString();
}
int64_t SqliteMemoryBytes() {
    return sqlite3_memory_used();
}

}  // namespace quern::storage
