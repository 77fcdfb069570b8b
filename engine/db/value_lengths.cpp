#include "engine/db/value_lengths.h"

#include "engine/db/segment.h"

namespace quern {

using storage::PartInfo;
using storage::PartKind;

Status ReadPresence(storage::Connection* connection, const storage::SegmentInfo& segment,
                    uint32_t field, uint64_t expected, std::vector<uint32_t>* records) {
    records->clear();
    const PartInfo* presence = segment.Find(PartKind::kPresence, field);
    if (presence == nullptr) {
        return expected == segment.items
                   ? Status()
                   : Status::Error(Code::kCorrupt,
                                   "segment %lld: field %u has fewer values than "
                                   "records",
                                   static_cast<long long>(segment.id), field);
    }
    if (presence->item_bytes != 1 || presence->items != (segment.items + 7) / 8) {
        return Status::Error(Code::kCorrupt, "%s: wrong size", presence->Name().c_str());
    }
    Bytes bits(static_cast<size_t>(presence->items), '\0');
    QUERN_TRY(ReadPart(connection, *presence, bits.data(), nullptr));
    for (size_t i = 0; i < segment.items; i++) {
        if (static_cast<uint8_t>(bits[i / 8]) >> (i % 8) & 1) {
            records->push_back(static_cast<uint32_t>(i));
        }
    }
    if (records->size() != expected) {
        return Status::Error(Code::kCorrupt, "%s: does not fit the values",
                             presence->Name().c_str());
    }
    return {};
}

Status ReadLengths(storage::Connection* connection, const storage::SegmentInfo& segment,
                   const PartInfo& lengths, uint32_t field, uint64_t longest,
                   std::vector<uint32_t>* records, std::vector<uint64_t>* offsets) {
    if (lengths.item_bytes != 4) {
        return Status::Error(Code::kCorrupt, "%s: wrong size", lengths.Name().c_str());
    }
    QUERN_TRY(ReadPresence(connection, segment, field, lengths.items, records));
    std::vector<uint32_t> values(static_cast<size_t>(lengths.items));
    QUERN_TRY(ReadPart(connection, lengths, reinterpret_cast<char*>(values.data()), nullptr));
    offsets->assign(1, 0);
    offsets->reserve(values.size() + 1);
    for (const uint32_t length : values) {
        if (length > longest) {
            return Status::Error(Code::kCorrupt, "%s: an impossible length",
                                 lengths.Name().c_str());
        }
        offsets->push_back(offsets->back() + length);
    }
    return {};
}

}  // namespace quern
