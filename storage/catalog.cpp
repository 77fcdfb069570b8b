#include "storage/catalog.h"

#include <cstring>
#include <set>

#include "storage/catalog_sql.h"

namespace quern::storage {

namespace {

// Fixed tables: the text is compared on every open. FORMAT.md explains each column; a change here
// is a format change.
constexpr const char* kFixedTables[] = {
    "CREATE TABLE quern_format(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value INTEGER NOT NULL) "
    "STRICT",
    "CREATE TABLE quern_collection(id INTEGER PRIMARY KEY, name TEXT NOT NULL, key_name TEXT NOT "
    "NULL, "
    "key_type INTEGER NOT NULL, next_column INTEGER NOT NULL) STRICT",
    "CREATE TABLE quern_column(collection INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT "
    "NULL, "
    "kind INTEGER NOT NULL, type INTEGER NOT NULL, metric INTEGER NOT NULL, dim INTEGER NOT NULL, "
    "options TEXT NOT NULL, PRIMARY KEY(collection, id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE quern_state(collection INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, generation "
    "INTEGER NOT NULL, "
    "records INTEGER NOT NULL, digest INTEGER NOT NULL, layout INTEGER NOT NULL, next_rid INTEGER "
    "NOT NULL) STRICT",
    "CREATE TABLE quern_segment(id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, state INTEGER "
    "NOT NULL, "
    "items INTEGER NOT NULL, generation INTEGER NOT NULL, owner TEXT NOT NULL) STRICT",
    "CREATE TABLE quern_part(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, field INTEGER NOT "
    "NULL, "
    "kind INTEGER NOT NULL, generation INTEGER NOT NULL, items INTEGER NOT NULL, item_bytes "
    "INTEGER NOT NULL, "
    "chunk_items INTEGER NOT NULL, chunks BLOB NOT NULL) STRICT",
    "CREATE INDEX quern_part_segment ON quern_part(segment)",
    "CREATE TABLE quern_chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT",
    "CREATE TABLE quern_dead(collection INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY "
    "KEY(collection, rid)) "
    "STRICT, WITHOUT ROWID",
};

enum ColumnKind : int64_t {
    kAttrColumn = 1,
    kDenseColumn = 2,
    kSparseColumn = 3,
    kTextColumn = 4,
    kFusionRow = 5,  // no column, but it has the id of one
};

// The words of an SQL text: names without their quotes, other runs, single punctuation marks. Two
// texts with equal tokens mean the same to SQLite here, however ALTER TABLE has quoted and spaced
// them.
std::vector<std::string> Tokens(std::string_view sql) {
    std::vector<std::string> tokens;
    size_t i = 0;
    while (i < sql.size()) {
        const char c = sql[i];
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            i++;
        } else if (c == '"') {
            std::string token = "\"";
            for (i++; i < sql.size(); i++) {  // never: SQLite has read it, up to a quote
                if (sql[i] == '"') {
                    if (sql.substr(i + 1, 1) == "\"") {
                        i++;
                    } else {
                        break;
                    }
                }
                token += sql[i];
            }
            i++;
            tokens.push_back(token);
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
            size_t end = i;
            while (end < sql.size() &&
                   (std::isalnum(static_cast<unsigned char>(sql[end])) || sql[end] == '_')) {
                end++;
            }
            tokens.emplace_back(sql.substr(i, end - i));
            i = end;
        } else {
            tokens.emplace_back(1, c);
            i++;
        }
    }
    return tokens;
}

bool SameSql(std::string_view a, std::string_view b) {
    return a == b || Tokens(a) == Tokens(b);
}

Status BadCatalog(const std::string& what) {
    return Status::Error(Code::kCorrupt, "catalog: %s", what.c_str());
}

Status BumpEpoch(Connection* connection, int64_t generation) {
    QUERN_ASSIGN(Statement update,
                 connection->Prepare("UPDATE quern_state SET epoch=epoch+1, generation=?1 WHERE "
                                     "collection=0 RETURNING epoch"));
    QUERN_ASSIGN(const bool there, update.Int(1, generation).Step());
    if (!there) {
        return BadCatalog("the state of the database is missing");
    }
    const int64_t epoch = update.ColumnInt(0);
    QUERN_TRY(update.Run());
    return CheckCounter("changes of the schema", epoch);
}

Status InsertColumn(Connection* connection, int64_t collection, uint32_t id,
                    const std::string& name, ColumnKind kind, int64_t type, int64_t metric,
                    int64_t dim, const std::string& options) {
    QUERN_ASSIGN(Statement insert,
                 connection->Prepare("INSERT INTO quern_column VALUES(?1,?2,?3,?4,?5,?6,?7,?8)"));
    return insert.Int(1, collection)
        .Int(2, id)
        .Text(3, name)
        .Int(4, kind)
        .Int(5, type)
        .Int(6, metric)
        .Int(7, dim)
        .Text(8, options)
        .Run();
}

Status InsertAttr(Connection* connection, int64_t collection, const AttrDef& attr) {
    return InsertColumn(connection, collection, attr.id, attr.name, kAttrColumn,
                        static_cast<int64_t>(attr.type), 0, 0, attr.options);
}

Status InsertDense(Connection* connection, int64_t collection, const DenseDef& field) {
    return InsertColumn(connection, collection, field.id, field.name, kDenseColumn,
                        static_cast<int64_t>(field.element), static_cast<int64_t>(field.metric),
                        field.dim, field.options);
}

// Versions that do not know these features must not open the file any more.
Status SetFeature(Connection* connection, int64_t feature) {
    return connection->Execute("UPDATE quern_format SET value=value|" + std::to_string(feature) +
                               " WHERE id=3");
}

Status InsertSparse(Connection* connection, int64_t collection, const SparseDef& field) {
    const Element element = field.binary ? Element::kBit : Element::kF32;
    QUERN_TRY(InsertColumn(connection, collection, field.id, field.name, kSparseColumn,
                           static_cast<int64_t>(element), static_cast<int64_t>(Metric::kIp),
                           static_cast<int64_t>(field.dimensions), field.options));
    return SetFeature(connection, kSparseFeature);
}

Status InsertText(Connection* connection, int64_t collection, const TextDef& field) {
    QUERN_TRY(InsertColumn(connection, collection, field.id, field.name, kTextColumn, 0, 0, 0,
                           field.options));
    return SetFeature(connection, kTextFeature);
}

Status DeleteColumn(Connection* connection, int64_t collection, uint32_t id) {
    QUERN_ASSIGN(Statement remove,
                 connection->Prepare("DELETE FROM quern_column WHERE collection=?1 AND id=?2"));
    return remove.Int(1, collection).Int(2, id).Run();
}

// The next free id, behind the one that was given out last.
Status SetNextColumn(Connection* connection, int64_t collection, uint32_t last) {
    if (last == UINT32_MAX) {
        return Status::Error(Code::kLimit, "catalog: the counter of columns is used up");
    }
    QUERN_ASSIGN(Statement update,
                 connection->Prepare("UPDATE quern_collection SET next_column=?2 WHERE id=?1"));
    return update.Int(1, collection).Int(2, int64_t{last} + 1).Run();
}

Status RecreateLog(Connection* connection, int64_t collection, const Schema& schema) {
    connection->ForgetStatements();
    QUERN_TRY(connection->Execute("DROP TABLE " + LogTableName(collection)));
    return connection->Execute(LogTableSql(collection, schema));
}

// A row of a kept fusion, as it may stand in a hostile file. What its text says is looked at by who
// uses it.
Status AddFusion(CollectionInfo* info, Statement* row) {
    const int64_t id = row->ColumnInt(1);
    KeptFusion fusion;
    fusion.name = std::string(row->ColumnBytes(2));
    fusion.text = std::string(row->ColumnBytes(7));
    const std::string where = "collection '" + info->name + "', fusion '" + fusion.name + "': ";
    if (id < 1 || id >= info->schema.next_id || NameProblem(fusion.name) != nullptr ||
        info->FindFusion(fusion.name) != nullptr) {
        return BadCatalog(where + "bad id or name");
    }
    if (row->ColumnInt(4) != 0 || row->ColumnInt(5) != 0 || row->ColumnInt(6) != 0 ||
        fusion.text.size() > kColumnOptionBytesMax || !IsValidUtf8(fusion.text)) {
        return BadCatalog(where + "bad description");
    }
    if (info->fusions.size() >= kFusionsMax) {
        return BadCatalog(where + "too many fusions");
    }
    fusion.id = static_cast<uint32_t>(id);
    info->fusions.push_back(std::move(fusion));
    return {};
}

// A column row as it may stand in a hostile file.
Status AddColumn(CollectionInfo* info, Statement* row) {
    const int64_t id = row->ColumnInt(1);
    const std::string name(row->ColumnBytes(2));
    const int64_t kind = row->ColumnInt(3);
    const int64_t type = row->ColumnInt(4);
    const int64_t metric = row->ColumnInt(5);
    const int64_t dim = row->ColumnInt(6);
    const std::string options(row->ColumnBytes(7));
    const std::string where = "collection '" + info->name + "', column '" + name + "': ";
    if (id < 1 || id >= info->schema.next_id || NameProblem(name) != nullptr ||
        info->schema.HasName(name)) {
        return BadCatalog(where + "bad id or name");
    }
    if (options.size() > kColumnOptionBytesMax || !IsValidUtf8(options)) {
        return BadCatalog(where + "bad options");
    }
    if (kind == kAttrColumn && type >= 1 && type <= 7) {
        info->schema.attrs.push_back(
            {static_cast<uint32_t>(id), name, static_cast<AttrType>(type), options});
        return {};
    }
    if (kind == kSparseColumn) {
        const bool binary = type == static_cast<int64_t>(Element::kBit);
        if ((type != static_cast<int64_t>(Element::kF32) && !binary) ||
            metric != static_cast<int64_t>(Metric::kIp) || dim < 1 ||
            dim > static_cast<int64_t>(kSparseDimensionsMax)) {
            return BadCatalog(where + "bad type, metric or dimensions of a sparse field");
        }
        info->schema.sparse.push_back(
            {static_cast<uint32_t>(id), name, static_cast<uint64_t>(dim), options, binary});
        return {};
    }
    if (kind == kTextColumn) {
        if (type != 0 || metric != 0 || dim != 0) {
            return BadCatalog(where + "bad type, metric or dimensions of a text field");
        }
        info->schema.text.push_back({static_cast<uint32_t>(id), name, options});
        return {};
    }
    const bool hamming = metric == static_cast<int64_t>(Metric::kHamming);
    const bool bit = type == static_cast<int64_t>(Element::kBit);
    if (kind != kDenseColumn || type < 1 || type > 5 || metric < 1 || metric > 4 ||
        hamming != bit || dim < 1 || dim > static_cast<int64_t>(kDimMax)) {
        return BadCatalog(where + "bad kind, type, metric or dimension");
    }
    info->schema.dense.push_back({static_cast<uint32_t>(id), name, static_cast<Element>(type),
                                  static_cast<Metric>(metric), static_cast<uint32_t>(dim),
                                  options});
    return {};
}

}  // namespace

