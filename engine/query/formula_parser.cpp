#include "engine/query/formula_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "storage/base/schema.h"

namespace quern::query {

namespace {

struct Function {
    const char* name;
    FormulaOp op;
    size_t least;  // arguments
    size_t most;
};
constexpr size_t kMany = std::numeric_limits<size_t>::max();
constexpr Function kFunctions[] = {
    {"abs", FormulaOp::kAbs, 1, 1},
    {"exp", FormulaOp::kExp, 1, 1},
    {"sqrt", FormulaOp::kSqrt, 1, 1},
    {"ln", FormulaOp::kLn, 1, 1},
    {"log2", FormulaOp::kLog2, 1, 1},
    {"log10", FormulaOp::kLog10, 1, 1},
    {"pow", FormulaOp::kPower, 2, 2},
    {"min", FormulaOp::kMin, 1, kMany},
    {"max", FormulaOp::kMax, 1, kMany},
    {"coalesce", FormulaOp::kCoalesce, 1, kMany},
    {"if", FormulaOp::kIf, 3, 3},
    {"gauss_decay", FormulaOp::kGaussDecay, 3, 5},
    {"exp_decay", FormulaOp::kExpDecay, 3, 5},
    {"linear_decay", FormulaOp::kLinearDecay, 3, 5},
};

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}
bool StartsName(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool InName(char c) {
    return StartsName(c) || IsDigit(c);
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<ParsedFormula> Run() {
        if (text_.size() > kFormulaBytesMax) {
            return Status::Error(Code::kLimit, "formula: %zu bytes, the limit is %zu", text_.size(),
                                 kFormulaBytesMax);
        }
        if (!IsValidUtf8(text_) || text_.find('\0') != std::string_view::npos) {
            return Status::Error(Code::kMalformed, "formula: it is not UTF-8 without NUL");
        }
        QUERN_TRY(Or());
        if (Next() != '\0') {
            return Mistake(Next() == ')' ? "this bracket closes nothing"
                                         : "an operator should be here");
        }
        return std::move(parsed_);
    }

private:
    // One more of what may stand in each other.
    class Deeper {
    public:
        explicit Deeper(size_t* depth) : depth_(depth) { (*depth_)++; }
        ~Deeper() { (*depth_)--; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;
        bool TooDeep() const { return *depth_ > kFormulaDepthMax; }

    private:
        size_t* depth_;
    };

    Status Mistake(const std::string& what) const {
        return FormulaMistake(Code::kMalformed, at_, what);
    }
    Status TooDeep() const {
        return FormulaMistake(Code::kLimit, at_, "more than 64 terms in each other");
    }

    // The next byte that is no space; 0 at the end.
    char Next() {
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
            at_++;
        }
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool Take(std::string_view sign) {
        Next();
        const bool there = text_.substr(at_, sign.size()) == sign;
        at_ += there ? sign.size() : 0;
        return there;
    }
    // A word without quotes, left where it is.
    std::string_view Word() {
        if (!StartsName(Next())) {
            return {};
        }
        size_t end = at_;
        while (end < text_.size() && InName(text_[end])) {
            end++;
        }
        return text_.substr(at_, end - at_);
    }
    bool TakeWord(std::string_view word) {
        const bool there = SameName(Word(), word);
        at_ += there ? word.size() : 0;
        return there;
    }

    Status Emit(FormulaOp op, size_t byte, double number = 0, size_t index = 0) {
        if (parsed_.steps.size() >= kFormulaStepsMax) {
            return FormulaMistake(Code::kLimit, byte, "more than 4096 steps");
        }
        parsed_.steps.push_back(
            {op, static_cast<uint32_t>(byte), static_cast<uint32_t>(index), number});
        return {};
    }

    Status Or() {
        QUERN_TRY(And());
        while (true) {
            Next();
            const size_t byte = at_;
            if (!TakeWord("or")) {
                return {};
            }
            QUERN_TRY(And());
            QUERN_TRY(Emit(FormulaOp::kOr, byte));
        }
    }

    Status And() {
        QUERN_TRY(Not());
        while (true) {
            Next();
            const size_t byte = at_;
            if (!TakeWord("and")) {
                return {};
            }
            QUERN_TRY(Not());
            QUERN_TRY(Emit(FormulaOp::kAnd, byte));
        }
    }

    Status Not() {
        Next();
        const size_t byte = at_;
        if (!TakeWord("not")) {
            return Comparison();
        }
        const Deeper deeper(&depth_);
        if (deeper.TooDeep()) {
            return TooDeep();
        }
        QUERN_TRY(Not());
        return Emit(FormulaOp::kNot, byte);
    }

    Status Comparison() {
        // a > b is b < a with the operands exchanged, which postfix cannot do: -a < -b can.
        QUERN_TRY(Sum());
        Next();
        const size_t byte = at_;
        if (Take("<>") || Take("!=")) {
            QUERN_TRY(Sum());
            QUERN_TRY(Emit(FormulaOp::kNotEqual, byte));
        } else if (Take("<=") || Take("<")) {
            const bool equal = text_[at_ - 1] == '=';
            QUERN_TRY(Sum());
            QUERN_TRY(Emit(equal ? FormulaOp::kLessEqual : FormulaOp::kLess, byte));
        } else if (Take(">=") || Take(">")) {
            const bool equal = text_[at_ - 1] == '=';
            QUERN_TRY(Emit(FormulaOp::kNegate, byte));
            QUERN_TRY(Sum());
            QUERN_TRY(Emit(FormulaOp::kNegate, byte));
            QUERN_TRY(Emit(equal ? FormulaOp::kLessEqual : FormulaOp::kLess, byte));
        } else if (Take("==") || Take("=")) {
            QUERN_TRY(Sum());
            QUERN_TRY(Emit(FormulaOp::kEqual, byte));
        } else {
            return {};
        }
        const char next = Next();
        if (next == '<' || next == '>' || next == '=' || next == '!') {
            return Mistake("comparisons do not go on: put one of them in brackets");
        }
        return {};
    }

    Status Sum() {
        QUERN_TRY(Product());
        while (true) {
            const char sign = Next();
            const size_t byte = at_;
            if (sign != '+' && sign != '-') {
                return {};
            }
            at_++;
            QUERN_TRY(Product());
            QUERN_TRY(Emit(sign == '+' ? FormulaOp::kAdd : FormulaOp::kSubtract, byte));
        }
    }

    Status Product() {
        QUERN_TRY(Signed());
        while (true) {
            const char sign = Next();
            const size_t byte = at_;
            if (sign != '*' && sign != '/') {
                return {};
            }
            at_++;
            QUERN_TRY(Signed());
            QUERN_TRY(Emit(sign == '*' ? FormulaOp::kMultiply : FormulaOp::kDivide, byte));
        }
    }

    Status Signed() {
        const Deeper deeper(&depth_);
        if (deeper.TooDeep()) {
            return TooDeep();
        }
        const char sign = Next();
        const size_t byte = at_;
        if (sign != '+' && sign != '-') {
            return Power();
        }
        at_++;
        QUERN_TRY(Signed());
        return sign == '-' ? Emit(FormulaOp::kNegate, byte) : Status();
    }

    Status Power() {
        QUERN_TRY(Primary());
        Next();
        const size_t byte = at_;
        if (!Take("^")) {
            return {};
        }
        QUERN_TRY(Signed());  // 2 ^ -1, and 2 ^ 3 ^ 2
        return Emit(FormulaOp::kPower, byte);
    }

    Status Primary() {
        const char c = Next();
        const size_t byte = at_;
        if (c == '(') {
            at_++;
            QUERN_TRY(Or());
            return Close(byte);
        }
        if (IsDigit(c) || c == '.') {
            return Number();
        }
        if (c == '"') {
            return QuotedName();
        }
        if (c == '?' || c == ':' || c == '@' || c == '$') {
            return Parameter();
        }
        const std::string_view word = Word();
        if (word.empty()) {
            return Mistake(c == '\0' ? "a number, a name or a bracket should be here"
                                     : "this has no meaning in a formula");
        }
        at_ += word.size();
        if (Next() == '(') {
            return Call(word, byte);
        }
        return Name(word, byte);
    }

    Status Close(size_t open) {
        if (!Take(")")) {
            return Next() == '\0'
                       ? FormulaMistake(Code::kMalformed, open, "this bracket is not closed")
                       : Mistake("an operator or a closing bracket should be here");
        }
        return {};
    }

    Status Number() {
        double number = 0;
        const char* const begin = text_.data() + at_;
        const char* const end = text_.data() + text_.size();
        const auto read = std::from_chars(begin, end, number);
        if (read.ec == std::errc::result_out_of_range) {
            return Mistake("this number is beyond the range of a double");
        }
        if (read.ec != std::errc() ||
            (read.ptr != end && (InName(*read.ptr) || *read.ptr == '.'))) {
            return Mistake("this is no number");
        }
        const size_t byte = at_;
        at_ += static_cast<size_t>(read.ptr - begin);
        return Emit(FormulaOp::kNumber, byte, number);
    }

    Status QuotedName() {
        const size_t byte = at_;
        std::string name;
        for (at_++; at_ < text_.size(); at_++) {
            if (text_[at_] == '"') {
                if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') {
                    at_++;
                    return AddName(name, byte);
                }
                at_++;
            }
            name += text_[at_];
        }
        return FormulaMistake(Code::kMalformed, byte, "this name does not end");
    }

    Status Name(std::string_view word, size_t byte) {
        if (SameName(word, "null")) {
            return Emit(FormulaOp::kNumber, byte, std::numeric_limits<double>::quiet_NaN());
        }
        if (SameName(word, "true") || SameName(word, "false")) {
            return Emit(FormulaOp::kNumber, byte, SameName(word, "true") ? 1 : 0);
        }
        if (SameName(word, "and") || SameName(word, "or") || SameName(word, "not")) {
            return FormulaMistake(Code::kMalformed, byte,
                                  "a number, a name or a bracket should be here");
        }
        return AddName(word, byte);
    }

    Status AddName(std::string_view name, size_t byte) {
        std::vector<std::string>& names = parsed_.names;
        auto known = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& other) { return SameName(other, name); });
        if (known == names.end()) {
            known = names.insert(known, std::string(name));
        }
        return Emit(FormulaOp::kName, byte, 0, static_cast<size_t>(known - names.begin()));
    }

