// One search of one sparse index. SparseIndex::Search is the way in; this is how it goes.
//
// Superblocks are visited one by one. In each, the runs of the query's terms are added up in a
// window of sums, the terms with the most bound for their postings first. As soon as scoring the
// records that could still be among the best costs less than reading on, they are scored and the
// superblock is left; often there are none. A superblock that is read to its end leaves candidates
// with lower and upper bounds of their scores, and the best of these are scored at the end, when
// most have dropped out.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/record_walk.h"
#include "engine/sparse/search_plan.h"
#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sum_floor.h"

namespace quern::sparse {

// What a search needs beside the index, kept from one to the next. Confined.
class SearchSpace {
public:
    SearchSpace();
    SearchPlan plan;
    QueryMarks marks;
    std::vector<uint32_t> sums;                          // of the records of a superblock
    std::vector<uint32_t> picked;                        // records of a superblock
    std::vector<uint32_t> places;                        // in a row
    std::vector<std::pair<uint32_t, uint32_t>> order;    // bound, superblock
    std::vector<std::pair<uint32_t, uint32_t>> firsts;   // of these, the highest
    std::vector<std::pair<uint32_t, uint32_t>> pending;  // sum, position
    PlannedRuns runs;                                    // of the superblock that is visited
    PlannedRuns next_runs;                               // of the one after it
    SumFloor floor;
    WalkSpace walk;  // of approximate_index.h
};

class SparseSearch {
public:
    SparseSearch(const TermTable& terms, const PostingLists& lists, const ForwardCopy& forward,
                 const SearchOptions& options, const uint64_t* allowed, uint32_t source,
                 TopHits* hits, SearchSpace* space, SearchStats* stats)
        : terms_(terms),
          lists_(lists),
          forward_(forward),
          options_(options),
          allowed_(allowed),
          source_(source),
          hits_(*hits),
          space_(*space),
          stats_(*stats) {}
    Status Run(const SparseVector& query, Work* work);

private:
    void Prepare();
    Status VisitInOrder(Work* work);
    Status VisitByBound(Work* work);
    void SortByBound();
    // next: whose runs are fetched ahead.
    void Visit(uint32_t superblock, uint32_t next, bool may_cut);
    void Fetch(const PlannedRun& run) const;
    void FetchNext(uint32_t superblock);
    void Add(uint32_t superblock, const PlannedRun& run, uint32_t* sums);
    bool CutShort(uint32_t superblock, const uint32_t* sums, double still, double unread);
    uint32_t LeastOfWindow(const uint32_t* sums, uint32_t rows);
    void TakeCandidates(uint32_t superblock, const uint32_t* sums);
    // Whether scoring so many allowed records of a superblock costs less than reading its postings.
    bool IsScoredWhole(uint32_t allowed) const;
    bool IsAllScored() const;
    // The allowed records of a superblock, to SearchSpace::picked; returns how many.
    size_t PickAllowed(uint32_t superblock);
    void ScoreAllowed(uint32_t superblock);
    void ScorePicked(uint32_t superblock, size_t count);
    void ScorePending();
    // Of those that sums have ordered: scores the best. False: by few terms there are too few.
    bool ScoreBest();
    // Offers the record. Minus infinity when it is none of VisitByBound's.
    double Score(uint32_t position);
    Status VisitSigned(Work* work);
    // Whether it has scored as many as it may.
    bool AtEnd() {
        const bool end = stats_.scored - scored_before_ >= options_.scored_max;
        stats_.cut = stats_.cut || end;
        return end;
    }

    uint32_t AllowedIn(uint32_t superblock) const;
    const uint64_t* AllowedWords(uint32_t superblock) const;
    uint32_t PaddedRows(uint32_t superblock) const;
    // Sums below this cannot be among the best. Never 0.
    uint32_t LeastSum() const;
    // By how much a sum may exceed what it is compared with.
    uint32_t Looseness() const { return orders_ ? 0 : space_.plan.looseness(); }

    const TermTable& terms_;
    const PostingLists& lists_;
    const ForwardCopy& forward_;
    const SearchOptions& options_;
    const uint64_t* allowed_;
    uint32_t source_;
    TopHits& hits_;
    SearchSpace& space_;
    SearchStats& stats_;
    bool orders_ = false;      // sums bound no scores; the best by them are scored at the end
    size_t wanted_ = 0;        // records that are told apart by sums: k, or more when they order
    double score_cost_ = 100;  // of scoring one record, in postings read
    double match_cost_ = 100;  // likewise, of one of all that are allowed in a superblock
    double ask_share_ = 0;     // see Visit
    double score_least_ = 0;   // scores up to this are left to VisitSigned
    bool knows_lower_bounds_ = true;
    uint64_t scored_before_ = 0;
};

}  // namespace quern::sparse
