// The database file: opening, the pool of connections, read and write transactions, and whole-file
// work.
//
// Thread rule: a FileStore is thread-safe. A Reader or Writer is confined to one thread at a time.
// There is one Writer at a time in all processes; a Reader never waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/work.h"
#include "storage/catalog.h"
#include "storage/connection.h"
#include "storage/page_vfs.h"
#include "storage/writer_turn.h"

namespace quern::storage {

struct StoreOptions {
    std::string path;  // ":memory:" for a database in memory
    bool create = true;
    bool read_only = false;
    int busy_ms = 5000;
    Durability durability = Durability::kFull;
    const std::atomic<uint64_t>* interrupts = nullptr;  // ConnectionOptions
};

class FileStore;

// A read transaction: one snapshot of the file. Ends when destroyed.
class Reader {
public:
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Connection* connection() { return connection_.get(); }
    // Names the state of the file that this transaction sees; nothing when it cannot be told.
    const std::optional<LogMark>& mark() const { return mark_; }

private:
    friend class FileStore;
    Reader(FileStore* store, std::unique_ptr<Connection> connection)
        : store_(store), connection_(std::move(connection)) {}
    FileStore* store_;
    std::unique_ptr<Connection> connection_;
    std::optional<LogMark> mark_;
};

// The write transaction. Rolled back when destroyed without Commit.
class Writer {
public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Connection* connection() { return connection_; }
    // kOutcomeUnknown: the commit may or may not be in the file; the store is poisoned from now on.
    // before_unlock, if given, runs when the outcome is known and before any other writer of this
    // process can begin.
    Status Commit(const std::function<void(bool committed)>& before_unlock = nullptr);

private:
    friend class FileStore;
    Writer(FileStore* store, Connection* connection) : store_(store), connection_(connection) {}
    FileStore* store_;
    Connection* connection_;
    bool open_ = true;
};

struct FileFigures {
    int64_t file_bytes = 0;
    int64_t wal_bytes = 0;
    int64_t pages = 0;
    int64_t free_pages = 0;
};

class FileStore {
public:
    static Result<std::unique_ptr<FileStore>> Open(const StoreOptions& options);
    ~FileStore();

    Result<std::unique_ptr<Reader>> BeginRead();
    // The state that BeginRead would give a transaction on, without beginning one: some tens of
    // nanoseconds. Nothing when that cannot be told without a lock.
    std::optional<LogMark> CurrentMark();
    Result<std::unique_ptr<Writer>> BeginWrite();

    // A pause between two write transactions of long work, so that writers of this and other
    // processes get their turn; none when the last one was a moment ago.
    void LetOthersWrite();
    // Gives up to about max_pages free pages at the end of the file back to the system. True: none
    // are left.
    Result<bool> ReturnFreePages(int max_pages);
    // Moves the write-ahead log into the file and empties it, as far as readers allow.
    Status Checkpoint();
    // Makes damaged pages usable again that hold nothing any more, as far as readers allow.
    Status MendFreePages();
    Status Vacuum(Work* work);
    // Lets statements of users read another SQLite file as name.table; attached_files.h. kInvalid:
    // the name, or the database itself; kExists, kLimit, kCantOpen, kNotADatabase.
    Status Attach(const std::string& name, const std::string& path);
    Status Detach(const std::string& name);  // kNotFound
    // Copies a snapshot into a new file.
    Status Backup(const std::string& path, Work* work);
    // Page checksums, B-trees, indexes: adds one line per problem. Error only when it could not be
    // done.
    Status CheckPages(Work* work, std::vector<std::string>* problems);
    Result<FileFigures> Figures();

    const StoreOptions& options() const { return options_; }
    bool in_memory() const { return in_memory_; }
    bool poisoned() const;

private:
    friend class Reader;
    friend class Writer;
    FileStore() = default;
    ConnectionOptions ConnectionFor(bool writer) const;
    Result<std::unique_ptr<Connection>> OpenConnection(bool writer);
    Result<std::unique_ptr<Connection>> OpenReader();
    Result<std::unique_ptr<Connection>> OpenFrozen();
    std::unique_ptr<Connection> TakeIdleReader();
    Status OpenFirst();
    Status Initialize(Connection* connection);
    Status CheckHeader(Connection* connection);
    Status LockWriter();
    void UnlockWriter();
    void KeepLogShort();
    void Return(std::unique_ptr<Connection> connection);

    StoreOptions options_;
    std::string file_name_;  // what SQLite opens: an absolute path, or a name of memory_vfs.h
    bool in_memory_ = false;
    // The file that was opened, 0: none that the system knows. Connections are opened by name
    // later, too, and must never mix it with another file that took its place.
    uint64_t inode_ = 0;
    uint64_t device_ = 0;

    const std::shared_ptr<Attachments> attachments_ = std::make_shared<Attachments>();

    WriterTurn turn_;
    std::atomic<std::chrono::steady_clock::time_point> last_gap_{};
    mutable std::mutex mutex_;  // protects what follows
    bool poisoned_ = false;
    std::vector<std::unique_ptr<Connection>> idle_readers_;

    // Used by the holder of the turn only.
    std::unique_ptr<Connection> writer_;
    std::chrono::steady_clock::time_point keep_short_after_;
    int64_t pages_since_look_ = 0;  // that commits wrote since the log's length was last asked for
};

// The SQLite and zstd versions in use, and the bytes that SQLite holds in this process.
const char* SqliteVersion();
const char* ZstdVersion();
int64_t SqliteMemoryBytes();

}  // namespace quern::storage
