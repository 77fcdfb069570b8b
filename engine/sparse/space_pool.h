// Spaces of searches, lent from one search to the next: a new one is half a megabyte to allocate
// and clear, of which a query touches little.
//
// Thread rule: thread-safe; a lease is confined.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace quern::sparse {

class SearchSpace;

class SpacePool {
public:
    SpacePool();
    ~SpacePool();

    class Lease {
    public:
        explicit Lease(SpacePool* pool);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        SearchSpace* get() { return space_.get(); }

    private:
        SpacePool* pool_;
        std::unique_ptr<SearchSpace> space_;
    };

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<SearchSpace>> idle_;
};

}  // namespace quern::sparse
