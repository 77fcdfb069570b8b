// What `quern search` adds up over its queries: speed, recall by a truth file, cost.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "search_cost.h"

namespace quern::shell {

struct RunFigures {
    double first_seconds = 0;
    double total_seconds = 0;
    std::vector<double> latencies;  // one by one only
    size_t hits = 0;
    size_t wanted = 0;
    size_t partial = 0;  // searches
    SearchCost cost;     // what quern_result_stat says

    double Recall() const;
    double PerSecond(size_t queries) const;
    // Members of an outer object, each behind a comma. batch: all were asked in one call.
    std::string Json(size_t queries, bool with_truth, bool batch) const;
    // k: of the truth, 0: there is none. behind_hits: something has been printed before.
    void Print(size_t queries, size_t k, bool batch, bool behind_hits) const;
};

}  // namespace quern::shell
