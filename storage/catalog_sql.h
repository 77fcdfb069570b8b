// SQL texts of the tables of collections, beside those that catalog.h declares.
#pragma once

#include "storage/catalog.h"

namespace quern::storage {

// What a column of the type is declared as.
const char* SqlType(AttrType type);
// Of a collection whose name and schema are known.
CollectionSql MakeCollectionSql(const CollectionInfo& info);

}  // namespace quern::storage
