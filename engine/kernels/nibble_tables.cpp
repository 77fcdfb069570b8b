#include "engine/kernels/nibble_tables.h"

#include <algorithm>
#include <cstring>

#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/nibble_tables.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef QUERN_ENGINE_KERNELS_NIBBLE_TABLES_ONCE_
#define QUERN_ENGINE_KERNELS_NIBBLE_TABLES_ONCE_
namespace quern::kernels {

// Tables are laid out for blocks of 64 bytes of a row, which are four groups of 16. For byte i of a
// group: the tables of the lower halves of byte i of all four groups, then those of the upper
// halves. So vectors of 16, 32 and 64 bytes find theirs in one piece.
inline constexpr size_t kTableBlock = 64;
inline constexpr size_t kTableGroup = 16;
inline constexpr size_t kTableEntries = 16;
inline constexpr size_t kTableColumn = 2 * 4 * kTableEntries;
inline constexpr size_t kTableBlockBytes = kTableGroup * kTableColumn;

}  // namespace quern::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

void NibbleSums(const NibbleQuery& query, const uint8_t* rows, const uint32_t* picked, size_t count,
                uint32_t* out) {
    for (size_t i = 0; i < count; i++) {
        const uint8_t* row = rows + picked[i] * query.stride;
        uint32_t sum = 0;
        for (size_t at = 0; at < query.row_bytes; at++) {
            const uint8_t* lower = query.tables + at / kTableBlock * kTableBlockBytes +
                                   at % kTableGroup * kTableColumn +
                                   at % kTableBlock / kTableGroup * kTableEntries;
            sum += lower[row[at] & 15] + lower[kTableColumn / 2 + (row[at] >> 4)];
        }
        out[i] = sum;
    }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kRows = 16;  // at a time
// Additions of two entries each that 16 bits hold: 256 * 2 * 127 < 65536.
constexpr size_t kColumnsMax = 256;

using WideTag = hn::CappedTag<uint8_t, kTableBlock>;
using GroupTag = hn::CappedTag<uint8_t, kTableGroup>;

// Sums of 16 rows: 16 bits each while columns are added, then 32.
class RowSums {
public:
    // sums: two entries each of 16 rows, in each group of 16 bytes.
    template <class Tag>
    struct Part {
        using Sum = hn::Repartition<uint16_t, Tag>;
        hn::Vec<Sum> even;
        hn::Vec<Sum> odd;
        // No initialisers: what a compiler makes of them would not be for this level.
        HWY_INLINE void Clear() { even = odd = hn::Zero(Sum()); }
        HWY_INLINE void Add(hn::Vec<Tag> sums) {
            const Sum tag;
            const auto pairs = hn::BitCast(tag, sums);
            even = hn::Add(even, hn::And(pairs, hn::Set(tag, 0xFF)));
            odd = hn::Add(odd, hn::ShiftRight<8>(pairs));
        }
    };
    template <class Tag>
    HWY_INLINE void Take(const Part<Tag>& part) {
        const typename Part<Tag>::Sum tag;
        constexpr size_t kLanes = hn::MaxLanes(typename Part<Tag>::Sum());
        HWY_ALIGN uint16_t even[kLanes];
        HWY_ALIGN uint16_t odd[kLanes];
        hn::Store(part.even, tag, even);
        hn::Store(part.odd, tag, odd);
        for (size_t group = 0; group < kLanes; group += kRows / 2) {
            for (size_t r = 0; r < kRows / 2; r++) {
                sums_[2 * r] += even[group + r];
                sums_[2 * r + 1] += odd[group + r];
            }
        }
    }
    HWY_INLINE void Store(size_t count, uint32_t* out) const {
        std::memcpy(out, sums_, count * sizeof(uint32_t));
    }

private:
    uint32_t sums_[kRows] = {};
};

// 16 bytes of 16 rows each to 16 times the same byte of all rows, within each group of 16: four
// times, the first half of the vectors is interleaved with the second.
template <class Vec>
HWY_INLINE void Transpose(Vec (&rows)[kRows]) {
    const hn::DFromV<Vec> tag;
    HWY_UNROLL(4)
    for (size_t round = 0; round < 4; round++) {
        Vec next[kRows];
        HWY_UNROLL(8)
        for (size_t i = 0; i < kRows / 2; i++) {
            next[2 * i] = hn::InterleaveLower(tag, rows[i], rows[i + kRows / 2]);
            next[2 * i + 1] = hn::InterleaveUpper(tag, rows[i], rows[i + kRows / 2]);
        }
        HWY_UNROLL(16)
        for (size_t i = 0; i < kRows; i++) {
            rows[i] = next[i];
        }
    }
}

// Adds the entries of one vector of each row; tables: of its first group.
template <class Tag>
HWY_INLINE void AddColumns(Tag tag, const uint8_t* HWY_RESTRICT tables,
                           hn::Vec<Tag> (&bytes)[kRows], RowSums::Part<Tag>* part) {
    Transpose(bytes);
    const auto low_half = hn::Set(tag, 15);
    HWY_UNROLL(16)
    for (size_t i = 0; i < kTableGroup; i++) {
        const uint8_t* at = tables + i * kTableColumn;
        const auto lower = hn::LoadU(tag, at);
        const auto upper = hn::LoadU(tag, at + kTableColumn / 2);
        const auto pairs = hn::BitCast(hn::Repartition<uint16_t, Tag>(), bytes[i]);
        const auto shifted = hn::BitCast(tag, hn::ShiftRight<4>(pairs));
        part->Add(hn::Add(hn::TableLookupBytes(lower, hn::And(bytes[i], low_half)),
                          hn::TableLookupBytes(upper, hn::And(shifted, low_half))));
    }
}

// Fewer bytes than a vector, zeros behind them. Reads nothing else.
template <class Tag>
HWY_INLINE hn::Vec<Tag> LoadFirst(Tag tag, const uint8_t* from, size_t bytes) {
#if HWY_TARGET == HWY_AVX3
    return hn::MaskedLoad(hn::FirstN(tag, bytes), tag, from);
#else
    HWY_ALIGN uint8_t padded[hn::MaxLanes(Tag())] = {};
    std::memcpy(padded, from, bytes);
    return hn::Load(tag, padded);
#endif
}

HWY_INLINE void SumRows(const NibbleQuery& query, const uint8_t* const (&rows)[kRows], size_t count,
                        uint32_t* out) {
    const WideTag wide;
    constexpr size_t kStep = hn::MaxLanes(WideTag());
    RowSums sums;
    RowSums::Part<WideTag> part;
    part.Clear();
    size_t columns = 0;
    size_t at = 0;
    for (; at + kStep <= query.row_bytes; at += kStep) {
        hn::Vec<WideTag> bytes[kRows];
        for (size_t r = 0; r < kRows; r++) {
            bytes[r] = hn::LoadU(wide, rows[r] + at);
        }
        AddColumns(wide,
                   query.tables + at / kTableBlock * kTableBlockBytes +
                       at % kTableBlock / kTableGroup * kTableEntries,
                   bytes, &part);
        columns += kTableGroup;
        if (columns == kColumnsMax) {
            sums.Take(part);
            part.Clear();
            columns = 0;
        }
    }
    sums.Take(part);
#if HWY_TARGET == HWY_AVX3
    // All that is left at once: loads with masks cost nothing.
    using RestTag = WideTag;
#else
    using RestTag = GroupTag;
#endif
    constexpr size_t kRest = hn::MaxLanes(RestTag());
    RowSums::Part<RestTag> rest;
    rest.Clear();
    for (; at < query.row_bytes; at += kRest) {
        const size_t now = HWY_MIN(kRest, query.row_bytes - at);
        hn::Vec<RestTag> bytes[kRows];
        for (size_t r = 0; r < kRows; r++) {
            bytes[r] = now == kRest ? hn::LoadU(RestTag(), rows[r] + at)
                                    : LoadFirst(RestTag(), rows[r] + at, now);
        }
        AddColumns(RestTag(),
                   query.tables + at / kTableBlock * kTableBlockBytes +
                       at % kTableBlock / kTableGroup * kTableEntries,
                   bytes, &rest);
    }
    sums.Take(rest);
    sums.Store(count, out);
}

void NibbleSums(const NibbleQuery& query, const uint8_t* rows, const uint32_t* picked, size_t count,
                uint32_t* out) {
    constexpr size_t kFetchBytesMax = 512;
    const auto fetch = [&](size_t first) {
        for (size_t i = first; i < HWY_MIN(first + kRows, count); i++) {
            const uint8_t* row = rows + picked[i] * query.stride;
            for (size_t at = 0; at < HWY_MIN(query.row_bytes, kFetchBytesMax); at += 64) {
                hwy::Prefetch(row + at);
            }
        }
    };
    fetch(0);
    for (size_t first = 0; first < count; first += kRows) {
        fetch(first + kRows);
        const size_t now = HWY_MIN(kRows, count - first);
        const uint8_t* group[kRows];
        for (size_t r = 0; r < kRows; r++) {
            group[r] = rows + picked[first + HWY_MIN(r, now - 1)] * query.stride;
        }
        SumRows(query, group, now, out + first);
    }
}

#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(NibbleSums);

}  // namespace

size_t NibbleTableBytes(size_t row_bytes) {
    return (row_bytes + kTableBlock - 1) / kTableBlock * kTableBlockBytes;
}

size_t NibbleTableAt(size_t code) {
    const size_t at = code / 2;
    return at / kTableBlock * kTableBlockBytes + at % kTableGroup * kTableColumn +
           at % kTableBlock / kTableGroup * kTableEntries + code % 2 * (kTableColumn / 2);
}

void NibbleSumsPicked(const NibbleQuery& query, const uint8_t* rows, const uint32_t* picked,
                      size_t count, uint32_t* out) {
    HWY_DYNAMIC_DISPATCH(NibbleSums)(query, rows, picked, count, out);
}

}  // namespace quern::kernels
#endif
