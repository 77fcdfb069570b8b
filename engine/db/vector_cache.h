// Vectors that were read from the file one by one, kept for the next who asks: shared by all
// searches of a database handle, bounded by the open option cache_mb.
//
// Part ids are never used again, so what is here is never stale: what belongs to a segment that is
// gone is not asked for and leaves in its turn. Who leaves is found by a clock: a hand goes round
// and takes the first entry that nobody has asked for since it came by.
//
// Thread rule: thread-safe. The entries are shared out among shards, each with a lock that is held
// for the copying of one vector.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "storage/base/buffer.h"
#include "storage/base/bytes.h"

namespace quern {

class VectorCache {
public:
    // bytes: the most that it holds, its own tables included.
    VectorCache(int64_t bytes, std::shared_ptr<MemoryCounter> counter);
    ~VectorCache();
    VectorCache(const VectorCache&) = delete;
    VectorCache& operator=(const VectorCache&) = delete;

    // Copies the vector to out if it is here.
    bool Copy(int64_t part, uint32_t vector, size_t bytes, char* out);
    void Put(int64_t part, uint32_t vector, const char* data, size_t bytes);
    int64_t limit() const { return limit_; }

private:
    struct Key {
        int64_t part = 0;
        uint32_t vector = 0;
        bool operator==(const Key& other) const {
            return part == other.part && vector == other.vector;
        }
    };
    struct HashKey {
        size_t operator()(const Key& key) const;
    };
    struct Entry {
        Key key;
        bool asked_for = false;
        std::unique_ptr<char[]> data;
        size_t bytes = 0;
    };
    struct Shard {
        std::mutex mutex;
        std::unordered_map<Key, uint32_t, HashKey> places;  // in entries
        std::vector<Entry> entries;
        std::vector<uint32_t> free;
        size_t hand = 0;
        int64_t bytes = 0;
    };
    static int64_t Cost(size_t bytes);
    Shard& ShardOf(const Key& key) { return shards_[HashKey()(key) % shard_count_]; }
    void Evict(Shard* shard);

    int64_t limit_;
    std::shared_ptr<MemoryCounter> counter_;
    size_t shard_count_;
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace quern
