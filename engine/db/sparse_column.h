// The values of a sparse field in one segment: whole in memory when the budget allows it, else read
// from the file piece by piece. Vector number v belongs to record number v when all records have
// the field, else to records[v].
//
// Thread rule: immutable but for LoadAll, which Segment calls under its lock.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "storage/base/buffer.h"
#include "storage/base/schema.h"
#include "storage/base/work.h"
#include "storage/chunk_store.h"

namespace quern {

class ChunkCache;
struct MemoryBudget;

// Neighbouring vectors: number first + i has the entries from offsets[i] on up to offsets[i + 1],
// less offsets[0].
struct SparsePiece {
    size_t first = 0;
    size_t count = 0;
    const uint64_t* offsets = nullptr;
    const uint32_t* dimensions = nullptr;
    const float* weights = nullptr;  // NULL: all are 1
    const float* weights_of(size_t i) const {
        return weights == nullptr ? nullptr : weights + begin(i);
    }
    size_t begin(size_t i) const { return static_cast<size_t>(offsets[i] - offsets[0]); }
    size_t entries(size_t i) const { return static_cast<size_t>(offsets[i + 1] - offsets[i]); }
};

// What a piece that is read from the file stands in.
struct SparseSpace {
    std::vector<uint32_t> dimensions;
    std::vector<float> weights;
    Bytes chunks;
};

class SparseColumn {
public:
    // Reads lengths and presence. kCorrupt when parts do not fit each other.
    static Result<std::unique_ptr<SparseColumn>> Open(storage::Connection* connection,
                                                      const storage::SegmentInfo& segment,
                                                      const SparseDef& def);
    size_t count() const { return offsets_.size() - 1; }
    uint64_t entries() const { return offsets_.back(); }
    uint64_t memory_bytes() const { return entries() * (binary_ ? 4 : 8); }
    uint64_t stored_bytes() const;  // of the file, of all entries
    uint32_t record(size_t vector) const {
        return records_.empty() ? static_cast<uint32_t>(vector) : records_[vector];
    }

    bool resident() const { return resident_.load(std::memory_order_acquire); }
    Status LoadAll(storage::Connection* connection, const MemoryBudget& budget, Work* work);
    // Vectors first .. end - 1, decoded and proven; valid until the space is used again.
    Result<SparsePiece> Read(storage::Connection* connection, size_t first, size_t end, int threads,
                             SparseSpace* space) const;
    // The same of what is resident.
    SparsePiece Resident(size_t first, size_t end) const;
    // Where a piece from `first` on ends that has about so many entries.
    size_t EndOfPiece(size_t first, uint64_t entries) const;
    // The value of a record; no data when absent. Valid until the cache is used again.
    Result<BytesView> Value(storage::Connection* connection, uint32_t record,
                            ChunkCache* cache) const;

    // The weights of a record that has a value, in order of dimensions; not of a binary field.
    Status Weights(storage::Connection* connection, uint32_t record, ChunkCache* cache,
                   std::vector<float>* weights) const;

private:
    SparseColumn() = default;
    std::optional<size_t> VectorOf(uint32_t record) const;
    Status ReadEntries(storage::Connection* connection, const storage::PartInfo& part,
                       uint64_t first, uint64_t end, int threads, Bytes* chunks, char* out) const;
    // Turns gaps into dimensions and proves the vectors. weights: NULL in a binary field.
    Status Finish(size_t first, size_t end, uint32_t* gaps, const float* weights) const;
    Status GatherEntries(storage::Connection* connection, const storage::PartInfo& part,
                         uint64_t first, size_t count, ChunkCache* cache, char* out) const;

    uint64_t dimension_limit_ = 0;
    bool binary_ = false;
    const storage::PartInfo* gaps_ = nullptr;     // NULL: there are no entries
    const storage::PartInfo* weights_ = nullptr;  // the same, or the field is binary
    std::vector<uint32_t> records_;               // empty: all records have the field, or none has
    std::vector<uint64_t> offsets_{0};
    std::atomic<bool> resident_{false};
    Buffer dimensions_buffer_;
    Buffer weights_buffer_;
};

}  // namespace quern
