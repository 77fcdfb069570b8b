// Scores of single records of a sparse field: by the index of their segment, where that is in
// memory and has the weights themselves.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/db/collection_view.h"
#include "engine/db/search_result.h"
#include "engine/db/sparse_part.h"
#include "engine/sparse/space_pool.h"
#include "engine/sparse/sparse_rows.h"

namespace quern {

// Borrows everything; confined to one thread at a time.
class SparseLooks {
public:
    using Body = std::function<Status(storage::Connection*)>;
    using Read = std::function<Status(const Body&)>;

    // read: runs a body that reads from the file.
    SparseLooks(const CollectionView& view, const SparseDef& def, sparse::SpacePool* spaces,
                Work* work, Read read)
        : view_(view), def_(def), spaces_(spaces), work_(work), read_(std::move(read)) {}

    // The distances of those places that are in a segment with such an index; NaN: no term in
    // common. others: gets the numbers of all the other places.
    Status ByIndexes(const sparse::SparseVector& query, const std::vector<RecordPlace>& places,
                     std::vector<double>* distances, std::vector<size_t>* others);

private:
    Result<const SparsePart*> PartOf(size_t segment);

    const CollectionView& view_;
    const SparseDef& def_;
    sparse::SpacePool* spaces_;
    Work* work_;
    Read read_;
    std::vector<std::optional<const SparsePart*>> parts_;  // of each segment, once asked for
};

}  // namespace quern
