// Measures the curve of an approximate index: how many of the true results walks of each pool find,
// for queries that are made of the index's records.
//
// A record as it is would be no query: it is longer, and its weights are more even. So a query has
// 24 of the 64 heaviest entries of a record, at random, with the squares of their weights, and the
// record is hidden from it. Of the ways tried (whole records, their heaviest entries, parts of two
// records, powers of 1, 1.5, 2 and 3) that one costs walks beside exact searches what real queries
// cost, and is missed a little more often than these: on `passages` of tests/bench/sparse pools of
// 10, 20, 40 and 80 found .886, .939, .957 and .965 of the 10 best, for real queries .917, .970,
// .982 and .988. So the curve errs on the safe side.
//
// A record of no more than 64 entries is like a query itself, and is one as it is: of 24,351
// vectors of questions in pruned lists, told .95 by queries made as above, others found .931 of the
// 10 best; by whole ones .943.
#pragma once

#include "engine/sparse/approximate_index.h"

namespace quern::sparse {

// The same for every number of threads. Cost: some seconds for large indexes.
Result<PoolCurve> MeasurePools(const ApproximateIndex& approximate, const SparseIndex& index,
                               int threads, Work* work);

}  // namespace quern::sparse
