// A search of the windows of a log (log_index.h), for the best records of all of them.
//
// Sums of impacts bound scores from both sides. First all windows are summed, and what may be among
// the best is noted: what is above the k-th best of the lower bounds. Only then are records scored,
// from their values, which stand anywhere in memory: hardly more than there are results. Scores are
// exact, and those of a scan.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "engine/kernels/impact_window.h"
#include "engine/sparse/log_window.h"
#include "engine/sparse/sparse_index.h"

namespace quern::sparse {

// The record of a place in the log; empty when it is not to be found.
using LogRowAt = std::function<LogRow(uint32_t position)>;

struct LogHit {
    double score = 0;
    uint32_t position = 0;
};

// The k-th best of some numbers, or a least value while there are fewer. Confined.
class KthBest {
public:
    // k: not 0.
    KthBest(size_t k, double floor) : k_(k), floor_(floor) {}
    void Push(double number);
    double value() const { return best_.size() < k_ ? floor_ : best_.front(); }
    size_t k() const { return k_; }
    double floor() const { return floor_; }
    bool full() const { return best_.size() == k_; }

private:
    size_t k_;
    double floor_;
    std::vector<double> best_;  // a heap, the least first
};

// The k best of a log, and all that are as good as the last of them: whoever asks decides ties.
// Confined.
class LogHits {
public:
    // Scores below `floor` are not wanted. k: not 0.
    LogHits(size_t k, double floor) : best_(k, floor) {}
    void Push(double score, uint32_t position);
    double Threshold() const { return best_.value(); }
    double floor() const { return best_.floor(); }
    size_t k() const { return best_.k(); }
    // In no order; the object is empty afterwards.
    std::vector<LogHit> Take();

private:
    KthBest best_;
    std::vector<LogHit> hits_;
};

// A record that may be among the best: its score is at most `upper`.
struct LogCandidate {
    double upper = 0;
    uint32_t position = 0;
};

// What a search needs beside the index, kept from one to the next. Confined.
class LogSpace {
public:
    LogSpace() : sums_(kLogWindowRows), picked_(kLogWindowRows + kernels::kSelectSlack) {}

private:
    friend class LogSearch;
    WindowPlan plan_;
    std::vector<uint32_t> sums_;
    std::vector<uint32_t> picked_;
    std::vector<LogCandidate> candidates_;
};

// Confined.
class LogSearch {
public:
    // All have to outlive it. What was found is in `hits` after Finish.
    LogSearch(const SparseVector& query, const LogRowAt& row, LogHits* hits, LogSpace* space)
        : query_(query),
          row_(row),
          hits_(*hits),
          space_(*space),
          plan_(space->plan_),
          lower_(hits->k(), hits->floor()) {
        space->candidates_.clear();
    }
    // A window, whose first record is at `first` of the log.
    void Open(const OpenWindow& window, uint32_t first);
    void Open(const LogWindow& window, uint32_t first);
    void Finish() { ScoreCandidates(); }
    void AddTo(SearchStats* stats) const;

private:
    template <typename Window>
    void Search(const Window& window, uint32_t first, uint32_t rows);
    template <typename Window>
    bool AddUp(const Window& window);
    void Collect();
    void Note(uint32_t id, uint64_t sum, uint64_t unread);
    void ScoreCandidates();
    void Score(uint32_t position, const LogRow& row);
    uint32_t GuessLeast();
    // No record below is among the best.
    double Threshold() const { return std::max(hits_.Threshold(), lower_.value()); }

    const SparseVector& query_;
    const LogRowAt& row_;
    LogHits& hits_;
    LogSpace& space_;
    WindowPlan& plan_;
    KthBest lower_;       // of the lower bounds of records that are there
    uint32_t first_ = 0;  // of the window
    size_t prune_at_ = 0;
    SearchStats stats_;
};

}  // namespace quern::sparse
