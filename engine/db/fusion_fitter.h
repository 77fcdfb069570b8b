// Learning how the legs of a request are fused, from judged examples (engine/query/fit_fusion).
#pragma once

#include <vector>

#include "engine/db/database.h"
#include "engine/query/fit_fusion.h"

namespace quern {

struct Judgment {
    size_t query = 0;  // of the request's queries
    Key key;           // one that does not exist counts for nothing
    double gain = 1;   // at least 0 and finite
};

// The request has legs. Queries without a judgment above 0 count for nothing. kNotFound: there is
// none of the records judged above 0.
Status FitFusion(Database* database, Snapshot* snapshot, const SearchRequest& request,
                 const std::vector<Judgment>& judgments, const query::FitOptions& options,
                 query::FittedFusion* fitted);

}  // namespace quern
