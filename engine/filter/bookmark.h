// Where a page of a list or of a search ended, as a text that an application can keep, show in an
// address, and hand back for the page behind it: the spot of the last record, and in which order it
// stands there.
//
//   bytes: version 1, number of terms, for each: id of the attribute (varint), 1 descending + 2
//          nulls first, value; flag keys descend; key. A value or key: its kind, then a number
//          (8 bytes) or varint bytes and a text. All of it in base64 for addresses.
//   of a search: version 2, what tells the search from others (8 bytes), the distance of the last
//          hit (double), its key as above, how many hits there were until then (varint).
#pragma once

#include <string>
#include <string_view>

#include "engine/filter/record_order.h"

namespace quern::filter {

std::string WriteBookmark(const RecordOrder& order, const Schema& schema, const Spot& spot);
// kMalformed when it is none; kInvalid when it is one of another order or schema.
Result<Spot> ReadBookmark(std::string_view text, const RecordOrder& order, const Schema& schema);

// The last hit of a page of a search: nearer ones come before it, and equally near ones by key.
struct HitSpot {
    uint64_t search = 0;
    double distance = 0;
    Key key;
    uint64_t passed = 0;  // hits up to this one
};
std::string WriteHitBookmark(const HitSpot& spot);
// kMalformed when it is none; kInvalid when it is of another search, or of a list.
Result<HitSpot> ReadHitBookmark(std::string_view text, uint64_t search, const Schema& schema);

}  // namespace quern::filter
