#include "engine/db/column_check.h"

#include "engine/db/collection_view.h"

namespace quern {

using storage::PartKind;

namespace {

bool Same(const Cell& a, const Cell& b) {
    if (a.kind != b.kind) {
        return false;
    }
    switch (a.kind) {
        case Cell::Kind::kNull: return true;
        case Cell::Kind::kInt: return a.number == b.number;
        case Cell::Kind::kReal: return a.real == b.real;  // minus zero is zero
        default: return a.text == b.text;
    }
}

Cell KeyCell(const Key& key) {
    Cell cell;
    cell.kind = key.type == KeyType::kInt ? Cell::Kind::kInt : Cell::Kind::kText;
    cell.number = key.number;
    cell.text = key.text;
    return cell;
}

}  // namespace

Result<ColumnCheck> ColumnCheck::Start(storage::Connection* connection, const CollectionView& view,
                                       size_t number, uint64_t bytes_max, Work* work) {
    ColumnCheck check;
    const AttrParts* parts = view.attr_parts[number].get();
    const Schema& schema = view.info->schema;
    const size_t records = view.segments[number]->item_count();
    if (parts == nullptr) {
        return Result<ColumnCheck>(std::move(check));
    }
    QUERN_ASSIGN(const std::optional<std::vector<uint32_t>> changed,
                 ChangedRecords(connection, view, number));
    if (!changed) {
        if (view.segments[number]->degraded()) {
            check.wrong_.push_back("list of changed records");
        }
        return Result<ColumnCheck>(std::move(check));
    }
    check.changed_.resize(records);
    for (const uint32_t record : *changed) {
        check.changed_[record] = true;
    }
    uint64_t bytes = 0;
    for (int attr = filter::kKeyColumn; attr < static_cast<int>(schema.attrs.size()); attr++) {
        if (attr == filter::kNoColumn) {
            continue;
        }
        const uint32_t id = ColumnId(schema, attr);
        const storage::PartInfo* head = parts->Find(PartKind::kColumnHead, id);
        const bool left_out = head != nullptr && parts->raw_bytes(id) == head->raw_bytes();
        bytes += 2 * parts->raw_bytes(id);
        if (parts->raw_bytes(id) == 0 || left_out || bytes > bytes_max) {
            continue;
        }
        Column column{attr,
                      attr < 0 ? schema.key_name : schema.attrs[static_cast<size_t>(attr)].name,
                      nullptr};
        Result<std::unique_ptr<filter::AttrColumn>> read =
            ReadColumn(connection, *parts, id, records, ColumnKind(schema, attr), 1);
        if (read.ok()) {
            column.values = std::move(*read);
        } else if (read.status().code() != Code::kCorrupt) {
            return read.status();
        }
        if (column.values == nullptr) {
            check.Tell(&column);
        }
        check.columns_.push_back(std::move(column));
        QUERN_TRY(work->Check("verify columns", 0, 0));
    }
    return Result<ColumnCheck>(std::move(check));
}

void ColumnCheck::Compare(uint32_t record, const storage::RecordRow& row) {
    if (changed_.empty() || changed_[record]) {
        return;
    }
    for (Column& column : columns_) {
        if (column.values == nullptr) {
            continue;
        }
        const uint32_t code = column.values->code(record);
        const Cell has = code == 0 ? Cell() : column.values->value(code);
        if (!Same(has, column.number < 0 ? KeyCell(row.key)
                                         : row.cells[static_cast<size_t>(column.number)])) {
            Tell(&column);
        }
    }
}

void ColumnCheck::Tell(Column* column) {
    wrong_.push_back("column " + column->name);
    column->values.reset();
}

}  // namespace quern
