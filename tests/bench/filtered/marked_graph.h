// hnswlib with a choice of rows: the release that Debian has knows no filter, but walks over rows
// that are marked as deleted and leaves them out of the result, which is what later releases do
// with a filter.
#pragma once

#include <memory>
#include <vector>

#include "tests/bench/dense/rival.h"

namespace bench {

class MarkedGraph {
public:
    virtual ~MarkedGraph() = default;
    static std::unique_ptr<MarkedGraph> Build(const Matrix& rows, bool l2);
    virtual void Choose(const std::vector<uint8_t>& matching) = 0;
    virtual void Search(const float* query, size_t k, size_t beam, std::vector<uint32_t>* rows) = 0;
};

}  // namespace bench
