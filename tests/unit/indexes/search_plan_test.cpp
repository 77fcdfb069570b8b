// Parts of a sparse search: finding runs, and the floor that sums must reach.
#include "engine/sparse/search_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <numeric>

#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sum_floor.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;
using namespace sparse_sample;

TEST_CASE("a plan finds the same runs in any order of superblocks", "[sparse]") {
    std::mt19937 random(21);
    Shape shape;
    shape.dimensions = 300;
    shape.entries_max = 40;
    shape.negative = 0.1;
    const SparseRowList rows = RandomRows(shape, 1000, &random);
    Work work;
    IndexOptions options;
    options.superblock_rows = 64;
    const auto index = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(index.ok());
    const PostingLists& lists = (*index)->lists();
    for (int q = 0; q < 20; q++) {
        SearchPlan plan;
        if (!plan.Make(RandomVector(shape, &random), (*index)->terms(), lists)) {
            continue;
        }
        std::vector<PlannedRuns> in_order(plan.superblocks());
        uint64_t bounds = 0;
        for (uint32_t s = 0; s < plan.superblocks(); s++) {
            plan.RunsIn(s, lists, &in_order[s]);
            bounds += plan.bound(s);
        }
        // In any order it finds the same.
        std::vector<uint32_t> shuffled(plan.superblocks());
        std::iota(shuffled.begin(), shuffled.end(), 0u);
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        uint64_t from_runs = 0;
        for (const uint32_t s : shuffled) {
            PlannedRuns runs;
            plan.RunsIn(s, lists, &runs);
            REQUIRE(runs.superblock == s);
            REQUIRE(runs.postings == in_order[s].postings);
            REQUIRE(std::equal(
                runs.runs.begin(), runs.runs.end(), in_order[s].runs.begin(),
                in_order[s].runs.end(), [](const PlannedRun& a, const PlannedRun& b) {
                    return a.place == b.place && a.bound == b.bound && a.weight == b.weight &&
                           a.count == b.count && a.takes_away == b.takes_away;
                }));
            for (const PlannedRun& run : runs.runs) {
                from_runs += run.bound;
            }
        }
        REQUIRE(from_runs == bounds);
    }
}

TEST_CASE("the floor of sums is hardly below the k-th largest", "[sparse]") {
    std::mt19937 random(22);
    SumFloor floor;
    for (const uint32_t most : {1u, 4095u, 4096u, 1000000u, 1u << 30}) {
        for (const size_t k : {size_t{1}, size_t{10}, size_t{300}, SIZE_MAX}) {
            floor.Start(k, most);
            std::vector<uint32_t> numbers;
            for (int i = 0; i < 1000; i++) {
                // Now and then one that is larger than was said.
                numbers.push_back(i % 100 == 99 ? UINT32_MAX
                                                : static_cast<uint32_t>(random() % (most + 1)));
                floor.Push(numbers.back());
                if (numbers.size() < k) {
                    REQUIRE(floor.floor() == 0);
                    continue;
                }
                const auto kth = numbers.begin() + static_cast<long>(k - 1);
                std::nth_element(numbers.begin(), kth, numbers.end(), std::greater<>());
                REQUIRE(floor.floor() <= *kth);
                REQUIRE(floor.floor() + most / 2048 + 1 >= std::min(*kth, most));
            }
        }
    }
}
