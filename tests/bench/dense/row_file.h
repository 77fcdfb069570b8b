// A matrix in a file, for engines that have no file format of their own and for child processes.
//
//   u64 rows | u64 dim | rows * dim f32, in the byte order of the machine: it never leaves it
#pragma once

#include <string>

#include "tests/bench/dense/rival.h"

namespace bench {

void WriteRows(const std::string& path, const Matrix& rows);
Matrix ReadRows(const std::string& path);

}  // namespace bench
