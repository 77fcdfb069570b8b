#include "engine/filter/filter_sql.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quern::filter {

namespace {

std::string Quoted(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        quoted += c;
        if (c == '"') {
            quoted += '"';
        }
    }
    return quoted + "\"";
}

void AppendJsonText(std::string_view text, std::string* out) {
    *out += '"';
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
            *out += escape;
        } else {
            if (c == '"' || c == '\\') {
                *out += '\\';
            }
            *out += c;
        }
    }
    *out += '"';
}

Result<std::string> ListAsJson(const std::vector<Value>& values) {
    std::string json = "[";
    char number[40];
    for (const Value& value : values) {
        json += json.size() > 1 ? "," : "";
        switch (value.kind) {
            case Cell::Kind::kNull: json += "null"; break;
            case Cell::Kind::kInt: json += std::to_string(value.number); break;
            case Cell::Kind::kText: AppendJsonText(value.text, &json); break;
            case Cell::Kind::kReal:
                if (std::isfinite(value.real)) {
                    std::snprintf(number, sizeof(number), "%.17g", value.real);
                    json += number;
                    json += std::string_view(number).find_first_of(".e") == std::string_view::npos
                                ? ".0"
                                : "";
                    break;
                }
                [[fallthrough]];
            case Cell::Kind::kBlob:
                return Status::Error(Code::kType,
                                     "filter: a list holds texts, finite numbers and nulls");
        }
    }
    return json + "]";
}

}  // namespace

size_t SqlText::Origin(size_t byte) const {
    auto after = std::upper_bound(pieces_.begin(), pieces_.end(), byte,
                                  [](size_t b, const auto& piece) { return b < piece.first; });
    if (after == pieces_.begin()) {
        return 0;
    }
    const auto& piece = *std::prev(after);
    const size_t origin = piece.second + (byte - piece.first);
    // Inside of what was put in: the word that it was put in for.
    return after != pieces_.end() ? std::min(origin, after->second) : origin;
}

// Goes through the tokens and copies what lies between them.
class SqlWriter {
public:
    SqlWriter(std::string_view filter, const Tokens& tokens, const Subject& subject,
              const std::vector<Argument>& arguments)
        : filter_(filter), tokens_(tokens.list), subject_(subject), arguments_(arguments) {}

    // They are within each other or apart.
    void TakeGroups(const std::vector<TokenRange>& groups, size_t first, size_t end) {
        for (const TokenRange& group : groups) {
            if (group.first >= first && group.end <= end) {
                opens_.push_back(group.first);
                closes_.push_back(group.end);
            }
        }
        std::sort(opens_.begin(), opens_.end());
        std::sort(closes_.begin(), closes_.end());
    }

    Result<SqlText> Write(size_t first, size_t end) {
        for (size_t i = first; i < end;) {
            WriteBrackets(i);
            const Token& token = tokens_[i];
            FollowBrackets(token);
            QUERN_TRY(CountWord(i));
            QUERN_TRY(CheckRowId(token));
            out_.asks_views = out_.asks_views || AsksViews(i);
            QUERN_TRY(CheckWords(i));
            if (IsHas(i)) {
                QUERN_TRY(WriteHas(&i));
            } else if (IsList(i)) {
                if (i == 0 || !tokens_[i - 1].IsWord("in")) {
                    return Mistake(Code::kType, token.begin,
                                   "a list may stand behind in, has any and has all only");
                }
                std::string list = "(SELECT value FROM json_each(";
                Put(token.begin, list.append(Numbered(token)).append("))"));
                i++;
            } else if (token.kind == TokenKind::kParameter) {
                // By its number: repeated pieces must not count on.
                Put(token.begin, std::string(" ").append(Numbered(token)).append(" "));
                i++;
            } else {
                Put(token.begin, std::string(filter_.substr(token.begin, token.end - token.begin)));
                i++;
            }
        }
        WriteBrackets(end);
        for (size_t p = 0; p < arguments_.size(); p++) {
            const Argument& argument = arguments_[p];
            if (argument.is_list) {
                QUERN_ASSIGN(std::string json, ListAsJson(argument.values));
                out_.parameters.push_back(Value::Text(std::move(json)));
            } else {
                out_.parameters.push_back(argument.values.empty() ? Value() : argument.values[0]);
            }
        }
        return std::move(out_);
    }

private:
    void Put(size_t origin, const std::string& text) {
        out_.text += ' ';
        out_.pieces_.emplace_back(out_.text.size(), origin);
        out_.text += text;
    }
    // The sign says nothing but that SQLite need not look for a way through its tables by what is
    // in the brackets, which takes it the square of their number.
    static constexpr const char* kGroup = "+(";

