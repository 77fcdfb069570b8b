// The best by fused scores against enumeration of everything, over legs that are lists of numbers.
#include "engine/query/fused_search.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <memory>
#include <random>

using namespace quern;
using namespace quern::query;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A leg that knows the scores of all records it matches.
class ListLeg : public Leg {
public:
    explicit ListLeg(std::map<uint64_t, double> scores) : scores_(std::move(scores)) {
        for (const auto& [record, score] : scores_) {
            sorted_.push_back({record, score});
        }
        std::stable_sort(
            sorted_.begin(), sorted_.end(),
            [](const ScoredRecord& a, const ScoredRecord& b) { return a.score > b.score; });
    }
    Result<LegList> Best(size_t depth) override {
        const size_t end = std::min(depth, sorted_.size());
        deepest = std::max(deepest, depth);
        lists++;
        return LegList{{sorted_.begin(), sorted_.begin() + static_cast<ptrdiff_t>(end)},
                       end == sorted_.size(),
                       exact || (exact_from > 0 && depth >= exact_from)};
    }
    Status ScoresOf(const std::vector<uint64_t>& records, std::vector<double>* scores) override {
        for (size_t i = 0; i < records.size(); i++) {
            const auto found = scores_.find(records[i]);
            (*scores)[i] = found == scores_.end() ? kNoScore : found->second;
        }
        looked_up += records.size();
        return {};
    }
    const std::vector<ScoredRecord>& sorted() const { return sorted_; }
    const std::map<uint64_t, double>& scores() const { return scores_; }
    bool exact = true;
    size_t exact_from = 0;  // longer lists than this are exact whatever the first is
    size_t deepest = 0;
    size_t looked_up = 0;
    size_t lists = 0;

private:
    std::map<uint64_t, double> scores_;
    std::vector<ScoredRecord> sorted_;
};

struct Case {
    FusionOptions options;
    std::vector<std::unique_ptr<ListLeg>> lists;
    std::vector<FusionLeg> legs;
    size_t k = 0;
    size_t records = 0;
};

Case Make(std::mt19937* random) {
    auto pick = [&](size_t from, size_t to) {
        return std::uniform_int_distribution<size_t>(from, to)(*random);
    };
    Case c;
    c.records = pick(0, 60);
    c.k = pick(0, 12);
    c.options.kind = static_cast<FusionKind>(pick(0, 2));
    c.options.normalization = static_cast<Normalization>(pick(0, 3));
    c.options.rank_constant = static_cast<double>(pick(0, 60));
    const size_t legs = pick(1, 4);
    for (size_t l = 0; l < legs; l++) {
        const bool ties = pick(0, 1) == 1;
        const size_t present = pick(0, 4);
        std::map<uint64_t, double> scores;
        for (size_t i = 0; i < c.records; i++) {
            if (pick(1, 4) <= present) {
                scores[i * 7] = ties ? static_cast<double>(pick(0, 4)) - 2
                                     : std::normal_distribution<double>(0, 1)(*random);
            }
        }
        c.lists.push_back(std::make_unique<ListLeg>(std::move(scores)));
        FusionLeg leg;
        leg.leg = c.lists.back().get();
        leg.weight = l > 0 && pick(0, 9) == 0 ? 0 : static_cast<double>(pick(1, 8)) / 4;
        leg.depth = pick(1, 20);
        leg.ahead = pick(0, 1) * pick(1, 40);
        const size_t absent = pick(0, 3);
        const double none = pick(0, 1) == 0 ? kNoScore : 0.25;
        leg.absent = absent == 0   ? AbsentScore(-kInfinity)
                     : absent == 1 ? AbsentScore(0.5)
                     : absent == 2 && c.options.normalization != Normalization::kNone
                         ? AbsentScore(kNoScore, none)
                         : AbsentScore(0);
        c.legs.push_back(leg);
    }
    return c;
}

