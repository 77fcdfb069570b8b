// A sparse field of the records in the log: searches of them, by scan at first, and by an inverted
// index in memory once that is worth its making.
//
// The index is made by searches, not by writers, so that whoever only writes does not pay. A record
// costs several scans of it to index; so it is indexed when it was scanned so often. That way no
// search pattern costs much more than the better of scanning always and indexing at once: one
// search of a large log scans it, many searches index it once, and searches between small batches
// look at a few records that are not indexed yet.
//
// Thread rule: thread-safe.
#pragma once

#include <atomic>

#include "engine/sparse/log_index.h"
#include "storage/base/work.h"

namespace quern {

struct LogView;
struct MemoryBudget;

// The value of a sparse field of the record at a place; empty: absent.
sparse::LogRow SparseRowOf(const LogView& log, size_t i, size_t field);

class SparseLog {
public:
    explicit SparseLog(std::shared_ptr<MemoryCounter> memory) : index_(std::move(memory)) {}
    // Before `queries` searches of what the view shows: how many of its records the index has.
    // Without memory for more they stay as many.
    Result<size_t> Prepare(const LogView& log, size_t field, size_t queries,
                           const MemoryBudget& budget, Work* work);
    const sparse::LogIndex& index() const { return index_; }

private:
    sparse::LogIndex index_;
    std::atomic<uint64_t> scanned_{0};  // records, since the index was extended
};

}  // namespace quern
