// How large the chunks of a part are. Arrays that are read from one end to the other want large
// chunks: they compress best and cost least each. Where somebody looks at one item here and one
// there, a look should read little and decode less.
#pragma once

#include "storage/codec.h"

namespace quern::storage {

enum class ChunkUse {
    kWhole,  // read in order, or as a whole
    kLooks,  // single items are looked at, anywhere
};

struct ChunkShape {
    uint32_t items = 1;  // of a chunk
    Codec codec = Codec::kRaw;
};

// So many bytes of a part tell its shape.
inline constexpr size_t kShapeSampleBytes = 64 << 10;

// The shape for looks. sample: the first items of the part; expected_items: how many it will have
// at the most.
ChunkShape ShapeForLooks(BytesView sample, size_t item_bytes, size_t element_bytes,
                         uint64_t expected_items);

}  // namespace quern::storage
