// How the vectors of a sparse index stand in its arrays, as they are in memory, and back.
#pragma once

#include <vector>

#include "engine/sparse/bad_sparse.h"
#include "engine/sparse/sparse_index.h"

namespace quern::sparse {

template <typename T>
SparseArrayView ViewOf(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size(), sizeof(T)};
}

// False: the bytes are no whole number of values.
template <typename T>
bool Take(const Buffer& buffer, std::vector<T>* out) {
    if (buffer.bytes() % sizeof(T) != 0) {
        return false;
    }
    const auto* const values = reinterpret_cast<const T*>(buffer.data());
    out->assign(values, values + buffer.bytes() / sizeof(T));
    return true;
}

}  // namespace quern::sparse
