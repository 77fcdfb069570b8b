// Inserts nodes into a graph that is being built, as HNSW does: a walk on each level of the node
// gives candidates, some of them become its neighbours and get a link back, and a list that is full
// chooses anew. FAISS has the same in HNSW::add_with_locks; here walks are quern's own, which fetch
// rows ahead and score neighbours as blocks, lists choose by distances measured as blocks, and
// walks may go over codes instead of the vectors (insertion_codes.h). With one thread and without
// codes the graph is the same as FAISS's, as far as its recall and its rows scored can tell.
//
// Source: Malkov, Yashunin: Efficient and robust approximate nearest neighbor search using
// hierarchical navigable small world graphs, TPAMI 2018.
//
// Thread rule: one for each thread, all on one graph.
#pragma once

#include <memory>
#include <vector>

#include "engine/dense/building_graph.h"
#include "engine/dense/graph_walk.h"
#include "engine/dense/insertion_codes.h"
#include "engine/dense/neighbour_choice.h"
#include "engine/dense/vector_rows.h"

namespace quern::dense {

class NodeInserter {
public:
    // ef: candidates that a walk keeps. All is borrowed.
    NodeInserter(const VectorRows& rows, const InsertionCodes& codes, uint32_t ef,
                 BuildingGraph* graph)
        : rows_(rows), codes_(codes), ef_(ef), graph_(*graph), choice_(rows) {}
    // A node that has a level and no links. from: a node near to it on its level or a higher one,
    // to begin with; kNoNode: the walk comes down from the entry.
    void Insert(uint32_t node, uint32_t from = kNoNode);
    // A node of a level near to one that need not be in the graph; kNoNode: the level has none.
    uint32_t Approach(uint32_t node, int level);

private:
    // Calls use with what scores distances from the node.
    template <class Use>
    void WithScorer(uint32_t node, Use use);
    template <class Scorer>
    void Find(uint32_t node, Scorer& scorer, const BuildingGraph::Entry& entry);
    template <class Scorer>
    void GoNearer(const BuildingLevel& level, Scorer& scorer, uint32_t* nearest, float* distance);
    void TakeCandidates(uint32_t node, int level);
    void LinkBack(uint32_t from, const NeighbourChoice::Candidate& to, int level);
    // The nodes of nodes_, which are a list's neighbours, as candidates with their distances.
    void MeasureList(uint32_t from, int level);
    // On the base level under the node's lock.
    void Write(const std::vector<NeighbourChoice::Candidate>& neighbours, uint32_t node, int level);

    const VectorRows& rows_;
    InsertionCodes codes_;
    uint32_t ef_;
    BuildingGraph& graph_;
    NeighbourChoice choice_;
    WalkSpace space_;
    std::vector<float> values_;
    std::vector<uint32_t> nodes_;
    std::vector<float> distances_;
    std::vector<NeighbourChoice::Candidate> list_;
    bool are_settled_ = false;  // those of the level that was looked at last, which is the base
    // Of each level of the node its neighbours.
    std::vector<std::vector<NeighbourChoice::Candidate>> chosen_;
};

}  // namespace quern::dense