// All that any leg matches (among its first lists, for ranks), with scores by the definition.
std::map<uint64_t, double> Enumerate(const Case& c) {
    std::map<uint64_t, double> fused;
    std::vector<ScoreScale> scales;
    std::vector<double> absent;
    for (size_t l = 0; l < c.legs.size(); l++) {
        const size_t depth = c.legs[l].depth;
        LegList first =
            c.legs[l].weight == 0 ? LegList() : *ListLeg(c.lists[l]->scores()).Best(depth);
        // Of those that equal the last, the first ones.
        first.hits.resize(std::min(depth, first.hits.size()));
        scales.push_back(ScaleOf(c.options.normalization, first.hits, c.legs[l].absent));
        double missing = c.legs[l].absent.score;
        if (std::isnan(missing)) {
            const double last = first.hits.empty() ? 0 : first.hits.back().score;
            const bool flat = !first.hits.empty() && first.hits.front().score == last;
            missing = std::isnan(c.legs[l].absent.none) || first.hits.empty()
                          ? last
                          : c.legs[l].absent.none;
            // Where all hits are alike, and better than what is not matched is known to be, that is
            // it; else one unit of the scale less, half of one of a distribution.
            const bool below = c.legs[l].absent.none < last;
            if (flat && !below && c.options.normalization != Normalization::kNone) {
                missing =
                    last - (c.options.normalization == Normalization::kDistribution ? 0.5 : 1);
            }
        }
        absent.push_back(scales[l].Of(missing));
        if (c.legs[l].weight == 0) {
            continue;
        }
        if (c.options.kind == FusionKind::kReciprocalRank) {
            for (const ScoredRecord& hit : first.hits) {
                size_t rank = 1;
                for (const ScoredRecord& other : first.hits) {
                    rank += other.score > hit.score ? 1 : 0;
                }
                fused[hit.record] +=
                    c.legs[l].weight / (c.options.rank_constant + static_cast<double>(rank));
            }
        } else {
            for (const auto& [record, score] : c.lists[l]->scores()) {
                fused[record] = 0;
            }
        }
    }
    if (c.options.kind == FusionKind::kReciprocalRank) {
        return fused;
    }
    for (auto& [record, score] : fused) {
        score = c.options.kind == FusionKind::kSum ? 0 : -kInfinity;
        for (size_t l = 0; l < c.legs.size(); l++) {
            if (c.legs[l].weight == 0) {
                continue;
            }
            const auto found = c.lists[l]->scores().find(record);
            const double part =
                c.legs[l].weight *
                (found == c.lists[l]->scores().end() ? absent[l] : scales[l].Of(found->second));
            score = c.options.kind == FusionKind::kSum ? score + part : std::max(score, part);
        }
    }
    std::erase_if(fused, [](const auto& entry) { return entry.second == -kInfinity; });
    return fused;
}

}  // namespace

TEST_CASE("fused search finds what enumeration finds") {
    std::mt19937 random(7);
    for (int round = 0; round < 10000; round++) {
        const Case c = Make(&random);
        auto made = SearchFused(c.options, c.legs, c.k, c.records);
        REQUIRE(made.ok());
        const FusedList& list = *made;
        std::vector<ScoredRecord> want;
        for (const auto& [record, score] : Enumerate(c)) {
            want.push_back({record, score});
        }
        std::stable_sort(
            want.begin(), want.end(),
            [](const ScoredRecord& a, const ScoredRecord& b) { return a.score > b.score; });
        size_t end = c.k == 0 ? want.size() : std::min(c.k, want.size());
        while (end > 0 && end < want.size() && want[end].score == want[end - 1].score) {
            end++;
        }
        CAPTURE(round);
        REQUIRE(list.exact);
        REQUIRE(list.records.size() == end);
        size_t looked_up = 0;
        for (size_t l = 0; l < c.legs.size(); l++) {
            REQUIRE(list.legs[l].lists == c.lists[l]->lists);
            REQUIRE(list.legs[l].looked_up == c.lists[l]->looked_up);
            looked_up += c.lists[l]->looked_up;
        }
        REQUIRE(list.looked_up == looked_up);
        bool same = true;
        for (size_t i = 0; i < end; i++) {
            double sum = 0;
            for (size_t l = 0; l < c.legs.size(); l++) {
                sum += list.shares[i * c.legs.size() + l];
            }
            CAPTURE(i, static_cast<int>(c.options.kind), list.records[i].score, c.k);
            REQUIRE(sum == list.records[i].score);
            same = same && list.records[i].record == want[i].record &&
                   list.records[i].score == want[i].score;
            for (size_t l = 0; l < c.legs.size(); l++) {
                const auto found = c.lists[l]->scores().find(want[i].record);
                const double part = list.parts[i * c.legs.size() + l];
                if (c.options.kind != FusionKind::kReciprocalRank) {
                    same = same && (found == c.lists[l]->scores().end() ? std::isnan(part)
                                                                        : part == found->second);
                }
            }
        }
        REQUIRE(same);
    }
}