const KeptFusion* CollectionInfo::FindFusion(std::string_view wanted) const {
    for (const KeptFusion& fusion : fusions) {
        if (SameName(fusion.name, wanted)) {
            return &fusion;
        }
    }
    return nullptr;
}

std::shared_ptr<const CollectionInfo> Catalog::Find(std::string_view name) const {
    for (const auto& collection : collections) {
        if (SameName(collection->name, name)) {
            return collection;
        }
    }
    return nullptr;
}

Status CreateCatalog(Connection* connection) {
    for (const char* sql : kFixedTables) {
        QUERN_TRY(connection->Execute(sql));
    }
    // Feature bits: a reader refuses a file with an incompatible bit that it does not know, and
    // writes none with an unknown read-only-compatible bit.
    QUERN_TRY(connection->Execute(
        "INSERT INTO quern_format VALUES(1,'compatible',0),(2,'read_only_compatible',0),"
        "(3,'incompatible',0)"));
    QUERN_TRY(connection->Execute("INSERT INTO quern_state VALUES(0,1,0,0,0,0,1)"));
    QUERN_TRY(connection->Execute("PRAGMA application_id=" + std::to_string(kApplicationId)));
    return connection->Execute("PRAGMA user_version=" + std::to_string(kFormatVersion));
}

