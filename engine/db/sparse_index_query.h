// A search of the index of a sparse field in one segment, as a request wants it: by a walk, by
// postings or by all rows; and where the index has impacts in place of weights, with scores by
// those that are stored.
//
// Thread rule: confined to the search that it is made for; Find on several threads, if `read` may
// be called so.
#pragma once

#include <functional>
#include <span>

#include "engine/db/sparse_candidates.h"
#include "engine/db/sparse_column.h"
#include "engine/db/sparse_part.h"
#include "engine/sparse/sparse_search.h"

namespace quern {

class SparseIndexQuery {
public:
    using Body = std::function<Status(storage::Connection*)>;

    SparseIndexQuery(const SparsePart& of_part, const SparseColumn& of_column)
        : part(of_part), column(of_column) {}

    const SparsePart& part;
    const SparseColumn& column;
    const uint64_t* allowed = nullptr;  // rows; NULL: all
    uint32_t source = 0;
    sparse::SearchOptions options = {};
    size_t limit = 0;
    double least = 0;     // of the request: no lower score matches
    size_t pool = 0;      // of a walk; 0: none
    bool pruned = false;  // records may be missed for postings that were left out
    bool loose = false;   // a knob makes the search approximate
    // Runs a body that reads from the file to score so many records.
    std::function<Status(size_t scored, const Body& body)> read = {};

    // Fills `top`, which begins as NewTop's. *served: by a walk. stats->pruned: whether it is so.
    Status Find(const SparseQuery& query, uint64_t scored_max, sparse::TopHits* top,
                sparse::SearchSpace* space, sparse::SearchStats* stats, bool* served,
                Work* work) const;
    // Empty, for the records of this segment.
    sparse::TopHits NewTop(const SparseQuery& query) const;

private:
    Status FindOnce(const SparseQuery& query, uint64_t scored_max, const sparse::TopHits& fresh,
                    sparse::TopHits* top, sparse::SearchSpace* space, sparse::SearchStats* stats,
                    bool* served, Work* work) const;
    Status ScoreStored(const SparseQuery& query, std::span<const sparse::SparseHit> hits,
                       sparse::TopHits* top, Work* work) const;
};

}  // namespace quern
