// Records that have their vector in common with others: what is measured again counts vectors, not
// records, so copies push no other vector out.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "tests/unit/indexed_file.h"

using namespace indexed;

TEST_CASE("a told recall is kept where every vector is there ten times", "[index]") {
    constexpr size_t kVectors = 1000;
    constexpr size_t kCopies = 10;
    constexpr size_t kTwo = 2;
    const std::string options =
        GENERATE("index=graph codes=i8 ef_build=60", "index=graph codes=4bit ef_build=60",
                 "index=graph codes=1bit ef_build=60", "index=lists codes=4bit");
    INFO(options);
    std::mt19937_64 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> once(kVectors * kTwo);
    std::vector<float> queries(200 * kTwo);
    for (std::vector<float>* values : {&once, &queries}) {
        std::generate(values->begin(), values->end(), [&] { return normal(random); });
    }
    IndexedFile file;
    file.dim = kTwo;
    file.Create(QUERN_L2, options);
    for (size_t copy = 0; copy < kCopies; copy++) {
        file.Insert(static_cast<int64_t>(copy * kVectors), once);
    }
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    for (const bool some_are_gone : {false, true}) {
        if (some_are_gone) {
            // Those that stand in the index for their copies.
            std::vector<int64_t> first(kVectors);
            std::iota(first.begin(), first.end(), 0);
            file.Delete(first);
        }
        const auto truth = file.Search(queries, 10, "recall=exact");
        for (const char* told : {"recall=0.95", "recall=0.95 refine=proof"}) {
            const auto found = file.Search(queries, 10, told);
            CHECK(Recall(found, truth) >= 0.94);
            CHECK(std::all_of(found.keys.begin(), found.keys.end(),
                              [](const auto& keys) { return keys.size() == 10; }));
        }
        // Two vectors have the ten and the next ten: no more has to be measured.
        CHECK(file.Search(queries, 20, "ef=20 refine=20").refined <= 20 * 200);
    }
}

TEST_CASE("a told recall is kept where neighbours come in groups that codes do not order",
          "[index]") {
    constexpr size_t kGroups = 150;
    constexpr size_t kMembers = 20;
    const std::string options =
        GENERATE("index=graph codes=i8 ef_build=60", "index=graph codes=4bit ef_build=60");
    INFO(options);
    const std::vector<float> middles = MakeRows(kGroups, 3);
    std::mt19937_64 random(4);
    std::normal_distribution<float> normal(0, 1e-3f);
    const auto near_middles = [&] {
        std::vector<float> rows = middles;
        std::for_each(rows.begin(), rows.end(), [&](float& x) { x += normal(random); });
        return rows;
    };
    IndexedFile file;
    file.Create(QUERN_L2, options);
    for (size_t i = 0; i < kMembers; i++) {
        file.Insert(static_cast<int64_t>(i * kGroups), near_middles());
    }
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = near_middles();
    const auto truth = file.Search(queries, 10, "recall=exact");
    for (const auto& [told, least] : {std::pair{"recall=0.95", 0.935}, {"recall=0.99", 0.98}}) {
        INFO(told);
        const auto found = file.Search(queries, 10, told);
        CHECK(!found.exact);
        CHECK(Recall(found, truth) >= least);
    }
}
