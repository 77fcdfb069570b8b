// Where in a condition SQLite's message points, for the messages that SQLite does not place itself:
// by the name that the message quotes, or by the word that it is about.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace quern::storage {

// The byte of a name or word in a piece of SQL, outside of its texts and not as part of a longer
// word; case does not count. Nothing: it is not there.
std::optional<size_t> FindWord(std::string_view sql, std::string_view word);

// The byte that a message of SQLite is about; that of the first word when the message does not
// tell. Nothing: it is about a long expression as a whole, of which no byte is worse than others.
std::optional<size_t> PlaceOfMessage(std::string_view sql, std::string_view message);

}  // namespace quern::storage
