#include "engine/db/index_info.h"

#include "engine/db/attr_parts.h"
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

// Of the parts from `head` on up to `last`.
void CountParts(const storage::SegmentInfo& segment, uint32_t field, PartKind head, PartKind last,
                IndexInfo* info) {
    for (const storage::PartInfo& part : segment.parts) {
        if (part.field == field && part.kind >= head && part.kind <= last) {
            info->stored_bytes += part.stored_bytes();
            info->memory_bytes += part.raw_bytes();
        }
    }
}

IndexInfo InvertedInfo(const storage::SegmentInfo& segment, uint32_t field, const char* kind,
                       PartKind lengths, PartKind head, PartKind last) {
    IndexInfo info;
    const storage::PartInfo* values = segment.Find(lengths, field);
    info.vectors = values != nullptr ? values->items : 0;
    if (segment.Find(head, field) != nullptr) {
        info.kind = kind;
        CountParts(segment, field, head, last, &info);
    }
    return info;
}

}  // namespace

IndexInfo SparseIndexInfo(const storage::SegmentInfo& segment, const SparseDef& def) {
    IndexInfo info = InvertedInfo(segment, def.id, "sparse", PartKind::kSparseLengths,
                                  PartKind::kSparseHead, PartKind::kSparseOrder);
    info.due = segment.Find(PartKind::kSparseHead, def.id) == nullptr &&
               SparseIndexOptions::Of(def).WantsIndex(info.vectors);
    if (segment.Find(PartKind::kApproximateHead, def.id) != nullptr) {
        CountParts(segment, def.id, PartKind::kApproximateHead, PartKind::kApproximateLinks, &info);
    }
    return info;
}

IndexInfo TextIndexInfo(const storage::SegmentInfo& segment, const TextDef& def) {
    IndexInfo info = InvertedInfo(segment, def.id, "text", PartKind::kTextLengths,
                                  PartKind::kTextHead, PartKind::kTextPositions);
    info.due =
        segment.Find(PartKind::kTextHead, def.id) == nullptr && info.vectors >= kIndexedTextsMin;
    return info;
}

Result<IndexInfo> ReadIndexInfo(storage::Connection* connection,
                                const storage::SegmentInfo& segment, const DenseDef& def) {
    IndexInfo info;
    const storage::PartInfo* vectors = segment.Find(PartKind::kVectors, def.id);
    info.vectors = vectors != nullptr ? vectors->items : 0;
    const IndexOptions wanted = IndexOptions::Of(def);
    info.due = info.vectors > 0 && wanted.WantsIndex(info.vectors) &&
               segment.Find(wanted.HeadKind(), def.id) == nullptr;
    // As a search chooses.
    const storage::PartInfo* head = segment.Find(PartKind::kListHead, def.id);
    const bool lists = head != nullptr;
    head = lists ? head : segment.Find(PartKind::kGraphHead, def.id);
    if (head == nullptr) {
        return info;
    }
    info.kind = lists ? "lists" : "graph";
    CountParts(segment, def.id, head->kind, lists ? PartKind::kListRange : PartKind::kGraphFar,
               &info);
    if (head->raw_bytes() > kHeadBytesMax) {
        return info;
    }
    const Result<dense::IndexHead> read = ReadHead(connection, *head, def, info.vectors);
    if (read.status().code() == Code::kCorrupt) {
        info.damaged = true;
        return info;
    }
    QUERN_TRY(read.status());
    const char* codes = def.element == Element::kBit ? "bit" : IndexOptions::CodesName(read->codes);
    info.damaged = codes == nullptr;
    info.codes = codes != nullptr ? codes : "";
    info.memory_bytes += read->made_bytes;
    return info;
}

Result<ColumnInfo> ReadColumnInfo(storage::Connection* connection,
                                  const storage::SegmentInfo& segment, uint32_t column,
                                  int64_t epoch) {
    ColumnInfo info;
    const storage::PartInfo* head_part = segment.Find(PartKind::kColumnHead, column);
    if (head_part == nullptr) {
        return info;
    }
    info.state = "damaged";
    constexpr uint64_t kColumnHeadBytesMax = 64;
    if (head_part->raw_bytes() > kColumnHeadBytesMax) {
        return info;
    }
    Bytes bytes(static_cast<size_t>(head_part->raw_bytes()), '\0');
    const Status read = ReadPart(connection, *head_part, bytes.data(), nullptr);
    if (read.code() == Code::kCorrupt) {
        return info;
    }
    QUERN_TRY(read);
    const Result<filter::ColumnHead> head = filter::ColumnHead::Decode(bytes);
    if (!head.ok()) {
        return info;
    }
    if (head->left_out) {
        info.state = "left out";
        return info;
    }
    info.state = AttrParts::Of(segment, epoch) != nullptr ? "kept" : "outdated";
    info.values = head->distinct;
    for (const storage::PartInfo& part : segment.parts) {
        if (part.field == column && part.kind >= PartKind::kColumnHead &&
            part.kind <= PartKind::kColumnCodes) {
            info.stored_bytes += part.stored_bytes();
            info.memory_bytes += part.raw_bytes();
        }
    }
    return info;
}

}  // namespace quern
