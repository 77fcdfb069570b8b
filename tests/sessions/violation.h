// What a test of sessions says when a promise is broken: an exception that names it. Programs that
// run for hours print it with the seed, and go on with the next sequence.
#pragma once

#include <quern.h>

#include <stdexcept>
#include <string>

namespace sessions {

struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void Want(bool holds, const std::string& what) {
    if (!holds) {
        throw Violation(what);
    }
}

// A call that must succeed.
inline void Ok(int32_t status, const quern_error& err, const char* call) {
    if (status != QUERN_OK) {
        throw Violation(std::string(call) + ": " + quern_status_name(status) + ": " + err.message);
    }
}

}  // namespace sessions
