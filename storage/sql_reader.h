// Runs one SQL statement of a user: read-only, and with nothing in sight but the views that are
// passed in and the tables of attached files (attached_files.h).
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
    std::string select;  // its SQL; reads `tables`, each with kViewSchema before its name
    std::vector<std::string> tables;
    bool has_rowid = false;  // a column of it is called rowid or oid
};

struct SqlSink {
    std::function<Status(const std::vector<std::string>& names)> columns;  // once, before the rows
    std::function<Status(const std::vector<Cell>& row)> row;               // cells are borrowed
};

// kSql: does not parse, is more than one statement, would write, reads what is neither a view nor
// in an attached file nor json_each or json_tree, asks a view for a rowid, or finds an attached
// file damaged. kBusy: an attached file is held by a writer. What it names of a file that cannot be
// opened gives the code of that. The connection must be in a read transaction; it is left as it
// was. kInterrupted when work says so.
Status RunSql(Connection* connection, const std::vector<SqlView>& views,
              const std::string& statement, Work* work, const SqlSink& sink);

// A condition of a user over one table, which may ask the views in sub-queries. Its text must have
// been proven to be nothing but a piece of an expression: brackets that match, no semicolon, no
// comment or text without an end, and no name that begins with "_", "quern_" or "sqlite_"
// (engine/filter/filter_tokens.h does).
struct SqlCondition {
    std::string table;    // as SQL has it
    std::string name;     // what the condition may call it
    std::string columns;  // to select
    std::string only;     // an own condition before the user's; may be empty
    std::string text;
    // Only these rows are asked about, ascending; NULL: all. By looking each up, or in a pass over
    // the table, which pays for more than about one in sixteen.
    const std::vector<int64_t>* rows = nullptr;
    bool look_up = false;
    bool negated = false;          // rows are wanted for which it is false instead
    std::vector<Cell> parameters;  // by number, from 1 on
    // The byte of what the user wrote that a byte of `text` stands for; unset: the same.
    std::function<size_t(size_t byte)> origin;
};

// The rows for which it is true. Errors as RunSql; the messages of what the user has done wrong
// begin with "filter, byte N: ", N being what `origin` says of the place (sql_place.h), or of the
// first word of the condition; "filter: " where no byte is to blame.
Status RunCondition(Connection* connection, const std::vector<SqlView>& views,
                    const SqlCondition& condition, Work* work,
                    const std::function<Status(const std::vector<Cell>& row)>& take);

}  // namespace quern::storage
