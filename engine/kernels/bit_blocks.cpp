#include "engine/kernels/bit_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/bit_blocks.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef QUERN_ENGINE_KERNELS_BIT_BLOCKS_ONCE_
#define QUERN_ENGINE_KERNELS_BIT_BLOCKS_ONCE_
namespace quern::kernels {

inline constexpr size_t kNibbleBytes = 16;  // of a block and of the tables, for four dimensions
// Sums of so many table entries fit 16 bits: 512 * 120 < 65536.
inline constexpr size_t kPartBytes = 512 * kNibbleBytes;
inline constexpr int kBlockWeightMax = 15;
inline constexpr int kBlockEntryOffset = 4 * kBlockWeightMax;  // makes every entry positive

}  // namespace quern::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

void AddPart(const uint8_t* tables, const uint8_t* block, size_t bytes, uint32_t* sums) {
    for (size_t at = 0; at < bytes; at += kNibbleBytes) {
        for (size_t r = 0; r < kNibbleBytes; r++) {
            sums[r] += tables[at + (block[at + r] & 15)];
            sums[kNibbleBytes + r] += tables[at + (block[at + r] >> 4)];
        }
    }
}

#else

using ByteTag = hn::CappedTag<uint8_t, 64>;
using ByteVec = hn::Vec<ByteTag>;
using SumTag = hn::Repartition<uint16_t, ByteTag>;
using SumVec = hn::Vec<SumTag>;
using RowTag = hn::CappedTag<uint16_t, 8>;

// The groups of 16 bytes that a vector has belong to the same rows.
template <class Vec>
HWY_INLINE auto Folded(Vec sums) {
    const hn::DFromV<Vec> tag;
    if constexpr (hn::MaxLanes(hn::DFromV<Vec>()) > 8) {
        const hn::Half<decltype(tag)> half;
        return Folded(hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums)));
    } else {
        return sums;
    }
}

// Eight sums more. No array in between: a compiler takes it for single numbers.
HWY_INLINE void TakeEight(hn::Vec<RowTag> eight, uint32_t* sums) {
    const hn::CappedTag<uint32_t, 4> tag;
    const hn::Half<RowTag> half;
    const auto low = hn::PromoteTo(tag, hn::LowerHalf(half, eight));
    const auto high = hn::PromoteTo(tag, hn::UpperHalf(half, eight));
    hn::Store(hn::Add(hn::Load(tag, sums), low), tag, sums);
    hn::Store(hn::Add(hn::Load(tag, sums + 4), high), tag, sums + 4);
}

// Even and odd bytes were summed apart: brings rows 0 to 15 into order and adds them to sums.
HWY_INLINE void TakeRows(SumVec all, SumVec odd, uint32_t* sums) {
    const RowTag tag;
    const auto odds = Folded(odd);
    const auto evens = Folded(hn::Sub(all, hn::ShiftLeft<8>(odd)));
    TakeEight(hn::InterleaveLower(tag, evens, odds), sums);
    TakeEight(hn::InterleaveUpper(tag, evens, odds), sums + 8);
}

void AddPart(const uint8_t* tables, const uint8_t* block, size_t bytes, uint32_t* sums) {
    const ByteTag tag;
    const SumTag sum_tag;
    constexpr size_t kStep = hn::MaxLanes(ByteTag());
    const auto low_half = hn::Set(tag, 15);
    auto low_all = hn::Zero(sum_tag);
    auto low_odd = hn::Zero(sum_tag);
    auto high_all = hn::Zero(sum_tag);
    auto high_odd = hn::Zero(sum_tag);
    // Two entries add up within a byte.
    for (size_t at = 0; at < bytes; at += 2 * kStep) {
        ByteVec low = hn::Zero(tag);
        ByteVec high = hn::Zero(tag);
        HWY_UNROLL(2)
        for (size_t half = 0; half < 2; half++) {
            const auto codes = hn::LoadU(tag, block + at + half * kStep);
            const auto table = hn::LoadU(tag, tables + at + half * kStep);
            const auto shifted = hn::BitCast(tag, hn::ShiftRight<4>(hn::BitCast(sum_tag, codes)));
            low = hn::Add(low, hn::TableLookupBytes(table, hn::And(codes, low_half)));
            high = hn::Add(high, hn::TableLookupBytes(table, hn::And(shifted, low_half)));
        }
        const auto low_pairs = hn::BitCast(sum_tag, low);
        const auto high_pairs = hn::BitCast(sum_tag, high);
        low_all = hn::Add(low_all, low_pairs);
        low_odd = hn::Add(low_odd, hn::ShiftRight<8>(low_pairs));
        high_all = hn::Add(high_all, high_pairs);
        high_odd = hn::Add(high_odd, hn::ShiftRight<8>(high_pairs));
    }
    TakeRows(low_all, low_odd, sums);
    TakeRows(high_all, high_odd, sums + kNibbleBytes);
}

