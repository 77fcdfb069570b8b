// quern for C++17: quern.h with owners, spans, and errors as exceptions or as values.
//
//     quern::Database db = quern::open("notes.quern");
//     quern::Collection notes = db.collection(
//         "notes", quern::Schema().key_text().dense("vector", 3, QUERN_COSINE).attr("price",
//         QUERN_INT));
//     notes.batch(2).ids({"salt", "pepper"}).dense("vector", vectors).ints("price", {2,
//     7}).upsert(); for (const quern::Hit hit : notes.query().dense("vector",
//     wanted).limit(2).where("price < ?1").bind(1, 10).search())
//         std::cout << hit.text_id() << ' ' << hit.score() << '\n';
//
// ERRORS. Whatever can fail comes twice: search() throws quern::Error, try_search() returns a
// quern::Outcome, which holds the value or the error, and throws nothing (but std::bad_alloc from
// the standard library's own containers). With -fno-exceptions only the second kind is there.
// Builders (Schema, Batch, Query) remember their first error, as in quern.h: the call that uses
// them tells it. What was moved from is MISUSE wherever it is used or given, and a transaction that
// is over is TXN: neither passes for an argument that was left out. Names and paths with a NUL in
// them, where C would end them, are INVALID.
//
// LIFETIMES. All classes are owners that can be moved and not copied; destroying them in any order
// is safe. Spans are borrowed: by a Batch until it is used, by a Query until it is destroyed or set
// anew. Texts and lists in braces are copied. A Hit, and whatever a result's getters return, is
// valid as long as its Rows.
//
// THREADS. As in quern.h: a Database, a Snapshot and a KeySet may be used from many threads, the
// others from one at a time. What was made from a Database may outlive it, and tells CLOSED, or (a
// Collection) MISUSE; but while another thread is inside a call on a Collection, the Database must
// not be closed.
//
// NAMES. quern::Database is quern::cpp::Database to the linker, by an inline namespace: the library
// has classes of its own in the namespace quern, and a program that links the static one holds
// both.
//
// The manual of every function is quern.h; names are those of the C functions. handle() gives what
// is underneath.
#ifndef QUERN_HPP
#define QUERN_HPP

#include <functional>

#include "quern_batch.hpp"
#include "quern_collection.hpp"
#include "quern_query.hpp"
#include "quern_result.hpp"

