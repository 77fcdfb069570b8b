// SQLite FTS5's tokenizers, lent to text fields: unicode61, ascii, trigram, and porter around any
// of them. Nothing of SQLite is seen here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/base/tokenizer.h"

namespace quern::storage {

// words: as in the tokenize option of an FTS5 table: the tokenizer's name, then its arguments
// ({"porter", "unicode61", "remove_diacritics", "2"}). kOption when SQLite does not know the name
// or refuses an argument.
//
// What is no valid UTF-8, and the character zero, separate tokens as spaces do: every byte of them
// is read as a space, so that offsets stay those of the text.
Result<std::unique_ptr<Tokenizer>> OpenTokenizer(const std::vector<std::string>& words);

}  // namespace quern::storage
