// Distances of one query to many rows, and norms of rows.
//
// A scan is bound by memory, not by arithmetic. It goes through the first and the second half of
// the rows at the same time, because hardware fetches two streams ahead faster than one; measured,
// that is worth 10 to 20 percent. Fetching ahead by hand was slower than leaving it to the
// hardware.
//
// A sum that overflowed f32, or a cosine whose product may have underflowed, is computed once more
// in double precision by the scalar twin. So a distance is never NaN, and never minus infinity
// unless the true value is beyond f32.
#include "engine/kernels/distance.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/distance_scalar.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/distance.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/rows-inl.h"

#ifndef QUERN_ENGINE_KERNELS_DISTANCE_ONCE_
#define QUERN_ENGINE_KERNELS_DISTANCE_ONCE_
namespace quern::kernels {

// What one scan works on. picked == NULL: rows 0, 1, 2, ...
struct ScanRows {
    const uint8_t* rows;
    const uint32_t* picked;
    size_t count;
    const float* inverse_norms;  // cosine
};

// Scales above this mean vectors so short (1e-13 each) that what their products lose to underflow
// may show in the cosine.
inline constexpr float kCosineScaleMax = 1e25f;

// Never inlined: keeps the rare case out of the loops.
HWY_NOINLINE float AgainInDouble(Element element, Metric metric, const Query& query,
                                 const uint8_t* row, float inverse_norm);

}  // namespace quern::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

// 1 - product * a * b, spelt out so that no compiler fuses it in one place and not in another.
HWY_INLINE float CosineDistance(float product, float a, float b) {
    const hn::CappedTag<float, 1> one;
    const auto scaled = hn::Mul(hn::Set(one, product), hn::Set(one, a));
    return hn::GetLane(hn::NegMulAdd(scaled, hn::Set(one, b), hn::Set(one, 1.0f)));
}

// Measures rows of one element type by one metric.
template <class Reader, class Step, Element kElement, Metric kMetric>
class Scanner {
public:
    HWY_INLINE Scanner(const Query& query, const ScanRows& scan)
        : query_(query),
          scan_(scan),
          row_bytes_(query.dim * Reader::kBytes),
          row_sum_(query.vector, query.dim) {}

    HWY_INLINE void Run(float* HWY_RESTRICT out) const {
        const size_t half = scan_.count / 2;
        for (size_t i = 0; i < half; i++) {
            const size_t positions[2] = {i, half + i};
            if (scan_.picked != nullptr && half + i + 1 < scan_.count) {
                FetchPicked(i + 1);
                FetchPicked(half + i + 1);
            }
            Measure(positions, out);
        }
        if (scan_.count % 2 != 0) {
            const size_t positions[1] = {scan_.count - 1};
            Measure(positions, out);
        }
    }

private:
    HWY_INLINE size_t RowIndex(size_t position) const {
        return scan_.picked != nullptr ? scan_.picked[position] : position;
    }

    // Hardware does not guess which row is next, and needs some lines to see how long one is.
    HWY_INLINE void FetchPicked(size_t position) const {
        constexpr size_t kFetchedBytesMax = 4096;
        const uint8_t* row = scan_.rows + RowIndex(position) * row_bytes_;
        for (size_t at = 0; at < HWY_MIN(row_bytes_, kFetchedBytesMax); at += 64) {
            hwy::Prefetch(row + at);
        }
    }

    template <size_t kRows>
    HWY_INLINE void Measure(const size_t (&positions)[kRows], float* HWY_RESTRICT out) const {
        const uint8_t* rows[kRows];
        float sums[kRows];
        for (size_t r = 0; r < kRows; r++) {
            rows[r] = scan_.rows + RowIndex(positions[r]) * row_bytes_;
        }
        row_sum_.Sum(rows, sums);
        for (size_t r = 0; r < kRows; r++) {
            out[positions[r]] = Finish(sums[r], RowIndex(positions[r]));
        }
    }

