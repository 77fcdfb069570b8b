#include "storage/sparse_value.h"

#include <cmath>

namespace quern::storage {

const char* SparseValueProblem(BytesView value, uint64_t dimensions, bool binary) {
    if (value.size() % kSparseEntryBytes != 0) {
        return "no whole number of entries";
    }
    const size_t count = SparseEntries(value);
    if (count > kSparseEntriesMax) {
        return "too many entries";
    }
    // The bytes may stand anywhere.
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t dimension = 0;
        float weight = 0;
        std::memcpy(&dimension, value.data() + i * 4, 4);
        std::memcpy(&weight, value.data() + (count + i) * 4, 4);
        if (dimension >= dimensions) {
            return "a dimension that the field does not have";
        }
        if (i > 0 && dimension <= before) {
            return "dimensions out of order";
        }
        if (!AreSparseWeights(&weight, 1)) {
            return "a weight that is zero or not finite";
        }
        if (binary && weight != 1.0f) {
            return "a weight in a binary field";
        }
        before = dimension;
    }
    return nullptr;
}

void SparseGaps(const uint32_t* dimensions, size_t count, uint32_t* gaps) {
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        gaps[i] = dimensions[i] - before;
        before = dimensions[i];
    }
}

bool SparseDimensions(uint32_t* gaps, size_t count, uint64_t dimensions) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && gaps[i] == 0) {
            return false;
        }
        sum += gaps[i];
        if (sum >= dimensions) {
            return false;
        }
        gaps[i] = static_cast<uint32_t>(sum);
    }
    return true;
}

bool AreSparseWeights(const float* weights, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!std::isfinite(weights[i]) || weights[i] == 0.0f) {
            return false;
        }
    }
    return true;
}

}  // namespace quern::storage
