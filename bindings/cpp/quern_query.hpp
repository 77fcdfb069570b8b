// Searches: a part of quern.hpp, which has the manual.
#ifndef QUERN_QUERY_HPP
#define QUERN_QUERY_HPP

#include <initializer_list>

#include "quern_batch.hpp"

namespace quern {

// A search, list, count or change in the making. It can be run again.
class Query {
public:
    Query(quern_db* db, const std::string& collection)
        : query_(quern_query_new(db, collection.c_str())) {}
    quern_query* handle() const { return query_.get(); }

    // One vector; of several, n rows in one matrix.
    Query dense(const char* field, Span<float> matrix, size_t n = 1) && {
        return quern_query_dense(handle(), field, matrix.data(), n, n > 0 ? matrix.size() / n : 0),
               std::move(*this);
    }
    Query dense(const char* field, std::initializer_list<float> vector) && {
        kept_ = std::make_shared<std::vector<float>>(vector);
        const auto& kept = *std::static_pointer_cast<std::vector<float>>(kept_);
        return std::move(*this).dense(field, Span<float>(kept));
    }
    Query text(const char* field, const std::string& words) && {
        const char* text = words.c_str();
        return quern_query_text(handle(), field, &text, 1), std::move(*this);
    }
    Query like(const char* field, int64_t id) && {
        return quern_query_key_int(handle(), field, &id, 1), std::move(*this);
    }
    Query like(const char* field, const std::string& id) && {
        const char* key = id.c_str();
        return quern_query_key_text(handle(), field, &key, 1), std::move(*this);
    }
    Query limit(size_t k) && { return quern_query_limit(handle(), k), std::move(*this); }
    Query offset(size_t n) && { return quern_query_offset(handle(), n), std::move(*this); }
    Query max_distance(double d) && {
        return quern_query_max_distance(handle(), d), std::move(*this);
    }
    Query min_score(double s) && { return quern_query_min_score(handle(), s), std::move(*this); }
    Query where(const char* filter) && {
        return quern_query_filter(handle(), filter), std::move(*this);
    }
    Query bind(size_t parameter, double value) && {
        return quern_query_bind_real(handle(), parameter, value), std::move(*this);
    }
    Query bind(size_t parameter, const std::string& value) && {
        return quern_query_bind_text(handle(), parameter, value.c_str()), std::move(*this);
    }
    template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
    Query bind(size_t parameter, Integer value) && {
        return quern_query_bind_int(handle(), parameter, static_cast<int64_t>(value)),
               std::move(*this);
    }
    Query bind(size_t parameter, Span<int64_t> list) && {
        return quern_query_bind_ints(handle(), parameter, list.data(), list.size()),
               std::move(*this);
    }
    Query bind(size_t parameter, Span<std::string> list) && {
        return quern_query_bind_texts(handle(), parameter, detail::Texts(list).data(), list.size()),
               std::move(*this);
    }
    Query only(const KeySet& keys) && {
        return quern_query_only_keys(handle(), keys.handle()), std::move(*this);
    }
    Query except(const KeySet& keys) && {
        return quern_query_except_keys(handle(), keys.handle()), std::move(*this);
    }
    Query columns(const char* names) && {
        return quern_query_columns(handle(), names), std::move(*this);
    }
    Query options(const char* text) && {
        return quern_query_options(handle(), text), std::move(*this);
    }
    Query order(const char* text) && { return quern_query_order(handle(), text), std::move(*this); }
    Query after(const std::string& bookmark) && {
        return quern_query_after(handle(), bookmark.c_str()), std::move(*this);
    }
    Query group(const char* attribute, size_t per_group) && {
        return quern_query_group(handle(), attribute, per_group), std::move(*this);
    }
    Query diversify(const char* field, const char* options) && {
        return quern_query_diversify(handle(), field, options), std::move(*this);
    }
    Query snapshot(const Snapshot& snapshot) && {
        return quern_query_snapshot(handle(), snapshot.handle()), std::move(*this);
    }
    // The vectors of a leg, or of a search for candidates, stay borrowed until this query is
    // destroyed.
    Query leg(Query part, double weight = 1, const char* options = nullptr) && {
        quern_query_leg(handle(), part.handle(), weight, options);
        return parts_.push_back(std::move(part)), std::move(*this);
    }
    Query fusion(const char* options) && {
        return quern_query_fusion(handle(), options), std::move(*this);
    }
    Query formula(const char* text) && {
        return quern_query_formula(handle(), text), std::move(*this);
    }
    Query candidates(Query from) && {
        quern_query_candidates(handle(), from.handle());
        return parts_.push_back(std::move(from)), std::move(*this);
    }

    Outcome<Rows> try_search() const {
        return detail::Make<Rows, quern_result>(quern_search, handle());
    }
    Outcome<Rows> try_list() const {
        return detail::Make<Rows, quern_result>(quern_query_list, handle());
    }
    Outcome<Rows> try_facet(const char* attribute, size_t n = 100) const {
        return detail::Make<Rows, quern_result>(quern_query_facet, handle(), attribute, n);
    }
    Outcome<uint64_t> try_count() const {
        uint64_t count = 0;
        Outcome<Nothing> done = detail::Run(quern_query_count, handle(), &count);
        return done ? Outcome<uint64_t>(count) : Outcome<uint64_t>(done.failure());
    }
    // Deletes what matches the filter.
    Outcome<uint64_t> try_erase(const Transaction* txn = nullptr) const {
        uint64_t count = 0;
        Outcome<Nothing> done = detail::Run(quern_query_delete, handle(),
                                            txn != nullptr ? txn->handle() : nullptr, &count);
        return done ? Outcome<uint64_t>(count) : Outcome<uint64_t>(done.failure());
    }
    Outcome<std::string> try_explain() const {
        quern_error err = QUERN_ERROR_INIT;
        quern_text* json = nullptr;
        const int32_t status = quern_query_explain(handle(), &json, &err);
        return status == QUERN_OK ? Outcome<std::string>(detail::TakeText(json))
                                  : Outcome<std::string>(detail::FailureOf(err));
    }
#if QUERN_HPP_EXCEPTIONS
    Rows search() const {
        return try_search().value();
    }
    Rows list() const {
        return try_list().value();
    }
    Rows facet(const char* attribute, size_t n = 100) const {
        return try_facet(attribute, n).value();
    }
    uint64_t count() const {
        return try_count().value();
    }
    uint64_t erase(const Transaction* txn = nullptr) const {
        return try_erase(txn).value();
    }
    std::string explain() const {
        return try_explain().value();
    }
#endif

private:
    detail::Owner<quern_query> query_;
    std::shared_ptr<void> kept_;
    std::vector<Query> parts_;
};

}  // namespace quern

#endif  // QUERN_QUERY_HPP
