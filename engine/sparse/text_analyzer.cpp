#include "engine/sparse/text_analyzer.h"

#include <algorithm>

namespace quern::sparse {
namespace {

bool IsAscii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string FoldAscii(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

// Between two characters, so that a term of valid UTF-8 stays valid.
std::string_view Cut(std::string_view term) {
    if (term.size() <= kTermBytesMax) {
        return term;
    }
    size_t bytes = kTermBytesMax;
    while (bytes > 0 && (static_cast<unsigned char>(term[bytes]) & 0xc0) == 0x80) {
        bytes--;
    }
    return term.substr(0, bytes);
}

}  // namespace

Result<std::unique_ptr<TextAnalyzer>> TextAnalyzer::Open(std::string_view options,
                                                         const OpenTokenizerFn& open) {
    QUERN_ASSIGN(const TextOptions parsed, ParseTextOptions(options));
    std::unique_ptr<TextAnalyzer> analyzer(new TextAnalyzer);
    QUERN_ASSIGN(analyzer->tokenizer_, open(parsed.tokenizer));
    // Stop words last: a synonym may be one.
    QUERN_TRY(analyzer->LearnSynonyms(parsed.synonyms));
    QUERN_TRY(analyzer->LearnStopWords(parsed.stop_words));
    analyzer->stop_list_ = parsed.stop_list;
    return analyzer;
}

Result<std::string> TextAnalyzer::OneTerm(const std::string& word) {
    std::vector<TextTerm> terms;
    QUERN_TRY(Analyze(word, &terms));
    if (terms.size() != 1) {
        return Status::Error(Code::kOption, "text options: '%s' is not one word but %zu",
                             word.c_str(), terms.size());
    }
    return terms[0].term;
}

Status TextAnalyzer::LearnSynonyms(const std::vector<std::vector<std::string>>& groups) {
    std::unordered_map<std::string, std::string> learned;
    for (const std::vector<std::string>& group : groups) {
        QUERN_ASSIGN(const std::string first, OneTerm(group[0]));
        for (const std::string& word : group) {
            QUERN_ASSIGN(const std::string term, OneTerm(word));
            const auto [place, is_new] = learned.emplace(term, first);
            if (!is_new && place->second != first) {
                return Status::Error(Code::kOption, "text options: '%s' is in two groups",
                                     word.c_str());
            }
        }
    }
    for (const auto& [term, first] : learned) {
        if (term != first) {
            others_.emplace_back(term, first);
        }
    }
    std::sort(others_.begin(), others_.end());
    synonyms_ = std::move(learned);
    return {};
}

Status TextAnalyzer::LearnStopWords(const std::vector<std::string>& words) {
    std::unordered_set<std::string> terms;
    for (const std::string& word : words) {
        if (IsAscii(word)) {
            stop_words_.insert(FoldAscii(word));
        } else {
            QUERN_ASSIGN(std::string term, OneTerm(word));
            terms.insert(std::move(term));
        }
    }
    stop_terms_ = std::move(terms);
    return {};
}

Status TextAnalyzer::CheckStopWords() {
    // In order, so that of several the same one is named everywhere.
    std::vector<std::string> words(stop_words_.begin(), stop_words_.end());
    std::sort(words.begin(), words.end());
    for (const std::string& word : stop_list_ ? std::vector<std::string>() : words) {
        std::vector<std::string> parts;
        QUERN_TRY(tokenizer_->Tokenize(word, [&](const Token& token) -> Status {
            parts.push_back(word.substr(token.begin, token.end - token.begin));
            return {};
        }));
        if (parts.size() == 1 && parts[0] == word && word.size() <= kTermBytesMax) {
            continue;
        }
        const std::string why =
            parts.empty()                 ? "holds no word for this tokenizer"
            : word.size() > kTermBytesMax ? "is longer than a word can be"
            : parts.size() == 1
                ? "is the word '" + parts[0] + "' for this tokenizer"
                : "is not one word for this tokenizer but " + std::to_string(parts.size());
        return Status::Error(Code::kOption, "text options: stop: '%s' %s, and so would stop none",
                             word.c_str(), why.c_str());
    }
    return {};
}

bool TextAnalyzer::IsStopWord(std::string_view source, std::string_view term) const {
    if (!stop_words_.empty() && source.size() <= kTermBytesMax &&
        stop_words_.count(FoldAscii(source)) != 0) {
        return true;
    }
    return !stop_terms_.empty() && stop_terms_.count(std::string(term)) != 0;
}

Status TextAnalyzer::Analyze(std::string_view text, std::vector<TextTerm>* terms) {
    return Analyze(text, true, terms);
}

Status TextAnalyzer::AnalyzePrefix(std::string_view text, std::vector<TextTerm>* terms) {
    return Analyze(text, false, terms);
}

std::vector<std::string> TextAnalyzer::SynonymsOf(const std::string& prefix) const {
    const auto begins = [&](const std::string& term) {
        return term.compare(0, prefix.size(), prefix) == 0;
    };
    std::vector<std::string> terms;
    auto at = std::lower_bound(others_.begin(), others_.end(), prefix,
                               [](const auto& other, const auto& of) { return other.first < of; });
    for (; at != others_.end() && begins(at->first); ++at) {
        if (!begins(at->second)) {
            terms.push_back(at->second);
        }
    }
    std::sort(terms.begin(), terms.end());
    terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
    return terms;
}

Status TextAnalyzer::Analyze(std::string_view text, bool whole, std::vector<TextTerm>* terms) {
    terms->clear();
    uint32_t position = 0;
    return tokenizer_->Tokenize(text, [&](const Token& token) -> Status {
        if (position == kTextTokensMax) {
            return Status::Error(Code::kLimit, "a text of more than %u words", kTextTokensMax);
        }
        const std::string_view term = Cut(token.term);
        const uint32_t here = position++;
        if (whole && IsStopWord(text.substr(token.begin, token.end - token.begin), term)) {
            return {};
        }
        std::string kept(term);
        if (whole && !synonyms_.empty()) {
            const auto found = synonyms_.find(kept);
            if (found != synonyms_.end()) {
                kept = found->second;
            }
        }
        terms->push_back({std::move(kept), here, token.begin, token.end});
        return {};
    });
}

}  // namespace quern::sparse
