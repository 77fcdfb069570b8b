#include "storage/catalog_sql.h"

namespace quern::storage {

namespace {

std::string AttrColumns(const Schema& schema) {
    std::string sql;
    for (const AttrDef& attr : schema.attrs) {
        sql += ", " + QuoteName(attr.name) + " " + SqlType(attr.type);
    }
    return sql;
}

std::string KeyColumn(const Schema& schema, const char* constraint) {
    return QuoteName(schema.key_name) + (schema.key_type == KeyType::kInt ? " INTEGER" : " TEXT") +
           constraint;
}

}  // namespace

const char* SqlType(AttrType type) {
    switch (type) {  // never: another type
        case AttrType::kInt:
        case AttrType::kBool: return "INTEGER";
        case AttrType::kReal: return "REAL";
        case AttrType::kText:
        case AttrType::kJson:
        case AttrType::kTags: return "TEXT";
        case AttrType::kBlob: return "BLOB";
    }
    return "BLOB";
}

std::string RecordTableSql(const std::string& name, const Schema& schema) {
    return "CREATE TABLE " + QuoteName(name) +
           "(\"_rid\" INTEGER PRIMARY KEY, \"_hash\" INTEGER NOT NULL, " +
           KeyColumn(schema, " NOT NULL UNIQUE") + AttrColumns(schema) + ") STRICT";
}

std::string LogTableName(int64_t collection) {
    return "quern_log_" + std::to_string(collection);
}

std::string LogTableSql(int64_t collection, const Schema& schema) {
    return "CREATE TABLE " + LogTableName(collection) +
           "(\"_rid\" INTEGER PRIMARY KEY, \"_kind\" INTEGER NOT NULL, \"_dead\" INTEGER, "
           "\"_generation\" INTEGER, "
           "\"_records\" INTEGER, \"_digest\" INTEGER, \"_hash\" INTEGER, " +
           KeyColumn(schema, "") + AttrColumns(schema) + ", \"_vectors\" BLOB) STRICT";
}

CollectionSql MakeCollectionSql(const CollectionInfo& info) {
    CollectionSql sql;
    const std::string key = QuoteName(info.schema.key_name);
    std::string attrs;
    for (const AttrDef& attr : info.schema.attrs) {
        attrs += ", " + QuoteName(attr.name);
    }
    auto insert_into = [](const std::string& table, size_t columns) {
        std::string text = "INSERT INTO " + table + " VALUES(?1";
        for (size_t i = 2; i <= columns; i++) {
            text += ",?" + std::to_string(i);
        }
        return text + ")";
    };
    sql.record_table = QuoteName(info.name);
    sql.insert_record =
        insert_into(sql.record_table, 3 + info.schema.attrs.size()) + " ON CONFLICT DO NOTHING";
    sql.find_record =
        "SELECT \"_rid\", \"_hash\" FROM " + sql.record_table + " WHERE " + key + "=?1";
    sql.log_table = LogTableName(info.id);
    sql.append_log = insert_into(sql.log_table, 9 + info.schema.attrs.size());
    sql.read_log = "SELECT \"_rid\", \"_kind\", \"_dead\", \"_hash\", " + key + ", \"_vectors\"" +
                   attrs + " FROM " + sql.log_table;
    return sql;
}

}  // namespace quern::storage
