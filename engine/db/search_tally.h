// What a search has cost.
#pragma once

#include <algorithm>
#include <cstdint>

namespace quern {

struct SearchTally {
    uint64_t bytes_read = 0;     // of pages that were read from the file
    uint64_t scored = 0;         // vectors or codes measured by walks and scans
    uint64_t refined = 0;        // candidates of a walk measured with the stored vectors
    uint64_t fetched = 0;        // of these, not found in memory
    uint64_t memory_needed = 0;  // bytes of memory_mb with which all indexes could have been used
    // The least that the plans of all segments stand for; 1: scans. Not a sum: see Searcher.
    double expected_recall = 0;
    // Of lists and facets: records that the filter is true for, of these without a value, and
    // values that they have.
    uint64_t matches = 0;
    uint64_t nulls = 0;
    uint64_t values = 0;
    uint32_t left_out = 0;  // what the budget has run out of: see SearchBudget
    void Add(const SearchTally& other) {
        bytes_read += other.bytes_read;
        scored += other.scored;
        refined += other.refined;
        fetched += other.fetched;
        left_out |= other.left_out;
        memory_needed = std::max(memory_needed, other.memory_needed);
    }
};

}  // namespace quern
