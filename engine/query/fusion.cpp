#include "engine/query/fusion.h"

#include <cmath>

namespace quern::query {

namespace {

struct Moments {
    double mean = 0;
    double deviation = 0;
};

Moments MomentsOf(const std::vector<ScoredRecord>& hits) {
    const auto count = static_cast<double>(hits.size());
    Moments moments;
    for (const ScoredRecord& hit : hits) {
        moments.mean += hit.score / count;
    }
    double variance = 0;
    for (const ScoredRecord& hit : hits) {
        variance += (hit.score - moments.mean) * (hit.score - moments.mean) / count;
    }
    moments.deviation = std::sqrt(variance);
    return moments;
}

// A spread of rounding errors alone is none.
bool IsFlat(double at, double spread) {
    return !(spread > 1e-12 * std::abs(at));
}

// Puts `at` to the value `becomes`, with a spread that becomes `width`.
ScoreScale ScaleBy(double at, double becomes, double spread, double width) {
    const bool flat = IsFlat(at, spread) || !std::isfinite(width / spread);
    const double factor = flat ? 1 : width / spread;
    return {at - becomes / factor, factor};
}

}  // namespace

ScoreScale ScaleOf(Normalization normalization, const std::vector<ScoredRecord>& hits) {
    if (hits.empty() || normalization == Normalization::kNone) {
        return {};
    }
    if (normalization == Normalization::kMinMax) {
        return ScaleBy(hits.front().score, 1, hits.front().score - hits.back().score, 1);
    }
    const Moments moments = MomentsOf(hits);
    return normalization == Normalization::kZScore
               ? ScaleBy(moments.mean, 0, moments.deviation, 1)
               : ScaleBy(moments.mean, 0.5, 6 * moments.deviation, 1);
}

double UnmatchedScore(Normalization normalization, const std::vector<ScoredRecord>& hits,
                      const AbsentScore& absent) {
    if (!std::isnan(absent.score)) {
        return absent.score;
    }
    if (hits.empty()) {
        return 0;
    }
    const double last = hits.back().score;
    if (normalization == Normalization::kNone ||
        !IsFlat(hits.front().score, hits.front().score - last)) {
        return std::isnan(absent.none) ? last : absent.none;
    }
    return last - (normalization == Normalization::kDistribution ? 0.5 : 1);
}

std::vector<size_t> RanksOf(const std::vector<ScoredRecord>& hits) {
    std::vector<size_t> ranks(hits.size());
    for (size_t i = 0; i < hits.size(); i++) {
        ranks[i] = i > 0 && hits[i].score == hits[i - 1].score ? ranks[i - 1] : i + 1;
    }
    return ranks;
}

}  // namespace quern::query
