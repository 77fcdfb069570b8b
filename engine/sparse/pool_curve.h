// What recall a walk of an approximate index (approximate_index.h) gives for what pool, measured
// when it is built with queries made of its records, so that a user can ask for a recall: the
// sibling of the curves of dense indexes, kept and read in the same way (engine/curves).
//
// A step is there as long as its walks cost less than exact searches do. So what the curve does not
// reach is better searched exactly.
//
// Two things that queries of its own records do not tell. The best record for such a query is often
// all but a copy of the one that it was made of, and so is found with any pool: of 24,551 vectors
// of questions a pool of 10 found .96 of these, and .92 of the best for other questions. So results
// of fewer than 10 are asked as 10 are. And a pool of no more than k loses whatever rough scores
// misplace, which they do less for made queries (.91 of 10, and .87): a pool is of more than k.
//
// Thread rule: immutable once it is measured or read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::sparse {

class PoolCurve {
public:
    // Steps of a factor of about 1.4, so that the curve between two of them is nearly straight.
    static constexpr std::array<uint32_t, 13> kPools = {10,  14,  20,  28,  40,  56, 80,
                                                        112, 160, 224, 320, 448, 640};
    static constexpr std::array<uint32_t, 3> kK = {1, 10, 100};

    PoolCurve() : recall_(kK.size() * kPools.size(), 0.0f) {}
    bool empty() const { return queries_ == 0; }
    uint32_t queries() const { return queries_; }
    void SetQueries(uint32_t queries) { queries_ = queries; }
    // 0: the step is not there.
    float& At(size_t k, size_t step) { return recall_[k * kPools.size() + step]; }
    float At(size_t k, size_t step) const { return recall_[k * kPools.size() + step]; }

    // The least pool that gives recall@k, with the margin of engine/curves/recall_margin.h. None:
    // an exact search is better.
    std::optional<size_t> Find(size_t k, double recall) const;
    // The recall@k that a pool is expected to give, less that margin. 0: not known.
    double Expect(size_t k, size_t pool) const;

    void Write(ByteWriter* writer) const;
    static Result<PoolCurve> Read(ByteReader* reader);

private:
    // The least k, by its number, whose curve is to be trusted alone.
    static constexpr size_t kAlike = 1;
    std::optional<double> FindAt(size_t k_number, double recall) const;
    double ExpectAt(size_t number, size_t pool) const;
    double Neighbours(size_t k_number) const {
        return static_cast<double>(queries_) * static_cast<double>(kK[k_number]);
    }
    uint32_t queries_ = 0;
    std::vector<float> recall_;
};

}  // namespace quern::sparse
