// Functions of SQLite's whose time grows with the product of their arguments' lengths, made so that
// they end when they are to: a deadline is looked at between the steps of a statement, and one call
// of theirs is one step.
//
// instr, replace, trim, ltrim, rtrim, like and glob are written anew; printf, format and json_patch
// are SQLite's, of arguments that take them no time. Results are those of SQLite's own, whatever
// bytes there are, but for patterns of LIKE and GLOB that are no UTF-8.
#pragma once

#include <string_view>

struct sqlite3;

namespace quern::storage {

// Whether the statement of a connection is to end; asked now and then. Lives as long as the
// connection.
using EndsFn = bool (*)(void* of);
// False when memory is short.
bool ReplaceSlowFunctions(sqlite3* db, EndsFn ends, void* of);

// Whether statements of users may call it: what reads, and neither writes, tells addresses, nor
// takes pointers from a text.
bool IsReadingFunction(std::string_view name);

}  // namespace quern::storage
