// What a dense index says of bytes that cannot be its own.
#pragma once

#include "storage/base/status.h"

namespace quern::dense {

inline Status BadIndex(const char* what) {
    return Status::Error(Code::kCorrupt, "index: %s", what);
}

}  // namespace quern::dense
