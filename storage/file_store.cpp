#include "storage/file_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "storage/base/at_end.h"
#include "storage/file_place.h"
#include "storage/memory_vfs.h"
#include "storage/page_mending.h"
#include "storage/page_vfs.h"

namespace quern::storage {

namespace {

constexpr size_t kIdleReadersMax = 16;

// A process-wide number, so that two databases in memory never share files.
std::atomic<uint64_t> memory_databases{0};

// Whether a connection failed because the log or its index, which all users of a file share, can be
// neither made nor used here: the directory may not be written, or the disk is full.
bool CannotShareLog(const Status& status) {
    switch (status.detail()) {
        case SQLITE_IOERR_SHMOPEN:
        case SQLITE_IOERR_SHMSIZE:
        case SQLITE_IOERR_SHMMAP: return true;
        default: break;
    }
    const int base = status.detail() & 0xff;
    return base == SQLITE_READONLY || base == SQLITE_CANTOPEN || base == SQLITE_FULL;
}

// Bytes of the file as the file system sees it.
int64_t FileBytes(sqlite3* db, int which) {
    sqlite3_file none{};
    sqlite3_file* file = &none;
    sqlite3_int64 size = 0;
    sqlite3_file_control(db, "main", which, &file);
    const bool told =
        file->pMethods != nullptr && file->pMethods->xFileSize(file, &size) == SQLITE_OK;
    return told ? size : 0;
}

}  // namespace

Reader::~Reader() {
    store_->Return(std::move(connection_));
}

Writer::~Writer() {
    if (open_) {
        connection_->RollBack();
        Try([this] { connection_->DetachOthers(); });
        store_->UnlockWriter();
    }
}

Status Writer::Commit(const std::function<void(bool committed)>& before_unlock) {
    Status status;
    bool begun = false;
    try {
        Result<Statement> commit = connection_->Prepare("COMMIT");
        begun = commit.ok();
        status = commit.ok() ? commit->Run() : commit.status();
    } catch (const std::bad_alloc&) {
        status = Status::Error(Code::kNoMem, "out of memory");
    }
    if (!status.ok()) {
        connection_->RollBack();
        // A full disk cuts the commit's own frame short, which recovery ignores: that outcome is
        // known. After any other failure, also when it is the log's index that found no room, the
        // frame may be whole on the disk.
        const bool cut_short = (status.detail() & 0xff) == SQLITE_FULL;
        if (begun && !cut_short && status.code() != Code::kInterrupted) {
            status = Status::Error(Code::kOutcomeUnknown,
                                   "commit failed and its outcome is unknown; close and reopen the "
                                   "file to learn it (%s)",
                                   status.message().c_str())
                         .WithDetail(status.detail(), status.os_errno());
            std::lock_guard<std::mutex> lock(store_->mutex_);
            store_->poisoned_ = true;
        }
    }
    // What is done is done: nothing that fails from here on may look as if the commit had.
    if (before_unlock) {
        Try([&] { before_unlock(status.ok()); });
    }
    open_ = false;
    Try([this] { connection_->DetachOthers(); });
    if (status.ok()) {
        store_->KeepLogShort();
    }
    store_->UnlockWriter();
    return status;
}

ConnectionOptions FileStore::ConnectionFor(bool writer) const {
    ConnectionOptions connection;
    connection.path = file_name_;
    connection.called = options_.path;
    connection.vfs = in_memory_ ? MemoryPageVfs() : CurrentPageVfs();
    connection.create = writer && options_.create;
    connection.read_only = options_.read_only;
    connection.busy_ms = options_.busy_ms;
    connection.cache_kb = writer ? 8000 : 2000;
    connection.durability = options_.durability;
    connection.attachments = attachments_;
    connection.interrupts = options_.interrupts;
    return connection;
}

Result<std::unique_ptr<Connection>> FileStore::OpenConnection(bool writer) {
    QUERN_ASSIGN(std::unique_ptr<Connection> connection, Connection::Open(ConnectionFor(writer)));
    LetReadEmptyPages(connection->handle(), writer);
    return connection;
}

Result<std::unique_ptr<Connection>> FileStore::OpenFrozen() {
    ConnectionOptions options = ConnectionFor(false);
    options.frozen = true;
    QUERN_ASSIGN(std::unique_ptr<Connection> connection, Connection::Open(options));
    LetReadEmptyPages(connection->handle(), false);
    // A writer that began meanwhile has a log by now, and what it does from now on changes the
    // stamp.
    const std::string pending = PendingFile(file_name_);
    if (!pending.empty()) {
        return Status::Error(Code::kBusy, "%s: another process has just begun to write it",
                             options_.path.c_str());
    }
    return connection;
}

// SQLite's readers share a log and its index with the writers, and make both when they are not
// there. Where they cannot, and nobody has left anything in a log, nobody is writing: the file is
// read as it stands, and page_vfs watches that it stays so. The same where the file itself may not
// be written: companions made by somebody who cannot take them away again would lock its owner out.
Result<std::unique_ptr<Connection>> FileStore::OpenReader() {
    const std::optional<FileStamp> stamp = StampOf(file_name_);
    if (inode_ != 0 && stamp.has_value() && stamp->inode != inode_) {
        return Status::Error(Code::kCantOpen,
                             "%s: another file has taken its place; close and open it again",
                             options_.path.c_str());
    }
    if (in_memory_ || !options_.read_only) {
        return OpenConnection(false);
    }
    std::string pending = PendingFile(file_name_);
    const bool guest = MayNotBeWritten(file_name_) && IsReadableFile(file_name_);
    if (guest && pending.empty() && !FileExists(file_name_ + "-shm")) {
        return OpenFrozen();
    }
    Result<std::unique_ptr<Connection>> shared = OpenConnection(false);
    if (shared.ok() || !CannotShareLog(shared.status()) || !IsReadableFile(file_name_)) {
        return shared;
    }
    pending = PendingFile(file_name_);
    if (pending.empty()) {
        return OpenFrozen();
    }
    if (pending != file_name_ + "-wal") {
        return shared;
    }
    const bool full = shared.status().code() == Code::kFull;
    return Status::Error(
               full ? Code::kFull : Code::kCantOpen,
               "%s: there are commits in %s, and the index needed to read them, %s-shm, "
               "can be neither made nor used here: somebody who may write there has to open it "
               "once (%s)",
               options_.path.c_str(), pending.c_str(), file_name_.c_str(),
               shared.status().message().c_str())
        .WithDetail(shared.status().detail(), shared.status().os_errno());
}

Result<std::unique_ptr<FileStore>> FileStore::Open(const StoreOptions& options) {
    QUERN_TRY(RegisterPageVfs());  // never: SQLite takes it
    std::unique_ptr<FileStore> store(new FileStore());
    store->options_ = options;
    if (options.path == ":memory:") {
        if (!options.create) {
            return Status::Error(Code::kCantOpen,
                                 ":memory: is always a new database; mode=ro and mode=rw are for "
                                 "those that exist");
        }
        QUERN_TRY(RegisterMemoryVfs());  // never: SQLite takes it
        store->in_memory_ = true;
        store->file_name_ = "/quern-memory-" + std::to_string(memory_databases.fetch_add(1));
    } else {
        // Connections are opened later, too, when the program may have another current directory.
        store->file_name_ = FullName(options.path);
    }
    const bool is_new = !store->in_memory_ && options.create && !FileExists(store->file_name_);
    Status status = store->OpenFirst();
    if (!status.ok() && is_new) {
        RemoveUnborn(store->file_name_);
    }
    if (status.code() == Code::kCorrupt && !store->in_memory_) {  // never: memory is sound
        const Status length = CheckLength(options.path);
        status = length.ok() ? status : length;
    }
    if (!status.ok()) {
        return status;
    }
    return store;
}

Status FileStore::OpenFirst() {
    if (!options_.read_only && MayNotBeWritten(file_name_) && IsReadableFile(file_name_)) {
        return Status::Error(Code::kReadOnly,
                             "%s: this process may not write it; mode=ro opens it for reading",
                             options_.path.c_str());
    }
    Result<std::unique_ptr<Connection>> opened =
        options_.read_only ? OpenReader() : OpenConnection(true);
    if (!options_.read_only && opened.status().detail() == SQLITE_READONLY_DIRECTORY) {
        return Status::Error(Code::kReadOnly,
                             "%s: this process may not write its directory, where a writer keeps "
                             "its log; mode=ro opens it for reading",
                             options_.path.c_str());
    }
    QUERN_ASSIGN(std::unique_ptr<Connection> connection, std::move(opened));
    QUERN_TRY(CheckHeader(connection.get()));
    const std::optional<FileStamp> stamp = StampOf(file_name_);
    inode_ = stamp.has_value() ? stamp->inode : 0;
    device_ = stamp.has_value() ? stamp->device : 0;
    if (options_.read_only) {
        idle_readers_.push_back(std::move(connection));
    } else {
        writer_ = std::move(connection);
    }
    return {};
}

FileStore::~FileStore() {
    idle_readers_.clear();
    if (writer_ != nullptr) {
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
    // Feature bits, see FORMAT.md.
    QUERN_ASSIGN(Statement bits, connection->Prepare("SELECT id, value FROM quern_format"));
    while (true) {
        QUERN_ASSIGN(const bool row, bits.Step());
        if (!row) {
            break;
        }
        const bool blocks =
            bits.ColumnInt(0) == 3 || (bits.ColumnInt(0) == 2 && !options_.read_only);
        const int64_t known = bits.ColumnInt(0) == 3 ? kIncompatibleFeatures : 0;
        if (blocks && (bits.ColumnInt(1) & ~known) != 0) {
            return Status::Error(Code::kNewer,
                                 "%s: uses features of a newer version (%s bits %llx)%s", path,
                                 bits.ColumnInt(0) == 3 ? "incompatible" : "read-only compatible",
                                 static_cast<unsigned long long>(bits.ColumnInt(1) & ~known),
                                 bits.ColumnInt(0) == 3 ? "" : "; it can be opened with mode=ro");
        }
    }
    return {};
}

Status FileStore::Initialize(Connection* connection) {
    sqlite3* db = connection->handle();
    int reserved = kReservedBytes;
    const int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (code != SQLITE_OK) {  // never: SQLite knows what this is
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

std::unique_ptr<Connection> FileStore::TakeIdleReader() {
    while (true) {
        std::unique_ptr<Connection> connection;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            if (idle_readers_.empty()) {
                return nullptr;
            }
            connection = std::move(idle_readers_.back());
            idle_readers_.pop_back();
        }
        if (!connection->frozen()) {
            return connection;
        }
        const bool pending = !PendingFile(file_name_).empty();
        if (!pending && !FrozenFileChanged(connection->handle())) {
            return connection;
        }
        // Somebody writes the file after all: the next connection shares the log with him.
    }
}

Result<std::unique_ptr<Reader>> FileStore::BeginRead() {
    std::unique_ptr<Connection> connection = TakeIdleReader();
    if (connection == nullptr) {
        QUERN_ASSIGN(connection, OpenReader());
    }
    std::unique_ptr<Reader> reader(new Reader(this, std::move(connection)));
    const std::optional<LogMark> before = ReadLogMark(reader->connection()->handle());
    {
        QUERN_ASSIGN(Statement begin, reader->connection()->Prepare("BEGIN"));
        QUERN_TRY(begin.Run());
    }
    // The first read fixes the snapshot.
    Result<int64_t> epoch = ReadCatalogEpoch(reader->connection());
    if (!epoch.ok()) {
        return epoch.status();
    }
    // The same state before and after is the state in between: no two states have the same mark.
    if (before.has_value() && ReadLogMark(reader->connection()->handle()) == before) {
        reader->mark_ = before;
    }
    return reader;
}

std::optional<LogMark> FileStore::CurrentMark() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_readers_.empty() || idle_readers_.back()->frozen()) {
        return std::nullopt;
    }
    return ReadLogMark(idle_readers_.back()->handle());
}

void FileStore::Return(std::unique_ptr<Connection> connection) {
    if (connection == nullptr) {  // never: readers have one
        return;
    }
    connection->SetWork(nullptr, nullptr);
    // Called by a destructor: what cannot be kept is closed.
    Try([&] {
        bool good = true;
        if (connection->in_transaction()) {
            Result<Statement> end = connection->Prepare("COMMIT");
            good = end.ok() && end->Run().ok();
        }
        std::lock_guard<std::mutex> lock(mutex_);
        if (good && idle_readers_.size() < kIdleReadersMax) {
            idle_readers_.push_back(std::move(connection));
        }
    });
}

Status FileStore::LockWriter() {
    if (options_.read_only) {
        return Status::Error(Code::kReadOnly, "%s: opened read-only", options_.path.c_str());
    }
    switch (turn_.Take(options_.busy_ms, options_.interrupts)) {  // never: another answer
        case WriterTurn::Wait::kMine: break;
        case WriterTurn::Wait::kInterrupted:
            return Status::Error(
                Code::kInterrupted,
                "%s: interrupted while another thread had a write transaction open",
                options_.path.c_str());
        case WriterTurn::Wait::kTooLong:
            return Status::Error(Code::kBusy, "%s: another thread has a write transaction open",
                                 options_.path.c_str());
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (poisoned_) {
        turn_.Leave();
        return Status::Error(
            Code::kPoisoned,
            "%s: an earlier commit failed with unknown outcome; close and reopen the file",
            options_.path.c_str());
    }
    return {};
}

void FileStore::UnlockWriter() {
    turn_.Leave();
}

void FileStore::LetOthersWrite() {
    // Longer than the naps of a waiting process.
    constexpr auto kGap = std::chrono::milliseconds(4);
    constexpr int kGapsMax = 10;
    // Gaps after each of many short transactions were half of their time.
    constexpr auto kApart = std::chrono::milliseconds(20);
    if (!turn_.IsAwaited() && std::chrono::steady_clock::now() - last_gap_.load() < kApart) {
        return;
    }
    int gaps = 0;
    do {
        std::this_thread::sleep_for(kGap);
    } while (turn_.IsAwaited() && ++gaps < kGapsMax);
    last_gap_.store(std::chrono::steady_clock::now());
}

Result<std::unique_ptr<Writer>> FileStore::BeginWrite() {
    QUERN_TRY(LockWriter());
    AtEnd leave([this] { UnlockWriter(); });
    if (writer_ != nullptr && writer_->in_transaction()) {
        writer_->RollBack();
        if (writer_->in_transaction()) {
            writer_.reset();
        }
    }
    if (writer_ == nullptr) {
        QUERN_ASSIGN(writer_, OpenConnection(true));
    }
    QUERN_TRY(writer_->Prepare("ROLLBACK").status());  // ready for when there is no memory
    // Memory first: a transaction that nobody holds would never end.
    std::unique_ptr<Writer> writer(new Writer(this, writer_.get()));
    {
        Result<Statement> begin = writer_->Prepare("BEGIN IMMEDIATE");
        const Status status = begin.ok() ? begin->Run() : begin.status();
        if (!status.ok()) {
            writer->open_ = false;
            return status;
        }
    }
    leave.Disarm();
    return writer;
}

Status FileStore::Attach(const std::string& name, const std::string& path) {
    const std::string full = FullName(path);
    const std::optional<FileStamp> stamp = StampOf(full);
    if (!stamp) {
        return Status::Error(Code::kCantOpen, "attached file '%s': there is no %s", name.c_str(),
                             path.c_str());
    }
    FileStamp own;
    own.inode = inode_;
    own.device = device_;
    if (stamp->IsSameFile(own)) {
        return Status::Error(Code::kInvalid, "attached file '%s': %s is the database itself",
                             name.c_str(), path.c_str());
    }
    QUERN_TRY(attachments_->Add(name, full));
    Result<std::unique_ptr<Reader>> reader = BeginRead();
    Status status = reader.status();
    if (status.ok()) {
        const AttachedFiles* attached = (*reader)->connection()->FollowAttachments();
        status = attached != nullptr ? attached->ProblemOf(name) : Status();  // never: it was added
    }
    if (!status.ok()) {
        attachments_->Remove(name);
    }
    return status;
}

Status FileStore::Detach(const std::string& name) {
    return attachments_->Remove(name)
               ? Status()
               : Status::Error(Code::kNotFound, "no file is attached as '%s'", name.c_str());
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
    const AtEnd leave([this] { UnlockWriter(); });
    // Without waiting: readers that come and go all the time would keep every writer out for the
    // whole busy time.
    const ScopedWait no_wait(writer_.get(), 0);
    const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    // Busy: a reader is still in the log; the next commit will try again.
    return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY
               ? Status()
               : writer_->ErrorStatus(code, "checkpoint");
}

Status FileStore::MendFreePages() {
    if (in_memory_) {
        return {};
    }
    {
        QUERN_ASSIGN(const std::unique_ptr<Reader> reader, BeginRead());
        QUERN_ASSIGN(const std::vector<uint32_t> bad, ScanPages(reader->connection()->handle()));
        if (bad.empty()) {
            return {};
        }
    }
    // Opens the writer's connection, too.
    QUERN_TRY(BeginWrite().status());
    QUERN_TRY(Checkpoint());
    QUERN_ASSIGN(const std::unique_ptr<Writer> writer, BeginWrite());
    storage::MendFreePages(writer->connection()->handle());
    return {};
}

// SQLite writes the log from its start again only when a commit finds no reader in it. Readers that
// come and go in turns leave no such moment, and the log would grow without end. But a reader that
// begins when all of the log is in the file does not enter the log; so it is enough to move all of
// it, keep writers out, and wait until those who were in it have left.
void FileStore::KeepLogShort() {
    using Clock = std::chrono::steady_clock;
    constexpr int64_t kLogBytesMax = int64_t{4} * kLogPages * kPageBytes;
    constexpr int64_t kWaitMs = 200;  // longer than most searches
    constexpr int64_t kWaitMsMax = 1000;
    constexpr int64_t kPauseFactor = 10;  // waiting in vain costs writers a tenth of their time
    // Asking a file system for a file's size can make the next sync of the file dearer (on some,
    // its times must then be written again), so not every small commit does.
    int written = 0;
    int most = 0;
    sqlite3_db_status(writer_->handle(), SQLITE_DBSTATUS_CACHE_WRITE, &written, &most, 1);
    pages_since_look_ += written;
    if (pages_since_look_ < kLogPages) {
        return;
    }
    pages_since_look_ = 0;
    const int64_t bytes = FileBytes(writer_->handle(), SQLITE_FCNTL_JOURNAL_POINTER);
    if (bytes <= kLogBytesMax || Clock::now() < keep_short_after_) {
        return;
    }
    // The longer the log, the longer the readers that are worth waiting for.
    const int64_t wanted_ms = std::min(kWaitMs * (bytes / kLogBytesMax), kWaitMsMax);
    const int wait_ms = static_cast<int>(std::min<int64_t>(wanted_ms, options_.busy_ms));
    const ScopedWait wait(writer_.get(), wait_ms);
    // Failing is no matter: the commit stands, and a later one tries again.
    if (sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                  nullptr) != SQLITE_OK) {
        keep_short_after_ = Clock::now() + std::chrono::milliseconds(kPauseFactor * wait_ms);
    }
}

Status FileStore::Vacuum(Work* work) {
    QUERN_TRY(LockWriter());
    const AtEnd leave([this] { UnlockWriter(); });
    {
        const ScopedWork scope(writer_.get(), work, "vacuum");
        writer_->ForgetStatements();
        // VACUUM attaches its temporary file.
        sqlite3_limit(writer_->handle(), SQLITE_LIMIT_ATTACHED, 1);
        const AtEnd refuse([this] { sqlite3_limit(writer_->handle(), SQLITE_LIMIT_ATTACHED, 0); });
        QUERN_TRY(writer_->Execute("VACUUM"));
    }
    const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : writer_->ErrorStatus(code, "checkpoint after vacuum");
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
        LetReadEmptyPages(reader->connection()->handle(), true);
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
        LetReadEmptyPages(reader->connection()->handle(), false);
    }
    if (!status.ok()) {
        std::remove(path.c_str());
        std::remove((path + "-wal").c_str());
        std::remove((path + "-shm").c_str());
        std::remove((path + "-journal").c_str());
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

}  // namespace quern::storage
