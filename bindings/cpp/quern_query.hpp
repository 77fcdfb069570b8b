// Searches: a part of quern.hpp, which has the manual.
#ifndef QUERN_QUERY_HPP
#define QUERN_QUERY_HPP

#include <initializer_list>

#include "quern_batch.hpp"

namespace quern {
inline namespace cpp {

class Pages;

// What fit_fusion has learned: options for fusion(), and the quality before and with it.
struct FittedFusion {
    std::string fusion;
    double before = 0;
    double after = 0;
};

// A search, list, count or change in the making. It can be run again.
class Query {
public:
    Query(quern_db* db, const std::string& collection)
        : query_(quern_query_new(db, collection.c_str())),
          failure_(detail::FaultOf("collection", collection)) {}
    quern_query* handle() const { return query_.get(); }

    // One vector; of several, n rows in one matrix.
    Query dense(const char* field, Span<float> matrix, size_t n = 1) && {
        if (n > 0 && matrix.size() % n != 0) {
            return std::move(*this).Refuse(std::string(field) + ": " +
                                           std::to_string(matrix.size()) + " numbers are no " +
                                           std::to_string(n) + " vectors of one dimension");
        }
        return quern_query_dense(handle(), field, matrix.data(), n, n > 0 ? matrix.size() / n : 0),
               std::move(*this);
    }
    Query dense(const char* field, std::initializer_list<float> vector) && {
        kept_ = std::make_shared<std::vector<float>>(vector);
        const auto& kept = *std::static_pointer_cast<std::vector<float>>(kept_);
        return std::move(*this).dense(field, Span<float>(kept));
    }
    Query text(const char* field, const std::string& words) && {
        if (detail::HasNul(words)) {
            return std::move(*this).RefuseNul(field);
        }
        const char* text = words.c_str();
        return quern_query_text(handle(), field, &text, 1), std::move(*this);
    }
    Query texts(const char* field, Span<std::string> queries) && {
        const detail::Texts texts(queries);
        if (texts.has_nul()) {
            return std::move(*this).RefuseNul(field);
        }
        quern_query_text(handle(), field, texts.data(), queries.size());
        return std::move(*this);
    }
    // One sparse vector; no weights: all are 1.
    Query sparse(const char* field, Span<uint32_t> dims, Span<float> weights) && {
        auto offsets = std::make_shared<std::vector<size_t>>(std::vector<size_t>{0, dims.size()});
        kept_ = offsets;
        return std::move(*this).sparse(field, Span<size_t>(*offsets), dims, weights);
    }
    // offsets.size() - 1 of them: query i has the entries from offsets[i] to offsets[i + 1].
    Query sparse(const char* field, Span<size_t> offsets, Span<uint32_t> dims,
                 Span<float> weights) && {
        if (!detail::AreOffsets(offsets, dims.size()) ||
            (!weights.empty() && weights.size() != dims.size())) {
            return std::move(*this).Refuse(std::string(field) +
                                           ": offsets, dims and weights do not fit");
        }
        quern_query_sparse(handle(), field, offsets.data(), dims.data(), weights.data(),
                           offsets.size() - 1);
        return std::move(*this);
    }
    // By the token weights of a sparse field.
    Query sparse_text(const char* field, const std::string& words) && {
        if (detail::HasNul(words)) {
            return std::move(*this).RefuseNul(field);
        }
        const char* text = words.c_str();
        return quern_query_sparse_text(handle(), field, &text, 1), std::move(*this);
    }
    // n vectors that are sums of terms, which are given by term().
    Query compose(const char* field, size_t n = 1, const char* options = nullptr) && {
        return quern_query_compose(handle(), field, n, options), std::move(*this);
    }
    Query term(double weight, Span<float> vector, size_t query = 0) && {
        quern_query_term_dense(handle(), query, weight, vector.data(), vector.size());
        return std::move(*this);
    }
    template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
    Query term(double weight, Integer id, size_t query = 0) && {
        quern_query_term_key_int(handle(), query, weight, static_cast<int64_t>(id));
        return std::move(*this);
    }
    Query term(double weight, const std::string& id, size_t query = 0) && {
        if (detail::HasNul(id)) {
            return std::move(*this).RefuseNul("id");
        }
        return quern_query_term_key_text(handle(), query, weight, id.c_str()), std::move(*this);
    }
    Query term(double weight, const char* id, size_t query = 0) && {
        return quern_query_term_key_text(handle(), query, weight, id), std::move(*this);
    }
    Query feedback(const char* options = nullptr) && {
        return quern_query_feedback(handle(), options), std::move(*this);
    }
    Query like(const char* field, int64_t id) && {
        return quern_query_key_int(handle(), field, &id, 1), std::move(*this);
    }
    Query like(const char* field, const std::string& id) && {
        if (detail::HasNul(id)) {
            return std::move(*this).RefuseNul(field);
        }
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
    // With the values of ?1, ?2, ...: where("year >= ?1 and lang in ?2", 2000, languages).
    template <typename... Values>
    Query where(const char* filter, const Values&... values) && {
        size_t parameter = 0;
        quern_query_filter(handle(), filter);
        ((*this = std::move(*this).bind(++parameter, values)), ...);
        return std::move(*this);
    }
    // The value of a parameter of the filter, by its number from 1 or its name (":lang"): a number,
    // a text, nullptr for null, a list of int64_t or of texts.
    template <typename Value>
    Query bind(const std::string& name, const Value& value) && {
        const size_t parameter =
            detail::HasNul(name) ? 0 : quern_query_parameter(handle(), name.c_str());
        return parameter == 0 ? std::move(*this).Refuse("the filter has no parameter " + name)
                              : std::move(*this).bind(parameter, value);
    }
    Query bind(size_t parameter, std::nullptr_t) && {
        return quern_query_bind_null(handle(), parameter), std::move(*this);
    }
    Query bind(size_t parameter, const char* value) && {
        return quern_query_bind_text(handle(), parameter, value), std::move(*this);
    }
    Query bind_blob(size_t parameter, const void* data, size_t bytes) && {
        return quern_query_bind_blob(handle(), parameter, data, bytes), std::move(*this);
    }
    // Values from here on are for one query of several; QUERN_ALL_QUERIES: for all again.
    Query bind_for(size_t query) && {
        return quern_query_bind_for(handle(), query), std::move(*this);
    }
    Query bind(size_t parameter, double value) && {
        return quern_query_bind_real(handle(), parameter, value), std::move(*this);
    }
    Query bind(size_t parameter, const std::string& value) && {
        if (detail::HasNul(value)) {
            return std::move(*this).RefuseNul("a value of the filter");
        }
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
        const detail::Texts texts(list);
        if (texts.has_nul()) {
            return std::move(*this).RefuseNul("a value of the filter");
        }
        return quern_query_bind_texts(handle(), parameter, texts.data(), list.size()),
               std::move(*this);
    }
    // For update(): "lang = 'en', year = ?2", as SQL has it behind SET.
    Query set(const char* assignments) && {
        return quern_query_set(handle(), assignments), std::move(*this);
    }
    Query only(const KeySet& keys) && {
        return quern_query_only_keys(handle(), keys.handle()),
               std::move(*this).Remember(detail::FaultOf(&keys));
    }
    Query except(const KeySet& keys) && {
        return quern_query_except_keys(handle(), keys.handle()),
               std::move(*this).Remember(detail::FaultOf(&keys));
    }
    Query columns(const char* names) && {
        return quern_query_columns(handle(), names), std::move(*this);
    }
    Query options(const char* text) && {
        return quern_query_options(handle(), text), std::move(*this);
    }
    Query order(const char* text) && { return quern_query_order(handle(), text), std::move(*this); }
    Query after(const std::string& bookmark) && {
        return quern_query_after(handle(), bookmark.c_str()),
               std::move(*this).Remember(detail::FaultOf("bookmark", bookmark));
    }
    Query group(const char* attribute, size_t per_group) && {
        return quern_query_group(handle(), attribute, per_group), std::move(*this);
    }
    Query diversify(const char* field, const char* options) && {
        return quern_query_diversify(handle(), field, options), std::move(*this);
    }
    Query snapshot(const Snapshot& snapshot) && {
        return quern_query_snapshot(handle(), snapshot.handle()),
               std::move(*this).Remember(detail::FaultOf(&snapshot));
    }
    // The vectors of a leg, or of a search for candidates, stay borrowed until this query is
    // destroyed.
    Query leg(Query part, double weight = 1, const char* options = nullptr) && {
        quern_query_leg(handle(), part.handle(), weight, options);
        return std::move(*this).Keep(std::move(part));
    }
    Query fusion(const char* options) && {
        return quern_query_fusion(handle(), options), std::move(*this);
    }
    Query formula(const char* text) && {
        return quern_query_formula(handle(), text), std::move(*this);
    }
    // ":since", or "?1".
    Query formula_bind(const char* parameter, double value) && {
        return quern_query_formula_bind(handle(), parameter, value), std::move(*this);
    }
    Query candidates(Query from) && {
        quern_query_candidates(handle(), from.handle());
        return std::move(*this).Keep(std::move(from));
    }

    Outcome<Rows> try_search() const {
        if (!failure_.message.empty()) {
            return failure_;
        }
        return detail::Make<Rows, quern_result>(quern_search, handle());
    }
    Outcome<Rows> try_list() const {
        if (!failure_.message.empty()) {
            return failure_;
        }
        return detail::Make<Rows, quern_result>(quern_query_list, handle());
    }
    Outcome<Rows> try_facet(const char* attribute, size_t n = 100) const {
        if (!failure_.message.empty()) {
            return failure_;
        }
        return detail::Make<Rows, quern_result>(quern_query_facet, handle(), attribute, n);
    }
    Outcome<uint64_t> try_count() const {
        if (!failure_.message.empty()) {
            return failure_;
        }
        uint64_t count = 0;
        Outcome<Nothing> done = detail::Run(quern_query_count, handle(), &count);
        return done ? Outcome<uint64_t>(count) : Outcome<uint64_t>(done.failure());
    }
    // Deletes what matches the filter.
    Outcome<uint64_t> try_erase(const Transaction* txn = nullptr) const {
        return Change(quern_query_delete, txn);
    }
    // Sets attributes of what matches the filter, as set() says. How many records.
    Outcome<uint64_t> try_update(const Transaction* txn = nullptr) const {
        return Change(quern_query_update, txn);
    }
    Outcome<std::string> try_explain() const { return Report(quern_query_explain); }
    // What the scores of its hits are made of, as JSON.
    Outcome<std::string> try_explain_hits(const Rows& hits) const {
        return Report(quern_explain_hits, hits.handle());
    }
    // What recall the queries get, against exact searches, as JSON; "keep=yes" writes.
    Outcome<std::string> try_recall_audit(const char* options = nullptr) const {
        return Report(quern_recall_audit, options);
    }
    // Learns how the legs are fused: the record of id i was judged for query queries[i], with
    // gains[i] (none: 1 each).
    Outcome<FittedFusion> try_fit_fusion(const Batch& judged, Span<size_t> queries,
                                         Span<float> gains = {},
                                         const char* options = nullptr) const {
        const size_t n = judged.size();
        if (!failure_.message.empty() || !judged.failure().message.empty()) {
            return failure_.message.empty() ? judged.failure() : failure_;
        }
        if (queries.size() != n || (!gains.empty() && gains.size() != n)) {
            return detail::Refusal("queries and gains: " + std::to_string(queries.size()) +
                                   " and " + std::to_string(gains.size()) + " values for " +
                                   std::to_string(n) + " records");
        }
        quern_error err = QUERN_ERROR_INIT;
        quern_text* text = nullptr;
        double quality[2] = {0, 0};
        if (quern_fit_fusion(handle(), judged.handle(), queries.data(), gains.data(), options,
                             &text, quality, &err) != QUERN_OK) {
            return detail::FailureOf(err);
        }
        return FittedFusion{detail::TakeText(text), quality[0], quality[1]};
    }
    // Keeps how the legs are fused with the collection, for fusion("stored=NAME").
    Outcome<Nothing> try_store_fusion(const char* name) const {
        return failure_.message.empty() ? detail::Run(quern_store_fusion, handle(), name)
                                        : Outcome<Nothing>(failure_);
    }
    // The list, a page of limit() records at a time. Give it a snapshot to see one state.
    Pages pages() &&;
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
    uint64_t update(const Transaction* txn = nullptr) const {
        return try_update(txn).value();
    }
    std::string explain() const {
        return try_explain().value();
    }
    std::string explain_hits(const Rows& hits) const {
        return try_explain_hits(hits).value();
    }
    std::string recall_audit(const char* options = nullptr) const {
        return try_recall_audit(options).value();
    }
    FittedFusion fit_fusion(const Batch& judged, Span<size_t> queries, Span<float> gains = {},
                            const char* options = nullptr) const {
        return try_fit_fusion(judged, queries, gains, options).value();
    }
    void store_fusion(const char* name) const {
        try_store_fusion(name).value();
    }
#endif

private:
    // Remembers what the library could not see; a builder keeps its first error.
    Query RefuseNul(const char* what) && {
        return std::move(*this).Refuse(std::string(what) + ": a text with a NUL in it");
    }
    Query Refuse(std::string message) && {
        return std::move(*this).Remember(detail::Refusal(std::move(message)));
    }
    Query Remember(Failure fault) && {
        if (failure_.ok()) {
            failure_ = std::move(fault);
        }
        return std::move(*this);
    }
    // Another query that is a part of this one: what was wrong with it is wrong with this.
    Query Keep(Query part) && {
        Failure fault = part.failure_;
        parts_.push_back(std::move(part));
        return std::move(*this).Remember(std::move(fault));
    }
    template <typename Function>
    Outcome<uint64_t> Change(Function function, const Transaction* txn) const {
        const Failure fault = failure_.ok() ? detail::FaultOf(txn) : failure_;
        uint64_t count = 0;
        Outcome<Nothing> done = detail::RunUnless(fault, function, handle(),
                                                  txn != nullptr ? txn->handle() : nullptr, &count);
        return done ? Outcome<uint64_t>(count) : Outcome<uint64_t>(done.failure());
    }
    // A call that makes a text of the query.
    template <typename Function, typename... Arguments>
    Outcome<std::string> Report(Function function, Arguments... arguments) const {
        quern_error err = QUERN_ERROR_INIT;
        quern_text* json = nullptr;
        if (!failure_.message.empty()) {
            return failure_;
        }
        return function(handle(), arguments..., &json, &err) == QUERN_OK
                   ? Outcome<std::string>(detail::TakeText(json))
                   : Outcome<std::string>(detail::FailureOf(err));
    }

    detail::Owner<quern_query> query_;
    std::shared_ptr<void> kept_;
    std::vector<Query> parts_;
    Failure failure_;
};

// The pages of a list, in order; made by Query::pages.
class Pages {
public:
    explicit Pages(Query query) : query_(std::move(query)) {}
    // The next page; one without rows behind the last.
    Outcome<Rows> try_next() {
        Outcome<Rows> page = query_.try_list();
        if (page.ok()) {
            const char* const mark = quern_result_bookmark(page->handle());
            if (mark != nullptr) {
                quern_query_after(query_.handle(), mark);
            }
        }
        return page;
    }
#if QUERN_HPP_EXCEPTIONS
    Rows next() {
        return try_next().value();
    }
#endif

private:
    Query query_;
};

inline Pages Query::pages() && {
    return Pages(std::move(*this));
}

}  // namespace cpp
}  // namespace quern

#endif  // QUERN_QUERY_HPP
