// What scans cost beside walks, in nanoseconds for a row; CodePrices has what a walk pays. Fitted
// to bench_filtered as CodePrices are to searches: with constants, and not a clock, a plan does not
// depend on the machine's mood.
#pragma once

#include <cstddef>

namespace quern::dense {

struct ScanPrices {
    // To ask whether a row is wanted.
    static constexpr double kLookNs = 1.5;
    // Codes of all rows one after another, or of some of them.
    static double CodeNs(size_t row_bytes) { return 3 + 0.06 * static_cast<double>(row_bytes); }
    static double PickedCodeNs(size_t row_bytes) {
        return 8 + 0.1 * static_cast<double>(row_bytes);
    }
    // The same of vectors in memory.
    static double RowNs(size_t vector_bytes) {
        return 3 + 0.04 * static_cast<double>(vector_bytes);
    }
    static double PickedNs(size_t vector_bytes) {
        return 30 + 0.09 * static_cast<double>(vector_bytes);
    }
    // A vector that is read from the file, in chunks with others.
    static double FileNs(size_t vector_bytes) {
        return 150 + 0.25 * static_cast<double>(vector_bytes);
    }
};

}  // namespace quern::dense
