// A live segment as one process holds it: its catalog rows, and what has been loaded of its parts.
//
// Vectors of a field are kept in memory when the budget allows, else read from the file: in order
// by a scan, single ones through the database's cache (fine_vectors.h). Parts are loaded on first
// use, decoded and validated before they are believed. Derived parts that are missing or damaged
// are made anew in memory, and `degraded` tells so.
//
// Thread rule: thread-safe; loaded arrays never change and live as long as the Segment.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/db/column_cache.h"
#include "engine/db/fine_vectors.h"
#include "engine/db/index_options.h"
#include "engine/db/list_cells.h"
#include "engine/db/sparse_column.h"
#include "engine/db/sparse_part.h"
#include "engine/db/text_column.h"
#include "engine/db/text_part.h"
#include "engine/dense/graph_index.h"
#include "storage/base/buffer.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

// Memory that one database handle may use for loaded vectors and indexes. The cache of single
// vectors has a bound of its own.
struct MemoryBudget {
    int64_t limit = 0;
    int threads = 1;  // that loading may use
    std::shared_ptr<MemoryCounter> vectors = std::make_shared<MemoryCounter>();
    std::shared_ptr<MemoryCounter> row_ids = std::make_shared<MemoryCounter>();
    std::shared_ptr<MemoryCounter> log = std::make_shared<MemoryCounter>();
    std::shared_ptr<MemoryCounter> indexes = std::make_shared<MemoryCounter>();
    std::shared_ptr<MemoryCounter> log_texts = std::make_shared<MemoryCounter>();  // of indexes
    std::shared_ptr<MemoryCounter> cached = std::make_shared<MemoryCounter>();
    std::shared_ptr<VectorCache> cache = std::make_shared<VectorCache>(0, cached);
    bool Allows(uint64_t bytes) const { return Total() + static_cast<int64_t>(bytes) <= limit; }
    // For an index of texts in the log. The log is in memory whatever the limit says, and making
    // the index anew takes a thousand times as long as asking it: so it may have as much as the
    // log has.
    bool AllowsForLog(uint64_t bytes) const {
        return Allows(bytes) || log_texts->bytes() + static_cast<int64_t>(bytes) <= log->bytes();
    }
    // Allows them, and as much again for whatever else comes.
    bool AllowsWithEase(uint64_t bytes) const { return Allows(2 * bytes); }
    int64_t Total() const {
        return vectors->bytes() + row_ids->bytes() + log->bytes() + indexes->bytes();
    }
};

// One field of a segment. Vector number v belongs to record number v when all records have the
// field, else to records[v].
struct SegmentField {
    const storage::PartInfo* vectors = nullptr;  // NULL: no record has the field
    std::vector<uint32_t> records;               // empty: all records have the field
    Element held = Element::kF32;       // what they are in memory: the field's, or narrower
    Buffer rows;                        // room for all vectors, when they fit the budget
    std::atomic<bool> resident{false};  // all of them are there
    std::unique_ptr<FineVectors> fine;  // for looks at a few of them
    FineChoice place = FineChoice::kAuto;
    std::vector<float> inverse_norms;  // cosine fields
    // All of them are in memory, or will be when searches have looked at enough of them.
    bool KeepsVectors() const { return resident || (fine != nullptr && fine->keeps()); }
    size_t count() const { return vectors ? static_cast<size_t>(vectors->items) : 0; }
    size_t held_bytes(const DenseDef& def) const { return VectorBytes(held, def.dim); }
    // What memory the vectors would take that has not been taken for them yet.
    uint64_t BytesToKeep(const DenseDef& def) const {
        return KeepsVectors() ? 0 : vectors->items * held_bytes(def);
    }
    uint32_t record(size_t vector) const {
        return records.empty() ? static_cast<uint32_t>(vector) : records[vector];
    }
    // As an index sees them; no rows unless resident.
    dense::VectorRows Rows(const DenseDef& def) const {
        return {held,    def.metric,
                def.dim, resident ? rows.data() : nullptr,
                count(), inverse_norms.empty() ? nullptr : inverse_norms.data()};
    }
    // Number of the vector of a record.
    std::optional<size_t> VectorOf(uint32_t record) const;
};

