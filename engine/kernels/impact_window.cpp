// Sums of impacts: the loops over vectors, once for each level, and the plain ones.
#include "engine/kernels/impact_window.h"

#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/impact_window.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void AddDense(const uint8_t* HWY_RESTRICT impacts, size_t count, uint32_t weight,
              uint32_t* HWY_RESTRICT sums) {
    const hn::ScalableTag<uint32_t> u32;
    const hn::Rebind<uint8_t, decltype(u32)> u8;
    const size_t lanes = hn::Lanes(u32);
    const auto factor = hn::Set(u32, weight);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const auto impact = hn::PromoteTo(u32, hn::LoadU(u8, impacts + i));
        hn::StoreU(hn::Add(hn::LoadU(u32, sums + i), hn::Mul(impact, factor)), u32, sums + i);
    }
    for (; i < count; i++) {
        sums[i] += weight * impacts[i];
    }
}

void AddMarked(const uint8_t* HWY_RESTRICT bits, size_t count, uint32_t weight,
               uint32_t* HWY_RESTRICT sums) {
    const hn::ScalableTag<uint32_t> u32;
    const size_t lanes = hn::Lanes(u32);
    const auto factor = hn::Set(u32, weight);
    const auto bit = hn::Shl(hn::Set(u32, 1), hn::Iota(u32, 0));
    size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const uint32_t word = bits[i / 8] | uint32_t{bits[i / 8 + 1]} << 8 |
                              uint32_t{bits[i / 8 + 2]} << 16 | uint32_t{bits[i / 8 + 3]} << 24;
        if (word == 0) {
            continue;
        }
        for (size_t lane = 0; lane < 32; lane += lanes) {
            const auto marks = hn::And(hn::Set(u32, word >> lane), bit);
            const auto more = hn::IfThenElseZero(hn::Ne(marks, hn::Zero(u32)), factor);
            uint32_t* const at = sums + i + lane;
            hn::StoreU(hn::Add(hn::LoadU(u32, at), more), u32, at);
        }
    }
    for (; i < count; i++) {
        sums[i] += (bits[i / 8] >> (i % 8) & 1u) != 0 ? weight : 0;
    }
}

void Peaks(const uint32_t* HWY_RESTRICT sums, size_t count, uint32_t* HWY_RESTRICT peaks) {
    const hn::ScalableTag<uint32_t> u32;
    const size_t lanes = hn::Lanes(u32);
    for (size_t first = 0; first < count; first += kWindowAlign) {
        auto most = hn::LoadU(u32, sums + first);
        for (size_t i = lanes; i < kWindowAlign; i += lanes) {
            most = hn::Max(most, hn::LoadU(u32, sums + first + i));
        }
        peaks[first / kWindowAlign] = hn::GetLane(hn::MaxOfLanes(u32, most));
    }
}

size_t Bits(const uint64_t* words, size_t count) {
    const hn::ScalableTag<uint64_t> u64;
    const size_t lanes = hn::Lanes(u64);
    auto found = hn::Zero(u64);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        found = hn::Add(found, hn::PopulationCount(hn::LoadU(u64, words + i)));
    }
    size_t sum = hn::GetLane(hn::SumOfLanes(u64, found));
    for (; i < count; i++) {
        sum += static_cast<size_t>(__builtin_popcountll(words[i]));
    }
    return sum;
}

#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_AVX3
// These levels can neither gather nor pack lanes, or emulate it: plain code has the better of them.

