// Which nodes of a segment's index a search of a view may find.
#pragma once

#include <cstdint>
#include <vector>

namespace quern {

struct IndexLeg;

// One bit a node of a graph. A node with repeats is there when one of these may be found; what
// stands outside the index is not. Cost: a word for each 64 records, where each has a vector.
std::vector<uint64_t> NodesToFind(const IndexLeg& leg);

}  // namespace quern
