// How far each row is from what its codes stand for: measured when codes are made, so that nothing
// has to be assumed of tails that were cut off, of dimensions without codes, or of what was not in
// the sample. With it a scan over codes can prove that rows which it did not measure are too far
// away (code_bound.h).
//
// One number for all rows would be that of the worst outlier: among mnist784's images, where pixels
// that hardly anybody has have no codes, it would prove nothing. So each row has a level of its
// own, one byte: error = unit * 2^((level - 255) / 16), rounded up; level 0 is no error at all. The
// unit is the largest.
//
// In a file: the unit as f32, then the levels.
#pragma once

#include <array>
#include <vector>

#include "engine/dense/codes/codes.h"
#include "storage/base/buffer.h"

namespace quern::dense {

class RowErrors {
public:
    // Of all rows, encoded as `coded`. None where no bound is known of such codes, or where an
    // error is no usual number. Cost: as encoding them.
    static Result<RowErrors> Measure(const Codes& codes, const VectorRows& rows,
                                     const CodeRows& coded, int threads, Work* work);
    // kCorrupt unless they are those of `count` rows; an empty buffer is none.
    static Result<RowErrors> Read(Buffer bytes, size_t count);

    bool empty() const { return bytes_.bytes() == 0; }
    const Buffer& bytes() const { return bytes_; }
    // The largest Euclidean distance of a row of that level and its decoded codes; under cosine of
    // the row at length one.
    double Of(uint8_t level) const { return of_level_[level]; }
    const uint8_t* levels() const {
        return reinterpret_cast<const uint8_t*>(bytes_.data()) + sizeof(float);
    }
    // All rows but the loose ones have this level or a lower one.
    uint8_t common() const { return common_; }
    // Rows that are worse, one in 64 at most; ascending.
    const std::vector<uint32_t>& loose() const { return loose_; }
    uint64_t memory_bytes() const { return bytes_.bytes() + loose_.size() * sizeof(uint32_t); }

private:
    void Fill(float unit);
    void FindLoose();

    Buffer bytes_;
    std::array<double, 256> of_level_{};
    uint8_t common_ = 0;
    std::vector<uint32_t> loose_;
};

}  // namespace quern::dense
