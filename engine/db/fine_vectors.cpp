#include "engine/db/fine_vectors.h"

#include <algorithm>
#include <cstring>

namespace quern {

namespace {

// What a search that had to read reads beside, towards having everything: about half a millisecond.
constexpr size_t kPieceBytes = 256 << 10;

}  // namespace

FineVectors::FineVectors(const storage::PartInfo* part, const HeldForm& form,
                         std::shared_ptr<VectorCache> cache, Buffer* rows,
                         std::atomic<bool>* resident)
    : part_(part), form_(form), cache_(std::move(cache)), rows_(rows), resident_(resident) {}

void FineVectors::Keep(Buffer room) {
    present_.reset(new std::atomic<uint64_t>[part_->chunks.size() / 64 + 1]());
    *rows_ = std::move(room);
    room_.store(rows_->data(), std::memory_order_release);
}

const char* FineVectors::InRoom(size_t vector) const {
    const char* room = room_.load(std::memory_order_acquire);
    return room != nullptr && Present(ChunkOf(vector)) ? room + vector * form_.row_bytes()
                                                       : nullptr;
}

bool FineVectors::Find(const uint32_t* vectors, size_t count, FineSpace* space) const {
    space->missing_.clear();
    space->read_count = 0;
    const char* room = room_.load(std::memory_order_acquire);
    space->copied = room == nullptr;
    if (room != nullptr) {
        space->rows = room;
        space->picked = vectors;
        for (uint32_t i = 0; i < count; i++) {
            if (!Present(ChunkOf(vectors[i]))) {
                space->missing_.push_back(i);
            }
        }
        return space->missing_.empty();
    }
    const size_t bytes = form_.row_bytes();
    if (space->copies_.size() < count * bytes) {
        space->copies_.resize(count * bytes);
    }
    while (space->numbers_.size() < count) {
        space->numbers_.push_back(static_cast<uint32_t>(space->numbers_.size()));
    }
    space->rows = space->copies_.data();
    space->picked = space->numbers_.data();
    for (uint32_t i = 0; i < count; i++) {
        if (!cache_->Copy(part_->id, vectors[i], bytes, space->copies_.data() + i * bytes)) {
            space->missing_.push_back(i);
        }
    }
    return space->missing_.empty();
}

Status FineVectors::Read(storage::Connection* connection, const uint32_t* vectors,
                         FineSpace* space) {
    // In the order in which they stand in the file.
    std::sort(space->missing_.begin(), space->missing_.end(),
              [&](uint32_t a, uint32_t b) { return vectors[a] < vectors[b]; });
    space->read_count = space->missing_.size();
    if (space->copied) {
        return ReadCopies(connection, vectors, space);
    }
    for (const uint32_t i : space->missing_) {
        const size_t chunk = ChunkOf(vectors[i]);
        if (!Present(chunk)) {
            QUERN_TRY(Fill(connection, chunk));
        }
    }
    return FillPiece(connection);
}

Status FineVectors::ReadCopies(storage::Connection* connection, const uint32_t* vectors,
                               FineSpace* space) {
    const size_t bytes = form_.row_bytes();
    for (const uint32_t i : space->missing_) {
        const size_t chunk = ChunkOf(vectors[i]);
        if (space->chunk_part_ != part_->id || space->chunk_number_ != chunk) {
            space->chunk_part_ = 0;  // nothing, should reading fail
            space->chunk_.resize(part_->chunks[chunk].raw_bytes);
            QUERN_TRY(storage::ReadChunk(connection, *part_, chunk, space->chunk_.data()));
            space->chunk_part_ = part_->id;
            space->chunk_number_ = chunk;
        }
        const char* stored = space->chunk_.data() + (vectors[i] % part_->chunk_items) *
                                                        static_cast<size_t>(part_->item_bytes);
        char* const row = space->copies_.data() + i * bytes;
        QUERN_TRY(form_.Hold(*part_, stored, 1, row));
        cache_->Put(part_->id, vectors[i], row, bytes);
    }
    return {};
}

void FineVectors::SetPresent(size_t chunk) {
    present_[chunk / 64].fetch_or(uint64_t{1} << (chunk % 64), std::memory_order_release);
    if (present_count_.fetch_add(1, std::memory_order_acq_rel) + 1 == part_->chunks.size()) {
        resident_->store(true, std::memory_order_release);
    }
}

Status FineVectors::Decode(size_t chunk, BytesView stored) {
    if (Present(chunk)) {
        return {};
    }
    // Who reads a chunk may not see another decode it once more.
    std::lock_guard<std::mutex> lock(locks_[chunk % kLocks]);
    if (Present(chunk)) {
        return {};
    }
    char* const place = rows_->data() + chunk * part_->chunk_items * form_.row_bytes();
    if (!form_.narrow()) {
        QUERN_TRY(storage::DecodeChunk(*part_, chunk, stored, place));
    } else {
        Bytes wide(part_->chunks[chunk].raw_bytes, '\0');
        QUERN_TRY(storage::DecodeChunk(*part_, chunk, stored, wide.data()));
        QUERN_TRY(form_.Hold(*part_, wide.data(), wide.size() / part_->item_bytes, place));
    }
    SetPresent(chunk);
    return {};
}

Status FineVectors::Fill(storage::Connection* connection, size_t chunk) {
    return storage::ForChunks(
        connection, *part_, chunk, chunk + 1,
        [&](size_t number, BytesView stored) { return Decode(number, stored); });
}

Status FineVectors::FillPiece(storage::Connection* connection) {
    const size_t chunk_bytes = static_cast<size_t>(part_->chunk_items) * part_->item_bytes;
    const size_t chunks = std::max<size_t>(1, kPieceBytes / chunk_bytes);
    if (next_piece_.load(std::memory_order_relaxed) >= part_->chunks.size()) {
        return {};
    }
    const size_t first = next_piece_.fetch_add(chunks, std::memory_order_relaxed);
    const size_t last = std::min(first + chunks, part_->chunks.size());
    if (first >= last) {
        return {};
    }
    const size_t held_bytes = part_->chunk_items * form_.row_bytes();
    const size_t end = std::min(last * held_bytes, rows_->bytes());
    rows_->WantHugePages(first * held_bytes, end);
    // Damage that nobody has asked for is not this search's affair.
    const Status status =
        storage::ForChunks(connection, *part_, first, last,
                           [&](size_t number, BytesView stored) { return Decode(number, stored); });
    return status.code() == Code::kCorrupt ? Status() : status;
}

size_t FineVectors::FirstMissing() const {
    size_t first = 0;
    while (first < part_->chunks.size() && Present(first)) {
        first++;
    }
    return first;
}

uint64_t FineVectors::BytesToLoad() const {
    if (resident_->load(std::memory_order_acquire)) {
        return 0;
    }
    uint64_t bytes = 0;
    for (size_t chunk = keeps() ? FirstMissing() : 0; chunk < part_->chunks.size(); chunk++) {
        bytes += part_->chunks[chunk].stored_bytes;
    }
    return bytes;
}

Status FineVectors::LoadAll(storage::Connection* connection, int threads, Work* work) {
    if (resident_->load(std::memory_order_acquire)) {
        return {};
    }
    std::lock_guard<std::mutex> lock(load_mutex_);
    const size_t first = FirstMissing();
    rows_->WantHugePages(0, rows_->bytes());
    return storage::ForChunksOnThreads(
        connection, *part_, first, part_->chunks.size(), threads,
        [&](size_t chunk, BytesView stored) -> Status {
            QUERN_TRY(Decode(chunk, stored));
            return work != nullptr ? work->Check("load", chunk + 1, part_->chunks.size())
                                   : Status();
        });
}

}  // namespace quern
