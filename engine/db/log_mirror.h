// The log of a collection in memory: what searches read and what writers look keys up in.
//
// Every process that uses a collection holds its own mirror and extends it from the file when it
// meets a newer snapshot. The mirror only grows, so that snapshots of different ages share it: an
// entry is visible to a snapshot whose last row id is S when entry.rid <= S and no entry <= S has
// killed it. A new mirror begins when the log is sealed (the state's epoch moves).
//
// Thread rule: thread-safe. Blocks never move; a reader works on a LogView without locks.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/db/text_column.h"
#include "storage/base/buffer.h"
#include "storage/record_log.h"

namespace quern {

class SparseLog;

struct LogItem {
    int64_t rid = 0;
    uint64_t hash = 0;
    Key key;
    std::atomic<int64_t> died_at{0};  // row id of the entry that killed it; 0: alive
    int64_t older = -1;               // position of the put of the same key before this one
};

// A fixed number of puts; arrays are allocated once, so readers may hold pointers into them.
struct LogBlock {
    struct Field {
        size_t row_bytes = 0;
        Buffer rows;                       // capacity x row bytes
        std::vector<uint8_t> present;      // capacity
        std::vector<float> inverse_norms;  // capacity; cosine fields only
    };
    // Values of a sparse field, each as storage/sparse_value.h has it, or texts.
    struct SparseField {
        std::vector<Buffer> values;    // capacity
        std::vector<uint8_t> present;  // capacity
        BytesView value(size_t at) const {
            // An empty one is a value, too.
            return values[at].data() == nullptr ? BytesView("")
                                                : BytesView(values[at].data(), values[at].bytes());
        }
    };
    std::unique_ptr<LogItem[]> items;
    std::vector<Field> fields;        // the dense ones, as in the schema
    std::vector<SparseField> sparse;  // the others, likewise
    // Where searches keep indexes of its texts: of all of them, once it is full; and before that of
    // each small piece.
    mutable TextIndexCache text_indexes;
    std::unique_ptr<TextIndexCache[]> text_pieces;
};

struct LogView {
    std::vector<std::shared_ptr<const LogBlock>> blocks;
    size_t block_items = 0;  // capacity of each block
    size_t count = 0;        // puts with rid <= last
    int64_t last = 0;        // the snapshot's last row id
    // Those that may be seen at all, one bit per put; NULL: all may.
    std::shared_ptr<const std::vector<uint64_t>> wanted;

    const LogItem& item(size_t i) const { return blocks[i / block_items]->items[i % block_items]; }
    bool visible(size_t i) const {
        const int64_t died = item(i).died_at.load(std::memory_order_acquire);
        return (died == 0 || died > last) &&
               (wanted == nullptr || ((*wanted)[i / 64] >> (i % 64) & 1) != 0);
    }
    // The same log with another choice of puts.
    std::shared_ptr<const LogView> Matching(
        std::shared_ptr<const std::vector<uint64_t>> puts) const;
    // Elements of a vector, a sparse value, or a text; no data when absent. By field number.
    BytesView value(size_t i, size_t field) const;
    size_t live_count() const;
    // The pieces in which texts are indexed, in order, and where the indexes are kept: with the
    // block, so that other views find them as well; that of a piece that is not full with the view.
    struct TextPiece {
        size_t first = 0;
        size_t end = 0;
        TextIndexCache* cache = nullptr;
    };
    std::vector<TextPiece> TextPieces() const;

private:
    mutable TextIndexCache last_piece_;
};

class LogMirror {
public:
    LogMirror();
    ~LogMirror();
    static Result<std::shared_ptr<LogMirror>> Load(
        storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
        const storage::CollectionState& state, std::shared_ptr<MemoryCounter> memory);
    // Reads entries up to state.log_last; the connection's snapshot must be the state's.
    Status CatchUp(storage::Connection* connection, const storage::CollectionState& state);
    int64_t last() const;
    uint64_t entry_count() const;  // puts, deletes and amendments
    uint64_t bytes() const;
    std::shared_ptr<const LogView> View(const storage::CollectionState& state);
    // Adds entries that this process has just committed, if the mirror ends with entry `after`;
    // else they come with CatchUp.
    Status Append(int64_t after, const std::vector<storage::LogEntry>& entries);
    // Row id and hash of the visible put of a key for a snapshot that ends at `last`.
    std::optional<std::pair<int64_t, uint64_t>> FindPut(const Key& key, int64_t last) const;
    // The visible put of a key for a snapshot that ends at `last`: its position.
    std::optional<size_t> Find(const Key& key, int64_t last) const;
    // Position of the put with this row id, visible or not.
    std::optional<size_t> FindRid(int64_t rid) const;
    // Row ids of sealed records that entries up to `last` killed.
    std::vector<int64_t> SealedDead(int64_t last) const;
    // Whether an entry behind `first` and up to `last` has changed a sealed record in place.
    bool AmendedBetween(int64_t first, int64_t last) const;
    // Row ids of the sealed records that entries up to `last` have changed in place; may repeat.
    std::vector<int64_t> Amended(int64_t last) const;
    // Searches of a sparse field; by field number.
    SparseLog& sparse(size_t field) { return *sparse_[field - info_->schema.dense.size()]; }

private:
    const LogItem& item(size_t i) const {
        return blocks_[i / block_items_]->items[i % block_items_];
    }
    Status Add(const storage::LogEntry& entry);
    void AddDead(int64_t rid, int64_t died_at);
    std::optional<size_t> FindRidLocked(int64_t rid) const;

    std::shared_ptr<const storage::CollectionInfo> info_;
    std::shared_ptr<MemoryCounter> memory_;
    size_t block_items_ = 0;
    std::vector<std::unique_ptr<SparseLog>> sparse_;

    mutable std::mutex
        mutex_;  // protects what follows; contents of blocks below count_ are read without it
    std::vector<std::shared_ptr<LogBlock>> blocks_;
    size_t count_ = 0;
    uint64_t entries_ = 0;
    uint64_t bytes_ = 0;
    int64_t last_ = 0;
    std::unordered_map<Key, size_t, KeyHash> newest_;
    std::vector<std::pair<int64_t, int64_t>> sealed_dead_;  // (died_at, rid)
    std::vector<std::pair<int64_t, int64_t>> amendments_;   // (entry, row id changed in place)
    std::shared_ptr<const LogView> view_;                   // the last one made
};

}  // namespace quern
