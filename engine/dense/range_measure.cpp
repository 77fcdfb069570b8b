#include "engine/dense/range_measure.h"

#include <algorithm>

namespace quern::dense {

namespace {

// All but one in 500.
float NearlyMost(std::vector<float>* values) {
    if (values->empty()) {
        return 0;
    }
    const size_t at = (values->size() - 1) - values->size() / 500;
    std::nth_element(values->begin(), values->begin() + static_cast<ptrdiff_t>(at), values->end());
    return std::max(0.0f, (*values)[at]);
}

}  // namespace

void RangeHits::Add(const RangeHits& other) {
    for (size_t rank = 0; rank < wanted.size(); rank++) {
        wanted[rank] += other.wanted[rank];
        for (size_t e = 0; e < found[rank].size(); e++) {
            found[rank][e] += other.found[rank][e];
        }
    }
}

double RangeHits::Share(size_t rank, size_t effort) const {
    return wanted[rank] == 0
               ? 0.0
               : static_cast<double>(found[rank][effort]) / static_cast<double>(wanted[rank]);
}

void RangeHits::Fill(uint32_t queries, RangeCurve* curve) const {
    for (size_t rank = 0; rank < wanted.size(); rank++) {
        for (size_t e = 0; e < found[rank].size(); e++) {
            curve->At(rank, e) = wanted[rank] == 0 && rank > 0 ? curve->At(rank - 1, e)
                                                               : static_cast<float>(Share(rank, e));
        }
    }
    curve->SetQueries(wanted[0] == 0 ? 0 : queries);
}

size_t CaughtBy(const std::vector<kernels::Hit>& nearest, size_t rank) {
    const auto equal = [](const kernels::Hit& a, const kernels::Hit& b) {
        return a.distance == b.distance;
    };
    size_t last = rank - 1;
    if (equal(nearest[last], nearest.back()) &&
        std::adjacent_find(nearest.begin(), nearest.end(), equal) != nearest.end()) {
        while (last > 0 && equal(nearest[last], nearest.back())) {
            last--;
        }
        return equal(nearest[last], nearest.back()) ? 0 : last + 1;
    }
    while (last + 1 < nearest.size() && equal(nearest[last], nearest[last + 1])) {
        last++;
    }
    return last + 1;
}

std::vector<kernels::Hit> CodeErrors::Sample(const std::vector<kernels::Hit>& nearest) {
    std::vector<kernels::Hit> sample;
    for (size_t i = 0; i < nearest.size(); i += i < 10 ? 1 : i < 100 ? 10 : 50) {
        sample.push_back(nearest[i]);
    }
    return sample;
}

void CodeErrors::Add(const Codes& codes, const float* vector,
                     const std::vector<kernels::Hit>& nearest, const std::vector<float>& by_codes) {
    for (size_t i = 0; i < nearest.size(); i++) {
        const auto distance = static_cast<double>(nearest[i].distance);
        const double unit = RangeCurve::ErrorUnit(codes, vector, distance);
        const double error = (static_cast<double>(by_codes[i]) - distance) / unit;
        if (unit > 0 && std::isfinite(error)) {
            errors_.push_back(static_cast<float>(error));
        }
    }
}

void CodeErrors::Fill(RangeCurve* curve) {
    own_.erase(std::remove_if(own_.begin(), own_.end(), [](float x) { return !std::isfinite(x); }),
               own_.end());
    curve->SetErrors(NearlyMost(&errors_), NearlyMost(&own_));
}

}  // namespace quern::dense
