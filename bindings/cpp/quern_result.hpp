// Spans, outcomes and what comes back: a part of quern.hpp, which has the manual.
#ifndef QUERN_RESULT_HPP
#define QUERN_RESULT_HPP

#include <quern.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define QUERN_HPP_EXCEPTIONS 1
#include <stdexcept>
#else
#define QUERN_HPP_EXCEPTIONS 0
#endif

namespace quern {
inline namespace cpp {

// Elements that lie one after the other: of a vector, an array, a list in braces. C++20's
// std::span, for C++17.
template <typename T>
class Span {
public:
    constexpr Span() = default;
    constexpr Span(const T* data, size_t size) : data_(data), size_(size) {}
    template <size_t N>
    constexpr Span(const T (&array)[N]) : data_(array), size_(N) {}
    template <typename Container, typename = std::enable_if_t<std::is_convertible_v<
                                      decltype(std::declval<const Container&>().data()), const T*>>>
    constexpr Span(const Container& container) : data_(container.data()), size_(container.size()) {}

    constexpr const T* data() const { return data_; }
    constexpr size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr const T* begin() const { return data_; }
    constexpr const T* end() const { return data_ + size_; }
    constexpr const T& operator[](size_t i) const { return data_[i]; }

private:
    const T* data_ = nullptr;
    size_t size_ = 0;
};

// What went wrong: the code of quern.h, its family in hundreds, and a message that names what was
// wrong.
struct Failure {
    int32_t status = QUERN_OK;
    int32_t detail = 0;
    int32_t os_errno = 0;
    std::string message;
    int32_t family() const {
        return status / 100 * 100;
    }  // -100 usage, -200 limit, ..., see quern.h
    const char* name() const { return quern_status_name(status); }
    bool ok() const { return status == QUERN_OK; }
};

#if QUERN_HPP_EXCEPTIONS
class Error : public std::runtime_error {
public:
    explicit Error(Failure failure)
        : std::runtime_error(failure.message), failure_(std::move(failure)) {}
    int32_t status() const { return failure_.status; }
    const Failure& failure() const { return failure_; }

private:
    Failure failure_;
};
#endif

struct Nothing {};

// A value, or why there is none.
template <typename T>
class [[nodiscard]] Outcome {
public:
    Outcome(T value) : value_(std::make_unique<T>(std::move(value))) {}
    Outcome(Failure failure) : failure_(std::move(failure)) {}
    bool ok() const { return value_ != nullptr; }
    explicit operator bool() const { return ok(); }
    const Failure& failure() const { return failure_; }
    // Only of an outcome that is ok().
    T& operator*() { return *value_; }
    T* operator->() { return value_.get(); }
#if QUERN_HPP_EXCEPTIONS
    // The value; throws Error when there is none.
    T value() {
        if (!ok()) {
            throw Error(failure_);
        }
        return std::move(*value_);
    }
#endif

private:
    std::unique_ptr<T> value_;
    Failure failure_;
};

namespace detail {

struct Deleter {
    void operator()(quern_db* h) const { quern_close(h); }
    void operator()(quern_schema* h) const { quern_schema_free(h); }
    void operator()(quern_txn* h) const { quern_rollback(h); }
    void operator()(quern_batch* h) const { quern_batch_free(h); }
    void operator()(quern_snapshot* h) const { quern_snapshot_free(h); }
    void operator()(quern_query* h) const { quern_query_free(h); }
    void operator()(quern_cursor* h) const { quern_cursor_free(h); }
    void operator()(quern_result* h) const { quern_result_free(h); }
    void operator()(quern_keys* h) const { quern_keys_free(h); }
    void operator()(quern_text* h) const { quern_text_free(h); }
};
template <typename T>
using Owner = std::unique_ptr<T, Deleter>;

inline Failure FailureOf(const quern_error& err) {
    return Failure{err.status, err.detail, err.os_errno, err.message};
}

// Runs a call whose last argument is the error.
template <typename Function, typename... Arguments>
Outcome<Nothing> Run(Function function, Arguments... arguments) {
    quern_error err = QUERN_ERROR_INIT;
    if (function(arguments..., &err) != QUERN_OK) {
        return FailureOf(err);
    }
    return Nothing{};
}

// The same for a call that makes something: its last argument but one is where the handle goes.
template <typename Made, typename Handle, typename Function, typename... Arguments>
Outcome<Made> Make(Function function, Arguments... arguments) {
    quern_error err = QUERN_ERROR_INIT;
    Handle* handle = nullptr;
    if (function(arguments..., &handle, &err) != QUERN_OK) {
        return FailureOf(err);
    }
    return Made(Owner<Handle>(handle));
}

// A mistake that the library could not see.
inline Failure Refusal(std::string message, int32_t status = QUERN_ERR_INVALID) {
    Failure failure;
    failure.status = status;
    failure.message = std::move(message);
    return failure;
}

// An owner that has nothing any more. Where it may be left out its handle, NULL, would pass for
// that.
inline Failure Moved(const char* what) {
    return Refusal(std::string(what) + ": it was moved from", QUERN_ERR_MISUSE);
}

// Do they rise from 0 to the number of entries?
inline bool AreOffsets(Span<size_t> offsets, size_t entries) {
    bool rising = !offsets.empty() && offsets[0] == 0 && offsets[offsets.size() - 1] == entries;
    for (size_t i = 0; i + 1 < offsets.size() && rising; i++) {
        rising = offsets[i] <= offsets[i + 1];
    }
    return rising;
}

// C would end a text there.
inline bool HasNul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

// OK, or that a name or path has a NUL in it.
inline Failure FaultOf(const char* what, const std::string& text) {
    return HasNul(text) ? Refusal(std::string(what) + ": a text with a NUL in it") : Failure();
}

// Texts as C wants them. The copies stay where they are when this is moved.
class Texts {
public:
    template <typename Text>
    explicit Texts(const Span<Text>& texts)
        : copies_(std::make_unique<std::vector<std::string>>()) {
        copies_->reserve(texts.size());
        for (const Text& text : texts) {
            copies_->emplace_back(text);
        }
        for (const std::string& copy : *copies_) {
            pointers_.push_back(copy.c_str());
            has_nul_ = has_nul_ || HasNul(copy);
        }
    }
    const char* const* data() const { return pointers_.data(); }
    bool has_nul() const { return has_nul_; }

private:
    std::unique_ptr<std::vector<std::string>> copies_;
    std::vector<const char*> pointers_;
    bool has_nul_ = false;
};

// Throws std::out_of_range, where there are exceptions.
inline void CheckIndex(size_t index, size_t size, const char* what) {
#if QUERN_HPP_EXCEPTIONS
    if (index >= size) {
        throw std::out_of_range(std::string(what)
                                    .append(" ")
                                    .append(std::to_string(index))
                                    .append(" of ")
                                    .append(std::to_string(size)));
    }
#else
    (void)index, (void)size, (void)what;
#endif
}

inline std::string TakeText(quern_text* text) {
    const Owner<quern_text> owner(text);
    return std::string(quern_text_data(text), quern_text_size(text));
}

// Runs a call that takes names, unless one of them was refused.
template <typename Function, typename... Arguments>
Outcome<Nothing> RunUnless(const Failure& fault, Function function, Arguments... arguments) {
    return fault.ok() ? Run(function, arguments...) : Outcome<Nothing>(fault);
}

}  // namespace detail

class Rows;

// One row of Rows; valid as long as these are.
class Hit {
public:
    Hit(const quern_result* result, size_t row) : result_(result), row_(row) {}
    size_t row() const { return row_; }
    // Was the key of a get() there?
    bool found() const { return quern_result_found(result_, row_) != 0; }
    int64_t id() const { return quern_result_key_int(result_, row_); }
    std::string_view text_id() const {
        const char* key = quern_result_key_text(result_, row_);
        return key != nullptr ? key : std::string_view();
    }
    float distance() const { return quern_result_distance(result_, row_); }
    float score() const { return quern_result_score(result_, row_); }
    double leg_score(size_t leg) const { return quern_result_leg_score(result_, row_, leg); }
    double leg_part(size_t leg) const { return quern_result_leg_part(result_, row_, leg); }
    int64_t group() const { return quern_result_group(result_, row_); }
    bool is_null(size_t column) const { return quern_result_type(result_, row_, column) == 0; }
    int64_t integer(size_t column) const { return quern_result_int(result_, row_, column); }
    double real(size_t column) const { return quern_result_real(result_, row_, column); }
    // Texts, JSON, tags (a JSON array) and blobs.
    std::string_view text(size_t column) const {
        size_t size = 0;
        const char* data = quern_result_text(result_, row_, column, &size);
        return data != nullptr ? std::string_view(data, size) : std::string_view();
    }
    // A vector of f32; empty where there is none, or where the field has other elements
    // (quern_result_dense_type).
    Span<float> dense(size_t column) const {
        size_t dim = 0;
        const void* data = quern_result_dense(result_, row_, column, &dim);
        const bool floats = quern_result_dense_type(result_, column) == QUERN_F32;
        return data != nullptr && floats ? Span<float>(static_cast<const float*>(data), dim)
                                         : Span<float>();
    }
    // The dimensions of a sparse vector and their weights.
    std::pair<Span<uint32_t>, Span<float>> sparse(size_t column) const {
        const float* weights = nullptr;
        size_t n = 0;
        const uint32_t* dims = quern_result_sparse(result_, row_, column, &weights, &n);
        return {Span<uint32_t>(dims, n), Span<float>(weights, n)};
    }

private:
    const quern_result* result_;
    size_t row_;
};

// What came back: rows, and columns beside them. Iterates over all rows; query(i) is the range of
// one query.
class Rows {
public:
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Hit;
        using difference_type = std::ptrdiff_t;
        using pointer = const Hit*;
        using reference = Hit;
        Iterator(const quern_result* result, size_t row) : result_(result), row_(row) {}
        Hit operator*() const { return Hit(result_, row_); }
        Iterator& operator++() {
            row_++;
            return *this;
        }
        bool operator==(const Iterator& other) const { return row_ == other.row_; }
        bool operator!=(const Iterator& other) const { return row_ != other.row_; }

    private:
        const quern_result* result_;
        size_t row_;
    };
    struct Range {
        Iterator first, last;
        size_t count;
        Iterator begin() const { return first; }
        Iterator end() const { return last; }
        size_t size() const { return count; }
    };

    explicit Rows(detail::Owner<quern_result> result) : result_(std::move(result)) {}
    const quern_result* handle() const { return result_.get(); }
    size_t size() const { return quern_result_rows(handle()); }
    bool empty() const { return size() == 0; }
    // Throws std::out_of_range from size() on; without exceptions its getters give 0 and "" there.
    Hit operator[](size_t row) const {
        detail::CheckIndex(row, size(), "row");
        return Hit(handle(), row);
    }
    Iterator begin() const { return Iterator(handle(), 0); }
    Iterator end() const { return Iterator(handle(), size()); }
    size_t queries() const { return quern_result_queries(handle()); }
    // Throws std::out_of_range from queries() on; without exceptions the range is empty there.
    Range query(size_t i) const {
        detail::CheckIndex(i, queries(), "query");
        const size_t first = quern_result_offset(handle(), i),
                     last = quern_result_offset(handle(), i + 1);
        return Range{Iterator(handle(), first), Iterator(handle(), last), last - first};
    }
    Span<int64_t> ids() const {
        const int64_t* keys = quern_result_keys_int(handle());
        return Span<int64_t>(keys, keys != nullptr ? size() : 0);
    }
    Span<float> distances() const {
        const float* distances = quern_result_distances(handle());
        return Span<float>(distances, distances != nullptr ? size() : 0);
    }
    Span<float> scores() const {
        const float* scores = quern_result_scores(handle());
        return Span<float>(scores, scores != nullptr ? size() : 0);
    }
    bool has_text_ids() const { return quern_result_key_type(handle()) == QUERN_TEXT; }
    size_t legs() const { return quern_result_legs(handle()); }
    // Whole columns, copied, with a place for each row: 0 where a row has no value of that kind.
    // present: gets a byte for each row.
    std::vector<int64_t> integers(size_t column, std::vector<uint8_t>* present = nullptr) const {
        std::vector<int64_t> values(size());
        quern_result_column_int(handle(), column, values.data(), Places(present));
        return values;
    }
    std::vector<double> reals(size_t column, std::vector<uint8_t>* present = nullptr) const {
        std::vector<double> values(size());
        quern_result_column_real(handle(), column, values.data(), Places(present));
        return values;
    }
    size_t columns() const { return quern_result_columns(handle()); }
    const char* column_name(size_t column) const {
        return quern_result_column_name(handle(), column);
    }
    int32_t column_type(size_t column) const { return quern_result_column_type(handle(), column); }
    uint32_t flags() const { return quern_result_flags(handle()); }
    bool exact() const { return (flags() & QUERN_FLAG_EXACT) != 0; }
    bool partial() const { return (flags() & QUERN_FLAG_PARTIAL) != 0; }
    int64_t stat(int32_t stat) const { return quern_result_stat(handle(), stat); }
    int64_t leg_stat(size_t leg, int32_t stat) const {
        return quern_result_leg_stat(handle(), leg, stat);
    }
    // Of a search: how it was done, the plan beside what was counted, as JSON; "" for others.
    std::string explain() const {
        quern_text* text = nullptr;
        return quern_result_explain(handle(), &text, nullptr) == QUERN_OK ? detail::TakeText(text)
                                                                          : std::string();
    }
    // Of a list, or a search with one query; empty where there is none.
    std::string bookmark() const {
        const char* text = quern_result_bookmark(handle());
        return text != nullptr ? text : "";
    }

private:
    uint8_t* Places(std::vector<uint8_t>* present) const {
        return present != nullptr ? (present->resize(size()), present->data()) : nullptr;
    }

    detail::Owner<quern_result> result_;
};

}  // namespace cpp
}  // namespace quern

#endif  // QUERN_RESULT_HPP
