// What scans cost beside walks, in nanoseconds for a row; CodePrices has what a walk pays. Fitted
// to bench_filtered as CodePrices are to searches: with constants, and not a clock, a plan does not
// depend on the machine's mood.
#pragma once

#include <cstddef>

namespace quern::dense {

struct ScanPrices {
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
    // A search of lists, and a scan of the matches beside it, both in memory. To make a query
    // ready; for each centre that it is compared with by its code; for each cell that is looked at:
    // its centre, and its place in the order; for each look at a row of it.
    static constexpr double kListsNs = 12000;
    static constexpr double kCentreNs = 15;
    static constexpr double kCellNs = 100;
    static constexpr double kCellLookNs = 3.6;
    // Some vectors of a cell: they follow closely.
    static double PickedInCellNs(size_t vector_bytes) {
        return 15 + 0.07 * static_cast<double>(vector_bytes);
    }
    // What is small enough stays near the core.
    static bool IsNear(size_t vector_bytes, size_t count) {
        return vector_bytes * count <= 8 << 20;
    }
    static double AllNs(size_t vector_bytes, size_t count) {
        return RowNs(vector_bytes) * (IsNear(vector_bytes, count) ? 0.6 : 1);
    }
    // Of matches that are scanned. Where one in twenty matches, or more, the next is fetched before
    // it is asked for.
    static double MatchNs(size_t vector_bytes, size_t count, double share) {
        constexpr double kDense = 0.05;
        return PickedNs(vector_bytes) * (IsNear(vector_bytes, count) ? 0.4
                                         : share >= kDense           ? 0.6
                                                                     : 1);
    }
    // A vector that is read from the file, in chunks with others.
    static double FileNs(size_t vector_bytes) {
        return 150 + 0.25 * static_cast<double>(vector_bytes);
    }
};

}  // namespace quern::dense
