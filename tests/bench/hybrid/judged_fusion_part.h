// Text and dense legs fused with learned weights, on every judged collection for which there are
// dense vectors: learned from one half of the queries and told of the other, both ways.
#pragma once

#include <filesystem>

namespace bench {

// Prints a table with two lines for each collection that is there.
void MeasureJudgedFusion(const std::filesystem::path& data);

}  // namespace bench
