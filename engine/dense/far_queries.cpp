#include "engine/dense/far_queries.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/dense/bad_index.h"
#include "engine/dense/codes/code_training.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

constexpr size_t kRecordsLeast = 100;
constexpr double kCommonShare = 0.99;

}  // namespace

FarQueries FarQueries::Measure(const EffortMeasure& measure, Metric metric, size_t dim) {
    FarQueries known;
    for (size_t number = 0; number < EffortCurve::kK.size(); number++) {
        const size_t rank = EffortCurve::kK[number];
        std::vector<float> distances;
        for (size_t held = 0; held < measure.queries(); held++) {
            const std::vector<kernels::Hit>& nearest = measure.Nearest(held);
            if (nearest.size() < rank) {
                break;
            }
            double distance = static_cast<double>(nearest[rank - 1].distance);
            if (metric == Metric::kIp) {
                const EffortMeasure::Query query = measure.QueryOf(held);
                float square = 0;
                kernels::SquaredNorms(Element::kF32, query.vector, 1, dim, &square);
                distance /= std::sqrt(static_cast<double>(square));
            }
            if (std::isfinite(distance)) {
                distances.push_back(static_cast<float>(distance));
            }
        }
        if (distances.size() < kRecordsLeast) {
            break;
        }
        std::sort(distances.begin(), distances.end());
        const auto common =
            static_cast<size_t>(kCommonShare * static_cast<double>(distances.size() - 1));
        known.bounds_[number] = {distances[common], distances.back()};
    }
    return known;
}

FarQueries::Limits FarQueries::OfRank(size_t number, Metric metric, double length) const {
    const double factor = metric == Metric::kIp ? length : 1.0;
    const auto common = static_cast<float>(static_cast<double>(bounds_[number].common) * factor);
    const auto most = static_cast<float>(static_cast<double>(bounds_[number].most) * factor);
    const bool known =
        bounds_[number].most != kNone && factor > 0 && std::isfinite(common) && std::isfinite(most);
    return known ? Limits{EffortCurve::kK[number], common, most} : Limits();
}

FarQueries::Limits FarQueries::For(size_t k, Metric metric, double length) const {
    Limits limits;
    for (size_t number = 0; number < bounds_.size() && EffortCurve::kK[number] <= k; number++) {
        const Limits of_rank = OfRank(number, metric, length);
        limits = of_rank.rank > 0 ? of_rank : limits;
    }
    return limits;
}

FarQueries::Limits FarQueries::ForShare(size_t k, double share, Metric metric,
                                        double length) const {
    Limits limits;
    for (size_t number = 0; number < bounds_.size() && limits.rank < k; number++) {
        const Limits of_rank = OfRank(number, metric, length);
        // A binomial number's mean less 2.33 of its standard deviations.
        const double mean = static_cast<double>(of_rank.rank) * share;
        const double least = std::floor(mean - 2.33 * std::sqrt(mean * (1 - share)));
        if (least >= 1) {
            limits = of_rank;
            limits.rank = std::min(k, static_cast<size_t>(least));
        }
    }
    return limits;
}

void FarQueries::Write(ByteWriter* writer) const {
    for (const Bound& bound : bounds_) {
        WriteFloats({bound.common, bound.most}, writer);
    }
}

Result<FarQueries> FarQueries::Read(ByteReader* reader) {
    FarQueries known;
    for (Bound& bound : known.bounds_) {
        std::vector<float> values;
        if (!ReadFloats(reader, 2, &values) || !(values[0] <= values[1])) {
            return BadIndex("its bounds of far queries are none");
        }
        bound = {values[0], values[1]};
    }
    return known;
}

}  // namespace quern::dense
