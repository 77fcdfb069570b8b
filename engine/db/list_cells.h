// The list index of one segment as one process holds it: centres and the like in memory, and the
// rows of its cells either in memory too or read from the file, cell by cell, through a cache of
// bounded size.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/dense/list_index.h"
#include "storage/base/buffer.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

class Snapshot;
struct MemoryBudget;

// The part that keeps one array of a list index.
inline storage::PartKind ListPartKind(dense::ListArray array) {
    return static_cast<storage::PartKind>(static_cast<int64_t>(storage::PartKind::kListHead) +
                                          static_cast<int64_t>(array));
}

// Decoded chunks of one part, those used last. Thread-safe; a chunk that somebody holds stays valid
// after it was thrown out.
class CellCache {
public:
    CellCache(uint64_t bytes_max, std::shared_ptr<MemoryCounter> counter)
        : bytes_max_(bytes_max), counter_(std::move(counter)) {}
    ~CellCache();
    CellCache(const CellCache&) = delete;
    CellCache& operator=(const CellCache&) = delete;
    std::shared_ptr<const Bytes> Find(size_t chunk);  // NULL: not here
    void Put(size_t chunk, std::shared_ptr<const Bytes> bytes);

private:
    struct Entry {
        size_t chunk = 0;
        std::shared_ptr<const Bytes> bytes;
    };
    std::mutex mutex_;
    std::list<Entry> entries_;  // the last used first
    std::unordered_map<size_t, std::list<Entry>::iterator> places_;
    uint64_t bytes_ = 0;
    uint64_t bytes_max_;
    std::shared_ptr<MemoryCounter> counter_;
};

struct LoadedLists {
    std::unique_ptr<dense::ListIndex> index;
    const storage::PartInfo* rows = nullptr;  // not in memory: this part has them
    std::unique_ptr<CellCache> cache;
    // The cell of each vector; made by the first search that is guided, and counted. Thread-safe.
    const uint32_t* CellOfEach() const;
    mutable std::once_flag cells_made;
    mutable Buffer cells;
    std::shared_ptr<MemoryCounter> counter;  // of what is made later
    // Set by the search that meets a damaged chunk.
    mutable std::atomic<bool> damaged{false};
};

// Loads the list index of a field of `count` vectors. NULL: memory does not allow it, and *needed
// gets the bytes that it would have to. kCorrupt: it is damaged.
Result<std::unique_ptr<LoadedLists>> LoadLists(storage::Connection* connection,
                                               const storage::SegmentInfo& segment,
                                               const DenseDef& def, size_t count,
                                               const MemoryBudget& budget, uint64_t* needed,
                                               Work* work);
// Reads every chunk that is not in memory. kCorrupt: one is damaged.
Status CheckRows(storage::Connection* connection, const LoadedLists& lists, Work* work);

// Gives a search the rows of cells that are not in memory.
class FileCells : public dense::CellRows {
public:
    // *reads grows by what is read from the file.
    FileCells(Snapshot* snapshot, const LoadedLists& lists, FileReads* reads)
        : snapshot_(snapshot), lists_(lists), reads_(reads) {}
    Status Read(size_t first, size_t count, std::vector<dense::CellPiece>* pieces) override;

private:
    Snapshot* snapshot_;
    const LoadedLists& lists_;
    FileReads* reads_;
};

}  // namespace quern
