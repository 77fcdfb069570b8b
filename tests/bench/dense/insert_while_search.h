// Inserting while searching: one thread writes as fast as it can, another searches, each on a
// processor of its own. Rows per second of the one, latencies of the other, before and during.
//
// hnswlib does not allow a search beside an insertion. It is measured behind a lock, as its users
// have to, and without one, which is a data race and a bound on what finer locking could reach; it
// keeps nothing on disk. quern's insertions are transactions that are durable when the call
// returns, so the rows of one transaction decide its rate: it is measured with one and with many.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/child_process.h"
#include "tests/bench/dense/rival.h"
#include "tests/bench/dense/vector_set.h"

namespace bench {

struct InsertOptions {
    double seconds = 3;  // at most, of one round
    size_t rounds = 3;
    size_t threads = 2;     // to build the start index
    std::string directory;  // for the index that is inserted into
};

struct InsertContestant {
    RivalKind kind;
    std::string effort;  // of the searches
};

// One object for each way of inserting, with medians over the rounds.
std::vector<Json> MeasureInserts(const VectorSet& set,
                                 const std::vector<InsertContestant>& contestants,
                                 const InsertOptions& options);

}  // namespace bench
