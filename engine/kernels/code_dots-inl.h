// Loops over rows of codes, for one instruction set. code_distance.cpp includes this once per SIMD
// level, and once more within AVX3 with QUERN_CODE_DOTS_VNNI defined: that builds the same loops
// for processors which multiply and add bytes in one instruction (AVX-512 VNNI). Hence no guard.
//
// Four rows go side by side. They share the loads of the weights, their four sums do not wait for
// each other, and their lanes are added up together, at less than half the cost of one by one.
//
// Rows that are scattered over memory arrive late whatever the arithmetic. So all lines of the
// first four are asked for at once, and with each line of a row that is worked on goes a fetch of
// the same line of a row of the next group. Measured against fetching whole rows, up to eight rows
// ahead: quicker, because a core can wait for 10 to 16 lines at a time only. Contiguous rows gain
// as much: left alone, the hardware takes four neighbours for one stream with gaps.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef QUERN_CODE_DOTS_VNNI
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR_AVX3 ",avx512vnni")
#define QUERN_CODE_DOTS_NAMESPACE vnni
#else
HWY_BEFORE_NAMESPACE();
#define QUERN_CODE_DOTS_NAMESPACE general
#endif
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace QUERN_CODE_DOTS_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using ByteTag = hn::CappedTag<uint8_t, kBlockBytes>;
using WeightTag = hn::RebindToSigned<ByteTag>;
using WideTag = hn::Repartition<int16_t, ByteTag>;
using SumTag = hn::Repartition<int32_t, ByteTag>;
using ByteVec = hn::Vec<ByteTag>;
using WeightVec = hn::Vec<WeightTag>;
using WideVec = hn::Vec<WideTag>;
using SumVec = hn::Vec<SumTag>;

constexpr size_t kGroupRows = 4;

// Fetched of the first rows at once. More would push each other out of the first cache where rows
// are very long.
constexpr size_t kFirstFetchBytesMax = 2048;

// What has been added up of a row. Each way of adding below has its own use for the second sum.
struct RowSums {
    SumVec first;
    SumVec second;
};

// A whole vector, or zeros after the first 32 bytes where a vector is longer than a short block.
template <size_t kBytes, class Tag>
HWY_INLINE hn::Vec<Tag> LoadPart(Tag tag, const hn::TFromD<Tag>* from) {
    if constexpr (kBytes < hn::MaxLanes(Tag())) {
        return hn::ZeroExtendVector(tag, hn::LoadU(hn::Half<Tag>(), from));
    } else {
        return hn::LoadU(tag, from);
    }
}

// Three ways to add the products of codes and weights to sums. 4-bit codes come as bytes of two
// halves, and each half has its weights.
#ifdef QUERN_CODE_DOTS_VNNI

// One instruction adds products of bytes, which leaves the halves of bytes as the greater part of
// the work. So upper halves stay where they are: the second sum is 16 times what it should be,
// which still fits (32768 * 240 * 127 < 2^31).
using Weights = WeightVec;
using SmallWeights = WeightVec;

HWY_INLINE Weights Prepare(WeightVec weights) {
    return weights;
}

HWY_INLINE SmallWeights PrepareSmall(WeightVec weights) {
    return weights;
}

HWY_INLINE void AddProducts(ByteVec codes, const Weights& weights, RowSums* sums) {
    sums->first = SumVec{_mm512_dpbusd_epi32(sums->first.raw, codes.raw, weights.raw)};
}

HWY_INLINE void AddSmallProducts(ByteVec codes, const SmallWeights& low_weights,
                                 const SmallWeights& high_weights, RowSums* sums) {
    const ByteVec low = hn::And(codes, hn::Set(ByteTag(), 0x0F));
    const ByteVec high = hn::And(codes, hn::Set(ByteTag(), 0xF0));
    sums->first = SumVec{_mm512_dpbusd_epi32(sums->first.raw, low.raw, low_weights.raw)};
    sums->second = SumVec{_mm512_dpbusd_epi32(sums->second.raw, high.raw, high_weights.raw)};
}

HWY_INLINE SumVec Total(const RowSums& sums) {
    return hn::Add(sums.first, hn::ShiftRight<4>(sums.second));
}

#else

// Bytes at even and at odd places are widened to 16 bits; a shift is cheaper here than moving bytes
// to other lanes. The second sum is for processors that widen each half of a vector by itself.
struct Weights {
    WideVec even;
    WideVec odd;
};

HWY_INLINE Weights Prepare(WeightVec weights) {
    const WideVec pairs = hn::BitCast(WideTag(), weights);
    return {hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), hn::ShiftRight<8>(pairs)};
}

