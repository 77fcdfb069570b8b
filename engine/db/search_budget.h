// What a search may cost, and what it has cost so far. A search that has spent its budget ends with
// what it has found: true hits with true scores, but others may have been better.
//
// Time and bytes are those of the whole search. Records are counted for each query by itself, so
// that a query finds the same in a batch and alone, whatever the threads. Parts of a search (legs,
// candidates, the first of two searches) get shares of what is left when they begin, and what they
// spend is spent of the whole.
//
// Spending is noticed between pieces of work (blocks of a scan, steps of a walk, cells, blocks of
// postings): the first piece is always done.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/work.h"

namespace quern {

// 0: no bound.
struct BudgetLimits {
    uint32_t timeout_ms = 0;
    uint64_t scored_max = 0;  // vectors, codes and records that are measured, of each query
    uint64_t bytes_max = 0;   // that are read from the file, of all queries
    bool any() const { return timeout_ms > 0 || scored_max > 0 || bytes_max > 0; }
};

// What a search has run out of; bits.
inline constexpr uint32_t kSpentTime = 1;
inline constexpr uint32_t kSpentScored = 2;
inline constexpr uint32_t kSpentBytes = 4;

inline constexpr uint32_t kPartialFlag = 16;  // of a result

// Thread-safe but for what is said otherwise.
class SearchBudget {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr uint64_t kNoBound = ~uint64_t{0};
    SearchBudget(const BudgetLimits& limits, Clock::time_point begin);
    // Of what is left of another budget, which must stay: one of so many equal parts.
    std::shared_ptr<SearchBudget> Share(size_t parts);
    // The same for one query, which is number 0 there.
    std::shared_ptr<SearchBudget> OfQuery(size_t query);
    // For some of the queries, which have spent nothing yet: so much of the time and bytes left.
    std::shared_ptr<SearchBudget> OfGroup(double share);

    // Confined; before queries are counted.
    void Reserve(size_t queries);
    bool has_deadline() const { return deadline_.has_value(); }
    bool has_scored_max() const { return scored_max_ != kNoBound; }
    uint64_t scored_max() const { return scored_max_; }
    bool Late() const { return deadline_ && Clock::now() >= *deadline_; }
    Clock::duration TimeLeft() const;
    // Stops work at the deadline.
    void Time(Work* work) const;
    // The same for one of several queries that `threads` work on one after the other: each has the
    // same share of the time that is left.
    void TimeQuery(size_t query, size_t queries, size_t threads, Work* work) const;

    uint64_t ScoredLeft(size_t query) const;
    // Of the query that has most left.
    uint64_t MostScoredLeft() const;
    void AddScored(size_t query, uint64_t count);
    bool BytesSpent() const { return bytes_.load() >= bytes_max_; }
    uint64_t BytesLeft() const;
    // Others have spent what there was to read with: the search that is about to begin is not the
    // first, of which some piece is always done.
    bool NothingToRead() const { return BytesSpent() && (after_others_ || shared_); }
    void AddBytes(uint64_t bytes);
    // Nothing more should be begun. What has run out; 0: nothing.
    uint32_t Spent() const;
    uint32_t SpentOf(size_t query) const;

    static constexpr size_t kAllQueries = ~size_t{0};
    // Something has been left out because of this, of one query or of any. What is left out of all
    // queries of a budget that is for one is left out of that one, and of no other of the parent.
    void LeftOut(uint32_t spent, size_t query = kAllQueries);
    uint32_t left_out() const { return left_out_.load(); }
    // What has been left out since it was asked the last time.
    uint32_t TakeNews() { return news_.exchange(0); }
    bool LeftOutOf(size_t query) const {
        return left_out_of_all_.load() != 0 || (query < cut_.size() && cut_[query] != 0);
    }

private:
    SearchBudget() = default;
    std::shared_ptr<SearchBudget> Child(double share);

    std::optional<Clock::time_point> deadline_;
    uint64_t scored_max_ = kNoBound;
    uint64_t bytes_max_ = kNoBound;
    // By query; what a query may have is its own bound where there is one.
    std::vector<uint64_t> scored_;
    std::vector<uint64_t> own_max_;
    std::vector<uint8_t> cut_;
    std::atomic<uint32_t> left_out_of_all_{0};
    std::atomic<uint64_t> bytes_{0};
    std::atomic<uint32_t> left_out_{0};
    std::atomic<uint32_t> news_{0};
    SearchBudget* parent_ = nullptr;
    bool shared_ = false;        // others have been given shares
    bool after_others_ = false;  // before this one
    bool counts_up_ = true;      // its queries are queries of the parent
    bool of_one_ = false;        // it has one, and no others are to be told of
    size_t first_query_ = 0;     // of the parent
};

// Whether a piece of work came to its end, or was stopped because the time of its budget is over;
// any other error stays one. budget: NULL: there is none.
inline Status EndedInTime(const Status& status, const SearchBudget* budget, const Work& work,
                          bool* late) {
    *late = status.code() == Code::kInterrupted && budget != nullptr && budget->has_deadline() &&
            work.PastStop() && !work.Stopped();
    return *late ? Status() : status;
}

}  // namespace quern
