#include "engine/filter/assignments.h"

#include <algorithm>

#include "engine/filter/filter_constants.h"

namespace quern::filter {

namespace {

const char* NameOf(AttrType type) {
    switch (type) {
        case AttrType::kInt: return "an int";
        case AttrType::kReal: return "a real";
        case AttrType::kText: return "a text";
        case AttrType::kBool: return "a bool";
        case AttrType::kBlob: return "a blob";
        case AttrType::kJson: return "json";
        case AttrType::kTags: return "a list of texts";
    }
    return "";
}

class AssignmentReader {
public:
    AssignmentReader(const Tokens& tokens, const Subject& subject,
                     const std::vector<Argument>& arguments)
        : tokens_(tokens.list), schema_(*subject.schema), arguments_(arguments) {}

    Result<std::vector<Assignment>> Read() {
        while (true) {
            QUERN_TRY(ReadOne());
            if (tokens_[at_].kind == TokenKind::kEnd) {
                return std::move(assignments_);
            }
            if (!tokens_[at_].Is(",")) {
                return Wrong(Code::kSql,
                             "a value is a constant or a parameter, and a comma follows it");
            }
            at_++;
        }
    }

private:
    Status Wrong(Code code, const std::string& what) const {
        return Mistake(code, tokens_[at_].begin, what, kSetSubject);
    }

    Status ReadOne() {
        const Token& name = tokens_[at_];
        if (name.kind != TokenKind::kName && name.kind != TokenKind::kQuotedName) {
            return Wrong(Code::kSql, "the name of an attribute is needed here");
        }
        const int attr = schema_.FindAttr(name.text);
        if (SameName(name.text, schema_.key_name)) {
            return Wrong(Code::kInvalid, "the key of a record cannot be changed");
        }
        if (attr < 0) {
            return Wrong(Code::kUnknownField, "there is no attribute '" + name.text + "'");
        }
        const auto number = static_cast<size_t>(attr);
        if (std::any_of(assignments_.begin(), assignments_.end(),
                        [&](const Assignment& other) { return other.attr == number; })) {
            return Wrong(Code::kInvalid, "'" + name.text + "' is set twice");
        }
        at_++;
        if (!tokens_[at_].Is("=")) {
            return Wrong(Code::kSql, "= is needed here");
        }
        at_++;
        const size_t begin = at_;
        Assignment assignment;
        assignment.attr = number;
        QUERN_TRY(tokens_[at_].Is("(") ? ReadList(&assignment) : ReadValue(&assignment));
        QUERN_TRY(Fit(schema_.attrs[number], tokens_[begin], &assignment));
        assignments_.push_back(std::move(assignment));
        return {};
    }

    Status ReadList(Assignment* assignment) {
        assignment->is_list = true;
        for (at_++; !tokens_[at_].Is(")");) {
            Assignment element;
            QUERN_TRY(ReadValue(&element));
            if (element.is_list || element.null()) {
                return Wrong(Code::kType, "a list in brackets holds texts");
            }
            assignment->values.push_back(element.values[0]);
            if (!tokens_[at_].Is(",") && !tokens_[at_].Is(")")) {
                return Wrong(Code::kSql, "a comma is needed here");
            }
            at_ += tokens_[at_].Is(",") ? 1 : 0;
        }
        at_++;
        return {};
    }

    Status ReadValue(Assignment* assignment) {
        const bool minus = tokens_[at_].Is("-");
        const bool sign = minus || tokens_[at_].Is("+");
        at_ += sign ? 1 : 0;
        const Token& token = tokens_[at_];
        if (token.kind == TokenKind::kNumber) {
            const std::optional<Value> number = ReadNumber(token.text, minus);
            if (!number) {
                return Wrong(Code::kInvalid,
                             "bind this number to a parameter: as a text it is "
                             "not certain which one it is");
            }
            assignment->values.push_back(*number);
        } else if (sign) {
            return Wrong(Code::kSql, "a number is needed here");
        } else if (token.kind == TokenKind::kText) {
            assignment->values.push_back(Value::Text(token.text));
        } else if (token.kind == TokenKind::kBlob) {
            assignment->values.push_back(Value::Blob(token.text));
        } else if (token.IsWord("true") || token.IsWord("false")) {
            assignment->values.push_back(Value::Int(token.IsWord("true") ? 1 : 0));
        } else if (token.kind == TokenKind::kParameter) {
            if (token.parameter > arguments_.size() || !arguments_[token.parameter - 1].bound) {
                return Wrong(Code::kInvalid, "parameter " + token.text + " has no value");
            }
            const Argument& argument = arguments_[token.parameter - 1];
            assignment->is_list = argument.is_list;
            assignment->values = argument.values;
            if (!argument.is_list && argument.values[0].kind == Cell::Kind::kNull) {
                assignment->values.clear();
            }
        } else if (!token.IsWord("null")) {
            return Wrong(Code::kSql, "a constant or a parameter is needed here");
        }
        at_++;
        return {};
    }

    // Makes the value one of the attribute's type.
    static Status Fit(const AttrDef& attr, const Token& at, Assignment* assignment) {
        std::vector<Value>& values = assignment->values;
        if (assignment->null()) {
            return {};
        }
        const bool list = attr.type == AttrType::kTags;
        bool fits = assignment->is_list == list;
        for (size_t i = 0; fits && i < values.size(); i++) {
            fits = FitOne(attr.type, &values[i]);
        }
        return fits ? Status()
                    : Mistake(Code::kType, at.begin,
                              "'" + attr.name + "' is " + NameOf(attr.type) + ", the value is not",
                              kSetSubject);
    }
    static bool FitOne(AttrType type, Value* value) {
        switch (type) {
            case AttrType::kInt: return value->kind == Cell::Kind::kInt;
            case AttrType::kBool:
                return value->kind == Cell::Kind::kInt &&
                       (value->number == 0 || value->number == 1);
            case AttrType::kReal:
                if (value->kind == Cell::Kind::kInt) {
                    *value = Value::Real(static_cast<double>(value->number));
                }
                return value->kind == Cell::Kind::kReal;
            case AttrType::kBlob: return value->kind == Cell::Kind::kBlob;
            default: return value->kind == Cell::Kind::kText;
        }
    }

    const std::vector<Token>& tokens_;
    const Schema& schema_;
    const std::vector<Argument>& arguments_;
    size_t at_ = 0;
    std::vector<Assignment> assignments_;
};

}  // namespace

Result<std::vector<Assignment>> ReadAssignments(const Tokens& tokens, const Subject& subject,
                                                const std::vector<Argument>& arguments) {
    return AssignmentReader(tokens, subject, arguments).Read();
}

}  // namespace quern::filter
