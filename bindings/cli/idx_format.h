// idx: the format of the MNIST files.
//
//   offset 0   0, 0, element code, number of dimensions (1 to 8)
//          4   the dimensions, u32 each, big-endian: the first is the number of rows
//              the elements, big-endian: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64
//
// A row is everything behind the first dimension in one vector: 28 x 28 images have dimension 784.
// Written: u8 and f32, with two dimensions.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewIdxReader(std::unique_ptr<ByteSource> source);

// The codes of the format.
enum class IdxElement : unsigned char { kU8 = 0x08, kF32 = 0x0d };

// rows: how many will come; another number is an error, since the header stands before them.
std::unique_ptr<RecordWriter> NewIdxWriter(std::unique_ptr<ByteSink> sink, IdxElement element,
                                           uint64_t rows, size_t dim);

}  // namespace quern::shell
