// What single records say: their values one by one, and their distances to a query.
#pragma once

#include <functional>
#include <vector>

#include "engine/db/search_result.h"

namespace quern {

// Distances of a query of a dense field to records, as a scan measures them; NaN where a record has
// no vector. Vectors that are not in memory are read one by one, or kept, as a walk's are.
Status StoredDistances(Snapshot* snapshot, const CollectionView& view, size_t field,
                       const kernels::Query& query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances, SearchTally* tally, Work* work);

// Hands the value of each record in a field of any kind to `take`, in order of places, no data
// where it has none; i is the place's number among those given. *reads, if somebody asks, grows by
// what was read from the file.
Status ReadStoredValues(Snapshot* snapshot, const CollectionView& view, size_t field,
                        const std::vector<RecordPlace>& places,
                        const std::function<Status(size_t i, BytesView value)>& take,
                        FileReads* reads = nullptr);

}  // namespace quern
