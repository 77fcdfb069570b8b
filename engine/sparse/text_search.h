// The search for a text query over the text indexes of a collection: the exact best k by BM25.
//
// PreparedText finds each clause's records in each source (a segment, or a part of the log that was
// indexed), counts the live ones, and so knows the weights; then sources are searched one after the
// other with one TopHits, which shares the threshold.
//
// A search goes through superblocks from the one with the highest bound on, adds up scores clause
// by clause in double precision, and ends when no bound reaches the k-th best score. So the sums
// are the scores of text_score.h bit for bit.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/sparse/text_index.h"
#include "engine/sparse/text_query.h"
#include "engine/sparse/text_score.h"
#include "engine/sparse/top_hits.h"

namespace quern::sparse {

struct TextSource {
    const TextIndex* index = nullptr;
    const uint64_t* live = nullptr;  // one bit for each record; NULL: all live
};

// Records that have any of a query's words, in the blocks that were opened.
struct TextEffort {
    uint64_t scored_max = ~uint64_t{0};  // a search ends with the block that reaches it
    uint64_t scored = 0;                 // added to
    bool cut = false;                    // it did
    uint64_t blocks = 0;                 // added to: superblocks with any of the query's words,
    uint64_t opened = 0;                 // those that bounds did not spare, and
    uint64_t postings = 0;               // what these have
};

// What a clause adds to the score of a record.
struct TextPart {
    size_t clause = 0;         // of the query, in its order
    double weight = 0;         // of the clause: boost and idf
    uint32_t occurrences = 0;  // in the record
    double impact = 0;         // of these, at the record's length
};

// Borrows the sources. Confined.
class PreparedText {
public:
    // kInvalid: a phrase where no positions are kept. live: of the whole collection, as the
    // sources' TextIndex::Statistics add up to.
    static Result<std::unique_ptr<PreparedText>> Prepare(const TextQuery& query,
                                                         std::vector<TextSource> sources,
                                                         const TextStatistics& live,
                                                         const Bm25Options& options, Work* work);
    // Offers the matching live records of a source to `hits`. allowed: one bit for each record,
    // NULL: all; records that are not live are never offered.
    // effort: NULL, or what may be scored, and what was. When work stops it, `hits` has what was
    // found so far.
    Status Search(uint32_t source, const uint64_t* allowed, TopHits* hits, Work* work,
                  TextEffort* effort = nullptr) const;
    // The scores of some records of a source, those of Search to the bit; NaN where it does not
    // find one. Cost: a look into each clause's list for each record.
    void ScoreRows(uint32_t source, const uint32_t* rows, size_t count, double* scores) const;
    // What the score of one record is made of: added up in order, weight times impact is the score
    // to the bit. Empty where it has none.
    std::vector<TextPart> Parts(uint32_t source, uint32_t row) const;
    // Of a clause of the query, in its order: how many live records have it, over all sources.
    uint64_t Frequency(size_t clause) const { return frequencies_[clause]; }

private:
    // A clause's records in one source: a list of its index, or of its own when it was made up.
    struct ClauseList {
        const TextLists* lists = nullptr;  // NULL: no record
        uint32_t term = 0;
        std::unique_ptr<TextLists> own;
    };
    PreparedText(std::vector<TextSource> sources, const Bm25& bm25)
        : sources_(std::move(sources)), bm25_(bm25) {}
    static std::optional<uint32_t> PostingOf(const ClauseList& list, uint32_t row);
    static Result<ClauseList> Find(const TextClause& clause, const TextIndex& index, Work* work);
    std::vector<uint64_t> Admitted(uint32_t source, const uint64_t* allowed) const;
    std::vector<double> Bounds(uint32_t source) const;
    // How many postings it has added up.
    uint64_t AddBlock(uint32_t source, uint32_t block, double* sums) const;

    std::vector<TextSource> sources_;
    Bm25 bm25_;
    std::vector<TextOccur> occurs_;
    std::vector<double> weights_;  // 0 for clauses that must not be there
    std::vector<uint64_t> frequencies_;
    std::vector<std::vector<ClauseList>> lists_;  // of each source, of each clause
};

}  // namespace quern::sparse