size_t Select(const uint32_t* sums, size_t count, uint32_t least, const uint64_t* allowed,
              size_t most_wanted, uint32_t* out) {
    const hn::ScalableTag<uint32_t> u32;
    const size_t lanes = hn::Lanes(u32);
    const auto bound = hn::Set(u32, least);
    size_t selected = 0;
    for (size_t word = 0; word * 64 < count && selected <= most_wanted; word++) {
        const uint64_t open = allowed != nullptr ? allowed[word] : ~uint64_t{0};
        const uint32_t* const block = sums + word * 64;
        auto most = hn::LoadU(u32, block);
        for (size_t i = lanes; i < 64; i += lanes) {
            most = hn::Max(most, hn::LoadU(u32, block + i));
        }
        if (open == 0 || hn::AllFalse(u32, hn::Eq(hn::Max(most, bound), most))) {
            continue;
        }
        for (size_t i = 0; i < 64; i++) {
            out[selected] = static_cast<uint32_t>(word * 64 + i);
            selected += (block[i] >= least ? 1 : 0) & static_cast<unsigned>(open >> i & 1);
        }
    }
    return selected;
}

#else

// Which of the lanes hold at least `bound`. Unsigned values have no comparison at all levels.
template <class Tag, class Vector>
HWY_INLINE hn::Mask<Tag> AtLeast(Tag /*tag*/, Vector values, Vector bound) {
    return hn::Eq(hn::Max(values, bound), values);
}

// Packing goes through a register: storing packed lanes at once is slow on several processors.
size_t Select(const uint32_t* HWY_RESTRICT sums, size_t count, uint32_t least,
              const uint64_t* HWY_RESTRICT allowed, size_t most_wanted,
              uint32_t* HWY_RESTRICT out) {
    const hn::ScalableTag<uint32_t> u32;
    const size_t lanes = hn::Lanes(u32);
    const auto bound = hn::Set(u32, least);
    const auto number = hn::Iota(u32, 0);  // made once: made anew it goes through memory
    const auto bit = hn::Shl(hn::Set(u32, 1), number);
    size_t selected = 0;
    for (size_t first = 0; first < count && selected <= most_wanted; first += 64) {
        const uint64_t open = allowed != nullptr ? allowed[first / 64] : ~uint64_t{0};
        auto most = hn::LoadU(u32, sums + first);
        for (size_t i = lanes; i < 64; i += lanes) {
            most = hn::Max(most, hn::LoadU(u32, sums + first + i));
        }
        if (open == 0 || HWY_LIKELY(hn::AllFalse(u32, AtLeast(u32, most, bound)))) {
            continue;
        }
        for (size_t i = 0; i < 64; i += lanes) {
            auto mask = AtLeast(u32, hn::LoadU(u32, sums + first + i), bound);
            const auto bits = hn::Set(u32, static_cast<uint32_t>(open >> i));
            mask = hn::And(mask, hn::Ne(hn::And(bits, bit), hn::Zero(u32)));
            const auto ids = hn::Add(number, hn::Set(u32, static_cast<uint32_t>(first + i)));
            hn::StoreU(hn::Compress(ids, mask), u32, out + selected);
            selected += hn::CountTrue(u32, mask);
        }
    }
    return selected;
}

#endif

// Places from `first` on that are in the set for sure, of those whose bits are set.
template <typename Id>
HWY_INLINE size_t KeepMarked(const Id* HWY_RESTRICT ids, size_t first, uint64_t maybe,
                             const uint32_t* HWY_RESTRICT marks, uint32_t* HWY_RESTRICT out,
                             size_t found) {
    for (; maybe != 0; maybe &= maybe - 1) {
        const size_t i = first + static_cast<size_t>(__builtin_ctzll(maybe));
        out[found] = static_cast<uint32_t>(i);
        found += marks[(ids[i] & 0xffff) / 32] >> (ids[i] & 31) & 1;
    }
    return found;
}

#if HWY_TARGET == HWY_SSE2 || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
// Bytes cannot be looked up in a register.

template <typename Id>
size_t FindMarks(const Id* ids, size_t count, const MarkSet& set, uint32_t* out) {
    const uint32_t* const marks = set.bits();
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        out[found] = static_cast<uint32_t>(i);
        found += marks[(ids[i] & 0xffff) / 32] >> (ids[i] & 31) & 1;
    }
    return found;
}

