// Checked arithmetic: the only way to compute a size from numbers of a file or a caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern {

// False on overflow; *out is then unspecified.
template <typename T>
[[nodiscard]] inline bool CheckedMul(T a, T b, T* out) {
    return !__builtin_mul_overflow(a, b, out);
}
template <typename T>
[[nodiscard]] inline bool CheckedAdd(T a, T b, T* out) {
    return !__builtin_add_overflow(a, b, out);
}

}  // namespace quern
