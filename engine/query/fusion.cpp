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

// Whether a record that is not matched has a score below that of hits which are all equal.
bool IsBelow(const AbsentScore& absent, double hit) {
    return !std::isnan(absent.none) && !IsFlat(hit, hit - absent.none);
}

// By how much what is not matched falls behind hits that are all equal, once they are scaled.
double FallOf(Normalization normalization) {
    return normalization == Normalization::kDistribution ? 0.5 : 1;
}

struct Spread {
    double of = 0;       // the scores
    double becomes = 1;  // of the scaled ones
};

// Puts `at` to the value `becomes`. Where there is no spread, by `otherwise`.
ScoreScale ScaleBy(double at, double becomes, const Spread& spread, const Spread& otherwise) {
    const bool flat = IsFlat(at, spread.of) || !std::isfinite(spread.becomes / spread.of);
    const Spread& by = flat ? otherwise : spread;
    const double factor = by.becomes / by.of;
    return {at - becomes / factor, factor};
}

}  // namespace

ScoreScale ScaleOf(Normalization normalization, const std::vector<ScoredRecord>& hits,
                   const AbsentScore& absent) {
    if (hits.empty() || normalization == Normalization::kNone) {
        return {};
    }
    const double best = hits.front().score;
    const double last = hits.back().score;
    Spread flat;
    flat.of = 1;
    if (IsBelow(absent, last) && std::isfinite(FallOf(normalization) / (last - absent.none))) {
        flat = {last - absent.none, FallOf(normalization)};
    }
    if (normalization == Normalization::kMinMax) {
        return ScaleBy(best, 1, {best - last, 1}, flat);
    }
    const Moments moments = MomentsOf(hits);
    return normalization == Normalization::kZScore
               ? ScaleBy(moments.mean, 0, {moments.deviation, 1}, flat)
               : ScaleBy(moments.mean, 0.5, {6 * moments.deviation, 1}, flat);
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
    return IsBelow(absent, last) ? absent.none : last - FallOf(normalization);
}

std::vector<size_t> RanksOf(const std::vector<ScoredRecord>& hits) {
    std::vector<size_t> ranks(hits.size());
    for (size_t i = 0; i < hits.size(); i++) {
        ranks[i] = i > 0 && hits[i].score == hits[i - 1].score ? ranks[i - 1] : i + 1;
    }
    return ranks;
}

}  // namespace quern::query
