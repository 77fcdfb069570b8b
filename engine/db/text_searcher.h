// Search of a text field of one collection under a snapshot.
#pragma once

#include <memory>

#include "engine/db/database.h"

namespace quern {

// field: its number in the schema.
Status SearchText(Database* database, Snapshot* snapshot,
                  const std::shared_ptr<const CollectionView>& view, const SearchRequest& request,
                  size_t field, ResultTable* table);

}  // namespace quern
