// Sets of keys as parts of filters: which records of a view have keys that are in a set.
#pragma once

#include "engine/db/record_filter.h"

namespace quern {

class Database;

// The records of a view whose keys are in the set, or are not. kType: keys of another type. Cost:
// a look-up for each key of a set that is small beside the collection, else a look at each record.
Result<std::shared_ptr<const RecordMatches>> MatchKeys(Database* database,
                                                       storage::Connection* connection,
                                                       const CollectionView& view,
                                                       const KeyChoice& choice);

Status CheckKeyType(const storage::CollectionInfo& info, const KeyChoice& choice);

}  // namespace quern
