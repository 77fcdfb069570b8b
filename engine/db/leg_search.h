// One leg of a query with several: its searches, for all queries at first and for one of them where
// its list has to be longer.
#pragma once

#include <cmath>

#include "engine/db/candidate_search.h"
#include "engine/db/leg_guide.h"
#include "engine/query/fused_search.h"

namespace quern {

// What a leg and its guide make of a fused score, where that is a sum of their scores alone: what
// the guide's hits have is then a threshold for all that this leg may find beside them.
struct GuideShare {
    size_t k = 0;  // of the fused result; 0: nothing follows
    double weight = 1;
    double guide_weight = 1;
    double absent = 0;
    double guide_absent = 0;
};

// With what all queries of the leg have in common. Borrows everything.
class LegSearch {
public:
    LegSearch(Database* database, Snapshot* snapshot, const SearchedViews& views,
              const SearchLeg& leg, size_t depth, size_t ahead, ResultTable* table);
    // Records that look for themselves in any leg, by their numbers and for each query: they are in
    // no list, and others have their places there. most: of one query, known before its records
    // are. Before Start; the records, which are borrowed, before the first look.
    void LeaveOut(const std::vector<std::vector<uint64_t>>* records, size_t most) {
        left_out_ = records;
        spare_ = most;
    }
    // Only these may be found.
    Status StayAmong(const std::shared_ptr<const CandidateSets>& candidates);
    // Looks where that leg's hits are, too; it outlives this one. Before the first look.
    void GuideBy(LegSearch* guide, const GuideShare& share) {
        guided_by_ = guide;
        share_ = share;
    }
    // Searches for all queries at once.
    Status Start();
    size_t query_count() const { return search_->query_count(); }
    // Its searches have a share of what is left of the budget when the first of them begins: as
    // much as each of the legs that are still to begin.
    void TakeShare(SearchBudget* of, size_t* legs_left) {
        budget_ = of;
        legs_left_ = legs_left;
    }
    std::span<const RecordPlace> SelvesOf(size_t q) const { return search_->SelvesOf(q); }
    size_t first_depth() const { return first_depth_; }
    size_t depth() const { return depth_; }
    Result<query::LegList> Best(size_t q, size_t depth);
    Status ScoresOf(size_t q, const std::vector<uint64_t>& records, std::vector<double>* scores);
    // What its searches have cost, and all looks.
    SearchTally Cost() const;
    // And how they went.
    SearchTrace Trace() const;
    // What Best and ScoresOf have taken.
    uint64_t passed_ns() const { return best_ns_ + own_.tally.lookup_ns; }

private:
    void BeginShare();
    Status FindAll();
    Status TakeGuide();
    Status Narrow(size_t q, LegGuide::OfQuery* guide);
    // Whether its search for a query left out what the guide's threshold excludes.
    bool IsNarrow(size_t q) const {
        return q < guide_.of_queries.size() && !std::isinf(guide_.of_queries[q].farthest);
    }
    Result<query::LegList> MakeBest(size_t q, size_t depth);
    // Whether its search for a query came to no end.
    bool IsPartial(size_t q) const {
        return request_.budget != nullptr && request_.budget->LeftOutOf(q);
    }
    uint32_t FlagsOf(size_t q) const;
    size_t MovedDim() const;
    void TakeLeftOut(size_t q, std::vector<Winner>* winners) const;
    Status Settle(size_t q, size_t depth, std::vector<Winner>* winners, bool* ended);
    query::LegList ListOf(const std::vector<Winner>& winners, bool ended, uint32_t flags) const;
    Result<query::LegList> Beginning(size_t q, size_t depth);
    void Told(const ResultTable& table);

    Database* database_;
    Snapshot* snapshot_;
    const SearchedViews& views_;
    SearchRequest request_;
    size_t first_depth_;  // of the list that counts as the first
    size_t depth_;        // of the list that is made first
    ResultTable* table_;
    ResultTable own_;     // flags and tally of the first search
    SearchTally deeper_;  // of those after it
    SearchTrace deeper_trace_;
    std::unique_ptr<FieldSearch> search_;
    std::vector<std::vector<Winner>> winners_;
    std::vector<uint8_t> ended_;  // of each query: the leg matches nothing else
    const std::vector<std::vector<uint64_t>>* left_out_ = nullptr;
    size_t spare_ = 0;  // hits that are asked for in the place of those
    bool found_all_ = false;
    bool among_ = false;  // candidates: winners_ has all that can be found
    LegSearch* guided_by_ = nullptr;
    GuideShare share_;
    LegGuide guide_;
    uint64_t best_ns_ = 0;
    SearchBudget* budget_ = nullptr;
    size_t* legs_left_ = nullptr;
};

// A leg for one of the queries.
class QueryLeg : public query::Leg {
public:
    QueryLeg(LegSearch* search, size_t q) : search_(search), q_(q) {}
    Result<query::LegList> Best(size_t depth) override { return search_->Best(q_, depth); }
    Status ScoresOf(const std::vector<uint64_t>& records, std::vector<double>* scores) override {
        return search_->ScoresOf(q_, records, scores);
    }

private:
    LegSearch* search_;
    size_t q_;
};

}  // namespace quern