    // Before token i.
    void WriteBrackets(size_t i) {
        for (; closed_ < closes_.size() && closes_[closed_] <= i; closed_++) {
            out_.text += ')';
        }
        for (; opened_ < opens_.size() && opens_[opened_] <= i; opened_++) {
            out_.text += kGroup;
        }
    }
    static std::string Numbered(const Token& token) {
        std::string name("?");
        return name += std::to_string(token.parameter);
    }
    bool IsList(size_t i) const {
        return tokens_[i].kind == TokenKind::kParameter &&
               arguments_[tokens_[i].parameter - 1].is_list;
    }

    void FollowBrackets(const Token& token) {
        if (token.Is("(")) {
            depth_++;
        } else if (token.Is(")")) {
            depth_ -= depth_ > 0 ? 1 : 0;
            asks_from_ = depth_ < asks_from_ ? 0 : asks_from_;
        } else if (token.IsWord("select") && asks_from_ == 0) {
            asks_from_ = depth_;
        }
    }
    // SQLite compares each constant that it reads with all before, and nothing stops it there: what
    // it is given is bounded instead. Constants behind `in` it takes one by one.
    Status CountWord(size_t i) {
        const Token& token = tokens_[i];
        if (token.Is("(") && i > 0 && tokens_[i - 1].IsWord("in")) {
            list_depth_ = depth_;
        } else if (depth_ < list_depth_) {
            list_depth_ = 0;
        }
        const bool of_list = list_depth_ > 0 && depth_ == list_depth_ &&
                             (token.Is(",") || token.kind == TokenKind::kNumber ||
                              token.kind == TokenKind::kText || token.kind == TokenKind::kBlob);
        words_ += of_list ? 0 : 1;
        if (words_ > kSqlWordsMax) {
            return Mistake(
                Code::kLimit, token.begin,
                "of conditions that SQLite evaluates a filter has " + std::to_string(kSqlWordsMax) +
                    " words and signs at most; lists of constants behind in do not count");
        }
        return {};
    }
    // The record table's own names of the row id. Tables that a sub-query asks may have one.
    Status CheckRowId(const Token& token) const {
        if (asks_from_ == 0 &&
            (token.kind == TokenKind::kName || token.kind == TokenKind::kQuotedName) &&
            (SameName(token.text, "rowid") || SameName(token.text, "oid")) &&
            !subject_.schema->HasName(token.text)) {
            return Mistake(Code::kUnknownField, token.begin,
                           "there is no attribute '" + token.text + "'");
        }
        return {};
    }

    // What SQLite would only call a mistake in the syntax.
    Status CheckWords(size_t i) const {
        const Token& token = tokens_[i];
        const bool behind_in = i > 0 && tokens_[i - 1].IsWord("in");
        if (token.kind == TokenKind::kParameter && behind_in && !IsList(i)) {
            return Mistake(
                Code::kType, token.begin,
                "behind in stands a list: bind one to " + token.text + ", or put it in brackets");
        }
        const bool not_has = token.IsWord("not") && tokens_[i + 1].IsWord("has");
        if (not_has && i > 0 && IsName(i - 1) && !subject_.schema->HasName("has")) {
            return Mistake(Code::kSql, token.begin,
                           "not stands before the name: not " + tokens_[i - 1].text + " has ...");
        }
        return {};
    }

    bool AsksViews(size_t i) const {
        const Token& token = tokens_[i];
        if (token.IsWord("select") || token.IsWord("with")) {
            return true;
        }
        const TokenKind next = tokens_[i + 1].kind;
        return token.IsWord("in") && (next == TokenKind::kName || next == TokenKind::kQuotedName ||
                                      next == TokenKind::kText);
    }

