// The value of a sparse field as bytes: n dimensions (u32, ascending, distinct), then their n
// weights (f32, finite, not zero). So it stands in the log, in hashes and in results. Segments keep
// dimensions as gaps, which are small numbers and shrink: the first one as it is, each other less
// the one before.
#pragma once

#include "storage/base/bytes.h"
#include "storage/base/schema.h"

namespace quern::storage {

inline constexpr size_t kSparseEntryBytes = 8;

inline size_t SparseEntries(BytesView value) {
    return value.size() / kSparseEntryBytes;
}

// What is wrong with bytes that a file gives as a value of a field with so many dimensions; NULL:
// nothing. binary: all weights must be 1.
const char* SparseValueProblem(BytesView value, uint64_t dimensions, bool binary);

// Turns ascending dimensions into gaps.
void SparseGaps(const uint32_t* dimensions, size_t count, uint32_t* gaps);
// And back, in place. False when they are no gaps of a vector with so many dimensions.
bool SparseDimensions(uint32_t* gaps, size_t count, uint64_t dimensions);
// Whether all are finite and none is zero.
bool AreSparseWeights(const float* weights, size_t count);

}  // namespace quern::storage
