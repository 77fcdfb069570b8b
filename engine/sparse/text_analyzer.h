// From texts to terms: a tokenizer, stop words and synonyms, as the options of a text field say.
//
// Options are words with spaces between them:
//
//     tokenizer=NAME      of SQLite FTS5: unicode61 (the default), ascii, trigram
//     NAME=VALUE          an argument of it: remove_diacritics=2, tokenchars=-_, case_sensitive=1
//     porter              English stems of its tokens
//     stop=english        Lucene's 33 English stop words; stop=none (the default); stop=a,b,c
//     synonyms=a:b,c:d:e  the words of a group are one term, that of the group's first
//     positions=0|1       whether phrases can be found (the default: 1)
//     k1=X b=X            of BM25 (text_score.h; the defaults: 1.2 and 0.75)
//
// A value that holds spaces stands in single quotes.
//
// Stop words are looked for before stems are made, as they are written (A-Z folded); other folding
// is the tokenizer's. A stop word has a position, so that a phrase does not close over it.
// Synonyms are joined in texts and queries alike: scores stay those of the formula, and a phrase
// finds either word; changing them means analysing again. The beginning of any word of a group
// stands for the group's term (SynonymsOf).
//
// Each option once, but tokenchars and separators, which add up.
//
// A term is at most kTermBytesMax bytes: what is longer is cut there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "storage/base/tokenizer.h"

namespace quern::sparse {

inline constexpr size_t kTermBytesMax = 255;
inline constexpr uint32_t kTextTokensMax = 1u << 20;  // of one text; more is kLimit
inline constexpr size_t kAnalyzerOptionsMax = size_t{1} << 16;

struct TextOptions {
    std::vector<std::string> tokenizer;  // name and arguments, as FTS5 takes them
    std::vector<std::string> stop_words;
    bool stop_list = false;  // they are a list with a name
    std::vector<std::vector<std::string>> synonyms;
    bool positions = true;
    double k1 = 1.2;
    double b = 0.75;
};
// kOption says what is wrong.
Result<TextOptions> ParseTextOptions(std::string_view options);
// kOption names the option that is given twice, or the list of stop words that there is not. Asked
// of new options only: where a file has some, the last counts, and a list is what it says.
Status CheckNewOptions(std::string_view options);

struct TextTerm {
    std::string term;
    uint32_t position = 0;  // counted in tokens, stop words included
    uint32_t begin = 0;     // bytes of the text
    uint32_t end = 0;
};

// Confined: one thread at a time.
class TextAnalyzer {
public:
    // Makes a tokenizer of FTS5 words: the engine knows only the interface.
    using OpenTokenizerFn =
        std::function<Result<std::unique_ptr<Tokenizer>>(const std::vector<std::string>&)>;
    static Result<std::unique_ptr<TextAnalyzer>> Open(std::string_view options,
                                                      const OpenTokenizerFn& open);
    // *terms: of the text in its order; what it held before is lost.
    Status Analyze(std::string_view text, std::vector<TextTerm>* terms);
    // The same of the beginning of a word, which is no stop word and is left as it is where it is a
    // word of a group, too.
    Status AnalyzePrefix(std::string_view text, std::vector<TextTerm>* terms);
    // The terms that do not begin with `prefix`, of groups with a word that does; ascending.
    std::vector<std::string> SynonymsOf(const std::string& prefix) const;
    // kOption names a stop word that no word can be, since the tokenizer makes several words of it,
    // or a part of it, or none. Asked of new options only, as CheckNewOptions, and not of a list
    // that has a name, of which a tokenizer may know a part.
    Status CheckStopWords();

private:
    TextAnalyzer() = default;
    Status Analyze(std::string_view text, bool whole, std::vector<TextTerm>* terms);
    Status LearnStopWords(const std::vector<std::string>& words);
    Status LearnSynonyms(const std::vector<std::vector<std::string>>& groups);
    Result<std::string> OneTerm(const std::string& word);
    bool IsStopWord(std::string_view source, std::string_view term) const;

    std::unique_ptr<Tokenizer> tokenizer_;
    bool stop_list_ = false;
    std::unordered_set<std::string> stop_words_;  // ASCII, as written
    std::unordered_set<std::string> stop_terms_;  // of the others, as terms
    std::unordered_map<std::string, std::string> synonyms_;
    // The same but for those that are the group's term, ascending.
    std::vector<std::pair<std::string, std::string>> others_;
};

}  // namespace quern::sparse
