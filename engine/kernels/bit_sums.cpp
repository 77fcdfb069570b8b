#include "engine/kernels/bit_sums.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "engine/kernels/simd_level.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/bit_sums.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR_AVX3 ",avx512vpopcntdq")
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace counting {
namespace {

// Sums of the numbers 0 to 15 that stand behind the odd ones, and how many bits are set.
struct Counts {
    __m512i plane[4] = {};
    __m512i all = {};
};

HWY_INLINE void Count(__m512i bits, const BitQuery& query, size_t at, Counts* counts) {
    for (size_t b = 0; b < 4; b++) {
        const __m512i plane = _mm512_loadu_si512(query.planes + b * query.plane_bytes + at);
        counts->plane[b] =
            _mm512_add_epi64(counts->plane[b], _mm512_popcnt_epi64(_mm512_and_si512(bits, plane)));
    }
    counts->all = _mm512_add_epi64(counts->all, _mm512_popcnt_epi64(bits));
}

void BitSums(const BitQuery& query, const uint8_t* rows, const uint32_t* picked, size_t count,
             int32_t* out) {
    constexpr size_t kAhead = 8;
    const size_t row_bytes = query.nibbles.row_bytes;
    const size_t stride = query.nibbles.stride;
    const size_t whole = row_bytes / 64 * 64;
    const auto rest = static_cast<__mmask8>((1u << (row_bytes - whole) / 8) - 1);
    for (size_t i = 0; i < HWY_MIN(kAhead, count); i++) {
        for (size_t at = 0; at < row_bytes; at += 64) {
            hwy::Prefetch(rows + picked[i] * stride + at);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t* row = rows + picked[i] * stride;
        const uint8_t* next = rows + picked[HWY_MIN(i + kAhead, count - 1)] * stride;
        Counts counts;
        for (size_t at = 0; at < whole; at += 64) {
            hwy::Prefetch(next + at);
            Count(_mm512_loadu_si512(row + at), query, at, &counts);
        }
        if (whole < row_bytes) {
            hwy::Prefetch(next + whole);
            Count(_mm512_maskz_loadu_epi64(rest, row + whole), query, whole, &counts);
        }
        // 2 * (p0 + 2 p1 + 4 p2 + 8 p3) - 15 * all
        const __m512i low =
            _mm512_add_epi64(counts.plane[0], _mm512_slli_epi64(counts.plane[1], 1));
        const __m512i high =
            _mm512_add_epi64(counts.plane[2], _mm512_slli_epi64(counts.plane[3], 1));
        const __m512i weights = _mm512_add_epi64(low, _mm512_slli_epi64(high, 2));
        const __m512i fifteen = _mm512_sub_epi64(_mm512_slli_epi64(counts.all, 4), counts.all);
        out[i] = static_cast<int32_t>(
            _mm512_reduce_add_epi64(_mm512_sub_epi64(_mm512_slli_epi64(weights, 1), fifteen)));
    }
}

}  // namespace
}  // namespace counting
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

// False: not at this level.
bool CountedBitSums(const BitQuery& query, const uint8_t* rows, const uint32_t* picked,
                    size_t count, int32_t* out) {
#if HWY_TARGET == HWY_AVX3
    if (BitCountsInUse()) {
        counting::BitSums(query, rows, picked, count, out);
        return true;
    }
#endif
    static_cast<void>(query), static_cast<void>(rows), static_cast<void>(picked);
    static_cast<void>(count), static_cast<void>(out);
    return false;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(CountedBitSums);

constexpr int kWeightMax = 15;
constexpr int kEntryOffset = 4 * kWeightMax;  // makes the sum of four weights no less than zero

}  // namespace

size_t BitQueryBytes(size_t dim) {
    return NibbleTableBytes(dim / 8) + 4 * ((dim / 8 + 63) / 64 * 64);
}

BitQuery PackBitQuery(const float* weights, size_t dim, uint8_t* buffer) {
    assert(dim % 64 == 0);
    BitQuery query;
    std::memset(buffer, 0, BitQueryBytes(dim));
    uint8_t* planes = buffer + NibbleTableBytes(dim / 8);
    query.nibbles = {buffer, dim / 8, dim / 8};
    query.planes = planes;
    query.plane_bytes = (dim / 8 + 63) / 64 * 64;
    float largest = 0;
    for (size_t j = 0; j < dim; j++) {
        largest = std::max(largest, std::fabs(weights[j]));
    }
    query.scale = largest / kWeightMax;
    const double steps = query.scale > 0 ? 1 / static_cast<double>(query.scale) : 0;
    for (size_t nibble = 0; nibble < dim / 4; nibble++) {
        int odd[4];
        for (size_t j = 0; j < 4; j++) {
            const double exact = static_cast<double>(weights[nibble * 4 + j]) * steps;
            const int level = std::clamp(static_cast<int>((exact + 16) / 2), 0, kWeightMax);
            odd[j] = 2 * level - kWeightMax;
            query.sum += odd[j];
            for (size_t b = 0; b < 4; b++) {
                uint8_t& byte = planes[b * query.plane_bytes + nibble / 2];
                byte = static_cast<uint8_t>(byte | (level >> b & 1) << (nibble % 2 * 4 + j));
            }
        }
        uint8_t* table = buffer + NibbleTableAt(nibble);
        for (size_t code = 0; code < 16; code++) {
            int sum = kEntryOffset;
            for (size_t j = 0; j < 4; j++) {
                sum += (code >> j & 1) != 0 ? odd[j] : 0;
            }
            table[code] = static_cast<uint8_t>(sum);
        }
    }
    return query;
}

void BitSumsPicked(const BitQuery& query, const uint8_t* rows, const uint32_t* picked, size_t count,
                   int32_t* out) {
    // Look-ups go for 16 rows at a time, however few there are.
    constexpr size_t kCountedMax = 12;
    if (count <= kCountedMax &&
        HWY_DYNAMIC_DISPATCH(CountedBitSums)(query, rows, picked, count, out)) {
        return;
    }
    constexpr size_t kAtOnce = 256;
    uint32_t sums[kAtOnce];
    const auto offset = static_cast<int32_t>(query.nibbles.row_bytes * 2 * kEntryOffset);
    for (size_t first = 0; first < count; first += kAtOnce) {
        const size_t now = std::min(kAtOnce, count - first);
        NibbleSumsPicked(query.nibbles, rows, picked + first, now, sums);
        for (size_t i = 0; i < now; i++) {
            out[first + i] = static_cast<int32_t>(sums[i]) - offset;
        }
    }
}

}  // namespace quern::kernels
#endif
