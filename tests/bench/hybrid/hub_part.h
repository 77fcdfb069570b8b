// Corrections for hubs and gaps beside plain searches, on pairs of images (or videos) and texts.
#pragma once

#include <filesystem>

namespace bench {

// Prints a table for each set that is there.
void MeasureHubs(const std::filesystem::path& data);

}  // namespace bench
