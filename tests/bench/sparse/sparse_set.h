// SparseSet: records and queries of the sparse benchmark, in quern's own form.
//
// Three origins: nfcorpus (learned sparse vectors of real documents and queries), splade-queries
// (vectors of real queries; every 25th is a query, the others are the records), and any large set
// in a CSR file beside its queries, as README.md tells how to make.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/sparse/sparse_rows.h"

namespace bench {

struct SparseSet {
    std::string name;
    std::string origin;  // in words
    quern::sparse::SparseRowList rows;
    std::vector<quern::sparse::SparseVector> queries;
};

// name: "nfcorpus", "splade-queries", or the path of a CSR file without its ".csr". False, and
// *reason says why, when the data is not there. Throws when it is there and damaged.
bool LoadSparseSet(const std::string& data_directory, const std::string& name, size_t queries_max,
                   SparseSet* set, std::string* reason);

// Makes whole weights f32: each gets up to a half less or more, as it may have been before it was
// rounded, and the same in each run.
void AddFractions(SparseSet* set);

// The contents of a packed file. Throws when it is damaged.
std::string ReadZstd(const std::filesystem::path& path);

}  // namespace bench
