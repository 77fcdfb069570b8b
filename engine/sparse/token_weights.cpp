#include "engine/sparse/token_weights.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "storage/base/schema.h"

namespace quern::sparse {

namespace {

constexpr uint32_t kTableVersion = 1;
constexpr size_t kHeadBytes = 12;

Status BadTable(const char* what) {
    return Status::Error(Code::kCorrupt, "token weights: %s", what);
}

// Long ones are cut, so that a message stays readable.
std::string Shown(std::string_view token) {
    constexpr size_t kShown = 64;
    std::string shown = "'";
    shown.append(token.substr(0, kShown));
    shown += token.size() > kShown ? "...'" : "'";
    return shown;
}

Status CheckToken(const TokenWeight& entry, size_t number, uint64_t dimensions) {
    const std::string shown = Shown(entry.token);
    if (entry.token.empty()) {
        return Status::Error(Code::kInvalid, "token %zu is empty", number);
    }
    if (entry.token.size() > kTermBytesMax) {
        return Status::Error(Code::kLimit, "token %zu (%s) has %zu bytes, the limit is %zu", number,
                             shown.c_str(), entry.token.size(), kTermBytesMax);
    }
    if (!IsValidUtf8(entry.token)) {
        return Status::Error(Code::kMalformed, "token %zu is not valid UTF-8", number);
    }
    if (!std::isfinite(entry.weight)) {
        return Status::Error(Code::kNotFinite, "token %zu (%s): its weight is not finite", number,
                             shown.c_str());
    }
    if (entry.dimension >= dimensions) {
        return Status::Error(
            Code::kDimension, "token %zu (%s) has dimension %u, the field's are below %llu", number,
            shown.c_str(), entry.dimension, static_cast<unsigned long long>(dimensions));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<TokenWeights>> TokenWeights::Make(std::vector<TokenWeight> tokens,
                                                         std::string_view options,
                                                         uint64_t dimensions) {
    if (tokens.size() > kTokensMax) {
        return Status::Error(Code::kLimit, "%zu tokens, the limit is %zu", tokens.size(),
                             kTokensMax);
    }
    size_t bytes = kHeadBytes + options.size();
    for (size_t i = 0; i < tokens.size(); i++) {
        QUERN_TRY(CheckToken(tokens[i], i, dimensions));
        bytes += tokens[i].token.size() + 9;
    }
    if (bytes > kTokenTableBytesMax || options.size() > kColumnOptionBytesMax) {
        return Status::Error(Code::kLimit,
                             "a table of %zu bytes and options of %zu, the limits are %zu and %zu",
                             bytes, options.size(), kTokenTableBytesMax, kColumnOptionBytesMax);
    }
    QUERN_ASSIGN(const TokenOptions parsed, ParseTokenOptions(options));
    QUERN_TRY(CheckNewOptions(options));
    const auto by_token = [](const TokenWeight& a, const TokenWeight& b) {
        return a.token < b.token;
    };
    std::sort(tokens.begin(), tokens.end(), by_token);
    const auto twice =
        std::adjacent_find(tokens.begin(), tokens.end(),
                           [](const auto& a, const auto& b) { return a.token == b.token; });
    if (twice != tokens.end()) {
        return Status::Error(Code::kInvalid, "token %s is there twice",
                             Shown(twice->token).c_str());
    }
    std::unique_ptr<TokenWeights> table(new TokenWeights());
    table->options_ = options;
    table->wordpiece_ = parsed.wordpiece;
    for (const TokenWeight& entry : tokens) {
        table->bytes_.append(entry.token);
        table->begins_.push_back(static_cast<uint32_t>(table->bytes_.size()));
        table->dimensions_.push_back(entry.dimension);
        table->weights_.push_back(entry.weight);
        table->longest_ = std::max(table->longest_, entry.token.size());
    }
    return table;
}

Bytes TokenWeights::Encode() const {
    Bytes out;
    ByteWriter writer(&out);
    writer.U32(kTableVersion);
    writer.U32(static_cast<uint32_t>(size()));
    writer.U32(static_cast<uint32_t>(options_.size()));
    writer.Raw(options_.data(), options_.size());
    for (const uint32_t dimension : dimensions_) {
        writer.U32(dimension);
    }
    for (const float weight : weights_) {
        uint32_t bits = 0;
        std::memcpy(&bits, &weight, sizeof bits);
        writer.U32(bits);
    }
    for (size_t i = 0; i < size(); i++) {
        writer.U8(static_cast<uint8_t>(begins_[i + 1] - begins_[i]));
    }
    writer.Raw(bytes_.data(), bytes_.size());
    return out;
}

Result<TokenWeights::Head> TokenWeights::DecodeHead(BytesView bytes) {
    ByteReader reader(bytes);
    if (reader.U32() != kTableVersion) {
        return BadTable("of an unknown version");
    }
    Head head;
    head.tokens = reader.U32();
    const uint32_t option_bytes = reader.U32();
    if (head.tokens > kTokensMax || option_bytes > kColumnOptionBytesMax) {
        return BadTable("impossible sizes");
    }
    head.options = std::string(reader.Take(option_bytes));
    if (!reader.ok() || !IsValidUtf8(head.options)) {
        return BadTable("its options are damaged");
    }
    return head;
}

Result<std::unique_ptr<TokenWeights>> TokenWeights::Decode(BytesView bytes, uint64_t dimensions) {
    if (bytes.size() > kTokenTableBytesMax) {
        return BadTable("too large");
    }
    QUERN_ASSIGN(Head head, DecodeHead(bytes));
    ByteReader reader(bytes.substr(kHeadBytes + head.options.size()));
    if (reader.left() / 9 < head.tokens) {
        return BadTable("too short");
    }
    std::unique_ptr<TokenWeights> table(new TokenWeights());
    for (uint32_t i = 0; i < head.tokens; i++) {
        table->dimensions_.push_back(reader.U32());
    }
    for (uint32_t i = 0; i < head.tokens; i++) {
        const uint32_t bits = reader.U32();
        float weight = 0;
        std::memcpy(&weight, &bits, sizeof weight);
        table->weights_.push_back(weight);
    }
    for (uint32_t i = 0; i < head.tokens; i++) {
        const size_t length = reader.U8();
        table->begins_.push_back(table->begins_.back() + static_cast<uint32_t>(length));
        table->longest_ = std::max(table->longest_, length);
    }
    table->bytes_ = std::string(reader.Take(table->begins_.back()));
    if (!reader.AtEnd()) {
        return BadTable("it has the wrong length");
    }
    if (const char* const problem = table->Problem(dimensions)) {
        return BadTable(problem);
    }
    const Result<TokenOptions> parsed = ParseTokenOptions(head.options);
    if (!parsed.ok()) {
        return BadTable("its options are none");
    }
    table->wordpiece_ = parsed->wordpiece;
    table->options_ = std::move(head.options);
    return table;
}

const char* TokenWeights::Problem(uint64_t dimensions) const {
    for (size_t i = 0; i < size(); i++) {
        if (Token(i).empty() || !IsValidUtf8(Token(i)) || (i > 0 && Token(i - 1) >= Token(i))) {
            return "its tokens are not in order";
        }
        if (dimensions_[i] >= dimensions || !std::isfinite(weights_[i])) {
            return "an impossible dimension or weight";
        }
    }
    return nullptr;
}

uint64_t TokenWeights::memory_bytes() const {
    return bytes_.size() + begins_.size() * 4 + size() * 8;
}

Result<std::unique_ptr<TextAnalyzer>> TokenWeights::NewAnalyzer(
    const TextAnalyzer::OpenTokenizerFn& open) const {
    QUERN_ASSIGN(const TokenOptions parsed, ParseTokenOptions(options_));
    return TextAnalyzer::Open(parsed.analyzer, open);
}

size_t TokenWeights::Find(std::string_view token) const {
    size_t low = 0;
    size_t high = size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (Token(middle) < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < size() && Token(low) == token ? low : kNone;
}

void TokenWeights::AddTokens(std::string_view term, std::vector<size_t>* tokens) const {
    const size_t whole = Find(term);
    if (whole != kNone) {
        tokens->push_back(whole);
        return;
    }
    if (!wordpiece_) {
        return;
    }
    const size_t before = tokens->size();
    std::string piece;
    for (size_t at = 0; at < term.size();) {
        size_t found = kNone;
        size_t length = std::min(term.size() - at, longest_);
        for (; length > 0 && found == kNone; length--) {
            piece = at > 0 ? "##" : "";
            piece.append(term.substr(at, length));
            found = Find(piece);
        }
        if (found == kNone) {
            tokens->resize(before);
            return;
        }
        tokens->push_back(found);
        at += length + 1;  // the loop has gone one too far
    }
}

Result<SparseVector> TokenWeights::Query(std::string_view text, TextAnalyzer* analyzer) const {
    if (text.size() > kTokenQueryBytesMax) {
        return Status::Error(Code::kLimit, "a text of %zu bytes; at most %zu", text.size(),
                             kTokenQueryBytesMax);
    }
    if (!IsValidUtf8(text)) {
        return Status::Error(Code::kMalformed, "a text that is not valid UTF-8");
    }
    std::vector<TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(text, &terms));
    std::unordered_set<std::string_view> seen;
    std::vector<size_t> tokens;
    for (const TextTerm& term : terms) {
        if (seen.insert(term.term).second) {
            AddTokens(term.term, &tokens);
        }
    }
    // Different words can have a piece in common.
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    std::sort(tokens.begin(), tokens.end(), [&](size_t a, size_t b) {
        return dimensions_[a] != dimensions_[b] ? dimensions_[a] < dimensions_[b] : a < b;
    });
    SparseVector query;
    for (size_t i = 0; i < tokens.size();) {
        const uint32_t dimension = dimensions_[tokens[i]];
        double sum = 0;
        for (; i < tokens.size() && dimensions_[tokens[i]] == dimension; i++) {
            sum += static_cast<double>(weights_[tokens[i]]);
        }
        const auto weight = static_cast<float>(sum);
        if (!std::isfinite(weight)) {
            return Status::Error(Code::kNotFinite,
                                 "the weights of tokens with dimension %u add up to infinity",
                                 dimension);
        }
        if (weight != 0.0f) {
            query.push_back({dimension, weight});
        }
    }
    if (query.size() > kEntriesMax) {
        return Status::Error(Code::kLimit, "a text of more than %zu tokens", kEntriesMax);
    }
    return query;
}

}  // namespace quern::sparse
