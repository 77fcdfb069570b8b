// The SIMD levels that the kernels were compiled for, to run one and the same test at each.
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

}  // namespace quern::kernels
