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
// them tells it.
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
// The manual of every function is quern.h; names are those of the C functions. handle() gives what
// is underneath.
#ifndef QUERN_HPP
#define QUERN_HPP

#include "quern_batch.hpp"
#include "quern_query.hpp"
#include "quern_result.hpp"

namespace quern {

// What a collection holds.
class Schema {
public:
    Schema() : schema_(quern_schema_new()) {}
    explicit Schema(detail::Owner<quern_schema> schema) : schema_(std::move(schema)) {}
    quern_schema* handle() const { return schema_.get(); }
    Schema key_int(const char* name = "id") && {
        return quern_schema_key_int(handle(), name), std::move(*this);
    }
    Schema key_text(const char* name = "id") && {
        return quern_schema_key_text(handle(), name), std::move(*this);
    }
    Schema attr(const char* name, int32_t type, const char* options = nullptr) && {
        return quern_schema_attr(handle(), name, type, options), std::move(*this);
    }
    Schema dense(const char* name, size_t dim, int32_t metric, const char* options = nullptr) && {
        return quern_schema_dense(handle(), name, dim, metric, options), std::move(*this);
    }
    Schema sparse(const char* name, const char* options = nullptr) && {
        return quern_schema_sparse(handle(), name, options), std::move(*this);
    }
    Schema text(const char* name, const char* options = nullptr) && {
        return quern_schema_text(handle(), name, options), std::move(*this);
    }

private:
    detail::Owner<quern_schema> schema_;
};

namespace detail {

// The handle of a database, known to it and to its collections: these see when it is closed.
using SharedDatabase = std::shared_ptr<Owner<quern_db>>;

}  // namespace detail

// A scan in the order of keys, of one state of the database.
class Cursor {
public:
    explicit Cursor(detail::Owner<quern_cursor> cursor) : cursor_(std::move(cursor)) {}
    quern_cursor* handle() const { return cursor_.get(); }
    // The next n records at most; none at the end.
    Outcome<Rows> try_next(size_t n = 1000) {
        return detail::Make<Rows, quern_result>(quern_cursor_next, handle(), n);
    }
    // Goes on behind this key, which need not be there.
    Outcome<Nothing> try_after(int64_t id) {
        return detail::Run(quern_cursor_after_int, handle(), id);
    }
    Outcome<Nothing> try_after(const std::string& id) {
        if (detail::HasNul(id)) {
            return detail::Refusal("id: a text with a NUL in it");
        }
        return detail::Run(quern_cursor_after_text, handle(), id.c_str());
    }
#if QUERN_HPP_EXCEPTIONS
    Rows next(size_t n = 1000) {
        return try_next(n).value();
    }
    void after(int64_t id) {
        try_after(id).value();
    }
    void after(const std::string& id) {
        try_after(id).value();
    }
#endif

private:
    detail::Owner<quern_cursor> cursor_;
};

// A collection of a database. Once that is closed or destroyed, all calls tell MISUSE.
class Collection {
public:
    Collection(detail::SharedDatabase db, std::string name)
        : db_(std::move(db)), name_(std::move(name)) {}
    const std::string& name() const { return name_; }
    Batch batch(size_t n) const { return Batch(db_->get(), name_, n); }
    Query query() const { return Query(db_->get(), name_); }
    Outcome<Rows> try_search(const char* field, Span<float> vector, size_t k = 10) const {
        return query().dense(field, vector).limit(k).try_search();
    }
    Outcome<uint64_t> try_size() const { return query().try_count(); }
    // All records in the order of their keys.
    Outcome<Cursor> try_scan(const char* columns = "*", const Snapshot* snapshot = nullptr) const {
        return detail::Make<Cursor, quern_cursor>(
            quern_scan, db_->get(), name_.c_str(),
            snapshot != nullptr ? snapshot->handle() : nullptr, columns);
    }
    // Writes to a real attribute how near each record is to what is asked, for formulas: queries
    // are n rows of a matrix, or none: then a sample of the records stands for them.
    Outcome<Nothing> try_measure_hubs(const char* field, const char* attribute,
                                      Span<float> queries = {}, size_t n = 0,
                                      const char* options = nullptr) const {
        if (n > 0 ? queries.size() % n != 0 : !queries.empty()) {
            return detail::Refusal("queries: " + std::to_string(queries.size()) + " numbers in " +
                                   std::to_string(n) + " rows");
        }
        return detail::Run(quern_measure_hubs, db_->get(), name_.c_str(), field, attribute,
                           queries.data(), n, n > 0 ? queries.size() / n : 0, options);
    }
    // Whether the file keeps the values of an attribute for filters: "index=auto", "index=none".
    Outcome<Nothing> try_set_attr(const char* name, const char* options) const {
        return detail::Run(quern_set_attr, db_->get(), name_.c_str(), name, options);
    }
    Outcome<Nothing> try_drop_fusion(const char* name) const {
        return detail::Run(quern_drop_fusion, db_->get(), name_.c_str(), name);
    }
#if QUERN_HPP_EXCEPTIONS
    Rows search(const char* field, Span<float> vector, size_t k = 10) const {
        return try_search(field, vector, k).value();
    }
    uint64_t size() const {
        return try_size().value();
    }
    Cursor scan(const char* columns = "*", const Snapshot* snapshot = nullptr) const {
        return try_scan(columns, snapshot).value();
    }
    void measure_hubs(const char* field, const char* attribute, Span<float> queries = {},
                      size_t n = 0, const char* options = nullptr) const {
        try_measure_hubs(field, attribute, queries, n, options).value();
    }
    void set_attr(const char* name, const char* options) const {
        try_set_attr(name, options).value();
    }
    void drop_fusion(const char* name) const {
        try_drop_fusion(name).value();
    }
#endif

private:
    detail::SharedDatabase db_;
    std::string name_;
};

// An open database; closed when it is destroyed.
class Database {
public:
    explicit Database(detail::Owner<quern_db> db)
        : db_(std::make_shared<detail::Owner<quern_db>>(std::move(db))) {}
    Database(Database&& other) noexcept = default;
    Database& operator=(Database&& other) noexcept {
        close();
        db_ = std::move(other.db_);
        return *this;
    }
    ~Database() { close(); }
    static Outcome<Database> try_open(const std::string& path, const char* options = nullptr) {
        return detail::Make<Database, quern_db>(quern_open, path.c_str(), options);
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
        Outcome<Nothing> made = detail::Run(quern_create, handle(), name.c_str(), schema.handle());
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
        return detail::Make<Schema, quern_schema>(quern_describe, handle(), name.c_str());
    }
    Outcome<Nothing> try_drop(const std::string& name) const {
        return detail::Run(quern_drop, handle(), name.c_str());
    }
    Outcome<Transaction> try_begin() const {
        return detail::Make<Transaction, quern_txn>(quern_begin, handle());
    }
    Outcome<Snapshot> try_snapshot() const {
        return detail::Make<Snapshot, quern_snapshot>(quern_snapshot_new, handle());
    }
    Outcome<Rows> try_sql(const char* statement, const Snapshot* snapshot = nullptr) const {
        return detail::Make<Rows, quern_result>(quern_sql, handle(),
                                                snapshot ? snapshot->handle() : nullptr, statement);
    }
    // Another SQLite file for sql and filters: name.table.
    Outcome<Nothing> try_attach(const std::string& name, const std::string& path) const {
        return detail::Run(quern_attach, handle(), name.c_str(), path.c_str());
    }
    Outcome<Nothing> try_detach(const std::string& name) const {
        return detail::Run(quern_detach, handle(), name.c_str());
    }
    // name NULL: all collections.
    Outcome<Nothing> try_optimize(const char* name = nullptr, uint32_t max_ms = 0) const {
        return detail::Run(quern_optimize, handle(), name, max_ms);
    }
    Outcome<Nothing> try_backup(const std::string& path) const {
        return detail::Run(quern_backup, handle(), path.c_str());
    }
    // The failure of a damaged file is CORRUPT.
    Outcome<Nothing> try_verify() const {
        return detail::Run(quern_verify, handle(), static_cast<quern_text**>(nullptr));
    }
    Outcome<std::string> try_info() const {
        quern_error err = QUERN_ERROR_INIT;
        quern_text* json = nullptr;
        const int32_t status = quern_info(handle(), &json, &err);
        return status == QUERN_OK ? Outcome<std::string>(detail::TakeText(json))
                                  : Outcome<std::string>(detail::FailureOf(err));
    }
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
    detail::SharedDatabase db_;  // NULL when it was moved from
};

inline Outcome<Database> try_open(const std::string& path, const char* options = nullptr) {
    return Database::try_open(path, options);
}
#if QUERN_HPP_EXCEPTIONS
inline Database open(const std::string& path, const char* options = nullptr) {
    return try_open(path, options).value();
}
#endif

}  // namespace quern

#endif  // QUERN_HPP
