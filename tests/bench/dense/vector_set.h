// VectorSet: one real data set as the benchmark sees it: rows to be indexed, queries that are not
// among them, and how near the k-th true neighbour of each query is.
//
// Recall is decided by distance and not by row number: what is as near as the k-th true neighbour
// counts. Rows with equal distances (there are duplicates, and rows of zeros) would otherwise make
// a right answer a miss, and an engine would be judged by how it breaks ties. All distances that
// decide are computed by one kernel, so that rounding cannot decide either.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/rival.h"

namespace bench {

inline constexpr size_t kNearest = 10;

struct VectorSet {
    std::string name;
    Space space;
    Matrix base;
    Matrix queries;
    std::string origin;               // of the queries and of the truth, in words
    std::vector<float> kth_distance;  // one a query

    // How many of the kNearest nearest are among the found rows (kNearest of them).
    size_t Hits(size_t query, const uint32_t* found) const;
};

struct SetRequest {
    std::string data_dir;
    std::string name;
    size_t limit = 0;       // rows; 0: all
    size_t queries = 1000;  // at most
    bool hold_out = false;  // rows as queries, also of a set that has queries of its own
};

// With or without those that are too small to compare speeds.
std::vector<std::string> SetNames(bool small = false);
const char* MetricName(int32_t metric);

// False, and *reason says why, when the data is not there. Throws when it is there and damaged.
bool LoadVectorSet(const SetRequest& request, VectorSet* set, std::string* reason);

}  // namespace bench
