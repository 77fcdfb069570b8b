// The inner product in double. Products of two f32 are exact there, and the additions are the same
// eight sums at every level, so the result is the same number everywhere.
#include <numeric>

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/product.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kSums = 8;

double Product(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, size_t dim) {
    const hn::CappedTag<double, kSums> f64;
    const hn::Rebind<float, decltype(f64)> f32;
    const size_t lanes = hn::Lanes(f64);
    const size_t whole = dim / kSums * kSums;
    double sums[kSums];
    for (size_t lane = 0; lane < kSums; lane += lanes) {
        auto sum = hn::Zero(f64);
        for (size_t i = lane; i < whole; i += kSums) {
            sum = hn::MulAdd(hn::PromoteTo(f64, hn::LoadU(f32, a + i)),
                             hn::PromoteTo(f64, hn::LoadU(f32, b + i)), sum);
        }
        hn::StoreU(sum, f64, sums + lane);
    }
    for (size_t i = whole; i < dim; i++) {
        sums[i - whole] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return std::accumulate(sums, sums + kSums, 0.0);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(Product);
}  // namespace

double ProductInDouble(const float* a, const float* b, size_t dim) {
    return HWY_DYNAMIC_DISPATCH(Product)(a, b, dim);
}

}  // namespace quern::kernels
#endif
