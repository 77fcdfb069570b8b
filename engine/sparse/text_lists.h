// The inverted side of a text index: which records have a term, and how often.
//
// Records are numbered in the order of their rows and grouped into superblocks of kTextBlockRows.
// What a term has in one is a run: a u16 number inside the superblock and a u8 count of
// occurrences for each record. Counts from 255 on stand in a table of their own. For each run the
// largest count and the least length of its records are kept: with them every impact of the run is
// bounded, whatever k1, b and the mean length are when a query comes (text_score.h).
//
// Why not the 8-bit impacts of posting_lists.h: a weight of BM25 moves with the mean length of all
// live records, so that impacts of today would have to be loosened with each commit, and scores
// need the count anyway. Counts in a byte take the same room as impacts, and are exact.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace quern::sparse {

inline constexpr uint32_t kTextBlockRows = 2048;
inline constexpr uint32_t kTextRowsMax = kTextBlockRows * 65536;
inline constexpr uint8_t kManyOccurrences = 255;

struct TextPosting {
    uint32_t row = 0;
    uint32_t occurrences = 0;
};

struct TextLists {
    // Appends to the list of the newest term: rows ascend. lengths: of all records.
    void BeginTerm() { term_runs.push_back(static_cast<uint32_t>(run_blocks.size())); }
    void Append(TextPosting posting, const std::vector<uint32_t>& lengths);
    // After the last posting of the last term.
    void Finish();

    size_t terms() const { return term_runs.empty() ? 0 : term_runs.size() - 1; }
    uint64_t postings() const { return rows_in_block.size(); }
    uint32_t Count(uint32_t term) const {
        return run_begins[term_runs[term + 1]] - run_begins[term_runs[term]];
    }
    uint32_t Occurrences(uint32_t posting) const {
        return occurrences[posting] < kManyOccurrences ? occurrences[posting] : Many(posting);
    }
    uint32_t Many(uint32_t posting) const;
    std::vector<TextPosting> List(uint32_t term) const;
    uint64_t memory_bytes() const {
        return term_runs.size() * 4 + run_begins.size() * 4 + run_blocks.size() * 2 +
               run_lengths.size() * 2 + run_peaks.size() + rows_in_block.size() * 2 +
               occurrences.size() + many.size() * sizeof(many[0]);
    }

    std::vector<uint32_t> term_runs;    // the first run of each term, and the end
    std::vector<uint32_t> run_begins;   // the first posting of each run, and the end
    std::vector<uint16_t> run_blocks;   // its superblock
    std::vector<uint16_t> run_lengths;  // the least length of its records; 65535: or more
    std::vector<uint8_t> run_peaks;     // the largest count; 255: or more
    std::vector<uint16_t> rows_in_block;
    std::vector<uint8_t> occurrences;
    std::vector<std::pair<uint32_t, uint32_t>> many;  // (posting, occurrences), ascending
};

}  // namespace quern::sparse
