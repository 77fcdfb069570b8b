#include "storage/record_table.h"

namespace quern::storage {

RecordTable::RecordTable(Connection* connection, const CollectionInfo& info)
    : connection_(connection), info_(info), table_(info.sql.record_table) {}

Result<bool> RecordTable::Insert(int64_t rid, uint64_t hash, const Key& key,
                                 const std::vector<Cell>& cells) {
    if (!insert_) {
        QUERN_ASSIGN(Statement insert, connection_->Prepare(info_.sql.insert_record));
        insert_.emplace(std::move(insert));
    }
    insert_->Int(1, rid).Int(2, static_cast<int64_t>(hash)).KeyValue(3, key);
    for (size_t i = 0; i < cells.size(); i++) {
        insert_->Value(static_cast<int>(i) + 4, cells[i]);
    }
    const Status status = insert_->Run();
    insert_->Again();
    QUERN_TRY(status);
    return connection_->changes() > 0;
}

Result<std::optional<RecordRef>> RecordTable::Find(const Key& key) {
    QUERN_ASSIGN(Statement find, connection_->Prepare(info_.sql.find_record));
    QUERN_ASSIGN(const bool there, find.KeyValue(1, key).Step());
    if (!there) {
        return std::optional<RecordRef>();
    }
    return std::optional<RecordRef>(
        RecordRef{find.ColumnInt(0), static_cast<uint64_t>(find.ColumnInt(1))});
}

Status RecordTable::Remove(int64_t rid) {
    QUERN_ASSIGN(Statement remove,
                 connection_->Prepare("DELETE FROM " + table_ + " WHERE \"_rid\"=?1"));
    return remove.Int(1, rid).Run();
}

Status RecordTable::Update(int64_t rid, uint64_t hash, const std::vector<size_t>& attrs,
                           const std::vector<Cell>& cells) {
    std::string sql = "UPDATE " + table_ + " SET \"_hash\"=?2";
    for (size_t i = 0; i < attrs.size(); i++) {
        sql += ", " + QuoteName(info_.schema.attrs[attrs[i]].name) + "=?" + std::to_string(i + 3);
    }
    QUERN_ASSIGN(Statement update, connection_->Prepare(sql + " WHERE \"_rid\"=?1"));
    update.Int(1, rid).Int(2, static_cast<int64_t>(hash));
    for (size_t i = 0; i < cells.size(); i++) {
        update.Value(static_cast<int>(i) + 3, cells[i]);
    }
    return update.Run();
}

std::string RecordTable::Columns(const std::vector<size_t>& attrs) const {
    std::string sql = "SELECT \"_rid\", \"_hash\", " + QuoteName(info_.schema.key_name);
    for (const size_t attr : attrs) {
        sql += ", " + QuoteName(info_.schema.attrs[attr].name);
    }
    return sql + " FROM " + table_;
}

void RecordTable::FillRow(Statement* statement, size_t attr_count, RecordRow* row) const {
    row->rid = statement->ColumnInt(0);
    row->hash = static_cast<uint64_t>(statement->ColumnInt(1));
    row->key = info_.schema.key_type == KeyType::kInt ? Key::Int(statement->ColumnInt(2))
                                                      : Key::Text(statement->ColumnBytes(2));
    row->cells.resize(attr_count);
    for (size_t i = 0; i < attr_count; i++) {
        row->cells[i] = statement->ColumnCell(static_cast<int>(i) + 3);
    }
}

Result<bool> RecordTable::One(const std::string& where, const Cell& bound,
                              const std::vector<size_t>& attrs, const Visit& visit) {
    QUERN_ASSIGN(Statement select, connection_->Prepare(Columns(attrs) + where));
    QUERN_ASSIGN(const bool there, select.Value(1, bound).Step());
    if (!there) {
        return false;
    }
    RecordRow row;
    FillRow(&select, attrs.size(), &row);
    QUERN_ASSIGN(const bool ignored, visit(row));
    static_cast<void>(ignored);
    return true;
}

Result<bool> RecordTable::ReadByRid(int64_t rid, const std::vector<size_t>& attrs,
                                    const Visit& visit) {
    Cell bound;
    bound.kind = Cell::Kind::kInt;
    bound.number = rid;
    return One(" WHERE \"_rid\"=?1", bound, attrs, visit);
}

Result<bool> RecordTable::ReadByKey(const Key& key, const std::vector<size_t>& attrs,
                                    const Visit& visit) {
    Cell bound;
    bound.kind = key.type == KeyType::kInt ? Cell::Kind::kInt : Cell::Kind::kText;
    bound.number = key.number;
    bound.text = key.text;
    return One(" WHERE " + QuoteName(info_.schema.key_name) + "=?1", bound, attrs, visit);
}

Result<std::optional<Key>> RecordTable::KeyOf(int64_t rid) {
    if (!key_of_) {
        QUERN_ASSIGN(Statement select,
                     connection_->Prepare("SELECT " + QuoteName(info_.schema.key_name) + " FROM " +
                                          table_ + " WHERE \"_rid\"=?1"));
        key_of_.emplace(std::move(select));
    }
    key_of_->Again();
    QUERN_ASSIGN(const bool there, key_of_->Int(1, rid).Step());
    std::optional<Key> key;
    if (there) {
        key = info_.schema.key_type == KeyType::kInt ? Key::Int(key_of_->ColumnInt(0))
                                                     : Key::Text(key_of_->ColumnBytes(0));
        key_of_->Again();  // a row that is held keeps its page
    }
    return key;
}

Status RecordTable::Many(Statement* rows, const std::vector<size_t>& attrs, const Visit& visit) {
    RecordRow row;
    while (true) {
        QUERN_ASSIGN(const bool there, rows->Step());
        if (!there) {
            return {};
        }
        FillRow(rows, attrs.size(), &row);
        QUERN_ASSIGN(const bool go_on, visit(row));
        if (!go_on) {
            return {};
        }
    }
}

Status RecordTable::Scan(const std::optional<Key>& after, const std::vector<size_t>& attrs,
                         const Visit& visit) {
    const std::string key = QuoteName(info_.schema.key_name);
    QUERN_ASSIGN(Statement rows,
                 connection_->Prepare(Columns(attrs) + (after ? " WHERE " + key + ">?1" : "") +
                                      " ORDER BY " + key));
    if (after) {
        rows.KeyValue(1, *after);
    }
    return Many(&rows, attrs, visit);
}

Status RecordTable::ScanByRid(int64_t after, const std::vector<size_t>& attrs, const Visit& visit) {
    QUERN_ASSIGN(Statement rows,
                 connection_->Prepare(Columns(attrs) + " WHERE \"_rid\">?1 ORDER BY \"_rid\""));
    rows.Int(1, after);
    return Many(&rows, attrs, visit);
}

}  // namespace quern::storage
