// The hits of one leg that say where another looks: the cells of a list index, or the nodes of a
// graph, that they lead to are gone to beside those that are near by themselves (CluSD: Yang et
// al., 2024; here its overlap rule).
#pragma once

#include <limits>
#include <vector>

#include "engine/db/search_result.h"

namespace quern {

struct LegGuide {
    struct OfQuery {
        std::vector<RecordPlace> places;  // the best first
        // Nothing farther can get into the fused result.
        float farthest = std::numeric_limits<float>::infinity();
    };
    std::vector<OfQuery> of_queries;
};

}  // namespace quern
