// What a search, or a part of it, has looked at.
#pragma once

#include <cstdint>

#include "storage/base/file_reads.h"

namespace quern {

struct SearchCounts {
    FileReads reads;
    uint64_t scored = 0;       // vectors, codes or records measured by walks and scans; of these
    uint64_t walked = 0;       // by walks over a graph,
    uint64_t coded = 0;        // by scans of codes,
    uint64_t in_cells = 0;     // and in cells of lists
    uint64_t refined = 0;      // candidates that were measured with the stored vectors
    uint64_t fetched = 0;      // stored vectors that were looked at and not found in memory,
    uint64_t cached = 0;       // and those that were
    uint64_t wanted_met = 0;   // rows that a filter lets through, among so many
    uint64_t wanted_of = 0;    // that walks with a filter have scored
    uint64_t code_scans = 0;   // queries of an index for which codes were scanned,
    uint64_t far_queries = 0;  // and those farther from everything than its curve knows
    // Of sparse and text fields.
    uint64_t postings = 0;       // that were added up
    uint64_t blocks = 0;         // with a term of the query, whose bounds were looked at
    uint64_t blocks_opened = 0;  // of these; the others were skipped
    // Of list indexes.
    uint64_t cells_opened = 0;
    uint64_t cells_passed = 0;  // that bounds have spared
    uint64_t cells_guided = 0;  // of the opened: for a guide's sake (leg_guide.h)

    SearchCounts& operator+=(const SearchCounts& other) {
        reads += other.reads;
        Combine(other, [](uint64_t* a, uint64_t b) { *a += b; });
        return *this;
    }
    SearchCounts& operator-=(const SearchCounts& other) {
        reads -= other.reads;
        Combine(other, [](uint64_t* a, uint64_t b) { *a -= b; });
        return *this;
    }

private:
    template <typename Fold>
    void Combine(const SearchCounts& other, Fold fold) {
        fold(&scored, other.scored);
        fold(&walked, other.walked);
        fold(&coded, other.coded);
        fold(&in_cells, other.in_cells);
        fold(&refined, other.refined);
        fold(&fetched, other.fetched);
        fold(&cached, other.cached);
        fold(&wanted_met, other.wanted_met);
        fold(&wanted_of, other.wanted_of);
        fold(&code_scans, other.code_scans);
        fold(&far_queries, other.far_queries);
        fold(&postings, other.postings);
        fold(&blocks, other.blocks);
        fold(&blocks_opened, other.blocks_opened);
        fold(&cells_opened, other.cells_opened);
        fold(&cells_passed, other.cells_passed);
        fold(&cells_guided, other.cells_guided);
    }
};

}  // namespace quern