// The last chunks that somebody read, so that neighbours are decoded once. Confined to one thread.
class ChunkCache {
public:
    // slots: how many chunks it holds. Who goes through several fields record by record needs one
    // for each, or every look decodes anew.
    static constexpr size_t kSlots = 8;
    explicit ChunkCache(size_t slots = kSlots) : slot_count_(slots) {}
    // The decoded chunk; valid until the next call.
    Result<const Bytes*> Get(storage::Connection* connection, const storage::PartInfo& part,
                             size_t chunk);
    // Room for a value that had to be put together from several places.
    Bytes* assembled() { return &assembled_; }

private:
    struct Slot {
        int64_t part = 0;
        size_t chunk = 0;
        uint64_t used = 0;
        Bytes bytes;
    };
    size_t slot_count_;
    std::vector<Slot> slots_;
    uint64_t clock_ = 0;
    Bytes assembled_;
};

// The part that keeps one array of a graph index.
inline storage::PartKind IndexPartKind(dense::IndexArray array) {
    return static_cast<storage::PartKind>(static_cast<int64_t>(storage::PartKind::kGraphHead) +
                                          static_cast<int64_t>(array));
}

class Segment {
public:
    Segment(storage::SegmentInfo info, std::shared_ptr<MemoryBudget> budget)
        : info_(std::move(info)), budget_(std::move(budget)) {}
    const storage::SegmentInfo& info() const { return info_; }
    size_t item_count() const { return static_cast<size_t>(info_.items); }

    // Row ids by record number (key order).
    Result<const int64_t*> RowIds(storage::Connection* connection);
    // The i-th row id in their own order, and its record number. RowIds must have been loaded.
    std::pair<int64_t, uint32_t> RowIdInOrder(size_t i) const {
        const auto record = row_ids_ascending_ ? static_cast<uint32_t>(i) : by_row_id_[i];
        return {row_ids_.load(std::memory_order_acquire)[record], record};
    }
    // What filters have loaded.
    ColumnCache& columns() { return columns_; }
    // Record number of a row id. RowIds must have been loaded.
    std::optional<uint32_t> RecordOf(int64_t rid);
    static constexpr uint64_t kAllBytes = ~uint64_t{0};
    // The field, with vectors in memory if they fit, and no more than so many bytes of the file
    // have to be read for that.
    Result<const SegmentField*> Field(storage::Connection* connection, const DenseDef& def,
                                      Work* work, uint64_t bytes_max = kAllBytes);
    // The field for looks at a few vectors: there may be room for all, but none is loaded yet,
    // unless its options ask for that, and bytes_max allows it.
    Result<const SegmentField*> FieldForLooks(storage::Connection* connection, const DenseDef& def,
                                              Work* work, uint64_t bytes_max = kAllBytes);
    // The field as the catalog and its presence bits have it; no vectors, no norms.
    Result<const SegmentField*> FieldOutline(storage::Connection* connection, const DenseDef& def);
    // Elements of the vector of a record; no data when absent. Valid until the cache is used again.
    Result<BytesView> Vector(storage::Connection* connection, const DenseDef& def, uint32_t record,
                             ChunkCache* cache);
    // The values of a sparse field, in memory if they fit (whole; bytes_max as for Field) or as
    // they are.
    Result<const SparseColumn*> Sparse(storage::Connection* connection, const SparseDef& def,
                                       bool whole, Work* work, uint64_t bytes_max = kAllBytes);
    // The texts of a field.
    Result<const TextColumn*> Text(storage::Connection* connection, const TextDef& def);
    // Their index: that of the file, or one made in memory when it is not there or damaged. For
    // this call alone when memory does not allow to keep it; *memory_needed then tells what would.
    Result<TextIndexCache::Index> TextIndexOf(storage::Connection* connection, const TextDef& def,
                                              uint64_t* memory_needed, Work* work);
    // Whether the index of the file, if there is one, holds together; nothing of it is kept.
    Result<bool> TextIndexIsSound(storage::Connection* connection, const TextDef& def, Work* work);
    // The value of a record in a field of any kind, by its number in the schema; otherwise as
    // Vector.
    Result<BytesView> Value(storage::Connection* connection, const Schema& schema, size_t field,
                            uint32_t record, ChunkCache* cache);
    // The index of a field, loaded on first use: a graph or lists. NULL when there is none, when
    // memory does not allow it, or when it is damaged: then searches are exact.
    struct IndexState {
        std::shared_ptr<const dense::GraphIndex> index;
        const LoadedLists* lists = nullptr;
        bool damaged = false;
    };
    Result<IndexState> Index(storage::Connection* connection, const DenseDef& def, Work* work);
    // The same of a sparse field.
    struct SparseState {
        const SparsePart* part = nullptr;
        bool damaged = false;
    };
    Result<SparseState> SparseIndexOf(storage::Connection* connection, const SparseDef& def,
                                      Work* work);
    // A derived part that is read elsewhere, of no field, is missing or damaged.
    void MarkDegraded() { degraded_ = true; }
    bool degraded() const { return degraded_.load(); }
    // Whether that, or a part of the field, is. Of more than 64 fields some share a bit.
    bool degraded(uint32_t field) const {
        return degraded() || (degraded_fields_.load() >> (field % 64) & 1) != 0;
    }
    // What memory_mb would have to allow beside budget()->Total(), in bytes, for the index that it
    // did not when one was last wanted; 0: it did.
    uint64_t index_needs() const { return index_needs_.load(); }
    void NoteIndexNeeds(uint64_t bytes) { index_needs_ = bytes; }
    const MemoryBudget& budget() const { return *budget_; }
    // For those who find out later than Index that a list index is damaged.
    void MarkDamaged(uint32_t field, const LoadedLists& lists) {
        lists.damaged = true;
        MarkDegraded(field);
    }

