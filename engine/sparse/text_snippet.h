// Where a query is in a text, and the piece of the text that shows it best. Offsets are bytes of
// the text as the record has it: marking them is the application's part.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/sparse/text_query.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct TextSpan {
    uint32_t begin = 0;
    uint32_t end = 0;
    friend bool operator==(const TextSpan& a, const TextSpan& b) {
        return a.begin == b.begin && a.end == b.end;
    }
};

struct TextSnippet {
    TextSpan piece;
    std::vector<TextSpan> marks;  // inside the piece
};

// The words of the text that a clause of the query matches, in order and apart from each other; a
// phrase is one span. Clauses that must not be there mark nothing.
Result<std::vector<TextSpan>> FindHighlights(std::string_view text, const TextQuery& query,
                                             TextAnalyzer* analyzer, Work* work);

// Of at most `tokens` terms in a row, the piece with the most different clauses, then the most
// marks, then the first. A piece begins and ends with a term. When nothing matches, it is the
// beginning of the text. kInvalid when tokens is 0.
Result<TextSnippet> MakeSnippet(std::string_view text, const TextQuery& query, size_t tokens,
                                TextAnalyzer* analyzer, Work* work);

}  // namespace quern::sparse