#endif

uint32_t ScoreBlock(const BitBlockQuery& query, const uint8_t* block, const BitBlockTerms& terms,
                    float limit, float* scores) {
    HWY_ALIGN uint32_t sums[kBitBlockRows] = {};
    const size_t bytes = BitBlockBytes(query.dim);
    for (size_t at = 0; at < bytes; at += kPartBytes) {
        AddPart(query.tables + at, block + at, HWY_MIN(kPartBytes, bytes - at), sums);
    }
    const auto offset = static_cast<int32_t>(query.dim / 4) * kBlockEntryOffset;
    uint32_t below = 0;
    const hn::CappedTag<float, 16> tag;
    const hn::Rebind<int32_t, decltype(tag)> int_tag;
    const size_t lanes = hn::Lanes(tag);
    const auto most = hn::Set(tag, std::numeric_limits<float>::max());
    for (size_t r = 0; r < kBitBlockRows; r += lanes) {
        const auto whole = hn::Sub(hn::Load(int_tag, reinterpret_cast<const int32_t*>(sums) + r),
                                   hn::Set(int_tag, offset));
        const auto product =
            hn::Mul(hn::Sub(hn::ConvertTo(tag, whole), hn::Set(tag, query.half_sum)),
                    hn::Set(tag, query.scale));
        const auto sum = hn::MulAdd(hn::LoadU(tag, terms.add + r), hn::Set(tag, terms.add_scale),
                                    hn::Set(tag, terms.start));
        const auto score = hn::MulAdd(hn::LoadU(tag, terms.factor + r), product, sum);
        // What is no number is not less.
        const auto bounded = hn::IfThenElse(hn::Lt(score, most), score, most);
        hn::StoreU(bounded, tag, scores + r);
        uint8_t mask[8] = {};
        hn::StoreMaskBits(tag, hn::Lt(bounded, hn::Set(tag, limit)), mask);
        below |= static_cast<uint32_t>(mask[0] | mask[1] << 8) << r;
    }
    return below;
}

DifferenceSums Signs(const float* row, const float* centre, const float* base, size_t dim,
                     uint8_t* bits) {
    const hn::CappedTag<float, 16> tag;
    const size_t lanes = hn::Lanes(tag);
    auto absolute = hn::Zero(tag);
    auto squares = hn::Zero(tag);
    auto along = hn::Zero(tag);
    auto with_base = hn::Zero(tag);
    std::memset(bits, 0, dim / 8);
    for (size_t j = 0; j < dim; j += lanes) {
        const auto middle = hn::LoadU(tag, centre + j);
        const auto difference = hn::Sub(hn::LoadU(tag, row + j), middle);
        const auto positive = hn::Gt(difference, hn::Zero(tag));
        absolute = hn::Add(absolute, hn::Abs(difference));
        squares = hn::MulAdd(difference, difference, squares);
        along = hn::Add(along, hn::IfThenElse(positive, middle, hn::Neg(middle)));
        with_base = hn::MulAdd(difference, hn::LoadU(tag, base + j), with_base);
        uint8_t mask[8] = {};
        hn::StoreMaskBits(tag, positive, mask);
        bits[j / 8] = static_cast<uint8_t>(bits[j / 8] | mask[0] << (j % 8));
        if (lanes == 16) {
            bits[j / 8 + 1] = mask[1];
        }
    }
    return {hn::GetLane(hn::SumOfLanes(tag, absolute)), hn::GetLane(hn::SumOfLanes(tag, squares)),
            hn::GetLane(hn::SumOfLanes(tag, along)), hn::GetLane(hn::SumOfLanes(tag, with_base))};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(ScoreBlock);
HWY_EXPORT(Signs);

// 64 weights to the nearest multiples; their sum. A plain loop, which compilers make vectors of.
int RoundBlockWeights(const float* weights, float steps, int* rounded) {
    int sum = 0;
    for (size_t j = 0; j < 64; j++) {
        const float exact = weights[j] * steps;
        // An infinite `steps`, of denormal weights, times zero.
        const float bounded = exact > -15.0f ? (exact < 15.0f ? exact : 15.0f) : -15.0f;
        rounded[j] = static_cast<int>(bounded + std::copysign(0.5f, bounded));
        sum += rounded[j];
    }
    return sum;
}

}  // namespace

