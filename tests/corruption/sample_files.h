// Small databases that cover every feature of the format, made in memory: the same bytes' meaning
// for every run.
#pragma once

#include <string>
#include <vector>

#include "tests/corruption/file_images.h"

namespace quern::corruption {

struct Sample {
    std::string name;
    std::string what;
    Images images;
    // The states before, in the order in which they were committed: main files without a log from
    // which pages may come back, and, if `images` has a log, the file with each shorter log.
    std::vector<Images> earlier;
};

// All samples, or the one of that name.
std::vector<Sample> MakeSamples(const std::string& only);
// Each file NAME.quern of a folder.
std::vector<Sample> ReadSamples(const std::string& folder, const std::string& only);

}  // namespace quern::corruption
