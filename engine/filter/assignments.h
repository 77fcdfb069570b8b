// What records are set to, as SQL has it behind SET:
//
//   year = ?1, lang = 'en', tags = ('a', 'b'), note = null
//
// Values are constants, parameters, and for tags lists of texts: the same for every record.
#pragma once

#include <string_view>
#include <vector>

#include "engine/filter/filter_sql.h"

namespace quern::filter {

struct Assignment {
    size_t attr = 0;  // number in the schema
    // Of the kind of the attribute; none: NULL. Of tags: each of them; is_list tells that there
    // are any to be set.
    bool is_list = false;
    std::vector<Value> values;
    bool null() const { return !is_list && values.empty(); }
};

// tokens: ReadTokens of the text with kSetSubject. kSql, kUnknownField, kType, kInvalid with the
// byte of the mistake.
Result<std::vector<Assignment>> ReadAssignments(const Tokens& tokens, const Subject& subject,
                                                const std::vector<Argument>& arguments);

}  // namespace quern::filter
