#include "storage/record_log.h"

#include "storage/sparse_value.h"

namespace quern::storage {

namespace {
constexpr int kKeyColumn = 8;  // parameter number of the key

// What is wrong with a value of a field that is not dense; NULL: nothing.
const char* ValueProblem(const Schema& schema, size_t field, BytesView value) {
    return schema.is_dense(field) ? nullptr
           : schema.is_text(field)
               ? TextProblem(value)
               : SparseValueProblem(value, schema.sparse_field(field).dimensions,
                                    schema.sparse_field(field).binary);
}
}  // namespace

RecordLog::RecordLog(Connection* connection, const CollectionInfo& info)
    : connection_(connection), info_(info), table_(info.sql.log_table) {}

Status RecordLog::Append(const LogEntry& entry, const CollectionState* last) {
    QUERN_TRY(CheckCounter("row ids", entry.rid, kCounterMax - 1));
    QUERN_ASSIGN(Statement insert, connection_->Prepare(info_.sql.append_log));
    insert.Int(1, entry.rid).Int(2, static_cast<int64_t>(entry.kind));
    if (entry.dead != 0) {
        insert.Int(3, entry.dead);
    }
    if (last != nullptr) {
        insert.Int(4, last->generation)
            .Int(5, last->records)
            .Int(6, static_cast<int64_t>(last->digest));
    }
    if (entry.kind == LogKind::kPut) {
        insert.Int(7, static_cast<int64_t>(entry.hash)).KeyValue(kKeyColumn, entry.key);
        for (size_t i = 0; i < entry.cells.size(); i++) {
            insert.Value(kKeyColumn + 1 + static_cast<int>(i), entry.cells[i]);
        }
        insert.Blob(kKeyColumn + 1 + static_cast<int>(info_.schema.attrs.size()), entry.vectors);
    }
    return insert.Run();
}

Result<int64_t> RecordLog::ReadWhere(const char* where, int64_t bound,
                                     const std::function<Status(const LogEntry&)>& visit) {
    QUERN_ASSIGN(Statement rows, connection_->Prepare(info_.sql.read_log + where));
    rows.Int(1, bound);
    LogEntry entry;
    int64_t count = 0;
    while (true) {
        QUERN_ASSIGN(const bool there, rows.Step());
        if (!there) {
            return count;
        }
        entry.rid = rows.ColumnInt(0);
        const int64_t kind = rows.ColumnInt(1);
        if (kind < 1 || kind > 3 || entry.rid < 1) {
            return Status::Error(Code::kCorrupt,
                                 "collection '%s': log entry %lld has unknown kind %lld",
                                 info_.name.c_str(), static_cast<long long>(entry.rid),
                                 static_cast<long long>(kind));
        }
        entry.kind = static_cast<LogKind>(kind);
        entry.dead = rows.ColumnInt(2);
        entry.hash = static_cast<uint64_t>(rows.ColumnInt(3));
        entry.vectors = {};
        entry.cells.clear();
        if (entry.kind == LogKind::kPut) {
            entry.key = info_.schema.key_type == KeyType::kInt ? Key::Int(rows.ColumnInt(4))
                                                               : Key::Text(rows.ColumnBytes(4));
            entry.vectors = rows.ColumnBytes(5);
            for (size_t i = 0; i < info_.schema.attrs.size(); i++) {
                entry.cells.push_back(rows.ColumnCell(6 + static_cast<int>(i)));
            }
        }
        QUERN_TRY(visit(entry));
        count++;
    }
}

Status RecordLog::Read(int64_t after, const std::function<Status(const LogEntry&)>& visit) {
    return ReadWhere(" WHERE \"_rid\">?1 ORDER BY \"_rid\"", after, visit).status();
}

Result<bool> RecordLog::ReadOne(int64_t rid, const std::function<Status(const LogEntry&)>& visit) {
    QUERN_ASSIGN(const int64_t count, ReadWhere(" WHERE \"_rid\"=?1", rid, visit));
    return count > 0;
}

Result<bool> RecordLog::ReadCells(int64_t rid, const std::vector<size_t>& attrs,
                                  const std::function<Status(const std::vector<Cell>&)>& visit) {
    std::string sql = "SELECT \"_rid\"";
    for (const size_t attr : attrs) {
        sql += ", " + QuoteName(info_.schema.attrs[attr].name);
    }
    QUERN_ASSIGN(Statement row,
                 connection_->Prepare(sql + " FROM " + table_ + " WHERE \"_rid\"=?1"));
    QUERN_ASSIGN(const bool there, row.Int(1, rid).Step());
    if (!there) {
        return false;
    }
    std::vector<Cell> cells;
    for (size_t i = 0; i < attrs.size(); i++) {
        cells.push_back(row.ColumnCell(static_cast<int>(i) + 1));
    }
    QUERN_TRY(visit(cells));
    return true;
}

Status RecordLog::Clear() {
    return connection_->Execute("DELETE FROM " + table_);
}

void EncodeVectors(const Schema& schema, const std::vector<VectorRef>& vectors, Bytes* blob) {
    blob->clear();
    ByteWriter writer(blob);
    for (const VectorRef& vector : vectors) {
        writer.Varint(schema.field_id(vector.field));
        writer.Varint(vector.bytes.size());
        writer.Raw(vector.bytes.data(), vector.bytes.size());
    }
}

Status DecodeVectors(const Schema& schema, BytesView blob, std::vector<VectorRef>* vectors) {
    vectors->clear();
    ByteReader reader(blob);
    size_t field = 0;
    while (!reader.AtEnd()) {
        const uint64_t id = reader.Varint();
        const uint64_t size = reader.Varint();
        while (field < schema.field_count() && schema.field_id(field) != id) {
            field++;
        }
        if (!reader.ok() || field == schema.field_count() ||
            (schema.is_dense(field) && size != schema.dense[field].row_bytes())) {
            return Status::Error(Code::kCorrupt,
                                 "log entry holds a vector of no field or of the wrong size");
        }
        const BytesView value = reader.Take(size);
        if (!reader.ok()) {
            return Status::Error(Code::kCorrupt, "log entry is cut short");
        }
        const char* const problem = ValueProblem(schema, field, value);
        if (problem != nullptr) {
            return Status::Error(Code::kCorrupt, "log entry, field '%s': %s",
                                 schema.field_name(field).c_str(), problem);
        }
        vectors->push_back({field, value});
        field++;
    }
    return {};
}

}  // namespace quern::storage
