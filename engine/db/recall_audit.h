// What recall a query's own searches have, measured against exact ones; and, where that is wanted,
// what has to be asked of the curves of its fields from now on (dense/recall_correction.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/db/database.h"

namespace quern {

struct AuditOptions {
    size_t sample = 0;  // so many queries, evenly spread; 0: all
    enum class Keep { kNo, kYes, kForget } keep = Keep::kNo;
};

// Shares of the exact results. Queries without any count for nothing.
struct AuditedSearch {
    std::string part;   // "query", "candidates", "leg 0"
    std::string field;  // empty: of several legs
    size_t limit = 0;
    double recall = 1;
    double error = 0;  // standard error of the mean over queries
    double told = 0;   // what the search promised; 0: nothing
};

struct RecallAudit {
    size_t queries = 0;  // that were searched
    AuditedSearch whole;
    std::vector<AuditedSearch> parts;  // of a query with legs or candidates
    size_t loses = SIZE_MAX;           // of parts: the one with the least recall, if below 1
    std::vector<KeptRecall> kept;
};

// kInvalid: the query has a shape, no limit, or for keeping too few queries.
Status AuditRecall(Database* database, Snapshot* snapshot, const SearchRequest& request,
                   const AuditOptions& options, RecallAudit* audit);

}  // namespace quern
