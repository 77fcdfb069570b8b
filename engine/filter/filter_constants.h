// Constants of a filter, read as SQLite reads them, and what comparing them with a column makes of
// them (its affinity). Nothing where SQLite's reading is not certain.
#pragma once

#include <optional>
#include <string_view>

#include "engine/filter/filter_tree.h"

namespace quern::filter {

// A number as it stands in the text; negative: with a minus before it.
std::optional<Value> ReadNumber(std::string_view text, bool negative);

// The constant as it is compared with a column of this class.
std::optional<Value> WithAffinity(const Value& constant, ColumnClass column);

}  // namespace quern::filter
