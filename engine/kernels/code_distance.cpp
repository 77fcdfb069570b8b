// Packing of codes and queries, and the choice of the loops that multiply them; the loops are in
// code_dots-inl.h. The baseline has loops of its own: one vector lane at a time would be slower
// than what a compiler makes of plain code.
#include "engine/kernels/code_distance.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "engine/kernels/simd_level.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/code_distance.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef QUERN_ENGINE_KERNELS_CODE_DISTANCE_ONCE_
#define QUERN_ENGINE_KERNELS_CODE_DISTANCE_ONCE_
namespace quern::kernels {

inline constexpr size_t kBlockBytes = 64;
inline constexpr size_t kShortBlockBytes = 32;

// What one scan works on. picked == NULL: rows 0, 1, 2, ...
struct CodeScan {
    const uint8_t* rows;
    const uint32_t* picked;
    size_t count;
};

}  // namespace quern::kernels
#endif

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#include "engine/kernels/code_dots-inl.h"
#if HWY_TARGET == HWY_AVX3
#define QUERN_CODE_DOTS_VNNI
#include "engine/kernels/code_dots-inl.h"
#undef QUERN_CODE_DOTS_VNNI
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

int32_t PlainDot(const int8_t* weights, const uint8_t* codes, size_t count) {
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += codes[i] * weights[i];
    }
    return sum;
}

int32_t PlainSmallDot(const int8_t* weights, const uint8_t* row, size_t row_bytes) {
    int32_t sum = 0;
    for (size_t at = 0; at < row_bytes; at += kBlockBytes) {
        const size_t block_bytes = std::min(kBlockBytes, row_bytes - at);
        const int8_t* low = weights + 2 * at;
        const int8_t* high = low + block_bytes;
        for (size_t i = 0; i < block_bytes; i++) {
            sum += (row[at + i] & 15) * low[i] + (row[at + i] >> 4) * high[i];
        }
    }
    return sum;
}

void Dots(const CodeQuery& query, const CodeScan& scan, int32_t* out) {
    for (size_t i = 0; i < scan.count; i++) {
        const size_t index = scan.picked != nullptr ? scan.picked[i] : i;
        const uint8_t* row = scan.rows + index * query.stride;
        out[i] = query.bits == CodeBits::k8 ? PlainDot(query.packed, row, query.row_bytes)
                                            : PlainSmallDot(query.packed, row, query.row_bytes);
    }
}

#else

void Dots(const CodeQuery& query, const CodeScan& scan, int32_t* out) {
#if HWY_TARGET == HWY_AVX3
    if (VnniInUse()) {
        vnni::Dots(query, scan, out);
        return;
    }
#endif
    general::Dots(query, scan, out);
}

#endif

namespace hn = hwy::HWY_NAMESPACE;

float LargestWeight(const float* weights, size_t dim) {
    const hn::ScalableTag<float> tag;
    const size_t lanes = hn::Lanes(tag);
    auto largest = hn::Zero(tag);
    size_t j = 0;
    for (; j + lanes <= dim; j += lanes) {
        largest = hn::Max(largest, hn::Abs(hn::LoadU(tag, weights + j)));
    }
    float most = hn::GetLane(hn::MaxOfLanes(tag, largest));
    for (; j < dim; j++) {
        most = std::max(most, std::fabs(weights[j]));
    }
    return most;
}

