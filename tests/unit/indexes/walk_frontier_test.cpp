// The frontier of a filtered walk gives what a sorted list would.
#include "engine/dense/walk_frontier.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

using quern::dense::WalkFrontier;

TEST_CASE("a frontier gives the nearest first, however many wait", "[graph]") {
    std::mt19937 random(1);
    WalkFrontier frontier;
    // Mostly taking, as many of each, mostly adding: thousands wait at the end.
    for (const unsigned adds_of_ten : {3u, 5u, 7u, 10u}) {
        CAPTURE(adds_of_ten);
        frontier.Clear();
        std::multiset<float> wanted;
        std::vector<float> distance_of;
        const auto take = [&] {
            REQUIRE(frontier.Nearest() == *wanted.begin());
            const uint32_t nearest = frontier.Node(0);
            REQUIRE(distance_of[nearest] == *wanted.begin());
            REQUIRE(frontier.Take() == nearest);
            wanted.erase(wanted.begin());
            distance_of[nearest] = -1;  // each node once
        };
        for (int step = 0; step < 20000; step++) {
            if (random() % 10 < adds_of_ten) {
                // Of a few values, so that many are equal; and falling, as in a walk.
                const float distance = static_cast<float>(random() % 3000 + (20000 - step) / 8);
                frontier.Add(static_cast<uint32_t>(distance_of.size()), distance);
                distance_of.push_back(distance);
                wanted.insert(distance);
            } else if (!wanted.empty()) {
                take();
            }
            REQUIRE(frontier.empty() == wanted.empty());
        }
        while (!wanted.empty()) {
            take();
        }
        CHECK(frontier.empty());
    }
}
