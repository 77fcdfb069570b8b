#include "engine/curves/curve_shares.h"

#include <cmath>

namespace quern::curves {

namespace {

constexpr double kScale = 65535.0;

}  // namespace

void WriteShares(uint32_t queries, const std::vector<float>& shares, ByteWriter* writer) {
    writer->U32(queries);
    writer->U32(static_cast<uint32_t>(shares.size()));
    for (const float share : shares) {
        const auto value = static_cast<uint32_t>(std::lround(static_cast<double>(share) * kScale));
        writer->U8(static_cast<uint8_t>(value & 0xff));
        writer->U8(static_cast<uint8_t>(value >> 8));
    }
}

Status ReadShares(const char* curve, ByteReader* reader, uint32_t* queries,
                  std::vector<float>* shares) {
    *queries = reader->U32();
    const uint32_t size = reader->U32();
    if (!reader->ok() || size != shares->size()) {
        return Status::Error(Code::kCorrupt, "%s curve: wrong size", curve);
    }
    for (float& share : *shares) {
        const uint32_t low = reader->U8();
        const uint32_t high = reader->U8();
        share = static_cast<float>((low | high << 8) / kScale);
    }
    if (!reader->ok()) {
        return Status::Error(Code::kCorrupt, "%s curve: cut short", curve);
    }
    return {};
}

}  // namespace quern::curves
