#include "engine/db/attr_parts.h"

#include <algorithm>

#include "engine/db/collection_view.h"
#include "storage/base/test_fault.h"
#include "storage/record_table.h"

namespace quern {

namespace {

using storage::PartKind;

// More changed records than this share, and the table is read instead: each costs a look at it.
constexpr uint64_t kChangedShare = 16;

Status BadColumn(const char* what) {
    return Status::Error(Code::kCorrupt, "column of an attribute: %s", what);
}

bool TooMany(size_t changed, uint64_t records) {
    return changed > records / kChangedShare;
}

Result<std::vector<uint32_t>> ReadList(storage::Connection* connection,
                                       const storage::PartInfo& part, uint64_t records) {
    if (part.item_bytes != 4 || part.items > records) {
        return BadColumn("a list of changed records of the wrong size");
    }
    std::vector<uint32_t> list(static_cast<size_t>(part.items));
    QUERN_TRY(storage::ReadChunks(connection, part, 0, part.chunks.size(), 1,
                                  reinterpret_cast<char*>(list.data())));
    for (size_t i = 0; i < list.size(); i++) {
        if (list[i] >= records || (i > 0 && list[i] <= list[i - 1])) {
            return BadColumn("a list of changed records that is none");
        }
    }
    return list;
}

// Adds the records of a segment that these are the row ids of.
void AddRecords(Segment* segment, const std::vector<int64_t>& rids, std::vector<uint32_t>* list) {
    for (const int64_t rid : rids) {
        if (const std::optional<uint32_t> record = segment->RecordOf(rid)) {
            list->push_back(*record);
        }
    }
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
    if (TestFault(Fault::kLastChangeLost) && !list->empty()) {
        list->pop_back();
    }
}

// Values of changed records in some columns, of one segment. Texts are kept.
class ChangedValues {
public:
    Status Read(storage::Connection* connection, const CollectionView& view, const int64_t* rids,
                const std::vector<uint32_t>& records, const std::vector<int>& columns) {
        std::vector<size_t> attrs;
        for (const int column : columns) {
            if (column >= 0) {
                attrs.push_back(static_cast<size_t>(column));
            }
        }
        storage::RecordTable table(connection, *view.info);
        values_.resize(columns.size());
        for (const uint32_t record : records) {
            // One that has no row is dead: whatever it has is nobody's answer.
            QUERN_TRY(table
                          .ReadByRid(rids[record], attrs,
                                     [&](const storage::RecordRow& row) -> Result<bool> {
                                         size_t next = 0;
                                         for (size_t c = 0; c < columns.size(); c++) {
                                             if (columns[c] >= 0) {
                                                 Add(c, record, row.cells[next++]);
                                             }
                                         }
                                         return true;
                                     })
                          .status());
        }
        return {};
    }
    // Of a key there are none: it never changes.
    const std::vector<filter::ChangedValue>& of(size_t column) const { return values_[column]; }

private:
    void Add(size_t column, uint32_t record, const Cell& cell) {
        filter::ChangedValue& change = values_[column].emplace_back();
        change.record = record;
        change.cell = cell;
        if (!cell.text.empty()) {
            texts_.push_back(std::make_unique<std::string>(cell.text));
            change.cell.text = *texts_.back();
        }
    }
    std::vector<std::vector<filter::ChangedValue>> values_;
    std::vector<std::unique_ptr<std::string>> texts_;
};

Status ReadArray(storage::Connection* connection, const AttrParts& parts, PartKind kind,
                 uint32_t column, uint32_t item_bytes, int threads, Bytes* out) {
    const storage::PartInfo* part = parts.Find(kind, column);
    if (part == nullptr) {
        return {};  // empty, or lost: then the others do not fit
    }
    if (part->item_bytes != item_bytes) {
        return BadColumn("a part with items of the wrong size");
    }
    out->resize(static_cast<size_t>(part->raw_bytes()));
    return storage::ReadChunks(connection, *part, 0, part->chunks.size(), threads, out->data());
}

}  // namespace

std::shared_ptr<const AttrParts> AttrParts::Of(const storage::SegmentInfo& segment, int64_t epoch) {
    const storage::PartInfo* changed = segment.Find(PartKind::kChangedRecords, 0);
    if (changed == nullptr || changed->generation != epoch) {
        return nullptr;
    }
    auto parts = std::make_shared<AttrParts>();
    parts->changed = *changed;
    for (const storage::PartInfo& part : segment.parts) {
        if (storage::IsColumnPart(part.kind) && part.kind != PartKind::kChangedRecords) {
            parts->columns.push_back(part);
        }
    }
    return parts;
}

const storage::PartInfo* AttrParts::Find(PartKind kind, uint32_t column) const {
    for (const storage::PartInfo& part : columns) {
        if (part.kind == kind && part.field == column) {
            return &part;
        }
    }
    return nullptr;
}

uint64_t AttrParts::raw_bytes(uint32_t column) const {
    uint64_t bytes = 0;
    for (const storage::PartInfo& part : columns) {
        bytes += part.field == column ? part.raw_bytes() : 0;
    }
    return bytes;
}

uint32_t ColumnId(const Schema& schema, int column) {
    return column == filter::kKeyColumn ? 0 : schema.attrs[static_cast<size_t>(column)].id;
}

Cell::Kind ColumnKind(const Schema& schema, int column) {
    if (column == filter::kKeyColumn) {
        return schema.key_type == KeyType::kInt ? Cell::Kind::kInt : Cell::Kind::kText;
    }
    switch (schema.attrs[static_cast<size_t>(column)].type) {
        case AttrType::kInt:
        case AttrType::kBool: return Cell::Kind::kInt;
        case AttrType::kReal: return Cell::Kind::kReal;
        case AttrType::kBlob: return Cell::Kind::kBlob;
        default: return Cell::Kind::kText;
    }
}

Result<std::optional<std::vector<uint32_t>>> ChangedRecords(storage::Connection* connection,
                                                            const CollectionView& view,
                                                            size_t segment) {
    const std::optional<std::vector<uint32_t>> none;
    const uint64_t records = view.segments[segment]->item_count();
    const AttrParts* parts = view.attr_parts[segment].get();
    const std::vector<int64_t> amended = view.mirror->Amended(view.log->last);
    if (parts == nullptr || TooMany(static_cast<size_t>(parts->changed.items), records)) {
        return none;
    }
    Result<std::vector<uint32_t>> list = ReadList(connection, parts->changed, records);
    if (list.status().code() == Code::kCorrupt) {
        view.segments[segment]->MarkDegraded();
        return none;
    }
    QUERN_TRY(list.status());
    AddRecords(view.segments[segment].get(), amended, &*list);
    return TooMany(list->size(), records) ? none : std::optional(std::move(*list));
}

Result<std::unique_ptr<filter::AttrColumn>> ReadColumn(storage::Connection* connection,
                                                       const AttrParts& parts, uint32_t column,
                                                       size_t records, Cell::Kind kind,
                                                       int threads) {
    filter::ColumnArrays arrays;
    const storage::PartInfo* head_part = parts.Find(PartKind::kColumnHead, column);
    constexpr uint64_t kHeadBytesMax = 64;
    if (head_part == nullptr || head_part->raw_bytes() > kHeadBytesMax) {
        return BadColumn("a head of the wrong size");
    }
    QUERN_TRY(ReadArray(connection, parts, PartKind::kColumnHead, column, 1, 1, &arrays.head));
    QUERN_ASSIGN(const filter::ColumnHead head, filter::ColumnHead::Decode(arrays.head));
    const bool texts = head.kind == Cell::Kind::kText || head.kind == Cell::Kind::kBlob;
    QUERN_TRY(ReadArray(connection, parts, PartKind::kColumnValues, column, texts ? 1 : 8, threads,
                        &arrays.values));
    QUERN_TRY(ReadArray(connection, parts, PartKind::kColumnLengths, column, 4, threads,
                        &arrays.lengths));
    QUERN_TRY(ReadArray(connection, parts, PartKind::kColumnCodes, column,
                        std::max(head.code_bytes, uint32_t{1}), threads, &arrays.codes));
    return filter::ColumnFile::Decode(arrays, records, kind);
}

Result<std::map<int, std::unique_ptr<filter::AttrColumn>>> ReadColumns(
    storage::Connection* connection, const CollectionView& view, size_t number,
    const std::vector<int>& columns, int threads, Work* work) {
    std::map<int, std::unique_ptr<filter::AttrColumn>> read;
    const AttrParts* parts = view.attr_parts[number].get();
    Segment& segment = *view.segments[number];
    const Schema& schema = view.info->schema;
    std::vector<int> there;
    for (const int column : columns) {
        // A head alone is that of a column that was left out.
        const uint32_t id = ColumnId(schema, column);
        const storage::PartInfo* head =
            parts == nullptr ? nullptr : parts->Find(PartKind::kColumnHead, id);
        if (head != nullptr && parts->raw_bytes(id) > head->raw_bytes()) {
            there.push_back(column);
        }
    }
    if (there.empty()) {
        return read;
    }
    QUERN_ASSIGN(const std::optional<std::vector<uint32_t>> changed,
                 ChangedRecords(connection, view, number));
    if (!changed) {
        return read;
    }
    QUERN_ASSIGN(const int64_t* const rids, segment.RowIds(connection));
    ChangedValues values;
    QUERN_TRY(values.Read(connection, view, rids, *changed, there));
    for (size_t c = 0; c < there.size(); c++) {
        QUERN_TRY(work->Check("filter", c, there.size()));
        Result<std::unique_ptr<filter::AttrColumn>> column =
            ReadColumn(connection, *parts, ColumnId(schema, there[c]), segment.item_count(),
                       ColumnKind(schema, there[c]), threads);
        if (column.status().code() == Code::kCorrupt) {
            segment.MarkDegraded();
            continue;
        }
        QUERN_TRY(column.status());
        if (!values.of(c).empty() && !TestFault(Fault::kPatchForgotten)) {
            *column = filter::ColumnPatch::Apply(std::move(*column), values.of(c));
        }
        if (*column != nullptr) {
            read[there[c]] = std::move(*column);
        }
    }
    return read;
}

Status RemoveColumns(storage::Connection* connection, const std::vector<storage::PartInfo>& parts,
                     std::optional<uint32_t> column) {
    for (const storage::PartInfo& part : parts) {
        const bool wanted =
            !column || (part.field == *column && part.kind != PartKind::kChangedRecords);
        if (storage::IsColumnPart(part.kind) && wanted) {
            QUERN_TRY(storage::RemovePart(connection, part));
        }
    }
    return {};
}

Status WriteChanged(storage::Connection* connection, int64_t segment,
                    const std::vector<uint32_t>& records, int64_t epoch) {
    QUERN_ASSIGN(storage::PartWriter writer,
                 storage::PartWriter::Create(connection, segment, 0, PartKind::kChangedRecords, 4,
                                             4, epoch, storage::Effort::kFast));
    QUERN_TRY(writer.Append(records.data(), records.size()));
    return writer.Finish();
}

Status KeepChanged(storage::Connection* connection, const CollectionView& view) {
    const std::vector<int64_t> amended = view.mirror->Amended(view.log->last);
    for (size_t s = 0; !amended.empty() && s < view.segments.size(); s++) {
        Segment& segment = *view.segments[s];
        const AttrParts* parts = view.attr_parts[s].get();
        if (parts == nullptr || TestFault(Fault::kChangesForgotten)) {
            continue;
        }
        QUERN_TRY(segment.RowIds(connection).status());
        Result<std::vector<uint32_t>> list =
            ReadList(connection, parts->changed, segment.item_count());
        if (!list.ok() && list.status().code() != Code::kCorrupt) {
            return list.status();
        }
        if (list.ok()) {
            AddRecords(&segment, amended, &*list);
            if (list->size() == parts->changed.items) {
                continue;
            }
        }
        QUERN_TRY(storage::RemovePart(connection, parts->changed));
        if (list.ok() && !TooMany(list->size(), segment.item_count())) {
            QUERN_TRY(WriteChanged(connection, segment.info().id, *list, view.state.epoch));
        } else {
            // Of columns that nobody will use the file need not keep anything.
            QUERN_TRY(RemoveColumns(connection, parts->columns, std::nullopt));
        }
    }
    return {};
}

}  // namespace quern
