// How values between two measured points of a curve are found: recall runs evenly on the logarithm
// of what is missed, not on its own scale.
#pragma once

#include <algorithm>
#include <cmath>

namespace quern::curves {

// From a, where t is 0, to b, where it is 1.
inline double Lerp(double a, double b, double t) {
    return a + (b - a) * t;
}

// Finite even where nothing was missed.
inline double LogOfMiss(double recall) {
    return std::log(std::max(1.0 - recall, 1e-6));
}

}  // namespace quern::curves