    // Int keys that somebody has looked up before: a record's key never changes, and asking the
    // file costs more than all else that a hit costs. 8 bytes a record once the first is
    // remembered.
    std::optional<int64_t> KnownKey(uint32_t record) const;
    void RememberKey(uint32_t record, int64_t key);

    // One bit per record whose row id is in a sorted list; NULL when none of them is here. *count
    // gets their number. RowIds must have been loaded.
    std::shared_ptr<const std::vector<uint64_t>> BitsOf(const std::vector<int64_t>& rids,
                                                        size_t* count);

private:
    void MarkDegraded(uint32_t field) { degraded_fields_ |= uint64_t{1} << (field % 64); }
    Status ChooseHeld(storage::Connection* connection, const DenseDef& def, SegmentField* field);
    Result<SegmentField*> FieldShape(storage::Connection* connection, const DenseDef& def);
    // With norms; with room for all vectors when the budget allows it, for a use of all of them
    // (whole) or for looks.
    Result<SegmentField*> PrepareField(storage::Connection* connection, const DenseDef& def,
                                       bool whole, Work* work);
    Status LoadNorms(storage::Connection* connection, const DenseDef& def, SegmentField* field,
                     Work* work);
    void SortRowIds();
    struct LoadedIndex;
    Status LoadIndex(storage::Connection* connection, const DenseDef& def, LoadedIndex* loaded,
                     Work* work);

    storage::SegmentInfo info_;
    std::shared_ptr<MemoryBudget> budget_;
    std::atomic<bool> degraded_{false};
    std::atomic<uint64_t> degraded_fields_{0};  // one bit each
    std::atomic<uint64_t> index_needs_{0};
    ColumnCache columns_;

    std::mutex mutex_;  // protects loading; what is loaded is read without it
    std::atomic<const int64_t*> row_ids_{nullptr};
    Buffer row_id_buffer_;
    std::vector<uint32_t>
        by_row_id_;  // record numbers in row id order; empty when that is the identity
    bool row_ids_ascending_ = false;
    std::map<uint32_t, std::unique_ptr<SegmentField>> fields_;
    std::map<uint32_t, std::unique_ptr<SparseColumn>> sparse_;
    std::map<uint32_t, std::unique_ptr<TextColumn>> texts_;
    TextIndexCache text_indexes_;
    struct KnownKeys {
        explicit KnownKeys(size_t count, std::shared_ptr<MemoryCounter> counter);
        ~KnownKeys();
        std::unique_ptr<std::atomic<int64_t>[]> keys;
        std::unique_ptr<std::atomic<uint64_t>[]> known;  // one bit a record
        size_t bytes = 0;
        std::shared_ptr<MemoryCounter> counter;
    };
    std::atomic<KnownKeys*> known_keys_{nullptr};
    std::unique_ptr<KnownKeys> known_keys_owner_;
    struct LoadedIndex {
        std::shared_ptr<const dense::GraphIndex> index;
        std::unique_ptr<LoadedLists> lists;
        bool damaged = false;
        IndexState state() const {
            return {index, lists.get(), damaged || (lists != nullptr && lists->damaged.load())};
        }
    };
    std::map<uint32_t, LoadedIndex> indexes_;
    struct LoadedSparse {
        std::unique_ptr<SparsePart> part;
        bool damaged = false;
    };
    std::map<uint32_t, LoadedSparse> sparse_indexes_;
};

// Reads a whole part to out (raw_bytes of them).
Status ReadPart(storage::Connection* connection, const storage::PartInfo& part, char* out,
                Work* work);

}  // namespace quern
