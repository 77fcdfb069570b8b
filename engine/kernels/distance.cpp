// The vector kernels, compiled once per SIMD level by Highway.
//
// One row is one dot product or sum of squares over four accumulators. What does not fill a vector at the end of a row is covered by a
// last vector that ends with the row and overlaps its predecessor, with the lanes that were counted already set to zero:
// nothing is read beyond a row, and nothing is copied. The order of additions depends on the dimension and the SIMD level alone.
//
// When f32 overflows on the way, the row is measured again in double (distance_scalar.h).
#include "engine/kernels/distance.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include "engine/kernels/distance_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/distance.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

// Loads Lanes(DF) elements as f32.
struct LoadF32 {
    static constexpr size_t kBytes = 4;
    static HWY_INLINE VF At(const char* row, size_t i) {
        return hn::LoadU(DF(), reinterpret_cast<const float*>(row) + i);
    }
};
struct LoadF16 {
    static constexpr size_t kBytes = 2;
    static HWY_INLINE VF At(const char* row, size_t i) {
        const hn::Rebind<hwy::float16_t, DF> half;
        return hn::PromoteTo(DF(), hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(row) + i));
    }
};
struct LoadBF16 {
    static constexpr size_t kBytes = 2;
    static HWY_INLINE VF At(const char* row, size_t i) {
        const hn::Rebind<uint16_t, DF> code;
        const hn::RebindToUnsigned<DF> wide;
        return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(
                                     wide, hn::LoadU(code, reinterpret_cast<const uint16_t*>(row) + i))));
    }
};
struct LoadI8 {
    static constexpr size_t kBytes = 1;
    static HWY_INLINE VF At(const char* row, size_t i) {
        const hn::Rebind<int8_t, DF> byte;
        const hn::RebindToSigned<DF> wide;
        return hn::ConvertTo(DF(), hn::PromoteTo(wide, hn::LoadU(byte, reinterpret_cast<const int8_t*>(row) + i)));
    }
};

// What is summed over a row: products, or squares of differences.
struct Product {
    static HWY_INLINE VF Add(VF query, VF row, VF sum) { return hn::MulAdd(query, row, sum); }
};
struct SquaredDifference {
    static HWY_INLINE VF Add(VF query, VF row, VF sum) {
        const VF difference = hn::Sub(query, row);
        return hn::MulAdd(difference, difference, sum);
    }
};

// Rows shorter than a vector.
template <class Load, class Term>
HWY_NOINLINE float SumShort(const float* query, const char* row, size_t dim) {
    const DF d;
    HWY_ALIGN float q[HWY_MAX_BYTES / sizeof(float)] = {};
    HWY_ALIGN char r[HWY_MAX_BYTES] = {};
    std::memcpy(q, query, dim * sizeof(float));
    std::memcpy(r, row, dim * Load::kBytes);
    return hn::GetLane(hn::SumOfLanes(d, Term::Add(hn::Load(d, q), Load::At(r, 0), hn::Zero(d))));
}

