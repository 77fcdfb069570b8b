// Query vectors that are sums of weighted vectors: averages, analogies, examples for and against,
// labels by their shares.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "storage/base/schema.h"

namespace quern {

struct QueryTerm {
    size_t query = 0;
    double weight = 1;    // finite
    bool stored = false;  // key, else vector
    Key key;
    std::vector<float> vector;  // finite
};

struct ComposedQueries {
    enum class Scale {
        kNone,
        kMean,  // by the sum of the weights, which must be above 0
        kUnit,  // to length 1
    };
    size_t count = 0;
    std::optional<bool> unit_terms;  // each counts with length 1; unset: under cosine
    Scale scale = Scale::kNone;
    std::vector<QueryTerm> terms;
};

}  // namespace quern
