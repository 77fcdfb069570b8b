// WalkFrontier: the nodes that a filtered walk has met and not gone to yet, nearest first.
//
// The nearest few hundred stand in order, as in the pool of a walk: taking one is free and a new
// one is mostly put near the front, while each step of a heap is a branch that nobody can foretell.
// What is farther than those waits in a heap until they are used up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "engine/dense/sorted_pool.h"

namespace quern::dense {

class WalkFrontier {
public:
    void Clear() {
        if (distances_.empty()) {
            distances_.resize(2 * kInOrder + kPoolPadding);
            nodes_.resize(2 * kInOrder + kPoolPadding);
        }
        begin_ = 0;
        count_ = 0;
        far_.clear();
        nearest_far_ = std::numeric_limits<float>::infinity();
    }
    bool empty() const { return count_ == 0; }
    float Nearest() const { return distances_[begin_]; }
    // Of those in order.
    size_t ready() const { return count_; }
    uint32_t Node(size_t place) const { return nodes_[begin_ + place]; }

    // Its place among those in order; kInOrder if it got none.
    size_t Add(uint32_t node, float distance) {
        if (distance > nearest_far_ ||
            (count_ == kInOrder && !(distance < distances_[begin_ + count_ - 1]))) {
            AddFar(node, distance);
            return kInOrder;
        }
        if (count_ == kInOrder) {
            count_--;
            AddFar(nodes_[begin_ + count_], distances_[begin_ + count_]);
        }
        if (begin_ + count_ == 2 * kInOrder) {
            std::copy_n(distances_.begin() + static_cast<ptrdiff_t>(begin_), count_,
                        distances_.begin());
            std::copy_n(nodes_.begin() + static_cast<ptrdiff_t>(begin_), count_, nodes_.begin());
            begin_ = 0;
        }
        const size_t place = begin_ + PlaceBehind(&distances_[begin_], count_, distance);
        const size_t moved = begin_ + count_ - place;
        MakePlace(&distances_[place], moved);
        MakePlace(&nodes_[place], moved);
        distances_[place] = distance;
        nodes_[place] = node;
        count_++;
        return place - begin_;
    }
    // There must be one.
    uint32_t Take() {
        const uint32_t node = nodes_[begin_];
        begin_++;
        count_--;
        if (count_ == 0 && !far_.empty()) {
            Refill();
        }
        return node;
    }

    static constexpr size_t kInOrder = 256;

private:
    using Far = std::pair<float, uint32_t>;

    void AddFar(uint32_t node, float distance) {
        far_.emplace_back(distance, node);
        std::push_heap(far_.begin(), far_.end(), std::greater<Far>());
        nearest_far_ = far_.front().first;
    }
    void Refill() {
        begin_ = 0;
        for (; count_ < kInOrder / 2 && !far_.empty(); count_++) {
            std::pop_heap(far_.begin(), far_.end(), std::greater<Far>());
            distances_[count_] = far_.back().first;
            nodes_[count_] = far_.back().second;
            far_.pop_back();
        }
        nearest_far_ = far_.empty() ? std::numeric_limits<float>::infinity() : far_.front().first;
    }

    std::vector<float> distances_;
    std::vector<uint32_t> nodes_;
    size_t begin_ = 0;
    size_t count_ = 0;
    std::vector<Far> far_;  // none nearer than those in order
    float nearest_far_ = std::numeric_limits<float>::infinity();
};

}  // namespace quern::dense
