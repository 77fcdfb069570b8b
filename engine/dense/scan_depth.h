// How many candidates of a scan over codes have to be measured again for a recall, told by the
// curve that was measured for walks.
//
// A neighbour is missed by a walk because it was not met, or because too many others looked nearer
// by their codes; by a scan for the second reason only. Of the largest walks on the curve nearly
// all that they miss is the first: what they do find stands at about the places where a scan would
// have it. So the share of it that is among the first `depth` is the recall of a scan, less as much
// as such a walk has found in the last three quarters of its pool: as much again might be behind.
#pragma once

#include <cstddef>

#include "engine/dense/effort_curve.h"

namespace quern::dense {

// The least depth for recall@k. False: none that the curve knows of.
bool ScanDepth(const EffortCurve& curve, size_t k, double recall, size_t* depth);
// The recall@k that a depth is expected to give, less the margin that ScanDepth adds. 0: not known.
double ExpectOfDepth(const EffortCurve& curve, size_t k, size_t depth);

}  // namespace quern::dense
