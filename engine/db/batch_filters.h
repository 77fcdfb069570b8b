// A search whose queries have filters of their own: queries with the same one are searched
// together. Likewise one whose queries are searched one by one.
#pragma once

#include "engine/db/database.h"

namespace quern {

// search: of a request without any filter of one of its queries; each: of one query.
// kLimit: more rows than rows_max.
Status SearchWithFilters(
    const SearchRequest& request, bool each, uint64_t rows_max, ResultTable* table,
    const std::function<Status(const SearchRequest& request, ResultTable* table)>& search);

}  // namespace quern