    Status Parameter() {
        const size_t byte = at_;
        const bool numbered = text_[at_++] == '?';
        while (at_ < text_.size() && (numbered ? IsDigit(text_[at_]) : InName(text_[at_]))) {
            at_++;
        }
        const std::string name(text_.substr(byte, at_ - byte));
        if (name.size() == 1) {
            return FormulaMistake(Code::kMalformed, byte,
                                  "a parameter is ?1, :name, @name or $name");
        }
        std::vector<std::string>& known = parsed_.parameters;
        auto place = std::find(known.begin(), known.end(), name);
        if (place == known.end()) {
            if (known.size() >= kFormulaParametersMax) {
                return FormulaMistake(Code::kLimit, byte, "more than 1024 parameters");
            }
            place = known.insert(place, name);
        }
        return Emit(FormulaOp::kParameter, byte, 0, static_cast<size_t>(place - known.begin()));
    }

    Status Call(std::string_view word, size_t byte) {
        const Function* function = nullptr;
        for (const Function& one : kFunctions) {
            function = SameName(one.name, word) ? &one : function;
        }
        if (function == nullptr) {
            return FormulaMistake(Code::kMalformed, byte,
                                  SameName(word, "log")
                                      ? "which logarithm: ln, log2 or log10"
                                      : "there is no function '" + std::string(word) + "'");
        }
        const size_t open = at_++;
        if (Next() == ')') {
            return WrongCount(*function, byte);
        }
        size_t count = 0;
        do {
            QUERN_TRY(Or());
            QUERN_TRY(AfterArgument(*function, byte, ++count));
        } while (Take(","));
        QUERN_TRY(Close(open));
        return AfterArguments(*function, byte, count);
    }

