#include "engine/db/sparse_column.h"

#include <algorithm>

#include "engine/db/segment.h"
#include "engine/db/value_lengths.h"
#include "storage/sparse_value.h"

namespace quern {

using storage::PartInfo;
using storage::PartKind;

namespace {

// Weights that stand anywhere.
void FillOnes(char* weights, size_t count) {
    const float one = 1;
    for (size_t i = 0; i < count; i++) {
        std::memcpy(weights + i * 4, &one, 4);
    }
}

}  // namespace

Result<std::unique_ptr<SparseColumn>> SparseColumn::Open(storage::Connection* connection,
                                                         const storage::SegmentInfo& segment,
                                                         const SparseDef& def) {
    std::unique_ptr<SparseColumn> column(new SparseColumn());
    column->dimension_limit_ = def.dimensions;
    column->binary_ = def.binary;
    const PartInfo* lengths = segment.Find(PartKind::kSparseLengths, def.id);
    if (lengths == nullptr) {
        return column;
    }
    QUERN_TRY(ReadLengths(connection, segment, *lengths, def.id, kSparseEntriesMax,
                          &column->records_, &column->offsets_));
    column->gaps_ = segment.Find(PartKind::kSparseGaps, def.id);
    column->weights_ = segment.Find(PartKind::kSparseWeights, def.id);
    for (const bool of_weights : {false, true}) {
        const PartInfo* const part = of_weights ? column->weights_ : column->gaps_;
        const uint64_t items = part == nullptr ? 0 : part->items;
        const bool none = column->binary_ && of_weights;
        if (items != (none ? 0 : column->entries()) || (part != nullptr && part->item_bytes != 4)) {
            return Status::Error(Code::kCorrupt, "%s: other entries than these are there",
                                 lengths->Name().c_str());
        }
    }
    return column;
}

Status SparseColumn::Finish(size_t first, size_t end, uint32_t* gaps, const float* weights) const {
    uint64_t at = 0;
    for (size_t v = first; v < end; v++) {
        const auto count = static_cast<size_t>(offsets_[v + 1] - offsets_[v]);
        if (!storage::SparseDimensions(gaps + at, count, dimension_limit_)) {
            return Status::Error(Code::kCorrupt, "%s: vector %zu has impossible dimensions",
                                 gaps_->Name().c_str(), v);
        }
        if (weights != nullptr && !storage::AreSparseWeights(weights + at, count)) {
            return Status::Error(Code::kCorrupt, "%s: vector %zu has impossible weights",
                                 weights_->Name().c_str(), v);
        }
        at += count;
    }
    return {};
}

uint64_t SparseColumn::stored_bytes() const {
    return (gaps_ != nullptr ? gaps_->stored_bytes() : 0) +
           (weights_ != nullptr ? weights_->stored_bytes() : 0);
}

Status SparseColumn::LoadAll(storage::Connection* connection, const MemoryBudget& budget,
                             Work* work) {
    if (resident() || entries() == 0) {
        resident_.store(true, std::memory_order_release);
        return {};
    }
    const auto bytes = static_cast<size_t>(entries()) * 4;
    Buffer dimensions(bytes, budget.vectors);
    Buffer weights(binary_ ? 0 : bytes, budget.vectors);
    QUERN_TRY(storage::ReadChunks(connection, *gaps_, 0, gaps_->chunks.size(), budget.threads,
                                  dimensions.data()));
    QUERN_TRY(work->Check("load", entries(), 2 * entries()));
    if (!binary_) {
        QUERN_TRY(storage::ReadChunks(connection, *weights_, 0, weights_->chunks.size(),
                                      budget.threads, weights.data()));
    }
    QUERN_TRY(Finish(0, count(), reinterpret_cast<uint32_t*>(dimensions.data()),
                     binary_ ? nullptr : reinterpret_cast<const float*>(weights.data())));
    dimensions_buffer_ = std::move(dimensions);
    weights_buffer_ = std::move(weights);
    resident_.store(true, std::memory_order_release);
    return {};
}

SparsePiece SparseColumn::Resident(size_t first, size_t end) const {
    return {first, end - first, offsets_.data() + first,
            reinterpret_cast<const uint32_t*>(dimensions_buffer_.data()) + offsets_[first],
            binary_ ? nullptr
                    : reinterpret_cast<const float*>(weights_buffer_.data()) + offsets_[first]};
}

size_t SparseColumn::EndOfPiece(size_t first, uint64_t entries) const {
    const auto end = std::upper_bound(offsets_.begin() + static_cast<ptrdiff_t>(first),
                                      offsets_.end(), offsets_[first] + entries);
    return std::clamp<size_t>(static_cast<size_t>(end - offsets_.begin()) - 1, first + 1, count());
}

Status SparseColumn::ReadEntries(storage::Connection* connection, const PartInfo& part,
                                 uint64_t first, uint64_t end, int threads, Bytes* chunks,
                                 char* out) const {
    if (first == end) {
        return {};
    }
    const auto first_chunk = static_cast<size_t>(first / part.chunk_items);
    const auto last_chunk = static_cast<size_t>((end - 1) / part.chunk_items) + 1;
    const uint64_t start = uint64_t{first_chunk} * part.chunk_items;
    const uint64_t stop = std::min<uint64_t>(uint64_t{last_chunk} * part.chunk_items, part.items);
    chunks->resize(static_cast<size_t>(stop - start) * 4);
    QUERN_TRY(
        storage::ReadChunks(connection, part, first_chunk, last_chunk, threads, chunks->data()));
    std::memcpy(out, chunks->data() + (first - start) * 4, static_cast<size_t>(end - first) * 4);
    return {};
}

Result<SparsePiece> SparseColumn::Read(storage::Connection* connection, size_t first, size_t end,
                                       int threads, SparseSpace* space) const {
    const auto count = static_cast<size_t>(offsets_[end] - offsets_[first]);
    space->dimensions.resize(count);
    space->weights.resize(binary_ ? 0 : count);
    if (count > 0) {
        QUERN_TRY(ReadEntries(connection, *gaps_, offsets_[first], offsets_[end], threads,
                              &space->chunks, reinterpret_cast<char*>(space->dimensions.data())));
        if (!binary_) {
            QUERN_TRY(ReadEntries(connection, *weights_, offsets_[first], offsets_[end], threads,
                                  &space->chunks, reinterpret_cast<char*>(space->weights.data())));
        }
        QUERN_TRY(Finish(first, end, space->dimensions.data(),
                         binary_ ? nullptr : space->weights.data()));
    }
    return SparsePiece{first, end - first, offsets_.data() + first, space->dimensions.data(),
                       binary_ ? nullptr : space->weights.data()};
}

Status SparseColumn::GatherEntries(storage::Connection* connection, const PartInfo& part,
                                   uint64_t first, size_t count, ChunkCache* cache,
                                   char* out) const {
    while (count > 0) {
        const auto chunk = static_cast<size_t>(first / part.chunk_items);
        const auto at = static_cast<size_t>(first % part.chunk_items);
        QUERN_ASSIGN(const Bytes* const bytes, cache->Get(connection, part, chunk));
        const size_t take = std::min(count, bytes->size() / 4 - at);
        std::memcpy(out, bytes->data() + at * 4, take * 4);
        out += take * 4;
        first += take;
        count -= take;
    }
    return {};
}

std::optional<size_t> SparseColumn::VectorOf(uint32_t record) const {
    size_t vector = record;
    if (!records_.empty()) {
        const auto found = std::lower_bound(records_.begin(), records_.end(), record);
        if (found == records_.end() || *found != record) {
            return std::nullopt;
        }
        vector = static_cast<size_t>(found - records_.begin());
    }
    return vector < count() ? std::optional(vector) : std::nullopt;
}

Status SparseColumn::Weights(storage::Connection* connection, uint32_t record, ChunkCache* cache,
                             std::vector<float>* weights) const {
    const std::optional<size_t> vector = VectorOf(record);
    weights->resize(vector ? static_cast<size_t>(offsets_[*vector + 1] - offsets_[*vector]) : 0);
    if (weights->empty() || binary_) {
        return {};
    }
    if (resident()) {
        std::memcpy(weights->data(), Resident(*vector, *vector + 1).weights, weights->size() * 4);
        return {};
    }
    QUERN_TRY(GatherEntries(connection, *weights_, offsets_[*vector], weights->size(), cache,
                            reinterpret_cast<char*>(weights->data())));
    if (!storage::AreSparseWeights(weights->data(), weights->size())) {
        return Status::Error(Code::kCorrupt, "%s: vector %zu has impossible weights",
                             weights_->Name().c_str(), *vector);
    }
    return {};
}

Result<BytesView> SparseColumn::Value(storage::Connection* connection, uint32_t record,
                                      ChunkCache* cache) const {
    const std::optional<size_t> found = VectorOf(record);
    if (!found) {
        return BytesView();
    }
    const size_t vector = *found;
    const auto entries = static_cast<size_t>(offsets_[vector + 1] - offsets_[vector]);
    Bytes* const value = cache->assembled();
    value->resize(entries * storage::kSparseEntryBytes);
    char* const weights = value->data() + entries * 4;
    if (resident()) {
        if (entries > 0) {
            const SparsePiece piece = Resident(vector, vector + 1);
            std::memcpy(value->data(), piece.dimensions, entries * 4);
            if (binary_) {
                FillOnes(weights, entries);
            } else {
                std::memcpy(weights, piece.weights, entries * 4);
            }
        }
        return BytesView(*value);
    }
    if (entries == 0) {
        return BytesView(*value);
    }
    std::vector<uint32_t> gaps(entries);
    QUERN_TRY(GatherEntries(connection, *gaps_, offsets_[vector], entries, cache,
                            reinterpret_cast<char*>(gaps.data())));
    std::vector<float> exact(entries, 1.0f);
    if (!binary_) {
        QUERN_TRY(GatherEntries(connection, *weights_, offsets_[vector], entries, cache,
                                reinterpret_cast<char*>(exact.data())));
    }
    QUERN_TRY(Finish(vector, vector + 1, gaps.data(), exact.data()));
    std::memcpy(value->data(), gaps.data(), entries * 4);
    std::memcpy(weights, exact.data(), entries * 4);
    return BytesView(*value);
}

}  // namespace quern
