// In which order nodes of the base level are inserted: each after others that are near to it, so
// that the rows, lists and codes which its walk goes over are in the caches still. A node's place
// follows from the nearest node of the level above, whose place follows from that of the level
// above it; the nodes of all upper levels are inserted before, in random order, and hold a sample
// of everywhere that walks come through.
//
// Measured (tests/bench/dense/README.md): words250k takes 0.7 times the CPU of random order,
// graphs are as good.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/dense/building_graph.h"
#include "engine/dense/insertion_codes.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/work.h"

namespace quern::dense {

struct InsertionOrder {
    std::vector<uint32_t> nodes;
    // Of each a node near to it that is in the graph, for its walk to begin with.
    std::vector<uint32_t> near;

    // upper: the nodes of the graph that are on upper levels, at least one; base: nodes to come,
    // which are on the base level alone. Takes about a twentieth of the time of inserting them.
    static Result<InsertionOrder> Of(const std::vector<uint32_t>& base,
                                     const std::vector<uint32_t>& upper, const VectorRows& rows,
                                     const InsertionCodes& codes, BuildingGraph* graph, int threads,
                                     Work* work);
};

}  // namespace quern::dense
