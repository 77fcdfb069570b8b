// The walk to everything within a bound by itself: how far it looks while it has found nothing.
#include "engine/dense/range_walk.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/dense/range_curve.h"

using namespace quern;
using namespace quern::dense;

namespace {

// Distances as they are given.
struct GivenDistances {
    std::vector<float> distances;
    void Score(const uint32_t* nodes, size_t count, float* out) const {
        for (size_t i = 0; i < count; i++) {
            out[i] = distances[nodes[i]];
        }
    }
    void Fetch(uint32_t /*node*/) const {}
};

GraphLinks Links(const std::vector<std::vector<uint32_t>>& lists) {
    GraphLinks links;
    links.count = static_cast<uint32_t>(lists.size());
    links.degree = 32;
    links.upper_degree = 16;
    links.entry = 0;
    links.base = Buffer(lists.size() * links.degree * sizeof(uint32_t), nullptr);
    std::memset(links.base.data(), 0xff, links.base.bytes());
    for (size_t node = 0; node < lists.size(); node++) {
        std::memcpy(links.base.data() + node * links.degree * sizeof(uint32_t), lists[node].data(),
                    lists[node].size() * sizeof(uint32_t));
    }
    return links;
}

struct Found {
    size_t within = 0;
    uint64_t expanded = 0;
};

Found Run(const GraphLinks& links, GivenDistances distances, size_t effort, size_t first_effort) {
    RangeLimits limits;
    limits.bound = 1;
    limits.effort = effort;
    limits.first_effort = first_effort;
    WalkSpace space;
    bool complete = false;
    REQUIRE(WalkRange(links, distances, limits, &space, &complete, nullptr).ok());
    REQUIRE(complete);
    return {space.within.size(), space.expanded};
}

}  // namespace

TEST_CASE("a range walk that has found nothing looks further than one that has", "[index]") {
    // A group (7 to 9) that only a far node (6) leads to; nearer ones (1 to 5) lead nowhere.
    const std::vector<std::vector<uint32_t>> lists = {
        {1, 2, 3, 4, 5, 6}, {0}, {0}, {0}, {0}, {0}, {7}, {8}, {9}, {7}};
    const GraphLinks links = Links(lists);
    const GivenDistances apart = {{8, 2, 2.1f, 2.2f, 2.3f, 2.4f, 9, 0.5f, 0.6f, 0.7f}};
    CHECK(Run(links, apart, 2, 0).within == 0);
    CHECK(Run(links, apart, 2, 7).within == 3);
    CHECK(Run(links, apart, 7, 0).within == 3);
    // One is met at once: no look beyond the smaller pool.
    const GivenDistances near = {{0.9f, 2, 2.1f, 2.2f, 2.3f, 2.4f, 9, 0.5f, 0.6f, 0.7f}};
    const Found small = Run(links, near, 2, 0);
    const Found first = Run(links, near, 2, 7);
    CHECK(small.within == 1);
    CHECK(first.within == small.within);
    CHECK(first.expanded == small.expanded);
}

TEST_CASE("the effort of a search that has found nothing is that of fewer misses", "[index]") {
    RangeCurve curve;
    curve.SetQueries(100);
    for (size_t rank = 0; rank < RangeCurve::kRanks.size(); rank++) {
        for (size_t e = 0; e < RangeCurve::kEfforts.size(); e++) {
            curve.At(rank, e) = 1 - std::exp2(-static_cast<float>(e + 1));
        }
    }
    size_t effort = 0;
    REQUIRE(curve.Find(0.9, &effort));
    // A fourth of what may be missed is two steps of this curve more, and the margin a part of one.
    CHECK(curve.FirstEffort(0.9) > 2 * effort);
    CHECK(curve.FirstEffort(0.9) <= 5 * effort);
    CHECK(curve.FirstEffort(0.9999999) == RangeCurve::kEfforts.back());
}
