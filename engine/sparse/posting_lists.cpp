#include "engine/sparse/posting_lists.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include "engine/sparse/bad_sparse.h"
#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

constexpr uint64_t kEntriesOfThreadMin = uint64_t{1} << 15;

// A run while lists are built: of which term, and where it stands in the directory.
struct FoundRun {
    uint32_t term = 0;
    uint32_t count = 0;
    uint32_t run = 0;
};

// Where the next posting of a term goes while a superblock is filled.
struct RunCursor {
    char* to = nullptr;   // the run's first byte
    uint16_t count = 0;   // of a run that is not dense
    uint16_t filled = 0;  // likewise
    uint8_t peak = 0;
    bool dense = false;
};

// Builds lists in two passes over the rows: the first finds the runs, which tells where each one
// goes, the second fills them. In both a superblock needs nothing of the others.
class ListsBuilder {
public:
    ListsBuilder(const SparseRows& rows, const TermTable& terms,
                 const std::vector<uint32_t>& terms_of_entries, int threads, PostingLists* lists,
                 Work* work)
        : rows_(rows),
          base_(rows.count == 0 ? 0 : rows.offsets[0]),
          terms_(terms),
          terms_of_entries_(terms_of_entries),
          threads_(ThreadsFor(threads, rows.entries(), terms.size())),
          lists_(*lists),
          found_(lists->superblocks()),
          work_(work) {}

    Status Run() {
        QUERN_TRY(OnSuperblocks([this](Space* space, uint32_t s) { Count(space, s); }));
        QUERN_TRY(PlaceRuns());
        QUERN_TRY(OnSuperblocks([this](Space* space, uint32_t s) { Fill(space, s); }));
        return {};
    }

private:
    // Of one thread: by term.
    struct Space {
        std::vector<uint32_t> counts;
        std::vector<RunCursor> cursors;
    };

    static int ThreadsFor(int threads, uint64_t entries, size_t terms) {
        const uint64_t by_work = entries / kEntriesOfThreadMin;
        // What a thread has by term takes no more for all than 8 bytes an entry.
        const uint64_t by_memory = entries * 8 / (sizeof(RunCursor) * std::max<size_t>(terms, 1));
        const uint64_t most = std::max<uint64_t>(std::min(by_work, by_memory), 1);
        return static_cast<int>(
            std::min<uint64_t>(most, static_cast<uint64_t>(std::max(threads, 1))));
    }

    uint64_t FirstEntry(uint32_t superblock) const {
        const uint64_t row = uint64_t{superblock} * lists_.superblock_rows;
        return rows_.count == 0 ? 0 : rows_.offsets[std::min<uint64_t>(row, rows_.count)] - base_;
    }

    Status OnSuperblocks(const std::function<void(Space*, uint32_t)>& body) {
        const uint32_t superblocks = lists_.superblocks();
        std::atomic<uint32_t> next{0};
        return RunOnThreads(threads_, [&](int) -> Status {
            Space space;
            for (uint32_t s = next++; s < superblocks; s = next++) {
                body(&space, s);
                QUERN_TRY(work_->Check("sparse index", ++done_, 2 * uint64_t{superblocks}));
            }
            return {};
        });
    }

    void Count(Space* space, uint32_t superblock) {
        space->counts.resize(terms_.size());
        const uint64_t end = FirstEntry(superblock + 1);
        std::vector<FoundRun>& found = found_[superblock];
        for (uint64_t i = FirstEntry(superblock); i < end; i++) {
            const uint32_t term = terms_of_entries_[i];
            if (space->counts[term]++ == 0) {
                found.push_back({term, 0, 0});
            }
        }
        for (FoundRun& run : found) {
            run.count = std::exchange(space->counts[run.term], 0);
        }
    }

