// Search by several legs, each a search of one field, fused into one result (engine/query).
#pragma once

#include "engine/db/field_search.h"

namespace quern {

// The best of each query, as TakeWinners gives them. Sets the table's flags and adds to its tally.
Status FindHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                  const SearchRequest& request, ResultTable* table,
                  std::vector<std::vector<Winner>>* winners);

// What a record counts as that a leg does not match; NaN: its last hit, where scores are scaled.
double AbsentScore(const Schema& schema, const SearchLeg& leg, const query::FusionOptions& fusion);

// The request has legs, all with as many queries.
Status SearchHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                    const SearchRequest& request, const ColumnChoice& choice,
                    const ShapeWinners* shape, ResultTable* table);

}  // namespace quern
