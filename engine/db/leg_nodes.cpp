#include "engine/db/leg_nodes.h"

#include <algorithm>

#include "engine/db/collection_view.h"

namespace quern {

std::vector<uint64_t> NodesToFind(const IndexLeg& leg) {
    constexpr size_t kBits = 64;
    const size_t count = leg.field->count();
    std::vector<uint64_t> bits((count + kBits - 1) / kBits, 0);
    const auto want = [&](size_t node) { bits[node / kBits] |= uint64_t{1} << (node % kBits); };
    const auto leave = [&](size_t node) { bits[node / kBits] &= ~(uint64_t{1} << (node % kBits)); };
    if (leg.dead.bits == nullptr) {
        std::fill(bits.begin(), bits.end(), ~uint64_t{0});
    } else if (leg.field->records.empty()) {
        for (size_t word = 0; word < bits.size(); word++) {
            bits[word] = ~(*leg.dead.bits)[word];
        }
    } else {
        for (uint32_t node = 0; node < count; node++) {
            if (leg.Alive(node)) {
                want(node);
            }
        }
    }
    if (count % kBits != 0) {
        bits.back() &= (uint64_t{1} << (count % kBits)) - 1;
    }
    // What stands outside comes with what is inside, or by itself.
    for (const uint32_t zero : leg.outsiders().zeros()) {
        leave(zero);
    }
    for (const auto& [node, repeat] : leg.outsiders().repeats()) {
        if (leg.Alive(repeat)) {
            want(node);
        }
        leave(repeat);
    }
    return bits;
}

}  // namespace quern
