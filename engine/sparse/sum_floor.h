// The k-th largest of a stream of numbers, or some number below it: what a sum must reach to
// matter. Confined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace quern::sparse {

class SumFloor {
public:
    void Start(size_t k) {
        k_ = k;
        floor_ = 0;
        held_.clear();
    }
    // Numbers are gathered and sorted out in batches, which costs a few steps each whatever k is.
    void Push(uint32_t number) {
        if (number > floor_) {
            held_.push_back(number);
            if (held_.size() >= 2 * std::min(k_, kKMax) + kBatch) {
                Settle();
            }
        }
    }
    // Brings the floor up, unless too little is new to be worth the work.
    void Refresh() {
        if (held_.size() >= (floor_ == 0 ? k_ : k_ + std::min(k_, kKMax) / 2 + 1)) {
            Settle();
        }
    }
    // 0 while fewer than k are known.
    uint32_t floor() const { return floor_; }

private:
    static constexpr size_t kBatch = 64;
    static constexpr size_t kKMax = size_t{1} << 40;
    void Settle() {
        if (held_.size() >= k_ && k_ > 0) {
            const auto kth = held_.begin() + static_cast<ptrdiff_t>(k_ - 1);
            std::nth_element(held_.begin(), kth, held_.end(), std::greater<>());
            floor_ = *kth;
            held_.resize(k_);
        }
    }
    size_t k_ = 0;
    uint32_t floor_ = 0;
    std::vector<uint32_t> held_;
};

}  // namespace quern::sparse
