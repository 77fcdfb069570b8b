// Snapshots, transactions, sets of ids, and records by columns: a part of quern.hpp, which has the
// manual.
#ifndef QUERN_BATCH_HPP
#define QUERN_BATCH_HPP

#include <initializer_list>

#include "quern_result.hpp"

namespace quern {
inline namespace cpp {

// A stable view of the whole database.
class Snapshot {
public:
    explicit Snapshot(detail::Owner<quern_snapshot> snapshot) : snapshot_(std::move(snapshot)) {}
    quern_snapshot* handle() const { return snapshot_.get(); }
    uint64_t generation() const { return quern_snapshot_generation(handle()); }

private:
    detail::Owner<quern_snapshot> snapshot_;
};

// A write transaction; rolled back when it is destroyed before commit().
class Transaction {
public:
    explicit Transaction(detail::Owner<quern_txn> txn) : txn_(std::move(txn)) {}
    quern_txn* handle() const { return txn_.get(); }
    // Is it committed or rolled back? Calls that get it then tell QUERN_ERR_TXN.
    bool over() const { return over_; }
    // Ends it, whatever is told.
    Outcome<Nothing> try_commit();
    void rollback() {
        over_ = over_ || txn_ != nullptr;
        txn_.reset();
    }
#if QUERN_HPP_EXCEPTIONS
    void commit() {
        try_commit().value();
    }
#endif

private:
    detail::Owner<quern_txn> txn_;
    bool over_ = false;
};

// A set of ids for many filters.
class KeySet {
public:
    explicit KeySet(detail::Owner<quern_keys> keys) : keys_(std::move(keys)) {}
    static Outcome<KeySet> try_of(Span<int64_t> ids) {
        return detail::Make<KeySet, quern_keys>(quern_keys_int, ids.data(), ids.size());
    }
    static Outcome<KeySet> try_of(Span<std::string> ids) {
        const detail::Texts texts(ids);
        if (texts.has_nul()) {
            return detail::Refusal("ids: a text with a NUL in it");
        }
        return detail::Make<KeySet, quern_keys>(quern_keys_text, texts.data(), ids.size());
    }
    // A roaring bitmap of numbers of 32 or 64 bits.
    static Outcome<KeySet> try_of_roaring(std::string_view bitmap, int32_t bits) {
        return detail::Make<KeySet, quern_keys>(quern_keys_roaring, bitmap.data(), bitmap.size(),
                                                bits);
    }
    const quern_keys* handle() const { return keys_.get(); }
    uint64_t size() const { return quern_keys_count(handle()); }

private:
    detail::Owner<quern_keys> keys_;
};

namespace detail {

// OK, or why an argument cannot be used. NULL says that there is none.
inline Failure FaultOf(const Snapshot* snapshot) {
    const bool moved = snapshot != nullptr && snapshot->handle() == nullptr;
    return moved ? Moved("snapshot") : Failure();
}
inline Failure FaultOf(const Transaction* txn) {
    if (txn == nullptr || txn->handle() != nullptr) {
        return Failure();
    }
    return txn->over() ? Refusal("txn: the transaction is over", QUERN_ERR_TXN) : Moved("txn");
}
inline Failure FaultOf(const KeySet* keys) {
    return keys->handle() == nullptr ? Moved("keys") : Failure();
}

}  // namespace detail

inline Outcome<Nothing> Transaction::try_commit() {
    const Failure fault = detail::FaultOf(this);
    over_ = over_ || txn_ != nullptr;
    return fault.ok() ? detail::Run(quern_commit, txn_.release()) : Outcome<Nothing>(fault);
}

// n records by columns: each setter adds a column of n values, and then one call uses them. valid:
// a byte for each value, 0 for null or absent; empty: all are there.
class Batch {
public:
    Batch(quern_db* db, const std::string& collection, size_t n)
        : batch_(quern_batch_new(db, collection.c_str(), n)),
          n_(n),
          failure_(detail::FaultOf("collection", collection)) {}
    quern_batch* handle() const { return batch_.get(); }
    // The first mistake that the library could not see; OK: none.
    const Failure& failure() const { return failure_; }
    size_t size() const { return n_; }

    Batch ids(Span<int64_t> keys) && {
        if (Fits("ids", keys.size(), n_)) {
            quern_batch_key_int(handle(), keys.data());
        }
        return std::move(*this);
    }
    Batch ids(std::initializer_list<int64_t> keys) && { return std::move(*this).ids(Keep(keys)); }
    Batch ids(Span<std::string> keys) && { return std::move(*this).SetTextIds(keys); }
    Batch ids(std::initializer_list<std::string_view> keys) && {
        return std::move(*this).SetTextIds(Span<std::string_view>(keys.begin(), keys.size()));
    }
    Batch ints(const char* attr, Span<int64_t> values, Span<uint8_t> valid = {}) && {
        if (Fits(attr, values.size(), n_) && FitsValid(attr, valid)) {
            quern_batch_int(handle(), attr, values.data(), valid.data());
        }
        return std::move(*this);
    }
    Batch ints(const char* attr, std::initializer_list<int64_t> values) && {
        return std::move(*this).ints(attr, Keep(values));
    }
    Batch reals(const char* attr, Span<double> values, Span<uint8_t> valid = {}) && {
        if (Fits(attr, values.size(), n_) && FitsValid(attr, valid)) {
            quern_batch_real(handle(), attr, values.data(), valid.data());
        }
        return std::move(*this);
    }
    Batch reals(const char* attr, std::initializer_list<double> values) && {
        return std::move(*this).reals(attr, Keep(values));
    }
    Batch bools(const char* attr, Span<uint8_t> values, Span<uint8_t> valid = {}) && {
        if (Fits(attr, values.size(), n_) && FitsValid(attr, valid)) {
            quern_batch_bool(handle(), attr, values.data(), valid.data());
        }
        return std::move(*this);
    }
    // Texts, JSON, and texts of text fields.
    Batch texts(const char* attr, Span<std::string> values, Span<uint8_t> valid = {}) && {
        return std::move(*this).SetTexts(attr, values, valid);
    }
    Batch texts(const char* attr, std::initializer_list<std::string_view> values) && {
        return std::move(*this).SetTexts(attr,
                                         Span<std::string_view>(values.begin(), values.size()), {});
    }
    // Bytes of any kind, copied.
    Batch blobs(const char* attr, Span<std::string> values, Span<uint8_t> valid = {}) && {
        if (Fits(attr, values.size(), n_) && FitsValid(attr, valid)) {
            auto kept = std::make_shared<std::vector<std::string>>(values.begin(), values.end());
            std::vector<const void*> pointers;
            std::vector<size_t> sizes;
            for (const std::string& value : *kept) {
                pointers.push_back(value.data());
                sizes.push_back(value.size());
            }
            kept_.push_back(kept);
            const void* const* data = Keep(std::move(pointers)).data();
            quern_batch_blob(handle(), attr, data, Keep(std::move(sizes)).data(), valid.data());
        }
        return std::move(*this);
    }
    // The sets of texts of all records.
    Batch tags(const char* attr, Span<std::vector<std::string>> sets, Span<uint8_t> valid = {}) && {
        if (Fits(attr, sets.size(), n_) && FitsValid(attr, valid)) {
            std::vector<std::string> all;
            std::vector<size_t> offsets = {0};
            for (const std::vector<std::string>& set : sets) {
                all.insert(all.end(), set.begin(), set.end());
                offsets.push_back(all.size());
            }
            const char* const* pointers = KeepTexts(attr, Span<std::string>(all));
            quern_batch_tags(handle(), attr, Keep(std::move(offsets)).data(), pointers,
                             valid.data());
        }
        return std::move(*this);
    }
    // A matrix of n rows, one after the other.
    Batch dense(const char* field, Span<float> matrix, Span<uint8_t> valid = {}) && {
        const size_t dim = n_ > 0 ? matrix.size() / n_ : 0;
        if (Fits(field, matrix.size(), dim * n_) && FitsValid(field, valid)) {
            quern_batch_dense(handle(), field, matrix.data(), dim, valid.data());
        }
        return std::move(*this);
    }
    Batch dense(const char* field, std::initializer_list<float> matrix) && {
        return std::move(*this).dense(field, Keep(matrix));
    }
    // Elements of the field's own type (QUERN_F16, ...); the span's are n rows of `dim` of them.
    template <typename Element>
    Batch dense_raw(const char* field, Span<Element> matrix, int32_t type, size_t dim,
                    Span<uint8_t> valid = {}) && {
        const size_t bytes = type == QUERN_BIT   ? (dim + 7) / 8
                             : type == QUERN_I8  ? dim
                             : type == QUERN_F32 ? 4 * dim
                                                 : 2 * dim;
        if (Fits(field, matrix.size() * sizeof(Element), bytes * n_) && FitsValid(field, valid)) {
            quern_batch_dense_raw(handle(), field, matrix.data(), type, dim, valid.data());
        }
        return std::move(*this);
    }
    // Record i has the entries offsets[i] up to offsets[i + 1]; weights empty: all are 1.
    Batch sparse(const char* field, Span<size_t> offsets, Span<uint32_t> dims, Span<float> weights,
                 Span<uint8_t> valid = {}) && {
        if (Fits(field, offsets.size(), n_ + 1) && FitsOffsets(field, offsets, dims.size()) &&
            Fits(field, weights.empty() ? dims.size() : weights.size(), dims.size()) &&
            FitsValid(field, valid)) {
            quern_batch_sparse(handle(), field, offsets.data(), dims.data(), weights.data(),
                               valid.data());
        }
        return std::move(*this);
    }

    // How many records were changed.
    Outcome<size_t> try_insert(const Transaction* txn = nullptr) && {
        return Use(quern_insert, txn);
    }
    Outcome<size_t> try_upsert(const Transaction* txn = nullptr) && {
        return Use(quern_upsert, txn);
    }
    Outcome<size_t> try_update(const Transaction* txn = nullptr) && {
        return Use(quern_update, txn);
    }
    Outcome<size_t> try_erase(const Transaction* txn = nullptr) && {
        return Use(quern_delete, txn);
    }
    // Row i is the record of id i; Hit::found() tells whether it is there.
    Outcome<Rows> try_get(const char* columns = "*", const Snapshot* snapshot = nullptr) && {
        const Failure fault = failure_.ok() ? detail::FaultOf(snapshot) : failure_;
        if (!fault.ok()) {
            return fault;
        }
        return detail::Make<Rows, quern_result>(quern_get, handle(),
                                                snapshot ? snapshot->handle() : nullptr, columns);
    }
#if QUERN_HPP_EXCEPTIONS
    size_t insert(const Transaction* txn = nullptr) && {
        return std::move(*this).try_insert(txn).value();
    }
    size_t upsert(const Transaction* txn = nullptr) && {
        return std::move(*this).try_upsert(txn).value();
    }
    size_t update(const Transaction* txn = nullptr) && {
        return std::move(*this).try_update(txn).value();
    }
    size_t erase(const Transaction* txn = nullptr) && {
        return std::move(*this).try_erase(txn).value();
    }
    Rows get(const char* columns = "*", const Snapshot* snapshot = nullptr) && {
        return std::move(*this).try_get(columns, snapshot).value();
    }
#endif

private:
    template <typename T>
    Span<T> Keep(std::vector<T> values) {
        auto kept = std::make_shared<std::vector<T>>(std::move(values));
        kept_.push_back(kept);
        return Span<T>(kept->data(), kept->size());
    }
    template <typename T>
    Span<T> Keep(std::initializer_list<T> values) {
        return Keep(std::vector<T>(values));
    }
    template <typename Text>
    const char* const* KeepTexts(const char* name, Span<Text> texts) {
        auto kept = std::make_shared<detail::Texts>(texts);
        if (kept->has_nul() && failure_.message.empty()) {
            failure_ = detail::Refusal(std::string(name) + ": a text with a NUL in it");
        }
        kept_.push_back(kept);
        return kept->data();
    }
    template <typename Text>
    Batch SetTextIds(Span<Text> keys) && {
        if (Fits("ids", keys.size(), n_)) {
            quern_batch_key_text(handle(), KeepTexts("ids", keys));
        }
        return std::move(*this);
    }
    template <typename Text>
    Batch SetTexts(const char* attr, Span<Text> values, Span<uint8_t> valid) && {
        if (Fits(attr, values.size(), n_) && FitsValid(attr, valid)) {
            quern_batch_text(handle(), attr, KeepTexts(attr, values), valid.data());
        }
        return std::move(*this);
    }
    // Remembers the first column that is not as long as it must be: the library could not see that.
    bool Fits(const char* name, size_t size, size_t wanted) {
        if (size != wanted && failure_.message.empty()) {
            failure_.status = QUERN_ERR_INVALID;
            failure_.message = std::string(name) + ": " + std::to_string(size) + " values for " +
                               std::to_string(n_) + " records";
        }
        return size == wanted;
    }
    bool FitsValid(const char* name, Span<uint8_t> valid) {
        return valid.empty() || Fits(name, valid.size(), n_);
    }
    bool FitsOffsets(const char* name, Span<size_t> offsets, size_t entries) {
        return detail::AreOffsets(offsets, entries) || Fits(name, n_ + 1, n_);
    }
    template <typename Function>
    Outcome<size_t> Use(Function function, const Transaction* txn) {
        const Failure fault = failure_.ok() ? detail::FaultOf(txn) : failure_;
        Outcome<Nothing> done =
            detail::RunUnless(fault, function, handle(), txn != nullptr ? txn->handle() : nullptr);
        return done ? Outcome<size_t>(quern_batch_affected(handle()))
                    : Outcome<size_t>(done.failure());
    }

    detail::Owner<quern_batch> batch_;
    size_t n_;
    std::vector<std::shared_ptr<void>> kept_;
    Failure failure_;
};

}  // namespace cpp
}  // namespace quern

#endif  // QUERN_BATCH_HPP
