// What share of everything within a distance an index finds for what effort, measured when it was
// built on held-out records, with the distances of their 1st, 10th, 100th and 1000th neighbour as
// bounds: the sibling of EffortCurve and ProbeCurve for searches without a limit.
//
// Effort is one number. For a graph: how many nodes beyond the bound its walk keeps. For lists: how
// many cells, one after the other in the order of their centres, may give nothing before a search
// ends.
//
// How many records a bound will catch is not known before, so an effort counts for what it gives at
// the worst of the bounds that it was measured with.
//
// Candidates are taken by codes, and decided by the stored vectors. How far beyond the bound codes
// must be believed is part of the curve: all but one in 500 of the true ones are within that
// margin.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/dense/codes/codes.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

class RangeCurve {
public:
    static constexpr std::array<uint32_t, 11> kEfforts = {1,  2,   4,   8,   16,  32,
                                                          64, 128, 256, 512, 1024};
    static constexpr std::array<uint32_t, 4> kRanks = {1, 10, 100, 1000};

    RangeCurve() : recall_(kRanks.size() * kEfforts.size(), 0.0f) {}
    bool empty() const { return queries_ == 0; }
    uint32_t queries() const { return queries_; }
    void SetQueries(uint32_t queries) { queries_ = queries; }
    float& At(size_t rank, size_t effort) { return recall_[rank * kEfforts.size() + effort]; }
    float At(size_t rank, size_t effort) const { return recall_[rank * kEfforts.size() + effort]; }
    // The least effort that gives the recall with all bounds. False: none does.
    bool Find(double recall, size_t* effort) const;
    // The effort for the same recall while nothing was found yet, where that is more: no rows at
    // all are a worse answer than some of them. It misses a bound that catches one a fourth as
    // often.
    size_t FirstEffort(double recall) const;
    // The recall that an effort is expected to give.
    double Expect(size_t effort) const;

    // The distance beyond `bound` up to which a distance by codes may belong to something within.
    double Margin(const Codes& codes, const float* vector, double bound) const;
    // error: of a distance, in units of ErrorUnit; own_error: of the distance of a vector and its
    // own codes (l2).
    void SetErrors(float error, float own_error) {
        error_ = error;
        own_error_ = own_error;
    }
    // What the error of a distance by codes grows with.
    static double ErrorUnit(const Codes& codes, const float* vector, double distance);

    void Write(ByteWriter* writer) const;
    static Result<RangeCurve> Read(ByteReader* reader);

private:
    // The effort that gives a share of what one of kRanks catches; beyond kEfforts: none does.
    double EffortAt(size_t rank, double share) const;

    uint32_t queries_ = 0;
    std::vector<float> recall_;
    float error_ = 0;
    float own_error_ = 0;
};

}  // namespace quern::dense
