// Positions of the values within a threshold. A search calls this after every block of distances,
// and nearly all blocks hold none: the common case is four comparisons and one test. A vector's
// compress instruction would not help the rare case: storing with it is slow on several processors.
#include <cmath>

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_targets.h"
#include "storage/base/test_fault.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/select_at_most.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

size_t Select(const float* HWY_RESTRICT values, size_t count, float threshold,
              uint32_t* HWY_RESTRICT out) {
    const hn::ScalableTag<float> f32;
    const size_t lanes = hn::Lanes(f32);
    const size_t step = 4 * lanes;
    const auto most = hn::Set(f32, threshold);
    size_t selected = 0;
    for (size_t i = 0; i < count;) {
        size_t stop = count;
        if (i + step <= count) {
            const auto within0 = hn::Le(hn::LoadU(f32, values + i), most);
            const auto within1 = hn::Le(hn::LoadU(f32, values + i + lanes), most);
            const auto within2 = hn::Le(hn::LoadU(f32, values + i + 2 * lanes), most);
            const auto within3 = hn::Le(hn::LoadU(f32, values + i + 3 * lanes), most);
            stop = i + step;
            if (HWY_LIKELY(hn::AllFalse(
                    f32, hn::Or(hn::Or(within0, within1), hn::Or(within2, within3))))) {
                i = stop;
                continue;
            }
        }
        // Always writes, and advances when that was right: no branch to guess. selected <= i <
        // count keeps it inside.
        for (; i < stop; i++) {
            out[selected] = static_cast<uint32_t>(i);
            selected += values[i] <= threshold ? 1 : 0;
        }
    }
    return selected;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(Select);
}  // namespace

size_t SelectAtMost(const float* values, size_t count, float threshold, uint32_t* out) {
    if (TestFault(Fault::kTieLost)) {
        threshold = std::nextafter(threshold, -INFINITY);
    }
    if (TestFault(Fault::kTailUnseen) && count > 0) {
        count--;
    }
    return HWY_DYNAMIC_DISPATCH(Select)(values, count, threshold, out);
}

}  // namespace quern::kernels
#endif
