// Collections as SQL sees them: views of key and attributes, sealed records and log together.
#pragma once

#include <string>
#include <vector>

#include "storage/catalog.h"
#include "storage/sql_reader.h"

namespace quern {

// Of the collections whose names the statement mentions.
std::vector<storage::SqlView> SqlViewsFor(const storage::Catalog& catalog,
                                          const std::string& statement);

}  // namespace quern
