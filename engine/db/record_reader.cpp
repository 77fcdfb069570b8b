// Reading records: get by key, scans in key order, and the columns of a result.
#include <algorithm>

#include "engine/db/database.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

Result<ColumnChoice> ColumnChoice::Parse(const Schema& schema, const std::string& collection,
                                         const std::string& text) {
    ColumnChoice choice;
    auto add = [&](bool field, size_t index) {
        choice.items.push_back({field, index});
        if (field) {
            choice.any_field = true;
        } else {
            choice.attrs.push_back(index);
        }
    };
    size_t i = 0;
    while (i < text.size()) {
        if (text[i] == ' ' || text[i] == ',' || text[i] == '\t' || text[i] == '\n') {
            i++;
            continue;
        }
        std::string name;
        bool quoted = false;
        if (text[i] == '"') {
            quoted = true;
            for (i++;; i++) {
                if (i >= text.size()) {
                    return Status::Error(Code::kInvalid, "columns: a quoted name does not end: %s",
                                         text.c_str());
                }
                if (text[i] == '"') {
                    if (i + 1 < text.size() && text[i + 1] == '"') {
                        i++;
                    } else {
                        i++;
                        break;
                    }
                }
                name += text[i];
            }
        } else {
            while (i < text.size() && text[i] != ' ' && text[i] != ',' && text[i] != '\t' &&
                   text[i] != '\n') {
                name += text[i++];
            }
        }
        if (!quoted && name == "*") {
            for (size_t a = 0; a < schema.attrs.size(); a++) {
                add(false, a);
            }
            for (size_t f = 0; f < schema.field_count(); f++) {
                add(true, f);
            }
            continue;
        }
        const int attr = schema.FindAttr(name);
        const int field = schema.FindField(name);
        if (attr < 0 && field < 0) {
            return Status::Error(Code::kUnknownField,
                                 "collection '%s' has no attribute or field '%s'",
                                 collection.c_str(), name.c_str());
        }
        add(attr < 0, static_cast<size_t>(attr < 0 ? field : attr));
        if (choice.items.size() > 2 * kColumnsMax) {
            return Status::Error(Code::kLimit, "more than %zu columns asked for", 2 * kColumnsMax);
        }
    }
    return choice;
}

void ColumnChoice::Describe(const Schema& schema, ResultTable* table) const {
    for (const Item& item : items) {
        ResultColumn column;
        if (item.field && schema.is_dense(item.index)) {
            const DenseDef& def = schema.dense[item.index];
            column = {def.name, kDenseColumn, def.element, def.dim};
        } else if (item.field) {
            column.name = schema.field_name(item.index);
            column.type = FieldColumn(schema, item.index);
        } else {
            const AttrDef& def = schema.attrs[item.index];
            column.name = def.name;
            column.type = static_cast<int32_t>(def.type);
        }
        table->columns.push_back(column);
    }
}

Status FillRow(const CollectionView& view, const ColumnChoice& choice,
               const std::vector<Cell>& cells,
               const std::function<Result<BytesView>(size_t field)>& vector, ResultTable* table) {
    const Schema& schema = view.info->schema;
    const size_t start = table->values.size();
    table->values.resize(start + choice.items.size());
    size_t cell = 0;
    for (size_t i = 0; i < choice.items.size(); i++) {
        ResultValue* value = &table->values[start + i];
        const ColumnChoice::Item& item = choice.items[i];
        if (item.field) {
            QUERN_ASSIGN(const BytesView bytes, vector(item.index));
            if (bytes.data() != nullptr) {
                table->SetBytes(value, FieldColumn(schema, item.index), bytes);
            }
        } else {
            table->SetCell(value, static_cast<int32_t>(schema.attrs[item.index].type),
                           cells[cell++]);
        }
    }
    return {};
}

Status EndRow(Database* database, ResultTable* table) {
    table->offsets.back()++;
    if (static_cast<int64_t>(table->offsets.back()) > database->limits().result_rows.load()) {
        return Status::Error(Code::kLimit, "the result has more than %lld rows",
                             static_cast<long long>(database->limits().result_rows.load()));
    }
    return {};
}

namespace {

// The values of a log record.
Status FillLogRow(storage::Connection* connection, const CollectionView& view,
                  const ColumnChoice& choice, size_t position, ResultTable* table) {
    auto vector = [&](size_t field) -> Result<BytesView> {
        return view.log->value(position, field);
    };
    if (choice.attrs.empty()) {
        return FillRow(view, choice, {}, vector, table);
    }
    storage::RecordLog log(connection, *view.info);
    QUERN_ASSIGN(const bool there, log.ReadCells(view.log->item(position).rid, choice.attrs,
                                                 [&](const std::vector<Cell>& cells) {
                                                     return FillRow(view, choice, cells, vector,
                                                                    table);
                                                 }));
    if (!there) {
        return Status::Error(Code::kCorrupt, "collection '%s': a log record has no row",
                             view.info->name.c_str());
    }
    return {};
}

Status FillSealedRow(storage::Connection* connection, const CollectionView& view,
                     const ColumnChoice& choice, const storage::RecordRow& row, ChunkCache* chunks,
                     ResultTable* table) {
    std::optional<CollectionView::Place> place;
    if (choice.any_field) {
        QUERN_ASSIGN(place, view.Locate(connection, row.rid));
        if (!place) {
            return Status::Error(Code::kCorrupt, "collection '%s': record %s is in no segment",
                                 view.info->name.c_str(), row.key.ToString().c_str());
        }
    }
    return FillRow(
        view, choice, row.cells,
        [&](size_t field) -> Result<BytesView> {
            return view.segments[place->segment]->Value(connection, view.info->schema, field,
                                                        place->record, chunks);
        },
        table);
}

}  // namespace

