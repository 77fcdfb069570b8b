// The inverted side of a sparse index: for each term, what it has in each superblock of records.
//
// Records are numbered in the order of their rows. A superblock is `superblock_rows` records in a
// row. What a term has in one is a run:
//
//     few records    u16 number inside the superblock * count | u8 impact * count
//     dense          u8 impact of every record of the superblock, 0 where it lacks the term
//
// A run is dense when at least a quarter of the superblock's records are in it: it takes little
// more memory then, and is added up by vectors. Each run is padded to an even number of bytes, so
// that numbers are aligned. The runs of a term follow one another by superblock, the terms by
// number.
//
// Where all weights are 1 (binary vectors), all impacts are, and lists are flat: runs have none.
//
//     few records    u16 number inside the superblock * count
//     dense          a bit for every record of the superblock, lowest first
//
// Those are dense from a sixteenth of the records on, where bits take no more than numbers.
//
// The directory has for each run its superblock, its length and its largest impact: 5 bytes, and 4
// more in memory for where it begins, which follows from the others.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/term_table.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::sparse {

// Of records in one superblock: a power of two, from 64 to 65536 (numbers inside fit 16 bits).
inline constexpr uint32_t kSuperblockRowsMin = 64;
inline constexpr uint32_t kSuperblockRowsMax = 65536;
inline constexpr uint32_t kSuperblocksMax = 65536;
inline bool IsSuperblockSize(uint32_t rows) {
    return rows >= kSuperblockRowsMin && rows <= kSuperblockRowsMax && (rows & (rows - 1)) == 0;
}
// Places of runs are counted in pairs of bytes and kept in 32 bits while a search runs.
inline constexpr uint64_t kPostingBytesMax = (uint64_t{1} << 33) - 2;

inline bool IsDenseRun(uint32_t count, uint32_t rows, bool flat) {
    return uint64_t{count} * (flat ? 16 : 4) >= rows;
}
inline uint32_t RunBytes(uint32_t count, uint32_t rows, bool flat) {
    const uint32_t dense = flat ? (rows + 7) / 8 : rows;
    const uint32_t listed = (flat ? 2 : 3) * count;
    return ((IsDenseRun(count, rows, flat) ? dense : listed) + 1) & ~uint32_t{1};
}

struct PostingLists {
    // Of rows that terms were found for. The same for every number of threads; those take
    // superblock by superblock. Memory beside the lists: 12 bytes a run, and 16 a term for each
    // thread that runs, which are no more than that comes to 8 bytes an entry. kLimit when there
    // are more rows, entries or postings than fit; kInterrupted.
    static Result<PostingLists> Build(const SparseRows& rows, const TermTable& terms,
                                      const std::vector<uint32_t>& terms_of_entries,
                                      uint32_t superblock_rows, int threads, Work* work);
    // kCorrupt unless every search is safe and finds what the runs say: all lengths, orders,
    // numbers and largest impacts. Also finds the places.
    Status Validate(size_t term_count);

    uint32_t superblocks() const { return (rows + superblock_rows - 1) / superblock_rows; }
    uint32_t RowsIn(uint32_t superblock) const {
        const uint32_t left = rows - superblock * superblock_rows;
        return left < superblock_rows ? left : superblock_rows;
    }
    uint64_t memory_bytes() const {
        return term_runs.size() * 4 + run_places.size() * 4 + run_superblocks.size() * 2 +
               run_lengths.size() * 2 + run_peaks.size() + postings.bytes();
    }

    uint32_t rows = 0;
    uint32_t superblock_rows = 4096;
    bool flat = false;                 // all impacts are 1, and not kept
    bool complete = true;              // every entry of the rows is there; else see prune_rows.h
    std::vector<uint32_t> term_runs;   // the first run of each term, and of the one after the last
    std::vector<uint32_t> run_places;  // in pairs of bytes; not kept in files; and the end
    std::vector<uint16_t> run_superblocks;
    std::vector<uint16_t> run_lengths;  // less one
    std::vector<uint8_t> run_peaks;
    Buffer postings;
};

}  // namespace quern::sparse
