// Reads stored rows as f32 vectors: sums over a row, and f32 copies. Included once per SIMD level.
//
// The order of the sum over a row is fixed by its length and the SIMD level alone. Vector i of a
// group of four goes to sum i; up to three further whole vectors go to sums 0 to 2, the rest to sum
// 3; then (0 + 1) + (2 + 3), then the lanes. So a row's result cannot depend on its neighbours, its
// position or its alignment. Four sums, because a fused multiply-add takes four cycles on the
// processors of today.
//
// Two rows are summed side by side where there are two: that halves the loads of the query. Each
// row's own order of additions is the same as alone.
//
// The rest of a row that does not fill a vector is read as the last whole vector of the row, with
// the lanes that were counted before set to zero. That never touches a byte outside the row and
// costs one instruction. Only rows shorter than one vector are copied to a padded buffer.
//
// All reads go through bytes, since rows in a file's blob have any alignment.
#if defined(QUERN_ENGINE_KERNELS_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_ENGINE_KERNELS_ROWS_INL_H_
#undef QUERN_ENGINE_KERNELS_ROWS_INL_H_
#else
#define QUERN_ENGINE_KERNELS_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "storage/base/element.h"

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::ScalableTag<float>;
using F32Vec = hn::Vec<F32Tag>;
using F32Mask = hn::Mask<F32Tag>;
constexpr size_t kLanesMax = HWY_MAX_BYTES / sizeof(float);

// A vector of any type from any address.
template <class Tag>
HWY_INLINE hn::Vec<Tag> LoadBytes(Tag tag, const uint8_t* from) {
#if HWY_TARGET == HWY_SCALAR
    hn::TFromD<Tag> value;
    std::memcpy(&value, from, sizeof(value));
    return hn::LoadU(tag, &value);
#else
    return hn::BitCast(tag, hn::LoadU(hn::Repartition<uint8_t, Tag>(), from));
#endif
}

// One reader per element type: kBytes of one element, Load makes f32 of as many elements as an f32
// vector has lanes.
struct F32Reader {
    static constexpr size_t kBytes = 4;
    static HWY_INLINE F32Vec Load(const uint8_t* from) { return LoadBytes(F32Tag(), from); }
};

struct F16Reader {
    static constexpr size_t kBytes = 2;
    static HWY_INLINE F32Vec Load(const uint8_t* from) {
        return hn::PromoteTo(F32Tag(), LoadBytes(hn::Rebind<hwy::float16_t, F32Tag>(), from));
    }
};

struct BF16Reader {
    static constexpr size_t kBytes = 2;
    static HWY_INLINE F32Vec Load(const uint8_t* from) {
        return hn::PromoteTo(F32Tag(), LoadBytes(hn::Rebind<hwy::bfloat16_t, F32Tag>(), from));
    }
};

struct I8Reader {
    static constexpr size_t kBytes = 1;
    static HWY_INLINE F32Vec Load(const uint8_t* from) {
        const hn::Rebind<int32_t, F32Tag> wide;
        return hn::ConvertTo(F32Tag(),
                             hn::PromoteTo(wide, LoadBytes(hn::Rebind<int8_t, F32Tag>(), from)));
    }
};

struct U8Reader {
    static constexpr size_t kBytes = 1;
    static HWY_INLINE F32Vec Load(const uint8_t* from) {
        const hn::Rebind<int32_t, F32Tag> wide;
        return hn::ConvertTo(F32Tag(),
                             hn::PromoteTo(wide, LoadBytes(hn::Rebind<uint8_t, F32Tag>(), from)));
    }
};

// One step per kind of sum.
struct ProductStep {
    static HWY_INLINE F32Vec Add(F32Vec query, F32Vec row, F32Vec sum) {
        return hn::MulAdd(query, row, sum);
    }
};

struct SquaredL2Step {
    static HWY_INLINE F32Vec Add(F32Vec query, F32Vec row, F32Vec sum) {
        const F32Vec difference = hn::Sub(query, row);
        return hn::MulAdd(difference, difference, sum);
    }
};

struct SquaredNormStep {
    static HWY_INLINE F32Vec Add(F32Vec /*query*/, F32Vec row, F32Vec sum) {
        return hn::MulAdd(row, row, sum);
    }
};

// Sums over rows of one length against one query; `query` is NULL for norms.
template <class Reader, class Step>
class RowSum {
public:
    HWY_INLINE RowSum(const void* query, size_t dim)
        : query_(static_cast<const uint8_t*>(query)), dim_(dim), rest_(dim % hn::Lanes(F32Tag())) {
        const F32Tag f32;
        const size_t lanes = hn::Lanes(f32);
        tail_mask_ = hn::Not(hn::FirstN(f32, lanes - rest_));
        tail_query_ = hn::Zero(f32);
        if (query_ != nullptr && rest_ != 0) {
            if (dim_ > rest_) {
                tail_query_ = hn::IfThenElseZero(tail_mask_, LoadQuery(dim_ - lanes));
            } else {
                tail_query_ = LoadPadded<F32Reader>(query_);
            }
        }
    }

