// Search by several legs, each a search of one field, fused into one result (engine/query).
#pragma once

#include <map>

#include "engine/db/field_search.h"
#include "engine/query/fit_fusion.h"

namespace quern {

// The best of each query, as TakeWinners gives them. Sets the table's flags and adds to its tally.
Status FindHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                  const SearchRequest& request, ResultTable* table,
                  std::vector<std::vector<Winner>>* winners);

// What a record counts as that a leg does not match.
query::AbsentScore AbsentOf(const Schema& schema, const SearchLeg& leg,
                            const query::FusionOptions& fusion);

// How many hits a leg gives at first: its limit, all within its bound where that is 0; else what
// the query wants (0: all), and a list's worth at the least.
size_t FirstDepthOf(const SearchRequest& leg, size_t wanted, size_t records);

// How many records of one query look for themselves in such a search, at most.
size_t SelvesMax(const SearchRequest& request);

// The number of the leg that guides a leg whose option names one. kInvalid: it names none, or one
// that cannot. A dense leg is guided by one of another kind, so there are no circles.
Result<size_t> GuideOf(const Schema& schema, const SearchRequest& request, size_t leg);

// What is of use for each query, and how much.
using JudgedPlaces = std::map<size_t, std::vector<std::pair<RecordPlace, double>>>;

// The weights and the normalization under which the request's legs find what is judged best.
Status FitHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                 const SearchRequest& request, const JudgedPlaces& judged,
                 const query::FitOptions& options, query::FittedFusion* fitted);

// The request has legs, all with as many queries.
Status SearchHybrid(Database* database, Snapshot* snapshot, const SearchedViews& views,
                    const SearchRequest& request, const ColumnChoice& choice,
                    const ShapeWinners* shape, ResultTable* table);

}  // namespace quern
