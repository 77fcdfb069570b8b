// The options of a text field, read.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/sparse/token_weights.h"

namespace quern::sparse {
namespace {

// Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET.
constexpr const char* kEnglish[] = {
    "a",   "an",    "and",  "are",   "as",    "at",   "be",   "but", "by",  "for",  "if",
    "in",  "into",  "is",   "it",    "no",    "not",  "of",   "on",  "or",  "such", "that",
    "the", "their", "then", "there", "these", "they", "this", "to",  "was", "will", "with"};

std::vector<std::string> Split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const size_t at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

// NAME, NAME=VALUE or NAME='VALUE WITH SPACES'.
struct Option {
    std::string name;
    std::string value;
    bool has_value = false;
    size_t begin = 0;  // in the text
    size_t end = 0;
};

Result<std::vector<Option>> SplitOptions(std::string_view text) {
    std::vector<Option> options;
    size_t at = 0;
    while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
        Option option;
        option.begin = at;
        size_t end = std::min(text.find_first_of(" \t\n=", at), text.size());
        option.name = text.substr(at, end - at);
        at = end;
        if (at < text.size() && text[at] == '=') {
            option.has_value = true;
            const bool quoted = ++at < text.size() && text[at] == '\'';
            at += quoted ? 1 : 0;
            end = quoted ? text.find('\'', at)
                         : std::min(text.find_first_of(" \t\n", at), text.size());
            if (end == std::string_view::npos) {
                return Status::Error(Code::kOption, "text options: %s: the quote does not end",
                                     option.name.c_str());
            }
            option.value = text.substr(at, end - at);
            at = end + (quoted ? 1 : 0);
        }
        option.end = at;
        options.push_back(std::move(option));
    }
    return options;
}

bool IsTokenizerName(const std::string& name) {
    return name == "unicode61" || name == "ascii" || name == "trigram";
}

Status ReadSynonyms(const std::string& value, TextOptions* out) {
    for (const std::string& group : Split(value, ',')) {
        out->synonyms.push_back(Split(group, ':'));
        if (out->synonyms.back().size() < 2) {
            return Status::Error(Code::kOption, "text options: synonyms: '%s' is no group a:b",
                                 group.c_str());
        }
    }
    return {};
}

// What the formula allows; a number is all of the value, with a point in every locale.
Status ReadNumber(const Option& option, double most, double* out) {
    const char* const end = option.value.data() + option.value.size();
    const auto [stop, error] = std::from_chars(option.value.data(), end, *out);
    if (error != std::errc() || stop != end || !std::isfinite(*out) || *out < 0 || *out > most) {
        return Status::Error(Code::kOption, "text options: %s=%s is no number from 0 to %g",
                             option.name.c_str(), option.value.c_str(), most);
    }
    return {};
}

Status ReadPositions(const std::string& value, bool* out) {
    if (value != "0" && value != "1") {
        return Status::Error(Code::kOption, "text options: positions=%s is neither 0 nor 1",
                             value.c_str());
    }
    *out = value == "1";
    return {};
}

}  // namespace

Result<TextOptions> ParseTextOptions(std::string_view text) {
    if (text.size() > kAnalyzerOptionsMax || text.find('\0') != std::string_view::npos) {
        return Status::Error(Code::kOption, "text options: too long, or they hold a zero");
    }
    QUERN_ASSIGN(const std::vector<Option> options, SplitOptions(text));
    TextOptions out;
    std::string name = "unicode61";
    std::vector<std::string> arguments;
    bool porter = false;
    for (const Option& option : options) {
        if (option.name == "porter" && !option.has_value) {
            porter = true;
        } else if (!option.has_value || option.name.empty() || option.value.empty()) {
            return Status::Error(Code::kOption, "text options: '%s' has no value",
                                 option.name.c_str());
        } else if (option.name == "tokenizer") {
            name = option.value;
        } else if (option.name == "stop") {
            if (option.value == "english") {
                out.stop_words.assign(std::begin(kEnglish), std::end(kEnglish));
            } else if (option.value != "none") {
                out.stop_words = Split(option.value, ',');
            }
        } else if (option.name == "synonyms") {
            QUERN_TRY(ReadSynonyms(option.value, &out));
        } else if (option.name == "positions") {
            QUERN_TRY(ReadPositions(option.value, &out.positions));
        } else if (option.name == "k1") {
            QUERN_TRY(ReadNumber(option, 1e6, &out.k1));
        } else if (option.name == "b") {
            QUERN_TRY(ReadNumber(option, 1, &out.b));
        } else {
            arguments.push_back(option.name);
            arguments.push_back(option.value);
        }
    }
    // Only what the recorded options mean everywhere: an application can give SQLite others.
    if (!IsTokenizerName(name)) {
        return Status::Error(Code::kOption, "text options: no tokenizer '%s'", name.c_str());
    }
    if (porter) {
        out.tokenizer.push_back("porter");
    }
    out.tokenizer.push_back(name);
    out.tokenizer.insert(out.tokenizer.end(), arguments.begin(), arguments.end());
    return out;
}

Result<TokenOptions> ParseTokenOptions(std::string_view text) {
    if (text.size() > kAnalyzerOptionsMax || text.find('\0') != std::string_view::npos) {
        return Status::Error(Code::kOption, "text options: too long, or they hold a zero");
    }
    QUERN_ASSIGN(const std::vector<Option> options, SplitOptions(text));
    TokenOptions out;
    for (const Option& option : options) {
        if (option.name == "wordpiece") {
            if (option.has_value) {
                return Status::Error(Code::kOption, "text options: wordpiece takes no value");
            }
            out.wordpiece = true;
            continue;
        }
        for (const char* const name : {"k1", "b", "positions"}) {
            if (option.name == name) {
                return Status::Error(Code::kOption, "text options: %s means nothing for tokens",
                                     name);
            }
        }
        out.analyzer += out.analyzer.empty() ? "" : " ";
        out.analyzer.append(text.substr(option.begin, option.end - option.begin));
    }
    QUERN_TRY(ParseTextOptions(out.analyzer).status());
    return out;
}

}  // namespace quern::sparse