TEST_CASE("fused search stops when nothing unseen can enter") {
    std::map<uint64_t, double> falling;
    for (uint64_t i = 0; i < 10000; i++) {
        falling[i] = 1.0 / static_cast<double>(i + 1);
    }
    ListLeg first(falling);
    ListLeg second(falling);
    const std::vector<FusionLeg> legs = {{&first, 1, 20, 0}, {&second, 2, 20, 0}};
    auto list = SearchFused({}, legs, 5, 10000);
    REQUIRE(list.ok());
    CHECK(list->rounds == 1);
    CHECK(list->exact);
    CHECK(list->looked_up == 0);
    CHECK(first.deepest == 20);
}

TEST_CASE("fused search goes deeper where the legs disagree") {
    std::map<uint64_t, double> falling;
    std::map<uint64_t, double> rising;
    for (uint64_t i = 0; i < 1000; i++) {
        falling[i] = -std::pow(static_cast<double>(i), 2);
        rising[i] = -std::pow(static_cast<double>(1000 - i), 2);
    }
    ListLeg first(falling);
    ListLeg second(rising);
    const std::vector<FusionLeg> legs = {{&first, 1, 10, 0}, {&second, 1, 10, 0}};
    auto list = SearchFused({}, legs, 1, 1000);
    REQUIRE(list.ok());
    CHECK(list->records.at(0).record == 500);
    CHECK(list->exact);
    CHECK(list->rounds > 1);
    // Legs that prove nothing are not asked twice, unless there would be too few.
    first.exact = false;
    list = SearchFused({}, legs, 1, 1000);
    REQUIRE(list.ok());
    CHECK(list->rounds == 1);
    CHECK_FALSE(list->exact);
    list = SearchFused({}, legs, 300, 1000);
    REQUIRE(list.ok());
    CHECK(list->records.size() >= 300);
}

TEST_CASE("a leg that is in no proof's way is not searched again", "[fused]") {
    // One says next to nothing of the order; the other has nothing but bad to say, of every second
    // record, so that nobody who is in no list is wanted for its sake.
    std::map<uint64_t, double> slow;
    std::map<uint64_t, double> bad;
    for (uint64_t i = 0; i < 1000; i++) {
        slow[i] = 100 - 0.1 * static_cast<double>(i);
        if (i % 2 == 0) {
            bad[i] = -1000 - static_cast<double>(i);
        }
    }
    ListLeg first(slow);
    ListLeg second(bad);
    const std::vector<FusionLeg> legs = {{&first, 1, 10, 0}, {&second, 1, 10, 0}};
    const auto list = SearchFused({}, legs, 5, 1000);
    REQUIRE(list.ok());
    CHECK(list->exact);
    REQUIRE(list->records.size() == 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK(list->records[i].record == 2 * i + 1);
    }
    CHECK(first.lists == 2);
    CHECK(second.lists == 1);
}

TEST_CASE("scales of a first list that is not exact make no exact answer", "[fused]") {
    const auto normalization = GENERATE(Normalization::kNone, Normalization::kMinMax,
                                        Normalization::kZScore, Normalization::kDistribution);
    std::map<uint64_t, double> rising;
    std::map<uint64_t, double> falling;
    for (uint64_t record = 0; record < 400; record++) {
        rising[record] = static_cast<double>(record);
        falling[record] = -static_cast<double>(record);
    }
    ListLeg a(rising);
    ListLeg b(falling);
    a.exact = false;
    a.exact_from = 100;
    std::vector<FusionLeg> legs(2);
    legs[0].leg = &a;
    legs[1].leg = &b;
    legs[0].depth = legs[1].depth = 10;
    FusionOptions options;
    options.normalization = normalization;
    // The legs say the opposite: only lists of everything prove anything.
    const auto found = SearchFused(options, legs, 300, 400);
    REQUIRE(found.ok());
    REQUIRE(a.deepest >= 100);
    CHECK(found->exact == (normalization == Normalization::kNone));
}