// In double, where the inverse of a denormal scale exists, and halves away from zero: the
// conversion to int is an instruction of every processor, rounding to even is not.
void RoundWeights(const float* weights, size_t dim, double steps, int8_t* packed) {
    const hn::ScalableTag<double> tag;
    const hn::Rebind<float, decltype(tag)> float_tag;
    const hn::Rebind<int32_t, decltype(tag)> int_tag;
    const hn::Rebind<int8_t, decltype(tag)> byte_tag;
    const size_t lanes = hn::Lanes(tag);
    const auto factor = hn::Set(tag, steps);
    const auto half = hn::Set(tag, 0.5);
    size_t j = 0;
    for (; j + lanes <= dim; j += lanes) {
        const auto exact = hn::Mul(hn::PromoteTo(tag, hn::LoadU(float_tag, weights + j)), factor);
        const auto rounded = hn::Add(exact, hn::CopySign(half, exact));
        hn::StoreU(hn::DemoteTo(byte_tag, hn::DemoteTo(int_tag, rounded)), byte_tag, packed + j);
    }
    for (; j < dim; j++) {
        const double exact = static_cast<double>(weights[j]) * steps;
        packed[j] = static_cast<int8_t>(static_cast<int>(exact + std::copysign(0.5, exact)));
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(Dots);
HWY_EXPORT(LargestWeight);
HWY_EXPORT(RoundWeights);

constexpr float kWeightMax = 127;

// How many values a block holds, per byte.
size_t CodesPerByte(CodeBits bits) {
    return bits == CodeBits::k8 ? 1 : 2;
}

// Calls visit(first, at, bytes) for each block of a row: the codes from `first` on stand in `bytes`
// bytes from `at` on.
template <typename Visit>
void EachBlock(CodeBits bits, size_t dim, Visit visit) {
    const size_t row_bytes = CodeRowBytes(bits, dim);
    for (size_t at = 0; at < row_bytes; at += kBlockBytes) {
        visit(at * CodesPerByte(bits), at, std::min(kBlockBytes, row_bytes - at));
    }
}

}  // namespace

size_t CodeRowBytes(CodeBits bits, size_t dim) {
    assert(dim <= kCodeDimMax);
    const size_t codes = kShortBlockBytes * CodesPerByte(bits);
    return (dim + codes - 1) / codes * kShortBlockBytes;
}

void PackCodes(CodeBits bits, const uint8_t* codes, size_t count, size_t dim, uint8_t* rows) {
    const size_t row_bytes = CodeRowBytes(bits, dim);
    for (size_t i = 0; i < count; i++) {
        const uint8_t* from = codes + i * dim;
        uint8_t* row = rows + i * row_bytes;
        EachBlock(bits, dim, [&](size_t first, size_t at, size_t bytes) {
            const size_t low_count = std::min(bytes, dim - first);
            std::copy_n(from + first, low_count, row + at);
            std::fill_n(row + at + low_count, bytes - low_count, uint8_t{0});
            if (bits == CodeBits::k4) {
                const size_t high_count = std::min(bytes, dim - first - low_count);
                for (size_t j = 0; j < high_count; j++) {
                    const unsigned both = row[at + j] | from[first + bytes + j] << 4;
                    row[at + j] = static_cast<uint8_t>(both);
                }
            }
        });
    }
}

void UnpackCodes(CodeBits bits, const uint8_t* row, size_t dim, uint8_t* codes) {
    EachBlock(bits, dim, [&](size_t first, size_t at, size_t bytes) {
        const size_t low_count = std::min(bytes, dim - first);
        if (bits == CodeBits::k8) {
            std::copy_n(row + at, low_count, codes + first);
            return;
        }
        const size_t high_count = std::min(bytes, dim - first - low_count);
        for (size_t j = 0; j < low_count; j++) {
            codes[first + j] = row[at + j] & 15;
        }
        for (size_t j = 0; j < high_count; j++) {
            codes[first + bytes + j] = row[at + j] >> 4;
        }
    });
}

size_t CodeQueryBytes(CodeBits bits, size_t dim) {
    return CodeRowBytes(bits, dim) * CodesPerByte(bits);
}

CodeQuery PackCodeQuery(CodeBits bits, const float* weights, size_t dim, int8_t* packed) {
    CodeQuery query;
    query.packed = packed;
    query.row_bytes = CodeRowBytes(bits, dim);
    query.stride = query.row_bytes;
    query.bits = bits;
    const float largest = HWY_DYNAMIC_DISPATCH(LargestWeight)(weights, dim);
    // In order for both widths: a block of 4-bit codes has its lower dimensions in lower halves.
    std::fill_n(packed, CodeQueryBytes(bits, dim), int8_t{0});
    if (largest == 0) {
        return query;
    }
    query.scale = largest / kWeightMax;
    // Rounded up, so that no weight exceeds 127 steps. Matters where the scale is denormal.
    if (static_cast<double>(query.scale) * kWeightMax < static_cast<double>(largest)) {
        query.scale = std::nextafter(query.scale, std::numeric_limits<float>::infinity());
    }
    HWY_DYNAMIC_DISPATCH(RoundWeights)
    (weights, dim, 1 / static_cast<double>(query.scale), packed);
    return query;
}

void CodeDotsPicked(const CodeQuery& query, const uint8_t* rows, const uint32_t* picked,
                    size_t count, int32_t* out) {
    HWY_DYNAMIC_DISPATCH(Dots)(query, {rows, picked, count}, out);
}

void CodeDots(const CodeQuery& query, const uint8_t* rows, size_t count, int32_t* out) {
    HWY_DYNAMIC_DISPATCH(Dots)(query, {rows, nullptr, count}, out);
}

}  // namespace quern::kernels
#endif
