// The figures that `search --truth` and `bench` print: recall, percentiles, medians.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::shell {

// How many of the first k true ids are among the first k found ids. A truth list with fewer than k
// ids counts with what it has: *wanted gets min(k, truth.size()). Ids decide, not distances: where
// several records are equally near at the k-th place, a right answer may count as a miss (quern and
// most truth files break ties by the smaller id, and then it does not).
size_t CountHits(const std::vector<int64_t>& found, const std::vector<int32_t>& truth, size_t k,
                 size_t* wanted);

// The value below which a share p (0 to 1) of the values lie: the ceil(p * n)-th smallest. 0 for
// none.
double Percentile(std::vector<double> values, double p);
double Median(const std::vector<double>& values);

}  // namespace quern::shell
