#include "engine/query/diversity.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace quern::query {

std::vector<size_t> WithoutDuplicates(size_t count, size_t wanted, double most,
                                      const Similarities& similarities) {
    std::vector<uint8_t> dropped(count, 0);
    std::vector<double> similar(count);
    std::vector<size_t> kept;
    for (size_t i = 0; i < count && kept.size() < wanted; i++) {
        if (dropped[i] != 0) {
            continue;
        }
        kept.push_back(i);
        similarities(i, similar.data());
        for (size_t j = i + 1; j < count; j++) {
            if (similar[j] >= most) {
                dropped[j] = 1;
            }
        }
    }
    return kept;
}

std::vector<size_t> MarginalRelevance(const std::vector<double>& relevance, size_t wanted,
                                      double lambda, const Similarities& similarities) {
    const size_t count = relevance.size();
    std::vector<double> nearest(count, -std::numeric_limits<double>::infinity());
    std::vector<double> similar(count);
    std::vector<uint8_t> is_taken(count, 0);
    std::vector<size_t> taken;
    while (taken.size() < std::min(wanted, count)) {
        size_t best = count;
        double best_value = 0;
        for (size_t i = 0; i < count; i++) {
            if (is_taken[i] != 0) {
                continue;
            }
            const double value =
                taken.empty() ? relevance[i] : lambda * relevance[i] - (1 - lambda) * nearest[i];
            if (best == count || value > best_value) {
                best = i;
                best_value = value;
            }
        }
        taken.push_back(best);
        is_taken[best] = 1;
        similarities(best, similar.data());
        for (size_t i = 0; i < count; i++) {
            nearest[i] = std::max(nearest[i], similar[i]);
        }
    }
    return taken;
}

std::vector<double> ScaledToOne(const std::vector<double>& scores) {
    std::vector<double> scaled(scores.size(), 1.0);
    const double spread = scores.empty() ? 0 : scores.front() - scores.back();
    for (size_t i = 0; spread > 0 && i < scores.size(); i++) {
        scaled[i] = (scores[i] - scores.back()) / spread;
    }
    return scaled;
}

}  // namespace quern::query
