// Attributes and keys of single records, for whatever scores, groups or orders some of them: from
// columns in memory (column_cache.h) where these may be loaded, else record by record from the
// file; those of the log always so.
//
// Thread rule: confined to one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "engine/db/column_cache.h"
#include "engine/db/search_result.h"

namespace quern {

class AttrValues {
public:
    AttrValues(Database* database, Snapshot* snapshot, std::shared_ptr<const CollectionView> view,
               SearchTally* tally)
        : database_(database), snapshot_(snapshot), view_(std::move(view)), tally_(tally) {}
    // columns: by the numbers that filters have for them. First of all.
    Status Open(const std::vector<int>& columns);
    // Hands the value of each place in a column to `take`, in their order. Cells are borrowed for
    // the call.
    using Take = std::function<void(size_t i, const Cell& cell)>;
    Status Read(const std::vector<RecordPlace>& places, int column, const Take& take);
    // The least and the highest number in a column, if all its values are known.
    bool RangeOf(int column, double* low, double* high) const;

private:
    Status ReadFromFile(storage::Connection* connection, const std::vector<RecordPlace>& places,
                        int column, const Take& take);

    Database* database_;
    Snapshot* snapshot_;
    std::shared_ptr<const CollectionView> view_;
    SearchTally* tally_;
    std::vector<SegmentColumns> columns_;  // of each segment; empty: there was no room
};

}  // namespace quern
