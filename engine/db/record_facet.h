// Facets: how many of the records that match a filter have each value of an attribute.
#pragma once

#include <string>

#include "engine/db/record_filter.h"

namespace quern {

class ResultTable;

struct FacetRequest {
    std::string collection;
    RecordFilter filter;
    std::string attribute;
    size_t limit = 10;  // values
};

// Two columns: the value and the count.
Status CountFacet(Database* database, const std::shared_ptr<Snapshot>& snapshot,
                  const FacetRequest& request, ResultTable* table);

}  // namespace quern
