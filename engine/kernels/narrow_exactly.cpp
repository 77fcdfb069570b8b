// From f32 to a narrower type, if that loses nothing.
//
// Narrowing and widening again must give the bits that were there: so what a demotion does with
// values that do not fit (saturate, round, cut) does not matter, and a negative zero is no whole
// number.
#include <bit>
#include <cstring>

#include "engine/kernels/distance.h"
#include "engine/kernels/element_codes.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/narrow_exactly.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

// A vector of any type to any address.
template <class Tag>
HWY_INLINE void StoreBytes(hn::Vec<Tag> value, Tag tag, uint8_t* to) {
#if HWY_TARGET == HWY_SCALAR
    hn::TFromD<Tag> one;
    hn::StoreU(value, tag, &one);
    std::memcpy(to, &one, sizeof(one));
#else
    const hn::Repartition<uint8_t, Tag> bytes;
    hn::StoreU(hn::BitCast(bytes, value), bytes, to);
#endif
}

template <class Type>
struct WholeWriter {
    static HWY_INLINE void Store(F32Vec value, uint8_t* to) {
        const hn::Rebind<int32_t, F32Tag> wide;
        const hn::Rebind<Type, F32Tag> narrow;
        StoreBytes(hn::DemoteTo(narrow, hn::ConvertTo(wide, value)), narrow, to);
    }
};

template <class Type>
struct FloatWriter {
    static HWY_INLINE void Store(F32Vec value, uint8_t* to) {
        const hn::Rebind<Type, F32Tag> narrow;
        StoreBytes(hn::DemoteTo(narrow, value), narrow, to);
    }
};

// One vector's worth; whether nothing is lost.
template <class Reader, class Writer>
HWY_INLINE bool NarrowVector(const float* from, uint8_t* to) {
    const F32Tag f32;
    const hn::RebindToUnsigned<F32Tag> bits;
    const F32Vec value = hn::LoadU(f32, from);
    Writer::Store(value, to);
    return hn::AllTrue(bits, hn::Eq(hn::BitCast(bits, value), hn::BitCast(bits, Reader::Load(to))));
}

template <class Reader, class Writer>
bool NarrowAs(const float* values, size_t count, uint8_t* out) {
    const size_t lanes = hn::Lanes(F32Tag());
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const bool exact = NarrowVector<Reader, Writer>(values + i, out + i * Reader::kBytes);
        if (HWY_UNLIKELY(!exact)) {
            return false;
        }
    }
    if (i == count) {
        return true;
    }
    float padded[kLanesMax] = {};
    uint8_t narrow[kLanesMax * sizeof(float)];
    std::memcpy(padded, values + i, (count - i) * sizeof(float));
    const bool exact = NarrowVector<Reader, Writer>(padded, narrow);
    std::memcpy(out + i * Reader::kBytes, narrow, (count - i) * Reader::kBytes);
    return exact;
}

// Whether every processor of this level has instructions for halves. Highway's own conversion
// elsewhere loses the sign of zero, and what one processor narrows all must.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SSE4 || \
    HWY_TARGET == HWY_SSSE3
constexpr bool kHasHalves = false;
#else
constexpr bool kHasHalves = true;
#endif

bool NarrowToHalves(const float* values, size_t count, uint8_t* out) {
    if constexpr (kHasHalves) {
        return NarrowAs<F16Reader, FloatWriter<hwy::float16_t>>(values, count, out);
    }
    for (size_t i = 0; i < count; i++) {
        const uint16_t code = FloatToHalf(values[i]);
        if (std::bit_cast<uint32_t>(HalfToFloat(code)) != std::bit_cast<uint32_t>(values[i])) {
            return false;
        }
        std::memcpy(out + i * sizeof code, &code, sizeof code);
    }
    return true;
}

bool Narrow(Element element, const float* values, size_t count, uint8_t* out) {
    switch (element) {
        case Element::kF32: std::memcpy(out, values, count * sizeof(float)); return true;
        case Element::kF16: return NarrowToHalves(values, count, out);
        case Element::kBF16:
            return NarrowAs<BF16Reader, FloatWriter<hwy::bfloat16_t>>(values, count, out);
        case Element::kI8: return NarrowAs<I8Reader, WholeWriter<int8_t>>(values, count, out);
        case Element::kU8: return NarrowAs<U8Reader, WholeWriter<uint8_t>>(values, count, out);
        case Element::kBit: break;
    }
    return false;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(Narrow);
}  // namespace

bool NarrowExactly(Element element, const float* values, size_t count, void* out) {
    return HWY_DYNAMIC_DISPATCH(Narrow)(element, values, count, static_cast<uint8_t*>(out));
}

}  // namespace quern::kernels
#endif
