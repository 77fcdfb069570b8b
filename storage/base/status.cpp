#include "storage/base/status.h"

#include <cstdio>
#include <new>
#include <vector>

namespace quern {

namespace {

// Of the errors that are made in advance, for when there is no memory: they are never changed.
constexpr const char* kNoText = "(no memory to say what was wrong)";

}  // namespace

Status Status::Error(Code code, const char* format, ...) {
    va_list args;
    va_start(args, format);
    Status status = ErrorV(code, format, args);
    va_end(args);
    return status;
}

// Errors are told when memory has run out, too, and by destructors and threads, out of which
// nothing may be thrown. So this never throws: without memory the code stays, and the message is
// lost.
Status Status::ErrorV(Code code, const char* format, va_list args) {
    // Longer messages would be cut at the C border anyway (QUERN_MESSAGE_BYTES).
    char text[1024];
    std::vsnprintf(text, sizeof text, format, args);
    // Made when the library is loaded; see below.
    static const std::vector<std::shared_ptr<State>>* const spares = [] {
        auto* made = new std::vector<std::shared_ptr<State>>();
        for (const Code spare :
             {Code::kMisuse,       Code::kInvalid,   Code::kClosed,         Code::kNotFound,
              Code::kUnknownField, Code::kExists,    Code::kKeyExists,      Code::kDuplicateKey,
              Code::kDimension,    Code::kType,      Code::kNotFinite,      Code::kReadOnly,
              Code::kTxn,          Code::kSql,       Code::kOption,         Code::kMalformed,
              Code::kLimit,        Code::kNoMem,     Code::kBusy,           Code::kIo,
              Code::kFull,         Code::kCantOpen,  Code::kOutcomeUnknown, Code::kPoisoned,
              Code::kCorrupt,      Code::kTruncated, Code::kNotADatabase,   Code::kNewer,
              Code::kInterrupted,  Code::kInternal}) {
            made->push_back(std::make_shared<State>());
            made->back()->code = spare;
            made->back()->message = kNoText;
        }
        return made;
    }();
    Status status;
    try {
        auto state = std::make_shared<State>();
        state->code = code;
        state->message = text;
        status.state_ = std::move(state);
    } catch (const std::bad_alloc&) {
        for (const std::shared_ptr<State>& spare : *spares) {
            if (spare->code == code || status.state_ == nullptr) {
                status.state_ = spare;
            }
        }
    }
    return status;
}

const std::string& Status::message() const {
    static const std::string empty;
    return state_ ? state_->message : empty;
}

Status& Status::WithDetail(int32_t detail, int32_t os_errno) {
    if (state_ && state_->message != kNoText) {
        state_->detail = detail;
        state_->os_errno = os_errno;
    }
    return *this;
}

Status& Status::WithContext(const std::string& context) {
    if (state_ && state_->message != kNoText &&
        (state_->message.compare(0, context.size(), context) != 0 ||
         state_->message.find_first_of(":,", context.size()) != context.size())) {
        try {
            state_->message = context + ": " + state_->message;
        } catch (const std::bad_alloc&) {
            // Without it, then.
        }
    }
    return *this;
}

namespace {

[[maybe_unused]] const bool kSparesAreMade = !Status::Error(Code::kNoMem, "out of memory").ok();

}  // namespace

}  // namespace quern
