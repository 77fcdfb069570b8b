// An index that a run has made, kept in a file for the next ones: to order and link 600,000 records
// takes minutes, to search them seconds.
#pragma once

#include <memory>
#include <string>

#include "engine/sparse/approximate_index.h"
#include "engine/sparse/sparse_index.h"

namespace bench {

struct KeptIndex {
    std::unique_ptr<quern::sparse::SparseIndex> exact;
    std::unique_ptr<quern::sparse::ApproximateIndex> approximate;  // or none
};

// Stops the program when the file cannot be written.
void KeepIndex(const std::string& path, const KeptIndex& index);
// Nothing when there is no such file. Stops the program when there is, and it is none of these.
KeptIndex LoadKeptIndex(const std::string& path);

// The rows that an index was made of, in its order.
quern::sparse::SparseRowList RowsOf(const quern::sparse::SparseIndex& index);

}  // namespace bench
