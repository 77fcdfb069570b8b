// Learning weights from judged queries: pools in which it is known what is best.
#include "engine/query/fit_fusion.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace quern;
using namespace quern::query;

namespace {

// A pool in which the sum of weight * part decides what is of use; parts of leg l spread by
// spreads[l].
JudgedPool Pool(std::mt19937* random, const std::vector<double>& weights,
                const std::vector<double>& spreads) {
    std::normal_distribution<double> normal;
    JudgedPool pool;
    const size_t legs = weights.size();
    pool.lists.resize(legs);
    std::vector<double> sums;
    for (uint64_t record = 0; record < 60; record++) {
        double sum = 0;
        for (size_t l = 0; l < legs; l++) {
            const double part = normal(*random);
            sum += weights[l] * part;
            pool.parts.push_back(part * spreads[l]);
            pool.lists[l].push_back({record, part * spreads[l]});
        }
        sums.push_back(sum);
    }
    for (auto& list : pool.lists) {
        std::sort(list.begin(), list.end(),
                  [](const auto& a, const auto& b) { return a.score > b.score; });
    }
    std::vector<double> order = sums;
    std::sort(order.begin(), order.end(), std::greater<>());
    for (const double sum : sums) {
        pool.gains.push_back(sum >= order[4] ? 1 : 0);
    }
    pool.all_gains = {1, 1, 1, 1, 1};
    return pool;
}

std::vector<JudgedPool> Pools(std::mt19937* random, size_t count,
                              const std::vector<double>& weights,
                              const std::vector<double>& spreads) {
    std::vector<JudgedPool> pools;
    for (size_t i = 0; i < count; i++) {
        pools.push_back(Pool(random, weights, spreads));
    }
    return pools;
}

FittedFusion Equal(size_t legs) {
    FittedFusion given;
    given.normalization = Normalization::kMinMax;
    given.weights.assign(legs, 1);
    return given;
}

const AbsentScores kZero = [](size_t, Normalization) { return 0.0; };
const std::function<Status()> kGoOn = [] { return Status(); };

}  // namespace

TEST_CASE("weights that made the judgments are found again") {
    std::mt19937 random(4);
    const std::vector<double> weights = {1, 0.25, 0};
    const std::vector<double> spreads = {1, 30, 5};
    for (const auto measure : {FitOptions::Measure::kNdcg, FitOptions::Measure::kReciprocalRank}) {
        const FitOptions options{measure, 10};
        const auto pools = Pools(&random, 60, weights, spreads);
        const auto fitted = FitFusion(pools, Equal(3), kZero, options, kGoOn);
        REQUIRE(fitted.ok());
        CHECK(fitted->after > fitted->before);
        CHECK(*std::max_element(fitted->weights.begin(), fitted->weights.end()) == 1);
        // What it tells of itself is what it is, and it holds for other queries.
        const auto again = FitFusion(pools, *fitted, kZero, options, kGoOn);
        CHECK(again->before == Approx(fitted->after));
        const auto others = Pools(&random, 200, weights, spreads);
        const double hand = FitFusion(others, Equal(3), kZero, options, kGoOn)->before;
        const double learned = FitFusion(others, *fitted, kZero, options, kGoOn)->before;
        CHECK(learned > hand);
        if (measure == FitOptions::Measure::kNdcg) {
            CHECK(fitted->after > 0.95);
            CHECK(learned > 0.9);
        }
    }
}

TEST_CASE("where nothing is better the given fusion stays") {
    std::mt19937 random(5);
    auto pools = Pools(&random, 10, {1, 1}, {1, 1});
    for (JudgedPool& pool : pools) {
        std::fill(pool.gains.begin(), pool.gains.end(), 0.0);
    }
    FittedFusion given = Equal(2);
    given.weights = {2, 0.5};
    const auto fitted = FitFusion(pools, given, kZero, FitOptions(), kGoOn);
    REQUIRE(fitted.ok());
    CHECK(fitted->normalization == Normalization::kMinMax);
    CHECK(fitted->weights == std::vector<double>{1, 0.25});
    CHECK(fitted->before == 0);
    CHECK(fitted->after == 0);
    // No queries at all, and someone who says stop.
    CHECK(FitFusion({}, given, kZero, FitOptions(), kGoOn).ok());
    const auto stopped = FitFusion(pools, given, kZero, FitOptions(),
                                   [] { return Status::Error(Code::kInterrupted, "stop"); });
    CHECK(stopped.status().code() == Code::kInterrupted);
}

TEST_CASE("a leg of weight 0 finds nothing when it is learned, either") {
    // Leg 0 matches record 0 alone, and without leg 1 nobody finds record 1.
    JudgedPool pool;
    pool.lists = {{{0, 1.0}}, {{2, 9.0}, {1, 2.0}, {0, 0.0}}};
    pool.parts = {1.0, 0.0, kNoScore, 2.0, kNoScore, 9.0};
    pool.gains = {1, 1, 0};
    pool.all_gains = {1, 1};
    FittedFusion given;
    given.weights = {1, 0};
    const double alone = 1 / (1 + 1 / std::log2(3.0));
    CHECK(FitFusion({pool}, given, kZero, FitOptions(), kGoOn)->before == Approx(alone));
    given.weights = {20, 1};
    const auto fitted = FitFusion({pool}, given, kZero, FitOptions(), kGoOn);
    REQUIRE(fitted.ok());
    CHECK(fitted->before > alone);
    CHECK(fitted->weights[1] > 0);
}

TEST_CASE("a record that a leg does not match counts as that leg has it") {
    // Record 0 is matched by leg 0 alone, record 1 by both; record 0 is the good one.
    JudgedPool pool;
    pool.lists = {{{0, 2.0}, {1, 1.0}}, {{1, 1.0}}};
    pool.parts = {2.0, kNoScore, 1.0, 1.0};
    pool.gains = {1, 0};
    pool.all_gains = {1};
    FittedFusion given;
    given.weights = {1, 2};
    const FitOptions first{FitOptions::Measure::kReciprocalRank, 1};
    CHECK(FitFusion({pool}, given, kZero, first, kGoOn)->before == 0);
    const AbsentScores high = [](size_t, Normalization) { return 0.9; };
    CHECK(FitFusion({pool}, given, high, first, kGoOn)->before == 1);
    const AbsentScores never = [](size_t, Normalization) {
        return -std::numeric_limits<double>::infinity();
    };
    CHECK(FitFusion({pool}, given, never, first, kGoOn)->before == 0);
    CHECK(FitFusion({pool}, given, never, first, kGoOn)->after == 1);  // without leg 1
}
