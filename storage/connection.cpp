#include "storage/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <new>

#include "storage/base/at_end.h"
#include "storage/base/test_fault.h"
#include "storage/catalog.h"
#include "storage/file_store.h"
#include "storage/page_vfs.h"
#include "storage/sql_functions.h"

namespace quern::storage {

namespace {

// Statements kept per connection: there are about forty different ones for each collection.
constexpr size_t kIdleStatementsMax = 400;
// Of SQLite's machine, between two looks at whether it is to stop: no less, for a function may take
// long; no more, for they take microseconds when it does not.
constexpr int kProgressOpsLeast = 20;
constexpr int kProgressOpsMost = 5000;

Code TranslateCode(int code, int os_errno) {
    if (code == SQLITE_IOERR_CORRUPTFS) {
        return Code::kCorrupt;
    }
    if (code == SQLITE_IOERR_NOMEM) {
        return Code::kNoMem;
    }
    // The log's index is a file, too; when it cannot grow, SQLite calls that an I/O error.
    if (code == SQLITE_IOERR_SHMSIZE && (os_errno == ENOSPC || os_errno == EDQUOT)) {
        return Code::kFull;
    }
    switch (code & 0xff) {  // never: OK is told as no error
        case SQLITE_OK: return Code::kOk;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL: return Code::kBusy;
        case SQLITE_NOMEM: return Code::kNoMem;
        case SQLITE_READONLY: return Code::kReadOnly;
        case SQLITE_INTERRUPT: return Code::kInterrupted;
        case SQLITE_IOERR: return Code::kIo;
        case SQLITE_CORRUPT: return Code::kCorrupt;
        case SQLITE_FULL: return Code::kFull;
        case SQLITE_CANTOPEN:
        case SQLITE_PERM: return Code::kCantOpen;
        case SQLITE_NOTADB: return Code::kNotADatabase;
        case SQLITE_TOOBIG: return Code::kLimit;
        case SQLITE_AUTH: return Code::kSql;
        case SQLITE_CONSTRAINT:
            return Code::kCorrupt;  // our own statements never break a sound table's constraints
        case SQLITE_ERROR: return Code::kCorrupt;  // likewise: a table or column is missing
        default: return Code::kInternal;
    }
}

// The virtual tables that there are: rows made of a text, and what SQLite keeps in tables of the
// same file. Others that SQLite brings, or that the process has registered for all its connections,
// could be reached by the tables of a hostile file.
const char* const kModules[] = {"json_each", "json_tree", "fts3",    "fts4", "fts5",
                                "rtree",     "rtree_i32", "geopoly", nullptr};

}  // namespace

Statement::~Statement() {
    if (handle_ != nullptr) {
        connection_->Release(handle_);
    }
}

Statement& Statement::Int(int index, int64_t value) {
    bind_result_ |= sqlite3_bind_int64(handle_, index, value);
    return *this;
}
Statement& Statement::Real(int index, double value) {
    bind_result_ |= sqlite3_bind_double(handle_, index, value);
    return *this;
}
Statement& Statement::Text(int index, std::string_view value) {
    // A NULL pointer would bind NULL.
    const char* data = value.data() == nullptr ? "" : value.data();
    bind_result_ |=
        sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}
Statement& Statement::Blob(int index, BytesView value) {
    const char* data = value.data() == nullptr ? "" : value.data();
    bind_result_ |= sqlite3_bind_blob64(handle_, index, data, value.size(), SQLITE_STATIC);
    return *this;
}
Statement& Statement::Null(int index) {
    bind_result_ |= sqlite3_bind_null(handle_, index);
    return *this;
}
Statement& Statement::Value(int index, const Cell& cell) {
    switch (cell.kind) {  // never: another kind
        case Cell::Kind::kNull: return Null(index);
        case Cell::Kind::kInt: return Int(index, cell.number);
        case Cell::Kind::kReal: return Real(index, cell.real);
        case Cell::Kind::kText: return Text(index, cell.text);
        case Cell::Kind::kBlob: return Blob(index, cell.text);
    }
    return *this;
}
Statement& Statement::KeyValue(int index, const Key& key) {
    return key.type == KeyType::kInt ? Int(index, key.number) : Text(index, key.text);
}

Result<bool> Statement::Step() {
    if (bind_result_ != SQLITE_OK) {
        const bool large = (bind_result_ & 0xff) == SQLITE_TOOBIG;
        return Status::Error(large ? Code::kLimit : Code::kNoMem,  // never: it copies nothing
                             "a value could not be bound: too large or out of memory");
    }
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE || TestFault(Fault::kStepIgnored)) {
        return false;
    }
    return connection_->ErrorStatus(code, sqlite3_sql(handle_));
}