Status CheckSchema(Connection* connection, const Catalog& catalog) {
    std::map<std::string, std::string> expected;  // name -> SQL
    for (const char* sql : kFixedTables) {
        const std::vector<std::string> tokens = Tokens(sql);
        expected[tokens[2]] = sql;
    }
    std::set<std::string> automatic;  // indexes that SQLite makes for constraints
    for (const auto& info : catalog.collections) {
        expected[info->name] = RecordTableSql(info->name, info->schema);
        expected[LogTableName(info->id)] = LogTableSql(info->id, info->schema);
        automatic.insert("sqlite_autoindex_" + info->name + "_1");
    }
    QUERN_ASSIGN(Statement rows, connection->Prepare("SELECT type, name, sql FROM sqlite_schema"));
    size_t seen = 0;
    while (true) {
        QUERN_ASSIGN(const bool row, rows.Step());
        if (!row) {
            break;
        }
        const std::string type(rows.ColumnBytes(0));
        const std::string name(rows.ColumnBytes(1));
        const std::string sql(rows.ColumnBytes(2));
        const bool made_by_sqlite = type == "index" && rows.ColumnIsNull(2);
        if (made_by_sqlite && automatic.count(name) == 1) {  // never: SQLite refuses other names
            continue;
        }
        auto found = expected.find(name);
        if (found == expected.end() || !SameSql(sql, found->second)) {
            return BadCatalog("unexpected " + type + " '" + name + "' in the file's schema");
        }
        seen++;
    }
    if (seen != expected.size()) {
        return BadCatalog("a table is missing in the file's schema");
    }
    return {};
}

