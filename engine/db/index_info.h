// What a report tells about the index of one field in one segment, by its catalog rows and the head
// of the index; nothing is loaded.
#pragma once

#include <string>

#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

struct IndexInfo {
    const char* kind = "none";  // graph, lists, sparse, text
    std::string codes;          // as codes= has it; empty: no index, or it cannot be told
    bool damaged = false;       // the head cannot be read, or is of another layout
    uint64_t vectors = 0;
    uint64_t stored_bytes = 0;  // in the file
    uint64_t memory_bytes = 0;  // when it is loaded as a whole
};

Result<IndexInfo> ReadIndexInfo(storage::Connection* connection,
                                const storage::SegmentInfo& segment, const DenseDef& def);
// Of a sparse or a text field; by catalog rows alone, so nothing is told of damage.
IndexInfo SparseIndexInfo(const storage::SegmentInfo& segment, const SparseDef& def);
IndexInfo TextIndexInfo(const storage::SegmentInfo& segment, const TextDef& def);

}  // namespace quern
