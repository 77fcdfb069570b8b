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

// Keeps the k best, which are made a heap once there are so many (k may be absurd). Searching one
// segment after the other with the same object shares the threshold. Confined.
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
            if (heap_.size() == k_) {
                std::make_heap(heap_.begin(), heap_.end());
            }
        } else if (k_ > 0 && hit < heap_.front()) {
            ReplaceWorst(hit);
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
    // One way down, where taking the worst away and adding another would go down and up.
    void ReplaceWorst(const SparseHit& hit) {
        size_t at = 0;
        for (size_t child = 1; child < heap_.size(); child = 2 * at + 1) {
            if (child + 1 < heap_.size() && heap_[child] < heap_[child + 1]) {
                child++;
            }
            if (!(hit < heap_[child])) {
                break;
            }
            heap_[at] = heap_[child];
            at = child;
        }
        heap_[at] = hit;
    }

    size_t k_;
    double floor_ = -std::numeric_limits<double>::infinity();
    const uint32_t* names_ = nullptr;
    std::vector<SparseHit> heap_;  // as they came, until there are k: then worst first
};

}  // namespace quern::sparse
