// The first of a query's winners in the order of results. Winners come with all that are as near as
// the last of them, or with as many of these as each source gives: what is in the log and what is
// in one segment would be lists of different lengths.
#pragma once

#include <vector>

#include "engine/db/search_result.h"

namespace quern {

// Keeps the nearest k, of equals those with the lowest keys. Winners are as TakeWinners gives them.
// Cost: a look at the keys of those that equal the last one kept, where not all of them are.
Status KeepFirst(Snapshot* snapshot, const CollectionView& view, size_t k,
                 std::vector<Winner>* winners, FileReads* reads);

}  // namespace quern
