// Changes of the schema. Each seals the collection's log first, so that only the table and the
// segments have to follow the change.
//
// Dropping a column takes its values out of the hash of every record (record_hash.h), and so out of
// the digest.
#include "engine/db/schema_change.h"

#include <algorithm>
#include <sstream>

#include "engine/db/attr_parts.h"
#include "engine/db/index_options.h"
#include "engine/db/sealer.h"
#include "engine/db/text_column.h"
#include "storage/record_hash.h"
#include "storage/record_table.h"

namespace quern {

namespace {

constexpr size_t kRehashBatch = 4096;  // records whose new hashes are held in memory

// Subtracts the hash of one attribute's values from all records; returns what the digest loses.
Result<uint64_t> TakeAttrOut(storage::Connection* connection, const storage::CollectionInfo& info,
                             size_t attr, Work* work) {
    storage::RecordTable records(connection, info);
    uint64_t lost = 0;
    int64_t last = 0;
    uint64_t done = 0;
    while (true) {
        std::vector<std::pair<int64_t, uint64_t>> changed;
        bool full = false;
        QUERN_TRY(
            records.ScanByRid(last, {attr}, [&](const storage::RecordRow& row) -> Result<bool> {
                last = row.rid;
                done++;
                if (row.cells[0].kind != Cell::Kind::kNull) {
                    const uint64_t part =
                        storage::HashCell(row.rid, info.schema.attrs[attr].id, row.cells[0]);
                    lost += part;
                    changed.emplace_back(row.rid, row.hash - part);
                }
                full = changed.size() >= kRehashBatch;
                return !full;
            }));
        for (const auto& [rid, hash] : changed) {
            QUERN_TRY(records.Update(rid, hash, {}, {}));
        }
        QUERN_TRY(work->Check("drop column", done, 0));
        if (!full) {
            return lost;
        }
    }
}

// An attribute's values in segments, too.
Status EraseColumns(storage::Connection* connection, const storage::CollectionInfo& info,
                    const AttrDef& attr) {
    QUERN_ASSIGN(const auto segments,
                 storage::ReadSegments(connection, info.id, storage::SegmentState::kLive));
    for (const storage::SegmentInfo& segment : segments) {
        QUERN_TRY(RemoveColumns(connection, segment.parts, attr.id));
    }
    return {};
}

// The same for a field; also removes its parts.
Result<uint64_t> TakeFieldOut(storage::Connection* connection, const CollectionView& view,
                              size_t field, Work* work) {
    const Schema& schema = view.info->schema;
    const uint32_t id = schema.field_id(field);
    storage::RecordTable records(connection, *view.info);
    uint64_t lost = 0;
    ChunkCache chunks;
    for (const auto& segment : view.segments) {
        QUERN_ASSIGN(const int64_t* const ids, segment->RowIds(connection));
        for (uint32_t record = 0; record < segment->item_count(); record++) {
            QUERN_ASSIGN(const BytesView value,
                         segment->Value(connection, schema, field, record, &chunks));
            if (value.data() == nullptr) {
                continue;
            }
            const int64_t rid = ids[record];
            std::optional<uint64_t> hash;
            QUERN_ASSIGN(
                const bool alive,
                records.ReadByRid(rid, {}, [&](const storage::RecordRow& row) -> Result<bool> {
                    hash = row.hash;
                    return true;
                }));
            if (alive) {
                const uint64_t part = storage::HashVector(rid, id, value);
                lost += part;
                QUERN_TRY(records.Update(rid, *hash - part, {}, {}));
            }
            QUERN_TRY(work->Check("drop column", record, segment->item_count()));
        }
        for (const storage::PartInfo& part : segment->info().parts) {
            if (part.field == id) {
                QUERN_TRY(storage::RemovePart(connection, part));
            }
        }
    }
    return lost;
}

// Of a field; what the digest of the layout loses.
Result<uint64_t> RetireTables(storage::Connection* connection, const storage::CollectionInfo& info,
                              uint32_t field) {
    uint64_t lost = 0;
    QUERN_ASSIGN(const auto tables,
                 storage::ReadSegments(connection, info.id, storage::SegmentState::kTable));
    for (const storage::SegmentInfo& table : tables) {
        if (std::any_of(table.parts.begin(), table.parts.end(),
                        [&](const storage::PartInfo& part) { return part.field == field; })) {
            lost += table.LayoutHash();
            QUERN_TRY(storage::RetireTable(connection, table.id));
        }
    }
    return lost;
}

Status CheckName(const Schema& schema, const std::string& name, const char* what) {
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "%s name '%s' %s", what, name.c_str(), problem);
    }
    if (schema.HasName(name)) {
        return Status::Error(Code::kExists, "the collection has a column '%s' already",
                             name.c_str());
    }
    if (schema.column_count() >= kColumnsMax) {
        return Status::Error(Code::kLimit, "a collection can have %zu columns", kColumnsMax);
    }
    return {};
}

