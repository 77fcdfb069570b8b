// The header of an npy array: what its elements are and how many there are.
//
//   offset 0   "\x93NUMPY", major, minor
//          8   header length: u16 (major 1) or u32 (major 2, 3), little-endian
//              header: a Python dict, {'descr': '<f4', 'fortran_order': False, 'shape': (rows,
//              dim), }
//
// The dict is looked at with a few searches, not with a Python parser: NumPy writes it in one form
// only.
#pragma once

#include <string>
#include <vector>

#include "byte_source.h"

namespace quern::shell {

struct NpyHeader {
    std::string descr;  // "<f4"; of anything but a plain type the text as it stands
    bool c_order = false;
    std::string shape_text;  // "(2, 3)", for messages
    std::vector<uint64_t> shape;
};

// Reads the header and leaves the source at the first element. Throws FormatError.
NpyHeader ReadNpyHeader(ByteSource* source);
[[noreturn]] void FailNpyHeader(const ByteSource& source, const std::string& what);

// The header of an array of rows x dim elements, or of one dimension where dim is 0; 128 bytes
// whatever the numbers, so that it can be replaced in place.
std::string NpyHeaderBytes(const std::string& descr, uint64_t rows, size_t dim);

}  // namespace quern::shell
