// The largest distance that a search may return.
#pragma once

#include "engine/db/database.h"

namespace quern {

// Inclusive; infinity when the request has no bound. Of a least cosine score a little more than
// that: scores are rounded when they are made of distances, and decide by themselves in the end.
float LargestDistance(const SearchRequest& request, Metric metric);

// The same for scores in double that are handed out as f32: the least that is still within the
// bound when it is rounded. Minus infinity when there is none.
double LeastScore(const SearchRequest& request);

}  // namespace quern
