// Builds the indexes that a collection's segments lack. The slow part runs under no lock, over
// vectors in memory; the result is written in transactions of a few megabytes to a segment of its
// own that nobody sees, and handed over in one small one. What a crash leaves is swept like any
// unfinished segment.
#pragma once

#include "engine/db/database.h"
#include "engine/db/old_graphs.h"

namespace quern {

struct IndexBuildRules {
    // Indexes that are there are loaded and proved; damaged ones are made anew.
    bool check_present = false;
    // Columns of attributes are made anew where any record has changed since; else where many have.
    bool renew_columns = false;
};

// kNotFound when the collection was dropped. Indexes grow from old graphs (may be NULL) where that
// pays. With a deadline, only what will be ready by then, as
// far as that can be told, is begun.
Status BuildIndexes(Database* database, const std::string& collection, const IndexBuildRules& rules,
                    OldGraphs* old_graphs, Work* work);

}  // namespace quern
