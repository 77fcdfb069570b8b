#include "engine/db/query_snippet.h"

#include "engine/db/analyzer_pool.h"
#include "engine/db/text_column.h"
#include "engine/sparse/text_snippet.h"

namespace quern {

namespace {

// Signs and stop words around a piece are shown, up to so many bytes.
constexpr size_t kAroundBytesMax = 100;

// Whether leaving these bytes of a text out leaves out a word.
Result<bool> HoldsWords(BytesView bytes, sparse::TextAnalyzer* analyzer) {
    if (bytes.size() > kAroundBytesMax) {
        return true;
    }
    std::vector<sparse::TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(bytes, &terms));
    return !terms.empty();
}

}  // namespace

Result<std::string> QuerySnippet(const TextDef& def, const std::string& query, BytesView text,
                                 const SnippetOptions& options, AnalyzerPool* analyzers,
                                 Work* work) {
    if (const char* const problem = TextProblem(text)) {
        return Status::Error(text.size() > kTextBytesMax ? Code::kLimit : Code::kMalformed, "%s",
                             problem);
    }
    QUERN_ASSIGN(const AnalyzerPool::Lease analyzer, analyzers->Take(def));
    QUERN_ASSIGN(const sparse::TextQuery parsed, sparse::ParseTextQuery(query, analyzer.get()));
    sparse::TextSnippet snippet;
    snippet.piece.end = static_cast<uint32_t>(text.size());
    if (options.words == 0) {
        QUERN_ASSIGN(snippet.marks, sparse::FindHighlights(text, parsed, analyzer.get(), work));
    } else {
        QUERN_ASSIGN(snippet,
                     sparse::MakeSnippet(text, parsed, options.words, analyzer.get(), work));
        QUERN_ASSIGN(const bool before,
                     HoldsWords(text.substr(0, snippet.piece.begin), analyzer.get()));
        QUERN_ASSIGN(const bool behind, HoldsWords(text.substr(snippet.piece.end), analyzer.get()));
        snippet.piece.begin = before ? snippet.piece.begin : 0;
        snippet.piece.end = behind ? snippet.piece.end : static_cast<uint32_t>(text.size());
    }
    std::string shown = snippet.piece.begin > 0 ? options.more : "";
    size_t at = snippet.piece.begin;
    for (const sparse::TextSpan& mark : snippet.marks) {
        shown.append(text.substr(at, mark.begin - at));
        shown += options.before;
        shown.append(text.substr(mark.begin, mark.end - mark.begin));
        shown += options.after;
        at = mark.end;
    }
    shown.append(text.substr(at, snippet.piece.end - at));
    shown += snippet.piece.end < text.size() ? options.more : "";
    return shown;
}

}  // namespace quern
