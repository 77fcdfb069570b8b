// Query vectors: a file of any format the shell reads, or one vector on the command line, as a
// matrix in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quern::shell {

struct QueryVectors {
    size_t dim = 0;
    size_t count = 0;
    std::vector<float> matrix;  // count x dim

    const float* row(size_t i) const { return matrix.data() + i * dim; }
};

struct QueryFile {
    std::string path;
    std::string format;  // empty: by the name
    std::string column;  // of JSONL and CSV
    uint64_t skip_rows = 0;
    uint64_t limit = UINT64_MAX;
};

QueryVectors LoadQueries(const QueryFile& file);
// "[0.1, 0.2]"
QueryVectors ParseQueryVector(const std::string& json);

}  // namespace quern::shell
