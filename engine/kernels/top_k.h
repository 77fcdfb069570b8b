// The k nearest of a stream of distances.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace quern::kernels {

struct Hit {
    float distance = 0;
    uint32_t position = 0;
    friend bool operator<(const Hit& a, const Hit& b) {
        return a.distance != b.distance ? a.distance < b.distance : a.position < b.position;
    }
};

// Keeps the k smallest hits by distance, then position, in a heap that grows as they come (k may be
// a million). Confined.
class TopK {
public:
    explicit TopK(size_t k) : k_(k) {}

    void Push(float distance, uint32_t position) {
        const Hit hit{std::isnan(distance) ? std::numeric_limits<float>::infinity() : distance,
                      position};
        if (heap_.size() < k_) {
            heap_.push_back(hit);
            std::push_heap(heap_.begin(), heap_.end());
        } else if (k_ > 0 && hit < heap_.front()) {
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.back() = hit;
            std::push_heap(heap_.begin(), heap_.end());
        }
    }
    // The k-th distance; infinity while fewer are held. A hit farther away than this cannot enter.
    float Threshold() const {
        return heap_.size() < k_ || k_ == 0 ? std::numeric_limits<float>::infinity()
                                            : heap_.front().distance;
    }
    size_t size() const { return heap_.size(); }
    // All hits, nearest first; the object is empty afterwards.
    std::vector<Hit> Take() {
        std::sort_heap(heap_.begin(), heap_.end());
        return std::move(heap_);
    }

private:
    size_t k_;
    std::vector<Hit> heap_;  // largest first
};

}  // namespace quern::kernels