Status CheckCounter(const char* what, int64_t value, int64_t most) {
    return value >= 1 && value <= most
               ? Status()
               : Status::Error(Code::kLimit, "catalog: the counter of %s is used up (%lld)", what,
                               static_cast<long long>(value));
}

Result<int64_t> ReadCatalogEpoch(Connection* connection) {
    QUERN_ASSIGN(Statement row,
                 connection->Prepare("SELECT epoch FROM quern_state WHERE collection=0"));
    QUERN_ASSIGN(const bool there, row.Step());
    if (!there) {
        return BadCatalog("the state of the database is missing");
    }
    return row.ColumnInt(0);
}

Result<std::shared_ptr<Catalog>> ReadCatalog(Connection* connection) {
    auto catalog = std::make_shared<Catalog>();
    QUERN_ASSIGN(catalog->epoch, ReadCatalogEpoch(connection));
    std::map<int64_t, std::shared_ptr<CollectionInfo>> by_id;
    {
        QUERN_ASSIGN(Statement rows,
                     connection->Prepare(
                         "SELECT id, name, key_name, key_type, next_column FROM quern_collection"));
        while (true) {
            QUERN_ASSIGN(const bool row, rows.Step());
            if (!row) {
                break;
            }
            auto info = std::make_shared<CollectionInfo>();
            info->id = rows.ColumnInt(0);
            info->name = std::string(rows.ColumnBytes(1));
            info->schema.key_name = std::string(rows.ColumnBytes(2));
            const int64_t key_type = rows.ColumnInt(3);
            const int64_t next = rows.ColumnInt(4);
            if (info->id < 1 || NameProblem(info->name) || NameProblem(info->schema.key_name) ||
                key_type < 1 || key_type > 2 || next < 1 || next > UINT32_MAX) {
                return BadCatalog("a collection has a bad name, key or id");
            }
            info->schema.key_type = static_cast<KeyType>(key_type);
            info->schema.next_id = static_cast<uint32_t>(next);
            by_id[info->id] = info;
            if (by_id.size() > kCollectionsMax) {
                return BadCatalog("too many collections");
            }
        }
    }
    QUERN_ASSIGN(
        Statement rows,
        connection->Prepare("SELECT collection, id, name, kind, type, metric, dim, options FROM "
                            "quern_column ORDER BY collection, id"));
    while (true) {
        QUERN_ASSIGN(const bool row, rows.Step());
        if (!row) {
            break;
        }
        auto found = by_id.find(rows.ColumnInt(0));
        if (found == by_id.end()) {
            return BadCatalog("a column of no collection");
        }
        if (rows.ColumnInt(3) == kFusionRow) {
            QUERN_TRY(AddFusion(found->second.get(), &rows));
            continue;
        }
        Schema& schema = found->second->schema;
        if (schema.column_count() >= kColumnsMax) {
            return BadCatalog("too many columns");
        }
        QUERN_TRY(AddColumn(found->second.get(), &rows));
    }
    for (auto& [id, info] : by_id) {
        if (catalog->Find(info->name)) {
            return BadCatalog("two collections named '" + info->name + "'");
        }
        info->sql = MakeCollectionSql(*info);
        catalog->collections.push_back(info);
    }
    return catalog;
}

