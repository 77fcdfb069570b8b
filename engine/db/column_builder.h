// Builds the columns of attributes that segments lack, from the table of records, as derived parts;
// see attr_parts.h for what makes them right.
#pragma once

#include "engine/db/index_builder.h"

namespace quern {

// As BuildIndexes, which ends with it.
Status BuildColumns(Database* database, const std::string& collection, const IndexBuildRules& rules,
                    Work* work);

}  // namespace quern
