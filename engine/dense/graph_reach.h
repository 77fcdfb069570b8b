// Makes every node of a graph reachable, and a way on from every node. Insertion keeps the best
// links of a node and drops others, and so a node, or a whole group of them that lies apart from
// the rest, may end with no link that leads to it, or with none that leads out of it: a walk that
// comes to such a group by the upper levels ends there with a dozen nodes (8 links a node, pools of
// 20 while it was built: 2 of 300 queries in every twentieth graph of 6,000 nodes).
#pragma once

#include <vector>

#include "engine/dense/graph_links.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/work.h"

namespace quern::dense {

// Below this share of reachable nodes a graph is at fault.
inline constexpr double kReachLeast = 0.999;

// Walks the base links from the entry and, wherever nodes are not met, gives a near node that has a
// free place a link to one of them. Only where none is found a link is dropped for it, one to a far
// node which the walk did not need, so what is reachable stays so. Then a node of each group
// without a way out gets a link to the nearest outside. nodes: all that are to be reachable.
// Memory: up to 8 bytes for each link and node.
Status MendReach(const VectorRows& rows, const std::vector<uint32_t>& nodes, GraphLinks* links,
                 Work* work);

}  // namespace quern::dense
