// npy: matrices as NumPy saves them.
//
//   header (npy_header.h) | rows * dim elements
//
// Read: f2, f4, f8, i1 to i8, u1 to u8, bool, of either byte order, two dimensions, C order. What
// f32 does not hold is rounded. Written: f2, f4, i1, u1.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

enum class NpyElement { kF2, kF4, kI1, kU1 };

// "<f4"
const char* DescrOfElement(NpyElement element);
void AppendNpyElement(NpyElement element, float value, std::string* bytes);

std::unique_ptr<RecordReader> NewNpyReader(std::unique_ptr<ByteSource> source);

// rows: how many will come; replaced by the true number at the end where the output allows it, else
// a difference is an error. dim: elements of a row. Each record's vector holds the values to be
// written.
std::unique_ptr<RecordWriter> NewNpyWriter(std::unique_ptr<ByteSink> sink, NpyElement element,
                                           uint64_t rows, size_t dim);

}  // namespace quern::shell
