// Vectors that stand outside an index of neighbours: zero vectors and repeats.
//
// A zero vector is near everything under cosine and drags an index's recall to almost nothing; a
// thousand equal vectors link only to each other, or fill a cell. So zeros are scanned, and repeats
// come with the one of them that is inside.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/dense/vector_rows.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

class Outsiders {
public:
    // *inside gets the numbers of all other rows, ascending.
    static Outsiders Find(const VectorRows& rows, std::vector<uint32_t>* inside);

    const std::vector<uint32_t>& zeros() const { return zeros_; }  // ascending
    // Rows with the vector of `row`, as a range for RepeatAt; ascending.
    std::pair<size_t, size_t> Repeats(uint32_t row) const;
    uint32_t RepeatAt(size_t i) const { return repeats_[i].second; }
    // All of them, each behind the row that is inside.
    const std::vector<std::pair<uint32_t, uint32_t>>& repeats() const { return repeats_; }
    size_t count() const { return zeros_.size() + repeats_.size(); }
    uint64_t memory_bytes() const {
        return zeros_.size() * sizeof(zeros_[0]) + repeats_.size() * sizeof(repeats_[0]) +
               repeated_.size() * sizeof(repeated_[0]);
    }

    void Write(ByteWriter* writer) const;
    // kCorrupt unless they are outsiders of `count` rows; *outside gets one bit a row.
    static Result<Outsiders> Read(ByteReader* reader, size_t count, std::vector<bool>* outside);
    // Passes over them, for who looks for what stands behind.
    static void Skip(ByteReader* reader);

private:
    void FindRepeated();

    std::vector<uint32_t> zeros_;
    std::vector<std::pair<uint32_t, uint32_t>> repeats_;  // (row inside, its repeat), sorted
    // A bit for each row up to the last that has repeats: every candidate of a search is asked, and
    // nearly none has any.
    std::vector<uint64_t> repeated_;
};

}  // namespace quern::dense
