#include "engine/sparse/space_pool.h"

#include "engine/sparse/sparse_search.h"

namespace quern::sparse {

namespace {
// As many threads as search at the same time, usually.
constexpr size_t kIdleMax = 8;
// Searches for very many records leave spaces that are too large to be kept.
constexpr size_t kPendingMax = size_t{1} << 16;
}  // namespace

SpacePool::SpacePool() = default;
SpacePool::~SpacePool() = default;

SpacePool::Lease::Lease(SpacePool* pool) : pool_(pool) {
    {
        std::lock_guard<std::mutex> lock(pool_->mutex_);
        if (!pool_->idle_.empty()) {
            space_ = std::move(pool_->idle_.back());
            pool_->idle_.pop_back();
            return;
        }
        pool_->idle_.reserve(kIdleMax);
    }
    space_ = std::make_unique<SearchSpace>();
}

SpacePool::Lease::~Lease() {
    if (space_->pending.capacity() > kPendingMax) {
        return;
    }
    std::lock_guard<std::mutex> lock(pool_->mutex_);
    if (pool_->idle_.size() < kIdleMax) {
        pool_->idle_.push_back(std::move(space_));
    }
}

}  // namespace quern::sparse