namespace quern {
inline namespace cpp {

// An open database; closed when it is destroyed.
class Database {
public:
    explicit Database(detail::Owner<quern_db> db)
        : db_(std::make_shared<detail::Owner<quern_db>>(std::move(db))) {}
    Database(Database&& other) noexcept = default;
    Database& operator=(Database&& other) noexcept {
        close();
        db_ = std::move(other.db_);
        progress_ = std::move(other.progress_);
        return *this;
    }
    ~Database() { close(); }
    static Outcome<Database> try_open(const std::string& path, const char* options = nullptr) {
        const Failure fault = detail::FaultOf("path", path);
        return fault.ok() ? detail::Make<Database, quern_db>(quern_open, path.c_str(), options)
                          : Outcome<Database>(fault);
    }
    quern_db* handle() const { return db_ != nullptr ? db_->get() : nullptr; }
    void close() {
        if (db_ != nullptr) {
            db_->reset();
        }
    }
    void interrupt() const { quern_interrupt(handle()); }

    // The collection of that name, made if there is none. That it has this schema is not looked at.
    Outcome<Collection> try_collection(const std::string& name, const Schema& schema) const {
        Outcome<Nothing> made = detail::RunUnless(detail::FaultOf("name", name), quern_create,
                                                  handle(), name.c_str(), schema.handle());
        return made || made.failure().status == QUERN_ERR_EXISTS
                   ? Outcome<Collection>(Collection(db_, name))
                   : Outcome<Collection>(made.failure());
    }
    // One that is there.
    Outcome<Collection> try_collection(const std::string& name) const {
        Outcome<Schema> found = try_describe(name);
        return found ? Outcome<Collection>(Collection(db_, name))
                     : Outcome<Collection>(found.failure());
    }
    Outcome<Schema> try_describe(const std::string& name) const {
        const Failure fault = detail::FaultOf("name", name);
        return fault.ok()
                   ? detail::Make<Schema, quern_schema>(quern_describe, handle(), name.c_str())
                   : Outcome<Schema>(fault);
    }
    Outcome<Nothing> try_drop(const std::string& name) const {
        return detail::RunUnless(detail::FaultOf("name", name), quern_drop, handle(), name.c_str());
    }
    Outcome<Nothing> try_rename(const std::string& from, const std::string& to) const {
        return detail::RunUnless(FaultOfTwo("from", from, "to", to), quern_rename, handle(),
                                 from.c_str(), to.c_str());
    }
    // The names of all collections, sorted: a JSON array.
    Outcome<std::string> try_collections() const { return Report(quern_collections); }
    // Told by slow calls about ten times a second; false stops them: they tell INTERRUPTED. So does
    // one that throws. An empty function: none is told any more. Not while a call is under way.
    using Progress = std::function<bool(const char* task, uint64_t done, uint64_t total)>;
    Outcome<Nothing> try_progress(Progress progress) {
        auto kept = std::make_unique<Progress>(std::move(progress));
        const bool wanted = static_cast<bool>(*kept);
        Outcome<Nothing> done =
            detail::Run(quern_progress, handle(), wanted ? &Database::Tell : nullptr,
                        wanted ? static_cast<void*>(kept.get()) : nullptr);
        if (done) {
            progress_ = std::move(kept);
        }
        return done;
    }
    // One of QUERN_LIMIT_*; the value before.
    Outcome<int64_t> try_limit(int32_t limit, int64_t value = -1) const {
        int64_t old = 0;
        Outcome<Nothing> done = detail::Run(quern_limit, handle(), limit, value, &old);
        return done ? Outcome<int64_t>(old) : Outcome<int64_t>(done.failure());
    }
    // One of QUERN_STAT_*.
    Outcome<int64_t> try_stat(int32_t stat) const {
        int64_t value = 0;
        Outcome<Nothing> done = detail::Run(quern_stat, handle(), stat, &value);
        return done ? Outcome<int64_t>(value) : Outcome<int64_t>(done.failure());
    }
    Outcome<Nothing> try_vacuum() const { return detail::Run(quern_vacuum, handle()); }
    // Makes damaged or missing indexes anew. name NULL: of all collections.
    Outcome<Nothing> try_rebuild(const char* name = nullptr) const {
        return detail::Run(quern_rebuild, handle(), name);
    }
    Outcome<Transaction> try_begin() const {
        return detail::Make<Transaction, quern_txn>(quern_begin, handle());
    }
    Outcome<Snapshot> try_snapshot() const {
        return detail::Make<Snapshot, quern_snapshot>(quern_snapshot_new, handle());
    }
    Outcome<Rows> try_sql(const char* statement, const Snapshot* snapshot = nullptr) const {
        const Failure fault = detail::FaultOf(snapshot);
        if (!fault.ok()) {
            return fault;
        }
        return detail::Make<Rows, quern_result>(quern_sql, handle(),
                                                snapshot ? snapshot->handle() : nullptr, statement);
    }
    // Another SQLite file for sql and filters: name.table.
    Outcome<Nothing> try_attach(const std::string& name, const std::string& path) const {
        return detail::RunUnless(FaultOfTwo("name", name, "path", path), quern_attach, handle(),
                                 name.c_str(), path.c_str());
    }
    Outcome<Nothing> try_detach(const std::string& name) const {
        return detail::RunUnless(detail::FaultOf("name", name), quern_detach, handle(),
                                 name.c_str());
    }
    // name NULL: all collections.
    Outcome<Nothing> try_optimize(const char* name = nullptr, uint32_t max_ms = 0) const {
        return detail::Run(quern_optimize, handle(), name, max_ms);
    }
    Outcome<Nothing> try_backup(const std::string& path) const {
        return detail::RunUnless(detail::FaultOf("path", path), quern_backup, handle(),
                                 path.c_str());
    }
    // The failure of a damaged file is CORRUPT.
    Outcome<Nothing> try_verify() const {
        return detail::Run(quern_verify, handle(), static_cast<quern_text**>(nullptr));
    }
    Outcome<std::string> try_info() const { return Report(quern_info); }
#if QUERN_HPP_EXCEPTIONS
    Collection collection(const std::string& name, const Schema& schema) const {
        return try_collection(name, schema).value();
    }
    Collection collection(const std::string& name) const {
        return try_collection(name).value();
    }
    Schema describe(const std::string& name) const {
        return try_describe(name).value();
    }
    void drop(const std::string& name) const {
        try_drop(name).value();
    }
    void rename(const std::string& from, const std::string& to) const {
        try_rename(from, to).value();
    }
    std::string collections() const {
        return try_collections().value();
    }
    void progress(Progress progress) {
        try_progress(std::move(progress)).value();
    }
    int64_t limit(int32_t limit, int64_t value = -1) const {
        return try_limit(limit, value).value();
    }
    int64_t stat(int32_t stat) const {
        return try_stat(stat).value();
    }
    void vacuum() const {
        try_vacuum().value();
    }
    void rebuild(const char* name = nullptr) const {
        try_rebuild(name).value();
    }
    Transaction begin() const {
        return try_begin().value();
    }
    Snapshot snapshot() const {
        return try_snapshot().value();
    }
    Rows sql(const char* statement, const Snapshot* snapshot = nullptr) const {
        return try_sql(statement, snapshot).value();
    }
    void attach(const std::string& name, const std::string& path) const {
        try_attach(name, path).value();
    }
    void detach(const std::string& name) const {
        try_detach(name).value();
    }
    void optimize(const char* name = nullptr, uint32_t max_ms = 0) const {
        try_optimize(name, max_ms).value();
    }
    void backup(const std::string& path) const {
        try_backup(path).value();
    }
    void verify() const {
        try_verify().value();
    }
    std::string info() const {
        return try_info().value();
    }
#endif

private:
    static Failure FaultOfTwo(const char* what, const std::string& text, const char* what_else,
                              const std::string& other) {
        Failure fault = detail::FaultOf(what, text);
        return fault.ok() ? detail::FaultOf(what_else, other) : fault;
    }
    static int Tell(void* user, const char* task, uint64_t done, uint64_t total) {
#if QUERN_HPP_EXCEPTIONS
        try {
            return (*static_cast<Progress*>(user))(task, done, total) ? 0 : 1;
        } catch (...) {
            return 1;
        }
#else
        return (*static_cast<Progress*>(user))(task, done, total) ? 0 : 1;
#endif
    }
    template <typename Function>
    Outcome<std::string> Report(Function function) const {
        quern_error err = QUERN_ERROR_INIT;
        quern_text* json = nullptr;
        return function(handle(), &json, &err) == QUERN_OK
                   ? Outcome<std::string>(detail::TakeText(json))
                   : Outcome<std::string>(detail::FailureOf(err));
    }

    std::unique_ptr<Progress> progress_;  // after the file is closed nobody calls it
    detail::SharedDatabase db_;           // NULL when it was moved from
};

inline const char* version() {
    return quern_version();
}
inline Outcome<Database> try_open(const std::string& path, const char* options = nullptr) {
    return Database::try_open(path, options);
}
#if QUERN_HPP_EXCEPTIONS
inline Database open(const std::string& path, const char* options = nullptr) {
    return try_open(path, options).value();
}
#endif

}  // namespace cpp
}  // namespace quern

#endif  // QUERN_HPP
