// A filter as SQL: what our words add to SQL's (lists bound to a parameter; has, has any, has all)
// is written in SQL's own, the rest stays as it is.
//
//   x in ?1            x in (SELECT value FROM json_each(?1)), with the list as JSON
//   tags has 'a'       a sub-query over json_each(tags); NULL where tags is
#pragma once

#include <string>
#include <vector>

#include "engine/filter/filter_tokens.h"
#include "engine/filter/filter_value.h"

namespace quern::filter {

// What a filter is about.
struct Subject {
    std::string collection;
    const Schema* schema = nullptr;
};

// Tokens from first up to end (not included).
struct TokenRange {
    size_t first = 0;
    size_t end = 0;
};

// So many conditions in a row, or brackets of these, are no depth to speak of: SQLite ends at 1000.
inline constexpr size_t kRowMax = 100;
// Words and signs that SQLite is given at most: a few seconds of its reading.
inline constexpr size_t kSqlWordsMax = 150000;

struct SqlText {
    std::string text;
    std::vector<Value> parameters;  // one for each of the filter's
    bool asks_views = false;        // it has sub-queries of the user's
    // Which byte of the filter a byte of the text stands for.
    size_t Origin(size_t byte) const;

private:
    friend class SqlWriter;
    std::vector<std::pair<size_t, size_t>> pieces_;  // (byte of text, byte of the filter)
};

// kInvalid where a parameter has no value, kType where a list stands in a wrong place or `has` does
// not follow tags or JSON, kUnknownField for the names of row ids, kLimit above kSqlWordsMax.
// Of the tokens from first up to end (not included). groups: what gets brackets of its own; those
// that are not within are passed over.
Result<SqlText> WriteSql(std::string_view filter, const Tokens& tokens, size_t first, size_t end,
                         const Subject& subject, const std::vector<Argument>& arguments,
                         const std::vector<TokenRange>& groups = {});

// That every parameter has a value.
Status CheckArguments(const Tokens& tokens, const std::vector<Argument>& arguments);

}  // namespace quern::filter
