// A walk from record to record along links, to those that a query or a record scores highest, by
// cut rows. Whoever starts it has put records into the pool, or in `fresh` to be scored first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/sparse/cut_rows.h"

namespace quern::sparse {

// In place of a link: none, here and behind it.
inline constexpr uint32_t kNoLink = UINT32_MAX;

// What a walk needs, kept from one to the next. Confined.
struct WalkSpace {
    struct Met {
        float score = 0;  // by cut rows
        uint32_t row = 0;
        bool gone_from = false;
    };
    SlotTable table;
    std::vector<Met> pool;        // the best, best first
    std::vector<uint32_t> fresh;  // met and not scored yet
    std::vector<uint64_t> visited;
    std::vector<uint32_t> visits;
    uint64_t scored = 0;
    // Of what searches before the walk.
    std::vector<uint32_t> terms;
    std::vector<double> weights;
    std::vector<uint32_t> units;
    std::vector<std::pair<double, uint32_t>> order;     // weight, term
    std::vector<std::pair<uint32_t, uint32_t>> blocks;  // promise, block

    // For an index of so many records. The table stays.
    void Start(size_t records) {
        visited.resize(records / 64 + 1, 0);
        pool.clear();
        fresh.clear();
        scored = 0;
    }
    // After Start: these are not met.
    void Hide(const std::vector<uint32_t>& rows) {
        for (const uint32_t row : rows) {
            visited[row / 64] |= uint64_t{1} << (row % 64);
            visits.push_back(row);
        }
    }
    void End() {
        for (const uint32_t row : visits) {
            visited[row / 64] = 0;
        }
        visits.clear();
    }
    // To `fresh`, the first time.
    void Meet(uint32_t row, const CutRows& cut) {
        uint64_t& word = visited[row / 64];
        const uint64_t bit = uint64_t{1} << (row % 64);
        if ((word & bit) == 0) {
            word |= bit;
            visits.push_back(row);
            fresh.push_back(row);
            cut.Fetch(row);
        }
    }
    // To its place in the pool: which one; pool_max when it has none.
    size_t Insert(float score, uint32_t row, size_t pool_max) {
        if (pool.size() == pool_max) {
            if (score <= pool.back().score) {
                return pool_max;
            }
            pool.pop_back();
        }
        const auto at = std::upper_bound(pool.begin(), pool.end(), score,
                                         [](float s, const Met& met) { return s > met.score; });
        const auto place = static_cast<size_t>(at - pool.begin());
        pool.insert(at, {score, row, false});
        return place;
    }
};

// links: `stride` of each record. norms: scores are multiplied by those of the record; NULL: by 1.
void WalkRecords(const CutRows& cut, const uint32_t* links, uint32_t stride, const float* norms,
                 size_t pool_max, WalkSpace* space);

}  // namespace quern::sparse
