// The vectors of one field of one segment as an index sees them: contiguous rows, numbered from
// zero. Borrowed; never changed while somebody looks.
#pragma once

#include <cstddef>

#include "storage/base/element.h"

namespace quern::dense {

struct VectorRows {
    Element element = Element::kF32;
    Metric metric = Metric::kL2;
    size_t dim = 0;
    const char* rows = nullptr;
    size_t count = 0;
    const float* inverse_norms = nullptr;  // cosine only: 1 / |row|, 0 for a zero row
    size_t row_bytes() const { return VectorBytes(element, dim); }
    const char* row(size_t i) const { return rows + i * row_bytes(); }
};

}  // namespace quern::dense
