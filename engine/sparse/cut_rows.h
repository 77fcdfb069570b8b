// The heaviest entries of each record, of one number for all, to score many records roughly: in
// slots of 16 bits (the low bits of a term; terms beyond 65,536 share slots) and weights of 8 bits
// in steps of one size. 64 entries are three cache lines in a row, a third of what a record takes
// in the forward copy, and are scored by one gather for each 16 of them. They follow from the
// forward copy and are not kept in files.
//
// Only weights above zero count. Thread rule: immutable after Build.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/kernels/slot_rows.h"
#include "engine/sparse/forward_copy.h"
#include "storage/base/buffer.h"

namespace quern::sparse {

// What a query or a record weighs in each slot. 128 KiB, of which little is touched; so one is kept
// for many. Confined.
class SlotTable {
public:
    // Terms with weights above zero. False when there is none. unit: what a sum of products with
    // cut rows is to be multiplied with for a score, but for `step` of these.
    bool Set(const std::vector<uint32_t>& terms, const std::vector<double>& weights);
    void SetRow(const uint8_t* row, uint32_t entries);
    double unit() const { return unit_; }
    const uint16_t* data() const { return table_.data(); }

private:
    void Clear();
    std::vector<uint16_t> table_;
    std::vector<uint16_t> used_;
    double unit_ = 0;
};

class CutRows {
public:
    static constexpr uint32_t kEntries = 64;
    static constexpr uint64_t kBytes = kEntries * 3;  // of a row
    static Result<CutRows> Build(const ForwardCopy& forward, int threads);
    const uint8_t* Row(uint32_t row) const {
        return reinterpret_cast<const uint8_t*>(rows_.data()) + size_t{row} * kStride;
    }
    uint32_t count() const { return static_cast<uint32_t>(rows_.bytes() / kStride); }
    static uint16_t SlotAt(const uint8_t* row, uint32_t entry) {
        return static_cast<uint16_t>(row[2 * entry] | row[2 * entry + 1] << 8);
    }
    static uint8_t WeightAt(const uint8_t* row, uint32_t entry) {
        return row[2 * kEntries + entry];
    }
    uint32_t Dot(uint32_t row, const SlotTable& table) const {
        return kernels::SlotDot(Row(row), kEntries, table.data());
    }
    double step() const { return step_; }
    void Fetch(uint32_t row) const {
        const uint8_t* const at = Row(row);
        for (uint32_t i = 0; i < kStride; i += 64) {
            __builtin_prefetch(at + i);
        }
    }
    uint64_t memory_bytes() const { return rows_.bytes(); }

private:
    static constexpr uint32_t kStride = kEntries * 3;
    Buffer rows_;
    double step_ = 0;
};

}  // namespace quern::sparse
