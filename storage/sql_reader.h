// Runs one SQL statement of a user: read-only, and with nothing in sight but the views that are
// passed in.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/connection.h"

namespace quern::storage {

// How the body of a view spells the schema "main" (names of schemas know no case): it tells the
// tables of a view from those that a user names, where SQLite tells no more.
inline constexpr char kViewSchema[] = "mAiN";

// A view that the statement can use.
struct SqlView {
    std::string name;
    std::string select;  // its SQL; may read any table, each with kViewSchema before its name
};

struct SqlSink {
    std::function<Status(const std::vector<std::string>& names)> columns;  // once, before the rows
    std::function<Status(const std::vector<Cell>& row)> row;               // cells are borrowed
};

// kSql: does not parse, is more than one statement, would write, or reads what is neither a view
// nor json_each or json_tree. The connection must be in a read transaction; it is left as it was.
// kInterrupted when work says so.
Status RunSql(Connection* connection, const std::vector<SqlView>& views,
              const std::string& statement, Work* work, const SqlSink& sink);

}  // namespace quern::storage
