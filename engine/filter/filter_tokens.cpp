#include "engine/filter/filter_tokens.h"

#include <algorithm>
#include <cmath>

#include "engine/filter/filter_value.h"

namespace quern::filter {

Value Value::Real(double real) {
    return std::isnan(real) ? Value() : Value{Cell::Kind::kReal, 0, real, {}};
}

namespace {

bool IsHexDigit(char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool StartsName(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool InName(char c) {
    return StartsName(c) || IsDigit(c) || c == '$';
}
int HexValue(char c) {
    return IsDigit(c) ? c - '0' : (c | 32) - 'a' + 10;
}

constexpr const char* kLongSigns[] = {"->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "==", "!="};
constexpr std::string_view kShortSigns = "()+-*/%&|~<>=,.";

class Reader {
public:
    Reader(std::string_view text, const char* subject, std::vector<std::string> known)
        : text_(text), subject_(subject) {
        tokens_.parameters = std::move(known);
    }

    Result<Tokens> Read() {
        if (text_.size() > kFilterBytesMax) {
            return Status::Error(Code::kLimit, "%s: %zu bytes, the limit is %zu", subject_,
                                 text_.size(), kFilterBytesMax);
        }
        if (!IsValidUtf8(text_) || text_.find('\0') != std::string_view::npos) {
            return Status::Error(Code::kMalformed, "%s: it is not UTF-8 without NUL", subject_);
        }
        while (true) {
            QUERN_TRY(PassOver());
            if (at_ == text_.size()) {
                break;
            }
            Token token;
            token.begin = at_;
            QUERN_TRY(ReadOne(&token));
            token.end = at_;
            QUERN_TRY(CheckBrackets(token));
            QUERN_TRY(CheckName(token));
            tokens_.list.push_back(std::move(token));
        }
        if (!open_.empty()) {
            return Wrong(Code::kSql, open_.back().begin, "this bracket is not closed");
        }
        if (tokens_.list.empty()) {
            return Wrong(Code::kSql, 0, "it is empty");
        }
        Token end;
        end.begin = end.end = text_.size();
        tokens_.list.push_back(end);
        return std::move(tokens_);
    }

private:
    Status Wrong(Code code, size_t byte, const std::string& what) const {
        return Mistake(code, byte, what, subject_);
    }
    char Peek(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    // White space and comments.
    Status PassOver() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
                at_++;
            } else if (c == '-' && Peek(1) == '-') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (c == '/' && Peek(1) == '*') {
                const size_t end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos) {
                    return Wrong(Code::kSql, at_, "this comment does not end");
                }
                at_ = end + 2;
            } else {
                break;
            }
        }
        return {};
    }

    Status ReadOne(Token* token) {
        const char c = Peek();
        if (c == '\'') {
            token->kind = TokenKind::kText;
            return ReadQuoted('\'', "this text does not end", &token->text);
        }
        if (c == '"' || c == '`') {
            token->kind = TokenKind::kQuotedName;
            return ReadQuoted(c, "this name does not end", &token->text);
        }
        if (c == '[') {
            return ReadBracketedName(token);
        }
        if ((c == 'x' || c == 'X') && Peek(1) == '\'') {
            return ReadBlob(token);
        }
        if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
            return ReadNumber(token);
        }
        if (StartsName(c)) {
            token->kind = TokenKind::kName;
            while (at_ < text_.size() && InName(text_[at_])) {
                token->text += text_[at_++];
            }
            return {};
        }
        if (c == '?' || c == ':' || c == '@' || c == '$') {
            return ReadParameter(token);
        }
        token->kind = TokenKind::kSign;
        for (const char* sign : kLongSigns) {
            if (text_.substr(at_, std::string_view(sign).size()) == sign) {
                token->text = sign;
                at_ += token->text.size();
                return {};
            }
        }
        if (kShortSigns.find(c) == std::string_view::npos) {
            return Wrong(Code::kSql, at_, std::string("'") + c + "' has no meaning here");
        }
        token->text = c;
        at_++;
        return {};
    }

    // Between two marks; a doubled mark inside is one.
    Status ReadQuoted(char mark, const char* endless, std::string* out) {
        const size_t begin = at_;
        for (at_++; at_ < text_.size(); at_++) {
            if (text_[at_] == mark) {
                if (Peek(1) != mark) {
                    at_++;
                    return {};
                }
                at_++;
            }
            *out += text_[at_];
        }
        return Wrong(Code::kSql, begin, endless);
    }

    Status ReadBracketedName(Token* token) {
        token->kind = TokenKind::kQuotedName;
        const size_t end = text_.find(']', at_);
        if (end == std::string_view::npos) {
            return Wrong(Code::kSql, at_, "this name does not end");
        }
        token->text = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return {};
    }

    Status ReadBlob(Token* token) {
        token->kind = TokenKind::kBlob;
        const size_t begin = at_;
        at_ += 2;
        std::string digits;
        while (IsHexDigit(Peek())) {
            digits += text_[at_++];
        }
        if (Peek() != '\'' || digits.size() % 2 != 0) {
            return Wrong(Code::kSql, begin, "a blob is x'...' with an even number of hex digits");
        }
        at_++;
        for (size_t i = 0; i < digits.size(); i += 2) {
            token->text += static_cast<char>(HexValue(digits[i]) * 16 + HexValue(digits[i + 1]));
        }
        return {};
    }