Status Statement::Run() {
    Result<bool> row = Step();
    return row.status();
}

void Statement::Again() {
    sqlite3_reset(handle_);
    bind_result_ = SQLITE_OK;
}

int64_t Statement::ColumnInt(int index) {
    return sqlite3_column_int64(handle_, index);
}
double Statement::ColumnReal(int index) {
    return sqlite3_column_double(handle_, index);
}
BytesView Statement::ColumnBytes(int index) {
    const void* data = sqlite3_column_blob(handle_, index);
    const int size = sqlite3_column_bytes(handle_, index);
    return data == nullptr ? BytesView()
                           : BytesView(static_cast<const char*>(data), static_cast<size_t>(size));
}
bool Statement::ColumnIsNull(int index) {
    return sqlite3_column_type(handle_, index) == SQLITE_NULL;
}
int Statement::ColumnCount() {
    return sqlite3_column_count(handle_);
}
Cell Statement::ColumnCell(int index) {
    Cell cell;
    switch (sqlite3_column_type(handle_, index)) {
        case SQLITE_INTEGER:
            cell.kind = Cell::Kind::kInt;
            cell.number = ColumnInt(index);
            break;
        case SQLITE_FLOAT:
            cell.kind = Cell::Kind::kReal;
            cell.real = ColumnReal(index);
            break;
        case SQLITE_TEXT:
            cell.kind = Cell::Kind::kText;
            cell.text = ColumnBytes(index);
            break;
        case SQLITE_BLOB:
            cell.kind = Cell::Kind::kBlob;
            cell.text = ColumnBytes(index);
            break;
        default: break;
    }
    return cell;
}

std::string FileUri(const std::string& path) {
    // Two slashes at its start would be read as the name of a machine.
    std::string uri = path.compare(0, 2, "//") == 0 ? "file://" : "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
            char hex[4];
            std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
            uri += hex;
        } else {
            uri += c;
        }
    }
    return uri;
}

