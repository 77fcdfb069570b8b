// The plain scan.
#include "plain_scan.h"

#include <quern.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace quern::shell {
namespace {

constexpr size_t kLanes = 8;

float Dot(const float* a, const float* b, size_t dim) {
    float sums[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
        for (size_t lane = 0; lane < kLanes; lane++) {
            sums[lane] += a[i + lane] * b[i + lane];
        }
    }
    float sum = 0;
    for (; i < dim; i++) {
        sum += a[i] * b[i];
    }
    for (float part : sums) {
        sum += part;
    }
    return sum;
}

float SquaredL2(const float* a, const float* b, size_t dim) {
    float sums[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
        for (size_t lane = 0; lane < kLanes; lane++) {
            const float difference = a[i + lane] - b[i + lane];
            sums[lane] += difference * difference;
        }
    }
    float sum = 0;
    for (; i < dim; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    for (float part : sums) {
        sum += part;
    }
    return sum;
}

void PackBits(const float* numbers, size_t dim, uint64_t* words) {
    for (size_t i = 0; i < dim; i++) {
        if (numbers[i] > 0) {
            words[i / 64] |= uint64_t{1} << (i % 64);
        }
    }
}

}  // namespace

PlainScan::PlainScan(std::vector<float> matrix, size_t dim, int32_t metric)
    : matrix_(std::move(matrix)), dim_(dim), rows_(matrix_.size() / dim), metric_(metric) {
    if (metric_ == QUERN_HAMMING) {
        words_ = (dim_ + 63) / 64;
        bits_.resize(rows_ * words_);
        for (size_t row = 0; row < rows_; row++) {
            PackBits(matrix_.data() + row * dim_, dim_, bits_.data() + row * words_);
        }
        matrix_ = {};
    } else if (metric_ == QUERN_COSINE) {
        for (size_t row = 0; row < rows_; row++) {
            const float* vector = matrix_.data() + row * dim_;
            norms_.push_back(std::sqrt(Dot(vector, vector, dim_)));
        }
    }
}

float PlainScan::Distance(size_t row, const float* query, const uint64_t* query_bits,
                          float query_norm) const {
    if (metric_ == QUERN_HAMMING) {
        const uint64_t* words = bits_.data() + row * words_;
        int differing = 0;
        for (size_t i = 0; i < words_; i++) {
            differing += std::popcount(words[i] ^ query_bits[i]);
        }
        return static_cast<float>(differing);
    }
    const float* vector = matrix_.data() + row * dim_;
    if (metric_ == QUERN_L2) {
        return SquaredL2(vector, query, dim_);
    }
    const float product = Dot(vector, query, dim_);
    if (metric_ == QUERN_IP) {
        return -product;
    }
    const float norms = norms_[row] * query_norm;
    return norms > 0 ? 1 - product / norms : 1;
}

std::vector<std::pair<float, size_t>> PlainScan::Search(const float* query, size_t k) const {
    std::vector<uint64_t> query_bits(words_);
    if (words_ > 0) {
        PackBits(query, dim_, query_bits.data());
    }
    const float query_norm = metric_ == QUERN_COSINE ? std::sqrt(Dot(query, query, dim_)) : 0;
    std::vector<std::pair<float, size_t>> best;  // a heap with the worst on top
    for (size_t row = 0; row < rows_; row++) {
        const std::pair<float, size_t> found{Distance(row, query, query_bits.data(), query_norm),
                                             row};
        if (best.size() < k) {
            best.push_back(found);
            std::push_heap(best.begin(), best.end());
        } else if (k > 0 && found < best.front()) {
            std::pop_heap(best.begin(), best.end());
            best.back() = found;
            std::push_heap(best.begin(), best.end());
        }
    }
    std::sort_heap(best.begin(), best.end());
    return best;
}

double PlainScan::ReadAll() const {
    if (!bits_.empty()) {
        uint64_t sum = 0;
        for (uint64_t word : bits_) {
            sum += word;
        }
        return static_cast<double>(sum);
    }
    // Several registers of sums, so that the additions do not wait for one another.
    constexpr size_t kReadLanes = 4 * kLanes;
    float sums[kReadLanes] = {};
    for (size_t i = 0; i + kReadLanes <= matrix_.size(); i += kReadLanes) {
        for (size_t lane = 0; lane < kReadLanes; lane++) {
            sums[lane] += matrix_[i + lane];
        }
    }
    double sum = 0;
    for (float part : sums) {
        sum += part;
    }
    return sum;
}

}  // namespace quern::shell