    // sums[r] = the sum over rows[r].
    template <size_t kRows>
    HWY_INLINE void Sum(const uint8_t* const (&rows)[kRows], float (&sums)[kRows]) const {
        const F32Tag f32;
        const size_t lanes = hn::Lanes(f32);
        F32Vec parts[kRows][4];
        for (size_t r = 0; r < kRows; r++) {
            parts[r][0] = parts[r][1] = parts[r][2] = parts[r][3] = hn::Zero(f32);
        }
        size_t i = 0;
        for (; i + 4 * lanes <= dim_; i += 4 * lanes) {
            // Four vectors of one row, then four of the next: memory is quicker with neighbours
            // together.
            const F32Vec query0 = LoadQuery(i);
            const F32Vec query1 = LoadQuery(i + lanes);
            const F32Vec query2 = LoadQuery(i + 2 * lanes);
            const F32Vec query3 = LoadQuery(i + 3 * lanes);
            for (size_t r = 0; r < kRows; r++) {
                parts[r][0] = Step::Add(query0, LoadRow(rows[r], i), parts[r][0]);
                parts[r][1] = Step::Add(query1, LoadRow(rows[r], i + lanes), parts[r][1]);
                parts[r][2] = Step::Add(query2, LoadRow(rows[r], i + 2 * lanes), parts[r][2]);
                parts[r][3] = Step::Add(query3, LoadRow(rows[r], i + 3 * lanes), parts[r][3]);
            }
        }
        if (i + lanes <= dim_) {
            AddVector(rows, i, parts, 0);
            i += lanes;
        }
        if (i + lanes <= dim_) {
            AddVector(rows, i, parts, 1);
            i += lanes;
        }
        if (i + lanes <= dim_) {
            AddVector(rows, i, parts, 2);
        }
        for (size_t r = 0; r < kRows; r++) {
            if (rest_ != 0) {
                const F32Vec tail =
                    dim_ > rest_ ? hn::IfThenElseZero(tail_mask_, LoadRow(rows[r], dim_ - lanes))
                                 : LoadPadded<Reader>(rows[r]);
                parts[r][3] = Step::Add(tail_query_, tail, parts[r][3]);
            }
            const F32Vec sum =
                hn::Add(hn::Add(parts[r][0], parts[r][1]), hn::Add(parts[r][2], parts[r][3]));
            sums[r] = hn::GetLane(hn::SumOfLanes(f32, sum));
        }
    }

private:
    // Adds the vector at `index` of each row to one of its four parts.
    template <size_t kRows>
    HWY_INLINE void AddVector(const uint8_t* const (&rows)[kRows], size_t index,
                              F32Vec (&parts)[kRows][4], size_t part) const {
        const F32Vec query = LoadQuery(index);
        for (size_t r = 0; r < kRows; r++) {
            parts[r][part] = Step::Add(query, LoadRow(rows[r], index), parts[r][part]);
        }
    }
    HWY_INLINE F32Vec LoadQuery(size_t index) const {
        return query_ == nullptr ? hn::Zero(F32Tag())
                                 : F32Reader::Load(query_ + index * sizeof(float));
    }
    HWY_INLINE F32Vec LoadRow(const uint8_t* row, size_t index) const {
        return Reader::Load(row + index * Reader::kBytes);
    }
    // A row shorter than one vector.
    template <class AnyReader>
    HWY_INLINE F32Vec LoadPadded(const uint8_t* from) const {
        uint8_t padded[kLanesMax * AnyReader::kBytes] = {};
        std::memcpy(padded, from, dim_ * AnyReader::kBytes);
        return AnyReader::Load(padded);
    }

    const uint8_t* query_;
    size_t dim_;
    size_t rest_;  // elements after the last whole vector
    F32Mask tail_mask_;
    F32Vec tail_query_;
};

// f32 copies of `count` elements. The last vector of a run overlaps the one before it.
template <class Reader>
HWY_INLINE void Widen(const uint8_t* from, size_t count, float* HWY_RESTRICT out) {
    const F32Tag f32;
    const size_t lanes = hn::Lanes(f32);
    if (HWY_UNLIKELY(count < lanes)) {
        uint8_t padded[kLanesMax * Reader::kBytes] = {};
        float wide[kLanesMax];
        std::memcpy(padded, from, count * Reader::kBytes);
        hn::StoreU(Reader::Load(padded), f32, wide);
        std::memcpy(out, wide, count * sizeof(float));
        return;
    }
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        hn::StoreU(Reader::Load(from + i * Reader::kBytes), f32, out + i);
    }
    if (i < count) {
        i = count - lanes;
        hn::StoreU(Reader::Load(from + i * Reader::kBytes), f32, out + i);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#endif
