// The golden files of the version at hand: one function each. What they cover stands in README.md.
//
// For a later version, add to a file or add files as the format grows. The sets of earlier versions
// stay as they are.
#pragma once

#include <filesystem>

namespace quern::golden {

// Writes all files and their answers into an empty directory. Ends the program when anything fails.
void WriteGoldenSet(const std::filesystem::path& dir);

}  // namespace quern::golden
