// Links by which every node is reached, and left again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "engine/dense/graph_index.h"
#include "engine/dense/graph_reach.h"

using namespace quern;
using namespace quern::dense;

namespace {

constexpr uint32_t kDegree = 4;

// Points on a line, a kilometre between groups; every node is linked to those beside it in its
// group.
struct Groups {
    std::vector<float> values;
    GraphLinks links;
    std::vector<uint32_t> nodes;

    Groups(size_t groups, size_t members) {
        links.count = static_cast<uint32_t>(groups * members);
        links.degree = kDegree;
        links.entry = 0;
        links.base = Buffer(links.count * kDegree * sizeof(uint32_t), nullptr);
        std::fill_n(List(0), links.count * kDegree, kNoNode);
        for (uint32_t node = 0; node < links.count; node++) {
            values.push_back(1000.0f * static_cast<float>(node / members) +
                             static_cast<float>(node % members));
            uint32_t* place = List(node);
            if (node % members > 0) {
                *place++ = node - 1;
            }
            if (node % members + 1 < members) {
                *place++ = node + 1;
            }
        }
        nodes.resize(links.count);
        std::iota(nodes.begin(), nodes.end(), 0u);
    }
    uint32_t* List(uint32_t node) {
        return reinterpret_cast<uint32_t*>(links.base.data()) + static_cast<size_t>(node) * kDegree;
    }
    VectorRows Rows() const {
        return {Element::kF32, Metric::kL2, 1, reinterpret_cast<const char*>(values.data()),
                values.size(), nullptr};
    }
    size_t CountReachedFrom(uint32_t entry) {
        const uint32_t before = std::exchange(links.entry, entry);
        const std::vector<bool> reached = links.Reachable();
        links.entry = before;
        return static_cast<size_t>(std::count(reached.begin(), reached.end(), true));
    }
};

}  // namespace

TEST_CASE("links lead to every group and out of each", "[graph]") {
    Groups groups(5, 20);
    REQUIRE(groups.CountReachedFrom(0) == 20);
    Work work;
    REQUIRE(MendReach(groups.Rows(), groups.nodes, &groups.links, &work).ok());
    for (uint32_t node = 0; node < groups.links.count; node++) {
        REQUIRE(groups.CountReachedFrom(node) == groups.links.count);
    }
}

TEST_CASE("a group with links to it and none out of it gets one to the nearest", "[graph]") {
    Groups groups(3, 20);
    // To the last group from both others, to the middle one and back.
    groups.List(5)[2] = 45;
    groups.List(25)[2] = 46;
    groups.List(6)[2] = 26;
    groups.List(27)[2] = 7;
    REQUIRE(groups.CountReachedFrom(0) == 60);
    REQUIRE(groups.CountReachedFrom(50) == 20);
    Work work;
    REQUIRE(MendReach(groups.Rows(), groups.nodes, &groups.links, &work).ok());
    REQUIRE(groups.CountReachedFrom(50) == 60);
    size_t out = 0;
    for (uint32_t node = 40; node < 60; node++) {
        for (uint32_t i = 0; i < kDegree && groups.List(node)[i] != kNoNode; i++) {
            const uint32_t to = groups.List(node)[i];
            out += to < 40 ? 1 : 0;
            CHECK((to >= 40 || to == 39));  // the nearest outside
        }
    }
    REQUIRE(out == 1);
}

// Groups far from zero, of which the first has a third of all. What a query of a group looks for
// are its longest vectors, and the group's links lead to the very longest, which had none to the
// others when each node that nothing led to had taken one of its places.
TEST_CASE("the longest vectors of a group are found by inner product", "[graph]") {
    constexpr size_t kRows = 6000;
    constexpr size_t kQueries = 200;
    constexpr size_t kDim = 24;
    constexpr size_t kGroups = 150;
    std::mt19937_64 random(GENERATE(1, 2, 3));
    std::normal_distribution<float> normal;
    std::vector<float> centres(kGroups * kDim);
    for (float& value : centres) {
        value = 30 * normal(random);
    }
    std::vector<double> sizes;
    for (size_t group = 0; group < kGroups; group++) {
        sizes.push_back(std::pow(1.0 + static_cast<double>(group), -1.3));
    }
    std::discrete_distribution<size_t> group_of(sizes.begin(), sizes.end());
    std::vector<float> values;
    for (size_t i = 0; i < kRows + kQueries; i++) {
        const float* centre = &centres[group_of(random) * kDim];
        for (size_t j = 0; j < kDim; j++) {
            values.push_back(centre[j] + normal(random));
        }
    }
    const VectorRows rows{Element::kF32, Metric::kIp,
                          kDim,          reinterpret_cast<const char*>(values.data()),
                          kRows,         nullptr};
    GraphIndexOptions options;
    options.codes = CodeChoice::kNone;
    options.threads = 2;
    Work work;
    const auto index = GraphIndex::Build(rows, options, &work);
    REQUIRE(index.ok());
    WalkSpace space;
    std::vector<uint32_t> nodes;
    size_t found = 0;
    for (size_t q = 0; q < kQueries; q++) {
        const float* query = &values[(kRows + q) * kDim];
        std::vector<std::pair<float, uint32_t>> all;
        for (uint32_t row = 0; row < kRows; row++) {
            all.emplace_back(-std::inner_product(query, query + kDim, &values[row * kDim], 0.0f),
                             row);
        }
        std::partial_sort(all.begin(), all.begin() + 10, all.end());
        REQUIRE((*index)->Search(rows, query, Effort::OfPool(100), &space, &nodes, &work).ok());
        nodes.resize(std::min<size_t>(nodes.size(), 10));
        for (size_t i = 0; i < 10; i++) {
            found += std::find(nodes.begin(), nodes.end(), all[i].second) != nodes.end() ? 1 : 0;
        }
    }
    REQUIRE(static_cast<double>(found) >= 0.985 * 10 * kQueries);
}
