// A quicker way to few results of many records than bounds, at the price of some of them: the lists
// of a query's heaviest terms propose records (heavy_lists.h), and from the best of these a walk
// goes on to records like them (record_links.h). What is met is scored by cut rows (cut_rows.h);
// the best are scored exactly from the forward copy. So scores are exact, and only which records
// are met is not.
//
// It is made of an index and searched with it. Searches that it does not serve, with weights that
// take away, with many results or few allowed records, are left to the index. `pool` is the one
// knob: how many of the best are kept to go on from and to score exactly; lists are taken of 2 +
// pool / 12 terms. What recall it gives is on a curve that is measured when the index is built.
//
// Thread rule: as for the index.
#pragma once

#include <memory>

#include "engine/sparse/heavy_lists.h"
#include "engine/sparse/pool_curve.h"
#include "engine/sparse/record_links.h"
#include "engine/sparse/sparse_index.h"

namespace quern::sparse {

struct ApproximateOptions {
    HeavyListOptions lists;
    LinkOptions links;
    // For an index of so many records.
    static ApproximateOptions For(size_t records, int threads);
};

// The arrays that it is kept in. The numbers reach the file: do not change them.
enum class ApproximateArray : uint32_t {
    kHead = 0,
    kTermBlocks = 1,
    kBlockMembers = 2,
    kMembers = 3,
    kListTerms = 4,
    kSummaryTerms = 5,
    kSummaryFirst = 6,
    kSummaryBlocks = 7,
    kSummaryLevels = 8,
    kLinks = 9,
    kCurve = 10,  // none in files of before there was one
};
inline constexpr size_t kApproximateArrays = 11;

class ApproximateIndex {
public:
    static Result<std::unique_ptr<ApproximateIndex>> Build(const SparseIndex& index,
                                                           const ApproximateOptions& options,
                                                           Work* work);
    SparseArrayView Array(ApproximateArray array) const;
    // Takes arrays that were read from a file and proves them. kCorrupt otherwise.
    static Result<std::unique_ptr<ApproximateIndex>> Load(const SparseIndex& index,
                                                          const Buffer arrays[kApproximateArrays],
                                                          int threads);

    // As SparseIndex::Search. False, with nothing offered, when it does not serve this search.
    Result<bool> Search(const SparseIndex& index, const SparseVector& query, size_t pool,
                        const uint64_t* allowed, uint32_t source, TopHits* hits, SearchSpace* space,
                        SearchStats* stats, Work* work) const;
    // The same as if some records were not there, neither to be found nor to be gone from: for
    // queries that are made of them.
    Result<bool> SearchHidden(const SparseIndex& index, const SparseVector& query, size_t pool,
                              const std::vector<uint32_t>& hidden, TopHits* hits,
                              SearchSpace* space, SearchStats* stats, Work* work) const;

    // What pools give. Empty: not known.
    const PoolCurve& curve() const { return curve_; }
    const HeavyLists& lists() const { return lists_; }
    const CutRows& cut() const { return cut_; }
    // degree() of each record, as record_links.h has them.
    const std::vector<uint32_t>& links() const { return links_; }
    uint32_t degree() const { return degree_; }
    uint64_t memory_bytes() const {
        return lists_.memory_bytes() + links_.size() * 4 + cut_.memory_bytes();
    }

private:
    ApproximateIndex() = default;
    void EncodeHead();
    // A search of the whole index, or of a part of it.
    struct Scope {
        const uint64_t* allowed = nullptr;
        uint32_t source = 0;
        const std::vector<uint32_t>* hidden = nullptr;
    };
    Result<bool> SearchIn(const SparseIndex& index, const SparseVector& query, size_t pool,
                          const Scope& scope, TopHits* hits, SearchSpace* space, SearchStats* stats,
                          Work* work) const;
    bool TakeQuery(const TermTable& terms, const SparseVector& query, WalkSpace* walk) const;
    void Propose(double known, size_t terms_max, size_t k, size_t pool, SearchSpace* space) const;

    HeavyLists lists_;
    uint32_t degree_ = 0;
    std::vector<uint32_t> links_;  // degree_ of each record
    CutRows cut_;
    PoolCurve curve_;
    std::string head_;
    std::string curve_bytes_;
};

}  // namespace quern::sparse
