// Figures about a database: the JSON report, and single numbers.

#include "engine/db/database.h"
#include "engine/db/index_info.h"
#include "engine/kernels/distance.h"
#include "storage/base/json.h"

namespace quern {

namespace {

const char* AttrTypeName(AttrType type) {
    switch (type) {
        case AttrType::kInt: return "int";
        case AttrType::kReal: return "real";
        case AttrType::kText: return "text";
        case AttrType::kBool: return "bool";
        case AttrType::kBlob: return "blob";
        case AttrType::kJson: return "json";
        case AttrType::kTags: return "tags";
    }
    return "?";
}

const char* ElementName(Element element) {
    switch (element) {
        case Element::kF32: return "f32";
        case Element::kF16: return "f16";
        case Element::kBF16: return "bf16";
        case Element::kI8: return "i8";
        case Element::kU8: return "u8";
        case Element::kBit: return "bit";
    }
    return "?";
}

const char* MetricName(Metric metric) {
    switch (metric) {
        case Metric::kL2: return "l2";
        case Metric::kIp: return "ip";
        case Metric::kCosine: return "cosine";
        case Metric::kHamming: return "hamming";
    }
    return "?";
}

Result<Json> IndexesJson(storage::Connection* connection, const storage::SegmentInfo& segment,
                         const Schema& schema) {
    Json indexes = Json::Array();
    const auto add = [&](const std::string& name, const IndexInfo& info) {
        if (info.vectors == 0) {
            return;
        }
        indexes.push_back(Json{{"field", name},
                               {"kind", info.kind},
                               {"codes", info.codes},
                               {"vectors", info.vectors},
                               {"stored_bytes", info.stored_bytes},
                               {"memory_bytes", info.memory_bytes},
                               {"damaged", info.damaged},
                               {"due", info.due}});
    };
    for (const DenseDef& def : schema.dense) {
        QUERN_ASSIGN(const IndexInfo info, ReadIndexInfo(connection, segment, def));
        add(def.name, info);
    }
    for (const SparseDef& def : schema.sparse) {
        add(def.name, SparseIndexInfo(segment, def));
    }
    for (const TextDef& def : schema.text) {
        add(def.name, TextIndexInfo(segment, def));
    }
    return indexes;
}

// What filters find ready of the key and of each attribute.
Result<Json> ColumnsJson(storage::Connection* connection, const storage::SegmentInfo& segment,
                         const Schema& schema, int64_t epoch) {
    Json columns = Json::Array();
    const auto add = [&](const std::string& name, uint32_t id) -> Status {
        QUERN_ASSIGN(const ColumnInfo info, ReadColumnInfo(connection, segment, id, epoch));
        columns.push_back(Json{{"attribute", name},
                               {"state", info.state},
                               {"values", info.values},
                               {"stored_bytes", info.stored_bytes},
                               {"memory_bytes", info.memory_bytes}});
        return {};
    };
    QUERN_TRY(add(schema.key_name, kKeyColumnId));
    for (const AttrDef& attr : schema.attrs) {
        QUERN_TRY(add(attr.name, attr.id));
    }
    return columns;
}

Result<Json> SegmentJson(storage::Connection* connection, const storage::SegmentInfo& segment,
                         const Schema& schema, int64_t epoch) {
    Json parts = Json::Array();
    for (const storage::PartInfo& part : segment.parts) {
        const std::string field = schema.FieldName(part.field);
        std::map<std::string, uint64_t> of_codecs;
        static constexpr const char* kNames[] = {"raw", "zstd", "split2", "split4", "split8"};
        for (const storage::ChunkInfo& chunk : part.chunks) {
            of_codecs[chunk.codec < 5 ? kNames[chunk.codec] : "?"]++;
        }
        Json codecs = Json::Object();
        for (const auto& [codec, count] : of_codecs) {
            codecs[codec] = count;
        }
        parts.push_back(Json{{"kind", storage::PartKindName(part.kind)},
                             {"field", field},
                             {"items", part.items},
                             {"chunks", part.chunks.size()},
                             {"raw_bytes", part.raw_bytes()},
                             {"stored_bytes", part.stored_bytes()},
                             {"codecs", codecs}});
    }
    QUERN_ASSIGN(const Json indexes, IndexesJson(connection, segment, schema));
    QUERN_ASSIGN(const Json columns, ColumnsJson(connection, segment, schema, epoch));
    return Json{
        {"id", segment.id}, {"records", segment.items}, {"stored_bytes", segment.stored_bytes()},
        {"parts", parts},   {"indexes", indexes},       {"columns", columns}};
}

Status AddTokenWeights(storage::Connection* connection,
                       const std::vector<storage::SegmentInfo>& tables, const SparseDef& def,
                       Json* field) {
    for (const storage::SegmentInfo& table : tables) {
        const storage::PartInfo* const part = table.Find(storage::PartKind::kTokenWeights, def.id);
        if (part == nullptr) {
            continue;
        }
        const auto head = TokenTable::ReadHead(connection, *part);
        if (head.status().code() == Code::kCorrupt) {
            (*field)["token_weights"] = Json{{"damaged", true}};
            continue;
        }
        QUERN_TRY(head.status());
        (*field)["token_weights"] = Json{{"tokens", head->tokens},
                                         {"options", head->options},
                                         {"stored_bytes", part->stored_bytes()}};
    }
    return {};
}

Result<Json> CollectionJson(storage::Connection* connection, const storage::CollectionInfo& info) {
    QUERN_ASSIGN(const storage::CollectionState state, storage::ReadState(connection, info.id));
    const Schema& schema = info.schema;
    Json attrs = Json::Array();
    for (const AttrDef& attr : schema.attrs) {
        Json entry{{"name", attr.name}, {"type", AttrTypeName(attr.type)}};
        if (!attr.options.empty()) {
            entry["options"] = attr.options;
        }
        attrs.push_back(entry);
    }
    Json fields = Json::Array();
    for (const DenseDef& def : schema.dense) {
        Json field{{"name", def.name},
                   {"type", ElementName(def.element)},
                   {"dim", def.dim},
                   {"metric", MetricName(def.metric)}};
        if (!def.options.empty()) {
            field["options"] = def.options;
        }
        fields.push_back(field);
    }
    QUERN_ASSIGN(const auto tables,
                 storage::ReadSegments(connection, info.id, storage::SegmentState::kTable));
    for (const SparseDef& def : schema.sparse) {
        Json field{{"name", def.name}, {"type", "sparse"}, {"dims", def.dimensions}};
        if (def.binary) {
            field["weights"] = "none";
        }
        if (!def.options.empty()) {
            field["options"] = def.options;
        }
        QUERN_TRY(AddTokenWeights(connection, tables, def, &field));
        fields.push_back(field);
    }
    for (const TextDef& def : schema.text) {
        fields.push_back(Json{{"name", def.name}, {"type", "text"}, {"options", def.options}});
    }
    Json fusions = Json::Array();
    for (const storage::KeptFusion& fusion : info.fusions) {
        fusions.push_back(Json{{"name", fusion.name}, {"options", fusion.text}});
    }
    QUERN_ASSIGN(const int64_t log_rows,
                 connection->QueryInt("SELECT count(*) FROM " + storage::LogTableName(info.id)));
    QUERN_ASSIGN(const int64_t dead,
                 connection->QueryInt("SELECT count(*) FROM quern_dead WHERE collection=" +
                                      std::to_string(info.id)));
    QUERN_ASSIGN(const auto segments,
                 storage::ReadSegments(connection, info.id, storage::SegmentState::kLive));
    Json list = Json::Array();
    for (const storage::SegmentInfo& segment : segments) {
        QUERN_ASSIGN(const Json entry, SegmentJson(connection, segment, schema, state.epoch));
        list.push_back(entry);
    }
    return Json{{"name", info.name},
                {"key", Json{{"name", schema.key_name},
                             {"type", schema.key_type == KeyType::kInt ? "int" : "text"}}},
                {"attributes", attrs},
                {"fields", fields},
                {"fusions", fusions},
                {"records", state.records},
                {"generation", state.generation},
                {"log_rows", log_rows},
                {"dead_records", dead},
                {"segments", list}};
}

}  // namespace

Result<std::string> Database::InfoJson() {
    QUERN_ASSIGN(const storage::FileFigures figures, store_->Figures());
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, NewSnapshot());
    Json collections = Json::Array();
    QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
        for (const auto& info : snapshot->catalog().collections) {
            QUERN_ASSIGN(const Json entry, CollectionJson(connection, *info));
            collections.push_back(entry);
        }
        return {};
    }));
    std::string error;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        error = maintenance_error_;
    }
    const Json json{
        {"path", options_.store.path},
        {"format", storage::kFormatVersion},
        {"read_only", options_.store.read_only},
        {"generation", snapshot->generation()},
        {"file_bytes", figures.file_bytes},
        {"wal_bytes", figures.wal_bytes},
        {"page_bytes", storage::kPageBytes},
        {"pages", figures.pages},
        {"free_pages", figures.free_pages},
        {"memory", Json{{"limit_bytes", budget_->limit},
                        {"vector_bytes", budget_->vectors->bytes()},
                        {"index_bytes", budget_->indexes->bytes()},
                        {"cache_limit_bytes", budget_->cache->limit()},
                        {"cache_bytes", budget_->cached->bytes()},
                        {"row_id_bytes", budget_->row_ids->bytes()},
                        {"log_bytes", budget_->log->bytes()},
                        {"sqlite_bytes", storage::SqliteMemoryBytes()}}},
        {"limits", Json{{"result_rows", limits_.result_rows.load()},
                        {"queries", limits_.queries.load()},
                        {"attr_bytes", limits_.attr_bytes.load()},
                        {"search_bytes", limits_.search_bytes.load()}}},
        {"threads", threads()},
        {"simd", kernels::SimdLevel()},
        {"maintenance_error", error},
        {"collections", collections},
    };
    return json.Text(2);
}

