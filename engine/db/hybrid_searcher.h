// Search by several legs, each a search of one field, fused into one result (engine/query).
#pragma once

#include <memory>

#include "engine/db/database.h"

namespace quern {

// The request has legs, all with as many queries.
Status SearchHybrid(Database* database, Snapshot* snapshot,
                    const std::shared_ptr<const CollectionView>& view, const SearchRequest& request,
                    const ColumnChoice& choice, ResultTable* table);

}  // namespace quern
