#include "tests/bench/dense/curve.h"

#include <algorithm>
#include <cmath>

#include "tests/bench/bench_support.h"

namespace bench {
namespace {

template <typename Speed>
std::optional<double> Interpolate(const std::vector<const Point*>& front, double recall,
                                  Speed speed) {
    for (size_t i = 0; i < front.size(); i++) {
        if (front[i]->recall < recall) {
            continue;
        }
        if (i == 0) {
            return speed(*front[0]);
        }
        const double share =
            (recall - front[i - 1]->recall) / (front[i]->recall - front[i - 1]->recall);
        return std::exp(std::log(speed(*front[i - 1])) * (1 - share) +
                        std::log(speed(*front[i])) * share);
    }
    return std::nullopt;
}

}  // namespace

std::vector<const Point*> Front(const std::vector<Point>& points) {
    std::vector<const Point*> front;
    for (const Point& point : points) {
        if (point.rounds.empty()) {
            continue;
        }
        const bool beaten = std::any_of(points.begin(), points.end(), [&](const Point& other) {
            return !other.rounds.empty() && other.recall >= point.recall &&
                   (other.CpuQps() > point.CpuQps() ||
                    (other.CpuQps() == point.CpuQps() && other.recall > point.recall));
        });
        if (!beaten) {
            front.push_back(&point);
        }
    }
    std::sort(front.begin(), front.end(),
              [](const Point* a, const Point* b) { return a->recall < b->recall; });
    return front;
}

std::optional<double> MedianAt(const std::vector<const Point*>& front, double recall) {
    return Interpolate(front, recall, [](const Point& point) { return point.CpuQps(); });
}

std::optional<double> RoundAt(const std::vector<const Point*>& front, double recall, size_t round) {
    return Interpolate(front, recall,
                       [&](const Point& point) { return point.CpuQps(point.rounds[round]); });
}

std::optional<Ratio> RatioAt(const std::vector<const Point*>& front,
                             const std::vector<const Point*>& base, double recall, size_t rounds) {
    const auto own = MedianAt(front, recall);
    const auto other = MedianAt(base, recall);
    if (!own || !other) {
        return std::nullopt;
    }
    std::vector<double> ratios;
    for (size_t round = 0; round < rounds; round++) {
        ratios.push_back(*RoundAt(front, recall, round) / *RoundAt(base, recall, round));
    }
    Ratio ratio;
    ratio.of_medians = *own / *other;
    ratio.median = Median(ratios);
    ratio.least = *std::min_element(ratios.begin(), ratios.end());
    ratio.most = *std::max_element(ratios.begin(), ratios.end());
    return ratio;
}

}  // namespace bench
