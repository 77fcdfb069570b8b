// What is looked for in a search of a sparse field, and what its sources propose for the result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/sparse/sparse_search.h"

namespace quern {

struct SparseQuery {
    sparse::SparseVector vector;
    double least = -std::numeric_limits<double>::infinity();  // no lower score is wanted
};

struct SparseCandidate {
    double distance = 0;
    uint32_t source = 0;
    uint32_t position = 0;
};

// Keeps the nearest `limit`, of which there must be more, and what is as near as the last of these.
// Its distance.
inline double KeepNearest(size_t limit, std::vector<SparseCandidate>* found) {
    const auto last = found->begin() + static_cast<ptrdiff_t>(limit - 1);
    std::nth_element(
        found->begin(), last, found->end(),
        [](const SparseCandidate& a, const SparseCandidate& b) { return a.distance < b.distance; });
    const double worst = last->distance;
    std::erase_if(*found, [&](const SparseCandidate& c) { return c.distance > worst; });
    return worst;
}

}  // namespace quern