#else

// The tables tell which ids may be in the set, a whole vector of them at once; few are left to be
// looked up. (To gather the words that have their bits took about twice as long on a processor of
// 2024, whose gathers are no faster than as many loads.)
template <typename Id>
size_t FindMarks(const Id* HWY_RESTRICT ids, size_t count, const MarkSet& set,
                 uint32_t* HWY_RESTRICT out) {
    const hn::ScalableTag<uint8_t> u8;
    const hn::Repartition<Id, decltype(u8)> tag;
    const size_t lanes = hn::Lanes(tag);
    const uint32_t* const marks = set.bits();
    alignas(16) static constexpr uint8_t kBits[] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                    1, 2, 4, 8, 16, 32, 64, 128};
    const auto low = hn::LoadDup128(u8, set.low());
    const auto high = hn::LoadDup128(u8, set.high());
    const auto bits = hn::LoadDup128(u8, kBits);
    const auto nibble = hn::Set(u8, 15);
    // A byte whose index has the top bit set is looked up as 0.
    const auto only = [&](uint32_t byte) {
        return hn::And(hn::BitCast(u8, hn::Set(tag, static_cast<Id>(~byte))), hn::Set(u8, 128));
    };
    const auto only_low = only(0xff);
    const auto only_high = only(0xff00);
    // Bytes beyond the second are as good as any.
    const auto beyond = hn::BitCast(u8, hn::Set(tag, static_cast<Id>(~0xffffu)));
    const auto may_have = [&](size_t at) {
        const auto bytes = hn::BitCast(u8, hn::LoadU(tag, ids + at));
        const auto index = hn::And(bytes, nibble);
        const auto bit =
            hn::TableLookupBytes(bits, hn::And(hn::ShiftRight<4>(bytes), hn::Set(u8, 7)));
        const auto in_low = hn::TableLookupBytesOr0(low, hn::Or(index, only_low));
        const auto in_high = hn::TableLookupBytesOr0(high, hn::Or(index, only_high));
        const auto known = hn::And(hn::Or(hn::Or(in_low, in_high), beyond), bit);
        const auto mask = hn::Eq(hn::BitCast(tag, known), hn::BitCast(tag, bit));
        uint8_t stored[8] = {};
        hn::StoreMaskBits(tag, mask, stored);
        uint64_t word = 0;
        __builtin_memcpy(&word, stored, sizeof word);
        return word;
    };
    size_t found = 0;
    if (count < lanes) {
        return KeepMarked(ids, 0, (uint64_t{1} << count) - 1, marks, out, found);
    }
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        found = KeepMarked(ids, i, may_have(i), marks, out, found);
    }
    if (i < count) {
        // The last ones once more, with some that have been looked at.
        const size_t at = count - lanes;
        found = KeepMarked(ids, i, may_have(at) >> (i - at), marks, out, found);
    }
    return found;
}

#endif

size_t FindMarks16(const uint16_t* ids, size_t count, const MarkSet& marks, uint32_t* out) {
    return FindMarks(ids, count, marks, out);
}
size_t FindMarks32(const uint32_t* ids, size_t count, const MarkSet& marks, uint32_t* out) {
    return FindMarks(ids, count, marks, out);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(AddDense);
HWY_EXPORT(AddMarked);
HWY_EXPORT(Select);
HWY_EXPORT(Peaks);
HWY_EXPORT(Bits);
HWY_EXPORT(FindMarks16);
HWY_EXPORT(FindMarks32);
}  // namespace

