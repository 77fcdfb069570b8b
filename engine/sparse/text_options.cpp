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

// Who gives one of these alone wants a list that is not there. (As words they stand in a list of
// two and more.)
constexpr const char* kLanguages[] = {
    "arabic",   "armenian", "basque",     "bengali",  "brazilian",  "bulgarian",  "catalan",
    "chinese",  "czech",    "danish",     "dutch",    "estonian",   "finnish",    "french",
    "galician", "german",   "greek",      "hindi",    "hungarian",  "indonesian", "irish",
    "italian",  "japanese", "korean",     "latvian",  "lithuanian", "nepali",     "norwegian",
    "persian",  "polish",   "portuguese", "romanian", "russian",    "serbian",    "spanish",
    "swedish",  "tamil",    "thai",       "turkish",  "ukrainian",  "vietnamese"};

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

// What FTS5's tokenizers take, each with its arguments. Only these, as they mean the same
// everywhere: an application can give SQLite others.
struct KnownTokenizer {
    const char* name;
    std::vector<std::string> arguments;
};

const KnownTokenizer* FindTokenizer(const std::string& name) {
    static const KnownTokenizer kKnown[] = {
        {"unicode61", {"remove_diacritics", "categories", "tokenchars", "separators"}},
        {"ascii", {"tokenchars", "separators"}},
        {"trigram", {"case_sensitive", "remove_diacritics"}}};
    for (const KnownTokenizer& known : kKnown) {
        if (name == known.name) {
            return &known;
        }
    }
    return nullptr;
}

// FTS5 takes the names of arguments in either case.
std::string Lower(std::string text) {
    for (char& c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return text;
}

bool Has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string Joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out.append(out.empty() ? "" : ", ").append(name);
    }
    return out;
}

// What is no argument of the tokenizer.
const std::vector<std::string>& OwnNames() {
    static const std::vector<std::string> kNames = {"tokenizer", "porter", "stop", "synonyms",
                                                    "positions", "k1",     "b"};
    return kNames;
}
const std::vector<std::string>& NamesForTokens() {
    static const std::vector<std::string> kNames = {"wordpiece", "tokenizer", "porter", "stop",
                                                    "synonyms"};
    return kNames;
}

// own: those that a mistake lists beside the tokenizer's.
Result<const KnownTokenizer*> CheckNames(const std::vector<Option>& options,
                                         const std::vector<std::string>& own) {
    std::string name = "unicode61";
    for (const Option& option : options) {
        if (option.name == "tokenizer" && !option.value.empty()) {
            name = option.value;
        }
    }
    const KnownTokenizer* const tokenizer = FindTokenizer(name);
    if (tokenizer == nullptr) {
        return Status::Error(Code::kOption, "text options: no tokenizer '%s'", name.c_str());
    }
    for (const Option& option : options) {
        if (!Has(OwnNames(), option.name) && !Has(tokenizer->arguments, Lower(option.name))) {
            return Status::Error(Code::kOption,
                                 "text options: unknown option '%s'; there are: %s; and of %s: %s",
                                 option.name.c_str(), Joined(own).c_str(), tokenizer->name,
                                 Joined(tokenizer->arguments).c_str());
        }
    }
    return tokenizer;
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

Status CheckStopList(const std::string& value) {
    const std::string name = Lower(value);
    const bool other =
        std::find(std::begin(kLanguages), std::end(kLanguages), name) != std::end(kLanguages);
    if (other || (name == "english" && value != name)) {
        return Status::Error(Code::kOption,
                             "text options: stop=%s: the lists are none and english; others are "
                             "given word by word, stop=a,b,c",
                             value.c_str());
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

Result<TextOptions> Parse(std::string_view text, const std::vector<std::string>& own) {
    if (text.size() > kAnalyzerOptionsMax || text.find('\0') != std::string_view::npos) {
        return Status::Error(Code::kOption, "text options: too long, or they hold a zero");
    }
    QUERN_ASSIGN(const std::vector<Option> options, SplitOptions(text));
    QUERN_ASSIGN(const KnownTokenizer* const tokenizer, CheckNames(options, own));
    TextOptions out;
    std::vector<std::string> arguments;
    bool porter = false;
    for (const Option& option : options) {
        if (option.name == "porter" && !option.has_value) {
            porter = true;
        } else if (option.name == "porter") {
            return Status::Error(Code::kOption, "text options: porter takes no value");
        } else if (!option.has_value || option.value.empty()) {
            return Status::Error(Code::kOption, "text options: '%s' has no value",
                                 option.name.c_str());
        } else if (option.name == "stop") {
            if (option.value == "english") {
                out.stop_words.assign(std::begin(kEnglish), std::end(kEnglish));
                out.stop_list = true;
            } else if (option.value != "none") {
                out.stop_list = false;
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
        } else if (option.name != "tokenizer") {
            arguments.push_back(option.name);
            arguments.push_back(option.value);
        }
    }
    if (porter) {
        out.tokenizer.push_back("porter");
    }
    out.tokenizer.push_back(tokenizer->name);
    out.tokenizer.insert(out.tokenizer.end(), arguments.begin(), arguments.end());
    return out;
}

}  // namespace

Result<TextOptions> ParseTextOptions(std::string_view text) {
    return Parse(text, OwnNames());
}

Status CheckNewOptions(std::string_view text) {
    QUERN_ASSIGN(const std::vector<Option> options, SplitOptions(text));
    std::vector<std::string> names;
    for (const Option& option : options) {
        std::string name = Lower(option.name);
        if (name == "tokenchars" || name == "separators") {
            continue;
        }
        if (Has(names, name)) {
            return Status::Error(Code::kOption, "text options: option '%s' is given twice",
                                 option.name.c_str());
        }
        names.push_back(std::move(name));
        if (option.name == "stop") {
            QUERN_TRY(CheckStopList(option.value));
        }
    }
    return {};
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
    QUERN_TRY(Parse(out.analyzer, NamesForTokens()).status());
    return out;
}

}  // namespace quern::sparse