Status Get(Database* database, Snapshot* snapshot, const RecordBatch& keys,
           const std::string& columns, ResultTable* table) {
    QUERN_ASSIGN(std::shared_ptr<const CollectionView> view, snapshot->View(keys.collection));
    CheckedBatch batch;
    // The same key may be asked for twice: check keys one by one.
    QUERN_ASSIGN(const ColumnChoice choice,
                 ColumnChoice::Parse(view->info->schema, view->info->name, columns));
    choice.Describe(view->info->schema, table);
    table->key_type = view->info->schema.key_type;
    table->offsets = {0, 0};
    ChunkCache chunks;
    Work work = database->NewWork();
    const Status status = snapshot->With([&](storage::Connection* connection) -> Status {
        storage::RecordTable records(connection, *view->info);
        for (size_t i = 0; i < keys.count; i++) {
            RecordBatch one = keys;
            one.count = 1;
            one.int_keys = keys.int_keys ? keys.int_keys + i : nullptr;
            one.text_keys = keys.text_keys ? keys.text_keys + i : nullptr;
            Status checked = CheckedBatch::Make(one, view->info->schema, 0,
                                                CheckedBatch::Columns::kKeysOnly, &batch);
            if (!checked.ok()) {
                return keys.count > 1 ? checked.WithContext("key " + std::to_string(i)) : checked;
            }
            const Key& key = batch.key(0);
            bool found = true;
            if (const std::optional<size_t> position = view->mirror->Find(key, view->log->last)) {
                QUERN_TRY(FillLogRow(connection, *view, choice, *position, table));
            } else {
                QUERN_ASSIGN(
                    found, records.ReadByKey(key, choice.attrs,
                                             [&](const storage::RecordRow& row) -> Result<bool> {
                                                 QUERN_TRY(FillSealedRow(connection, *view, choice,
                                                                         row, &chunks, table));
                                                 return true;
                                             }));
                if (!found) {
                    table->values.resize(table->values.size() + choice.items.size());
                }
            }
            table->AddKey(key);
            table->found.push_back(found ? 1 : 0);
            QUERN_TRY(EndRow(database, table));
            QUERN_TRY(work.Check("get", i, keys.count));
        }
        return {};
    });
    return InCollection(*view->info, status);
}

Result<std::unique_ptr<Cursor>> Cursor::Open(std::shared_ptr<Database> database,
                                             std::shared_ptr<Snapshot> snapshot,
                                             const std::string& collection,
                                             const std::string& columns) {
    std::unique_ptr<Cursor> cursor(new Cursor());
    if (snapshot == nullptr) {
        QUERN_ASSIGN(snapshot, database->NewSnapshot());
    }
    QUERN_ASSIGN(cursor->view_, snapshot->View(collection));
    QUERN_ASSIGN(const ColumnChoice choice,
                 ColumnChoice::Parse(cursor->view_->info->schema, collection, columns));
    static_cast<void>(choice);
    cursor->database_ = std::move(database);
    cursor->snapshot_ = std::move(snapshot);
    cursor->columns_ = columns;
    const LogView& log = *cursor->view_->log;
    for (size_t i = 0; i < log.count; i++) {
        if (log.visible(i)) {
            cursor->log_.emplace_back(log.item(i).key, i);
        }
    }
    std::sort(cursor->log_.begin(), cursor->log_.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return cursor;
}

Status Cursor::After(const Key& key) {
    if (key.type != key_type()) {
        return Status::Error(Code::kType, "the collection has %s keys",
                             key_type() == KeyType::kInt ? "int" : "text");
    }
    after_ = key;
    return {};
}

Status Cursor::Next(size_t count, ResultTable* table) {
    QUERN_ASSIGN(const ColumnChoice choice,
                 ColumnChoice::Parse(view_->info->schema, view_->info->name, columns_));
    choice.Describe(view_->info->schema, table);
    table->key_type = key_type();
    table->offsets = {0, 0};
    Work work = database_->NewWork();
    const Status status = snapshot_->With([&](storage::Connection* connection) -> Status {
        auto log = after_ ? std::upper_bound(
                                log_.begin(), log_.end(), *after_,
                                [](const Key& key, const auto& entry) { return key < entry.first; })
                          : log_.begin();
        auto emit_log = [&]() -> Status {
            QUERN_TRY(FillLogRow(connection, *view_, choice, log->second, table));
            table->AddKey(log->first);
            ++log;
            return EndRow(database_.get(), table);
        };
        storage::RecordTable records(connection, *view_->info);
        QUERN_TRY(
            records.Scan(after_, choice.attrs, [&](const storage::RecordRow& row) -> Result<bool> {
                while (table->row_count() < count && log != log_.end() && log->first < row.key) {
                    QUERN_TRY(emit_log());
                }
                if (table->row_count() >= count) {
                    return false;
                }
                QUERN_TRY(FillSealedRow(connection, *view_, choice, row, &chunks_, table));
                table->AddKey(row.key);
                QUERN_TRY(EndRow(database_.get(), table));
                QUERN_TRY(work.Check("scan", table->row_count(), 0));
                return table->row_count() < count;
            }));
        while (table->row_count() < count && log != log_.end()) {
            QUERN_TRY(emit_log());
        }
        if (table->row_count() > 0) {
            after_ = key_type() == KeyType::kInt ? Key::Int(table->int_keys.back())
                                                 : Key::Text(table->text_keys.back());
        }
        return {};
    });
    return InCollection(*view_->info, status);
}

}  // namespace quern