    // Signs and words that take what stands beside them before a comparison does.
    static bool BindsTighter(const Token& token) {
        static constexpr const char* kSigns[] = {"||", "->", "->>", "+", "-",  "*",
                                                 "/",  "%",  "&",   "|", "<<", ">>"};
        return token.IsWord("collate") ||
               std::any_of(std::begin(kSigns), std::end(kSigns),
                           [&](const char* sign) { return token.Is(sign); });
    }
    // `has` is a comparison: tags has 'a' || 'b' must not be read as (tags has 'a') || 'b'.
    Status CheckNeighbour(size_t i) const {
        const Token& token = tokens_[i];
        if (BindsTighter(token) || token.Is("~")) {
            return Mistake(Code::kSql, token.begin,
                           "has stands between a name and a value, and '" + token.text +
                               "' makes an expression of one of them; (name has value) in brackets "
                               "is one of its own");
        }
        return {};
    }

    bool IsName(size_t i) const {
        return tokens_[i].kind == TokenKind::kName || tokens_[i].kind == TokenKind::kQuotedName;
    }
    // name has ..., or name.name has ...
    bool IsHas(size_t i) const {
        const bool free = i == 0 || !tokens_[i - 1].Is(".");
        return free && IsName(i) && (tokens_[i + 1].IsWord("has") || QualifiedHas(i));
    }
    bool QualifiedHas(size_t i) const {
        return i + 3 < tokens_.size() && tokens_[i + 1].Is(".") && IsName(i + 2) &&
               tokens_[i + 3].IsWord("has");
    }

    // A constant behind `has`, as the columns' reader knows them; goes past it. False: there is
    // none.
    bool TakeOperand(size_t* at, std::string* operand) const {
        const bool sign = tokens_[*at].Is("-") || tokens_[*at].Is("+");
        const Token& token = tokens_[*at + (sign ? 1 : 0)];
        const bool constant = token.kind == TokenKind::kText || token.kind == TokenKind::kBlob ||
                              token.kind == TokenKind::kParameter || token.IsWord("null");
        if (token.kind != TokenKind::kNumber && (sign || !constant || IsList(*at))) {
            return false;
        }
        *operand =
            token.kind == TokenKind::kParameter
                ? Numbered(token)
                : std::string(filter_.substr(tokens_[*at].begin, token.end - tokens_[*at].begin));
        *at += sign ? 2 : 1;
        return true;
    }

    Status WriteHas(size_t* at) {
        const size_t begin = tokens_[*at].begin;
        const bool qualified = QualifiedHas(*at);
        const Token& name = tokens_[*at + (qualified ? 2 : 0)];
        std::string set = Quoted(name.text);
        if (qualified) {
            set = Quoted(tokens_[*at].text) + "." + set;
        } else {
            const int attr = subject_.schema->FindAttr(name.text);
            if (attr < 0) {
                return Mistake(Code::kUnknownField, name.begin,
                               "there is no attribute '" + name.text + "'");
            }
            const AttrType type = subject_.schema->attrs[static_cast<size_t>(attr)].type;
            if (type != AttrType::kTags && type != AttrType::kJson) {
                return Mistake(Code::kType, name.begin,
                               "has is for tags and json, which '" + name.text + "' is not");
            }
            // A column of json_each might be called the same.
            set = Quoted(subject_.collection) + "." + set;
        }
        if (*at > 0) {
            QUERN_TRY(CheckNeighbour(*at - 1));
        }
        *at += qualified ? 4 : 2;
        std::string condition;
        QUERN_TRY(WriteWanted(at, set, &condition));
        QUERN_TRY(CheckNeighbour(*at));
        Put(begin, "(CASE WHEN " + set + " IS NOT NULL THEN " + condition + " END)");
        return {};
    }

    static std::string Exists(const std::string& set, const std::string& condition) {
        return "EXISTS (SELECT 1 FROM json_each(" + set + ") WHERE value " + condition + ")";
    }