template <class Load, class Term>
HWY_INLINE float SumRow(const float* HWY_RESTRICT query, const char* HWY_RESTRICT row, size_t dim) {
    const DF d;
    const size_t lanes = hn::Lanes(d);
    if (HWY_UNLIKELY(dim < lanes)) {
        return SumShort<Load, Term>(query, row, dim);
    }
    VF sum0 = hn::Zero(d);
    VF sum1 = hn::Zero(d);
    VF sum2 = hn::Zero(d);
    VF sum3 = hn::Zero(d);
    size_t i = 0;
    for (; i + 4 * lanes <= dim; i += 4 * lanes) {
        sum0 = Term::Add(hn::LoadU(d, query + i), Load::At(row, i), sum0);
        sum1 = Term::Add(hn::LoadU(d, query + i + lanes), Load::At(row, i + lanes), sum1);
        sum2 = Term::Add(hn::LoadU(d, query + i + 2 * lanes), Load::At(row, i + 2 * lanes), sum2);
        sum3 = Term::Add(hn::LoadU(d, query + i + 3 * lanes), Load::At(row, i + 3 * lanes), sum3);
    }
    if (i + 2 * lanes <= dim) {
        sum0 = Term::Add(hn::LoadU(d, query + i), Load::At(row, i), sum0);
        sum1 = Term::Add(hn::LoadU(d, query + i + lanes), Load::At(row, i + lanes), sum1);
        i += 2 * lanes;
    }
    if (i + lanes <= dim) {
        sum2 = Term::Add(hn::LoadU(d, query + i), Load::At(row, i), sum2);
        i += lanes;
    }
    if (i < dim) {
        const size_t last = dim - lanes;
        const auto counted = hn::FirstN(d, i - last);
        sum3 = Term::Add(hn::IfThenZeroElse(counted, hn::LoadU(d, query + last)),
                         hn::IfThenZeroElse(counted, Load::At(row, last)), sum3);
    }
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

HWY_INLINE float CountBits(const char* query, const char* row, size_t bytes) {
    size_t i = 0;
    uint64_t count0 = 0;
    uint64_t count1 = 0;
    auto word = [](const char* from) {
        uint64_t value;
        std::memcpy(&value, from, sizeof value);
        return value;
    };
    for (; i + 16 <= bytes; i += 16) {
        count0 += static_cast<uint64_t>(__builtin_popcountll(word(query + i) ^ word(row + i)));
        count1 += static_cast<uint64_t>(__builtin_popcountll(word(query + i + 8) ^ word(row + i + 8)));
    }
    for (; i < bytes; i++) {
        count0 += static_cast<uint64_t>(__builtin_popcount(static_cast<uint8_t>(query[i] ^ row[i])));
    }
    return static_cast<float>(count0 + count1);
}

// Distances of the rows that `row_at` picks: row_at(j) is the number of the j-th row.
template <class Load, class RowAt>
HWY_INLINE void MeasureAs(Element element, Metric metric, const Query& query, const char* rows, size_t count,
                          const float* inverse_norms, float* HWY_RESTRICT out, RowAt row_at) {
    const size_t row_bytes = VectorBytes(element, query.dim);
    const float* vector = static_cast<const float*>(query.vector);
    auto finish = [&](size_t j, float distance, const char* row, float inverse_norm) {
        out[j] = HWY_LIKELY(std::fabs(distance) <= 3.0e38f) ? distance
                                                           : scalar::Distance(element, metric, query, row, inverse_norm);
    };
    if (metric == Metric::kL2) {
        for (size_t j = 0; j < count; j++) {
            const char* row = rows + row_at(j) * row_bytes;
            finish(j, SumRow<Load, SquaredDifference>(vector, row, query.dim), row, 0);
        }
    } else if (metric == Metric::kIp) {
        for (size_t j = 0; j < count; j++) {
            const char* row = rows + row_at(j) * row_bytes;
            finish(j, -SumRow<Load, Product>(vector, row, query.dim), row, 0);
        }
    } else {
        for (size_t j = 0; j < count; j++) {
            const size_t number = row_at(j);
            const char* row = rows + number * row_bytes;
            const float product = SumRow<Load, Product>(vector, row, query.dim);
            finish(j, 1.0f - product * query.inverse_norm * inverse_norms[number], row, inverse_norms[number]);
        }
    }
}

template <class RowAt>
HWY_INLINE void Measure(Element element, Metric metric, const Query& query, const void* rows, size_t count,
                        const float* inverse_norms, float* out, RowAt row_at) {
    const char* bytes = static_cast<const char*>(rows);
    switch (element) {
        case Element::kF32: MeasureAs<LoadF32>(element, metric, query, bytes, count, inverse_norms, out, row_at); break;
        case Element::kF16: MeasureAs<LoadF16>(element, metric, query, bytes, count, inverse_norms, out, row_at); break;
        case Element::kBF16: MeasureAs<LoadBF16>(element, metric, query, bytes, count, inverse_norms, out, row_at); break;
        case Element::kI8: MeasureAs<LoadI8>(element, metric, query, bytes, count, inverse_norms, out, row_at); break;
        case Element::kBit: {
            const size_t row_bytes = VectorBytes(element, query.dim);
            for (size_t j = 0; j < count; j++) {
                out[j] = CountBits(static_cast<const char*>(query.vector), bytes + row_at(j) * row_bytes, row_bytes);
            }
        }
    }
}

void DistancesRun(Element element, Metric metric, const Query& query, const void* rows, size_t count,
                  const float* inverse_norms, float* out) {
    Measure(element, metric, query, rows, count, inverse_norms, out, [](size_t j) { return j; });
}

void DistancesPick(Element element, Metric metric, const Query& query, const void* rows, const uint32_t* picked,
                   size_t count, const float* inverse_norms, float* out) {
    Measure(element, metric, query, rows, count, inverse_norms, out, [picked](size_t j) { return size_t{picked[j]}; });
}

template <class Load>
HWY_INLINE void WidenAs(const char* rows, size_t total, float* out) {
    const DF d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= total; i += lanes) {
        hn::StoreU(Load::At(rows, i), d, out + i);
    }
    if (i < total) {
        HWY_ALIGN char tail[HWY_MAX_BYTES] = {};
        HWY_ALIGN float wide[HWY_MAX_BYTES / sizeof(float)];
        std::memcpy(tail, rows + i * Load::kBytes, (total - i) * Load::kBytes);
        hn::Store(Load::At(tail, 0), d, wide);
        std::memcpy(out + i, wide, (total - i) * sizeof(float));
    }
}