Result<int64_t> Database::Stat(DatabaseStat stat) {
    switch (stat) {
        case DatabaseStat::kFileBytes: {
            QUERN_ASSIGN(const storage::FileFigures figures, store_->Figures());
            return figures.file_bytes;
        }
        case DatabaseStat::kWalBytes: {
            QUERN_ASSIGN(const storage::FileFigures figures, store_->Figures());
            return figures.wal_bytes;
        }
        case DatabaseStat::kMemoryBytes: return budget_->Total() + budget_->cached->bytes();
        case DatabaseStat::kSqliteBytes: return storage::SqliteMemoryBytes();
        default: break;
    }
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, NewSnapshot());
    if (stat == DatabaseStat::kGeneration) {
        return static_cast<int64_t>(snapshot->generation());
    }
    int64_t sum = 0;
    QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
        for (const auto& info : snapshot->catalog().collections) {
            if (stat == DatabaseStat::kLogRows) {
                QUERN_ASSIGN(const int64_t rows,
                             connection->QueryInt("SELECT count(*) FROM " +
                                                  storage::LogTableName(info->id)));
                sum += rows;
                continue;
            }
            QUERN_ASSIGN(const auto segments,
                         storage::ReadSegments(connection, info->id, storage::SegmentState::kLive));
            for (const storage::SegmentInfo& segment : segments) {
                if (stat == DatabaseStat::kSegments) {
                    sum++;
                } else {
                    for (const storage::PartInfo& part : segment.parts) {
                        sum += static_cast<int64_t>(part.chunks.size());
                    }
                }
            }
        }
        return {};
    }));
    return sum;
}

}  // namespace quern
