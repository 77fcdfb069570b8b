// The handles behind quern.h, and what every entry point does: check its handles, turn errors into
// codes, let no exception out.
//
// A handle begins with a magic number, so that NULL, a foreign kind of handle, or (mostly) a freed
// one is told apart. Debug builds also keep a registry of live handles, which makes that certain. A
// handle that belongs to one thread at a time carries a flag that is set while a call uses it: a
// second thread is refused instead of corrupting it.
#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "capi/quern.h"
#include "engine/db/database.h"
#include "engine/filter/filter_tokens.h"

namespace quern::capi {

enum class Magic : uint32_t {
    kDb = 0x71640001,
    kSchema = 0x71640002,
    kTxn = 0x71640003,
    kBatch = 0x71640004,
    kSnapshot = 0x71640005,
    kQuery = 0x71640006,
    kCursor = 0x71640007,
    kResult = 0x71640008,
    kText = 0x71640009,
    kKeys = 0x7164000a,
    kFreed = 0x7164dead,
};

struct Handle {
    explicit Handle(Magic kind);
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    Magic magic;
    mutable std::atomic<bool> in_use{false};
};

// kMisuse unless the pointer is a live handle of this kind. `name` is the argument's name.
Status CheckHandle(const Handle* handle, Magic kind, const char* name);

// The same, where nobody is told.
bool IsHandle(const Handle* handle, Magic kind);

// Marks a confined handle as in use by one call.
class Use {
public:
    Use(const Handle* handle, const char* name) : handle_(handle) {
        taken_ = !handle->in_use.exchange(true);
        if (!taken_) {
            status_ = Status::Error(Code::kMisuse, "%s is in use by another thread", name);
        }
    }
    ~Use() {
        if (taken_) {
            handle_->in_use.store(false);
        }
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    const Status& status() const { return status_; }

private:
    const Handle* handle_;
    bool taken_ = false;
    Status status_;
};

// Fills the caller's error and returns the code.
int32_t Report(quern_error* err, const Status& status) noexcept;

// Runs an entry point's body.
template <typename Body>
int32_t Guard(quern_error* err, Body body) noexcept {
    try {
        return Report(err, body());
    } catch (const std::bad_alloc&) {
        return Report(err, Status::Error(Code::kNoMem, "out of memory"));
    } catch (const std::length_error&) {
        return Report(err, Status::Error(Code::kLimit, "larger than any memory"));
    } catch (const std::exception& error) {
        return Report(err, Status::Error(Code::kInternal, "%s", error.what()));
    } catch (...) {
        return Report(err, Status::Error(Code::kInternal, "unknown exception"));
    }
}

// Runs a builder's setter: what goes wrong is remembered in *error unless something has already.
template <typename Body>
void Remember(Status* error, Body body) noexcept {
    try {
        const Status status = body();
        if (error->ok()) {
            *error = status;
        }
    } catch (const std::exception&) {
        if (error->ok()) {
            *error = Status::Error(Code::kNoMem, "out of memory");
        }
    }
}

// A handle for a function that says nothing but NULL; NULL without memory, for which the registry
// of debug builds asks as well.
template <typename T>
std::unique_ptr<T> NewHandle() noexcept {
    try {
        return std::make_unique<T>();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

// Options "key=value key=value". take is called for each pair; it returns kOption errors through
// BadValue.
struct Option {
    std::string key;
    std::string value;
};
// quotes: a value that begins with ' ends at the next ' and may hold spaces; '' in it is one '.
Status ParseOptions(const char* options, const std::vector<const char*>& known,
                    std::vector<Option>* out, bool quotes = false);
Status BadValue(const Option& option, const char* expected);
Status ParseInteger(const Option& option, int64_t min, int64_t max, int64_t* out);

// What quern_result_stat and quern_result_leg_stat tell of a search or a leg.
int64_t StatOf(const LegTally& tally, int32_t stat);

// A pointer that may not be NULL.
Status NotNull(const void* pointer, const char* name);

}  // namespace quern::capi

struct quern_db : quern::capi::Handle {
    quern_db() : Handle(quern::capi::Magic::kDb) {}
    std::shared_ptr<quern::Database> database;
};

struct quern_schema : quern::capi::Handle {
    quern_schema() : Handle(quern::capi::Magic::kSchema) {}
    quern::Schema schema;
    quern::Status error;
};

struct quern_txn : quern::capi::Handle {
    quern_txn() : Handle(quern::capi::Magic::kTxn) {}
    std::shared_ptr<quern::Database> database;
    std::unique_ptr<quern::Transaction> transaction;
};

struct quern_batch : quern::capi::Handle {
    quern_batch() : Handle(quern::capi::Magic::kBatch) {}
    std::shared_ptr<quern::Database> database;
    quern::RecordBatch batch;
    size_t affected = 0;
    quern::Status error;
};

struct quern_snapshot : quern::capi::Handle {
    quern_snapshot() : Handle(quern::capi::Magic::kSnapshot) {}
    std::shared_ptr<quern::Database> database;
    std::shared_ptr<quern::Snapshot> snapshot;
};

struct quern_query : quern::capi::Handle {
    quern_query() : Handle(quern::capi::Magic::kQuery) {}
    std::shared_ptr<quern::Database> database;
    std::shared_ptr<quern::Snapshot> snapshot;
    quern::SearchRequest request;
    bool has_target = false;
    // Of the request's filter; its parameters are also those of `set`.
    quern::filter::Tokens filter;
    quern::filter::Tokens set;       // what quern_query_update sets; empty: nothing
    std::optional<size_t> bind_for;  // the query that values are bound for; none: all
    quern::Status error;

    // For what looks at one filter.
    quern::Status OneFilter() const {
        return request.filter.of_queries.empty()
                   ? quern::Status()
                   : quern::Status::Error(quern::Code::kInvalid,
                                          "values are bound for query number %zu alone: only a "
                                          "search has several",
                                          request.filter.of_queries.begin()->first);
    }
};

struct quern_cursor : quern::capi::Handle {
    quern_cursor() : Handle(quern::capi::Magic::kCursor) {}
    std::shared_ptr<quern::Database> database;
    std::unique_ptr<quern::Cursor> cursor;
};

struct quern_result : quern::capi::Handle {
    quern_result() : Handle(quern::capi::Magic::kResult) {}
    quern::ResultTable table;
    std::vector<const char*> text_keys;
};

struct quern_keys : quern::capi::Handle {
    quern_keys() : Handle(quern::capi::Magic::kKeys) {}
    std::shared_ptr<const quern::filter::KeySet> set;
};

struct quern_text : quern::capi::Handle {
    quern_text() : Handle(quern::capi::Magic::kText) {}
    std::string text;
};

namespace quern::capi {

// NULL when r is no result.
inline const ResultTable* TableOf(const quern_result* r) {
    return IsHandle(r, Magic::kResult) ? &r->table : nullptr;
}

// The database of a handle, entered. Use: const Entered entered(db->database);
// QUERN_TRY(entered.status()).
class Entered {
public:
    explicit Entered(const std::shared_ptr<Database>& database) {
        if (database == nullptr) {
            status_ = Status::Error(Code::kMisuse, "the handle has no database");
        } else {
            entry_ = database->Enter();
            status_ = entry_.status();
        }
    }
    const Status& status() const { return status_; }

private:
    Database::Entry entry_;
    Status status_;
};

// What a call on a query begins with: the handle is checked and taken for this thread, what its
// setters remember is told, and its database is entered, until the call ends.
class OnQuery {
public:
    explicit OnQuery(const quern_query* q) : status_(Begin(q)) {}
    const Status& status() const { return status_; }

private:
    Status Begin(const quern_query* q) {
        QUERN_TRY(CheckHandle(q, Magic::kQuery, "q"));
        use_.emplace(q, "q");
        QUERN_TRY(use_->status());
        QUERN_TRY(q->error);
        entered_.emplace(q->database);
        return entered_->status();
    }
    std::optional<Use> use_;
    std::optional<Entered> entered_;
    Status status_;  // after what Begin fills
};

// Gives a finished table to the caller.
void HandOut(std::unique_ptr<quern_result> result, quern_result** out);
// Tells a finished or failed table to the caller.
Status Deliver(const Status& status, std::unique_ptr<quern_result> result, quern_result** out);
// Has texts looked for: `kind` is the request's mark of what they are for.
void SetTexts(quern_query* q, const char* field, const char* const* texts, size_t n,
              bool SearchRequest::*kind);
// Nothing is looked for any more, until a setter says what.
void ForgetTarget(quern_query* q);
// That a query can be searched with: it has one thing to look for, and an end.
Status CheckComplete(const quern_query& q);
// That of the query, or the newest state.
Result<std::shared_ptr<Snapshot>> SnapshotOf(const quern_query& q);
// The snapshot to read from: the caller's, checked, or a new one.
Result<std::shared_ptr<Snapshot>> SnapshotFor(const std::shared_ptr<Database>& database,
                                              const quern_snapshot* snap);

}  // namespace quern::capi
