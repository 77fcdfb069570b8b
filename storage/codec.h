// Chunk codecs: how the bytes of a chunk are stored. A chunk is stored by whichever codec pays.
//
//   0 raw      the bytes themselves
//   1 zstd     one zstd frame with its content size
//   2..4       byte-split + zstd: the chunk is seen as elements of 2, 4, 8 bytes; byte 0 of all
//   elements comes first, then byte 1, ...;
//              exponents and high bytes of neighbours are alike, so that floats shrink by 10 to 60
//              %
//
// The numbers reach the file: do not change them. Decode is a pure function over hostile bytes: it
// never writes more than raw_bytes, and allocates nothing before the frame's declared size equals
// what the catalog says.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::storage {

enum class Codec : uint32_t { kRaw = 0, kZstd = 1, kSplit2 = 2, kSplit4 = 3, kSplit8 = 4 };

inline constexpr size_t kChunkBytesMax = 256 << 10;  // unit of I/O, checking and decoding

// How hard to look for a smaller form.
enum class Effort {
    kFast,  // the way in: only codecs that save a third, so that writing stays at the speed of the
            // disk
    kBest,  // merges: everything that saves 6 %
    kLoad,  // what is loaded whole before the first answer: only codecs that save half
};

// The best codec for a sample, elements of element_bytes (1, 2, 4 or 8).
Codec ChooseCodec(BytesView sample, size_t element_bytes, Effort effort);
// Encodes; falls back to raw when the codec does not shrink this chunk. Returns the codec that was
// used.
Codec Encode(Codec wanted, BytesView raw, Effort effort, Bytes* stored);
// Decodes exactly raw_bytes bytes to out. kCorrupt when the bytes are not a valid chunk of that
// size.
Status Decode(uint32_t codec, BytesView stored, char* out, size_t raw_bytes);

}  // namespace quern::storage
