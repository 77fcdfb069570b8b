// The inverted side of a log: records that come one after another, and may be asked about at any
// time. It bounds scores; the records themselves stay with the log, which is asked for those that
// are scored. Scores are exact, and those of a scan.
//
// Nothing is ever taken out. Records that are dead, or newer than what a search may see, are
// passed over when the log is asked for them: only a few ever are.
//
// Thread rule: thread-safe. A search waits while records are added, and then goes through all but
// the last window without a lock.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/sparse/log_window.h"
#include "engine/sparse/sparse_index.h"
#include "storage/base/work.h"

namespace quern::sparse {

// The record of a place in the log; empty when it is not to be found.
using LogRowAt = std::function<LogRow(uint32_t position)>;

struct LogHit {
    double score = 0;
    uint32_t position = 0;
};

// The k best of a log, and all that are as good as the last of them: whoever asks decides ties.
// Confined.
class LogHits {
public:
    // Scores below `floor` are not wanted. k: not 0.
    LogHits(size_t k, double floor) : k_(k), floor_(floor) {}
    void Push(double score, uint32_t position);
    double Threshold() const { return best_.size() < k_ ? floor_ : best_.front(); }
    size_t k() const { return k_; }
    // In no order; the object is empty afterwards.
    std::vector<LogHit> Take();

private:
    size_t k_;
    double floor_;
    std::vector<double> best_;  // a heap of the k best scores, the least first
    std::vector<LogHit> hits_;
};

// What a search needs beside the index, kept from one to the next. Confined.
class LogSpace {
public:
    LogSpace();

private:
    friend class LogIndex;
    WindowPlan plan_;
    std::vector<uint32_t> sums_;
    std::vector<uint32_t> picked_;
    std::vector<std::pair<uint32_t, uint32_t>> candidates_;  // sum, number in the window
};

class LogIndex {
public:
    explicit LogIndex(std::shared_ptr<MemoryCounter> memory) : memory_(std::move(memory)) {}
    ~LogIndex();
    LogIndex(const LogIndex&) = delete;
    LogIndex& operator=(const LogIndex&) = delete;

    // How many records are there: the first ones of the log.
    size_t count() const;
    // Adds records up to position `end` - 1; those that are there already are left as they are.
    // allows: whether so many bytes may be taken. When it says no, fewer records are there.
    Status Extend(size_t end, const LogRowAt& row, const std::function<bool(uint64_t)>& allows,
                  Work* work);
    // Offers the best of the records to `hits`; returns how many there were. stats: NULL, or
    // `scored` is added to.
    Result<size_t> Search(const SparseVector& query, const LogRowAt& row, LogHits* hits,
                          LogSpace* space, SearchStats* stats, Work* work) const;

private:
    using Windows = std::vector<std::shared_ptr<const LogWindow>>;
    void AppendSome(size_t end, const LogRowAt& row);
    void CountMemory();

    std::shared_ptr<MemoryCounter> memory_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Windows> full_ = std::make_shared<Windows>();
    OpenWindow open_;
    int64_t counted_ = 0;  // of open_
};

}  // namespace quern::sparse