// Options with one set, or left out if the value is empty. All others stay, also those that this
// version does not know.
std::string WithOption(const std::string& options, const std::string& key,
                       const std::string& value) {
    std::istringstream words(options);
    std::vector<std::string> pairs;
    for (std::string pair; words >> pair;) {
        if (pair.rfind(key + "=", 0) != 0) {
            pairs.push_back(pair);
        }
    }
    if (!value.empty()) {
        pairs.push_back(key + "=" + value);
    }
    std::sort(pairs.begin(), pairs.end());
    std::string text;
    for (const std::string& pair : pairs) {
        text += (text.empty() ? "" : " ") + pair;
    }
    return text;
}

}  // namespace

Status Database::CreateCollection(const std::string& name, const Schema& schema) {
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "collection name '%s' %s", name.c_str(), problem);
    }
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    if (start.catalog->Find(name) != nullptr) {
        return Status::Error(Code::kExists, "there is a collection '%s' already", name.c_str());
    }
    if (start.catalog->collections.size() >= kCollectionsMax) {
        return Status::Error(Code::kLimit, "a database can have %zu collections", kCollectionsMax);
    }
    Schema numbered = schema;
    numbered.next_id = 1;
    for (AttrDef& attr : numbered.attrs) {
        attr.id = numbered.next_id++;
    }
    for (DenseDef& field : numbered.dense) {
        field.id = numbered.next_id++;
    }
    for (SparseDef& field : numbered.sparse) {
        field.id = numbered.next_id++;
    }
    for (TextDef& field : numbered.text) {
        QUERN_TRY(CheckTextField(field));
        field.id = numbered.next_id++;
    }
    QUERN_ASSIGN(const int64_t id, storage::CreateCollection(start.writer->connection(), name,
                                                             numbered, start.generation));
    static_cast<void>(id);
    return CommitWrite(&start);
}

Status Database::ChangeSchema(const std::string& collection, const SchemaChange& change) {
    Work work = NewWork();
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    const auto info = start.catalog->Find(collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
    }
    storage::Connection* connection = start.writer->connection();
    QUERN_TRY(InCollection(*info, SealLog(this, connection, info, &work, nullptr)));
    QUERN_TRY(InCollection(*info, change(connection, *start.catalog, info, start.generation)));
    return CommitWrite(&start);
}

Status Database::DropCollection(const std::string& name) {
    {
        QUERN_ASSIGN(WriteStart start, BeginWrite());
        const auto info = start.catalog->Find(name);
        if (info == nullptr) {
            return Status::Error(Code::kNotFound, "no collection '%s'", name.c_str());
        }
        QUERN_TRY(storage::DropCollection(start.writer->connection(), *info, start.generation));
        QUERN_TRY(CommitWrite(&start));
    }
    // Its chunks are garbage now; with maintenance off they go with the next optimize.
    if (options_.maintenance != MaintenanceMode::kOff) {
        AfterCommit({""});
    }
    return {};
}

