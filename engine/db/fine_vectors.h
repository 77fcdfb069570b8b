// The stored vectors of one field of one segment, for those who look at a few of them: a search
// that has walked over codes measures the nearest candidates again.
//
// Where there is room for all vectors, a chunk is decoded into its place at the first look, and a
// bit tells that it is there: nothing is kept twice, nothing is thrown out, and the first answer
// does not wait for the rest. Each search that has to read at all reads a piece more, from the
// front to the end, so that after some hundreds of them everything is there; an exact scan loads
// what is missing. Where there is no room, single vectors go through the cache of the database.
//
// Thread rule: thread-safe; a FineSpace belongs to one thread at a time. A chunk is decoded under
// one of a few locks, and read without any once its bit is set.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/db/held_element.h"
#include "engine/db/vector_cache.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"
#include "storage/chunk_store.h"

namespace quern {

// What one thread needs, and what it has found.
struct FineSpace {
    // Where the vectors asked for are: row picked[i] of rows is the i-th.
    const char* rows = nullptr;
    const uint32_t* picked = nullptr;
    bool copied = false;      // rows holds copies in the order asked for
    uint64_t read_count = 0;  // how many of them had to be read from the file

    // Keeps its memory, not what is in it.
    void Forget() { chunk_part_ = 0; }

private:
    friend class FineVectors;
    Bytes copies_;
    std::vector<uint32_t> numbers_;  // 0, 1, 2, ...
    std::vector<uint32_t> missing_;  // positions in what was asked for
    Bytes chunk_;                    // the last that was decoded
    int64_t chunk_part_ = 0;
    size_t chunk_number_ = 0;
};

class FineVectors {
public:
    // rows and resident belong to the field: all vectors, and whether all of them are there. All
    // rows here and in a FineSpace are of the form that is held.
    FineVectors(const storage::PartInfo* part, const HeldForm& form,
                std::shared_ptr<VectorCache> cache, Buffer* rows, std::atomic<bool>* resident);

    // Gives room for all vectors. Not from two threads at once.
    void Keep(Buffer room);
    bool keeps() const { return room_.load(std::memory_order_acquire) != nullptr; }
    // The vector if it is in the room already.
    const char* InRoom(size_t vector) const;

    // Finds vectors as far as they are in memory. False: Read must follow, with the same.
    bool Find(const uint32_t* vectors, size_t count, FineSpace* space) const;
    Status Read(storage::Connection* connection, const uint32_t* vectors, FineSpace* space);
    // Bytes of the file that LoadAll would read.
    uint64_t BytesToLoad() const;
    // Loads everything into the room.
    Status LoadAll(storage::Connection* connection, int threads, Work* work);

private:
    static constexpr size_t kLocks = 64;
    bool Present(size_t chunk) const {
        return (present_[chunk / 64].load(std::memory_order_acquire) >> (chunk % 64) & 1) != 0;
    }
    size_t FirstMissing() const;
    size_t ChunkOf(size_t vector) const { return vector / part_->chunk_items; }
    Status Decode(size_t chunk, BytesView stored);
    Status Fill(storage::Connection* connection, size_t chunk);
    Status FillPiece(storage::Connection* connection);
    void SetPresent(size_t chunk);
    Status ReadCopies(storage::Connection* connection, const uint32_t* vectors, FineSpace* space);

    const storage::PartInfo* part_;
    HeldForm form_;
    std::shared_ptr<VectorCache> cache_;
    Buffer* rows_;
    std::atomic<bool>* resident_;
    std::atomic<char*> room_{nullptr};
    std::unique_ptr<std::atomic<uint64_t>[]> present_;  // one bit a chunk
    std::atomic<size_t> present_count_{0};
    std::atomic<size_t> next_piece_{0};  // first chunk of it
    std::mutex load_mutex_;              // held by the one who loads everything
    std::mutex locks_[kLocks];           // chunk c is decoded under locks_[c % kLocks]
};

}  // namespace quern
