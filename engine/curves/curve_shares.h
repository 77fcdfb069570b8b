// How the curves of indexes keep their measured shares in a file: the number of queries that they
// were measured with, the number of shares, then 16 bits each.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::curves {

void WriteShares(uint32_t queries, const std::vector<float>& shares, ByteWriter* writer);
// *shares keeps its size. kCorrupt, naming the curve, unless that is the number in the file.
Status ReadShares(const char* curve, ByteReader* reader, uint32_t* queries,
                  std::vector<float>* shares);

}  // namespace quern::curves