void Widen(Element element, const void* rows, size_t total, float* out) {
    const char* bytes = static_cast<const char*>(rows);
    switch (element) {
        case Element::kF32: std::memcpy(out, rows, total * sizeof(float)); break;
        case Element::kF16: WidenAs<LoadF16>(bytes, total, out); break;
        case Element::kBF16: WidenAs<LoadBF16>(bytes, total, out); break;
        case Element::kI8: WidenAs<LoadI8>(bytes, total, out); break;
        case Element::kBit: break;
    }
}

// |row|^2 of one row in f32; the row multiplies itself.
template <class Load>
HWY_INLINE float SquareRow(const char* row, size_t dim) {
    const DF d;
    const size_t lanes = hn::Lanes(d);
    VF sum0 = hn::Zero(d);
    VF sum1 = hn::Zero(d);
    size_t i = 0;
    for (; i + 2 * lanes <= dim; i += 2 * lanes) {
        const VF a = Load::At(row, i);
        const VF b = Load::At(row, i + lanes);
        sum0 = hn::MulAdd(a, a, sum0);
        sum1 = hn::MulAdd(b, b, sum1);
    }
    for (; i < dim; i += lanes) {
        HWY_ALIGN char tail[HWY_MAX_BYTES] = {};
        const size_t count = dim - i < lanes ? dim - i : lanes;
        std::memcpy(tail, row + i * Load::kBytes, count * Load::kBytes);
        const VF a = Load::At(tail, 0);
        sum0 = hn::MulAdd(a, a, sum0);
    }
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
}

float SquareOne(Element element, const char* row, size_t dim) {
    switch (element) {
        case Element::kF32: return SquareRow<LoadF32>(row, dim);
        case Element::kF16: return SquareRow<LoadF16>(row, dim);
        case Element::kBF16: return SquareRow<LoadBF16>(row, dim);
        case Element::kI8: return SquareRow<LoadI8>(row, dim);
        case Element::kBit: break;
    }
    return 0;
}

void Squares(Element element, const void* rows, size_t count, size_t dim, float* out) {
    const size_t row_bytes = VectorBytes(element, dim);
    for (size_t i = 0; i < count; i++) {
        out[i] = SquareOne(element, static_cast<const char*>(rows) + i * row_bytes, dim);
    }
}

// The matrix product. Rows come in panels of kPanelRows, element k of all of them side by side; a kernel holds the sums of three
// vectors of rows times kQueries queries in registers. 48 rows are three vectors of 16 lanes, or more of fewer.
constexpr size_t kPanelRows = 48;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr size_t kQueries = 8;  // 24 sums in 32 registers
#else
constexpr size_t kQueries = 4;  // 12 sums in 16 registers
#endif
using DP = hn::CappedTag<float, 16>;
using VP = hn::Vec<DP>;

