// A set of numbers below 65,536 that is asked for by the row: which entries of a list are in it?
//
// It has a bit for every number, and two tables of 128 bits: those of the low bytes and of the high
// bytes that its numbers have (without the top bit of each). A byte is looked up in such a table in
// a vector register, so that nearly all entries of a row are told by both tables together without a
// look at the bits, while the set has a few dozen numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::kernels {

// Reading: any thread.
class MarkSet {
public:
    MarkSet() : bits_(65536 / 32, 0) {}
    void Add(uint16_t number) {
        members_.push_back(number);
        bits_[number / 32] |= uint32_t{1} << (number % 32);
        AddTo(low_, number & 0xff);
        AddTo(high_, number >> 8);
    }
    void Clear() {
        for (const uint16_t number : members_) {
            bits_[number / 32] = 0;
        }
        members_.clear();
        for (size_t i = 0; i < kTableBytes; i++) {
            low_[i] = high_[i] = 0;
        }
    }
    bool Has(uint16_t number) const { return (bits_[number / 32] >> (number % 32) & 1) != 0; }
    const uint32_t* bits() const { return bits_.data(); }
    // Byte b & 15 of a table has bit b >> 4 & 7 set if there is a number with such a byte b.
    static constexpr size_t kTableBytes = 16;
    const uint8_t* low() const { return low_; }
    const uint8_t* high() const { return high_; }

private:
    static void AddTo(uint8_t* table, unsigned byte) {
        table[byte & 15] = static_cast<uint8_t>(table[byte & 15] | 1u << (byte >> 4 & 7));
    }
    std::vector<uint32_t> bits_;
    std::vector<uint16_t> members_;
    alignas(16) uint8_t low_[kTableBytes] = {};
    alignas(16) uint8_t high_[kTableBytes] = {};
};

}  // namespace quern::kernels
