// XXH3-64, the one checksum of the file. Seeds bind a checksum to its place, so that right content
// in the wrong place is seen as well.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"

namespace quern {

uint64_t Hash64(const void* data, size_t size, uint64_t seed);
inline uint64_t Hash64(BytesView bytes, uint64_t seed) {
    return Hash64(bytes.data(), bytes.size(), seed);
}

// Mixes two numbers into a seed.
inline uint64_t MixSeed(uint64_t a, uint64_t b) {
    uint64_t x = a * 0x9E3779B97F4A7C15u ^ (b + 0xD1B54A32D192ED03u);
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    return x ^ (x >> 32);
}

}  // namespace quern