    static bool IsDecay(FormulaOp op) { return op >= FormulaOp::kGaussDecay; }

    Status AfterArgument(const Function& function, size_t byte, size_t count) {
        if (count > function.most) {
            return WrongCount(function, byte);
        }
        if (function.most == kMany && count > 1) {
            return Emit(function.op, byte);
        }
        if (IsDecay(function.op) && count == 2) {
            QUERN_TRY(Emit(FormulaOp::kSubtract, byte));
            return Emit(FormulaOp::kAbs, byte);
        }
        return {};
    }

    Status AfterArguments(const Function& function, size_t byte, size_t count) {
        if (count < function.least) {
            return WrongCount(function, byte);
        }
        if (function.most == kMany) {
            return {};
        }
        for (; IsDecay(function.op) && count < function.most; count++) {
            QUERN_TRY(Emit(FormulaOp::kNumber, byte, count == 3 ? 0 : 0.5));
        }
        return Emit(function.op, byte);
    }

    static Status WrongCount(const Function& function, size_t byte) {
        std::string wanted = std::to_string(function.least);
        if (function.most != function.least) {
            wanted += function.most == kMany ? " or more" : " to " + std::to_string(function.most);
        }
        return FormulaMistake(Code::kMalformed, byte,
                              std::string(function.name) + " has " + wanted + " arguments");
    }

    std::string_view text_;
    size_t at_ = 0;
    size_t depth_ = 0;
    ParsedFormula parsed_;
};

}  // namespace

size_t OperandCount(FormulaOp op) {
    if (op <= FormulaOp::kParameter) {
        return 0;
    }
    if (op <= FormulaOp::kMax) {
        return 2;
    }
    return op <= FormulaOp::kLog10 ? 1 : op == FormulaOp::kIf ? 3 : 4;
}

Status FormulaMistake(Code code, size_t byte, const std::string& what) {
    return Status::Error(code, "formula, byte %zu: %s", byte, what.c_str());
}

Result<ParsedFormula> ParseFormula(std::string_view text) {
    return Parser(text).Run();
}

}  // namespace quern::query
