// Search of a text field of one collection under a snapshot.
//
// Scores are those of the whole collection, so the view is; what a filter leaves is told apart.
#pragma once

#include <memory>

#include "engine/db/database.h"

namespace quern {

// field: its number in the schema. matches: of the request's filter, NULL without one.
Status SearchText(Database* database, Snapshot* snapshot,
                  const std::shared_ptr<const CollectionView>& view,
                  const std::shared_ptr<const RecordMatches>& matches, const SearchRequest& request,
                  size_t field, ResultTable* table);

}  // namespace quern
