// Feedback beside plain searches, on the judged collections that have dense vectors of documents
// and something that can stand for a dense query.
#pragma once

#include <filesystem>

namespace bench {

// Prints a table for each collection that is there.
void MeasureFeedback(const std::filesystem::path& data);

}  // namespace bench
