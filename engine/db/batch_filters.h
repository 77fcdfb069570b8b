// A search whose queries have filters of their own: queries with the same one are searched
// together.
#pragma once

#include "engine/db/database.h"

namespace quern {

// request.filter.of_queries is not empty. search: of a request without any.
// kLimit: more rows than rows_max.
Status SearchWithFilters(
    const SearchRequest& request, uint64_t rows_max, ResultTable* table,
    const std::function<Status(const SearchRequest& request, ResultTable* table)>& search);

}  // namespace quern
