// What the scores of hits are made of: dimensions, terms, codes.
#pragma once

#include <string>

#include "engine/db/database.h"

namespace quern {

// *json gets, of each row of a result that the request had, what each leg's score is made of, as
// quern.h has it. Records are looked up by their keys: those that are gone are said to be. Cost: a
// look at each row's value in each leg's field.
Status ExplainHits(Database* database, Snapshot* snapshot, const SearchRequest& request,
                   const ResultTable& hits, std::string* json);

}  // namespace quern
