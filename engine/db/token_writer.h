// Giving a sparse field token weights.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace quern {

class Database;

// Token i stands for dims[i] (NULL: i) and counts weights[i] (NULL: as rare as its dimension is).
struct TokenInput {
    const char* const* tokens = nullptr;
    const uint32_t* dims = nullptr;
    const float* weights = nullptr;
    size_t count = 0;          // 0: there are to be none
    std::string options = {};  // as sparse/token_weights.h has them
};
// Errors: those of the table, kUnknownField, kType (no sparse field).
Status SetTokenWeights(Database* database, const std::string& collection, const std::string& field,
                       const TokenInput& input);

}  // namespace quern