    HWY_INLINE float Finish(float sum, size_t row_index) const {
        float distance = sum;
        float inverse_norm = 0;
        bool doubtful = false;
        if constexpr (kMetric == Metric::kIp) {
            distance = -sum;
        } else if constexpr (kMetric == Metric::kCosine) {
            inverse_norm = scan_.inverse_norms[row_index];
            distance = CosineDistance(sum, query_.inverse_norm, inverse_norm);
            doubtful = CosineIsDoubtful(query_, inverse_norm);
        }
        if (HWY_LIKELY(std::fabs(distance) <= std::numeric_limits<float>::max() && !doubtful)) {
            // Rounding may have gone beyond what a cosine can be.
            return kMetric == Metric::kCosine ? std::clamp(distance, 0.0f, 2.0f) : distance;
        }
        return AgainInDouble(kElement, kMetric, query_, scan_.rows + row_index * row_bytes_,
                             inverse_norm);
    }

    const Query& query_;
    const ScanRows& scan_;
    size_t row_bytes_;
    RowSum<Reader, Step> row_sum_;
};

template <class Reader, Element kElement>
void ScanElement(Metric metric, const Query& query, const ScanRows& scan, float* out) {
    switch (metric) {
        case Metric::kL2:
            Scanner<Reader, SquaredL2Step, kElement, Metric::kL2>(query, scan).Run(out);
            break;
        case Metric::kIp:
            Scanner<Reader, ProductStep, kElement, Metric::kIp>(query, scan).Run(out);
            break;
        case Metric::kCosine:
            Scanner<Reader, ProductStep, kElement, Metric::kCosine>(query, scan).Run(out);
            break;
        case Metric::kHamming: break;
    }
}