Result<CollectionState> ReadState(Connection* connection, int64_t collection) {
    CollectionState state;
    {
        QUERN_ASSIGN(
            Statement row,
            connection->Prepare(
                "SELECT epoch, generation, records, digest, layout, next_rid FROM quern_state "
                "WHERE collection=?1"));
        QUERN_ASSIGN(const bool there, row.Int(1, collection).Step());
        if (!there) {
            return BadCatalog("the state of a collection is missing");
        }
        state.epoch = row.ColumnInt(0);
        state.generation = row.ColumnInt(1);
        state.records = row.ColumnInt(2);
        state.digest = static_cast<uint64_t>(row.ColumnInt(3));
        state.layout = static_cast<uint64_t>(row.ColumnInt(4));
        state.next_rid = row.ColumnInt(5);
    }
    if (collection != 0) {
        QUERN_ASSIGN(Statement last,
                     connection->Prepare(
                         "SELECT \"_rid\", \"_generation\", \"_records\", \"_digest\" FROM " +
                         LogTableName(collection) + " ORDER BY \"_rid\" DESC LIMIT 1"));
        QUERN_ASSIGN(const bool there, last.Step());
        if (there) {
            state.log_last = last.ColumnInt(0);
            if (last.ColumnIsNull(1) || state.log_last < 1 || state.log_last >= kCounterMax) {
                return BadCatalog("the last log entry does not end a commit");
            }
            state.generation = last.ColumnInt(1);
            state.records = last.ColumnInt(2);
            state.digest = static_cast<uint64_t>(last.ColumnInt(3));
            state.next_rid = state.next_rid > state.log_last ? state.next_rid : state.log_last + 1;
        }
    }
    // The highest part id stands in the digest of row 0.
    const bool part_ids_end = collection == 0 && state.digest > static_cast<uint64_t>(kPartIdMax);
    if (state.records < 0 || state.records > kCounterMax || state.next_rid < 1 ||
        state.next_rid > kCounterMax || state.generation < 0 || state.generation > kCounterMax ||
        state.epoch < 0 || state.epoch > kCounterMax || part_ids_end) {
        return BadCatalog(collection == 0 ? "the database has impossible counters"
                                          : "a collection has impossible counters");
    }
    return state;
}

Status WriteState(Connection* connection, int64_t collection, const CollectionState& state) {
    // What ReadState would refuse must not get into the file.
    QUERN_TRY(CheckCounter("row ids", state.next_rid));
    QUERN_TRY(CheckCounter("changes", state.epoch));
    QUERN_TRY(CheckCounter("commits", state.generation));
    QUERN_ASSIGN(
        Statement update,
        connection->Prepare("INSERT OR REPLACE INTO quern_state VALUES(?1,?2,?3,?4,?5,?6,?7)"));
    return update.Int(1, collection)
        .Int(2, state.epoch)
        .Int(3, state.generation)
        .Int(4, state.records)
        .Int(5, static_cast<int64_t>(state.digest))
        .Int(6, static_cast<int64_t>(state.layout))
        .Int(7, state.next_rid)
        .Run();
}

Result<int64_t> ReadGeneration(Connection* connection, const Catalog& catalog) {
    QUERN_ASSIGN(const CollectionState own, ReadState(connection, 0));
    int64_t generation = own.generation;
    for (const auto& info : catalog.collections) {
        Result<CollectionState> state = ReadState(connection, info->id);
        if (!state.ok()) {
            return state.status().WithContext("collection '" + info->name + "'");
        }
        generation = std::max(generation, state->generation);
    }
    return generation;
}

