// What is asked of a text field.
//
//     word          should be there
//     "some words"  a phrase: one after the other
//     wor*          any word with this beginning, or with a synonym that has it
//     +x  -x        x, a word, phrase or prefix, must be there, must not be there
//     x^2.5         what x adds to a score counts so many times: a number above 0, to 1000000
//     x OR y        the same as x y
//
// With a + in a query, records need not have the rest, which then only adds to scores. A query of
// nothing but -x finds nothing. Words go through the analyzer of the field: stop words vanish, what
// it cuts into several (e-mail) is a phrase, and the beginning before a * is folded and stemmed as
// a word would be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/sparse/text_analyzer.h"

namespace quern::sparse {

inline constexpr size_t kQueryBytesMax = size_t{64} << 10;
inline constexpr size_t kQueryClausesMax = 1024;
inline constexpr size_t kPhraseTermsMax = 64;
inline constexpr double kBoostMax = 1e6;

enum class TextOccur : uint8_t { kShould, kMust, kMustNot };

struct TextClause {
    TextOccur occur = TextOccur::kShould;
    bool is_prefix = false;             // of one term only
    std::vector<std::string> terms;     // more than one: a phrase
    std::vector<uint32_t> positions;    // of each, from 0 on; stop words leave gaps
    std::vector<std::string> synonyms;  // terms that count as if they had the prefix; none has it
    double boost = 1;
};

struct TextQuery {
    std::vector<TextClause> clauses;
};

// kMalformed names the byte where the mistake is; kLimit.
Result<TextQuery> ParseTextQuery(std::string_view text, TextAnalyzer* analyzer);

// Every word of any text should be there; one that is there n times counts n times. No signs mean
// anything. kLimit.
Result<TextQuery> QueryOfWords(std::string_view text, TextAnalyzer* analyzer);

}  // namespace quern::sparse
