#include "engine/kernels/simd_level.h"

#include <atomic>
#include <cstring>

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

namespace {

HWY_EXPORT(LevelName);

constexpr char kVnniName[] = "AVX3_VNNI";

struct Level {
    std::string name;
    int64_t target;  // a bit of Highway's
    bool vnni;
};

// Set while AVX3 is wanted without VNNI.
std::atomic<bool> vnni_refused = false;

bool ProcessorHasVnni() {
#if HWY_TARGETS & HWY_AVX3
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

// Best first: the bits of Highway's target mask run from the best level (lowest bit) to the
// baseline.
std::vector<Level> Levels() {
    std::vector<Level> levels;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        if (target == HWY_AVX3 && ProcessorHasVnni()) {
            levels.push_back({kVnniName, target, true});
        }
        levels.push_back({hwy::TargetName(target), target, false});
    }
    return levels;
}

}  // namespace

bool VnniInUse() {
    return ProcessorHasVnni() && !vnni_refused.load(std::memory_order_relaxed);
}

bool BitCountsInUse() {
#if HWY_TARGETS & HWY_AVX3
    return VnniInUse() && __builtin_cpu_supports("avx512vpopcntdq");
#else
    return false;
#endif
}

const char* SimdLevel() {
    const char* name = HWY_DYNAMIC_DISPATCH(LevelName)();
    return std::strcmp(name, "AVX3") == 0 && VnniInUse() ? kVnniName : name;
}

std::vector<std::string> SimdLevels() {
    std::vector<std::string> names;
    for (const Level& level : Levels()) {
        names.push_back(level.name);
    }
    return names;
}

bool SetSimdLevel(const char* name) {
    if (name == nullptr) {
        vnni_refused = false;
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        return true;
    }
    for (const Level& level : Levels()) {
        if (name == level.name) {
            vnni_refused = !level.vnni;
            hwy::GetChosenTarget().Update(level.target);
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
