// k-means of FAISS over points of two dimensions: what product codes are trained with.
#pragma once

#include <cstddef>

#include "storage/base/status.h"

namespace quern::dense {

// The means of `k` clusters of `count` points (x, y, x, y, ...) to out, the same way. Coordinates
// are from -1 to 1; count is at least k. FAISS's own threads are not used, and none of its
// process-wide settings is touched. May run on many threads.
Status PairMeans(const float* points, size_t count, size_t k, float* out);

}  // namespace quern::dense
