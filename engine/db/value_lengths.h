// Which records of a segment have a field, and how long their values are, where lengths differ: as
// sparse vectors and texts begin to be read.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/status.h"
#include "storage/chunk_store.h"

namespace quern {

// The records of a segment that have a field, ascending; empty: all. expected: how many there must
// be.
Status ReadPresence(storage::Connection* connection, const storage::SegmentInfo& segment,
                    uint32_t field, uint64_t expected, std::vector<uint32_t>* records);

// Also where the value of each of these records begins, in entries or bytes, and where the last one
// ends. kCorrupt when a value is longer than `longest`, or they do not fit each other.
Status ReadLengths(storage::Connection* connection, const storage::SegmentInfo& segment,
                   const storage::PartInfo& lengths, uint32_t field, uint64_t longest,
                   std::vector<uint32_t>* records, std::vector<uint64_t>* offsets);

}  // namespace quern
