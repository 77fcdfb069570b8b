// What cuts a text into tokens, seen without SQLite: storage lends the tokenizers
// (text_tokens.h), and the engine uses them through this interface.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "storage/base/status.h"

namespace quern {

struct Token {
    std::string_view term;  // as it is indexed: folded, stemmed. Valid during the call only.
    uint32_t begin = 0;     // the bytes of the text that it was made from
    uint32_t end = 0;
};

// An error of the sink ends the work and is its result.
using TokenSink = std::function<Status(const Token&)>;

// Confined: one thread at a time.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;
    // text: any bytes; kLimit above kTextBytesMax.
    virtual Status Tokenize(std::string_view text, const TokenSink& sink) = 0;
};

inline constexpr size_t kTextBytesMax = size_t{16} << 20;

}  // namespace quern
