// What a report tells about the index of one field in one segment, and about the column of one
// attribute, by catalog rows and the head of either; nothing is loaded.
#pragma once

#include <string>

#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

struct IndexInfo {
    const char* kind = "none";  // graph, lists, sparse, text
    std::string codes;          // as codes= has it; empty: no index, or it cannot be told
    bool damaged = false;       // the head cannot be read, or is of another layout
    bool due = false;           // there is none, and a build of indexes would make it
    uint64_t vectors = 0;
    uint64_t stored_bytes = 0;  // in the file
    uint64_t memory_bytes = 0;  // when it is loaded as a whole
};

Result<IndexInfo> ReadIndexInfo(storage::Connection* connection,
                                const storage::SegmentInfo& segment, const DenseDef& def);
// Of a sparse or a text field; by catalog rows alone, so nothing is told of damage.
IndexInfo SparseIndexInfo(const storage::SegmentInfo& segment, const SparseDef& def);
IndexInfo TextIndexInfo(const storage::SegmentInfo& segment, const TextDef& def);

struct ColumnInfo {
    // none: filters read the records; kept: they find it ready; left out: it would have taken too
    // much room; outdated: a version that does not keep it up has written since; damaged.
    const char* state = "none";
    uint64_t values = 0;        // distinct ones
    uint64_t stored_bytes = 0;  // in the file
    uint64_t memory_bytes = 0;  // when it is loaded
};
// column: id of the attribute, or kKeyColumnId. epoch: of the collection's state.
inline constexpr uint32_t kKeyColumnId = 0;
Result<ColumnInfo> ReadColumnInfo(storage::Connection* connection,
                                  const storage::SegmentInfo& segment, uint32_t column,
                                  int64_t epoch);

}  // namespace quern