void AddRun(const uint16_t* ids, const uint8_t* impacts, size_t count, uint32_t weight,
            uint32_t* sums) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        // The ids of a run are distinct, so the four do not wait for each other.
        const size_t a = ids[i];
        const size_t b = ids[i + 1];
        const size_t c = ids[i + 2];
        const size_t d = ids[i + 3];
        const uint32_t sum_a = sums[a] + weight * impacts[i];
        const uint32_t sum_b = sums[b] + weight * impacts[i + 1];
        const uint32_t sum_c = sums[c] + weight * impacts[i + 2];
        const uint32_t sum_d = sums[d] + weight * impacts[i + 3];
        sums[a] = sum_a;
        sums[b] = sum_b;
        sums[c] = sum_c;
        sums[d] = sum_d;
    }
    for (; i < count; i++) {
        sums[ids[i]] += weight * impacts[i];
    }
}

void AddDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums) {
    HWY_DYNAMIC_DISPATCH(AddDense)(impacts, count, weight, sums);
}

void AddIds(const uint16_t* ids, size_t count, uint32_t weight, uint32_t* sums) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const size_t a = ids[i];
        const size_t b = ids[i + 1];
        const size_t c = ids[i + 2];
        const size_t d = ids[i + 3];
        const uint32_t sum_a = sums[a] + weight;
        const uint32_t sum_b = sums[b] + weight;
        const uint32_t sum_c = sums[c] + weight;
        const uint32_t sum_d = sums[d] + weight;
        sums[a] = sum_a;
        sums[b] = sum_b;
        sums[c] = sum_c;
        sums[d] = sum_d;
    }
    for (; i < count; i++) {
        sums[ids[i]] += weight;
    }
}

void AddBits(const uint8_t* bits, size_t count, uint32_t weight, uint32_t* sums) {
    HWY_DYNAMIC_DISPATCH(AddMarked)(bits, count, weight, sums);
}

void SubtractRun(const uint16_t* ids, const uint8_t* impacts, size_t count, uint32_t weight,
                 uint32_t* sums) {
    for (size_t i = 0; i < count; i++) {
        uint32_t& sum = sums[ids[i]];
        const uint32_t part = weight * (impacts[i] - uint32_t{1});
        sum -= sum < part ? sum : part;
    }
}

void SubtractDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t part = impacts[i] == 0 ? 0 : weight * (impacts[i] - uint32_t{1});
        sums[i] -= sums[i] < part ? sums[i] : part;
    }
}

size_t SelectSums(const uint32_t* sums, size_t count, uint32_t least, const uint64_t* allowed,
                  size_t most, uint32_t* out) {
    return HWY_DYNAMIC_DISPATCH(Select)(sums, count, least, allowed, most, out);
}

void WindowPeaks(const uint32_t* sums, size_t count, uint32_t* peaks) {
    HWY_DYNAMIC_DISPATCH(Peaks)(sums, count, peaks);
}

size_t CountBits(const uint64_t* words, size_t count) {
    return HWY_DYNAMIC_DISPATCH(Bits)(words, count);
}

size_t FindMarked(const uint16_t* ids, size_t count, const MarkSet& marks, uint32_t* out) {
    return HWY_DYNAMIC_DISPATCH(FindMarks16)(ids, count, marks, out);
}

size_t FindMarked(const uint32_t* ids, size_t count, const MarkSet& marks, uint32_t* out) {
    return HWY_DYNAMIC_DISPATCH(FindMarks32)(ids, count, marks, out);
}

namespace scalar {

size_t SelectSums(const uint32_t* sums, size_t count, uint32_t least, const uint64_t* allowed,
                  size_t most, uint32_t* out) {
    size_t selected = 0;
    for (size_t i = 0; i < count && (i % kWindowAlign != 0 || selected <= most); i++) {
        if (sums[i] >= least && (allowed == nullptr || (allowed[i / 64] >> (i % 64) & 1) != 0)) {
            out[selected++] = static_cast<uint32_t>(i);
        }
    }
    return selected;
}

void AddDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums) {
    for (size_t i = 0; i < count; i++) {
        sums[i] += weight * impacts[i];
    }
}

}  // namespace scalar

}  // namespace quern::kernels
#endif
