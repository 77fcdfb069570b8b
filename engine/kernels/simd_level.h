// The SIMD levels that the kernels were compiled for, to run one and the same test at each: those
// of Highway, and AVX3_VNNI above AVX3 where the processor has the AVX-512 instructions for
// products of bytes. Only code_distance.cpp and bit_sums.cpp have code for that one; everything
// else runs its AVX3 code.
//
// Threads: SetSimdLevel changes the level of the whole process; no kernel may be running.
#pragma once

#include <string>
#include <vector>

namespace quern::kernels {

// Levels that this build has and this processor can run, best first. The last is what
// ForceLowestLevel picks.
std::vector<std::string> SimdLevels();

// Uses the level of that name from now on; false (and no change) when it is not among SimdLevels().
// NULL: the best.
bool SetSimdLevel(const char* name);

// For code of the AVX3 level: whether the level in use is AVX3_VNNI.
bool VnniInUse();
// The same, and whether the processor counts the bits of vectors, too (AVX-512 VPOPCNTDQ: Ice Lake,
// Zen 4 and later, not Cascade Lake).
bool BitCountsInUse();

}  // namespace quern::kernels
