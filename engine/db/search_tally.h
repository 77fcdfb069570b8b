// What a search has cost.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/db/search_counts.h"

namespace quern {

// An index that was not used because memory_mb does not allow it.
struct UnusedIndex {
    int64_t segment = 0;
    uint32_t field = 0;
    uint64_t bytes = 0;
};

struct SearchTally : SearchCounts {
    // The most that the handle has held, where memory_mb was too small for an index; and those that
    // were not held then. Several searches that make one answer may each have wanted the same ones.
    uint64_t memory_held = 0;
    std::vector<UnusedIndex> unused;
    // The least that the plans of all segments stand for; 1: scans. Not a sum: see Searcher.
    double expected_recall = 0;
    // Of lists and facets: records that the filter is true for, of these without a value, and
    // values that they have.
    uint64_t matches = 0;
    uint64_t nulls = 0;
    uint64_t values = 0;
    uint32_t left_out = 0;  // what the budget has run out of: see SearchBudget
    // Nanoseconds of a monotonic clock (stage_clock.h). Those of the threads of one search together
    // where it says so.
    uint64_t filter_ns = 0;
    uint64_t search_ns = 0;  // finding hits, or candidates, in fields
    uint64_t refine_ns = 0;  // of that, measuring candidates with stored values; threads together
    uint64_t lookup_ns = 0;  // scores that legs had not given
    uint64_t fuse_ns = 0;
    uint64_t fetch_ns = 0;  // keys and columns of the hits
    uint64_t total_ns = 0;
    void Add(const SearchTally& other) {
        *this += other;
        left_out |= other.left_out;
        filter_ns += other.filter_ns;
        search_ns += other.search_ns;
        refine_ns += other.refine_ns;
        lookup_ns += other.lookup_ns;
        fuse_ns += other.fuse_ns;
        fetch_ns += other.fetch_ns;
        total_ns += other.total_ns;
        memory_held = std::max(memory_held, other.memory_held);
        for (const UnusedIndex& index : other.unused) {
            NeedIndex(index, 0);
        }
    }
    // held: by the handle, without the index.
    void NeedIndex(const UnusedIndex& index, uint64_t held) {
        memory_held = std::max(memory_held, held);
        const bool known = std::any_of(unused.begin(), unused.end(), [&](const UnusedIndex& other) {
            return other.segment == index.segment && other.field == index.field;
        });
        if (!known) {
            unused.push_back(index);
        }
    }
    // Bytes of memory_mb with which all indexes could have been used; 0: they were.
    uint64_t memory_needed() const {
        uint64_t needed = memory_held;
        for (const UnusedIndex& index : unused) {
            needed += index.bytes;
        }
        return needed;
    }
};

}  // namespace quern
