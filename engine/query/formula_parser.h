// The text of a formula as steps in the order in which they are done: operands first. What a name
// stands for is not known here.
//
//   0.7 * emb + if(year > :since, 1, 0)   ->   0.7 emb * year :since > 1 0 if +
//
//   or < and < not < comparisons < + - < * / < - (of one) < ^ (from the right)
//
// Hostile texts: their size, the brackets, functions and signs in each other, and the steps are
// bounded, so that neither reading nor running one can take much memory or stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace quern::query {

inline constexpr size_t kFormulaBytesMax = 65536;
inline constexpr size_t kFormulaDepthMax = 64;
inline constexpr size_t kFormulaStepsMax = 4096;
inline constexpr size_t kFormulaParametersMax = 1024;

enum class FormulaOp : uint8_t {
    kNumber,     // 0 operands
    kName,       // the same
    kParameter,  // the same
    kAdd,        // 2, up to kMax
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kLess,
    kLessEqual,
    kEqual,
    kNotEqual,
    kAnd,
    kOr,
    kCoalesce,
    kMin,
    kMax,
    kNegate,  // 1, up to kLog10
    kNot,
    kAbs,
    kExp,
    kSqrt,
    kLn,
    kLog2,
    kLog10,
    kIf,          // 3
    kGaussDecay,  // 4, up to kLinearDecay: distance, scale, offset, value at the scale
    kExpDecay,
    kLinearDecay,
};
size_t OperandCount(FormulaOp op);

struct FormulaStep {
    FormulaOp op = FormulaOp::kNumber;
    uint32_t byte = 0;   // of the text
    uint32_t index = 0;  // of a name or a parameter
    double number = 0;
};

struct ParsedFormula {
    std::vector<FormulaStep> steps;
    std::vector<std::string> names;       // each once, as it is written first; case does not count
    std::vector<std::string> parameters;  // as they are written: ?1, :name, @name, $name
};

// "formula, byte N: what".
Status FormulaMistake(Code code, size_t byte, const std::string& what);

// kMalformed, kLimit.
Result<ParsedFormula> ParseFormula(std::string_view text);

}  // namespace quern::query
