// The shape of a result: hits without near-duplicates, diverse ones, a few of each group, a page,
// the order of its rows.
//
// A shape is made of the first hits of a search, in order, and may need more of them than it
// returns: how many shows only when they are there. So the search is run again, deeper, until
// nothing that comes behind can change the shape.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace quern {

class Database;
class Snapshot;
struct CollectionView;
class ResultTable;
struct SearchRequest;
struct Winner;

struct HitShape {
    size_t offset = 0;     // hits or groups that are passed over
    std::string group_by;  // an attribute or the key; empty: no groups
    size_t per_group = 1;
    std::string similar_by;            // a dense field; empty: hits may be as similar as they are
    std::optional<double> duplicates;  // from this cosine on
    std::optional<double> lambda;      // of marginal relevance
    size_t pool = 0;                   // hits that it chooses from; 0: five times what is wanted
    bool scaled = true;                // their scores to 0 .. 1
    std::string order;                 // of the rows, once these are known; empty: the best first
    std::string after;                 // a bookmark: hits that come behind it; empty: all

    bool any() const {
        return offset > 0 || !group_by.empty() || !similar_by.empty() || !order.empty() ||
               !after.empty();
    }
};

// Shapes the hits of each query of a search. Confined to one thread at a time.
class HitShaper {
public:
    virtual ~HitShaper() = default;
    // How many hits to begin with.
    virtual size_t first_depth() const = 0;
    // The hits of each query, in order, all that are among the first `depth` (0: all there are).
    // False: more are needed. Else they are what the result has, and table->groups the number of
    // each one's group.
    virtual Result<bool> Shape(size_t depth, std::vector<std::vector<Winner>>* hits,
                               ResultTable* table) = 0;
};

// Borrows everything. kUnknownField, kType: the shape does not fit the schema.
Result<std::unique_ptr<HitShaper>> OpenShaper(Database* database, Snapshot* snapshot,
                                              std::shared_ptr<const CollectionView> view,
                                              const SearchRequest& request, ResultTable* table);

}  // namespace quern
