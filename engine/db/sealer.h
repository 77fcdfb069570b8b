// Sealing: the log of a collection becomes rows of its table and a segment, in one transaction.
#pragma once

#include <memory>

#include "engine/db/database.h"

namespace quern {

// Within the write transaction of `connection`, before it has changed the collection. *sealed (may
// be NULL) tells whether there was anything to do. Cost: writes every live record of the log once.
Status SealLog(Database* database, storage::Connection* connection,
               const std::shared_ptr<const storage::CollectionInfo>& info, Work* work,
               bool* sealed);

}  // namespace quern
