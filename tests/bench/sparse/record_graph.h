// A graph over sparse vectors alone, without lists: the third family of the published comparisons,
// from the links and cut rows of an approximate index. A search begins with the heaviest records of
// the query's heaviest terms ("heads"). README.md has what it found.
//
// Thread rule: as for the index.
#pragma once

#include <vector>

#include "engine/sparse/approximate_index.h"
#include "engine/sparse/sparse_search.h"

namespace bench {

struct GraphEffort {
    uint32_t pool = 64;
    uint32_t terms = 6;   // whose heads a search begins with
    uint32_t heads = 16;  // of each
};

class RecordGraph {
public:
    // heads: of each term, at most. Both indexes stay borrowed.
    RecordGraph(const quern::sparse::SparseIndex& index,
                const quern::sparse::ApproximateIndex& approximate, uint32_t heads);
    // As SparseIndex::Search, approximately, all records allowed.
    void Search(const quern::sparse::SparseVector& query, const GraphEffort& effort,
                quern::sparse::TopHits* hits, quern::sparse::SearchSpace* space,
                quern::sparse::SearchStats* stats) const;

private:
    const quern::sparse::SparseIndex& index_;
    const quern::sparse::ApproximateIndex& approximate_;
    uint32_t heads_max_;
    std::vector<uint32_t> heads_;  // heads_max_ of each term, heaviest first; kNoLink: none
};

}  // namespace bench
