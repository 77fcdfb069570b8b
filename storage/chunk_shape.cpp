#include "storage/chunk_shape.h"

#include <algorithm>

namespace quern::storage {

namespace {

// Raw bytes of a compressed chunk. A look decodes a whole chunk, at about 2 us a KiB; larger ones
// shrink little more (f32 of SIFT: .309 of 2 KiB, .287 of 4, .275 of 8, .262 of 256).
constexpr size_t kPackedBytes = 6 << 10;
// To be decoded at each look, a codec must save a fifth. Embeddings of texts save a twentieth.
constexpr double kPackedMost = 0.8;
// The directory of a part is in memory while its collection is open, 24 bytes a chunk.
constexpr uint64_t kLookChunksMax = uint64_t{1} << 18;

// SQLite keeps a row on a leaf page if that has room, else it keeps a piece of it there and the
// rest on pages of its own (fileformat2.html, 1.6). With pages of 16 KiB and 64 bytes reserved:
constexpr size_t kUsable = 16320;
constexpr size_t kLeafRoom = kUsable - 8;
constexpr size_t kRowOverhead = 16;  // place on the page, lengths, id, header of the record
constexpr size_t kLocalMost = kUsable - 35 - kRowOverhead;
constexpr size_t kLocalLeast = (kUsable - 12) * 32 / 255 - 23;
constexpr size_t kOverflowRoom = kUsable - 4;
// So much of the file may be lost to rounding where that saves reading.
constexpr double kLossMost = 1.15;

struct Pages {
    double stored = 0;  // pages that a chunk takes
    size_t read = 0;    // pages that a look at it reads
};

Pages PagesOf(size_t chunk_bytes) {
    size_t local = chunk_bytes;
    size_t overflow = 0;
    if (chunk_bytes > kLocalMost) {
        local = kLocalLeast + (chunk_bytes - kLocalLeast) % kOverflowRoom;
        local = local > kLocalMost ? kLocalLeast : local;
        overflow = (chunk_bytes - local + kOverflowRoom - 1) / kOverflowRoom;
    }
    const size_t on_leaf = std::max<size_t>(1, kLeafRoom / (local + kRowOverhead));
    return {static_cast<double>(overflow) + 1.0 / static_cast<double>(on_leaf), overflow + 1};
}

// Items of a raw chunk: as few pages a look as the space allows. Within the same pages more items
// are better: fewer chunks.
uint32_t RawItems(size_t item_bytes) {
    constexpr double kPage = 16384;
    uint32_t best = 1;
    double best_loss = 0;
    size_t best_read = 0;
    for (uint32_t items = 1; items * item_bytes <= std::max(item_bytes, 8 * kUsable); items++) {
        const Pages pages = PagesOf(items * item_bytes);
        const double loss =
            std::max(pages.stored * kPage / static_cast<double>(items * item_bytes), kLossMost);
        const bool better =
            best_read == 0 || loss < best_loss || (loss == best_loss && pages.read <= best_read);
        if (better) {
            best = items;
            best_loss = loss;
            best_read = pages.read;
        }
    }
    return best;
}

}  // namespace

ChunkShape ShapeForLooks(BytesView sample, size_t item_bytes, size_t element_bytes,
                         uint64_t expected_items) {
    ChunkShape shape;
    const auto most = static_cast<uint32_t>(kChunkBytesMax / item_bytes);
    const uint64_t least = (expected_items + kLookChunksMax - 1) / kLookChunksMax;
    const auto clamped = [&](size_t items) {
        return static_cast<uint32_t>(
            std::clamp<uint64_t>(std::max<uint64_t>(items, least), 1, most));
    };
    shape.items = clamped(kPackedBytes / item_bytes);
    const size_t bytes = shape.items * item_bytes;
    const Codec codec = ChooseCodec(sample, element_bytes, Effort::kBest);
    if (codec != Codec::kRaw) {
        size_t raw = 0;
        size_t packed = 0;
        Bytes stored;
        for (size_t at = 0; at < sample.size(); at += bytes) {
            const BytesView piece = sample.substr(at, bytes);
            Encode(codec, piece, Effort::kBest, &stored);
            raw += piece.size();
            packed += stored.size();
        }
        if (static_cast<double>(packed) <= static_cast<double>(raw) * kPackedMost) {
            shape.codec = codec;
            return shape;
        }
    }
    shape.items = clamped(RawItems(item_bytes));
    return shape;
}

}  // namespace quern::storage
