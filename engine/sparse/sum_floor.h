// A number that k of a stream of numbers reach, hardly below the k-th largest: what a sum must
// reach to matter. Confined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::sparse {

// Numbers are only counted, in buckets of equal width: a step each, whatever k is.
class SumFloor {
public:
    // most: about the largest number to come. Larger ones are taken for it.
    void Start(size_t k, uint32_t most) {
        k_ = k;
        shift_ = 0;
        while (most >> shift_ >= kBuckets) {
            shift_++;
        }
        counts_.assign(kBuckets, 0);
        bucket_ = 0;
        above_ = 0;
    }
    void Push(uint32_t number) {
        const uint32_t bucket = std::min(number >> shift_, kBuckets - 1);
        if (bucket <= bucket_) {
            return;
        }
        counts_[bucket]++;
        above_++;
        while (above_ >= k_ && above_ > 0) {
            above_ -= counts_[++bucket_];
        }
    }
    // 0 while fewer than k are known.
    uint32_t floor() const { return bucket_ << shift_; }

private:
    static constexpr uint32_t kBuckets = 4096;
    size_t k_ = 0;
    uint32_t shift_ = 0;
    uint32_t bucket_ = 0;  // k numbers are in this bucket or above, unless it is the first
    size_t above_ = 0;     // numbers in buckets above
    std::vector<uint32_t> counts_;
};

}  // namespace quern::sparse
