// A search among the records that another search has found: these are looked up in the field, all
// of them, and nothing else is searched. So a cheap query (codes, a sparse field, a shorter vector)
// chooses what a dear one scores, in as many steps as one likes.
#pragma once

#include "engine/db/field_search.h"

namespace quern {

// What may be found, for each query: places in their order.
using CandidateSets = std::vector<std::vector<RecordPlace>>;

// What a request for candidates finds, of one field or of legs, its own candidates included.
// limit: how many where the request does not say. budget: NULL, or what it may take half of; and
// there are at most half as many candidates as may be scored. selves: of each query, which records
// look for themselves, and take no place among the candidates; empty: none. Adds what it has cost
// to the table; sets QUERN_FLAG_EXACT there if it was exact, and its expected recall.
Result<std::shared_ptr<const CandidateSets>> FindCandidates(
    Database* database, Snapshot* snapshot, const SearchedViews& views,
    const SearchRequest& request, size_t limit, const CandidateSets& selves, SearchBudget* budget,
    ResultTable* table);

// The search that finds nothing but candidates. `scored` is prepared already; limit: how many it
// gives, 0: all. budget: NULL, or what ends it by time or by bytes; all of them are scored else.
Result<std::unique_ptr<FieldSearch>> SearchAmong(std::shared_ptr<const CandidateSets> candidates,
                                                 std::unique_ptr<FieldSearch> scored, size_t limit,
                                                 SearchBudget* budget, ResultTable* table);

}  // namespace quern
