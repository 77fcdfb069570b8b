#include "engine/db/vector_cache.h"

#include <algorithm>
#include <cstring>

namespace quern {

namespace {

constexpr int64_t kShardBytes = int64_t{1} << 20;  // a shard should hold many vectors
constexpr int64_t kShardsMax = 16;
// What an entry costs beside its vector: itself, its node in the map, what the allocator adds.
constexpr int64_t kEntryBytes = 128;

}  // namespace

size_t VectorCache::HashKey::operator()(const Key& key) const {
    uint64_t x = static_cast<uint64_t>(key.part) * 0x9E3779B97F4A7C15u + key.vector;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    return static_cast<size_t>(x);
}

VectorCache::VectorCache(int64_t bytes, std::shared_ptr<MemoryCounter> counter)
    : limit_(std::max<int64_t>(bytes, 0)),
      counter_(std::move(counter)),
      shard_count_(static_cast<size_t>(std::clamp<int64_t>(limit_ / kShardBytes, 1, kShardsMax))),
      shards_(new Shard[shard_count_]) {}

VectorCache::~VectorCache() {
    for (size_t s = 0; s < shard_count_; s++) {
        counter_->Add(-shards_[s].bytes);
    }
}

int64_t VectorCache::Cost(size_t bytes) {
    return static_cast<int64_t>(bytes) + kEntryBytes;
}

bool VectorCache::Copy(int64_t part, uint32_t vector, size_t bytes, char* out) {
    const Key key{part, vector};
    Shard& shard = ShardOf(key);
    std::lock_guard<std::mutex> lock(shard.mutex);
    const auto found = shard.places.find(key);
    if (found == shard.places.end()) {
        return false;
    }
    Entry& entry = shard.entries[found->second];
    if (entry.bytes != bytes) {
        return false;
    }
    entry.asked_for = true;
    std::memcpy(out, entry.data.get(), bytes);
    return true;
}

void VectorCache::Evict(Shard* shard) {
    while (true) {
        shard->hand = shard->hand + 1 < shard->entries.size() ? shard->hand + 1 : 0;
        Entry& entry = shard->entries[shard->hand];
        if (entry.data == nullptr) {
            continue;
        }
        if (entry.asked_for) {
            entry.asked_for = false;
            continue;
        }
        shard->places.erase(entry.key);
        shard->bytes -= Cost(entry.bytes);
        counter_->Add(-Cost(entry.bytes));
        entry.data.reset();
        shard->free.push_back(static_cast<uint32_t>(shard->hand));
        return;
    }
}

void VectorCache::Put(int64_t part, uint32_t vector, const char* data, size_t bytes) {
    const int64_t limit = limit_ / static_cast<int64_t>(shard_count_);
    if (Cost(bytes) > limit) {
        return;
    }
    const Key key{part, vector};
    Shard& shard = ShardOf(key);
    std::lock_guard<std::mutex> lock(shard.mutex);
    if (shard.places.count(key) > 0) {
        return;
    }
    while (shard.bytes + Cost(bytes) > limit) {
        Evict(&shard);
    }
    std::unique_ptr<char[]> copy(new char[bytes]);
    std::memcpy(copy.get(), data, bytes);
    if (shard.free.empty()) {
        shard.entries.emplace_back();
        shard.free.push_back(static_cast<uint32_t>(shard.entries.size() - 1));
    }
    const uint32_t place = shard.free.back();
    shard.places.emplace(key, place);
    shard.free.pop_back();
    Entry& entry = shard.entries[place];
    entry.key = key;
    entry.asked_for = false;
    entry.data = std::move(copy);
    entry.bytes = bytes;
    shard.bytes += Cost(bytes);
    counter_->Add(Cost(bytes));
}

}  // namespace quern