    Status ReadNumber(Token* token) {
        token->kind = TokenKind::kNumber;
        const size_t begin = at_;
        if (Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X') && IsHexDigit(Peek(2))) {
            at_ += 2;
            while (IsHexDigit(Peek())) {
                at_++;
            }
        } else {
            const auto digits = [&] {
                while (IsDigit(Peek())) {
                    at_++;
                }
            };
            digits();
            if (Peek() == '.') {
                at_++;
                digits();
            }
            const size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
            if ((Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
                at_ += 1 + sign;
                digits();
            }
        }
        if (InName(Peek())) {
            return Wrong(Code::kSql, begin, "this number goes on as a word");
        }
        token->text = text_.substr(begin, at_ - begin);
        return {};
    }

    Status ReadParameter(Token* token) {
        token->kind = TokenKind::kParameter;
        const size_t begin = at_;
        const char mark = text_[at_++];
        while (mark == '?' ? IsDigit(Peek()) : InName(Peek())) {
            at_++;
        }
        token->text = text_.substr(begin, at_ - begin);
        std::vector<std::string>& known = tokens_.parameters;
        if (mark != '?') {
            if (token->text.size() == 1 || Peek() == ':' || Peek() == '(') {
                return Wrong(Code::kSql, begin, "a parameter is ?, ?1, :name, @name or $name");
            }
            token->parameter = tokens_.ParameterNamed(token->text);
            if (token->parameter == 0) {
                known.push_back(token->text);
                token->parameter = known.size();
            }
        } else if (token->text.size() == 1) {
            known.emplace_back();
            token->parameter = known.size();
        } else {
            const std::string number = token->text.substr(1, 6);
            token->parameter = token->text.size() > 6 ? 0 : std::stoul(number);
            if (token->parameter < 1 || token->parameter > kParametersMax) {
                return Wrong(Code::kSql, begin, "parameters are numbered from 1 to 32766");
            }
            known.resize(std::max(known.size(), token->parameter));
        }
        if (known.size() > kParametersMax) {
            return Wrong(Code::kLimit, begin, "more than 32766 parameters");
        }
        return {};
    }

    Status CheckBrackets(const Token& token) {
        if (token.Is("(")) {
            open_.push_back({token.begin, OpensList(), 1});
            if (open_.size() > kDepthMax) {
                return Wrong(Code::kLimit, token.begin, "more than 64 brackets in each other");
            }
        } else if (token.Is(")")) {
            if (open_.empty()) {
                return Wrong(Code::kSql, token.begin, "this bracket closes nothing");
            }
            open_.pop_back();
        } else if (token.Is(",") && !open_.empty()) {
            Bracket& bracket = open_.back();
            if (++bracket.members > kMembersMax && !bracket.is_list) {
                return Wrong(Code::kLimit, bracket.begin,
                             "more than 16384 values in brackets, which only a list behind in, any "
                             "or all may hold");
            }
        }
        return {};
    }
    // A bracket at this place: what SQLite reads value by value.
    bool OpensList() const {
        static constexpr const char* kBefore[] = {"in", "any", "all", "values"};
        return !tokens_.list.empty() &&
               std::any_of(std::begin(kBefore), std::end(kBefore),
                           [&](const char* word) { return tokens_.list.back().IsWord(word); });
    }

    static bool BeginsWith(std::string_view name, std::string_view with) {
        return name.size() >= with.size() && SameName(name.substr(0, with.size()), with);
    }

    // Names that belong to the file, not to its user. A text beside a dot is a name to SQLite.
    Status CheckName(const Token& token) const {
        const bool after_dot = !tokens_.list.empty() && tokens_.list.back().Is(".");
        if (token.kind == TokenKind::kName || token.kind == TokenKind::kQuotedName ||
            (token.kind == TokenKind::kText && after_dot)) {
            const std::string& name = token.text;
            if (BeginsWith(name, "_") || BeginsWith(name, "quern_") ||
                BeginsWith(name, "sqlite_")) {
                return Wrong(Code::kUnknownField, token.begin,
                             "there is no name '" + name + "' for users");
            }
        }
        if (token.Is(".") && !tokens_.list.empty()) {
            const Token& schema = tokens_.list.back();
            if (SameName(schema.text, "main") || SameName(schema.text, "temp")) {
                return Wrong(Code::kSql, schema.begin,
                             "collections are named without a schema before them");
            }
        }
        return {};
    }

    std::string_view text_;
    const char* subject_;
    size_t at_ = 0;
    struct Bracket {
        size_t begin;
        bool is_list;
        size_t members;
    };
    std::vector<Bracket> open_;
    Tokens tokens_;
};

}  // namespace

bool Token::IsWord(const char* word) const {
    return kind == TokenKind::kName && SameName(text, word);
}

size_t Tokens::ParameterNamed(std::string_view name) const {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    return found == parameters.end() || name.empty()
               ? 0
               : static_cast<size_t>(found - parameters.begin()) + 1;
}

Status Mistake(Code code, size_t byte, const std::string& what, const char* subject) {
    return Status::Error(code, "%s, byte %zu: %s", subject, byte, what.c_str());
}

Result<Tokens> ReadTokens(std::string_view text, const char* subject,
                          std::vector<std::string> known) {
    return Reader(text, subject, std::move(known)).Read();
}

}  // namespace quern::filter
