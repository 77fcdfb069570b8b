#include "engine/query/fit_fusion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace quern::query {

namespace {

constexpr int kSweepsMax = 12;  // over all weights; mostly three suffice
constexpr int kStepsEachWay =
    8;  // of a weight, each by the square root of 2: to a sixteenth, and 16
constexpr double kBetter = 1e-9;  // less is a matter of rounding

// The pools in one normalization: parts are scaled, and nothing is absent.
class Evaluator {
public:
    Evaluator(const std::vector<JudgedPool>& pools, size_t legs, Normalization normalization,
              const AbsentScores& absent, const FitOptions& options)
        : pools_(pools), legs_(legs), options_(options) {
        for (const JudgedPool& pool : pools) {
            std::vector<double>& scaled = scaled_.emplace_back(pool.parts);
            for (size_t l = 0; l < legs; l++) {
                const std::vector<ScoredRecord>& list = pool.lists[l];
                const AbsentScore of_absent = absent(l, normalization);
                const ScoreScale scale = ScaleOf(normalization, list, of_absent);
                const double missing = UnmatchedScore(normalization, list, of_absent);
                for (size_t at = l; at < scaled.size(); at += legs) {
                    scaled[at] = scale.Of(std::isnan(scaled[at]) ? missing : scaled[at]);
                }
            }
        }
    }

    // The mean of the measure.
    double Of(const std::vector<double>& weights) {
        double sum = 0;
        for (size_t p = 0; p < pools_.size(); p++) {
            sum += OfPool(p, weights);
        }
        return pools_.empty() ? 0 : sum / static_cast<double>(pools_.size());
    }

private:
    double OfPool(size_t p, const std::vector<double>& weights) {
        const std::vector<double>& scaled = scaled_[p];
        order_.clear();
        for (size_t record = 0; record * legs_ < scaled.size(); record++) {
            double score = 0;
            if (!IsFound(pools_[p], record, weights)) {
                continue;
            }
            for (size_t l = 0; l < legs_; l++) {
                // 0 times an infinity is no score.
                score += weights[l] == 0 ? 0 : weights[l] * scaled[record * legs_ + l];
            }
            if (score != -std::numeric_limits<double>::infinity()) {
                order_.emplace_back(-score, record);
            }
        }
        const size_t k = std::min(options_.k, order_.size());
        std::partial_sort(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(k), order_.end());
        double found = 0;
        for (size_t rank = 0; rank < k; rank++) {
            const double gain = pools_[p].gains[order_[rank].second];
            if (options_.measure == FitOptions::Measure::kReciprocalRank) {
                if (gain > 0) {
                    return 1 / static_cast<double>(rank + 1);
                }
                continue;
            }
            found += gain / std::log2(static_cast<double>(rank + 2));
        }
        return found > 0 ? found / Ideal(pools_[p].all_gains) : 0;
    }

    // A leg of weight 0 finds nothing.
    bool IsFound(const JudgedPool& pool, size_t record, const std::vector<double>& weights) const {
        for (size_t l = 0; l < legs_; l++) {
            if (weights[l] > 0 && !std::isnan(pool.parts[record * legs_ + l])) {
                return true;
            }
        }
        return false;
    }

    double Ideal(std::vector<double> gains) const {
        std::sort(gains.begin(), gains.end(), std::greater<>());
        double ideal = 0;
        for (size_t rank = 0; rank < std::min(options_.k, gains.size()); rank++) {
            ideal += gains[rank] / std::log2(static_cast<double>(rank + 2));
        }
        return ideal;
    }

    const std::vector<JudgedPool>& pools_;
    size_t legs_;
    const FitOptions& options_;
    std::vector<std::vector<double>> scaled_;
    std::vector<std::pair<double, size_t>> order_;
};

// The weights that are tried in place of number `leg`.
std::vector<double> Steps(const std::vector<double>& weights, size_t leg) {
    double highest = 0;
    double others = 0;
    for (size_t l = 0; l < weights.size(); l++) {
        highest = std::max(highest, weights[l]);
        others = l == leg ? others : std::max(others, weights[l]);
    }
    const double middle = weights[leg] > 0 ? weights[leg] : highest;
    std::vector<double> steps;
    if (others > 0) {
        steps.push_back(0);
    }
    for (int step = -kStepsEachWay; step <= kStepsEachWay; step++) {
        steps.push_back(middle * std::exp2(0.5 * step));
    }
    return steps;
}

// One weight after the other, until none is better elsewhere.
Status Climb(Evaluator* evaluator, const std::function<Status()>& check,
             std::vector<double>* weights, double* quality) {
    for (int sweep = 0; sweep < kSweepsMax; sweep++) {
        bool better = false;
        for (size_t leg = 0; leg < weights->size(); leg++) {
            QUERN_TRY(check());
            std::vector<double> tried = *weights;
            for (const double weight : Steps(*weights, leg)) {
                tried[leg] = weight;
                const double of = evaluator->Of(tried);
                if (of > *quality + kBetter) {
                    *quality = of;
                    *weights = tried;
                    better = true;
                }
            }
        }
        if (!better) {
            break;
        }
    }
    return {};
}

}  // namespace

Result<FittedFusion> FitFusion(const std::vector<JudgedPool>& pools, const FittedFusion& given,
                               const AbsentScores& absent, const FitOptions& options,
                               const std::function<Status()>& check) {
    const size_t legs = given.weights.size();
    FittedFusion best = given;
    best.before = Evaluator(pools, legs, given.normalization, absent, options).Of(given.weights);
    best.after = best.before;
    constexpr Normalization kAll[] = {Normalization::kNone, Normalization::kMinMax,
                                      Normalization::kZScore, Normalization::kDistribution};
    for (const Normalization normalization : kAll) {
        Evaluator evaluator(pools, legs, normalization, absent, options);
        std::vector<double> weights = given.weights;
        double quality = evaluator.Of(weights);
        QUERN_TRY(Climb(&evaluator, check, &weights, &quality));
        if (quality > best.after + kBetter) {
            best.after = quality;
            best.normalization = normalization;
            best.weights = weights;
        }
    }
    const double highest = *std::max_element(best.weights.begin(), best.weights.end());
    for (double& weight : best.weights) {
        weight /= highest;
    }
    return best;
}

}  // namespace quern::query
