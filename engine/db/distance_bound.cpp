#include "engine/db/distance_bound.h"

#include <cmath>
#include <limits>

namespace quern {

namespace {

constexpr double kScoreRounding = 1e-6;

}  // namespace

float LargestDistance(const SearchRequest& request, Metric metric) {
    double bound = std::numeric_limits<double>::infinity();
    if (request.has_max_distance) {
        bound = request.max_distance;
    } else if (request.has_min_score) {
        bound = metric == Metric::kCosine ? 1.0 - request.min_score + kScoreRounding
                                          : -request.min_score;
    }
    // The largest float that is not above the bound.
    float rounded = static_cast<float>(bound);
    if (static_cast<double>(rounded) > bound) {
        rounded = std::nextafter(rounded, -std::numeric_limits<float>::infinity());
    }
    return rounded;
}

}  // namespace quern