HWY_INLINE uint64_t LoadWord(const uint8_t* from) {
    uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// Words and the population count instruction keep up with memory; vectors gain nothing here. The
// rest of a row is the upper part of its last eight bytes; only rows below eight bytes are gathered
// byte by byte.
void ScanBits(const Query& query, const ScanRows& scan, float* out) {
    const size_t row_bytes = VectorBytes(Element::kBit, query.dim);
    const auto* vector = static_cast<const uint8_t*>(query.vector);
    const size_t whole = row_bytes / 8 * 8;
    const size_t rest = row_bytes - whole;
    for (size_t i = 0; i < scan.count; i++) {
        const uint8_t* row = scan.rows + (scan.picked != nullptr ? scan.picked[i] : i) * row_bytes;
        int differing0 = 0;
        int differing1 = 0;
        size_t at = 0;
        for (; at + 16 <= row_bytes; at += 16) {
            differing0 += std::popcount(LoadWord(vector + at) ^ LoadWord(row + at));
            differing1 += std::popcount(LoadWord(vector + at + 8) ^ LoadWord(row + at + 8));
        }
        if (at < whole) {
            differing0 += std::popcount(LoadWord(vector + at) ^ LoadWord(row + at));
        }
        if (rest != 0 && row_bytes >= 8) {
            const uint64_t last = LoadWord(vector + row_bytes - 8) ^ LoadWord(row + row_bytes - 8);
            differing1 += std::popcount(last >> (8 * (8 - rest)));
        } else {
            for (at = 0; at < rest; at++) {
                differing1 += std::popcount(static_cast<uint8_t>(vector[at] ^ row[at]));
            }
        }
        out[i] = static_cast<float>(differing0 + differing1);
    }
}

void Scan(Element element, Metric metric, const Query& query, const ScanRows& scan, float* out) {
    switch (element) {
        case Element::kF32: ScanElement<F32Reader, Element::kF32>(metric, query, scan, out); break;
        case Element::kF16: ScanElement<F16Reader, Element::kF16>(metric, query, scan, out); break;
        case Element::kBF16:
            ScanElement<BF16Reader, Element::kBF16>(metric, query, scan, out);
            break;
        case Element::kI8: ScanElement<I8Reader, Element::kI8>(metric, query, scan, out); break;
        case Element::kU8: ScanElement<U8Reader, Element::kU8>(metric, query, scan, out); break;
        case Element::kBit: ScanBits(query, scan, out); break;
    }
}

template <class Reader>
void SquaredNormsAs(const uint8_t* rows, size_t count, size_t dim, float* out) {
    const RowSum<Reader, SquaredNormStep> row_sum(nullptr, dim);
    for (size_t i = 0; i < count; i++) {
        const uint8_t* row[1] = {rows + i * dim * Reader::kBytes};
        float sum[1];
        row_sum.Sum(row, sum);
        out[i] = sum[0];
    }
}

void SquaredNormsOf(Element element, const uint8_t* rows, size_t count, size_t dim, float* out) {
    switch (element) {
        case Element::kF32: SquaredNormsAs<F32Reader>(rows, count, dim, out); break;
        case Element::kF16: SquaredNormsAs<F16Reader>(rows, count, dim, out); break;
        case Element::kBF16: SquaredNormsAs<BF16Reader>(rows, count, dim, out); break;
        case Element::kI8: SquaredNormsAs<I8Reader>(rows, count, dim, out); break;
        case Element::kU8: SquaredNormsAs<U8Reader>(rows, count, dim, out); break;
        case Element::kBit: break;
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {

HWY_EXPORT(Scan);
HWY_EXPORT(SquaredNormsOf);

// Norms with squares outside of this range are taken again in double precision: f32 overflows or
// loses digits there.
constexpr float kSquaredNormMin = 1e-25f;
constexpr float kSquaredNormMax = 1e35f;

// The bound of CosineIsDoubtful. The largest f32 is never within it: it stands for all that is
// larger.
float RowInverseMax(float query_inverse_norm) {
    constexpr float kMost = 0.99f * std::numeric_limits<float>::max();
    if (query_inverse_norm == 0) {
        return std::numeric_limits<float>::max();  // distance 1 to everything
    }
    if (query_inverse_norm > kMost || query_inverse_norm < std::numeric_limits<float>::min()) {
        return 0;
    }
    return std::min(kCosineScaleMax / query_inverse_norm, kMost);
}

}  // namespace

float AgainInDouble(Element element, Metric metric, const Query& query, const uint8_t* row,
                    float inverse_norm) {
    return scalar::Distance(element, metric, query, row, inverse_norm);
}

Query PrepareQuery(Element element, Metric metric, const void* vector, size_t dim) {
    float inverse_norm = 0;
    if (element != Element::kBit && metric == Metric::kCosine) {
        InverseNorms(Element::kF32, vector, 1, dim, &inverse_norm);
    }
    return PrepareQuery(element, metric, vector, dim, inverse_norm);
}

Query PrepareQuery(Element element, Metric metric, const void* vector, size_t dim,
                   float inverse_norm) {
    Query query;
    query.vector = vector;
    query.dim = dim;
    if (element != Element::kBit && metric == Metric::kCosine) {
        query.inverse_norm = inverse_norm;
        query.row_inverse_max = RowInverseMax(query.inverse_norm);
    }
    return query;
}

void Distances(Element element, Metric metric, const Query& query, const void* rows, size_t count,
               const float* inverse_norms, float* out) {
    const ScanRows scan = {static_cast<const uint8_t*>(rows), nullptr, count, inverse_norms};
    HWY_DYNAMIC_DISPATCH(Scan)(element, metric, query, scan, out);
}

void DistancesPicked(Element element, Metric metric, const Query& query, const void* rows,
                     const uint32_t* picked, size_t count, const float* inverse_norms, float* out) {
    const ScanRows scan = {static_cast<const uint8_t*>(rows), picked, count, inverse_norms};
    HWY_DYNAMIC_DISPATCH(Scan)(element, metric, query, scan, out);
}

void SquaredNorms(Element element, const void* rows, size_t count, size_t dim,
                  float* squared_norms) {
    HWY_DYNAMIC_DISPATCH(SquaredNormsOf)
    (element, static_cast<const uint8_t*>(rows), count, dim, squared_norms);
}

void InverseNorms(Element element, const void* rows, size_t count, size_t dim,
                  float* inverse_norms) {
    SquaredNorms(element, rows, count, dim, inverse_norms);
    const size_t row_bytes = VectorBytes(element, dim);
    for (size_t i = 0; i < count; i++) {
        const float squared = inverse_norms[i];
        inverse_norms[i] =
            squared >= kSquaredNormMin && squared <= kSquaredNormMax
                ? 1.0f / std::sqrt(squared)
                : scalar::InverseNorm(element, static_cast<const char*>(rows) + i * row_bytes, dim);
    }
}

}  // namespace quern::kernels
#endif
