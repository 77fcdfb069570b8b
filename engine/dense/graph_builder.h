// Builds the links of a navigable graph (HNSW): shares nodes out over threads, each of which
// inserts them (node_inserter.h), and makes links of the result. FAISS keeps the structure
// meanwhile (building_graph.h); none of its process-wide settings is touched.
//
// Source: Malkov, Yashunin: Efficient and robust approximate nearest neighbor search using
// hierarchical navigable small world graphs, TPAMI 2018.
//
// The graph depends on the order in which threads come to insert; with one thread the same rows
// give the same graph.
#pragma once

#include <memory>
#include <vector>

#include "engine/dense/graph_links.h"
#include "engine/dense/graph_seed.h"
#include "engine/dense/node_inserter.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/work.h"

namespace quern::dense {

struct GraphBuildOptions {
    uint32_t m = 16;    // links of a node on upper levels; twice as many on the base level
    uint32_t ef = 200;  // candidates that an insertion looks at
    int threads = 1;
    // So many nodes, drawn at random, come last and are not taken from a seed.
    size_t held = 0;
};

class GraphBuilder {
public:
    // rows stay borrowed for the builder's life, seed (may be NULL) is done with on return. nodes:
    // those that get links, ascending; the others stay without. What the seed has of them is in the
    // graph from the beginning. Throws std::bad_alloc.
    static Result<std::unique_ptr<GraphBuilder>> Create(const VectorRows& rows,
                                                        const std::vector<uint32_t>& nodes,
                                                        const GraphBuildOptions& options,
                                                        const GraphSeed* seed, Work* work);
    ~GraphBuilder();
    // From now on walks of insertions go over these, which are borrowed, or over the vectors again.
    void WalkOver(const InsertionCodes& codes);
    // Inserts the next `count` nodes of order(). kInterrupted when work says so: the builder is of
    // no use then.
    Status Add(size_t count, Work* work);
    // How many nodes of order() are in the graph.
    size_t added() const;
    // The nodes in the order of insertion: those of the seed; a seeded shuffle, highest levels
    // first; the held-out ones. Those of the base level that are added together change places
    // (insertion_order.h).
    const std::vector<uint32_t>& order() const;
    // The links so far; may be called between additions. Nodes that no walk would reach get a link
    // from a neighbour.
    Result<GraphLinks> Links(Work* work) const;

private:
    GraphBuilder(const VectorRows& rows, const std::vector<uint32_t>& nodes,
                 const GraphBuildOptions& options);
    Status AddUpTo(size_t end, const std::vector<uint32_t>& near, size_t at_once, Work* work);
    Status TakeOver(const GraphSeed& seed, Work* work);
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace quern::dense
