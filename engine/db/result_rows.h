// The rows of a result whose records are known by their places: their keys, and their values.
#pragma once

#include "engine/db/database.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

// A record of a segment, or of the log.
struct RecordPlace {
    uint32_t source = 0;    // segment number; segments.size(): the log
    uint32_t position = 0;  // record number, or position in the log
    bool operator==(const RecordPlace&) const = default;
};

// One number for a place, and back.
inline uint64_t NumberOf(const RecordPlace& place) {
    return uint64_t{place.source} << 32 | place.position;
}
inline RecordPlace PlaceOf(uint64_t number) {
    return {static_cast<uint32_t>(number >> 32), static_cast<uint32_t>(number)};
}

// Confined to one thread, and to one use of a connection.
class ResultRows {
public:
    ResultRows(storage::Connection* connection, const CollectionView& view,
               const ColumnChoice& choice, ResultTable* table)
        : connection_(connection),
          view_(view),
          choice_(choice),
          table_(table),
          records_(connection, *view.info),
          log_(connection, *view.info) {}
    bool in_log(const RecordPlace& place) const { return place.source == view_.segments.size(); }
    Result<int64_t> RowIdOf(const RecordPlace& place) const;
    // Of a live record. Int keys are remembered.
    Result<Key> KeyOf(const RecordPlace& place);
    // Attributes of a live record.
    Status ReadCells(const RecordPlace& place, const std::vector<size_t>& attrs,
                     const std::function<Status(const std::vector<Cell>& cells)>& take);
    // Adds the values of a record, as chosen, to the table.
    Status AddValues(const RecordPlace& place);

private:
    storage::Connection* connection_;
    const CollectionView& view_;
    const ColumnChoice& choice_;
    ResultTable* table_;
    storage::RecordTable records_;
    storage::RecordLog log_;
    ChunkCache chunks_;
};

}  // namespace quern
