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
};
// What stands before a name in a message, which goes on to its end.
constexpr std::string_view kBeforeNames[] = {
    "no such table: ",  "no such collation sequence: ",   "no such function: ", "no such column: ",
    "no such module: ", "no such table-valued function: "};

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

size_t PlaceOfMessage(std::string_view sql, std::string_view message) {
    if (const std::optional<size_t> at = FindWord(sql, NameIn(message))) {
        return *at;
    }
    for (const Topic& topic : kTopics) {
        if (message.find(topic.message) != std::string_view::npos) {
            if (const std::optional<size_t> at = FindWord(sql, topic.word)) {
                return *at;
            }
        }
    }
    const size_t first = sql.find_first_not_of(" \t\r\n\f");
    return first == std::string_view::npos ? 0 : first;
}

}  // namespace quern::storage
