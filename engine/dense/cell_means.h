// k-means for the cells of a list index: FAISS moves the centres, our kernels and threads find the
// nearest centre of each point, which is where the time goes.
//
// The nearest centre comes from a matrix product (|c|^2 - 2 <x, c>), so of two that are equally
// near within rounding either may be taken. The same points give the same centres, on any number of
// threads.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/work.h"

namespace quern::dense {

// Centres made ready for assignment.
class CellCentres {
public:
    // centres: count * dim; borrowed only here.
    void Set(const float* centres, size_t count, size_t dim);
    size_t count() const { return count_; }
    // labels[i]: the centre nearest to point i. distances (may be NULL): squared ones, as a product
    // gives them.
    void Nearest(const float* points, size_t point_count, uint32_t* labels, float* distances) const;

private:
    size_t count_ = 0;
    size_t dim_ = 0;
    size_t block_ = 0;                        // centres in one packed block
    std::vector<std::vector<float>> packed_;  // see kernels::PackRows
    std::vector<float> squared_norms_;
};

// Centres of `cells` cells over the points (more of them than cells). kInterrupted when work says
// so.
Result<std::vector<float>> TrainCells(const float* points, size_t point_count, size_t dim,
                                      size_t cells, int threads, Work* work);

}  // namespace quern::dense
