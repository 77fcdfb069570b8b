// Columns of attributes as derived parts of a segment, so that a first filter finds them ready.
//
// The rows of sealed records can change in place, so a column is right only beside what tells which
// records may have changed since it was made: the amendments in the log, and a list that whoever
// empties the log adds them to, in the same transaction (KeepChanged). The list says up to which
// epoch it has been kept; each move of the epoch moves it along (storage::NextEpoch). A list of
// another epoch than that of the state was passed over by a writer that does not know it: then
// nobody believes the columns of the segment, and the next build makes them anew. All of this is
// read under one snapshot, and so is the row of each changed record.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/db/column_cache.h"
#include "engine/filter/column_arrays.h"
#include "storage/chunk_store.h"

namespace quern {

class Segment;

// A segment with fewer records is read in no time.
inline constexpr uint64_t kColumnRecordsMin = 1024;

struct AttrParts {
    storage::PartInfo changed;
    std::vector<storage::PartInfo> columns;

    // NULL when the segment has no columns that can be believed in this epoch.
    static std::shared_ptr<const AttrParts> Of(const storage::SegmentInfo& segment, int64_t epoch);
    // NULL: there is no such part. column: id of the attribute, 0 for the key.
    const storage::PartInfo* Find(storage::PartKind kind, uint32_t column) const;
    uint64_t raw_bytes(uint32_t column) const;
};

// The id that parts have for a column of a filter, and what its values are.
uint32_t ColumnId(const Schema& schema, int column);
Cell::Kind ColumnKind(const Schema& schema, int column);

// The records of a segment of which a view must not believe columns, ascending. Nothing when there
// are so many that columns are of no use, or when the list is damaged. RowIds must have been
// loaded.
Result<std::optional<std::vector<uint32_t>>> ChangedRecords(storage::Connection* connection,
                                                            const CollectionView& view,
                                                            size_t segment);

// The column as it was written. kCorrupt when it is damaged or does not fit.
Result<std::unique_ptr<filter::AttrColumn>> ReadColumn(storage::Connection* connection,
                                                       const AttrParts& parts, uint32_t column,
                                                       size_t records, Cell::Kind kind,
                                                       int threads);

// Columns of a segment as a view sees them; those that the file does not have, or has damaged, are
// not in the map.
Result<std::map<int, std::unique_ptr<filter::AttrColumn>>> ReadColumns(
    storage::Connection* connection, const CollectionView& view, size_t segment,
    const std::vector<int>& columns, int threads, Work* work);

// Before the log of the view is emptied, in the same transaction: what it tells of records that
// were changed in place is kept with their segments.
Status KeepChanged(storage::Connection* connection, const CollectionView& view);

// Takes columns out of the file, of one attribute, or all of the segment with the list of changed
// records. parts: of the segment.
Status RemoveColumns(storage::Connection* connection, const std::vector<storage::PartInfo>& parts,
                     std::optional<uint32_t> column);
// A list of changed records, which the segment must not have yet.
Status WriteChanged(storage::Connection* connection, int64_t segment,
                    const std::vector<uint32_t>& records, int64_t epoch);

}  // namespace quern
