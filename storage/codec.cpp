#include "storage/codec.h"

#include <zstd.h>

#include <cstring>
#include <memory>

#include "storage/file_store.h"

namespace quern::storage {

namespace {

// 2^18 covers a chunk; a frame that asks for more is not ours.
constexpr int kWindowLogMax = 18;

template <size_t kBytes>
void SplitBytes(const char* in, size_t elements, char* out) {
    for (size_t i = 0; i < elements; i++) {
        for (size_t b = 0; b < kBytes; b++) {
            out[b * elements + i] = in[i * kBytes + b];
        }
    }
}

template <size_t kBytes>
void JoinBytes(const char* in, size_t elements, char* out) {
    for (size_t i = 0; i < elements; i++) {
        for (size_t b = 0; b < kBytes; b++) {
            out[i * kBytes + b] = in[b * elements + i];
        }
    }
}

// Of one that splits.
size_t ElementBytes(Codec codec) {
    return codec == Codec::kSplit2 ? 2 : codec == Codec::kSplit4 ? 4 : 8;
}

// Elements first, then the bytes that do not fill one.
void Split(Codec codec, BytesView raw, char* out) {
    const size_t width = ElementBytes(codec);
    const size_t elements = raw.size() / width;
    switch (width) {
        case 2: SplitBytes<2>(raw.data(), elements, out); break;
        case 4: SplitBytes<4>(raw.data(), elements, out); break;
        default: SplitBytes<8>(raw.data(), elements, out); break;
    }
    const size_t done = elements * width;
    std::memcpy(out + done, raw.data() + done, raw.size() - done);
}

void Join(Codec codec, const char* in, size_t size, char* out) {
    const size_t width = ElementBytes(codec);
    const size_t elements = size / width;
    switch (width) {
        case 2: JoinBytes<2>(in, elements, out); break;
        case 4: JoinBytes<4>(in, elements, out); break;
        default: JoinBytes<8>(in, elements, out); break;
    }
    const size_t done = elements * width;
    std::memcpy(out + done, in + done, size - done);
}

struct FreeCompress {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompress {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// A zstd context is a megabyte to set up: each thread keeps one.
ZSTD_CCtx* CompressContext() {
    thread_local std::unique_ptr<ZSTD_CCtx, FreeCompress> context(ZSTD_createCCtx());
    return context.get();
}
ZSTD_DCtx* DecompressContext() {
    thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompress> context(ZSTD_createDCtx());
    return context.get();
}

}  // namespace

Codec Encode(Codec wanted, BytesView raw, Effort effort, Bytes* stored) {
    if (wanted != Codec::kRaw && !raw.empty()) {
        Bytes split;
        BytesView source = raw;
        if (wanted != Codec::kZstd) {
            split.resize(raw.size());
            Split(wanted, raw, split.data());
            source = split;
        }
        ZSTD_CCtx* context = CompressContext();
        if (context != nullptr) {
            stored->resize(ZSTD_compressBound(source.size()));
            const size_t size =
                ZSTD_compressCCtx(context, stored->data(), stored->size(), source.data(),
                                  source.size(), effort == Effort::kBest ? 3 : 1);
            if (!ZSTD_isError(size) && size < raw.size()) {
                stored->resize(size);
                return wanted;
            }
        }
    }
    stored->assign(raw.data(), raw.size());
    return Codec::kRaw;
}

Codec ChooseCodec(BytesView sample, size_t element_bytes, Effort effort) {
    if (sample.size() < 64) {
        return Codec::kRaw;
    }
    const Codec split = element_bytes == 8   ? Codec::kSplit8
                        : element_bytes == 4 ? Codec::kSplit4
                        : element_bytes == 2 ? Codec::kSplit2
                                             : Codec::kZstd;
    Bytes stored;
    Codec best = Codec::kRaw;
    size_t best_size = effort == Effort::kFast   ? sample.size() * 2 / 3
                       : effort == Effort::kLoad ? sample.size() / 2
                                                 : sample.size() * 94 / 100;
    for (const Codec codec : {split, Codec::kZstd}) {
        // Plain zstd must beat the split by a tenth: it decodes no faster where both work.
        if (Encode(codec, sample, effort, &stored) == codec && stored.size() <= best_size) {
            best = codec;
            best_size = stored.size() * 9 / 10;
        }
        if (split == Codec::kZstd) {
            break;
        }
    }
    return best;
}

Status Decode(uint32_t codec, BytesView stored, char* out, size_t raw_bytes) {
    if (codec > static_cast<uint32_t>(Codec::kSplit8)) {
        return Status::Error(Code::kCorrupt, "unknown codec %u", codec);
    }
    const Codec known = static_cast<Codec>(codec);
    if (known == Codec::kRaw) {
        if (stored.size() != raw_bytes) {
            return Status::Error(Code::kCorrupt, "raw chunk has %zu bytes instead of %zu",
                                 stored.size(), raw_bytes);
        }
        std::memcpy(out, stored.data(), raw_bytes);
        return {};
    }
    const unsigned long long declared = ZSTD_getFrameContentSize(stored.data(), stored.size());
    if (declared != raw_bytes) {
        return Status::Error(Code::kCorrupt, "compressed chunk does not declare %zu bytes",
                             raw_bytes);
    }
    ZSTD_DCtx* context = DecompressContext();
    if (context == nullptr) {
        return Status::Error(Code::kNoMem, "out of memory");
    }
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kWindowLogMax);
    std::unique_ptr<char[]> split;
    char* target = out;
    if (known != Codec::kZstd) {
        split.reset(new char[raw_bytes]);
        target = split.get();
    }
    const size_t size =
        ZSTD_decompressDCtx(context, target, raw_bytes, stored.data(), stored.size());
    if (ZSTD_isError(size) || size != raw_bytes) {  // never: another size than it declares
        return Status::Error(Code::kCorrupt, "compressed chunk does not decode");
    }
    if (known != Codec::kZstd) {
        Join(known, split.get(), raw_bytes, out);
    }
    return {};
}

const char* ZstdVersion() {
    return ZSTD_versionString();
}

}  // namespace quern::storage
