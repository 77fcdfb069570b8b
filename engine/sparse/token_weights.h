// Queries of a sparse field made of words, without a model: a table gives each token a dimension
// and a weight. That is how "inference-free" learned sparse encoders ask what their model has
// written (Geng et al., "Towards competitive search relevance for inference-free learned sparse
// retrievers", 2024): one entry for each distinct token, however often it is there.
//
// A text is cut into terms by a tokenizer, as the options of a text field say (text_analyzer.h),
// and terms are looked up as they are. With the option `wordpiece` a term that is no token is cut
// into the longest tokens from its beginning on, of which all but the first are looked for behind
// "##", as BERT's vocabularies have them; a term for which that does not come out even is unknown.
// Unknown terms say nothing.
//
// Tokens that share a dimension add up there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/text_analyzer.h"
#include "storage/base/bytes.h"

namespace quern::sparse {

inline constexpr size_t kTokensMax = size_t{1} << 20;
inline constexpr size_t kTokenTableBytesMax = size_t{16} << 20;
inline constexpr size_t kTokenQueryBytesMax = size_t{64} << 10;

struct TokenOptions {
    std::string analyzer;  // what is left for TextAnalyzer
    bool wordpiece = false;
};
// Those of a text field that are about words, and `wordpiece`. kOption says what is wrong.
Result<TokenOptions> ParseTokenOptions(std::string_view options);

struct TokenWeight {
    std::string_view token;  // borrowed
    uint32_t dimension = 0;
    float weight = 0;  // finite; 0: the token says nothing
};

// Immutable; thread-safe.
class TokenWeights {
public:
    // In any order. kOption, kLimit, kMalformed, kNotFinite, kDimension (not below dimensions),
    // kInvalid (a token twice); a message names the token by its number and itself.
    static Result<std::unique_ptr<TokenWeights>> Make(std::vector<TokenWeight> tokens,
                                                      std::string_view options,
                                                      uint64_t dimensions);
    // As FORMAT.md has it.
    Bytes Encode() const;
    // kCorrupt: the bytes are no table of a field with so many dimensions.
    static Result<std::unique_ptr<TokenWeights>> Decode(BytesView bytes, uint64_t dimensions);
    // What the first bytes of a table tell; kCorrupt.
    struct Head {
        uint32_t tokens = 0;
        std::string options;
    };
    static Result<Head> DecodeHead(BytesView bytes);

    size_t size() const { return dimensions_.size(); }
    TokenWeight at(size_t i) const { return {Token(i), dimensions_[i], weights_[i]}; }
    const std::string& options() const { return options_; }
    uint64_t memory_bytes() const;
    // Of its own analyzer: the options were proven.
    Result<std::unique_ptr<TextAnalyzer>> NewAnalyzer(
        const TextAnalyzer::OpenTokenizerFn& open) const;
    // In normal form; empty when nothing is known. kLimit, kMalformed, kNotFinite (weights that
    // share a dimension add up to infinity).
    Result<SparseVector> Query(std::string_view text, TextAnalyzer* analyzer) const;

private:
    TokenWeights() = default;
    static constexpr size_t kNone = SIZE_MAX;
    std::string_view Token(size_t i) const {
        return std::string_view(bytes_).substr(begins_[i], begins_[i + 1] - begins_[i]);
    }
    size_t Find(std::string_view token) const;
    // Adds the tokens of a term; none when it is unknown.
    void AddTokens(std::string_view term, std::vector<size_t>* tokens) const;
    const char* Problem(uint64_t dimensions) const;

    std::string options_;
    bool wordpiece_ = false;
    size_t longest_ = 0;               // bytes of a token
    std::string bytes_;                // of all tokens, ascending, one behind the other
    std::vector<uint32_t> begins_{0};  // of each, and the end
    std::vector<uint32_t> dimensions_;
    std::vector<float> weights_;
};

}  // namespace quern::sparse