Status Database::RenameCollection(const std::string& from, const std::string& to) {
    if (const char* problem = NameProblem(to)) {
        return Status::Error(Code::kInvalid, "collection name '%s' %s", to.c_str(), problem);
    }
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    const auto info = start.catalog->Find(from);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", from.c_str());
    }
    const auto other = start.catalog->Find(to);
    if (other != nullptr && other->id != info->id) {
        return Status::Error(Code::kExists, "there is a collection '%s' already", to.c_str());
    }
    if (info->name == to) {
        return {};
    }
    QUERN_TRY(storage::RenameCollection(start.writer->connection(), *info, to, start.generation));
    return CommitWrite(&start);
}

Status Database::KeepRecall(const std::string& collection, const std::vector<KeptRecall>& kept) {
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    const auto info = start.catalog->Find(collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
    }
    for (const DenseDef& def : info->schema.dense) {
        const auto of_field = std::find_if(
            kept.begin(), kept.end(), [&](const KeptRecall& k) { return k.field == def.name; });
        if (of_field != kept.end()) {
            QUERN_TRY(storage::SetOptions(start.writer->connection(), *info, def.id,
                                          WithOption(def.options, "delivers", of_field->delivers),
                                          start.generation));
        }
    }
    return CommitWrite(&start);
}

Status Database::SetTokenWeights(const std::string& collection, uint32_t field, BytesView table) {
    {
        QUERN_ASSIGN(WriteStart start, BeginWrite());
        storage::Connection* connection = start.writer->connection();
        const auto info = start.catalog->Find(collection);
        // Nobody may have changed the schema since the table was made for the field.
        if (info == nullptr || info->schema.FieldName(field).empty()) {
            return Status::Error(Code::kNotFound, "collection '%s', or its field, was dropped",
                                 collection.c_str());
        }
        QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
        QUERN_ASSIGN(const uint64_t lost, RetireTables(connection, *info, field));
        state.layout -= lost;
        if (!table.empty()) {
            QUERN_ASSIGN(const uint64_t hash, storage::WriteTable(connection, info->id, field,
                                                                  storage::PartKind::kTokenWeights,
                                                                  table, start.generation));
            state.layout += hash;
        }
        QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
        QUERN_TRY(storage::WriteState(connection, info->id, state));
        QUERN_TRY(storage::NoteTableChange(connection, start.generation));
        QUERN_TRY(CommitWrite(&start));
    }
    // The chunks of the table before are garbage now.
    if (options_.maintenance != MaintenanceMode::kOff) {
        AfterCommit({""});
    }
    return {};
}

Status Database::AddAttr(const std::string& collection, const AttrDef& attr) {
    return ChangeSchema(collection,
                        [&](storage::Connection* connection, const storage::Catalog&,
                            const auto& info, int64_t generation) -> Status {
                            QUERN_TRY(CheckName(info->schema, attr.name, "attribute"));
                            AttrDef numbered = attr;
                            numbered.id = info->schema.next_id;
                            return storage::AddAttr(connection, *info, numbered, generation);
                        });
}

Status Database::AddDense(const std::string& collection, const DenseDef& field) {
    return ChangeSchema(collection,
                        [&](storage::Connection* connection, const storage::Catalog&,
                            const auto& info, int64_t generation) -> Status {
                            QUERN_TRY(CheckName(info->schema, field.name, "field"));
                            DenseDef numbered = field;
                            numbered.id = info->schema.next_id;
                            return storage::AddDense(connection, *info, numbered, generation);
                        });
}

Status Database::AddSparse(const std::string& collection, const SparseDef& field) {
    return ChangeSchema(collection,
                        [&](storage::Connection* connection, const storage::Catalog&,
                            const auto& info, int64_t generation) -> Status {
                            QUERN_TRY(CheckName(info->schema, field.name, "field"));
                            SparseDef numbered = field;
                            numbered.id = info->schema.next_id;
                            return storage::AddSparse(connection, *info, numbered, generation);
                        });
}

