// Changes of the schema that only part of the engine knows of; the others are Database's own.
#pragma once

#include <string>

#include "engine/db/database.h"

namespace quern {

// Whether the file keeps columns of an attribute (attr_parts.h), in a transaction of its own. Those
// that it does not keep any more are removed at once; those that it is to keep are built by who
// builds indexes. kNotFound, kUnknownField.
Status SetAttrIndex(Database* database, const std::string& collection, const std::string& attr,
                    bool index);

}  // namespace quern
