// What a query for a text field finds in a text, marked, for showing results.
#pragma once

#include <string>

#include "storage/base/bytes.h"
#include "storage/base/schema.h"
#include "storage/base/work.h"

namespace quern {

struct SnippetOptions {
    size_t words = 24;  // in a row, at the most; 0: the whole text
    std::string before = "**";
    std::string after = "**";
    std::string more = "...";  // where the text goes on
};

class AnalyzerPool;

// kMalformed, kLimit: what is wrong with query or text.
Result<std::string> QuerySnippet(const TextDef& def, const std::string& query, BytesView text,
                                 const SnippetOptions& options, AnalyzerPool* analyzers,
                                 Work* work);

}  // namespace quern
