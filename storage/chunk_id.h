// The row of quern_chunk that a chunk of a part is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "storage/catalog.h"

namespace quern::storage {

inline int64_t ChunkId(int64_t part, size_t chunk) {
    return part * (int64_t{1} << kChunkIdBits) + static_cast<int64_t>(chunk);
}

}  // namespace quern::storage
