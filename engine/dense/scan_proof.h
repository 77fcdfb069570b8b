// Proves that what a scan over codes did not measure is farther away than what it did, or finds
// what may not be: bi-granular search with nothing left to chance.
//
// Of every row its codes give a score, and RowErrors how far the row may be from its codes. So for
// a distance, that of the last that is to be in the result, each level of errors has a score above
// which nothing is within (CodeBound): 256 numbers a query, and the codes of a row decide. What is
// within by these has to be measured; in most cases that is a few times k rows.
//
// Confined to one query.
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "engine/dense/codes/code_bound.h"
#include "engine/dense/graph_index.h"
#include "engine/dense/safe_length.h"
#include "engine/kernels/top_k.h"

namespace quern::dense {

class ScanProof {
public:
    // vector: f32[dim], borrowed like the index, which must have errors of its codes
    // (GraphIndex::states_errors).
    ScanProof(const GraphIndex& index, const void* vector);
    // Whether anything can be proved of this query: not where numbers leave f32.
    bool possible() const;
    // From now on: what may be within this distance, or as far?
    void Within(float distance);
    // Whether none of the rows with that score or a higher one may be, but for loose ones.
    bool Excludes(float score) const { return score > Highest(errors_.common()); }
    bool MayBeWithin(uint32_t node, float score) const {
        return !(score > Highest(errors_.levels()[node]));
    }
    // Leaves those that may be, in order of their scores.
    void Keep(std::vector<kernels::Hit>* nodes) const;
    // Adds those of the given nodes that may be, with their scores.
    void Pick(const std::vector<uint32_t>& nodes, std::vector<kernels::Hit>* picked) const;
    // All of the wanted ones, one bit each, by a look at all codes. *complete: it did not stop at
    // more than `most`. Adds to *scored what it has looked at.
    Status Find(const uint64_t* wanted, size_t most, std::vector<kernels::Hit>* found,
                bool* complete, uint64_t* scored, Work* work) const;

private:
    float Highest(uint8_t level) const {
        if (scaled_) {
            return std::numeric_limits<float>::infinity();
        }
        if (std::isnan(highest_[level])) {
            highest_[level] = bound_.HighestWithin(distance_, errors_.Of(level));
        }
        return highest_[level];
    }

    const GraphIndex& index_;
    const RowErrors& errors_;
    SafeQuery query_;
    bool scaled_;  // scores of searches are of another query, and distances at the end of f32
    CodeBound bound_;
    std::unique_ptr<CodeScorer> scorer_;
    float distance_ = 0;
    mutable std::array<float, 256> highest_;  // NaN: nobody has asked yet
};

// Whether rows, which are the vectors of the index from number `first` on, are as near to their
// codes as the index says; proofs stand on it. What their lengths are rounded to is allowed for.
bool ErrorsHold(const GraphIndex& index, const VectorRows& rows, size_t first);

}  // namespace quern::dense