    // What follows `has`.
    Status WriteWanted(size_t* at, const std::string& set, std::string* condition) {
        const bool any = tokens_[*at].IsWord("any");
        const bool all = tokens_[*at].IsWord("all");
        if (!any && !all) {
            const Token& wanted = tokens_[*at];
            if (IsList(*at)) {
                std::string what("a list is bound to ");
                what.append(wanted.text).append(": has any ").append(wanted.text);
                what.append(", or has all ").append(wanted.text);
                return Mistake(Code::kType, wanted.begin, what);
            }
            std::string operand;
            if (!TakeOperand(at, &operand)) {
                return Mistake(Code::kSql, wanted.begin,
                               "has is followed by a text, a number or a parameter with one value, "
                               "or by any or all and a list");
            }
            *condition = Exists(set, "= " + operand);
            return {};
        }
        ++*at;
        if (tokens_[*at].kind == TokenKind::kParameter && IsList(*at)) {
            const std::string list = "json_each(" + Numbered(tokens_[*at]) + ")";
            // NOT IN would be NULL, which is no answer, where the set holds a null.
            *condition = any ? Exists(set, "IN (SELECT value FROM " + list + ")")
                             : "NOT EXISTS (SELECT 1 FROM " + list +
                                   " AS wanted WHERE NOT EXISTS (SELECT 1 FROM json_each(" + set +
                                   ") AS present WHERE present.value = wanted.value))";
            ++*at;
            return {};
        }
        std::string list;
        QUERN_TRY(WriteList(at, set, all, &list));
        *condition = any ? Exists(set, "IN (" + list + ")") : "(" + list + ")";
        return {};
    }

    static std::string Join(const std::vector<std::string>& pieces, size_t first, size_t end,
                            const char* between) {
        std::string joined;
        for (size_t i = first; i < end; i++) {
            joined.append(i > first ? between : "").append(pieces[i]);
        }
        return joined;
    }
    // By AND, in brackets where there are many.
    static std::string JoinInGroups(std::vector<std::string> pieces) {
        while (pieces.size() > kRowMax) {
            std::vector<std::string> groups;
            for (size_t first = 0; first < pieces.size(); first += kRowMax) {
                std::string group(kGroup);
                group.append(
                    Join(pieces, first, std::min(first + kRowMax, pieces.size()), " AND "));
                groups.push_back(group.append(")"));
            }
            pieces = std::move(groups);
        }
        return Join(pieces, 0, pieces.size(), " AND ");
    }

    // (a, b, ...): the same, or for `all` a condition for each.
    Status WriteList(size_t* at, const std::string& set, bool all, std::string* list) {
        if (!tokens_[*at].Is("(")) {
            return Mistake(
                Code::kSql, tokens_[*at].begin,
                "a list in brackets is needed here, or a parameter to which one is bound");
        }
        if (tokens_[*at + 1].Is(")")) {
            list->append(all ? "1" : "");  // SQLite has IN () as well
            *at += 2;
            return {};
        }
        std::vector<std::string> pieces;
        while (true) {
            ++*at;
            const Token& wanted = tokens_[*at];
            std::string operand;
            if (!TakeOperand(at, &operand)) {
                return Mistake(Code::kSql, wanted.begin, "a text, number or parameter is needed");
            }
            pieces.push_back(all ? Exists(set, "= " + operand) : std::move(operand));
            if (tokens_[*at].Is(")")) {
                ++*at;
                *list =
                    all ? JoinInGroups(std::move(pieces)) : Join(pieces, 0, pieces.size(), ", ");
                return {};
            }
            if (!tokens_[*at].Is(",")) {
                return Mistake(Code::kSql, tokens_[*at].begin, "a comma is needed here");
            }
        }
    }

    size_t depth_ = 0;       // of brackets
    size_t list_depth_ = 0;  // that of a list behind `in`; 0: not in one
    size_t words_ = 0;
    size_t asks_from_ = 0;       // that of the outermost sub-query that is open; 0: none
    std::vector<size_t> opens_;  // tokens that brackets stand before
    std::vector<size_t> closes_;
    size_t opened_ = 0;
    size_t closed_ = 0;
    std::string_view filter_;
    const std::vector<Token>& tokens_;
    const Subject& subject_;
    const std::vector<Argument>& arguments_;
    SqlText out_;
};

Status CheckArguments(const Tokens& tokens, const std::vector<Argument>& arguments) {
    for (const Token& token : tokens.list) {
        if (token.kind == TokenKind::kParameter &&
            (token.parameter > arguments.size() || !arguments[token.parameter - 1].bound)) {
            return Mistake(Code::kInvalid, token.begin,
                           "parameter " + token.text + " has no value");
        }
    }
    return {};
}

Result<SqlText> WriteSql(std::string_view filter, const Tokens& tokens, size_t first, size_t end,
                         const Subject& subject, const std::vector<Argument>& arguments,
                         const std::vector<TokenRange>& groups) {
    QUERN_TRY(CheckArguments(tokens, arguments));
    SqlWriter writer(filter, tokens, subject, arguments);
    writer.TakeGroups(groups, first, end);
    return writer.Write(first, end);
}

}  // namespace quern::filter
