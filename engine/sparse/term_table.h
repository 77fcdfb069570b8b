// Terms: what an index has lists for. A term is a dimension together with the sign of its weights,
// so that every list holds magnitudes only; most dimensions have one term.
//
// An impact is a magnitude in 8 bits, rounded up: |weight| <= scale * impact, always, and
// |weight| > scale * (impact - 1). Where all weights of a term are multiples of some power of two,
// and no more than 255 of it, that power is the scale, and impacts are exact; whole numbers up to
// 255 are such. A scale is a power of two only then: that is how a search knows.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "storage/base/bytes.h"
#include "storage/base/work.h"

namespace quern::sparse {

// What the weights of one term have in common.
struct WeightRange {
    float most = 0;        // the largest magnitude
    int lowest_bit = 999;  // all weights are multiples of 2 to this power
    void Take(float weight);
    void Take(const WeightRange& other);
    // Of impacts, as said above.
    float Scale() const;
};
// scale: of a range that has taken the weight; the sign does not matter.
uint8_t ImpactOf(float weight, float scale);
// Whether impacts in this scale are the weights themselves.
inline bool IsExactScale(float scale) {
    int exponent = 0;
    return std::frexp(std::fabs(scale), &exponent) == 0.5f;
}

class TermTable {
public:
    // Learns the terms of all rows. terms_of_entries: for every entry of the rows, its term. The
    // same for every number of threads. kInterrupted.
    static Result<TermTable> Learn(const SparseRows& rows, int threads, Work* work,
                                   std::vector<uint32_t>* terms_of_entries);

    size_t size() const { return dimensions_.size(); }
    uint32_t dimension(size_t term) const { return dimensions_[term]; }
    // Negative for the term of negative weights.
    float scale(size_t term) const { return scales_[term]; }
    bool IsExact(size_t term) const { return IsExactScale(scales_[term]); }
    // The first term of a dimension and how many it has: 0, 1, or 2 (positive, negative).
    std::pair<uint32_t, uint32_t> Find(uint32_t dimension) const;
    uint8_t Impact(size_t term, float weight) const { return ImpactOf(weight, scales_[term]); }

    void Write(ByteWriter* writer) const;
    // kCorrupt when the bytes are no term table.
    static Result<TermTable> Read(ByteReader* reader);
    uint64_t memory_bytes() const { return dimensions_.size() * 8; }

private:
    std::vector<uint32_t> dimensions_;  // ascending; where one is there twice, positive first
    std::vector<float> scales_;
};

}  // namespace quern::sparse