BitBlockQuery PackBitBlockQuery(const float* weights, size_t dim, uint8_t* tables) {
    BitBlockQuery query;
    query.tables = tables;
    query.dim = dim;
    float most[8] = {};
    for (size_t j = 0; j < dim; j += 8) {
        for (size_t i = 0; i < 8; i++) {
            const float weight = std::fabs(weights[j + i]);
            most[i] = weight > most[i] ? weight : most[i];
        }
    }
    query.scale = *std::max_element(most, most + 8) / kBlockWeightMax;
    const float steps = query.scale > 0 ? 1 / query.scale : 0;
    constexpr size_t kAtOnce = 64;
    int rounded[kAtOnce];
    int sum = 0;
    for (size_t nibble = 0; nibble < dim / 4; nibble++) {
        const size_t in_group = nibble * 4 % kAtOnce;
        if (in_group == 0) {
            sum += RoundBlockWeights(weights + nibble * 4, steps, rounded);
        }
        uint64_t whole[4];
        for (size_t j = 0; j < 4; j++) {
            whole[j] = static_cast<uint64_t>(int64_t{rounded[in_group + j]});
        }
        // Eight entries at once (the format is for little-endian machines, like all of quern's): a
        // number whose byte i is entry i, built by sums of numbers with the weight in the bytes
        // where its bit is set. No entry is negative in the end, so what is borrowed between bytes
        // on the way is given back.
        constexpr uint64_t kOnes = 0x0101010101010101;
        const uint64_t entries[2] = {kOnes * kBlockEntryOffset + whole[0] * 0x0100010001000100 +
                                         whole[1] * 0x0101000001010000 +
                                         whole[2] * 0x0101010100000000,
                                     entries[0] + whole[3] * kOnes};
        std::memcpy(tables + nibble * kNibbleBytes, entries, sizeof entries);
    }
    query.half_sum = static_cast<float>(sum) / 2;
    return query;
}

void PackBitBlock(const uint8_t* bits, size_t dim, uint8_t* block) {
    const size_t row_bytes = dim / 8;
    for (size_t at = 0; at < row_bytes; at++) {
        uint8_t* even = block + at * 2 * kNibbleBytes;
        uint8_t* odd = even + kNibbleBytes;
        for (size_t r = 0; r < kNibbleBytes; r++) {
            const unsigned low = bits[r * row_bytes + at];
            const unsigned high = bits[(kNibbleBytes + r) * row_bytes + at];
            even[r] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
            odd[r] = static_cast<uint8_t>(low >> 4 | (high & 0xF0));
        }
    }
}

uint32_t ScoreBitBlock(const BitBlockQuery& query, const uint8_t* block, const BitBlockTerms& terms,
                       float limit, float* scores) {
    return HWY_DYNAMIC_DISPATCH(ScoreBlock)(query, block, terms, limit, scores);
}

DifferenceSums SignsOfDifference(const float* row, const float* centre, const float* base,
                                 size_t dim, uint8_t* bits) {
    return HWY_DYNAMIC_DISPATCH(Signs)(row, centre, base, dim, bits);
}

}  // namespace quern::kernels
#endif