Result<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options) {
    std::unique_ptr<Connection> connection(new Connection());
    connection->path_ = options.path;
    connection->called_ = options.called.empty() ? options.path : options.called;
    connection->read_only_ = options.read_only;
    connection->frozen_ = options.frozen;
    connection->attachments_ = options.attachments;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= options.frozen ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE;
    flags |= options.create ? SQLITE_OPEN_CREATE : 0;
    // Those that are attached are named by URIs.
    flags |= options.attachments != nullptr ? SQLITE_OPEN_URI : 0;
    const std::string name = options.frozen ? FileUri(options.path) + "?immutable=1" : options.path;
    const int code = sqlite3_open_v2(name.c_str(), &connection->handle_, flags, options.vfs);
    if (code != SQLITE_OK) {
        return connection->ErrorStatus(code, "open");
    }
    sqlite3* db = connection->handle_;
    connection->busy_ms_ = options.busy_ms;
    connection->interrupts_ = options.interrupts;
    sqlite3_busy_handler(db, OnBusy, connection.get());
    // A hostile file must not be able to run code of its own: no triggers, no views, no unsafe
    // functions in the schema.
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_drop_modules(db, const_cast<const char**>(kModules));
    const auto wanted = [](sqlite3_context* context, int, sqlite3_value** values) {
        auto* const self = static_cast<Connection*>(sqlite3_user_data(context));
        sqlite3_result_int(context, self->Wants(sqlite3_value_int64(values[0])) ? 1 : 0);
    };
    if (sqlite3_create_function_v2(db, "quern_wanted", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   connection.get(), wanted, nullptr, nullptr,
                                   nullptr) != SQLITE_OK) {
        return connection->ErrorStatus(SQLITE_NOMEM, "open");
    }
    const auto ends = [](void* of) {
        auto* const self = static_cast<Connection*>(of);
        return self->work_ != nullptr && !self->work_->Check(self->task_, 0, 0).ok();
    };
    if (!ReplaceSlowFunctions(db, ends, connection.get())) {
        return connection->ErrorStatus(SQLITE_NOMEM, "open");
    }
    QUERN_TRY(connection->Execute("PRAGMA mmap_size=0"));
    QUERN_TRY(connection->Execute("PRAGMA cell_size_check=ON"));
    QUERN_TRY(connection->Execute("PRAGMA cache_size=-" + std::to_string(options.cache_kb)));
    if (options.read_only) {
        QUERN_TRY(connection->Execute("PRAGMA query_only=ON"));
    } else {
        const bool full =
            options.durability == Durability::kFull && !TestFault(Fault::kSynchronousNormal);
        QUERN_TRY(
            connection->Execute(full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
        QUERN_TRY(connection->Execute("PRAGMA secure_delete=FAST"));
        // Short logs: a flipped bit in a log loses all commits behind it (RELIABILITY: keep WALs
        // short).
        QUERN_TRY(connection->Execute("PRAGMA wal_autocheckpoint=" + std::to_string(kLogPages)));
        QUERN_TRY(connection->Execute("PRAGMA journal_size_limit=8388608"));
    }
    return connection;
}

Status Connection::LetTemporaryViews(bool in) {
    return read_only_ ? Execute(in ? "PRAGMA query_only=OFF" : "PRAGMA query_only=ON") : Status();
}

const AttachedFiles* Connection::FollowAttachments() {
    if (attachments_ == nullptr || attachments_->version() == 0) {
        return nullptr;
    }
    attached_.Follow(handle_, *attachments_);
    return attached_.empty() ? nullptr : &attached_;
}

void Connection::DetachOthers() {
    attached_.Detach(handle_);
}

Connection::~Connection() {
    ForgetStatements();
    sqlite3_close_v2(handle_);
}

void Connection::ForgetStatements() {
    for (auto& [sql, statement] : idle_) {
        sqlite3_finalize(statement);
    }
    idle_.clear();
}

Result<Statement> Connection::Prepare(const std::string& sql) {
    auto found = idle_.find(sql);
    if (found != idle_.end()) {
        sqlite3_stmt* statement = found->second;
        idle_.erase(found);
        return Statement(this, statement);
    }
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size() + 1),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
        return ErrorStatus(code, sql.c_str());
    }
    return Statement(this, statement);
}

void Connection::Release(sqlite3_stmt* statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    bool kept = false;
    if (idle_.size() < kIdleStatementsMax) {
        try {
            kept = idle_.emplace(sqlite3_sql(statement), statement).second;
        } catch (const std::bad_alloc&) {
            // Called by a destructor: it is prepared anew the next time.
        }
    }
    if (!kept) {
        sqlite3_finalize(statement);
    }
}

void Connection::RollBack() {
    Try([&] {
        Result<Statement> statement = Prepare("ROLLBACK");
        static_cast<void>(statement.ok() && statement->Run().ok());
    });
}

Status Connection::Execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : ErrorStatus(code, sql.c_str());
}

Result<int64_t> Connection::QueryInt(const std::string& sql) {
    QUERN_ASSIGN(Statement statement, Prepare(sql));
    QUERN_ASSIGN(const bool row, statement.Step());
    return row ? statement.ColumnInt(0) : int64_t{0};
}

