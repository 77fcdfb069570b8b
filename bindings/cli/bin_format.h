// fbin, u8bin, i8bin and ibin: the matrices of the big-ann-benchmarks.
//
//   u32 rows, u32 dim (little-endian) | rows * dim elements: f32 (fbin), u8 (u8bin), i8 (i8bin),
//   i32 (ibin)
//
// Ground truth has this head, too: rows * dim ids (i32), and behind them as many distances (f32),
// which a reader of ibin passes over. Other bytes behind the last row are an error.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

enum class BinElement { kF32, kU8, kI8, kI32 };

std::unique_ptr<RecordReader> NewBinReader(std::unique_ptr<ByteSource> source, BinElement element);
// rows: how many will come; replaced by the true number at the end where the output allows it, else
// a difference is an error. Writing throws a FormatError that names the record when a number does
// not fit the element.
std::unique_ptr<RecordWriter> NewBinWriter(std::unique_ptr<ByteSink> sink, BinElement element,
                                           uint64_t rows, size_t dim);

// The ids of ground truth: at most rows_max rows, and at most width_max numbers of each.
std::vector<std::vector<int32_t>> ReadBinTruth(ByteSource* source, size_t rows_skipped,
                                               size_t rows_max, size_t width_max);

}  // namespace quern::shell
