// Where a page of a list ended, as a text that an application can keep, show in an address, and
// hand back for the page behind it: the spot of the last record, and in which order it stands
// there.
//
//   bytes: version 1, number of terms, for each: id of the attribute (varint), 1 descending + 2
//          nulls first, value; flag keys descend; key. A value or key: its kind, then a number
//          (8 bytes) or varint bytes and a text. All of it in base64 for addresses.
#pragma once

#include <string>
#include <string_view>

#include "engine/filter/record_order.h"

namespace quern::filter {

std::string WriteBookmark(const RecordOrder& order, const Schema& schema, const Spot& spot);
// kMalformed when it is none; kInvalid when it is one of another order or schema.
Result<Spot> ReadBookmark(std::string_view text, const RecordOrder& order, const Schema& schema);

}  // namespace quern::filter
