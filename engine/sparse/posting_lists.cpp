#include "engine/sparse/posting_lists.h"

#include <algorithm>

#include "engine/sparse/bad_sparse.h"

namespace quern::sparse {

namespace {

// Finds the runs: goes through the rows once and counts, superblock by superblock.
class RunCounter {
public:
    RunCounter(PostingLists* lists, size_t terms) : lists_(*lists), counts_(terms, 0) {}

    void Superblock(const uint32_t* entries, uint64_t count, uint32_t superblock) {
        touched_.clear();
        for (uint64_t i = 0; i < count; i++) {
            if (counts_[entries[i]]++ == 0) {
                touched_.push_back(entries[i]);
            }
        }
        for (const uint32_t term : touched_) {
            found_.push_back({term, superblock, counts_[term]});
            counts_[term] = 0;
        }
    }

    // Orders what was found by term. Superblocks came in order, so they stay in it.
    void Finish() {
        lists_.term_runs.assign(counts_.size() + 1, 0);
        for (const Found& run : found_) {
            lists_.term_runs[run.term + 1]++;
        }
        for (size_t term = 0; term < counts_.size(); term++) {
            lists_.term_runs[term + 1] += lists_.term_runs[term];
        }
        lists_.run_superblocks.resize(found_.size());
        lists_.run_lengths.resize(found_.size());
        lists_.run_peaks.assign(found_.size(), 0);
        std::vector<uint32_t> next(lists_.term_runs.begin(), lists_.term_runs.end() - 1);
        for (const Found& run : found_) {
            const uint32_t at = next[run.term]++;
            lists_.run_superblocks[at] = static_cast<uint16_t>(run.superblock);
            lists_.run_lengths[at] = static_cast<uint16_t>(run.count - 1);
        }
    }

private:
    struct Found {
        uint32_t term;
        uint32_t superblock;
        uint32_t count;
    };
    PostingLists& lists_;
    std::vector<uint32_t> counts_;
    std::vector<uint32_t> touched_;
    std::vector<Found> found_;
};

// Where the next posting of a term goes, while the runs are filled superblock by superblock.
struct Cursor {
    uint64_t place = 0;  // of the run
    uint32_t run = 0;
    uint32_t filled = 0;
};

}  // namespace

Result<PostingLists> PostingLists::Build(const SparseRows& rows, const TermTable& terms,
                                         const std::vector<uint32_t>& terms_of_entries,
                                         uint32_t superblock_rows, Work* work) {
    PostingLists lists;
    lists.rows = static_cast<uint32_t>(rows.count);
    lists.superblock_rows = superblock_rows;
    if (rows.count / superblock_rows >= kSuperblocksMax || rows.entries() > UINT32_MAX) {
        return Status::Error(Code::kLimit, "too many vectors for one sparse index");
    }
    const uint64_t base = rows.count == 0 ? 0 : rows.offsets[0];
    lists.flat =
        rows.entries() > 0 && std::all_of(rows.weights + base, rows.weights + base + rows.entries(),
                                          [](float weight) { return weight == 1.0f; });
    const uint32_t superblocks = lists.superblocks();
    const auto first_entry = [&](uint32_t superblock) {
        const uint64_t row = std::min<uint64_t>(uint64_t{superblock} * superblock_rows, rows.count);
        return rows.count == 0 ? 0 : rows.offsets[row] - base;
    };
    {
        RunCounter counter(&lists, terms.size());
        for (uint32_t s = 0; s < superblocks; s++) {
            const uint64_t first = first_entry(s);
            counter.Superblock(terms_of_entries.data() + first, first_entry(s + 1) - first, s);
            QUERN_TRY(work->Check("sparse index", s, 2 * uint64_t{superblocks}));
        }
        counter.Finish();
    }
    std::vector<Cursor> cursors(terms.size());
    lists.run_places.reserve(lists.run_lengths.size() + 1);
    uint64_t bytes = 0;
    for (size_t term = 0; term < terms.size(); term++) {
        cursors[term] = {bytes, lists.term_runs[term], 0};
        for (uint32_t run = lists.term_runs[term]; run < lists.term_runs[term + 1]; run++) {
            lists.run_places.push_back(static_cast<uint32_t>(bytes / 2));
            bytes += RunBytes(lists.run_lengths[run] + 1u, lists.RowsIn(lists.run_superblocks[run]),
                              lists.flat);
        }
    }
    lists.run_places.push_back(static_cast<uint32_t>(bytes / 2));
    if (bytes > kPostingBytesMax) {
        return Status::Error(Code::kLimit, "too many postings for one sparse index");
    }
    lists.postings = Buffer(bytes, nullptr);
    std::fill_n(lists.postings.data(), bytes, '\0');
    for (uint32_t s = 0; s < superblocks; s++) {
        const uint32_t in_it = lists.RowsIn(s);
        for (uint32_t id = 0; id < in_it; id++) {
            const uint64_t row = uint64_t{s} * superblock_rows + id;
            for (uint64_t i = rows.offsets[row] - base; i < rows.offsets[row + 1] - base; i++) {
                const uint32_t term = terms_of_entries[i];
                Cursor& cursor = cursors[term];
                const uint32_t count = lists.run_lengths[cursor.run] + 1u;
                const uint8_t impact = terms.Impact(term, rows.weights[base + i]);
                lists.run_peaks[cursor.run] = std::max(lists.run_peaks[cursor.run], impact);
                char* const run = lists.postings.data() + cursor.place;
                const bool dense = IsDenseRun(count, in_it, lists.flat);
                if (dense && lists.flat) {
                    run[id / 8] = static_cast<char>(run[id / 8] | 1 << (id % 8));
                } else if (dense) {
                    run[id] = static_cast<char>(impact);
                } else {
                    reinterpret_cast<uint16_t*>(run)[cursor.filled] = static_cast<uint16_t>(id);
                    if (!lists.flat) {
                        run[2 * count + cursor.filled] = static_cast<char>(impact);
                    }
                }
                if (++cursor.filled == count) {
                    cursor = {cursor.place + RunBytes(count, in_it, lists.flat), cursor.run + 1, 0};
                }
            }
        }
        QUERN_TRY(work->Check("sparse index", superblocks + s, 2 * uint64_t{superblocks}));
    }
    return lists;
}

namespace {

// The same without impacts.
bool FlatRunIsSound(const uint8_t* bytes, uint32_t count, uint32_t rows) {
    if (IsDenseRun(count, rows, true)) {
        uint32_t there = 0;
        uint32_t beyond = 0;
        for (uint32_t i = 0; i < RunBytes(count, rows, true) * 8; i++) {
            (i < rows ? there : beyond) += bytes[i / 8] >> (i % 8) & 1u;
        }
        return there == count && beyond == 0;
    }
    const auto* const ids = reinterpret_cast<const uint16_t*>(bytes);
    bool sound = ids[count - 1] < rows;
    for (uint32_t i = 1; i < count; i++) {
        sound = sound && ids[i - 1] < ids[i];
    }
    return sound;
}

// A run that is what its directory entry says. `at` has RunBytes bytes.
bool RunIsSound(const char* at, uint32_t count, uint32_t rows, uint8_t peak, bool flat) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(at);
    if (flat) {
        return peak == 1 && FlatRunIsSound(bytes, count, rows);
    }
    uint8_t most = 0;
    if (IsDenseRun(count, rows, false)) {
        uint32_t there = 0;
        for (uint32_t i = 0; i < rows; i++) {
            there += bytes[i] != 0 ? 1 : 0;
            most = std::max(most, bytes[i]);
        }
        return there == count && most == peak && (rows % 2 == 0 || bytes[rows] == 0);
    }
    const auto* const ids = reinterpret_cast<const uint16_t*>(at);
    bool sound = ids[count - 1] < rows;
    for (uint32_t i = 0; i < count; i++) {
        sound = sound && (i == 0 || ids[i - 1] < ids[i]) && bytes[2 * count + i] != 0;
        most = std::max(most, bytes[2 * count + i]);
    }
    return sound && most == peak && (count % 2 == 0 || bytes[3 * count] == 0);
}

}  // namespace

