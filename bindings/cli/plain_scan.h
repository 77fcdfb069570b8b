// PlainScan: the loop that anybody would write, as the rival in `quern bench`.
//
// All vectors stand in one matrix in memory; a query runs over them row by row in f32 and keeps the
// best k in a heap. The sums have eight partial sums, so that the compiler may use the processor's
// vector registers: a fair loop, not a straw man. Bits are compared as 64-bit words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace quern::shell {

class PlainScan {
public:
    // metric: QUERN_L2 and so on. The matrix (n x dim) is taken over.
    PlainScan(std::vector<float> matrix, size_t dim, int32_t metric);

    size_t rows() const { return rows_; }
    // The k nearest rows: distance and row number, nearest first; ties by row number.
    std::vector<std::pair<float, size_t>> Search(const float* query, size_t k) const;
    // Reads every byte once and returns a sum that depends on all of them.
    double ReadAll() const;

private:
    float Distance(size_t row, const float* query, const uint64_t* query_bits,
                   float query_norm) const;

    std::vector<float> matrix_;
    std::vector<uint64_t> bits_;  // in place of the matrix, for hamming
    std::vector<float> norms_;    // for cosine
    size_t dim_;
    size_t words_ = 0;
    size_t rows_;
    int32_t metric_;
};

}  // namespace quern::shell
