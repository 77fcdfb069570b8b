#include "engine/kernels/simd_level.h"

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd_level.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

const char* LevelName() {
    return hwy::TargetName(HWY_TARGET);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

HWY_EXPORT(LevelName);

const char* SimdLevel() {
    return HWY_DYNAMIC_DISPATCH(LevelName)();
}

// The bits of Highway's target mask run from the best level (lowest bit) to the baseline.
std::vector<std::string> SimdLevels() {
    std::vector<std::string> names;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        names.emplace_back(hwy::TargetName(target));
    }
    return names;
}

bool SetSimdLevel(const char* name) {
    if (name == nullptr) {
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        return true;
    }
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        if (name == std::string(hwy::TargetName(target))) {
            hwy::GetChosenTarget().Update(target);
            return true;
        }
    }
    return false;
}

void ForceLowestLevel(bool on) {
    const std::vector<std::string> levels = SimdLevels();
    SetSimdLevel(on && !levels.empty() ? levels.back().c_str() : nullptr);
}

}  // namespace quern::kernels
#endif
