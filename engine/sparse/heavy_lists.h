// The heaviest records of each term, in blocks of similar ones, each with a summary: the largest
// weights of its records. A search goes through the lists of a query's heaviest terms and leaves
// out the blocks whose summaries promise too little.
//
// (Bruch and others, "Efficient inverted indexes for approximate retrieval over learned sparse
// representations", SIGIR 2024. Blocks there are found by clustering each list; here they are cut
// from the list in order of position, as rows near each other are alike after reordering.)
//
// Summaries stand by list and term, so that all of a list are added up as postings are. Only
// weights above zero count. Thread rule: immutable after Build or Validate.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/forward_copy.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct HeavyListOptions {
    double postings_share = 0.13;  // of all postings, the heaviest, that stand in lists
    uint32_t list_max = 6000;      // records in one list
    uint32_t block_rows = 12;      // records in one block
    double summary_share = 0.4;    // of the mass of a block that its summary keeps
    int threads = 1;
};

struct HeavyLists {
    // The same for every number of threads. kLimit: summaries of more than 2^32 entries.
    static Result<HeavyLists> Build(const ForwardCopy& forward, size_t terms,
                                    const HeavyListOptions& options, Work* work);
    // kCorrupt unless every search is safe.
    Status Validate(size_t terms, uint32_t rows) const;

    // What the blocks of a list promise, into sums, which grow as needed: for terms (ascending)
    // that weigh so many units each, at most kUnitsMax. A promise times `step` is in those units.
    // Returns how many sums there are: blocks, then zeros up to a multiple of kWindowAlign.
    static constexpr uint32_t kUnitsMax = 4095;
    size_t AddSummaries(uint32_t list, const std::vector<uint32_t>& terms,
                        const std::vector<uint32_t>& units, std::vector<uint32_t>* sums) const;
    void Fetch(uint32_t list) const;

    uint64_t memory_bytes() const {
        return (term_blocks.size() + block_members.size() + members.size() + list_terms.size() +
                summary_terms.size() + summary_first.size()) *
                   4 +
               summary_blocks.size() * 2 + summary_levels.size();
    }

    float step = 0;                        // of levels
    std::vector<uint32_t> term_blocks;     // the first block of each term; and the end
    std::vector<uint32_t> block_members;   // the first member of each block; and the end
    std::vector<uint32_t> members;         // positions
    std::vector<uint32_t> list_terms;      // the first of summary_terms of each list; and the end
    std::vector<uint32_t> summary_terms;   // ascending in each list
    std::vector<uint32_t> summary_first;   // where the entries of each of these begin; and the end
    std::vector<uint16_t> summary_blocks;  // number in the list
    std::vector<uint8_t> summary_levels;   // weight in steps, rounded up
};

}  // namespace quern::sparse
