// Places in the sorted array of a walk, against the standard library's.
#include "engine/dense/sorted_pool.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <random>
#include <vector>

#include "engine/dense/graph_walk.h"

using namespace quern;
using namespace quern::dense;

TEST_CASE("the place of a number is behind all that are not beyond it") {
    std::mt19937 random(1);
    for (const size_t count : {size_t{0}, size_t{2}, size_t{7}, size_t{63}, size_t{64}, size_t{65},
                               size_t{129}, size_t{1000}}) {
        std::vector<float> sorted(count);
        for (float& number : sorted) {
            number = static_cast<float>(random() % 50) - 25.0f;  // some of them equal
        }
        std::sort(sorted.begin(), sorted.end());
        for (float number = -27; number <= 27; number += 0.5f) {
            const auto place = std::upper_bound(sorted.begin(), sorted.end(), number);
            REQUIRE(PlaceBehind(sorted.data(), count, number) ==
                    static_cast<size_t>(place - sorted.begin()));
        }
        REQUIRE(PlaceBehind(sorted.data(), count, std::numeric_limits<float>::infinity()) == count);
    }
}

TEST_CASE("a place is made for one, and nothing before it moves") {
    for (const size_t size : std::vector<size_t>{1, 5, 8, 9, 64, 127, 128, 129, 137, 400}) {
        for (const size_t place : {size_t{0}, size / 2, size - 1, size}) {
            std::vector<uint32_t> items(size + 1 + kPoolPadding);
            for (size_t i = 0; i < items.size(); i++) {
                items[i] = static_cast<uint32_t>(i);
            }
            MakePlace(items.data() + place, size - place);
            for (size_t i = 0; i <= size; i++) {
                INFO("size " << size << " place " << place << " item " << i);
                REQUIRE((i == place || items[i] == (i < place ? i : i - 1)));
            }
        }
    }
}

TEST_CASE("a pool of a walk keeps the nearest in order") {
    std::mt19937 random(2);
    for (const size_t room : std::vector<size_t>{1, 3, 10, 64, 200}) {
        WalkSpace space;
        space.Begin(1000, WalkEnd{room});
        std::vector<float> all;
        for (uint32_t block = 0; block < 50; block++) {
            const uint32_t fresh = 20;
            for (uint32_t i = 0; i < fresh; i++) {
                space.fresh[i] = block * fresh + i;
                space.fresh_distances[i] = static_cast<float>(random() % 1000000);
                all.push_back(space.fresh_distances[i]);
            }
            const size_t picked = space.PickFresh(fresh);
            for (size_t i = 0; i < picked; i++) {
                space.Insert(space.fresh[i], space.fresh_distances[i]);
            }
        }
        std::vector<float> sorted = all;
        std::stable_sort(sorted.begin(), sorted.end());
        REQUIRE(space.size == room);
        for (size_t i = 0; i < room; i++) {
            REQUIRE(space.distances[i] == sorted[i]);
            REQUIRE(all[space.node(i)] == sorted[i]);
        }
    }
}
