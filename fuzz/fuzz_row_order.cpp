// The order of a sparse index's rows (part 89) as a hostile file could hold it: numbers of 4 bytes,
// little endian.
//
// What is accepted must be a permutation, so that what is looked up by it stays inside; and every
// permutation must be accepted.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/sparse/row_order.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<uint32_t> order(size / 4);
    if (!order.empty()) {
        std::memcpy(order.data(), data, order.size() * 4);
    }
    const bool accepted = sparse::NamesEveryRow(order);
    // Ranks of what stands there are a permutation.
    std::vector<uint32_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    bool permutation = true;
    for (size_t i = 0; i < sorted.size(); i++) {
        permutation = permutation && sorted[i] == i;
    }
    if (accepted != permutation) {
        std::abort();
    }
    std::vector<uint32_t> ranks(order.size());
    for (uint32_t i = 0; i < order.size(); i++) {
        ranks[i] = i;
    }
    std::stable_sort(ranks.begin(), ranks.end(),
                     [&](uint32_t a, uint32_t b) { return order[a] < order[b]; });
    if (!sparse::NamesEveryRow(ranks)) {
        std::abort();
    }
    return 0;
}
