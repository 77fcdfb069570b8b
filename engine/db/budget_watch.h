// A search's side of its budget, if it has one.
#pragma once

#include "engine/db/database.h"

namespace quern {

class BudgetWatch {
public:
    explicit BudgetWatch(Database* database) : timed_(database->NewWork()) {}

    // When the search begins; what is loaded for it before is not cut short.
    void Start(const SearchRequest& request, size_t queries) {
        budget_ = request.budget.get();
        queries_ = queries;
        if (budget_ != nullptr) {
            budget_->Reserve(queries);
            budget_->Time(&timed_);
        }
    }
    SearchBudget* budget() const { return budget_; }
    // Whether a search of this view ends before its segment `next` (behind the last: the log), or,
    // since others have spent all that may be read, before it begins. The trace is told what is
    // left out.
    bool EndsBefore(const CollectionView& view, size_t next, SearchTrace* trace) {
        const bool done = next >= view.segments.size() && view.log->count == 0;
        if (budget_ == nullptr || done || !(next == 0 ? EndsAtOnce() : Ends())) {
            return false;
        }
        const uint32_t spent = budget_->TakeNews();
        for (size_t s = next; s < view.segments.size(); s++) {
            const Segment& segment = *view.segments[s];
            trace->LeaveOut(segment.info().id, segment.item_count(), spent);
        }
        if (view.log->count > 0) {
            trace->LeaveOut(0, view.log->count, spent);
        }
        return true;
    }
    bool has_scored_max() const { return budget_ != nullptr && budget_->has_scored_max(); }
    uint64_t ScoredLeft(size_t query) const {
        return budget_ == nullptr ? SearchBudget::kNoBound : budget_->ScoredLeft(query);
    }
    uint64_t BytesLeft() const {
        return budget_ == nullptr ? SearchBudget::kNoBound : budget_->BytesLeft();
    }
    // Whether what is left is left out of all queries. It is left out of those that have measured
    // all they may in any case, whatever the others still have.
    bool Ends() {
        for (size_t q = 0; has_scored_max() && q < queries_; q++) {
            LeftOut(ScoredLeft(q) == 0 ? kSpentScored : 0, q);
        }
        const uint32_t spent = budget_ == nullptr ? 0 : budget_->Spent();
        if (spent != 0) {
            budget_->LeftOut(spent);
        }
        return spent != 0;
    }
    // Time or bytes alone: how much of a source each query may look at is known before.
    bool EndsPiece() {
        const uint32_t spent = budget_ == nullptr ? 0
                                                  : (budget_->Late() ? kSpentTime : 0) |
                                                        (budget_->BytesSpent() ? kSpentBytes : 0);
        if (spent != 0) {
            budget_->LeftOut(spent);
        }
        return spent != 0;
    }
    // Whether one of several queries ends before it began, which are begun one after the other.
    // reads: it may have to read from the file.
    bool Ends(size_t query, bool reads = false) {
        const uint32_t spent =
            budget_ == nullptr
                ? 0
                : (budget_->ScoredLeft(query) == 0 ? kSpentScored : 0) |
                      (query > 0 && budget_->Late() ? kSpentTime : 0) |
                      (query > 0 && reads && budget_->BytesSpent() ? kSpentBytes : 0);
        if (spent != 0) {
            budget_->LeftOut(spent, query);
        }
        return spent != 0;
    }
    void AddScored(size_t query, uint64_t count) {
        if (budget_ != nullptr) {
            budget_->AddScored(query, count);
        }
    }
    void AddBytes(uint64_t bytes) {
        if (budget_ != nullptr) {
            budget_->AddBytes(bytes);
        }
    }
    void LeftOut(uint32_t spent, size_t query) {
        if (budget_ != nullptr) {
            budget_->LeftOut(spent, query);
        }
    }
    // For what ends when the time is over.
    Work* timed() { return &timed_; }
    // Of an error of such work: none if that is why.
    Status Timed(const Status& status) { return Timed(status, timed_, SearchBudget::kAllQueries); }
    Status Timed(const Status& status, const Work& work, size_t query) {
        bool late = false;
        QUERN_TRY(EndedInTime(status, budget_, work, &late));
        if (late) {
            budget_->LeftOut(kSpentTime, query);
        }
        return {};
    }
    // Makes work end in time that is for one of the queries that so many threads go through.
    void TimeQuery(size_t query, size_t queries, size_t threads, Work* work) const {
        if (budget_ != nullptr) {
            budget_->TimeQuery(query, queries, threads, work);
        }
    }
    // In the result: it is less than the whole.
    bool Tell(ResultTable* table) const {
        const uint32_t left_out = budget_ == nullptr ? 0 : budget_->left_out();
        if (left_out != 0) {
            table->exact_as_far = (table->flags & 1u) != 0;
            table->flags = (table->flags & ~1u) | kPartialFlag;
            table->tally.left_out |= left_out;
            table->tally.expected_recall = 0;
        }
        return left_out != 0;
    }

private:
    bool EndsAtOnce() {
        const bool ends = budget_->NothingToRead();
        budget_->LeftOut(ends ? kSpentBytes : 0);
        return ends;
    }

    SearchBudget* budget_ = nullptr;
    size_t queries_ = 0;
    Work timed_;
};

}  // namespace quern
