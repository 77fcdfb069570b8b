// npz: named arrays as numpy.savez and numpy.savez_compressed write them, a zip of npy files.
//
// Read: each array is a column of the name it has in the archive, its first dimension the rows,
// which all arrays must have alike. Two dimensions of what npy takes are vectors; one
// dimension is whole numbers (i1 to i8, u1 to u8), reals (f2 to f8; NaN is null, and counted in a
// note), bools, or texts (U, and S in UTF-8). Memory is one row and a buffer for each array,
// whatever the size of the file; a file that is compressed again, or standard input, is unpacked
// into a temporary file first.
//
// Written: the vectors of a field under its name, and their keys under the name of the key, as i8
// or as U.
#pragma once

#include "byte_sink.h"
#include "import_record.h"
#include "npy_format.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewNpzReader(std::unique_ptr<ByteSource> source);

struct NpzShape {
    std::string field;  // the name of the array of vectors
    NpyElement element = NpyElement::kF4;
    uint64_t rows = 0;  // as many must come
    size_t dim = 0;
    std::string key_name;
    bool int_keys = false;
};
// The keys go through a temporary file.
std::unique_ptr<RecordWriter> NewNpzWriter(std::unique_ptr<ByteSink> sink, NpzShape shape);

}  // namespace quern::shell
