// Element types and metrics of dense fields: the words that storage, kernels and the API share.
// The numbers reach the file and the C API: do not change them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern {

// kU8 (whole numbers from 0 to 255) is for rows in memory alone: no field has it, see
// engine/db/held_element.h.
enum class Element : int32_t { kF32 = 1, kF16 = 2, kBF16 = 3, kI8 = 4, kBit = 5, kU8 = 6 };
enum class Metric : int32_t { kL2 = 1, kIp = 2, kCosine = 3, kHamming = 4 };

// Bytes of one vector of `dim` elements. dim is at most kDimMax, so this cannot overflow.
inline constexpr size_t kDimMax = 65536;
inline size_t VectorBytes(Element element, size_t dim) {
    switch (element) {
        case Element::kF32: return dim * 4;
        case Element::kF16:
        case Element::kBF16: return dim * 2;
        case Element::kI8:
        case Element::kU8: return dim;
        case Element::kBit: return (dim + 7) / 8;
    }
    return 0;
}

}  // namespace quern
