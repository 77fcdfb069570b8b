// The query vectors of a request for a dense field, wherever they come from: given, those of stored
// records, or sums of such.
#pragma once

#include <span>
#include <vector>

#include "engine/db/search_result.h"

namespace quern {

struct DenseQueries {
    size_t count = 0;
    size_t row_bytes = 0;  // of f32, or of bits for a bit field
    Bytes rows;            // count x row_bytes
    // The records whose own vectors a query is made of.
    std::vector<RecordPlace> named;
    std::vector<size_t> named_ends;  // of each query; empty: none

    const char* row(size_t q) const { return rows.data() + q * row_bytes; }
    const float* f32(size_t q) const { return reinterpret_cast<const float*>(row(q)); }
    std::span<const RecordPlace> NamedOf(size_t q) const;
    size_t named_max() const;
};

// field: its number in the schema. kDimension, kLimit, kNotFinite, kType, kNotFound, kInvalid.
Status TakeDenseQueries(Database* database, Snapshot* snapshot, const CollectionView& view,
                        const SearchRequest& request, size_t field, DenseQueries* vectors);

// Adds weight * vector to a sum; with `unit` the vector counts as one of length 1, a zero vector as
// it is.
void AddVector(const float* vector, size_t dim, double weight, bool unit, double* sum);

}  // namespace quern
