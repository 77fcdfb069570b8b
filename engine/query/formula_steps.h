// What the steps of a formula do to numbers. NaN is null.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/query/formula_parser.h"

namespace quern::query {

inline constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

inline double TruthOf(bool is, double a, double b) {
    return std::isnan(a) || std::isnan(b) ? kNull : is ? 1.0 : 0.0;
}

inline double ApplyPower(double base, double exponent) {
    // pow(1, NaN) and pow(NaN, 0) are 1 in C.
    if (std::isnan(base) || std::isnan(exponent) || (base == 0 && exponent < 0)) {
        return kNull;
    }
    // And pow(-infinity, 0.5) is infinity, where no other number below 0 has a root.
    if (base < 0 && std::isinf(base) && exponent != std::trunc(exponent)) {
        return kNull;
    }
    return std::pow(base, exponent);
}

inline double ApplyAnd(double a, double b) {
    return a == 0 || b == 0 ? 0.0 : TruthOf(true, a, b);
}

inline double ApplyOr(double a, double b) {
    const bool is = (a != 0 && !std::isnan(a)) || (b != 0 && !std::isnan(b));
    return is ? 1.0 : TruthOf(false, a, b);
}

// distance is at least 0, or null; the others are constants of their ranges.
inline double ApplyDecay(FormulaOp op, double distance, double scale, double offset,
                         double at_scale) {
    if (std::isnan(distance)) {
        return kNull;
    }
    const double u = std::max(0.0, distance - offset) / scale;
    switch (op) {
        case FormulaOp::kGaussDecay: return std::pow(at_scale, u * u);
        case FormulaOp::kExpDecay: return std::pow(at_scale, u);
        default: return std::max(0.0, 1 - (1 - at_scale) * u);
    }
}

inline double ApplyOne(FormulaOp op, double a) {
    switch (op) {
        case FormulaOp::kNegate: return -a;
        case FormulaOp::kNot: return TruthOf(a == 0, a, a);
        case FormulaOp::kAbs: return std::abs(a);
        case FormulaOp::kExp: return std::exp(a);
        case FormulaOp::kSqrt: return a >= 0 ? std::sqrt(a) : kNull;
        case FormulaOp::kLn: return a > 0 ? std::log(a) : kNull;
        case FormulaOp::kLog2: return a > 0 ? std::log2(a) : kNull;
        default: return a > 0 ? std::log10(a) : kNull;
    }
}

inline double ApplyTwo(FormulaOp op, double a, double b) {
    switch (op) {
        case FormulaOp::kAdd: return a + b;
        case FormulaOp::kSubtract: return a - b;
        case FormulaOp::kMultiply: return a * b;
        case FormulaOp::kDivide: return b == 0 ? kNull : a / b;
        case FormulaOp::kPower: return ApplyPower(a, b);
        case FormulaOp::kLess: return TruthOf(a < b, a, b);
        case FormulaOp::kLessEqual: return TruthOf(a <= b, a, b);
        case FormulaOp::kEqual: return TruthOf(a == b, a, b);
        case FormulaOp::kNotEqual: return TruthOf(a != b, a, b);
        case FormulaOp::kAnd: return ApplyAnd(a, b);
        case FormulaOp::kOr: return ApplyOr(a, b);
        case FormulaOp::kCoalesce: return std::isnan(a) ? b : a;
        case FormulaOp::kMin: return std::isnan(a) || std::isnan(b) ? kNull : std::min(a, b);
        default: return std::isnan(a) || std::isnan(b) ? kNull : std::max(a, b);
    }
}

inline double ApplyIf(double condition, double yes, double no) {
    return std::isnan(condition) || condition == 0 ? no : yes;
}

}  // namespace quern::query
