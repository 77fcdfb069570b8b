#include "storage/base/status.h"

#include <cstdio>

namespace quern {

Status Status::Error(Code code, const char* format, ...) {
    va_list args;
    va_start(args, format);
    Status status = ErrorV(code, format, args);
    va_end(args);
    return status;
}

Status Status::ErrorV(Code code, const char* format, va_list args) {
    // Longer messages would be cut at the C border anyway (QUERN_MESSAGE_BYTES).
    char text[1024];
    std::vsnprintf(text, sizeof text, format, args);
    Status status;
    status.state_ = std::make_shared<State>();
    status.state_->code = code;
    status.state_->message = text;
    return status;
}

const std::string& Status::message() const {
    static const std::string empty;
    return state_ ? state_->message : empty;
}

Status& Status::WithDetail(int32_t detail, int32_t os_errno) {
    if (state_) {
        state_->detail = detail;
        state_->os_errno = os_errno;
    }
    return *this;
}

Status& Status::WithContext(const std::string& context) {
    if (state_ && (state_->message.compare(0, context.size(), context) != 0 ||
                   state_->message.find_first_of(":,", context.size()) != context.size())) {
        state_->message = context + ": " + state_->message;
    }
    return *this;
}

}  // namespace quern
