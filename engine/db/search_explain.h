// What a search would do and why, without doing it.
#pragma once

#include <string>

#include "engine/db/database.h"

namespace quern {

// *json gets how the request's filter is decided, how many records match, and for a dense field
// which way each segment would be searched; of a request with legs or candidates all that of each.
// As quern.h has it.
Status ExplainSearch(Database* database, Snapshot* snapshot, const SearchRequest& request,
                     std::string* json);

}  // namespace quern
