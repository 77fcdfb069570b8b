// Recall and percentiles.
#include "search_figures.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace quern::shell {

size_t CountHits(const std::vector<int64_t>& found, const std::vector<int32_t>& truth, size_t k,
                 size_t* wanted) {
    *wanted = std::min(k, truth.size());
    const std::unordered_set<int64_t> right(truth.begin(),
                                            truth.begin() + static_cast<std::ptrdiff_t>(*wanted));
    const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(k, found.size()));
    return static_cast<size_t>(
        std::count_if(found.begin(), end, [&](int64_t id) { return right.count(id) > 0; }));
}

double Percentile(std::vector<double> values, double p) {
    if (values.empty()) {
        return 0;
    }
    const double place = std::ceil(p * static_cast<double>(values.size()));
    const size_t index =
        static_cast<size_t>(std::clamp(place, 1.0, static_cast<double>(values.size()))) - 1;
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                     values.end());
    return values[index];
}

double Median(const std::vector<double>& values) {
    return Percentile(values, 0.5);
}

}  // namespace quern::shell
