// A table of token weights as a hostile file could hold it, and a text asked of it.
//
// Bytes: the length of the text (2, little endian), the text, the table. What is accepted must be
// written again as it was read, and every text must end in a query in normal form or a mistake. The
// text is tried as options, too.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "engine/sparse/token_weights.h"
#include "storage/text_tokens.h"

using namespace quern;
using namespace quern::sparse;

namespace {

constexpr uint64_t kDimensions = 1000;

void WantOfTokens(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void Ask(const TokenWeights& table, BytesView text) {
    const auto analyzer = table.NewAnalyzer(storage::OpenTokenizer);
    if (!analyzer.ok()) {
        return;  // an argument that the tokenizer does not take
    }
    const auto query = table.Query(text, analyzer->get());
    for (size_t i = 0; query.ok() && i < query->size(); i++) {
        const SparseEntry entry = (*query)[i];
        WantOfTokens(entry.dimension < kDimensions && std::isfinite(entry.weight) &&
                     entry.weight != 0);
        WantOfTokens(i == 0 || (*query)[i - 1].dimension < entry.dimension);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    size_t length = reader.U8();
    length |= static_cast<size_t>(reader.U8()) << 8;
    const BytesView text = reader.Take(std::min(length, reader.left()));
    const BytesView bytes = reader.Take(reader.left());
    (void)ParseTokenOptions(text).ok();
    const auto table = TokenWeights::Decode(bytes, kDimensions);
    if (!table.ok()) {
        return 0;
    }
    WantOfTokens((*table)->Encode() == bytes);
    Ask(**table, text);
    for (size_t i = 0; i < std::min<size_t>((*table)->size(), 4); i++) {
        Ask(**table, (*table)->at(i).token);
    }
    return 0;
}
