// What a new graph inherits from an old one: the links between vectors that both hold. Nodes that
// are gone leave their neighbours behind; these choose anew among the neighbours of the gone, as
// the graph's insertion would.
//
// Source: Singh, Subramanya, Krishnaswamy, Simhadri: FreshDiskANN, 2021 (consolidation of deletes).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/dense/graph_links.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/work.h"

namespace quern::dense {

struct GraphSeed {
    const GraphLinks* links = nullptr;  // proved; borrowed
    // Of each old node its number among the new rows; kNoNode: it is gone.
    std::vector<uint32_t> now;
};

// The lists of the nodes that were taken over, in new numbers.
struct InheritedLinks {
    std::vector<uint32_t> levels;  // of each new row: how many levels it is on; 0: not taken over
    // Of each new row that was taken over: where its lists begin in words; degree places for the
    // base level, upper_degree for each further one, free places kNoNode.
    std::vector<size_t> offsets;
    std::vector<uint32_t> words;
    size_t count = 0;
    uint32_t entry = kNoNode;  // one of the highest level
};

// wanted: of each new row whether it may be taken over. levels_max bounds the levels of a node.
Result<InheritedLinks> Inherit(const VectorRows& rows, const GraphSeed& seed,
                               const std::vector<bool>& wanted, uint32_t levels_max, int threads,
                               Work* work);

}  // namespace quern::dense
