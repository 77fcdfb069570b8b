#include "engine/db/index_info.h"

#include "engine/db/index_options.h"
#include "engine/db/segment.h"
#include "engine/dense/index_head.h"

namespace quern {

namespace {

using storage::PartKind;

// A head is some KiB; only millions of repeats make one of more, which a report is not worth.
constexpr uint64_t kHeadBytesMax = uint64_t{16} << 20;

Result<dense::IndexHead> ReadHead(storage::Connection* connection, const storage::PartInfo& part,
                                  const DenseDef& def, uint64_t vectors) {
    Bytes head(static_cast<size_t>(part.raw_bytes()), '\0');
    QUERN_TRY(ReadPart(connection, part, head.data(), nullptr));
    return part.kind == PartKind::kListHead
               ? dense::ReadListHead(head, def.metric, def.dim, vectors)
               : dense::ReadGraphHead(head, def.metric, def.dim, vectors);
}

}  // namespace

Result<IndexInfo> ReadIndexInfo(storage::Connection* connection,
                                const storage::SegmentInfo& segment, const DenseDef& def) {
    IndexInfo info;
    const storage::PartInfo* vectors = segment.Find(PartKind::kVectors, def.id);
    info.vectors = vectors != nullptr ? vectors->items : 0;
    // As a search chooses.
    const storage::PartInfo* head = segment.Find(PartKind::kListHead, def.id);
    const bool lists = head != nullptr;
    head = lists ? head : segment.Find(PartKind::kGraphHead, def.id);
    if (head == nullptr) {
        return info;
    }
    info.kind = lists ? "lists" : "graph";
    const PartKind last = lists ? PartKind::kListRange : PartKind::kGraphRange;
    for (const storage::PartInfo& part : segment.parts) {
        if (part.field == def.id && part.kind >= head->kind && part.kind <= last) {
            info.stored_bytes += part.stored_bytes();
            info.memory_bytes += part.raw_bytes();
        }
    }
    if (head->raw_bytes() > kHeadBytesMax) {
        return info;
    }
    const Result<dense::IndexHead> read = ReadHead(connection, *head, def, info.vectors);
    if (read.status().code() == Code::kCorrupt) {
        info.damaged = true;
        return info;
    }
    QUERN_TRY(read.status());
    const char* codes = IndexOptions::CodesName(read->codes);
    info.damaged = codes == nullptr;
    info.codes = codes != nullptr ? codes : "";
    info.memory_bytes += read->made_bytes;
    return info;
}

}  // namespace quern