    // Orders what was found by term. Superblocks come in order, so they stay in it.
    Status PlaceRuns() {
        lists_.term_runs.assign(terms_.size() + 1, 0);
        for (const std::vector<FoundRun>& found : found_) {
            for (const FoundRun& run : found) {
                lists_.term_runs[run.term + 1]++;
            }
        }
        for (size_t term = 0; term < terms_.size(); term++) {
            lists_.term_runs[term + 1] += lists_.term_runs[term];
        }
        const size_t runs = lists_.term_runs.back();
        lists_.run_superblocks.resize(runs);
        lists_.run_lengths.resize(runs);
        lists_.run_peaks.assign(runs, 0);
        std::vector<uint32_t> next(lists_.term_runs.begin(), lists_.term_runs.end() - 1);
        for (uint32_t superblock = 0; superblock < found_.size(); superblock++) {
            for (FoundRun& run : found_[superblock]) {
                run.run = next[run.term]++;
                lists_.run_superblocks[run.run] = static_cast<uint16_t>(superblock);
                lists_.run_lengths[run.run] = static_cast<uint16_t>(run.count - 1);
            }
        }
        lists_.run_places.reserve(runs + 1);
        uint64_t bytes = 0;
        for (size_t run = 0; run < runs; run++) {
            lists_.run_places.push_back(static_cast<uint32_t>(bytes / 2));
            bytes += RunBytes(lists_.run_lengths[run] + 1u,
                              lists_.RowsIn(lists_.run_superblocks[run]), lists_.flat);
        }
        lists_.run_places.push_back(static_cast<uint32_t>(bytes / 2));
        if (bytes > kPostingBytesMax) {
            return Status::Error(Code::kLimit, "too many postings for one sparse index");
        }
        lists_.postings = Buffer(bytes, nullptr);
        return {};
    }

    void Fill(Space* space, uint32_t superblock) {
        space->cursors.resize(terms_.size());
        const uint32_t in_it = lists_.RowsIn(superblock);
        for (const FoundRun& run : found_[superblock]) {
            char* const to = lists_.postings.data() + uint64_t{lists_.run_places[run.run]} * 2;
            const bool dense = IsDenseRun(run.count, in_it, lists_.flat);
            const auto count = static_cast<uint16_t>(dense ? 0 : run.count);
            space->cursors[run.term] = {to, count, 0, 0, dense};
            std::fill_n(to, RunBytes(run.count, in_it, lists_.flat), '\0');
        }
        for (uint32_t id = 0; id < in_it; id++) {
            const uint64_t row = uint64_t{superblock} * lists_.superblock_rows + id;
            for (uint64_t i = rows_.offsets[row] - base_; i < rows_.offsets[row + 1] - base_; i++) {
                const uint32_t term = terms_of_entries_[i];
                Put(id, terms_.Impact(term, rows_.weights[base_ + i]), &space->cursors[term]);
            }
        }
        for (const FoundRun& run : found_[superblock]) {
            lists_.run_peaks[run.run] = space->cursors[run.term].peak;
        }
        std::vector<FoundRun>().swap(found_[superblock]);
    }

    void Put(uint32_t id, uint8_t impact, RunCursor* cursor) const {
        cursor->peak = std::max(cursor->peak, impact);
        char* const to = cursor->to;
        if (cursor->dense && lists_.flat) {
            to[id / 8] = static_cast<char>(to[id / 8] | 1 << (id % 8));
        } else if (cursor->dense) {
            to[id] = static_cast<char>(impact);
        } else {
            reinterpret_cast<uint16_t*>(to)[cursor->filled] = static_cast<uint16_t>(id);
            if (!lists_.flat) {
                to[2 * cursor->count + cursor->filled] = static_cast<char>(impact);
            }
            cursor->filled++;
        }
    }

    const SparseRows& rows_;
    const uint64_t base_;
    const TermTable& terms_;
    const std::vector<uint32_t>& terms_of_entries_;
    const int threads_;
    PostingLists& lists_;
    std::vector<std::vector<FoundRun>> found_;  // in each superblock
    std::atomic<uint64_t> done_{0};
    Work* work_;
};

}  // namespace

Result<PostingLists> PostingLists::Build(const SparseRows& rows, const TermTable& terms,
                                         const std::vector<uint32_t>& terms_of_entries,
                                         uint32_t superblock_rows, int threads, Work* work) {
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
    QUERN_TRY(ListsBuilder(rows, terms, terms_of_entries, threads, &lists, work).Run());
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
