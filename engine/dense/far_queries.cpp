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

FarQueries::Limits FarQueries::For(size_t k, Metric metric, double length) const {
    Limits limits;
    const double factor = metric == Metric::kIp ? length : 1.0;
    for (size_t number = 0; number < bounds_.size() && EffortCurve::kK[number] <= k; number++) {
        const auto common =
            static_cast<float>(static_cast<double>(bounds_[number].common) * factor);
        const auto most = static_cast<float>(static_cast<double>(bounds_[number].most) * factor);
        if (bounds_[number].most != kNone && factor > 0 && std::isfinite(common) &&
            std::isfinite(most)) {
            limits = {EffortCurve::kK[number], common, most};
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