// Products of kCount queries with up to 3 * lanes rows of a panel, from row `first` of it.
template <size_t kCount>
HWY_INLINE void PanelProducts(const float* HWY_RESTRICT queries, size_t query_stride, const float* HWY_RESTRICT panel,
                              size_t dim, float* HWY_RESTRICT out, size_t out_stride, size_t row_count) {
    const DP d;
    const size_t lanes = hn::Lanes(d);
    VP sums[kCount][3];
    for (size_t q = 0; q < kCount; q++) {
        sums[q][0] = hn::Zero(d);
        sums[q][1] = hn::Zero(d);
        sums[q][2] = hn::Zero(d);
    }
    for (size_t k = 0; k < dim; k++) {
        const VP r0 = hn::LoadU(d, panel + k * kPanelRows);
        const VP r1 = hn::LoadU(d, panel + k * kPanelRows + lanes);
        const VP r2 = hn::LoadU(d, panel + k * kPanelRows + 2 * lanes);
        HWY_UNROLL(8)
        for (size_t q = 0; q < kCount; q++) {
            const VP value = hn::Set(d, queries[q * query_stride + k]);
            sums[q][0] = hn::MulAdd(value, r0, sums[q][0]);
            sums[q][1] = hn::MulAdd(value, r1, sums[q][1]);
            sums[q][2] = hn::MulAdd(value, r2, sums[q][2]);
        }
    }
    for (size_t q = 0; q < kCount; q++) {
        if (HWY_LIKELY(row_count >= 3 * lanes)) {
            hn::StoreU(sums[q][0], d, out + q * out_stride);
            hn::StoreU(sums[q][1], d, out + q * out_stride + lanes);
            hn::StoreU(sums[q][2], d, out + q * out_stride + 2 * lanes);
        } else {
            HWY_ALIGN float all[kPanelRows];
            hn::StoreU(sums[q][0], d, all);
            hn::StoreU(sums[q][1], d, all + lanes);
            hn::StoreU(sums[q][2], d, all + 2 * lanes);
            std::memcpy(out + q * out_stride, all, row_count * sizeof(float));
        }
    }
}

void Products(const float* queries, size_t query_count, const float* packed, size_t row_count, size_t dim, float* out,
              size_t out_stride) {
    const size_t width = 3 * hn::Lanes(DP());
    for (size_t first = 0; first < row_count; first += kPanelRows) {
        const float* panel = packed + first * dim;
        const size_t panel_rows = row_count - first < kPanelRows ? row_count - first : kPanelRows;
        for (size_t part = 0; part < panel_rows; part += width) {
            const size_t rows = panel_rows - part < width ? panel_rows - part : width;
            size_t q = 0;
            for (; q + kQueries <= query_count; q += kQueries) {
                PanelProducts<kQueries>(queries + q * dim, dim, panel + part, dim, out + q * out_stride + first + part,
                                        out_stride, rows);
            }
            for (; q + 2 <= query_count; q += 2) {
                PanelProducts<2>(queries + q * dim, dim, panel + part, dim, out + q * out_stride + first + part, out_stride,
                                 rows);
            }
            if (q < query_count) {
                PanelProducts<1>(queries + q * dim, dim, panel + part, dim, out + q * out_stride + first + part, out_stride,
                                 rows);
            }
        }
    }
}

size_t Select(const float* values, size_t count, float threshold, uint32_t* out) {
    const DF d;
    const size_t lanes = hn::Lanes(d);
    const VF limit = hn::Set(d, threshold);
    size_t found = 0;
    size_t i = 0;
    auto take = [&](size_t end) {
        for (; i < end; i++) {
            out[found] = static_cast<uint32_t>(i);
            found += values[i] <= threshold ? 1 : 0;
        }
    };
    while (i + 2 * lanes <= count) {
        const VF smaller = hn::Min(hn::LoadU(d, values + i), hn::LoadU(d, values + i + lanes));
        if (HWY_LIKELY(hn::AllFalse(d, hn::Le(smaller, limit)))) {
            i += 2 * lanes;
        } else {
            take(i + 2 * lanes);
        }
    }
    for (; i < count; i++) {
        if (values[i] <= threshold) {
            out[found++] = static_cast<uint32_t>(i);
        }
    }
    return found;
}

const char* LevelName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