ScopedWait::ScopedWait(Connection* connection, int wait_ms)
    : connection_(connection), busy_ms_(connection->busy_ms_) {
    connection_->busy_ms_ = wait_ms;
}
ScopedWait::~ScopedWait() {
    connection_->busy_ms_ = busy_ms_;
}

// Called when another process holds a lock. Short naps: long maintenance leaves gaps of a few
// milliseconds between its steps for others (FileStore::LetOthersWrite), which sleepers of SQLite's
// own handler would miss.
int Connection::OnBusy(void* connection, int tries) {
    constexpr int kNapsMs[] = {1, 1, 1, 2, 2, 3};
    constexpr int kNapCount = sizeof kNapsMs / sizeof kNapsMs[0];
    auto* const self = static_cast<Connection*>(connection);
    if (tries == 0) {
        self->wait_interrupted_ = false;
        self->interrupts_before_ = self->interrupts_ != nullptr ? self->interrupts_->load() : 0;
    } else if (self->interrupts_ != nullptr &&
               self->interrupts_->load() != self->interrupts_before_) {
        self->wait_interrupted_ = true;
        return 0;
    }
    const int waited = tries < kNapCount ? tries * 2 : (tries - kNapCount) * 3 + 10;
    if (waited >= self->busy_ms_ || TestFault(Fault::kNoWaiting)) {
        return 0;
    }
    sqlite3_sleep(kNapsMs[tries < kNapCount ? tries : kNapCount - 1]);
    return 1;
}

int Connection::OnProgress(void* connection) {
    auto* const self = static_cast<Connection*>(connection);
    // So that looks are about five milliseconds apart, whatever the functions in a statement cost.
    const auto now = std::chrono::steady_clock::now();
    const auto took = now - self->progress_at_;
    self->progress_at_ = now;
    const int ops = took < std::chrono::milliseconds(1)
                        ? std::min(self->progress_ops_ * 2, kProgressOpsMost)
                    : took > std::chrono::milliseconds(10)
                        ? std::max(self->progress_ops_ / 4, kProgressOpsLeast)
                        : self->progress_ops_;
    if (ops != self->progress_ops_) {
        self->progress_ops_ = ops;
        sqlite3_progress_handler(self->handle_, ops, OnProgress, self);
    }
    return self->work_->Check(self->task_, 0, 0).ok() ? 0 : 1;
}

void Connection::SetWork(Work* work, const char* task) {
    work_ = work;
    task_ = task;
    progress_ops_ = kProgressOpsLeast;
    progress_at_ = std::chrono::steady_clock::now();
    sqlite3_progress_handler(handle_, work ? progress_ops_ : 0, work ? OnProgress : nullptr, this);
}

bool Connection::Wants(int64_t row) {
    if (wanted_ == nullptr) {
        return false;
    }
    // Mostly they come in order.
    const std::vector<int64_t>& rows = *wanted_;
    constexpr size_t kNear = 16;
    if (wanted_at_ > 0 && row <= rows[wanted_at_ - 1]) {
        wanted_at_ = 0;
    }
    for (size_t i = 0; i < kNear && wanted_at_ < rows.size() && rows[wanted_at_] < row; i++) {
        wanted_at_++;
    }
    if (wanted_at_ < rows.size() && rows[wanted_at_] < row) {
        wanted_at_ = static_cast<size_t>(
            std::lower_bound(rows.begin() + static_cast<ptrdiff_t>(wanted_at_), rows.end(), row) -
            rows.begin());
    }
    return wanted_at_ < rows.size() && rows[wanted_at_] == row;
}

