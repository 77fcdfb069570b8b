// The arrays of an index out of the bytes of a fuzz target: for each its length (2 bytes, little
// endian) and its bytes, as far as there are any.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "storage/base/buffer.h"
#include "storage/base/bytes.h"

namespace quern {

inline BytesView TakeArray(ByteReader* reader) {
    const size_t low = reader->U8();
    const size_t length = low | static_cast<size_t>(reader->U8()) << 8;
    return reader->Take(std::min(length, reader->left()));
}

inline void CopyArray(BytesView bytes, Buffer* array) {
    if (!bytes.empty()) {
        *array = Buffer(bytes.size(), nullptr);
        std::memcpy(array->data(), bytes.data(), bytes.size());
    }
}

// The first one is the head, which is no buffer.
inline std::string TakeArrays(ByteReader* reader, std::span<Buffer> arrays) {
    const BytesView first = TakeArray(reader);
    for (Buffer& array : arrays.subspan(1)) {
        CopyArray(TakeArray(reader), &array);
    }
    return first.empty() ? std::string() : std::string(first.data(), first.size());
}

}  // namespace quern
