// fvecs, bvecs and ivecs: the formats of the TEXMEX vector sets.
//
//   row:  i32 d (little-endian) | d elements: f32 (fvecs), u8 (bvecs), i32 (ivecs)
//
// There is no header and no count; each row repeats the dimension, and one that differs from the
// first is an error. ivecs usually holds ground truth (record numbers), which ReadTruth reads
// without going through floats.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

enum class VecsElement { kF32, kU8, kI32 };

std::unique_ptr<RecordReader> NewVecsReader(std::unique_ptr<ByteSource> source,
                                            VecsElement element);
// Writing throws a FormatError that names the record when a number does not fit the element.
std::unique_ptr<RecordWriter> NewVecsWriter(std::unique_ptr<ByteSink> sink, VecsElement element);

// The rows of an ivecs file: at most rows_max of them, and at most width_max numbers of each.
std::vector<std::vector<int32_t>> ReadTruth(ByteSource* source, size_t rows_skipped,
                                            size_t rows_max, size_t width_max);

}  // namespace quern::shell
