// SQL over collections: each is a view of its key and attributes, sealed records and log together.
#include <algorithm>

#include "engine/db/database.h"
#include "engine/db/sql_views.h"

namespace quern {

namespace {

char LowerCase(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Whether the statement mentions the name at all: views of other collections are not worth making.
bool Mentions(const std::string& statement, const std::string& name) {
    return std::search(statement.begin(), statement.end(), name.begin(), name.end(),
                       [](char a, char b) { return LowerCase(a) == LowerCase(b); }) !=
               statement.end() ||
           name.find('"') != std::string::npos;  // written doubled there
}

storage::SqlView SqlViewOf(const storage::CollectionInfo& info) {
    std::string columns = storage::QuoteName(info.schema.key_name);
    for (const AttrDef& attr : info.schema.attrs) {
        columns += ", " + storage::QuoteName(attr.name);
    }
    const std::string schema = std::string(storage::kViewSchema) + ".";
    const std::string log = schema + storage::LogTableName(info.id);
    const auto is_rowid = [](const std::string& name) {
        return SameName(name, "rowid") || SameName(name, "oid");
    };
    const bool has_rowid = is_rowid(info.schema.key_name) ||
                           std::any_of(info.schema.attrs.begin(), info.schema.attrs.end(),
                                       [&](const AttrDef& attr) { return is_rowid(attr.name); });
    return {info.name,
            "SELECT " + columns + " FROM " + schema + storage::QuoteName(info.name) +
                " UNION ALL SELECT " + columns + " FROM " + log +
                " WHERE \"_kind\"=1 AND \"_rid\" NOT IN (SELECT \"_dead\" FROM " + log +
                " WHERE \"_dead\" IS NOT NULL)",
            {info.name, storage::LogTableName(info.id)},
            has_rowid};
}

}  // namespace

std::vector<storage::SqlView> SqlViewsFor(const storage::Catalog& catalog,
                                          const std::string& statement) {
    std::vector<storage::SqlView> views;
    for (const auto& info : catalog.collections) {
        if (Mentions(statement, info->name)) {
            views.push_back(SqlViewOf(*info));
        }
    }
    return views;
}

Status Database::Sql(Snapshot* snapshot, const std::string& statement, ResultTable* table) {
    const std::vector<storage::SqlView> views = SqlViewsFor(snapshot->catalog(), statement);
    Work work = NewWork();
    table->offsets = {0, 0};
    storage::SqlSink sink;
    sink.columns = [&](const std::vector<std::string>& names) -> Status {
        for (const std::string& name : names) {
            ResultColumn& column = table->columns.emplace_back();
            column.name = name;
        }
        return {};
    };
    sink.row = [&](const std::vector<Cell>& row) -> Status {
        const size_t start = table->values.size();
        table->values.resize(start + row.size());
        for (size_t i = 0; i < row.size(); i++) {
            AttrType type = AttrType::kInt;
            switch (row[i].kind) {
                case Cell::Kind::kReal: type = AttrType::kReal; break;
                case Cell::Kind::kText: type = AttrType::kText; break;
                case Cell::Kind::kBlob: type = AttrType::kBlob; break;
                default: break;
            }
            table->SetCell(&table->values[start + i], static_cast<int32_t>(type), row[i]);
        }
        table->offsets.back()++;
        if (static_cast<int64_t>(table->row_count()) > limits_.result_rows.load() ||
            static_cast<int64_t>(table->bytes.size()) > limits_.search_bytes.load()) {
            return Status::Error(Code::kLimit,
                                 "SQL: the result has more than %lld rows or %lld bytes",
                                 static_cast<long long>(limits_.result_rows.load()),
                                 static_cast<long long>(limits_.search_bytes.load()));
        }
        return {};
    };
    return snapshot->With([&](storage::Connection* connection) {
        return storage::RunSql(connection, views, statement, &work, sink);
    });
}

}  // namespace quern
