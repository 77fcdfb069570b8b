// Status and Result: how everything below the C API says that something went wrong.
//
// Functions that can fail return Status or Result<T>; exceptions are used by nobody but the
// standard library (std::bad_alloc), and the C API turns those into codes. A Status carries the
// public code and a message that names the thing. The numbers are those of quern.h (capi asserts
// that they agree): do not change them.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace quern {

enum class Code : int32_t {
    kOk = 0,
    kMisuse = -100,
    kInvalid = -101,
    kClosed = -102,
    kNotFound = -103,
    kUnknownField = -104,
    kExists = -105,
    kKeyExists = -106,
    kDuplicateKey = -107,
    kDimension = -108,
    kType = -109,
    kNotFinite = -110,
    kReadOnly = -111,
    kTxn = -112,
    kSql = -113,
    kOption = -114,
    kMalformed = -115,
    kLimit = -200,
    kNoMem = -201,
    kBusy = -300,
    kIo = -400,
    kFull = -401,
    kCantOpen = -402,
    kOutcomeUnknown = -403,
    kPoisoned = -404,
    kCorrupt = -500,
    kTruncated = -501,
    kNotADatabase = -600,
    kNewer = -601,
    kInterrupted = -700,
    kInternal = -900,
};

class [[nodiscard]] Status {
public:
    Status() = default;  // OK: no allocation
    static Status Ok() { return {}; }
    // printf-style message.
    static Status Error(Code code, const char* format, ...) __attribute__((format(printf, 2, 3)));
    static Status ErrorV(Code code, const char* format, va_list args);

    bool ok() const { return state_ == nullptr; }
    Code code() const { return state_ ? state_->code : Code::kOk; }
    const std::string& message() const;
    int32_t detail() const { return state_ ? state_->detail : 0; }  // extended SQLite code
    int32_t os_errno() const {
        return state_ ? state_->os_errno : 0;
    }  // errno of the failed system call
    Status& WithDetail(int32_t detail, int32_t os_errno);
    // Puts "context: " before the message, unless it begins with the context already.
    Status& WithContext(const std::string& context);

private:
    struct State {
        Code code = Code::kInternal;
        int32_t detail = 0;
        int32_t os_errno = 0;
        std::string message;
    };
    std::shared_ptr<State> state_;
};

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}         // NOLINT: a value is a result
    Result(Status status) : value_(std::move(status)) {}  // NOLINT: an error is a result
    bool ok() const { return std::holds_alternative<T>(value_); }
    Status status() const { return ok() ? Status() : std::get<Status>(value_); }
    T& value() { return std::get<T>(value_); }
    const T& value() const { return std::get<T>(value_); }
    T& operator*() { return value(); }
    const T& operator*() const { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, Status> value_;
};

#define QUERN_CONCAT_(a, b) a##b
#define QUERN_CONCAT(a, b) QUERN_CONCAT_(a, b)

// Leaves the function with the error of an expression that gives a Status.
#define QUERN_TRY(expression) QUERN_TRY_(QUERN_CONCAT(try_status_, __COUNTER__), expression)
#define QUERN_TRY_(status, expression)         \
    do {                                       \
        ::quern::Status status = (expression); \
        if (!status.ok()) {                    \
            return status;                     \
        }                                      \
    } while (0)

// QUERN_ASSIGN(auto x, F()): x becomes the value of the Result that F gives, or the function leaves
// with its error.
#define QUERN_ASSIGN(lhs, expression) \
    QUERN_ASSIGN_(QUERN_CONCAT(try_result_, __COUNTER__), lhs, expression)
#define QUERN_ASSIGN_(result, lhs, expression) \
    auto result = (expression);                \
    if (!result.ok()) {                        \
        return result.status();                \
    }                                          \
    lhs = std::move(result.value())

}  // namespace quern
