// Static pruning: which entries of the rows get postings. A record is found by its postings, and
// scored by all of its entries; so what is left out makes lists shorter, and may make a search miss
// records, but changes no score.
//
// All four conditions hold for an entry that stays, and each is an identity by default. Weights
// count by their magnitude. The heaviest entry of each term stays in any case, so that no term is
// without a list.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct PruneOptions {
    double mass = 1;   // the heaviest of a row, until they have this share of its sum
    double ratio = 0;  // at least this share of the row's heaviest
    double below = 0;  // not less than this
    uint32_t top = 0;  // no more than so many of a row, the heaviest; 0: all
    bool any() const { return mass < 1 || ratio > 0 || below > 0 || top > 0; }
    bool operator==(const PruneOptions&) const = default;
};

// The entries that stay.
struct PrunedRows {
    std::vector<uint64_t> offsets{0};
    std::vector<uint32_t> dimensions;
    std::vector<float> weights;
    std::vector<uint32_t> terms;  // of each
    SparseRows View() const {
        return {offsets.data(), dimensions.data(), weights.data(), offsets.size() - 1};
    }
};
// terms_of_entries: as TermTable::Learn tells them, below term_count. The same for every number of
// threads. kInterrupted.
Result<PrunedRows> PruneRows(const SparseRows& rows, const std::vector<uint32_t>& terms_of_entries,
                             size_t term_count, const PruneOptions& options, int threads,
                             Work* work);

}  // namespace quern::sparse
