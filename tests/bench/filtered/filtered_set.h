// FilteredSet: real vectors with attributes, and the conditions on them that are searched under.
//
// Every set has two attributes made from its vectors: `share` is random; `near` is the rank of a
// record by its distance from one query, the pivot. So a condition is independent of the queries,
// matches where they are (the queries are those nearest to the pivot), or where they are not. Some
// sets carry real attributes as well, which are asked for with queries of all kinds.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/vector_set.h"

namespace bench {

struct Attribute {
    std::string name;
    std::vector<int64_t> numbers;
    std::vector<std::string> texts;  // empty: it has numbers
};

struct Condition {
    std::string kind;
    std::string filter;
    std::vector<uint8_t> matching;  // one a record
    bool near_pivot = false;        // which queries ask

    size_t Count() const;
};

struct FilteredSet {
    VectorSet vectors;
    std::vector<Attribute> attributes;
    std::vector<Condition> conditions;
    std::vector<size_t> near_queries;
    std::vector<size_t> all_queries;

    const std::vector<size_t>& QueriesOf(const Condition& condition) const {
        return condition.near_pivot ? near_queries : all_queries;
    }
    // What orders rows as the metric does: of normalised vectors under cosine.
    float Distance(size_t query, size_t row) const;
};

// False, and *reason says why, when the data is not there.
bool LoadFilteredSet(const SetRequest& request, FilteredSet* set, std::string* reason);

}  // namespace bench