Result<int64_t> CreateCollection(Connection* connection, const std::string& name,
                                 const Schema& schema, int64_t generation) {
    int64_t id = 0;
    {
        // Ids are never used again: a stale cache of a dropped collection can then not be mistaken
        // for a new one.
        QUERN_ASSIGN(Statement next,
                     connection->Prepare("UPDATE quern_state SET next_rid=next_rid+1 WHERE "
                                         "collection=0 RETURNING next_rid-1"));
        QUERN_ASSIGN(const bool row, next.Step());
        if (!row) {
            return BadCatalog("the state of the database is missing");
        }
        id = next.ColumnInt(0);
        QUERN_TRY(next.Run());
        QUERN_TRY(CheckCounter("collections", id, kCounterMax - 1));
    }
    {
        QUERN_ASSIGN(Statement insert,
                     connection->Prepare("INSERT INTO quern_collection VALUES(?1,?2,?3,?4,?5)"));
        QUERN_TRY(insert.Int(1, id)
                      .Text(2, name)
                      .Text(3, schema.key_name)
                      .Int(4, static_cast<int64_t>(schema.key_type))
                      .Int(5, schema.next_id)
                      .Run());
    }
    for (const AttrDef& attr : schema.attrs) {
        QUERN_TRY(InsertAttr(connection, id, attr));
    }
    for (const DenseDef& field : schema.dense) {
        QUERN_TRY(InsertDense(connection, id, field));
    }
    for (const SparseDef& field : schema.sparse) {
        QUERN_TRY(InsertSparse(connection, id, field));
    }
    for (const TextDef& field : schema.text) {
        QUERN_TRY(InsertText(connection, id, field));
    }
    QUERN_TRY(connection->Execute(RecordTableSql(name, schema)));
    QUERN_TRY(connection->Execute(LogTableSql(id, schema)));
    CollectionState state;
    state.epoch = 1;
    state.generation = generation;
    QUERN_TRY(WriteState(connection, id, state));
    QUERN_TRY(BumpEpoch(connection, generation));
    return id;
}

Status DropCollection(Connection* connection, const CollectionInfo& info, int64_t generation) {
    connection->ForgetStatements();
    QUERN_TRY(connection->Execute("DROP TABLE " + QuoteName(info.name)));
    QUERN_TRY(connection->Execute("DROP TABLE " + LogTableName(info.id)));
    for (const char* sql : {"DELETE FROM quern_collection WHERE id=?1",
                            "DELETE FROM quern_column WHERE collection=?1",
                            "DELETE FROM quern_state WHERE collection=?1",
                            "DELETE FROM quern_dead WHERE collection=?1",
                            // Their chunks are swept in small steps afterwards.
                            "UPDATE quern_segment SET state=3 WHERE collection=?1"}) {
        QUERN_ASSIGN(Statement statement, connection->Prepare(sql));
        QUERN_TRY(statement.Int(1, info.id).Run());
    }
    return BumpEpoch(connection, generation);
}

Status RenameCollection(Connection* connection, const CollectionInfo& info, const std::string& name,
                        int64_t generation) {
    connection->ForgetStatements();
    std::string from = info.name;
    if (SameName(from, name)) {
        // To SQLite the name is taken then, by the very same table.
        from = "_" + std::to_string(info.id);
        QUERN_TRY(connection->Execute("ALTER TABLE " + QuoteName(info.name) + " RENAME TO " +
                                      QuoteName(from)));
    }
    QUERN_TRY(
        connection->Execute("ALTER TABLE " + QuoteName(from) + " RENAME TO " + QuoteName(name)));
    {
        QUERN_ASSIGN(Statement update,
                     connection->Prepare("UPDATE quern_collection SET name=?2 WHERE id=?1"));
        QUERN_TRY(update.Int(1, info.id).Text(2, name).Run());
    }
    return BumpEpoch(connection, generation);
}

