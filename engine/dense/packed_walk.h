// The walk over a graph with bits of the neighbours beside each node (neighbour_blocks.h): like
// Walk, but the pool is ordered by estimates, and a node is measured by its codes when it is
// expanded, which the estimates of its neighbours start from.
#pragma once

#include "engine/dense/graph_walk.h"
#include "engine/dense/neighbour_blocks.h"

namespace quern::dense {

// Leaves in space's pool the nearest `end.ef` of the nodes that it has expanded, by the scorer,
// nearest first. Returns kInterrupted when work says so.
Status WalkPacked(const GraphLinks& graph, const NeighbourBlocks& blocks,
                  const NeighbourBlocks::Query& query, const CodeScorer& scorer, const WalkEnd& end,
                  WalkSpace* space, Work* work);

}  // namespace quern::dense
