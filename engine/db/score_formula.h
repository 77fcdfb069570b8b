// A user's formula for the scores of a query with legs (engine/query/formula.h), as the query keeps
// it; and the same over one collection and one set of legs, ready to score.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace quern::query {
struct FormulaFusion;
struct ParsedFormula;
}  // namespace quern::query

namespace quern {

class Database;
class Snapshot;
struct SearchedViews;
struct SearchRequest;
struct SearchTally;

struct ScoreFormula {
    std::string text;
    std::shared_ptr<const query::ParsedFormula> parsed;  // NULL: there is none
    std::vector<std::optional<double>> arguments;        // of its parameters; NaN is null

    // kMalformed, kLimit.
    static Result<ScoreFormula> Read(std::string_view text);
    // kInvalid: it has no such parameter.
    Status Bind(std::string_view parameter, double value);
};

// Reads what a formula asks of records: attributes from columns in memory where there is room.
class FormulaScorer {
public:
    virtual ~FormulaScorer() = default;
    virtual const query::FormulaFusion& fusion() const = 0;
    // Of one of its other variables: an attribute's, or the key's.
    virtual const std::string& NameOf(size_t other) const = 0;
};
// Borrows everything. kUnknownField, kType, kInvalid: names that stand for nothing, attributes that
// are no numbers, parameters without a value.
Result<std::unique_ptr<FormulaScorer>> OpenFormula(Database* database, Snapshot* snapshot,
                                                   const SearchedViews& views,
                                                   const SearchRequest& request,
                                                   SearchTally* tally);

}  // namespace quern
