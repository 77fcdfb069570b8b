// Rows that have places of their own beside an index: zero vectors, repeats, records without a
// value.
#pragma once

#include <algorithm>
#include <cstring>

#include "tests/unit/indexed_file.h"

namespace indexed {

// Every hundredth vector is zero, every tenth the same one, every sixth absent.
struct MixedRows {
    static constexpr size_t kRows = 5000;
    std::vector<float> rows = MakeRows(kRows, 1);
    std::vector<uint8_t> valid = std::vector<uint8_t>(kRows, 1);
    std::vector<float> queries = MakeRows(60, 2);  // the first is the one that is repeated
    MixedRows() {
        for (size_t i = 0; i < kRows; i++) {
            if (i % 100 == 0) {
                std::fill_n(&rows[i * kDim], kDim, 0.0f);
            } else if (i % 10 == 1) {
                std::memcpy(&rows[i * kDim], &rows[5 * kDim], kDim * sizeof(float));
            }
            valid[i] = i % 6 != 3;
        }
        std::memcpy(queries.data(), &rows[5 * kDim], kDim * sizeof(float));
    }
};

}  // namespace indexed
