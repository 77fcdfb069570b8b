// Dense legs over cells that a text leg guides, beside the same number of nearest cells.
#pragma once

#include <filesystem>

namespace bench {

// Prints a table for each collection that is there.
void MeasureGuides(const std::filesystem::path& data);

}  // namespace bench
