#include "engine/kernels/rotation.h"

#include <cmath>

#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rotation.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// (x, y) -> (x + y, x - y) for pairs `gap` apart, a power of two, in blocks of 2 * gap.
template <class Tag>
HWY_INLINE void Butterflies(Tag tag, size_t gap, size_t count, float* values) {
    const size_t lanes = hn::Lanes(tag);
    for (size_t block = 0; block < count; block += 2 * gap) {
        for (size_t i = block; i < block + gap; i += lanes) {
            const auto x = hn::LoadU(tag, values + i);
            const auto y = hn::LoadU(tag, values + i + gap);
            hn::StoreU(hn::Add(x, y), tag, values + i);
            hn::StoreU(hn::Sub(x, y), tag, values + i + gap);
        }
    }
}

// The pairs 1 and 2 apart.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
HWY_INLINE void NarrowButterflies(size_t count, float* values) {
    for (size_t i = 0; i < count; i += 4) {
        const float a = values[i] + values[i + 1];
        const float b = values[i] - values[i + 1];
        const float c = values[i + 2] + values[i + 3];
        const float d = values[i + 2] - values[i + 3];
        values[i] = a + c;
        values[i + 1] = b + d;
        values[i + 2] = a - c;
        values[i + 3] = b - d;
    }
}
#else
HWY_INLINE void NarrowButterflies(size_t count, float* values) {
    const hn::CappedTag<float, 16> tag;
    const hn::Repartition<double, decltype(tag)> pairs;
    for (size_t i = 0; i < count; i += hn::Lanes(tag)) {
        auto x = hn::LoadU(tag, values + i);
        auto y = hn::Shuffle2301(x);
        x = hn::OddEven(hn::Sub(y, x), hn::Add(x, y));
        y = hn::Shuffle1032(x);
        x = hn::BitCast(
            tag, hn::OddEven(hn::BitCast(pairs, hn::Sub(y, x)), hn::BitCast(pairs, hn::Add(x, y))));
        hn::StoreU(x, tag, values + i);
    }
}
#endif

HWY_INLINE void Hadamard(size_t count, float* values) {
    NarrowButterflies(count, values);
    const hn::ScalableTag<float> wide;
    const size_t lanes = hn::Lanes(wide);
    size_t gap = 4;
    if (gap < lanes) {
        Butterflies(hn::CappedTag<float, 4>(), gap, count, values);
        gap *= 2;
    }
    if (gap < lanes) {
        Butterflies(hn::CappedTag<float, 8>(), gap, count, values);
        gap *= 2;
    }
    for (; gap < count; gap *= 2) {
        Butterflies(wide, gap, count, values);
    }
}

// Changes the signs of the values whose bits are set.
HWY_INLINE void Flip(const uint8_t* flips, size_t dim, float* values) {
    const hn::CappedTag<float, 16> tag;
    const size_t lanes = hn::Lanes(tag);
    if (lanes < 8) {
        for (size_t j = 0; j < dim; j++) {
            values[j] = (flips[j / 8] >> (j % 8) & 1) != 0 ? -values[j] : values[j];
        }
        return;
    }
    for (size_t j = 0; j < dim; j += lanes) {
        // It reads eight bytes, however few it needs.
        const uint8_t bits[8] = {flips[j / 8], lanes > 8 ? flips[j / 8 + 1] : uint8_t{0}};
        const auto value = hn::LoadU(tag, values + j);
        hn::StoreU(hn::IfThenElse(hn::LoadMaskBits(tag, bits), hn::Neg(value), value), tag,
                   values + j);
    }
}

void RotateAll(const uint8_t* signs, size_t dim, float* values) {
    size_t part = kRotationUnit;
    while (part * 2 <= dim) {
        part *= 2;
    }
    // Half rotations lengthen by the square root of two, four of them by four.
    const float scale =
        1 / std::sqrt(static_cast<float>(part)) / (part == dim ? 1.0f : 1.41421356f);
    const hn::ScalableTag<float> wide;
    for (size_t round = 0; round < 4; round++) {
        const uint8_t* flips = signs + round * dim / 8;
        Flip(flips, dim, values);
        const size_t first = round % 2 == 0 ? 0 : dim - part;
        Hadamard(part, values + first);
        const auto factor = hn::Set(wide, scale);
        // What the transform left alone is scaled by the half rotation's part only.
        const auto rest = hn::Set(wide, part == dim ? 1.0f : 1 / 1.41421356f);
        const size_t lanes = hn::Lanes(wide);
        for (size_t j = 0; j < dim; j += lanes) {
            const bool inside = j >= first && j < first + part;
            const auto scaled = hn::Mul(hn::LoadU(wide, values + j), inside ? factor : rest);
            hn::StoreU(scaled, wide, values + j);
        }
        if (part != dim) {
            Butterflies(wide, dim / 2, dim, values);
        }
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(RotateAll);

}  // namespace

void Rotate(const uint8_t* signs, size_t dim, float* vector) {
    HWY_DYNAMIC_DISPATCH(RotateAll)(signs, dim, vector);
}

}  // namespace quern::kernels
#endif
