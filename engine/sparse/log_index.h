// The inverted side of a log: records that come one after another, and may be asked about at any
// time. It bounds scores; the records themselves stay with the log, which is asked for those that
// are scored (log_search.h).
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

#include "engine/sparse/log_search.h"
#include "engine/sparse/log_window.h"
#include "storage/base/work.h"

namespace quern::sparse {

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