Status PostingLists::Validate(size_t term_count) {
    if (!IsSuperblockSize(superblock_rows) || rows / superblock_rows >= kSuperblocksMax) {
        return BadIndex("its superblocks have a wrong size");
    }
    const size_t runs = run_superblocks.size();
    if (term_runs.size() != term_count + 1 || run_lengths.size() != runs ||
        run_peaks.size() != runs || term_runs.front() != 0 || term_runs.back() != runs) {
        return BadIndex("its directory has a wrong size");
    }
    run_places.clear();
    run_places.reserve(runs + 1);
    uint64_t place = 0;
    for (size_t term = 0; term < term_count; term++) {
        if (term_runs[term] >= term_runs[term + 1] || term_runs[term + 1] > runs) {
            return BadIndex("a term without runs");
        }
        for (uint32_t run = term_runs[term]; run < term_runs[term + 1]; run++) {
            const uint32_t superblock = run_superblocks[run];
            if (superblock >= superblocks() ||
                (run > term_runs[term] && run_superblocks[run - 1] >= superblock)) {
                return BadIndex("its directory is out of order");
            }
            const uint32_t count = run_lengths[run] + 1u;
            const uint32_t in_it = RowsIn(superblock);
            const uint32_t bytes = RunBytes(count, in_it, flat);
            if (count > in_it || bytes > postings.bytes() - place ||
                !RunIsSound(postings.data() + place, count, in_it, run_peaks[run], flat)) {
                return BadIndex("a run is damaged");
            }
            run_places.push_back(static_cast<uint32_t>(place / 2));
            place += bytes;
        }
    }
    run_places.push_back(static_cast<uint32_t>(place / 2));
    if (place != postings.bytes() || place > kPostingBytesMax) {
        return BadIndex("its postings have a wrong size");
    }
    return {};
}

}  // namespace quern::sparse
