// How high and how low a formula can get.
#include <algorithm>

#include "engine/query/formula.h"
#include "engine/query/formula_steps.h"

namespace quern::query {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr ValueRange kAnything;

// Sums, products, quotients and roots are rounded correctly, so a larger operand never gives a
// smaller result; of exp, log and pow only a few units in the last place are certain.
ValueRange Widened(double low, double high, bool nullable) {
    constexpr double kSlack = 1e-14;
    constexpr double kLeast = 1e-300;  // where units are no longer relative
    constexpr double kMost = std::numeric_limits<double>::max();
    return {low == kInfinity ? kMost : low - std::abs(low) * kSlack - kLeast,
            high == -kInfinity ? -kMost : high + std::abs(high) * kSlack + kLeast, nullable};
}

// The hull of f at the four corners. Infinity * 0 in a corner stands for products near it, which
// are 0.
template <typename Op>
ValueRange Corners(const ValueRange& a, const ValueRange& b, Op op) {
    ValueRange hull{kInfinity, -kInfinity, false};
    for (const double x : {a.low, a.high}) {
        for (const double y : {b.low, b.high}) {
            const double value = op(x, y);
            hull.low = std::min(hull.low, std::isnan(value) ? 0 : value);
            hull.high = std::max(hull.high, std::isnan(value) ? 0 : value);
        }
    }
    return hull;
}

bool Infinite(const ValueRange& a) {
    return std::isinf(a.low) || std::isinf(a.high);
}

ValueRange Hull(const ValueRange& a, const ValueRange& b) {
    return {std::min(a.low, b.low), std::max(a.high, b.high), a.nullable || b.nullable};
}

ValueRange Truth(bool certain, bool impossible, bool nullable) {
    return {certain ? 1.0 : 0.0, impossible ? 0.0 : 1.0, nullable};
}

ValueRange PowerRange(const ValueRange& base, const ValueRange& exponent, bool nullable) {
    const bool even = exponent.low == exponent.high && std::fmod(exponent.low, 2) == 0;
    ValueRange from = base;
    if (base.low < 0) {
        if (!even) {
            return kAnything;
        }
        const double far = std::max(-base.low, std::abs(base.high));
        from = {base.high < 0 ? -base.high : 0, far, base.nullable};
    }
    const ValueRange hull =
        Corners(from, exponent, [](double x, double y) { return std::pow(x, y); });
    return Widened(hull.low, hull.high, nullable || (from.low == 0 && exponent.low < 0));
}

ValueRange AddRange(const ValueRange& a, const ValueRange& b, bool nullable) {
    const double low = a.low + b.low;
    const double high = a.high + b.high;
    return {std::isnan(low) ? -kInfinity : low, std::isnan(high) ? kInfinity : high, nullable};
}

// Of steps that have no value where an operand has none; both have one here.
ValueRange StrictTwo(FormulaOp op, const ValueRange& a, const ValueRange& b, bool nullable) {
    switch (op) {
        case FormulaOp::kAdd: return AddRange(a, b, nullable || (Infinite(a) && Infinite(b)));
        case FormulaOp::kSubtract:
            return AddRange(a, {-b.high, -b.low, false}, nullable || (Infinite(a) && Infinite(b)));
        case FormulaOp::kMultiply: {
            ValueRange hull = Corners(a, b, [](double x, double y) { return x * y; });
            hull.nullable = nullable || Infinite(a) || Infinite(b);
            return hull;
        }
        case FormulaOp::kDivide: {
            if ((b.low <= 0 && b.high >= 0) || (Infinite(a) && Infinite(b))) {
                return kAnything;
            }
            ValueRange hull = Corners(a, b, [](double x, double y) { return x / y; });
            hull.nullable = nullable;
            return hull;
        }
        case FormulaOp::kPower: return PowerRange(a, b, nullable);
        case FormulaOp::kLess: return Truth(a.high < b.low, a.low >= b.high, nullable);
        case FormulaOp::kLessEqual: return Truth(a.high <= b.low, a.low > b.high, nullable);
        case FormulaOp::kEqual:
        case FormulaOp::kNotEqual: {
            const bool same = a.low == a.high && b.low == b.high && a.low == b.low;
            const bool apart = a.high < b.low || b.high < a.low;
            return op == FormulaOp::kEqual ? Truth(same, apart, nullable)
                                           : Truth(apart, same, nullable);
        }
        case FormulaOp::kMin: return {std::min(a.low, b.low), std::min(a.high, b.high), nullable};
        default: return {std::max(a.low, b.low), std::max(a.high, b.high), nullable};
    }
}

ValueRange TwoRange(FormulaOp op, const ValueRange& a, const ValueRange& b) {
    if (op == FormulaOp::kAnd || op == FormulaOp::kOr) {
        return Truth(false, false, a.nullable || b.nullable || a.empty() || b.empty());
    }
    if (op == FormulaOp::kCoalesce) {
        ValueRange either = a.nullable || a.empty() ? Hull(a, b) : a;
        either.nullable = (a.nullable || a.empty()) && (b.nullable || b.empty());
        return either;
    }
    if (a.empty() || b.empty()) {
        return ValueRange::Of(kNull);
    }
    return StrictTwo(op, a, b, a.nullable || b.nullable);
}

ValueRange OneRange(FormulaOp op, const ValueRange& a) {
    if (a.empty()) {
        return ValueRange::Of(kNull);
    }
    switch (op) {
        case FormulaOp::kNegate: return {-a.high, -a.low, a.nullable};
        case FormulaOp::kNot:
            return Truth(a.low == 0 && a.high == 0, a.low > 0 || a.high < 0, a.nullable);
        case FormulaOp::kAbs: {
            const bool spans = a.low < 0 && a.high > 0;
            const double low = std::min(std::abs(a.low), std::abs(a.high));
            return {spans ? 0 : low, std::max(std::abs(a.low), std::abs(a.high)), a.nullable};
        }
        case FormulaOp::kExp: return Widened(std::exp(a.low), std::exp(a.high), a.nullable);
        case FormulaOp::kSqrt:
            return a.high < 0 ? ValueRange::Of(kNull)
                              : ValueRange{a.low > 0 ? std::sqrt(a.low) : 0, std::sqrt(a.high),
                                           a.nullable || a.low < 0};
        default: {  // logarithms
            if (!(a.high > 0)) {
                return ValueRange::Of(kNull);
            }
            const double high = ApplyOne(op, a.high);
            const ValueRange wide =
                Widened(a.low > 0 ? ApplyOne(op, a.low) : high, high, a.nullable || a.low <= 0);
            return {a.low > 0 ? wide.low : -kInfinity, wide.high, wide.nullable};
        }
    }
}

ValueRange IfRange(const ValueRange& condition, const ValueRange& yes, const ValueRange& no) {
    const bool never = condition.empty() || (condition.low == 0 && condition.high == 0);
    const bool always =
        !condition.empty() && !condition.nullable && (condition.low > 0 || condition.high < 0);
    ValueRange either = never ? no : always ? yes : Hull(yes, no);
    either.nullable = either.nullable || either.empty();
    return either;
}

// operands: the distance and three constants.
ValueRange DecayRange(FormulaOp op, const ValueRange* operands) {
    if (operands[0].empty()) {
        return ValueRange::Of(kNull);
    }
    const auto at = [&](double distance) {
        return ApplyDecay(op, distance, operands[1].low, operands[2].low, operands[3].low);
    };
    return Widened(at(std::max(0.0, operands[0].high)), at(std::max(0.0, operands[0].low)),
                   operands[0].nullable);
}

}  // namespace

ValueRange ValueRange::Of(double value) {
    return std::isnan(value) ? ValueRange{kInfinity, -kInfinity, true}
                             : ValueRange{value, value, false};
}

ValueRange Formula::RangeOf(const std::vector<ValueRange>& variables) const {
    std::vector<ValueRange> stack;
    for (const Step& step : steps_) {
        const size_t count = OperandCount(step.op);
        const size_t first = stack.size() - count;
        ValueRange range;
        switch (count) {
            case 0:
                range = step.op == FormulaOp::kName ? variables[step.variable]
                                                    : ValueRange::Of(step.number);
                break;
            case 1: range = OneRange(step.op, stack[first]); break;
            case 2: range = TwoRange(step.op, stack[first], stack[first + 1]); break;
            case 3: range = IfRange(stack[first], stack[first + 1], stack[first + 2]); break;
            default: range = DecayRange(step.op, &stack[first]);
        }
        stack.resize(first);
        stack.push_back(range);
    }
    return stack.back();
}

}  // namespace quern::query
