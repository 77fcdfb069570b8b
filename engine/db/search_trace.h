// What a search meant to do in each segment, and what it has done there: for whoever explains its
// result (result_explain.h).
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/db/search_budget.h"
#include "engine/db/search_tally.h"

namespace quern {

// How a segment, or the log, may be searched.
enum class SearchWay { kScan, kGraph, kCodes, kLists, kIndex, kMade };
inline constexpr size_t kSearchWays = 6;

// What a plan expects of one query, and the prices, in nanoseconds, that it goes by: constants, so
// that what they make of the rows that were scored in truth can be set beside the estimate.
struct PlanEstimate {
    static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    SearchWay way = SearchWay::kScan;
    double matches = 0;      // records that may be found
    double selectivity = 1;  // of the values of the field, the share that may be
    double scored = kNone;   // rows
    double refined = 0;      // of them again
    double recall = 1;
    std::array<double, kSearchWays> way_ns{};  // what each way would cost; 0: it was none
    // Of a row that is scored by a walk, a scan of codes, in a cell, by a scan of vectors; of one
    // that is measured again; and of a query before any row.
    double walk_ns = 0;
    double code_ns = 0;
    double cell_ns = 0;
    double scan_ns = 0;
    double refine_ns = 0;
    double query_ns = 0;
    double Price(const SearchCounts& counts, uint64_t queries) const {
        const uint64_t others = counts.walked + counts.coded + counts.in_cells;
        const auto rows = [](uint64_t count) { return static_cast<double>(count); };
        return rows(counts.walked) * walk_ns + rows(counts.coded) * code_ns +
               rows(counts.in_cells) * cell_ns +
               rows(counts.scored - std::min(counts.scored, others)) * scan_ns +
               rows(counts.refined) * refine_ns + rows(queries) * query_ns;
    }
};

// Sums over all searches and queries, estimates as well.
struct SegmentTrace {
    int64_t segment = 0;  // its id; 0: the log
    uint64_t records = 0;
    uint64_t queries = 0;
    double matches = 0;  // records that the filter lets through
    std::array<uint64_t, kSearchWays> planned{};
    std::array<uint64_t, kSearchWays> done{};
    double selectivity = 0;
    double expected_scored = 0;  // NaN: nobody has estimated
    double expected_refined = 0;
    double expected_ns = 0;
    std::array<double, kSearchWays> way_ns{};
    double least_recall = 1;
    SearchCounts counts;
    double priced_ns = 0;  // what was done, at the prices of the plan
    uint64_t passed_ns = 0;
    uint32_t left_out = 0;  // what had run out before all of it was looked at, for some query

    void Plan(const PlanEstimate& estimate, uint64_t of_queries);
    void Add(const SegmentTrace& other);
};

// Of a search and the searches that it is made of.
struct SearchTrace {
    std::string name;  // of a leg; empty: it has none
    std::string field;
    std::string kind;
    std::vector<SegmentTrace> segments;
    std::vector<SearchTrace> legs;
    std::vector<SearchTrace> candidates;  // at most one: the search for them
    std::vector<SearchTrace> feedback;    // likewise: the first of two searches
    // Of a leg, or of candidates; those of the whole are the result's.
    SearchCounts counts;
    uint64_t search_ns = 0;
    uint64_t refine_ns = 0;
    uint64_t lookup_ns = 0;
    uint64_t lists = 0;
    uint64_t hits = 0;
    uint64_t looked_up = 0;
    uint64_t measured = 0;  // candidates that were scored
    uint32_t left_out =
        0;                // of a leg, or of candidates: what its share of the budget has run out of
    BudgetLimits limits;  // of the whole

    void Add(const SegmentTrace& segment);
    // A segment, or the log, that the search has not come to.
    void LeaveOut(int64_t segment, uint64_t records, uint32_t spent);
    // What a leg, or a search for candidates, has cost.
    void TakeCosts(const SearchTally& tally);
    // Of the same search, once more.
    void Add(const SearchTrace& other);
    SearchTrace* Candidates();
    SearchTrace* Feedback();
};

// Sees what is counted while it lives, and leaves it in the trace, of a search that goes through
// its segments one by one.
class SegmentWatch {
public:
    // budget: NULL: none.
    SegmentWatch(const SearchCounts* counts, SearchTrace* trace, SearchBudget* budget,
                 int64_t segment, uint64_t records)
        : counts_(counts), trace_(trace), budget_(budget), before_(*counts), begin_(Clock::now()) {
        told.segment = segment;
        told.records = records;
        TakeNews();
        told.left_out = 0;
    }
    ~SegmentWatch();
    SegmentWatch(const SegmentWatch&) = delete;
    SegmentWatch& operator=(const SegmentWatch&) = delete;
    void Plan(const PlanEstimate& estimate, uint64_t queries) {
        estimate_ = estimate;
        told.Plan(estimate, queries);
    }
    void Done(SearchWay way, uint64_t queries) { told.done[static_cast<size_t>(way)] += queries; }
    // Since it began.
    uint64_t code_scans() const { return counts_->code_scans - before_.code_scans; }
    SegmentTrace told;

private:
    using Clock = std::chrono::steady_clock;
    void TakeNews() { told.left_out |= budget_ == nullptr ? 0 : budget_->TakeNews(); }

    const SearchCounts* counts_;
    SearchTrace* trace_;
    SearchBudget* budget_;
    SearchCounts before_;
    Clock::time_point begin_;
    PlanEstimate estimate_;
};

}  // namespace quern
