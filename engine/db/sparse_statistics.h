// What a sparse field holds, counted over the live records of a view: how long the list of each
// dimension is, and what queries have to go through because of that.
//
// "Sparse FLOPs" are the sum over the dimensions of the share of records times the share of queries
// that have it (Paria et al., "Minimizing FLOPs to learn efficient sparse representations", ICLR
// 2020): products for each pair of a query and a record. Times the vectors they are the postings
// that an exhaustive search of a query touches, on average.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "engine/db/collection_view.h"

namespace quern {

class Database;
class Snapshot;
struct SparseInput;

// The number of a field. kUnknownField, kType.
Result<size_t> FindSparseField(const storage::CollectionInfo& info, const std::string& field);

struct SparseCounts {
    uint64_t records = 0;  // that live, with the field or without
    uint64_t vectors = 0;  // of these
    uint64_t empty = 0;    // vectors without an entry
    uint64_t entries = 0;
    std::unordered_map<uint32_t, uint64_t> lists;  // by dimension: vectors that have it
};
// Cost: a read of the field's dimensions, and about 40 bytes for each distinct one.
Status CountDimensions(Snapshot* snapshot, const CollectionView& view, size_t field, Work* work,
                       SparseCounts* counts);

struct SparseStatistics {
    double entries_per_vector = 0;
    double flops = 0;
    double postings_per_query = 0;  // flops * vectors
    double ideal_flops = 0;         // if all dimensions were as frequent
    double imbalance = 0;           // flops / ideal_flops
    double share_of_100 = 0;        // of flops, in the dimensions with the most
    // Of the lengths of lists: 0 when all are as long, towards 1 when few have all.
    double gini = 0;
    double length_mean = 0;
    uint64_t length_median = 0, length_p90 = 0, length_p99 = 0, length_most = 0;
    struct List {
        uint32_t dimension = 0;
        uint64_t vectors = 0;
    };
    std::vector<List> longest;  // up to kLongestShown, the longest first
    // Of queries that were given.
    uint64_t queries = 0;
    double entries_per_query = 0;
    uint64_t postings_median = 0, postings_p90 = 0, postings_p99 = 0, postings_most = 0;
};
inline constexpr size_t kLongestShown = 10;

// queries.count 0: the records stand for them. Errors: those of TakeSparseVector, with the number
// of the query.
Result<SparseStatistics> Statistics(const SparseCounts& counts, const SparseInput& queries,
                                    uint64_t dimensions);

}  // namespace quern
