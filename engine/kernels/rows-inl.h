// Reads stored rows as f32 vectors and sums over one row; included once per SIMD level.
//
// The order of the sum over a row is fixed by its length and the SIMD level alone. Vector i of a group of four goes to sum
// i; up to three further whole vectors go to sums 0 to 2, the rest to sum 3; then (0 + 1) + (2 + 3), then the lanes. So a
// row's result cannot depend on its neighbours, its position or its alignment. Four sums, because a fused multiply-add
// takes four cycles on the processors of today.
//
// The rest of a row that does not fill a vector is read as the last whole vector of the row, with the lanes that were
// counted before set to zero. That never touches a byte outside the row and costs one instruction. Only rows shorter than
// one vector are copied to a padded buffer.
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

// One reader per element type: kBytes of one element, Load makes f32 of as many elements as an f32 vector has lanes.
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
        return hn::ConvertTo(F32Tag(), hn::PromoteTo(wide, LoadBytes(hn::Rebind<int8_t, F32Tag>(), from)));
    }
};

// One step per kind of sum.
struct ProductStep {
    static HWY_INLINE F32Vec Add(F32Vec query, F32Vec row, F32Vec sum) { return hn::MulAdd(query, row, sum); }
};

struct SquaredL2Step {
    static HWY_INLINE F32Vec Add(F32Vec query, F32Vec row, F32Vec sum) {
        const F32Vec difference = hn::Sub(query, row);
        return hn::MulAdd(difference, difference, sum);
    }
};

struct SquaredNormStep {
    static HWY_INLINE F32Vec Add(F32Vec /*query*/, F32Vec row, F32Vec sum) { return hn::MulAdd(row, row, sum); }
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

    HWY_INLINE float operator()(const uint8_t* row) const {
        const F32Tag f32;
        const size_t lanes = hn::Lanes(f32);
        F32Vec sum0 = hn::Zero(f32);
        F32Vec sum1 = hn::Zero(f32);
        F32Vec sum2 = hn::Zero(f32);
        F32Vec sum3 = hn::Zero(f32);
        size_t i = 0;
        for (; i + 4 * lanes <= dim_; i += 4 * lanes) {
            sum0 = Step::Add(LoadQuery(i), LoadRow(row, i), sum0);
            sum1 = Step::Add(LoadQuery(i + lanes), LoadRow(row, i + lanes), sum1);
            sum2 = Step::Add(LoadQuery(i + 2 * lanes), LoadRow(row, i + 2 * lanes), sum2);
            sum3 = Step::Add(LoadQuery(i + 3 * lanes), LoadRow(row, i + 3 * lanes), sum3);
        }
        if (i + lanes <= dim_) {
            sum0 = Step::Add(LoadQuery(i), LoadRow(row, i), sum0);
            i += lanes;
        }
        if (i + lanes <= dim_) {
            sum1 = Step::Add(LoadQuery(i), LoadRow(row, i), sum1);
            i += lanes;
        }
        if (i + lanes <= dim_) {
            sum2 = Step::Add(LoadQuery(i), LoadRow(row, i), sum2);
        }
        if (rest_ != 0) {
            const F32Vec tail = dim_ > rest_ ? hn::IfThenElseZero(tail_mask_, LoadRow(row, dim_ - lanes))
                                             : LoadPadded<Reader>(row);
            sum3 = Step::Add(tail_query_, tail, sum3);
        }
        const F32Vec sum = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
        return hn::GetLane(hn::SumOfLanes(f32, sum));
    }

private:
    HWY_INLINE F32Vec LoadQuery(size_t index) const {
        return query_ == nullptr ? hn::Zero(F32Tag()) : F32Reader::Load(query_ + index * sizeof(float));
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

}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#endif
