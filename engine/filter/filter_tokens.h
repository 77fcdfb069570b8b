// The words of a filter. SQLite's lexical rules, so that a text means the same to our parser and to
// SQLite, which runs what ours does not; where SQLite is more lenient (comments and texts without
// an end, words glued to numbers), the filter is refused. A text that passes here can stand between
// brackets in a statement and cannot get out of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace quern::filter {

// Longer texts are refused: a list of a million numbers fits.
inline constexpr size_t kFilterBytesMax = size_t{16} << 20;
// Brackets in brackets; SQLite's own limit for the depth of an expression is 1000.
inline constexpr size_t kDepthMax = 64;
inline constexpr size_t kParametersMax = 32766;  // SQLite's
// Values in brackets that are no list behind in, any or all: SQLite plans for each member of a
// row value, and gives up at some tens of thousands.
inline constexpr size_t kMembersMax = 16384;

enum class TokenKind : uint8_t {
    kName,
    kQuotedName,
    kText,
    kBlob,
    kNumber,
    kParameter,
    kSign,
    kEnd
};

struct Token {
    TokenKind kind = TokenKind::kEnd;
    size_t begin = 0;  // bytes of the filter
    size_t end = 0;
    // The name without quotes, the text without them, the bytes of a blob; else as it stands.
    std::string text;
    size_t parameter = 0;  // its number, from 1
    bool Is(const char* sign) const { return kind == TokenKind::kSign && text == sign; }
    bool IsWord(const char* word) const;  // an unquoted name; case does not count
};

inline bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

struct Tokens {
    std::vector<Token> list;  // kEnd is the last
    // Of parameter i + 1: ":name", or empty when it only has a number.
    std::vector<std::string> parameters;
    // 0: no parameter is called so.
    size_t ParameterNamed(std::string_view name) const;
};

// Texts that are read by these rules, as their mistakes name them.
inline constexpr char kFilterSubject[] = "filter";
inline constexpr char kOrderSubject[] = "order";
inline constexpr char kSetSubject[] = "set";

// "filter, byte N: what": how all mistakes in a filter are told.
Status Mistake(Code code, size_t byte, const std::string& what,
               const char* subject = kFilterSubject);

// kSql where it is no text of SQL's words, kUnknownField for names that nobody may use, kLimit.
// known: parameters of another text that come before those of this one.
Result<Tokens> ReadTokens(std::string_view text, const char* subject = kFilterSubject,
                          std::vector<std::string> known = {});

}  // namespace quern::filter