HWY_INLINE void AddProducts(ByteVec codes, const Weights& weights, RowSums* sums) {
    const WideTag wide;
    const hn::RebindToUnsigned<WideTag> wide_unsigned;
    const SumTag sum;
    const WideVec even = hn::And(hn::BitCast(wide, codes), hn::Set(wide, 0xFF));
    const WideVec odd = hn::BitCast(wide, hn::ShiftRight<8>(hn::BitCast(wide_unsigned, codes)));
    sums->first = hn::ReorderWidenMulAccumulate(sum, even, weights.even, sums->first, sums->second);
    sums->first = hn::ReorderWidenMulAccumulate(sum, odd, weights.odd, sums->first, sums->second);
}

HWY_INLINE SumVec Total(const RowSums& sums) {
    return hn::Add(sums.first, sums.second);
}

#if HWY_ARCH_X86

// x86 adds products of bytes in pairs, within 16 bits: enough for both halves (4 * 15 * 127).
using SmallWeights = WeightVec;

HWY_INLINE SmallWeights PrepareSmall(WeightVec weights) {
    return weights;
}

HWY_INLINE WideVec PairProducts(ByteVec codes, WeightVec weights) {
#if HWY_TARGET == HWY_AVX3
    return WideVec{_mm512_maddubs_epi16(codes.raw, weights.raw)};
#elif HWY_TARGET == HWY_AVX2
    return WideVec{_mm256_maddubs_epi16(codes.raw, weights.raw)};
#else
    return WideVec{_mm_maddubs_epi16(codes.raw, weights.raw)};
#endif
}

HWY_INLINE void AddSmallProducts(ByteVec codes, const SmallWeights& low_weights,
                                 const SmallWeights& high_weights, RowSums* sums) {
    const ByteVec low = hn::And(codes, hn::Set(ByteTag(), 15));
    const WideVec products = hn::Add(PairProducts(low, low_weights),
                                     PairProducts(hn::ShiftRight<4>(codes), high_weights));
    sums->first = hn::ReorderWidenMulAccumulate(SumTag(), products, hn::Set(WideTag(), 1),
                                                sums->first, sums->second);
}

#else

using SmallWeights = Weights;

HWY_INLINE SmallWeights PrepareSmall(WeightVec weights) {
    return Prepare(weights);
}

HWY_INLINE void AddSmallProducts(ByteVec codes, const SmallWeights& low_weights,
                                 const SmallWeights& high_weights, RowSums* sums) {
    AddProducts(hn::And(codes, hn::Set(ByteTag(), 15)), low_weights, sums);
    AddProducts(hn::ShiftRight<4>(codes), high_weights, sums);
}

#endif
#endif

// Adds the products of one block of all rows. `weights` belongs to the block.
template <CodeBits kBits, size_t kBytes, size_t kRows>
HWY_INLINE void AddBlock(const int8_t* HWY_RESTRICT weights, const uint8_t* const (&rows)[kRows],
                         size_t at, RowSums (&sums)[kRows]) {
    const ByteTag bytes;
    const WeightTag signed_bytes;
    constexpr size_t kStep = HWY_MIN(kBytes, hn::MaxLanes(ByteTag()));
    HWY_UNROLL(4)
    for (size_t i = 0; i < kBytes; i += kStep) {
        const WeightVec low_weights = LoadPart<kStep>(signed_bytes, weights + i);
        if constexpr (kBits == CodeBits::k8) {
            const Weights prepared = Prepare(low_weights);
            for (size_t r = 0; r < kRows; r++) {
                AddProducts(LoadPart<kStep>(bytes, rows[r] + at + i), prepared, &sums[r]);
            }
        } else {
            const SmallWeights low = PrepareSmall(low_weights);
            const SmallWeights high =
                PrepareSmall(LoadPart<kStep>(signed_bytes, weights + kBytes + i));
            for (size_t r = 0; r < kRows; r++) {
                AddSmallProducts(LoadPart<kStep>(bytes, rows[r] + at + i), low, high, &sums[r]);
            }
        }
    }
}

// The sums over the lanes of four vectors.
HWY_INLINE void StoreLaneSums(const SumVec (&sums)[kGroupRows], int32_t* HWY_RESTRICT out) {
    const SumTag tag;
    const hn::Repartition<int64_t, SumTag> pairs;
    const SumVec sums01 = hn::Add(hn::InterleaveLower(tag, sums[0], sums[1]),
                                  hn::InterleaveUpper(tag, sums[0], sums[1]));
    const SumVec sums23 = hn::Add(hn::InterleaveLower(tag, sums[2], sums[3]),
                                  hn::InterleaveUpper(tag, sums[2], sums[3]));
    const auto lower =
        hn::InterleaveLower(pairs, hn::BitCast(pairs, sums01), hn::BitCast(pairs, sums23));
    const auto upper =
        hn::InterleaveUpper(pairs, hn::BitCast(pairs, sums01), hn::BitCast(pairs, sums23));
    // Each 128 bits hold one part of all four sums.
    const SumVec parts = hn::Add(hn::BitCast(tag, lower), hn::BitCast(tag, upper));
#if HWY_TARGET == HWY_AVX3
    const hn::Half<SumTag> half;
    const hn::Half<decltype(half)> quarter;
    const auto halves = hn::Add(hn::LowerHalf(half, parts), hn::UpperHalf(half, parts));
    hn::StoreU(hn::Add(hn::LowerHalf(quarter, halves), hn::UpperHalf(quarter, halves)), quarter,
               out);
#elif HWY_TARGET == HWY_AVX2
    const hn::Half<SumTag> half;
    hn::StoreU(hn::Add(hn::LowerHalf(half, parts), hn::UpperHalf(half, parts)), half, out);
#else
    hn::StoreU(parts, tag, out);
#endif
}