Status Connection::ErrorStatus(int code, const char* doing) {
    const int extended = handle_ ? sqlite3_extended_errcode(handle_) : code;
    const int os_errno = handle_ ? sqlite3_system_errno(handle_) : 0;
    const char* text = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    const int use = (extended & 0xff) == (code & 0xff) ? extended : code;
    Status status;
    if (use == SQLITE_IOERR_DATA) {
        const auto page = LastBadPage(path_);
        status =
            page ? Status::Error(Code::kCorrupt, "%s: page %u is damaged (its checksum is wrong)",
                                 called_.c_str(), static_cast<unsigned>(*page))
                 : Status::Error(Code::kCorrupt, "%s: a page is damaged (its checksum is wrong)",
                                 called_.c_str());
    } else if (use == SQLITE_IOERR_VNODE) {
        status = Status::Error(Code::kBusy,
                               "%s: another process changed the file while it was read without "
                               "locks; a new snapshot sees the change",
                               called_.c_str());
    } else {
        switch (TranslateCode(use, os_errno)) {
            case Code::kFull:
                status =
                    use == SQLITE_IOERR_SHMSIZE
                        ? Status::Error(Code::kFull,
                                        "%s: the disk is full: no room for the log's index, %s-shm",
                                        called_.c_str(), path_.c_str())
                        : Status::Error(Code::kFull, "%s: the disk is full", called_.c_str());
                break;
            case Code::kBusy:
                status = wait_interrupted_
                             ? Status::Error(
                                   Code::kInterrupted,
                                   "%s: interrupted while another process or thread held the file",
                                   called_.c_str())
                             : Status::Error(Code::kBusy,
                                             "%s: another process or thread holds the file (%s)",
                                             called_.c_str(), text);
                break;
            case Code::kNotADatabase:
                status =
                    Status::Error(Code::kNotADatabase,
                                  "%s: not a quern database (no SQLite header)", called_.c_str());
                break;
            case Code::kCantOpen:
                status = Status::Error(Code::kCantOpen, "%s: cannot be opened (%s)",
                                       called_.c_str(), text);
                break;
            case Code::kInterrupted:
                status = Status::Error(Code::kInterrupted, "interrupted");
                break;
            default:
                status = Status::Error(TranslateCode(use, os_errno),
                                       "%s: %s (SQLite code %d, in: %.120s)", called_.c_str(), text,
                                       use, doing ? doing : "");
        }
    }
    wait_interrupted_ = false;
    status.WithDetail(use, os_errno);
    return status;
}

bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(handle_) == 0;
}
FileReads Connection::Reads() const {
    const auto pages = [this](int counter) {
        int count = 0;
        int highest = 0;
        sqlite3_db_status(handle_, counter, &count, &highest, 0);
        return static_cast<uint64_t>(static_cast<uint32_t>(count));
    };
    return {pages(SQLITE_DBSTATUS_CACHE_MISS) * kPageBytes, pages(SQLITE_DBSTATUS_CACHE_HIT),
            chunks_read_};
}
int64_t Connection::changes() const {
    return sqlite3_changes64(handle_);
}

std::string QuoteName(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        quoted += c;
        if (c == '"') {
            quoted += '"';
        }
    }
    return quoted + "\"";
}

int64_t Connection::DataVersion() const {
    unsigned version = 0;
    if (!TestFault(Fault::kOthersUnseen)) {
        sqlite3_file_control(handle_, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    }
    return version;
}

const char* SqliteVersion() {
    return sqlite3_libversion();
}
int64_t SqliteMemoryBytes() {
    return sqlite3_memory_used();
}

Status FailureIn(std::string_view line) {
    constexpr std::string_view kCode = "error code=";
    const size_t at = line.rfind(kCode);
    int code = 0;
    if (at != std::string_view::npos) {
        std::from_chars(line.data() + at + kCode.size(), line.data() + line.size(), code);
    }
    const std::string text(line);
    return code == SQLITE_IOERR_READ ? Status::Error(Code::kIo, "%s", text.c_str())
           : code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM
               ? Status::Error(Code::kNoMem, "out of memory")
               : Status();
}

}  // namespace quern::storage
