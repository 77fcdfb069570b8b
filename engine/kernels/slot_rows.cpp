// Dot products with cut sparse rows: once for each level, and plain.
#include "engine/kernels/slot_rows.h"

#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/slot_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

uint32_t Dot(const uint8_t* HWY_RESTRICT row, size_t entries, const uint16_t* HWY_RESTRICT table) {
    const auto* const slots = reinterpret_cast<const uint16_t*>(row);
    const uint8_t* const weights = row + entries * 2;
#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_AVX3
    // These levels cannot gather.
    uint32_t sum = 0;
    for (size_t i = 0; i < entries; i++) {
        sum += uint32_t{table[slots[i]]} * weights[i];
    }
    return sum;
#else
    const hn::ScalableTag<uint32_t> u32;
    const hn::RebindToSigned<decltype(u32)> i32;
    const hn::Rebind<uint16_t, decltype(u32)> u16;
    const hn::Rebind<uint8_t, decltype(u32)> u8;
    const size_t lanes = hn::Lanes(u32);
    const auto low = hn::Set(u32, 0xffff);
    const auto* const words = reinterpret_cast<const uint32_t*>(table);
    auto sum = hn::Zero(u32);
    for (size_t i = 0; i < entries; i += lanes) {
        const auto slot = hn::PromoteTo(u32, hn::LoadU(u16, slots + i));
        const auto offset = hn::BitCast(i32, hn::ShiftLeft<1>(slot));
        const auto mine = hn::And(hn::GatherOffset(u32, words, offset), low);
        const auto weight = hn::PromoteTo(u32, hn::LoadU(u8, weights + i));
        sum = hn::Add(sum, hn::Mul(mine, weight));
    }
    return hn::GetLane(hn::SumOfLanes(u32, sum));
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(Dot);
}  // namespace

uint32_t SlotDot(const uint8_t* row, size_t entries, const uint16_t* table) {
    return HWY_DYNAMIC_DISPATCH(Dot)(row, entries, table);
}

namespace scalar {

uint32_t SlotDot(const uint8_t* row, size_t entries, const uint16_t* table) {
    uint32_t sum = 0;
    for (size_t i = 0; i < entries; i++) {
        uint16_t slot = 0;
        __builtin_memcpy(&slot, row + 2 * i, 2);
        sum += uint32_t{table[slot]} * row[2 * entries + i];
    }
    return sum;
}

}  // namespace scalar

}  // namespace quern::kernels
#endif