TEST_CASE("scales of scores") {
    const std::vector<ScoredRecord> hits = {{1, 5}, {2, 3}, {3, 1}};
    const ScoreScale min_max = ScaleOf(Normalization::kMinMax, hits);
    CHECK(min_max.Of(5) == Approx(1));
    CHECK(min_max.Of(1) == Approx(0).margin(1e-12));
    CHECK(min_max.Of(0) == Approx(-0.25));
    const double deviation = std::sqrt(8.0 / 3);
    CHECK(ScaleOf(Normalization::kZScore, hits).Of(5) == Approx(2 / deviation));
    CHECK(ScaleOf(Normalization::kDistribution, hits).Of(3) == Approx(0.5));
    CHECK(ScaleOf(Normalization::kDistribution, hits).Of(3 + 3 * deviation) == Approx(1));
    CHECK(ScaleOf(Normalization::kNone, hits).Of(5) == 5);
    const std::vector<ScoredRecord> flat = {{1, 2}, {2, 2}};
    CHECK(ScaleOf(Normalization::kMinMax, flat).Of(2) == Approx(1));
    CHECK(ScaleOf(Normalization::kZScore, flat).Of(2) == Approx(0).margin(1e-12));
    CHECK(ScaleOf(Normalization::kDistribution, flat).Of(2) == Approx(0.5));
    CHECK(ScaleOf(Normalization::kMinMax, {}).Of(7) == 7);
    // A leg whose hits are all alike still tells them from what it does not match.
    const auto unmatched = [](Normalization normalization, const std::vector<ScoredRecord>& of) {
        return ScaleOf(normalization, of).Of(UnmatchedScore(normalization, of));
    };
    CHECK(unmatched(Normalization::kMinMax, flat) == Approx(0).margin(1e-12));
    CHECK(unmatched(Normalization::kZScore, flat) == Approx(-1));
    CHECK(unmatched(Normalization::kDistribution, flat) == Approx(0).margin(1e-12));
    CHECK(unmatched(Normalization::kMinMax, hits) == Approx(0).margin(1e-12));
    CHECK(unmatched(Normalization::kNone, flat) == 2);
    // What is known to score 0 where nothing is matched does so, and a weaker match is above it.
    const AbsentScore zero(kNoScore, 0);
    for (const auto normalization :
         {Normalization::kMinMax, Normalization::kZScore, Normalization::kDistribution}) {
        const ScoreScale scale = ScaleOf(normalization, flat, zero);
        const double none = scale.Of(UnmatchedScore(normalization, flat, zero));
        CHECK(none == Approx(unmatched(normalization, flat)).margin(1e-12));
        CHECK(scale.Of(1) > none + 0.2);
        CHECK(scale.Of(2) == Approx(ScaleOf(normalization, flat).Of(2)).margin(1e-12));
    }
    CHECK(UnmatchedScore(Normalization::kMinMax, {}) == 0);
    CHECK(RanksOf({{1, 5}, {2, 5}, {3, 1}}) == std::vector<size_t>{1, 1, 3});
}

TEST_CASE("lists become about as long as a proof needs", "[fused]") {
    constexpr size_t kRecords = 20000;
    constexpr size_t kWanted = 50;
    constexpr size_t kFirst = 60;
    size_t needed = 0;
    size_t made = 0;
    size_t rounds = 0;
    for (int seed = 0; seed < 40; seed++) {
        std::mt19937 random(static_cast<uint32_t>(seed));
        std::normal_distribution<double> normal;
        // From legs that say nearly the same to legs that have nothing in common.
        const double common = static_cast<double>(seed % 8) / 8;
        std::map<uint64_t, double> scores[2];
        for (uint64_t record = 0; record < kRecords; record++) {
            const double shared = normal(random);
            for (auto& of_leg : scores) {
                of_leg[record] = common * shared + (1 - common) * normal(random);
            }
        }
        std::vector<double> sums;
        for (uint64_t record = 0; record < kRecords; record++) {
            sums.push_back(scores[0][record] + scores[1][record]);
        }
        std::nth_element(sums.begin(), sums.begin() + (kWanted - 1), sums.end(), std::greater<>());
        ListLeg one(scores[0]);
        ListLeg other(scores[1]);
        size_t need = kFirst;
        while (need < kRecords &&
               one.sorted()[need - 1].score + other.sorted()[need - 1].score >= sums[kWanted - 1]) {
            need++;
        }
        std::vector<FusionLeg> legs(2);
        legs[0].leg = &one;
        legs[1].leg = &other;
        for (FusionLeg& leg : legs) {
            leg.depth = kFirst;
            leg.absent = -kInfinity;
        }
        const FusedList list = *SearchFused(FusionOptions(), legs, kWanted, kRecords);
        REQUIRE(list.exact);
        REQUIRE(list.records.size() == kWanted);
        REQUIRE(list.records.back().score == Approx(sums[kWanted - 1]));
        needed += need;
        made += std::max(one.deepest, other.deepest);
        rounds += list.rounds;
    }
    CAPTURE(needed, made, rounds);
    REQUIRE(made <= needed + needed / 2);
    REQUIRE(rounds <= 40 * 3);
}
