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

double LeastScore(const SearchRequest& request) {
    const double infinity = std::numeric_limits<double>::infinity();
    const double bound = request.has_min_score      ? request.min_score
                         : request.has_max_distance ? -request.max_distance
                                                    : -infinity;
    if (!(std::abs(bound) < static_cast<double>(std::numeric_limits<float>::max()))) {
        return bound;
    }
    // The least f32 that keeps the bound, and half the way to the one below it.
    auto kept = static_cast<float>(bound);
    if (static_cast<double>(kept) < bound) {
        kept = std::nextafter(kept, std::numeric_limits<float>::infinity());
    }
    const float below = std::nextafter(kept, -std::numeric_limits<float>::infinity());
    const double least = (static_cast<double>(below) + static_cast<double>(kept)) / 2;
    return static_cast<float>(least) == kept ? least : std::nextafter(least, infinity);
}

}  // namespace quern