HWY_EXPORT(DistancesRun);
HWY_EXPORT(DistancesPick);
HWY_EXPORT(Widen);
HWY_EXPORT(Squares);
HWY_EXPORT(Products);
HWY_EXPORT(Select);
HWY_EXPORT(LevelName);

namespace {
constexpr size_t kPackedPanelRows = 48;  // kPanelRows of every level
constexpr size_t kPackStep = 32;         // elements packed at a time: 6 KiB of a panel, which stay in the first cache
}  // namespace

void Distances(Element element, Metric metric, const Query& query, const void* rows, size_t count,
               const float* inverse_norms, float* out) {
    HWY_DYNAMIC_DISPATCH(DistancesRun)(element, metric, query, rows, count, inverse_norms, out);
}

void DistancesPicked(Element element, Metric metric, const Query& query, const void* rows, const uint32_t* picked,
                     size_t count, const float* inverse_norms, float* out) {
    HWY_DYNAMIC_DISPATCH(DistancesPick)(element, metric, query, rows, picked, count, inverse_norms, out);
}

void ToF32(Element element, const void* rows, size_t count, size_t dim, float* out) {
    HWY_DYNAMIC_DISPATCH(Widen)(element, rows, count * dim, out);
}

void SquaredNorms(Element element, const void* rows, size_t count, size_t dim, float* squared_norms) {
    HWY_DYNAMIC_DISPATCH(Squares)(element, rows, count, dim, squared_norms);
}

void InverseNorms(Element element, const void* rows, size_t count, size_t dim, float* inverse_norms) {
    HWY_DYNAMIC_DISPATCH(Squares)(element, rows, count, dim, inverse_norms);
    const size_t row_bytes = VectorBytes(element, dim);
    for (size_t i = 0; i < count; i++) {
        const float squared = inverse_norms[i];
        // Sums that lost precision at either end of f32's range are made anew in double; so are zeros, to be sure.
        inverse_norms[i] = squared > 1e-30f && squared < 1e38f
                               ? 1.0f / std::sqrt(squared)
                               : scalar::InverseNorm(element, static_cast<const char*>(rows) + i * row_bytes, dim);
    }
}

size_t PackedRowsFloats(size_t row_count, size_t dim) {
    return (row_count + kPackedPanelRows - 1) / kPackedPanelRows * kPackedPanelRows * dim;
}

void PackRows(Element element, const void* rows, size_t row_count, size_t dim, float* packed) {
    const size_t row_bytes = VectorBytes(element, dim);
    const size_t element_bytes = VectorBytes(element, 1);
    const char* bytes = static_cast<const char*>(rows);
    for (size_t first = 0; first < row_count; first += kPackedPanelRows) {
        float* panel = packed + first * dim;
        const size_t panel_rows = row_count - first < kPackedPanelRows ? row_count - first : kPackedPanelRows;
        for (size_t k = 0; k < dim; k += kPackStep) {
            const size_t step = dim - k < kPackStep ? dim - k : kPackStep;
            float wide[kPackStep];
            for (size_t r = 0; r < kPackedPanelRows; r++) {
                if (r < panel_rows) {
                    ToF32(element, bytes + (first + r) * row_bytes + k * element_bytes, 1, step, wide);
                } else {
                    std::memset(wide, 0, sizeof wide);
                }
                for (size_t i = 0; i < step; i++) {
                    panel[(k + i) * kPackedPanelRows + r] = wide[i];
                }
            }
        }
    }
}

void InnerProductBlock(const float* queries, size_t query_count, const float* packed_rows, size_t row_count, size_t dim,
                       float* out, size_t out_stride) {
    HWY_DYNAMIC_DISPATCH(Products)(queries, query_count, packed_rows, row_count, dim, out, out_stride);
}

size_t SelectAtMost(const float* values, size_t count, float threshold, uint32_t* out) {
    return HWY_DYNAMIC_DISPATCH(Select)(values, count, threshold, out);
}

const char* SimdLevel() { return HWY_DYNAMIC_DISPATCH(LevelName)(); }

void ForceLowestLevel(bool on) {
    hwy::SetSupportedTargetsForTest(on ? static_cast<int64_t>(HWY_STATIC_TARGET) : 0);
    hwy::GetChosenTarget().DeInit();
}

}  // namespace quern::kernels
#endif  // HWY_ONCE
