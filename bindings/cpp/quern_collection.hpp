// What a collection holds, its records in the order of their keys, and itself: a part of quern.hpp,
// which has the manual.
#ifndef QUERN_COLLECTION_HPP
#define QUERN_COLLECTION_HPP

#include "quern_batch.hpp"
#include "quern_query.hpp"
#include "quern_result.hpp"

namespace quern {
inline namespace cpp {

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
    // What one that Database::describe gave holds; the getters of quern_schema_* tell more.
    bool has_text_keys() const { return quern_schema_key_type(handle()) == QUERN_KEY_TEXT; }
    // Of a schema that was moved from it throws, or without exceptions is "".
    std::string key_name() const {
#if QUERN_HPP_EXCEPTIONS
        if (schema_ == nullptr) {
            throw Error(detail::Moved("schema"));
        }
#endif
        const char* const name = quern_schema_key_name(handle());
        return name != nullptr ? name : "";
    }
    std::vector<std::string> attrs() const {
        return Names(quern_schema_attr_count(handle()), quern_schema_attr_name);
    }
    std::vector<std::string> dense_fields() const {
        return Names(quern_schema_dense_count(handle()), quern_schema_dense_name);
    }
    std::vector<std::string> sparse_fields() const {
        return Names(quern_schema_sparse_count(handle()), quern_schema_sparse_name);
    }
    std::vector<std::string> text_fields() const {
        return Names(quern_schema_text_count(handle()), quern_schema_text_name);
    }

private:
    std::vector<std::string> Names(size_t n,
                                   const char* (*name)(const quern_schema*, size_t)) const {
        std::vector<std::string> names;
        for (size_t i = 0; i < n; i++) {
            names.emplace_back(name(handle(), i));
        }
        return names;
    }

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

// A collection of a database. Once that is closed or destroyed, or the collection was moved from,
// all calls tell MISUSE.
class Collection {
public:
    Collection(detail::SharedDatabase db, std::string name)
        : db_(std::move(db)), name_(std::move(name)) {}
    const std::string& name() const { return name_; }
    Batch batch(size_t n) const { return Batch(Handle(), name_, n); }
    Query query() const { return Query(Handle(), name_); }
    Outcome<Rows> try_search(const char* field, Span<float> vector, size_t k = 10) const {
        return query().dense(field, vector).limit(k).try_search();
    }
    Outcome<uint64_t> try_size(const Snapshot* snapshot = nullptr) const {
        const Failure fault = detail::FaultOf(snapshot);
        uint64_t count = 0;
        Outcome<Nothing> done = fault.ok() ? Run(quern_count, HandleOf(snapshot), &count) : fault;
        return done ? Outcome<uint64_t>(count) : Outcome<uint64_t>(done.failure());
    }
    // Changes of the schema; what is added is null or absent in all records there are.
    Outcome<Nothing> try_add_attr(const char* name, int32_t type,
                                  const char* options = nullptr) const {
        return Run(quern_add_attr, name, type, options);
    }
    Outcome<Nothing> try_add_dense(const char* name, size_t dim, int32_t metric,
                                   const char* options = nullptr) const {
        return Run(quern_add_dense, name, dim, metric, options);
    }
    Outcome<Nothing> try_add_sparse(const char* name, const char* options = nullptr) const {
        return Run(quern_add_sparse, name, options);
    }
    Outcome<Nothing> try_add_text(const char* name, const char* options = nullptr) const {
        return Run(quern_add_text, name, options);
    }
    Outcome<Nothing> try_drop_column(const char* name) const {
        return Run(quern_drop_column, name);
    }
    // The piece of a text that shows best what a text query finds in it.
    Outcome<std::string> try_snippet(const char* field, const std::string& words,
                                     std::string_view text, const char* options = nullptr) const {
        if (detail::HasNul(words)) {
            return detail::Refusal("words: a text with a NUL in it");
        }
        return Report(quern_snippet, field, words.c_str(), text.data(), text.size(), options);
    }
    // Texts become queries of a sparse field: token i stands for dims[i] (none: i) and counts
    // weights[i] (none: they are counted).
    Outcome<Nothing> try_set_token_weights(const char* field, Span<std::string> tokens,
                                           Span<uint32_t> dims = {}, Span<float> weights = {},
                                           const char* options = nullptr) const {
        const detail::Texts texts(tokens);
        if (texts.has_nul() || (!dims.empty() && dims.size() != tokens.size()) ||
            (!weights.empty() && weights.size() != tokens.size())) {
            return detail::Refusal(texts.has_nul()
                                       ? "tokens: a text with a NUL in it"
                                       : "tokens, dims and weights are not equally many");
        }
        return Run(quern_set_token_weights, field, texts.data(), dims.data(), weights.data(),
                   tokens.size(), options);
    }
    // How long the lists of a sparse field are, and what queries (none: the records) touch, as
    // JSON.
    Outcome<std::string> try_sparse_stats(const char* field, Span<size_t> offsets = {},
                                          Span<uint32_t> dims = {},
                                          const Snapshot* snapshot = nullptr) const {
        if (!offsets.empty() && !detail::AreOffsets(offsets, dims.size())) {
            return detail::Refusal("offsets and dims do not fit");
        }
        const Failure fault = detail::FaultOf(snapshot);
        if (!fault.ok()) {
            return fault;
        }
        return Report(quern_sparse_stats, field, HandleOf(snapshot), offsets.data(), dims.data(),
                      offsets.empty() ? size_t{0} : offsets.size() - 1);
    }
    // All records in the order of their keys.
    Outcome<Cursor> try_scan(const char* columns = "*", const Snapshot* snapshot = nullptr) const {
        const Failure fault = detail::FaultOf(snapshot);
        if (!fault.ok()) {
            return fault;
        }
        return detail::Make<Cursor, quern_cursor>(quern_scan, Handle(), name_.c_str(),
                                                  HandleOf(snapshot), columns);
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
        return Run(quern_measure_hubs, field, attribute, queries.data(), n,
                   n > 0 ? queries.size() / n : 0, options);
    }
    // Whether the file keeps the values of an attribute for filters: "index=auto", "index=none".
    Outcome<Nothing> try_set_attr(const char* name, const char* options) const {
        return Run(quern_set_attr, name, options);
    }
    Outcome<Nothing> try_drop_fusion(const char* name) const {
        return Run(quern_drop_fusion, name);
    }
#if QUERN_HPP_EXCEPTIONS
    Rows search(const char* field, Span<float> vector, size_t k = 10) const {
        return try_search(field, vector, k).value();
    }
    uint64_t size(const Snapshot* snapshot = nullptr) const {
        return try_size(snapshot).value();
    }
    void add_attr(const char* name, int32_t type, const char* options = nullptr) const {
        try_add_attr(name, type, options).value();
    }
    void add_dense(const char* name, size_t dim, int32_t metric,
                   const char* options = nullptr) const {
        try_add_dense(name, dim, metric, options).value();
    }
    void add_sparse(const char* name, const char* options = nullptr) const {
        try_add_sparse(name, options).value();
    }
    void add_text(const char* name, const char* options = nullptr) const {
        try_add_text(name, options).value();
    }
    void drop_column(const char* name) const {
        try_drop_column(name).value();
    }
    std::string snippet(const char* field, const std::string& words, std::string_view text,
                        const char* options = nullptr) const {
        return try_snippet(field, words, text, options).value();
    }
    void set_token_weights(const char* field, Span<std::string> tokens, Span<uint32_t> dims = {},
                           Span<float> weights = {}, const char* options = nullptr) const {
        try_set_token_weights(field, tokens, dims, weights, options).value();
    }
    std::string sparse_stats(const char* field, Span<size_t> offsets = {}, Span<uint32_t> dims = {},
                             const Snapshot* snapshot = nullptr) const {
        return try_sparse_stats(field, offsets, dims, snapshot).value();
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
    // NULL when the database is closed, or this was moved from.
    quern_db* Handle() const {
        return db_ != nullptr ? db_->get() : nullptr;
    }
    static quern_snapshot* HandleOf(const Snapshot* snapshot) {
        return snapshot != nullptr ? snapshot->handle() : nullptr;
    }
    template <typename Function, typename... Arguments>
    Outcome<Nothing> Run(Function function, Arguments... arguments) const {
        return detail::Run(function, Handle(), name_.c_str(), arguments...);
    }
    template <typename Function, typename... Arguments>
    Outcome<std::string> Report(Function function, Arguments... arguments) const {
        quern_error err = QUERN_ERROR_INIT;
        quern_text* text = nullptr;
        return function(Handle(), name_.c_str(), arguments..., &text, &err) == QUERN_OK
                   ? Outcome<std::string>(detail::TakeText(text))
                   : Outcome<std::string>(detail::FailureOf(err));
    }

    detail::SharedDatabase db_;
    std::string name_;
};

}  // namespace cpp
}  // namespace quern

#endif  // QUERN_COLLECTION_HPP
