// Which values of a column a condition is true, or false, for; and which records a whole filter is.
//
// SQL's logic has three values. Asking either for the records for which a condition is true or for
// those for which it is false needs two: AND is false where any of its parts is, NOT asks for the
// opposite, and records with NULL are in neither answer.
#pragma once

#include <functional>

#include "engine/filter/attr_column.h"

namespace quern::filter {

// The numbers of the values of a column for which the condition is what is wanted.
CodeRanges MatchingCodes(const Node& condition, const AttrColumn& column, bool wanted);

// Where the answers for a run of records come from.
struct MatchSource {
    Bits open;  // the records that are asked for
    // Sets the bits of the records for which a condition on a column is what is wanted.
    std::function<Status(const Node& condition, bool wanted, Bits* bits)> mark;
    // Likewise for a condition for SQLite, of those records that are in `within`. It is called even
    // when none is, so that mistakes in the condition are found.
    std::function<Status(const Node& condition, bool wanted, const Bits& within, Bits* bits)>
        ask_sql;
};
Result<Bits> MatchingRecords(const Node& tree, const MatchSource& source);

// The tags of a stored value: a JSON array of texts, as we write it.
std::vector<std::string> TagsOf(std::string_view json);

// LIKE and GLOB as SQLite has them, of valid UTF-8.
bool Like(std::string_view text, std::string_view pattern);
bool Glob(std::string_view text, std::string_view pattern);

}  // namespace quern::filter
