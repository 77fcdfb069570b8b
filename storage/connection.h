// The one door to SQLite: a connection with prepared statements, and the translation of SQLite's
// codes. sqlite3.h itself is included by connection.cpp, attached_files.cpp, file_store.cpp,
// sql_reader.cpp, text_tokens.cpp and the VFS files only.
//
// Thread rule: a Connection is confined: one thread at a time (file_store.h hands them out).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/attached_files.h"
#include "storage/base/bytes.h"
#include "storage/base/file_reads.h"
#include "storage/base/schema.h"
#include "storage/base/status.h"
#include "storage/base/work.h"

struct sqlite3;
struct sqlite3_stmt;

namespace quern::storage {

class Connection;

// A prepared statement in use. Parameters count from 1, columns from 0. Bound texts and blobs are
// borrowed until the statement is released; column texts and blobs are valid until the next Step.
class Statement {
public:
    Statement(Connection* connection, sqlite3_stmt* handle)
        : connection_(connection), handle_(handle) {}
    Statement(Statement&& other) noexcept : connection_(other.connection_), handle_(other.handle_) {
        other.handle_ = nullptr;
    }
    Statement& operator=(Statement&&) = delete;
    ~Statement();  // resets it and gives it back to the connection's cache

    Statement& Int(int index, int64_t value);
    Statement& Real(int index, double value);
    Statement& Text(int index, std::string_view value);
    Statement& Blob(int index, BytesView value);
    Statement& Null(int index);
    Statement& Value(int index, const Cell& cell);
    Statement& KeyValue(int index, const Key& key);

    // True: a row is there. False: done.
    Result<bool> Step();
    // For statements without rows.
    Status Run();
    // Ready to be bound and run again.
    void Again();

    int64_t ColumnInt(int index);
    double ColumnReal(int index);
    BytesView ColumnBytes(int index);  // text or blob
    bool ColumnIsNull(int index);
    Cell ColumnCell(int index);
    int ColumnCount();
    sqlite3_stmt* handle() { return handle_; }

private:
    Connection* connection_;
    sqlite3_stmt* handle_;
    int bind_result_ = 0;
};

// A commit that leaves more pages than this in the log moves them into the file, as far as readers
// allow without being waited for.
inline constexpr int kLogPages = 384;

enum class Durability { kFull, kRelaxed };

struct ConnectionOptions {
    std::string path;
    std::string called;  // the name in messages; empty: the path
    const char* vfs = nullptr;
    bool create = false;
    // Refuses statements that write. The file is opened for writing where it may be written, so
    // that the last connection to close can put the file's companions away, as SQLite does under
    // its locks.
    bool read_only = false;
    // For a read-only file without a log: reads it as it stands, without locks (page_vfs.h). Fails
    // with kBusy when another process changes it.
    bool frozen = false;
    int busy_ms = 5000;
    int cache_kb = 2000;
    Durability durability = Durability::kFull;
    std::shared_ptr<const Attachments> attachments;  // path is absolute where there are
    // A counter that moves when waits for locks are to end; NULL: they never do before their time.
    const std::atomic<uint64_t>* interrupts = nullptr;
};

class Connection {
public:
    static Result<std::unique_ptr<Connection>> Open(const ConnectionOptions& options);
    ~Connection();

    // The statement for this SQL text, prepared once per connection.
    Result<Statement> Prepare(const std::string& sql);
    // Runs statements without parameters; rows are ignored.
    Status Execute(const std::string& sql);
    // By a statement that BeginWrite has prepared, for there may be no memory for it now. What
    // cannot be rolled back at all is ended by the next BeginWrite.
    void RollBack();
    // The single integer that a statement gives (0 if no row).
    Result<int64_t> QueryInt(const std::string& sql);
    // Forgets prepared statements (before DDL that drops tables).
    void ForgetStatements();

    // While set, long statements report progress as `task`, and stop when the work is interrupted.
    void SetWork(Work* work, const char* task);
    Status ErrorStatus(int code, const char* doing);
    sqlite3* handle() { return handle_; }
    bool frozen() const { return frozen_; }
    // A read-only connection refuses views of its own, too, unless they are let in for a while.
    Status LetTemporaryViews(bool in);
    // Other files that statements of users may read, as the store has them attached now; valid
    // until the next call. NULL: there are none.
    const AttachedFiles* FollowAttachments();
    // Those that no transaction has read: what works on the whole file is to see no others.
    void DetachOthers();
    // What quern_wanted(rowid) is true for in its statements: a sorted list, NULL: nothing.
    void SetWanted(const std::vector<int64_t>* rows) { wanted_ = rows, wanted_at_ = 0; }
    bool in_transaction() const;
    // What it has read since it was opened. Only differences of near readings mean something: the
    // counters of pages have 32 bits.
    FileReads Reads() const;
    // Told by what reads chunks.
    void CountChunk() { chunks_read_++; }
    int64_t changes() const;
    // A number that moves with every commit to the file, by whomever; inside a transaction it is
    // exact.
    int64_t DataVersion() const;

private:
    static int OnProgress(void* connection);
    static int OnBusy(void* connection, int tries);
    friend class Statement;
    friend class ScopedWait;
    Connection() = default;
    void Release(sqlite3_stmt* statement);
    sqlite3* handle_ = nullptr;
    int busy_ms_ = 0;
    const std::atomic<uint64_t>* interrupts_ = nullptr;
    uint64_t interrupts_before_ = 0;  // the wait
    bool wait_interrupted_ = false;   // the last one
    bool Wants(int64_t row);
    const std::vector<int64_t>* wanted_ = nullptr;
    size_t wanted_at_ = 0;
    int progress_ops_ = 0;  // between two looks at the work
    std::chrono::steady_clock::time_point progress_at_{};
    Work* work_ = nullptr;
    const char* task_ = nullptr;
    uint64_t chunks_read_ = 0;
    std::string path_;
    std::string called_;
    bool read_only_ = false;
    bool frozen_ = false;
    std::unordered_map<std::string, sqlite3_stmt*> idle_;
    std::shared_ptr<const Attachments> attachments_;
    AttachedFiles attached_;
};

// While it lives, the connection waits for locks no longer than this.
class ScopedWait {
public:
    ScopedWait(Connection* connection, int wait_ms);
    ~ScopedWait();
    ScopedWait(const ScopedWait&) = delete;
    ScopedWait& operator=(const ScopedWait&) = delete;

private:
    Connection* connection_;
    int busy_ms_;
};

// RAII for Connection::SetWork.
class ScopedWork {
public:
    ScopedWork(Connection* connection, Work* work, const char* task) : connection_(connection) {
        connection_->SetWork(work, task);
    }
    ~ScopedWork() { connection_->SetWork(nullptr, nullptr); }
    ScopedWork(const ScopedWork&) = delete;
    ScopedWork& operator=(const ScopedWork&) = delete;

private:
    Connection* connection_;
};

// The file as a URI without parameters. The path may hold any character.
std::string FileUri(const std::string& path);

// "name" with quotes doubled, for SQL text.
std::string QuoteName(std::string_view name);

// A line of PRAGMA integrity_check: the error where it is one of the disk, or of memory, and says
// nothing of the file; else OK.
Status FailureIn(std::string_view line);

}  // namespace quern::storage