Status AddAttr(Connection* connection, const CollectionInfo& info, const AttrDef& attr,
               int64_t generation) {
    Schema schema = info.schema;
    schema.attrs.push_back(attr);
    connection->ForgetStatements();
    QUERN_TRY(connection->Execute("ALTER TABLE " + QuoteName(info.name) + " ADD COLUMN " +
                                  QuoteName(attr.name) + " " + SqlType(attr.type)));
    QUERN_TRY(InsertAttr(connection, info.id, attr));
    QUERN_TRY(SetNextColumn(connection, info.id, attr.id));
    QUERN_TRY(RecreateLog(connection, info.id, schema));
    return BumpEpoch(connection, generation);
}

Status AddDense(Connection* connection, const CollectionInfo& info, const DenseDef& field,
                int64_t generation) {
    QUERN_TRY(InsertDense(connection, info.id, field));
    QUERN_TRY(SetNextColumn(connection, info.id, field.id));
    return BumpEpoch(connection, generation);
}

Status AddSparse(Connection* connection, const CollectionInfo& info, const SparseDef& field,
                 int64_t generation) {
    QUERN_TRY(InsertSparse(connection, info.id, field));
    QUERN_TRY(SetNextColumn(connection, info.id, field.id));
    return BumpEpoch(connection, generation);
}

Status AddText(Connection* connection, const CollectionInfo& info, const TextDef& field,
               int64_t generation) {
    QUERN_TRY(InsertText(connection, info.id, field));
    QUERN_TRY(SetNextColumn(connection, info.id, field.id));
    return BumpEpoch(connection, generation);
}

Status SetOptions(Connection* connection, const CollectionInfo& info, uint32_t column,
                  const std::string& options, int64_t generation) {
    {
        QUERN_ASSIGN(Statement update,
                     connection->Prepare(
                         "UPDATE quern_column SET options=?3 WHERE collection=?1 AND id=?2"));
        QUERN_TRY(update.Int(1, info.id).Int(2, column).Text(3, options).Run());
    }
    return BumpEpoch(connection, generation);
}

Status KeepFusion(Connection* connection, const CollectionInfo& info, const std::string& name,
                  const std::string& text, int64_t generation) {
    if (text.size() > kColumnOptionBytesMax) {
        return Status::Error(Code::kLimit,
                             "fusion '%s': its description takes %zu bytes, the limit is %zu",
                             name.c_str(), text.size(), kColumnOptionBytesMax);
    }
    if (const KeptFusion* const old = info.FindFusion(name)) {
        QUERN_TRY(DeleteColumn(connection, info.id, old->id));
    } else if (info.fusions.size() >= kFusionsMax) {
        return Status::Error(Code::kLimit, "a collection can keep %zu fusions", kFusionsMax);
    }
    const uint32_t id = info.schema.next_id;
    QUERN_TRY(SetNextColumn(connection, info.id, id));
    QUERN_TRY(InsertColumn(connection, info.id, id, name, kFusionRow, 0, 0, 0, text));
    QUERN_TRY(SetFeature(connection, kFusionFeature));
    return BumpEpoch(connection, generation);
}

Status DropFusion(Connection* connection, const CollectionInfo& info, const KeptFusion& fusion,
                  int64_t generation) {
    QUERN_TRY(DeleteColumn(connection, info.id, fusion.id));
    return BumpEpoch(connection, generation);
}

Status NoteTableChange(Connection* connection, int64_t generation) {
    QUERN_TRY(SetFeature(connection, kTableFeature));
    return BumpEpoch(connection, generation);
}

Status DropAttr(Connection* connection, const CollectionInfo& info, const AttrDef& attr,
                int64_t generation) {
    Schema schema = info.schema;
    schema.attrs.erase(schema.attrs.begin() + schema.FindAttr(attr.name));
    connection->ForgetStatements();
    QUERN_TRY(connection->Execute("ALTER TABLE " + QuoteName(info.name) + " DROP COLUMN " +
                                  QuoteName(attr.name)));
    QUERN_TRY(DeleteColumn(connection, info.id, attr.id));
    QUERN_TRY(RecreateLog(connection, info.id, schema));
    return BumpEpoch(connection, generation);
}

Status DropField(Connection* connection, const CollectionInfo& info, size_t field,
                 int64_t generation) {
    QUERN_TRY(DeleteColumn(connection, info.id, info.schema.field_id(field)));
    return BumpEpoch(connection, generation);
}

}  // namespace quern::storage
