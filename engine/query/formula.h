// A formula that is ready to run: steps over columns of doubles, a block of records at a time.
//
// Null, which is NaN here, stands for what has no value: a step with a null has none, nor has
// x / 0, the logarithm or root of what has none, 0 ^ -1, (-8) ^ 0.5, infinity - infinity.
// `coalesce` and `if` deal with it; `and`, `or`, `not` are those of SQL. Truth is 1, falsehood 0.
// Infinities are values.
//
// How high a formula can get where its variables are known up to ranges is told by interval
// arithmetic (Moore, 1966): never too low, by rounding neither.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "engine/query/formula_parser.h"

namespace quern::query {

// What a value may be: anything from low to high, and perhaps null. low > high: null alone.
struct ValueRange {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool nullable = true;
    bool empty() const { return !(low <= high); }
    static ValueRange Of(double value);  // NaN: null
};

class Formula {
public:
    // The number of the variable that a name stands for.
    using Resolve = std::function<Result<uint32_t>(const std::string& name, size_t byte)>;
    // parameters: of each of the parsed formula's; NaN is null. kInvalid where an argument must be
    // a constant of some range; what resolve returns.
    static Result<Formula> Compile(const ParsedFormula& parsed, const Resolve& resolve,
                                   const std::vector<double>& parameters);

    // Whether the value depends on a variable.
    bool Uses(uint32_t variable) const;
    // values[i] of record i, from columns[v][i] of each variable v that is used.
    void Evaluate(const std::vector<const double*>& columns, size_t count, double* values) const;
    // Of the value, from that of each variable; those that are not used may be left out at the end.
    ValueRange RangeOf(const std::vector<ValueRange>& variables) const;
    size_t step_count() const { return steps_.size(); }

private:
    struct Step {
        FormulaOp op = FormulaOp::kNumber;
        uint32_t variable = 0;
        double number = 0;
    };
    Status CheckDecay(size_t byte) const;
    void Fold(size_t first);
    static void RunStep(const Step& step, const std::vector<const double*>& columns, size_t begin,
                        size_t size, double* a);
    std::vector<Step> steps_;
    size_t stack_max_ = 0;
};

}  // namespace quern::query
