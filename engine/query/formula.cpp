#include "engine/query/formula.h"

#include <algorithm>

#include "engine/query/formula_steps.h"

namespace quern::query {

namespace {

// Records at a time: the columns of a deep formula stay in the cache.
constexpr size_t kBlock = 256;

// One loop for each kind of step, so that the compiler can make vectors of it.
#define QUERN_EACH_TWO(op)                   \
    case op:                                 \
        for (size_t i = 0; i < count; i++) { \
            a[i] = ApplyTwo(op, a[i], b[i]); \
        }                                    \
        return;

void RunTwo(FormulaOp op, double* a, const double* b, size_t count) {
    switch (op) {
        QUERN_EACH_TWO(FormulaOp::kAdd)
        QUERN_EACH_TWO(FormulaOp::kSubtract)
        QUERN_EACH_TWO(FormulaOp::kMultiply)
        QUERN_EACH_TWO(FormulaOp::kDivide)
        QUERN_EACH_TWO(FormulaOp::kMin)
        QUERN_EACH_TWO(FormulaOp::kMax)
        default:
            for (size_t i = 0; i < count; i++) {
                a[i] = ApplyTwo(op, a[i], b[i]);
            }
    }
}
#undef QUERN_EACH_TWO

}  // namespace

Result<Formula> Formula::Compile(const ParsedFormula& parsed, const Resolve& resolve,
                                 const std::vector<double>& parameters) {
    Formula formula;
    std::vector<size_t> stack;  // where the steps of each operand begin
    for (const FormulaStep& step : parsed.steps) {
        Step ready{step.op, 0, step.number};
        if (step.op == FormulaOp::kParameter) {
            ready = {FormulaOp::kNumber, 0, parameters.at(step.index)};
        } else if (step.op == FormulaOp::kName) {
            QUERN_ASSIGN(ready.variable, resolve(parsed.names[step.index], step.byte));
        }
        const size_t operands = OperandCount(step.op);
        const size_t first = operands == 0 ? formula.steps_.size() : stack[stack.size() - operands];
        stack.resize(stack.size() - operands);
        stack.push_back(first);
        formula.steps_.push_back(ready);
        formula.stack_max_ = std::max(formula.stack_max_, stack.size() + operands);
        if (step.op >= FormulaOp::kGaussDecay) {
            QUERN_TRY(formula.CheckDecay(step.byte));
        }
        formula.Fold(first);
    }
    return formula;
}

// The last step is a decay, with numbers before it.
Status Formula::CheckDecay(size_t byte) const {
    const size_t at = steps_.size() - 1;
    bool right = true;
    for (size_t i = 1; i <= 3; i++) {
        right = right && at >= i && steps_[at - i].op == FormulaOp::kNumber &&
                std::isfinite(steps_[at - i].number);
    }
    if (!right || !(steps_[at - 3].number > 0) || !(steps_[at - 2].number >= 0) ||
        !(steps_[at - 1].number > 0) || !(steps_[at - 1].number < 1)) {
        return FormulaMistake(Code::kInvalid, byte,
                              "a decay has a constant scale above 0, a constant offset from 0 on, "
                              "and a constant value at the scale between 0 and 1");
    }
    return {};
}

// Makes a number of the steps from `first` on if they depend on nothing.
void Formula::Fold(size_t first) {
    if (first + 1 == steps_.size()) {
        return;
    }
    for (size_t i = first; i < steps_.size(); i++) {
        if (steps_[i].op == FormulaOp::kName) {
            return;
        }
    }
    Formula constant;
    constant.steps_.assign(steps_.begin() + static_cast<ptrdiff_t>(first), steps_.end());
    constant.stack_max_ = stack_max_;
    double value = 0;
    constant.Evaluate({}, 1, &value);
    steps_.resize(first);
    steps_.push_back({FormulaOp::kNumber, 0, value});
}

bool Formula::Uses(uint32_t variable) const {
    return std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) {
        return step.op == FormulaOp::kName && step.variable == variable;
    });
}

void Formula::Evaluate(const std::vector<const double*>& columns, size_t count,
                       double* values) const {
    std::vector<double> stack(stack_max_ * std::min(count, kBlock));
    for (size_t begin = 0; begin < count; begin += kBlock) {
        const size_t size = std::min(kBlock, count - begin);
        double* top = stack.data();  // behind the last operand
        for (const Step& step : steps_) {
            top -= OperandCount(step.op) * size;
            RunStep(step, columns, begin, size, top);
            top += size;
        }
        std::copy_n(stack.data(), size, values + begin);
    }
}

// a: the operands, one column after the other; the first becomes the result.
void Formula::RunStep(const Step& step, const std::vector<const double*>& columns, size_t begin,
                      size_t size, double* a) {
    const double* const b = a + size;
    const double* const c = b + size;
    switch (OperandCount(step.op)) {
        case 0:
            if (step.op == FormulaOp::kName) {
                std::copy_n(columns[step.variable] + begin, size, a);
            } else {
                std::fill_n(a, size, step.number);
            }
            return;
        case 1:
            for (size_t i = 0; i < size; i++) {
                a[i] = ApplyOne(step.op, a[i]);
            }
            return;
        case 2: RunTwo(step.op, a, b, size); return;
        case 3:
            for (size_t i = 0; i < size; i++) {
                a[i] = ApplyIf(a[i], b[i], c[i]);
            }
            return;
        default:
            for (size_t i = 0; i < size; i++) {
                a[i] = ApplyDecay(step.op, a[i], b[i], c[i], c[size + i]);
            }
    }
}

}  // namespace quern::query
