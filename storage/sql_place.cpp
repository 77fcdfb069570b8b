#include "storage/sql_place.h"

#include <algorithm>
#include <cctype>

namespace quern::storage {

namespace {

// What messages without a name are about.
struct Topic {
    std::string_view message;  // a part of it
    std::string_view word;
};
constexpr Topic kTopics[] = {
    {"function MATCH", "match"},
    {"ESCAPE expression", "escape"},
    {"RAISE()", "raise"},
    {"sub-select returns", "select"},
    {"SELECTs to the left", "select"},
    {"unable to use function REGEXP", "regexp"},
    {"terms in ORDER BY", "order"},
    {"terms in GROUP BY", "group"},
    {"terms in compound SELECT", "union"},
    {"terms in compound SELECT", "intersect"},
    {"terms in compound SELECT", "except"},
    {"columns in result set", "select"},
};
// What full-text tables say of a query, and what quotes the query's words, not the statement's.
// That of an unknown column SQLite itself says of the statement, too.
constexpr std::string_view kQueryMistakes[] = {"fts5: ", "fts5 expression", "unterminated string",
                                               "unknown special query", "malformed MATCH"};
constexpr std::string_view kUnknownColumn = "no such column: ";
// What stands before a name in a message, which goes on to its end.
constexpr std::string_view kBeforeNames[] = {
    "no such table: ",       "no such collation sequence: ",
    "no such function: ",    "no such column: ",
    "no such module: ",      "no such table-valued function: ",
    "arguments on function "};

bool InWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
           (static_cast<unsigned char>(c) & 0x80) != 0;
}

bool SameLetter(char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
}

// The name that a message quotes; of a.b the b.
std::string_view NameIn(std::string_view message) {
    for (const std::string_view before : kBeforeNames) {
        const size_t at = message.find(before);
        if (at != std::string_view::npos) {
            const std::string_view name = message.substr(at + before.size());
            const size_t dot = name.rfind('.');
            return dot == std::string_view::npos ? name : name.substr(dot + 1);
        }
    }
    const size_t open = message.find('"');
    const size_t close = open == std::string_view::npos ? open : message.find('"', open + 1);
    return close == std::string_view::npos ? std::string_view()
                                           : message.substr(open + 1, close - open - 1);
}

// The place of the word "match" if it is there once: with several nobody tells whose query it was.
std::optional<size_t> OnlyMatch(std::string_view sql) {
    constexpr std::string_view kMatch = "match";
    const std::optional<size_t> first = FindWord(sql, kMatch);
    const bool more = first && FindWord(sql.substr(*first + kMatch.size()), kMatch);
    return more ? std::nullopt : first;
}

// The first of those that are in most others; nothing when it is so few that they are no reason for
// a parser to give up.
std::optional<size_t> DeepestBracket(std::string_view sql) {
    constexpr size_t kDeep = 16;
    size_t depth = 0;
    size_t most = kDeep - 1;
    char quote = '\0';
    std::optional<size_t> deepest;
    for (size_t at = 0; at < sql.size(); at++) {
        const char c = sql[at];
        if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
            quote = c == '[' ? ']' : c;
        } else if (c == '(' && ++depth > most) {
            most = depth;
            deepest = at;
        } else if (c == ')') {
            depth -= depth > 0 ? 1 : 0;
        }
    }
    return deepest;
}

}  // namespace

std::optional<size_t> FindWord(std::string_view sql, std::string_view word) {
    if (word.empty()) {
        return std::nullopt;
    }
    bool in_text = false;
    for (size_t at = 0; at + word.size() <= sql.size(); at++) {
        in_text = in_text != (sql[at] == '\'');
        const size_t end = at + word.size();
        const bool whole = (at == 0 || !InWord(sql[at - 1]) || !InWord(sql[at])) &&
                           (end == sql.size() || !InWord(sql[end]) || !InWord(sql[end - 1]));
        if (!in_text && whole && std::equal(word.begin(), word.end(), &sql[at], SameLetter)) {
            return at;
        }
    }
    return std::nullopt;
}

std::optional<size_t> PlaceOfMessage(std::string_view sql, std::string_view message) {
    const auto says = [&](std::string_view part) {
        return message.find(part) != std::string_view::npos;
    };
    const bool of_query = std::any_of(std::begin(kQueryMistakes), std::end(kQueryMistakes), says);
    if (!of_query) {
        if (says("parser stack overflow") || says("Expression tree is too large")) {
            return DeepestBracket(sql);
        }
        if (const std::optional<size_t> at = FindWord(sql, NameIn(message))) {
            return at;
        }
    }
    if (of_query || says(kUnknownColumn)) {
        if (const std::optional<size_t> at = OnlyMatch(sql)) {
            return at;
        }
    }
    for (const Topic& topic : kTopics) {
        if (says(topic.message)) {
            if (const std::optional<size_t> at = FindWord(sql, topic.word)) {
                return at;
            }
        }
    }
    const size_t first = sql.find_first_not_of(" \t\r\n\f");
    return first == std::string_view::npos ? 0 : first;
}

}  // namespace quern::storage
