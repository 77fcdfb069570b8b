// The k best records of one query, over any number of segments.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace quern::sparse {

struct SparseHit {
    double score = 0;
    uint32_t source = 0;    // which segment
    uint32_t position = 0;  // in it
    // Better: a higher score; equal ones by segment and position, so that every search order gives
    // the same hits.
    friend bool operator<(const SparseHit& a, const SparseHit& b) {
        if (a.score != b.score) {
            return a.score > b.score;
        }
        return a.source != b.source ? a.source < b.source : a.position < b.position;
    }
};

// Keeps the k best in a heap that grows as they come (k may be absurd). Searching one segment after
// the other with the same object shares the threshold. Confined.
class TopHits {
public:
    explicit TopHits(size_t k) : k_(k) {}
    // Scores below `floor` are not wanted.
    TopHits(size_t k, double floor) : k_(k), floor_(floor) {}
    // The positions that are offered from now on are places in `names`, and held as what is there:
    // where rows were reordered, equal scores are decided as if they had not been.
    void NamePositions(const uint32_t* names) { names_ = names; }
    void Push(SparseHit hit) {
        if (hit.score < floor_) {
            return;
        }
        hit.position = names_ == nullptr ? hit.position : names_[hit.position];
        if (heap_.size() < k_) {
            heap_.push_back(hit);
            std::push_heap(heap_.begin(), heap_.end());
        } else if (k_ > 0 && hit < heap_.front()) {
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.back() = hit;
            std::push_heap(heap_.begin(), heap_.end());
        }
    }
    // The k-th best score; the floor while fewer are held. Less than this cannot enter.
    double Threshold() const { return heap_.size() < k_ || k_ == 0 ? floor_ : heap_.front().score; }
    size_t k() const { return k_; }
    size_t size() const { return heap_.size(); }
    // All hits, best first; the object is empty afterwards.
    std::vector<SparseHit> Take() {
        std::sort(heap_.begin(), heap_.end());
        return std::move(heap_);
    }

private:
    size_t k_;
    double floor_ = -std::numeric_limits<double>::infinity();
    const uint32_t* names_ = nullptr;
    std::vector<SparseHit> heap_;  // worst first
};

}  // namespace quern::sparse
