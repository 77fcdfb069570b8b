// The sparse index of one field of one segment: rows in, the best records of a query out. Nothing
// here knows files, keys or texts.
//
// It holds the rows twice: inverted, as impacts in 8 bits that bound every score from above
// (posting_lists.h), and forward, with their exact weights (forward_copy.h). A search adds up
// impacts to find the few records that can be among the best, and scores those exactly. So results
// are those of an exhaustive search in double precision, unless SearchOptions allow otherwise.
//
// Records are numbered as their rows were. Whoever wants near records near each other, which is
// what superblock bounds live on, orders the rows before (row_order.h).
//
// Thread rule: immutable after Build or Load; Search may run on many threads, each with a space of
// its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/sparse/forward_copy.h"
#include "engine/sparse/posting_lists.h"
#include "engine/sparse/prune_rows.h"
#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/top_hits.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct IndexOptions {
    uint32_t superblock_rows = 4096;
    // With any of it, searches may miss records, but for those along SearchPath::kForward. By the
    // chosen path, postings order records, and the best 2 k + 32 by them are scored; or all that
    // are allowed, where that costs no more.
    PruneOptions prune = {};
    // The forward copy has impacts where weights would take more than a byte; so scores are off by
    // ScoreError at the most.
    bool impacts = false;
    int threads = 1;  // that build; the index is the same whatever their number
};

// The arrays that an index is kept in. The numbers reach the file: do not change them.
enum class SparseArray : uint32_t {
    kHead = 0,
    kTermRuns = 1,
    kRunSuperblocks = 2,
    kRunLengths = 3,
    kRunPeaks = 4,
    kPostings = 5,
    kRowOffsets = 6,
    kRowTerms = 7,
    kRowWeights = 8,
};
inline constexpr size_t kSparseArrays = 9;

struct SparseArrayView {
    const char* data = nullptr;
    uint64_t items = 0;
    uint32_t item_bytes = 1;
};

enum class SearchPath : uint8_t {
    kChosen = 0,       // by cost, superblock by superblock
    kExhaustive = 1,   // every posting of the query's terms, in order: the floor
    kSuperblocks = 2,  // superblocks by bound, each added up whole
    kForward = 3,      // every allowed record is scored; no postings are read
    kLeftEarly = 4,    // superblocks by bound, each left as soon as that pays
};

struct SearchOptions {
    SearchPath path = SearchPath::kChosen;
    // Below 1 the search is approximate: what is still to come counts for this share of its bound.
    float bound_factor = 1.0f;
    // With bound_factor < 1: at least so many of the superblocks with the highest bounds are
    // opened.
    uint32_t superblocks_min = 0;
    // Approximate, if the query has more terms: records are ordered by so many, those with the most
    // bound, and only the best by these are scored, by all terms. 0: by all.
    uint32_t terms_max = 0;
    // A search that has scored so many records ends with what it has, which may not be the best.
    uint64_t scored_max = ~uint64_t{0};
};

// What a search did; added to, so that one object can count over many.
struct SearchStats {
    uint64_t superblocks = 0;  // that have a term of the query
    uint64_t opened = 0;
    uint64_t cut_short = 0;  // of those: left before all their postings were read
    uint64_t postings_read = 0;
    uint64_t scored = 0;  // exactly, from the forward copy
    bool cut = false;     // a search ended at its scored_max
    // A search went by postings of which some were left out, and may have missed records for that.
    bool pruned = false;
};

class SearchSpace;

class SparseIndex {
public:
    // rows: in normal form. Memory while it runs: the index, and 4 to 16 bytes an entry beside it,
    // the less the longer its runs.
    static Result<std::unique_ptr<SparseIndex>> Build(const SparseRows& rows,
                                                      const IndexOptions& options, Work* work);
    SparseArrayView Array(SparseArray array) const;
    // Takes over arrays that were read from a file and proves them. kCorrupt otherwise.
    static Result<std::unique_ptr<SparseIndex>> Load(size_t count, const std::string& head,
                                                     Buffer arrays[kSparseArrays]);

    size_t count() const { return lists_.rows; }
    // Whether some entries have no postings.
    bool pruned() const { return !lists_.complete; }
    // Whether the forward copy has impacts, so that scores may be off.
    bool rounded() const { return forward_.scales != nullptr; }
    // By how much those of this query may be; 0: not at all.
    double ScoreError(const SparseVector& query, SearchSpace* space) const;
    // Of the rows.
    uint64_t postings() const { return forward_.offsets.back(); }
    const TermTable& terms() const { return terms_; }
    const PostingLists& lists() const { return lists_; }
    const ForwardCopy& forward() const { return forward_; }
    // What searching needs, without and with the forward copy.
    uint64_t hot_bytes() const { return terms_.memory_bytes() + lists_.memory_bytes(); }
    uint64_t memory_bytes() const { return hot_bytes() + forward_.memory_bytes(); }

    // Offers the records that have a dimension in common with the query to `hits`, as `source`.
    // Those that could not enter may be left out. allowed: one bit for each record, NULL for all;
    // superblocks without an allowed record are not opened. stats may be NULL.
    Status Search(const SparseVector& query, const SearchOptions& options, const uint64_t* allowed,
                  uint32_t source, TopHits* hits, SearchSpace* space, SearchStats* stats,
                  Work* work) const;
    // scores[i]: of record positions[i], 0 when it has nothing in common with the query.
    void ScoreRows(const SparseVector& query, const uint32_t* positions, size_t count,
                   SearchSpace* space, double* scores) const;
    // The row of a record, as it was given (rounded: nearly so).
    SparseVector Row(uint32_t position) const;
    // Its dimensions, ascending.
    void DimensionsOf(uint32_t position, std::vector<uint32_t>* dimensions) const;

private:
    SparseIndex() = default;
    void EncodeHead();

    TermTable terms_;
    PostingLists lists_;
    ForwardCopy forward_;
    std::string head_;
};

}  // namespace quern::sparse
