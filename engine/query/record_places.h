// Numbers of records, in the order in which they are met: an open table, since what a map of nodes
// takes for some hundred records is more than all the rest of a fusion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::query {

// Confined. Numbers stay below 2^32 - 1: so many hits no result holds.
class RecordPlaces {
public:
    size_t size() const { return records_.size(); }
    uint64_t operator[](size_t place) const { return records_[place]; }
    const std::vector<uint64_t>& records() const { return records_; }
    // Room for so many, to be made once and not by and by.
    void Reserve(size_t count) {
        records_.reserve(count);
        while (2 * (count + 1) > slots_.size()) {
            Grow();
        }
    }

    // The place of a record, a new one at the end if it has none.
    size_t PlaceOf(uint64_t record) {
        // At most half of the slots are taken: a search for a free one is short.
        if (2 * (records_.size() + 1) > slots_.size()) {
            Grow();
        }
        uint32_t& slot = SlotOf(record);
        if (slot == kFree) {
            slot = static_cast<uint32_t>(records_.size());
            records_.push_back(record);
        }
        return slot;
    }

private:
    static constexpr uint32_t kFree = UINT32_MAX;
    static constexpr size_t kFirstSlots = 512;

    // Its slot, or the free one where it would go.
    uint32_t& SlotOf(uint64_t record) {
        // Numbers of neighbours are to end up apart (Fibonacci hashing: Knuth, vol. 3, 6.4).
        size_t at = static_cast<size_t>((record * 0x9E3779B97F4A7C15u) >> 32) & (slots_.size() - 1);
        while (slots_[at] != kFree && records_[slots_[at]] != record) {
            at = (at + 1) & (slots_.size() - 1);
        }
        return slots_[at];
    }
    void Grow() {
        slots_.assign(slots_.empty() ? kFirstSlots : 2 * slots_.size(), kFree);
        for (size_t place = 0; place < records_.size(); place++) {
            SlotOf(records_[place]) = static_cast<uint32_t>(place);
        }
    }

    std::vector<uint64_t> records_;
    std::vector<uint32_t> slots_;  // a power of two of them
};

}  // namespace quern::query
