// Merges of a part of the segments: what they leave alone stays as it is.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/indexed_file.h"

using indexed::IndexedFile;
using indexed::kDim;
using indexed::MakeRows;

TEST_CASE("a merge of small segments leaves the dead of a large one dead") {
    // Too large for the tier of the small ones.
    constexpr size_t kLarge = 30000;
    constexpr size_t kSmall = 200;
    IndexedFile file("_merge");
    file.Open("threads=1 seal_rows=100");
    file.Create(QUERN_L2, "index=none");
    const std::vector<float> large = MakeRows(kLarge, 1);
    file.Insert(0, large);
    std::vector<int64_t> dead;
    for (size_t i = 0; i < 50; i++) {
        dead.push_back(static_cast<int64_t>(i * 577));
    }
    file.Delete(dead);
    // Each round replaces the records of the one before: a merge of them has something to drop.
    int64_t fewest = INT64_MAX;
    int64_t before = 0;
    bool merged = false;
    for (uint64_t round = 0; round < 12; round++) {
        file.Insert(static_cast<int64_t>(kLarge), MakeRows(kSmall, 2 + round));
        int64_t segments = 0;
        file.Ok(quern_stat(file.db, QUERN_STAT_SEGMENTS, &segments, &file.err));
        merged = merged || segments < before;
        before = segments;
        fewest = std::min(fewest, segments);
    }
    REQUIRE(merged);
    REQUIRE(fewest >= 2);  // the large one was left alone
    for (const int64_t key : dead) {
        const auto row = large.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(key) * kDim);
        const auto found =
            file.Search({row, row + static_cast<ptrdiff_t>(kDim)}, 5, "recall=exact");
        REQUIRE(found.keys[0].size() == 5);
        REQUIRE(std::count(found.keys[0].begin(), found.keys[0].end(), key) == 0);
    }
    uint64_t count = 0;
    file.Ok(quern_count(file.db, "docs", nullptr, &count, &file.err));
    CHECK(count == kLarge + kSmall - dead.size());
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}
