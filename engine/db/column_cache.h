// Columns of attributes in memory, for filters: of each segment, loaded from the table of records
// when a filter first asks for them.
//
// Records of a segment never move, but their attributes may change in place, which the log tells
// until it is sealed. So a column is good for the views of the epoch that it was loaded in which
// are not older than it, as long as nothing was changed in place between the two.
//
// Thread rule: thread-safe; columns are immutable.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/filter/attr_column.h"
#include "storage/base/work.h"

namespace quern {

struct CollectionView;
struct MemoryBudget;
namespace storage {
class Connection;
}

class ColumnCache {
public:
    using Column = std::shared_ptr<const filter::AttrColumn>;
    // By the number that filters have for it. NULL: not loaded, or not good for this view.
    Column Find(const CollectionView& view, int column) const;
    void Put(const CollectionView& view, int column, Column values);

private:
    struct Entry {
        int64_t epoch = 0;
        int64_t last = 0;  // of the log
        Column values;
    };
    mutable std::mutex mutex_;
    std::map<int, Entry> entries_;
};

// The columns of all segments of a view, by their numbers; empty: memory does not allow them, or
// the file has values that it should not have. Cost: one pass over the table where any is missing.
using SegmentColumns = std::map<int, ColumnCache::Column>;
Result<std::vector<SegmentColumns>> LoadColumns(storage::Connection* connection,
                                                const CollectionView& view,
                                                const std::vector<int>& columns,
                                                const MemoryBudget& budget, Work* work);

}  // namespace quern
