// The query vectors of a request for a sparse field, wherever they come from: given, those of
// stored records, or texts by the token weights of the field.
#pragma once

#include <vector>

#include "engine/db/search_result.h"

namespace quern {

struct SparseQueries {
    std::vector<sparse::SparseVector> vectors;
    std::vector<RecordPlace> named;  // the records whose vectors they are; empty: none
};

// field: its number in the schema. reads gets what was read for it added. kDimension, kLimit,
// kNotFinite, kNotFound, kInvalid: texts, and the field has no token weights.
Status TakeSparseQueries(Database* database, Snapshot* snapshot, const CollectionView& view,
                         const SearchRequest& request, size_t field, FileReads* reads,
                         SparseQueries* queries);

// The vector that a stored value is (storage/sparse_value.h).
sparse::SparseVector SparseVectorOf(BytesView value);

}  // namespace quern
