#include "engine/sparse/text_query.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "storage/base/schema.h"

namespace quern::sparse {
namespace {

constexpr const char* kSignAndOr = "OR and a sign do not go together";

// Cut between two characters.
std::string Quoted(std::string_view text) {
    constexpr size_t kBytesMax = 40;
    size_t bytes = std::min(text.size(), kBytesMax);
    while (bytes > 0 && bytes < text.size() &&
           (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) {
        bytes--;
    }
    return "'" + std::string(text.substr(0, bytes)) + (bytes < text.size() ? "...'" : "'");
}

bool IsSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class Parser {
public:
    Parser(std::string_view text, TextAnalyzer* analyzer) : text_(text), analyzer_(analyzer) {}
    Result<TextQuery> Parse();

private:
    Status Mistake(size_t at, const char* what) const {
        return Status::Error(Code::kMalformed, "text query, byte %zu: %s", at, what);
    }
    Status ParseClause();
    // The same of what is shown behind it.
    Status Mistake(size_t at, const char* what, std::string_view shown) const {
        return Status::Error(Code::kMalformed, "text query, byte %zu: %s: %s", at, what,
                             Quoted(shown).c_str());
    }
    // What stands behind a ^ from byte `at` on.
    Status TakeBoost(std::string_view number, size_t at, TextOccur occur, double* boost) const;
    Status AddClause(TextOccur occur, std::string_view words, bool is_prefix, double boost,
                     size_t at);
    size_t EndOfWord() const {
        size_t end = at_;
        while (end < text_.size() && !IsSpace(text_[end]) && text_[end] != '"') {
            end++;
        }
        return end;
    }
    void PassSpaces() {
        while (at_ < text_.size() && IsSpace(text_[at_])) {
            at_++;
        }
    }

    std::string_view text_;
    TextAnalyzer* analyzer_;
    size_t at_ = 0;
    bool after_or_ = false;            // the clause that comes is the right side of an OR
    std::optional<TextOccur> before_;  // of the last clause
    std::string_view last_;            // which is that
    TextQuery query_;
    std::vector<TextTerm> terms_;
};

Status Parser::TakeBoost(std::string_view number, size_t at, TextOccur occur, double* boost) const {
    if (occur == TextOccur::kMustNot) {
        return Mistake(at, "a boost of what must not be there", text_.substr(at, at_ - at));
    }
    const char* const end = number.data() + number.size();
    const auto [stop, error] =
        std::from_chars(number.data(), end, *boost, std::chars_format::fixed);
    // Not a number is not above 0, either.
    if (error != std::errc() || stop != end || !(*boost > 0) || *boost > kBoostMax) {
        constexpr const char* kWanted = "a ^ needs a number above 0, to 1000000, behind it";
        return number.empty() ? Mistake(at, kWanted) : Mistake(at, kWanted, number);
    }
    return {};
}

Status Parser::AddClause(TextOccur occur, std::string_view words, bool is_prefix, double boost,
                         size_t at) {
    QUERN_TRY(is_prefix ? analyzer_->AnalyzePrefix(words, &terms_)
                        : analyzer_->Analyze(words, &terms_));
    if (terms_.empty()) {
        return {};
    }
    if (is_prefix && terms_.size() > 1) {
        return Mistake(at, "a beginning before * must be one word", words);
    }
    if (terms_.size() > kPhraseTermsMax) {
        return Status::Error(Code::kLimit,
                             "text query, byte %zu: a phrase, or a word that is cut into several, "
                             "of %zu terms; the limit is %zu",
                             at, terms_.size(), kPhraseTermsMax);
    }
    if (query_.clauses.size() == kQueryClausesMax) {
        return Status::Error(Code::kLimit, "text query, byte %zu: more than %zu words and phrases",
                             at, kQueryClausesMax);
    }
    TextClause clause;
    clause.occur = occur;
    clause.is_prefix = is_prefix;
    clause.boost = boost;
    for (TextTerm& term : terms_) {
        clause.positions.push_back(term.position - terms_[0].position);
        clause.terms.push_back(std::move(term.term));
    }
    if (is_prefix) {
        clause.synonyms = analyzer_->SynonymsOf(clause.terms[0]);
    }
    query_.clauses.push_back(std::move(clause));
    return {};
}

Status Parser::ParseClause() {
    const size_t begin = at_;
    TextOccur occur = TextOccur::kShould;
    if (text_[at_] == '+' || text_[at_] == '-') {
        occur = text_[at_++] == '+' ? TextOccur::kMust : TextOccur::kMustNot;
        if (at_ == text_.size() || IsSpace(text_[at_])) {
            return Mistake(begin, "a sign without a word");
        }
        if (text_[at_] == '+' || text_[at_] == '-') {
            return Mistake(begin, "two signs before a word",
                           text_.substr(begin, EndOfWord() - begin));
        }
    }
    if (after_or_ && occur != TextOccur::kShould) {
        return Mistake(begin, kSignAndOr, text_.substr(begin, EndOfWord() - begin));
    }
    if (text_[at_] == '"') {
        const size_t end = text_.find('"', at_ + 1);
        if (end == std::string_view::npos) {
            return Mistake(at_, "the phrase does not end");
        }
        const std::string_view words = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        double boost = 1;
        if (at_ < text_.size() && text_[at_] == '^') {
            const size_t sign = at_;
            at_ = EndOfWord();
            QUERN_TRY(TakeBoost(text_.substr(sign + 1, at_ - sign - 1), sign, occur, &boost));
        }
        QUERN_TRY(AddClause(occur, words, false, boost, begin));
    } else {
        const size_t word = at_;
        at_ = EndOfWord();
        std::string_view words = text_.substr(word, at_ - word);
        double boost = 1;
        if (const size_t sign = words.find('^'); sign != std::string_view::npos) {
            QUERN_TRY(TakeBoost(words.substr(sign + 1), word + sign, occur, &boost));
            words = words.substr(0, sign);
            if (words.empty()) {
                return Mistake(word, "a ^ without a word before it");
            }
        }
        const bool is_prefix = words.back() == '*';
        words.remove_suffix(is_prefix ? 1 : 0);
        if (words.empty()) {
            return Mistake(begin, "a * without a beginning");
        }
        QUERN_TRY(AddClause(occur, words, is_prefix, boost, begin));
    }
    before_ = occur;
    last_ = text_.substr(begin, at_ - begin);
    after_or_ = false;
    return {};
}

Result<TextQuery> Parser::Parse() {
    if (text_.size() > kQueryBytesMax) {
        return Status::Error(Code::kLimit, "a text query of %zu bytes; at most %zu", text_.size(),
                             kQueryBytesMax);
    }
    if (!IsValidUtf8(text_)) {
        return Status::Error(Code::kMalformed, "a text query that is not valid UTF-8");
    }
    size_t last_or = 0;
    for (PassSpaces(); at_ < text_.size(); PassSpaces()) {
        const bool is_or =
            text_.substr(at_, 2) == "OR" && (at_ + 2 == text_.size() || IsSpace(text_[at_ + 2]));
        if (!is_or) {
            QUERN_TRY(ParseClause());
            continue;
        }
        if (!before_.has_value() || after_or_) {
            return Mistake(at_, "OR without a word before it");
        }
        if (*before_ != TextOccur::kShould) {
            return Mistake(at_, kSignAndOr, last_);
        }
        after_or_ = true;
        last_or = at_;
        at_ += 2;
    }
    if (after_or_) {
        return Mistake(last_or, "OR without a word after it");
    }
    return std::move(query_);
}

}  // namespace

Result<TextQuery> ParseTextQuery(std::string_view text, TextAnalyzer* analyzer) {
    return Parser(text, analyzer).Parse();
}

Result<TextQuery> QueryOfWords(std::string_view text, TextAnalyzer* analyzer) {
    if (text.size() > kQueryBytesMax) {
        return Status::Error(Code::kLimit, "a text query of %zu bytes; at most %zu", text.size(),
                             kQueryBytesMax);
    }
    std::vector<TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(text, &terms));
    TextQuery query;
    std::unordered_map<std::string, size_t> places;
    for (TextTerm& term : terms) {
        const auto [place, is_new] = places.emplace(term.term, query.clauses.size());
        if (!is_new) {
            query.clauses[place->second].boost += 1;
            continue;
        }
        if (query.clauses.size() == kQueryClausesMax) {
            return Status::Error(Code::kLimit, "text query: more than %zu different words",
                                 kQueryClausesMax);
        }
        TextClause clause;
        clause.terms.push_back(std::move(term.term));
        clause.positions.push_back(0);
        query.clauses.push_back(std::move(clause));
    }
    return query;
}

}  // namespace quern::sparse
