// How long ordering rows and building their index take, by one thread and by several.
#pragma once

#include <vector>

#include "engine/sparse/row_order.h"
#include "engine/sparse/sparse_index.h"

namespace bench {

// By the clock, not CPU time: microseconds a posting, one value a round.
struct BuildTime {
    int threads = 1;
    std::vector<double> order_us;
    std::vector<double> build_us;
};

// By one thread and by `threads`, in turn. rows: in given order; the index is that of rows in
// `order`. Stops the program unless all threads make the same.
std::vector<BuildTime> TimeBuilds(const quern::sparse::SparseRowList& rows,
                                  quern::sparse::OrderOptions order,
                                  quern::sparse::IndexOptions index, int threads, size_t rounds);

}  // namespace bench
