// Rows shared out among threads: consecutive rows, about as many entries in each share. What is
// made of them must not depend on where one share ends and the next begins.
#pragma once

#include <functional>
#include <vector>

#include "engine/sparse/sparse_rows.h"

namespace quern::sparse {

struct RowShare {
    size_t number = 0;
    size_t first = 0;  // row
    size_t end = 0;
};

class RowShares {
public:
    // As many shares as threads, fewer where there is too little to do for them; at least one.
    RowShares(const SparseRows& rows, int threads);
    size_t count() const { return ends_.size(); }
    // body for each share once, on as many threads as there are shares. The first error wins.
    Status Run(const std::function<Status(const RowShare&)>& body) const;

private:
    std::vector<size_t> ends_;
};

}  // namespace quern::sparse
