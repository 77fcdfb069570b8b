// What a search meant to do and what it has done, from its result alone.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace quern {

class ResultTable;

// *json gets, as quern.h has it, the plan of each segment beside what was counted there, of the
// search, its legs, its candidates and its feedback. kInvalid: the result is of no search.
Status ExplainResult(const ResultTable& table, std::string* json);

}  // namespace quern
