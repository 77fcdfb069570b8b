// Proposals: a third way into a sparse index, for few results. The heaviest records of each term
// stand in blocks of similar ones, and each block has a summary, the largest weights of its
// records. A search goes through the lists of the query's heaviest terms, leaves out the blocks
// whose summaries promise too little, and scores all other records from the forward copy. So scores
// are exact, and only which records are met is not: the search is approximate.
//
// (Bruch and others, "Efficient inverted indexes for approximate retrieval over learned sparse
// representations", SIGIR 2024. Blocks there are found by clustering each list; here they are cut
// from the list in order of position, as rows near each other are alike after reordering.)
//
// What it finds may also only start an exact search: the k-th best of it is a threshold that the
// first superblock has already (Threshold).
//
// Records under a mask are left out one by one. When fewer than wanted are found, or where weights
// take away, which summaries do not bound, the index is searched exactly instead: results are never
// fewer than there are.
//
// An experiment: README.md has what it found. It lives in memory only. Thread rule: as for the
// index.
#pragma once

#include <memory>
#include <vector>

#include "engine/sparse/sparse_index.h"

namespace bench {

using namespace quern::sparse;

struct ProposalOptions {
    double postings_share = 0.15;  // of all postings, the heaviest, that stand in lists
    uint32_t list_max = 4000;      // records in one list
    uint32_t block_rows = 10;      // records in one block
    double summary_share = 0.5;    // of the mass of a block that its summary keeps
    int threads = 1;
};

struct ProposalEffort {
    uint32_t terms = 8;   // of the query, the heaviest, whose lists are gone through
    float factor = 0.9f;  // blocks are left out below this share of the k-th best score
};

// What a search needs beside a SearchSpace, kept from one to the next. Confined.
struct ProposalSpace {
    std::vector<uint64_t> visited;  // a bit for each record
    std::vector<uint32_t> met;      // the bits that are set
    std::vector<uint32_t> terms;
    std::vector<double> weights;
    std::vector<uint32_t> units;  // the weights as whole numbers
    double unit = 0;
    std::vector<std::pair<double, uint32_t>> order;     // weight, term
    std::vector<std::pair<uint32_t, uint32_t>> blocks;  // promise in units, block
};

class CutRows;
struct WalkSpace;

class SparseProposal {
public:
    // The same for every number of threads.
    static quern::Result<std::unique_ptr<SparseProposal>> Build(const SparseIndex& index,
                                                                const ProposalOptions& options,
                                                                quern::Work* work);
    // As SparseIndex::Search, approximately. index: the one that it was built of.
    quern::Status Search(const SparseIndex& index, const SparseVector& query,
                         const ProposalEffort& effort, const uint64_t* allowed, uint32_t source,
                         TopHits* hits, SearchSpace* space, ProposalSpace* own, SearchStats* stats,
                         quern::Work* work) const;
    // The best by their cut rows (sparse_graph.h), to the pool of a walk. k: results wanted, which
    // decide what is passed over.
    void Fill(const SparseIndex& index, const SparseVector& query, const ProposalEffort& effort,
              const CutRows& cut, size_t pool, size_t k, SearchSpace* space, ProposalSpace* own,
              WalkSpace* walk) const;
    // A score that at least k allowed records of the index reach; minus infinity when none is
    // known.
    double Threshold(const SparseIndex& index, const SparseVector& query,
                     const ProposalEffort& effort, const uint64_t* allowed, size_t k,
                     SearchSpace* space, ProposalSpace* own, SearchStats* stats) const;

    uint64_t postings() const { return members_.size(); }
    size_t blocks() const { return block_members_.size() - 1; }
    uint64_t memory_bytes() const;

private:
    SparseProposal() = default;
    // Sums of the promises of a list's blocks, in units; how many sums there are.
    size_t AddSummaries(uint32_t term, const ProposalSpace& own, std::vector<uint32_t>* sums) const;
    bool Propose(const SparseIndex& index, const SparseVector& query, const ProposalEffort& effort,
                 const uint64_t* allowed, double known, TopHits* found, SearchSpace* space,
                 ProposalSpace* own, SearchStats* stats) const;

    std::vector<uint32_t> term_blocks_;    // the first block of each term; and the end
    std::vector<uint32_t> block_members_;  // the first member of each block; and the end
    std::vector<uint32_t> members_;        // positions
    // Summaries stand by list and term: list_terms_ has where a list's terms begin, summary_first_
    // where the entries of one of them begin.
    std::vector<uint32_t> list_terms_;
    std::vector<uint32_t> summary_terms_;   // ascending in each list
    std::vector<uint32_t> summary_first_;   // and the end
    std::vector<uint16_t> summary_blocks_;  // number in the list
    std::vector<uint8_t> summary_levels_;   // weight in steps, rounded up
    float step_ = 0;
};

}  // namespace bench
