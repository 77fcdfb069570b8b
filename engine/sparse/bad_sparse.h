// What a sparse index says of bytes that cannot be its own.
#pragma once

#include "storage/base/status.h"

namespace quern::sparse {

inline Status BadIndex(const char* what) {
    return Status::Error(Code::kCorrupt, "sparse index: %s", what);
}

}  // namespace quern::sparse