Status Database::AddText(const std::string& collection, const TextDef& field) {
    QUERN_TRY(CheckTextField(field));
    return ChangeSchema(collection,
                        [&](storage::Connection* connection, const storage::Catalog&,
                            const auto& info, int64_t generation) -> Status {
                            QUERN_TRY(CheckName(info->schema, field.name, "field"));
                            TextDef numbered = field;
                            numbered.id = info->schema.next_id;
                            return storage::AddText(connection, *info, numbered, generation);
                        });
}

Status Database::DropColumn(const std::string& collection, const std::string& column) {
    Work work = NewWork();
    return ChangeSchema(
        collection,
        [&](storage::Connection* connection, const storage::Catalog&, const auto& info,
            int64_t generation) -> Status {
            const int attr = info->schema.FindAttr(column);
            const int field = info->schema.FindField(column);
            if (attr < 0 && field < 0) {
                return Status::Error(Code::kUnknownField,
                                     "collection '%s' has no attribute or field '%s'",
                                     info->name.c_str(), column.c_str());
            }
            QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
            if (attr >= 0) {
                QUERN_ASSIGN(const uint64_t lost,
                             TakeAttrOut(connection, *info, static_cast<size_t>(attr), &work));
                state.digest -= lost;
                QUERN_TRY(
                    EraseColumns(connection, *info, info->schema.attrs[static_cast<size_t>(attr)]));
                QUERN_TRY(storage::DropAttr(
                    connection, *info, info->schema.attrs[static_cast<size_t>(attr)], generation));
            } else {
                // The seal before this may have made a segment that no cache knows.
                QUERN_ASSIGN(const auto view, BuildView(connection, info, state, nullptr, budget_));
                const auto number = static_cast<size_t>(field);
                QUERN_ASSIGN(const uint64_t lost, TakeFieldOut(connection, *view, number, &work));
                state.digest -= lost;
                QUERN_TRY(storage::DropField(connection, *info, number, generation));
                QUERN_TRY(RetireTables(connection, *info, info->schema.field_id(number)).status());
                state.layout = 0;
                for (const auto kind :
                     {storage::SegmentState::kLive, storage::SegmentState::kTable}) {
                    QUERN_ASSIGN(const auto segments,
                                 storage::ReadSegments(connection, info->id, kind));
                    for (const storage::SegmentInfo& segment : segments) {
                        state.layout += segment.LayoutHash();
                    }
                }
            }
            QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
            state.generation = generation;
            return storage::WriteState(connection, info->id, state);
        });
}

Status SetAttrIndex(Database* database, const std::string& collection, const std::string& name,
                    bool index) {
    std::string changed;  // the collection, as it is called
    {
        QUERN_ASSIGN(Database::WriteStart start, database->BeginWrite());
        const auto info = start.catalog->Find(collection);
        if (info == nullptr) {
            return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
        }
        const int number = info->schema.FindAttr(name);
        if (number < 0) {
            return Status::Error(Code::kUnknownField, "collection '%s' has no attribute '%s'",
                                 info->name.c_str(), name.c_str());
        }
        const AttrDef& attr = info->schema.attrs[static_cast<size_t>(number)];
        if (AttrIndexOptions::Of(attr).index == index) {
            return {};
        }
        storage::Connection* connection = start.writer->connection();
        if (!index) {
            QUERN_TRY(InCollection(*info, EraseColumns(connection, *info, attr)));
        }
        const std::string options = WithOption(attr.options, "index", index ? "" : "none");
        QUERN_TRY(storage::SetOptions(connection, *info, attr.id, options, start.generation));
        // Views of this epoch know of columns that are gone.
        QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
        QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
        QUERN_TRY(storage::WriteState(connection, info->id, state));
        QUERN_TRY(database->CommitWrite(&start));
        changed = info->name;
    }
    if (index && database->options().maintenance == MaintenanceMode::kBackground) {
        database->AfterCommit({changed});
    }
    return {};
}

}  // namespace quern