// Measures rows of one width.
template <CodeBits kBits>
class CodeScanner {
public:
    CodeScanner(const CodeQuery& query, const CodeScan& scan)
        : weights_(query.packed),
          row_bytes_(query.row_bytes),
          stride_(query.stride),
          rows_(scan.rows),
          picked_(scan.picked),
          count_(scan.count) {}

    HWY_INLINE void Run(int32_t* HWY_RESTRICT out) const {
        size_t i = 0;
        if (count_ != 0) {
            FetchFirstGroup();
        }
        for (; i + kGroupRows < count_; i += kGroupRows) {
            Measure<true, kGroupRows>(i, out);
        }
        switch (count_ - i) {
            case 4: Measure<false, 4>(i, out); break;
            case 3: Measure<false, 3>(i, out); break;
            case 2: Measure<false, 2>(i, out); break;
            case 1: Measure<false, 1>(i, out); break;
            default: break;
        }
    }

private:
    HWY_INLINE const uint8_t* Row(size_t position) const {
        return rows_ + (picked_ != nullptr ? picked_[position] : position) * stride_;
    }

    // The dot products of up to four rows. kFetch: fetches the next group on the way.
    template <bool kFetch, size_t kRows>
    HWY_INLINE void Measure(size_t position, int32_t* HWY_RESTRICT out) const {
        constexpr size_t kWeightsPerByte = kBits == CodeBits::k8 ? 1 : 2;
        const SumTag tag;
        const uint8_t* rows[kRows];
        const uint8_t* next[kRows];
        RowSums sums[kRows];
        for (size_t r = 0; r < kRows; r++) {
            rows[r] = Row(position + r);
            next[r] = kFetch ? Row(HWY_MIN(position + kGroupRows + r, count_ - 1)) : nullptr;
            sums[r].first = sums[r].second = hn::Zero(tag);
        }
        const size_t whole = row_bytes_ / kBlockBytes * kBlockBytes;
        for (size_t at = 0; at < whole; at += kBlockBytes) {
            FetchLine<kFetch>(next, at);
            AddBlock<kBits, kBlockBytes>(weights_ + kWeightsPerByte * at, rows, at, sums);
        }
        if (whole < row_bytes_) {
            FetchLine<kFetch>(next, whole);
            AddBlock<kBits, kShortBlockBytes>(weights_ + kWeightsPerByte * whole, rows, whole,
                                              sums);
        }
        SumVec totals[kGroupRows];
        for (size_t r = 0; r < kGroupRows; r++) {
            totals[r] = r < kRows ? Total(sums[r % kRows]) : hn::Zero(tag);
        }
        int32_t dots[kGroupRows];
        StoreLaneSums(totals, dots);
        std::memcpy(out + position, dots, kRows * sizeof(int32_t));
    }

    HWY_INLINE void FetchFirstGroup() const {
        const uint8_t* rows[kGroupRows];
        for (size_t r = 0; r < kGroupRows; r++) {
            rows[r] = Row(HWY_MIN(r, count_ - 1));
        }
        for (size_t at = 0; at < HWY_MIN(row_bytes_, kFirstFetchBytesMax); at += kBlockBytes) {
            FetchLine<true>(rows, at);
        }
    }

    template <bool kFetch, size_t kRows>
    static HWY_INLINE void FetchLine(const uint8_t* const (&rows)[kRows], size_t at) {
        for (size_t r = 0; kFetch && r < kRows; r++) {
            hwy::Prefetch(rows[r] + at);
        }
    }

    const int8_t* HWY_RESTRICT weights_;
    size_t row_bytes_;
    size_t stride_;
    const uint8_t* HWY_RESTRICT rows_;
    const uint32_t* HWY_RESTRICT picked_;  // may be NULL
    size_t count_;
};

void Dots(const CodeQuery& query, const CodeScan& scan, int32_t* out) {
    if (query.bits == CodeBits::k8) {
        CodeScanner<CodeBits::k8>(query, scan).Run(out);
    } else {
        CodeScanner<CodeBits::k4>(query, scan).Run(out);
    }
}

}  // namespace
}  // namespace QUERN_CODE_DOTS_NAMESPACE
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
#ifdef QUERN_CODE_DOTS_VNNI
HWY_POP_ATTRIBUTES
#else
HWY_AFTER_NAMESPACE();
#endif
#undef QUERN_CODE_DOTS_NAMESPACE
