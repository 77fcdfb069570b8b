// Curves: queries per second over recall, read off at a given recall.
//
// A curve is the front of an engine's points: those that no other point beats in both recall and
// speed, chosen by the medians. Between two of them the logarithm of the speed is interpolated
// linearly. Below the first point the first point's speed is what is known (a lower bound); above
// the last there is nothing.
#pragma once

#include <optional>
#include <vector>

#include "tests/bench/dense/sweep.h"

namespace bench {

// The recalls at which tables compare.
inline constexpr double kTargets[] = {0.90, 0.95, 0.99, 0.995};

// By recall, ascending. The points live as long as the argument.
std::vector<const Point*> Front(const std::vector<Point>& points);

// Queries per CPU second at the recall.
std::optional<double> MedianAt(const std::vector<const Point*>& front, double recall);
std::optional<double> RoundAt(const std::vector<const Point*>& front, double recall, size_t round);

// How many times as many queries a second as the base engine answers.
struct Ratio {
    double of_medians = 0;
    double median = 0;  // of the ratios of single rounds
    double least = 0;
    double most = 0;
};
std::optional<Ratio> RatioAt(const std::vector<const Point*>& front,
                             const std::vector<const Point*>& base, double recall, size_t rounds);

}  // namespace bench
