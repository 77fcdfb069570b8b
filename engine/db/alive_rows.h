// Rows of vectors of a segment, of which some belong to records that may not be found.
#pragma once

#include <cstdint>

#include "engine/db/segment.h"
#include "engine/dense/flat.h"

namespace quern {

// All of a field, where its vectors are in memory with these. dead (may be NULL): bits of records.
dense::FlatRows RowsOf(const SegmentField& field, const uint64_t* dead);
dense::FlatRows Slice(const dense::FlatRows& rows, const dense::FlatField& field, size_t first,
                      size_t count);

// How many of these rows may be found. A few of many may: where rows are records in a row, they are
// counted by words.
uint64_t CountAlive(const dense::FlatRows& rows, size_t first, size_t count);
// Whether any of these vectors may.
bool AnyAlive(const dense::FlatRows& rows, const SegmentField& field, size_t first, size_t end);
// Cuts off what comes behind the first `most` that may be found. How many there are then.
uint64_t CutRows(uint64_t most, dense::FlatRows* rows);

}  // namespace quern
