// An order of rows in which near rows are near each other, so that superblocks differ and their
// bounds say something. Found by recursive graph bisection: a range of rows is split in two, and
// rows change sides as long as the lists of terms would get shorter, gap by gap; then each half is
// split again, down to superblocks. Inside a superblock the order is as it was.
//
// (Dhulipala and others, "Compressing graphs and indexes with recursive graph bisection", KDD 2016.
// Only the heaviest entries of a row take part here: bounds are made of those.)
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct OrderOptions {
    uint32_t block_rows = 4096;  // of a superblock: what is not split any more
    uint32_t rounds = 8;         // of exchanges at each split, at most
    size_t entries = 24;         // of a row that take part
    int threads = 1;
};

// order[i]: the row that comes i-th. The same for every number of threads.
Result<std::vector<uint32_t>> OrderRows(const SparseRows& rows, const OrderOptions& options,
                                        Work* work);

// Whether it names every row below its size once: what a file gives as an order is proven by this.
bool NamesEveryRow(const std::vector<uint32_t>& order);

}  // namespace quern::sparse
