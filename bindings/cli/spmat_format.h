// spmat (.csr): the sparse matrices of the big-ann-benchmarks.
//
//   i64 rows, i64 dims, i64 entries (little-endian)
//   i64 starts[rows + 1]: row i has the entries from starts[i] to starts[i + 1]
//   i32 dimension of each entry | f32 weight of each entry
//
// Read: a column "vector" of sparse vectors. The file's size must be what its head says; starts are
// proved as they come. Memory is one row. A file that is compressed, or standard input, is unpacked
// into a temporary file first, since three places of it are read at a time.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

// The name of the column that the reader gives.
inline constexpr char kSpmatColumn[] = "vector";

std::unique_ptr<RecordReader> NewSpmatReader(std::unique_ptr<ByteSource> source);
// Writes the first sparse value of each record, with its dimensions in ascending order; records
// without one are left out. dims: as many as the head tells; 0: as many as are used. Dimensions
// from 2^31 on are an error. Starts, dimensions and weights go through temporary files.
std::unique_ptr<RecordWriter> NewSpmatWriter(std::unique_ptr<ByteSink> sink, uint64_t dims);

}  // namespace quern::shell
