// A graph over the records of a sparse index: a way to few results of large sets that touches far
// fewer of them than any lists do.
//
// Each record is linked to records like it, by the cosine of their heaviest entries. A search
// starts from the records with the largest weights in the query's heaviest terms ("heads"), or from
// what lists and blocks propose (proposal.h), and goes from the best record met so far to those
// linked to it. It keeps a pool of the best, until all of the pool, or as many of it as said, have
// been gone from. What it meets is scored by cut rows (slot_rows.h): the heaviest entries of a
// record, of a fixed number, weights in 8 bits. The pool is scored exactly from the forward copy at
// the end. So scores are exact, and only which records are met is not.
//
// (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
// hierarchical navigable small world graphs", 2016, for how links are chosen; there are no layers
// here, since heads are where a search begins.)
//
// An experiment: README.md has what it found. It lives in memory only. Thread rule: as for the
// index.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sparse_search.h"
#include "tests/bench/sparse/proposal.h"

namespace bench {

using namespace quern::sparse;

struct GraphOptions {
    uint32_t entries = 64;  // of a cut row
    uint32_t links = 24;    // of a record
    uint32_t pool = 48;     // of a search while the graph is made
    uint32_t heads = 16;    // of a term
    float spread = 1.0f;    // a link is left out when one that is kept is nearer to it than that
    bool by_cosine = true;  // what its searches follow; else the inner product, as queries do
    int threads = 1;
};

struct GraphEffort {
    uint32_t pool = 64;
    uint32_t reach = UINT32_MAX;  // of the pool, how many are gone from
    uint32_t terms = 6;           // whose heads a search begins with
    uint32_t heads = 16;          // of each
};

// The heaviest entries of each record, in slots. Weights are in steps of one size.
class CutRows {
public:
    void Build(const ForwardCopy& forward, uint32_t entries);
    const uint8_t* Row(uint32_t row) const {
        return reinterpret_cast<const uint8_t*>(rows_.data()) + size_t{row} * stride_;
    }
    uint32_t entries() const { return entries_; }
    void Fetch(uint32_t row) const {
        const uint8_t* const at = Row(row);
        for (uint32_t i = 0; i < stride_; i += 64) {
            __builtin_prefetch(at + i);
        }
    }
    uint64_t memory_bytes() const { return rows_.bytes(); }
    double step() const { return step_; }

private:
    uint32_t entries_ = 0;
    uint32_t stride_ = 0;
    quern::Buffer rows_;
    double step_ = 0;
};

// What a walk needs beside the graph, kept from one to the next. Confined.
struct WalkSpace {
    WalkSpace();
    struct Met {
        float score = 0;
        uint32_t row = 0;
        bool done = false;
    };
    std::vector<uint16_t> table;     // weight of the query by slot
    std::vector<uint16_t> in_table;  // slots that have one
    std::vector<uint64_t> visited;
    std::vector<uint32_t> visits;
    std::vector<uint32_t> fresh;
    std::vector<Met> pool;  // best first
    std::vector<std::pair<double, uint32_t>> order;
    std::vector<uint32_t> terms;
    std::vector<double> weights;
    uint64_t scored = 0;
    void ClearTable();
    void ClearVisits();
    // True the first time.
    bool Visit(uint32_t row) {
        uint64_t& word = visited[row / 64];
        const uint64_t bit = uint64_t{1} << (row % 64);
        if ((word & bit) != 0) {
            return false;
        }
        word |= bit;
        visits.push_back(row);
        return true;
    }
    // To its place in the pool; where that is, or pool_max when it is none.
    size_t Insert(float score, uint32_t row, size_t pool_max) {
        if (pool.size() == pool_max) {
            if (score <= pool.back().score) {
                return pool_max;
            }
            pool.pop_back();
        }
        const auto at = std::upper_bound(pool.begin(), pool.end(), score,
                                         [](float s, const Met& met) { return s > met.score; });
        const auto place = static_cast<size_t>(at - pool.begin());
        pool.insert(at, {score, row, false});
        return place;
    }
    double unit = 0;  // of scores of the table
};

class SparseGraph {
public:
    static quern::Result<std::unique_ptr<SparseGraph>> Build(const SparseIndex& index,
                                                             const GraphOptions& options,
                                                             quern::Work* work);
    // As SparseIndex::Search, approximately, all records allowed.
    void Search(const SparseIndex& index, const SparseVector& query, const GraphEffort& effort,
                uint32_t source, TopHits* hits, SearchSpace* space, WalkSpace* walk,
                SearchStats* stats) const;
    uint64_t memory_bytes() const {
        return cut_.memory_bytes() + links_.size() * 4 + heads_.size() * 4;
    }
    uint64_t link_bytes() const { return links_.size() * 4; }
    // Links and heads, to measure again without making them again.
    void Save(const std::string& path) const;
    // NULL when there is no such file, or of another number of records.
    static std::unique_ptr<SparseGraph> Load(const std::string& path, const SparseIndex& index,
                                             const GraphOptions& options);

    const CutRows& cut() const { return cut_; }
    // Lists and blocks (proposal.h) to begin with, in place of heads.
    void SearchAfterProposals(const SparseIndex& index, const SparseProposal& proposal,
                              const SparseVector& query, const GraphEffort& effort,
                              const ProposalEffort& proposal_effort, uint32_t source, TopHits* hits,
                              SearchSpace* space, ProposalSpace* own, WalkSpace* walk,
                              SearchStats* stats) const;

private:
    friend class GraphMaker;
    bool SetTable(const SparseIndex& index, const SparseVector& query, WalkSpace* walk) const;
    void Finish(const SparseIndex& index, uint32_t source, TopHits* hits, SearchSpace* space,
                WalkSpace* walk, SearchStats* stats) const;
    SparseGraph() = default;
    // Goes on from `pool` and `fresh`; scores are those of the table, times norms unless NULL.
    void Walk(WalkSpace* walk, uint32_t pool, uint32_t reach, const float* norms,
              const uint32_t* links, uint32_t stride) const;

    CutRows cut_;
    uint32_t count_ = 0;
    uint32_t degree_ = 0;
    std::vector<uint32_t> links_;  // degree_ for each record; UINT32_MAX: none
    uint32_t heads_max_ = 0;
    std::vector<uint32_t> heads_;  // heads_max_ of each term; UINT32_MAX: none
};

}  // namespace bench
