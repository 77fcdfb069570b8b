// Verify: reads everything and proves that it fits together.
//
// From the bottom up: page checksums and B-trees; the schema; every chunk against the catalog; then
// per collection under one snapshot: every sealed row has exactly one place in a segment, no dead
// record has a row, the hash of every record computed anew from key, attributes and vectors is the
// stored one, and counts and digests agree. A damaged part does not end the work: what can still be
// checked is checked, and every problem is named.

#include "engine/db/builder_mark.h"
#include "engine/db/column_check.h"
#include "engine/db/database.h"
#include "engine/dense/scan_proof.h"
#include "engine/kernels/distance.h"
#include "engine/query/fusion_text.h"
#include "storage/base/json.h"
#include "storage/record_hash.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

namespace {

constexpr size_t kProblemsMax = 1000;

class Verifier {
public:
    Verifier(Database* database, Work* work) : database_(database), work_(work) {}

    Status Run(Json* report) {
        std::vector<std::string> page_problems;
        QUERN_TRY(database_->store()->CheckPages(work_, &page_problems));
        for (const std::string& line : page_problems) {
            Problem("", Json(), "", Json(), line);
        }
        int64_t pages = 0;
        Result<storage::FileFigures> figures = database_->store()->Figures();
        if (figures.ok()) {
            pages = figures->pages;
        }
        Json collections = Json::Array();
        const Status status = CheckContent(&collections);
        if (status.code() == Code::kCorrupt) {
            Problem("", Json(), "", Json(), status.message());
        } else {
            QUERN_TRY(status);
        }
        *report = Json{{"ok", problems_.empty()},
                       {"pages", pages},
                       {"collections", collections},
                       {"problems", problems_}};
        if (problems_.empty()) {
            return {};
        }
        const Json& first = problems_.at(0);
        const std::string& where = first.at("collection").text();
        Status summary = Status::Error(Code::kCorrupt, "%s", first.at("message").text().c_str());
        if (!where.empty()) {
            summary.WithContext("collection '" + where + "'");
        }
        return summary.WithContext(std::to_string(problems_.size()) +
                                   (problems_.size() == 1 ? " problem" : " problems") +
                                   " found, the first");
    }

private:
    void Problem(const std::string& collection, const Json& segment, const std::string& part,
                 const Json& chunk, const std::string& message) {
        if (problems_.size() < kProblemsMax) {
            problems_.push_back(Json{{"collection", collection},
                                     {"segment", segment},
                                     {"part", part},
                                     {"chunk", chunk},
                                     {"message", message}});
        }
    }

    Status CheckContent(Json* collections) {
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
        std::shared_ptr<const storage::Catalog> catalog;
        QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
            // Read anew: the handle's copy may be older than the damage.
            QUERN_ASSIGN(catalog, storage::ReadCatalog(connection));
            QUERN_TRY(storage::CheckSchema(connection, *catalog));
            return CheckOrphans(connection);
        }));
        for (const auto& info : catalog->collections) {
            name_ = info->name;
            Json entry{{"name", info->name}, {"records", 0}, {"segments", 0}, {"chunks", 0}};
            const Status status = snapshot->With([&](storage::Connection* connection) -> Status {
                return CheckCollection(connection, info, &entry);
            });
            if (status.code() == Code::kCorrupt) {
                Problem(name_, Json(), "", Json(), status.message());
            } else {
                QUERN_TRY(status);
            }
            collections->push_back(entry);
        }
        return {};
    }

    // Rows of the catalog that belong to nothing.
    Status CheckOrphans(storage::Connection* connection) {
        struct Check {
            const char* sql;
            const char* what;
        };
        static constexpr Check kChecks[] = {
            {"SELECT count(*) FROM quern_part WHERE segment NOT IN (SELECT id FROM quern_segment)",
             "parts of no segment"},
            {"SELECT count(*) FROM quern_chunk WHERE (id>>20) NOT IN (SELECT id FROM quern_part)",
             "chunks of no part"},
            {"SELECT count(*) FROM quern_segment WHERE state NOT IN (1,2,3,4)",
             "segments in no known state"},
            {"SELECT count(*) FROM quern_segment WHERE state IN (2,4) AND collection NOT IN "
             "(SELECT id "
             "FROM quern_collection)",
             "live segments of no collection"},
            {"SELECT count(*) FROM quern_segment WHERE id<1 OR id>(SELECT records FROM quern_state "
             "WHERE collection=0)",
             "segments with ids that were never given out"},
            {"SELECT count(*) FROM quern_part WHERE id<1 OR id>(SELECT digest FROM quern_state "
             "WHERE collection=0)",
             "parts with ids that were never given out"},
            {"SELECT count(*) FROM quern_collection WHERE id>=(SELECT next_rid FROM quern_state "
             "WHERE collection=0)",
             "collections with ids that were never given out"},
            {"SELECT count(*) FROM quern_dead WHERE collection NOT IN (SELECT id FROM "
             "quern_collection)",
             "tombstones of no collection"},
            {"SELECT count(*) FROM quern_state WHERE collection<>0 AND collection NOT IN (SELECT "
             "id FROM quern_collection)",
             "states of no collection"},
        };
        for (const Check& check : kChecks) {
            QUERN_ASSIGN(const int64_t count, connection->QueryInt(check.sql));
            if (count != 0) {
                Problem("", Json(), "", Json(),
                        "catalog: " + std::to_string(count) + " " + check.what);
            }
            QUERN_TRY(work_->Check("verify catalog", 0, 0));
        }
        return {};
    }

    Status CheckCollection(storage::Connection* connection,
                           const std::shared_ptr<const storage::CollectionInfo>& info,
                           Json* entry) {
        QUERN_ASSIGN(const storage::CollectionState state,
                     storage::ReadState(connection, info->id));
        (*entry)["records"] = state.records;
        QUERN_ASSIGN(const auto view, BuildView(connection, info, state, nullptr, budget_));
        records_ = 0;
        digest_ = 0;
        uint64_t sealed_rows = 0;
        uint64_t chunks = 0;
        for (size_t s = 0; s < view->segments.size(); s++) {
            QUERN_TRY(CheckSegment(connection, *view, s, &sealed_rows, &chunks));
        }
        QUERN_TRY(CheckTables(connection, *view));
        QUERN_ASSIGN(const int64_t rows, connection->QueryInt("SELECT count(*) FROM " +
                                                              storage::QuoteName(info->name)));
        if (static_cast<uint64_t>(rows) != sealed_rows) {
            Problem(name_, Json(), "", Json(),
                    std::to_string(rows) + " rows in the table, but " +
                        std::to_string(sealed_rows) + " of them in segments");
        }
        for (const storage::KeptFusion& fusion : info->fusions) {
            const Status status = query::ReadFusionText(fusion.text).status();
            if (!status.ok()) {
                Problem(name_, Json(), "", Json(),
                        "fusion '" + fusion.name + "': " + status.message());
            }
        }
        QUERN_TRY(CheckRowIds(connection, *view));
        QUERN_TRY(CheckTombstones(connection, *view));
        records_ = static_cast<uint64_t>(rows);
        QUERN_TRY(CheckLog(connection, *view));
        if (records_ != static_cast<uint64_t>(state.records)) {
            Problem(name_, Json(), "", Json(),
                    std::to_string(records_) + " records are there, the state says " +
                        std::to_string(state.records));
        } else if (digest_ != state.digest) {
            Problem(name_, Json(), "", Json(),
                    "the digest of all records is not the one of the state");
        }
        (*entry)["segments"] = view->segments.size();
        (*entry)["chunks"] = chunks;
        return {};
    }

    // Tables of fields, decoded.
    Status CheckTables(storage::Connection* connection, const CollectionView& view) {
        for (const auto& [field, table] : view.token_tables) {
            const Schema& schema = view.info->schema;
            const auto def = std::find_if(schema.sparse.begin(), schema.sparse.end(),
                                          [id = field](const SparseDef& d) { return d.id == id; });
            const storage::PartInfo& part = table->part();
            if (def == schema.sparse.end()) {
                Problem(name_, part.segment, "token weights", Json(), "they are of no field");
                continue;
            }
            const Status status = table->Load(connection, *def).status();
            if (status.code() == Code::kCorrupt) {
                Problem(name_, part.segment, "token weights of " + def->name, Json(),
                        status.message());
            } else {
                QUERN_TRY(status);
            }
            QUERN_TRY(work_->Check("verify tables", 0, 0));
        }
        return {};
    }

    // A row id that the counter has still to give out would be given out twice.
    Status CheckRowIds(storage::Connection* connection, const CollectionView& view) {
        for (const std::string& table : {view.info->sql.record_table, view.info->sql.log_table}) {
            QUERN_ASSIGN(storage::Statement row,
                         connection->Prepare("SELECT min(\"_rid\"), max(\"_rid\") FROM " + table));
            QUERN_ASSIGN(const bool there, row.Step());
            if (there && !row.ColumnIsNull(0) &&
                (row.ColumnInt(0) < 1 || row.ColumnInt(1) >= view.state.next_rid)) {
                Problem(name_, Json(), "", Json(),
                        "table " + table + " holds row ids that were never given out");
            }
        }
        return {};
    }

    // A tombstone stays for as long as its record is in a segment: alone it would stay for ever.
    Status CheckTombstones(storage::Connection* connection, const CollectionView& view) {
        for (const int64_t rid : *view.sealed_dead) {
            const auto place = view.Locate(connection, rid);
            if (place.status().code() == Code::kCorrupt) {
                return {};  // row ids that cannot be read; their segment has been named
            }
            QUERN_TRY(place.status());
            if (!*place) {
                Problem(
                    name_, Json(), "", Json(),
                    "tombstone of row id " + std::to_string(rid) + ", which is in no live segment");
            }
        }
        return {};
    }

    // Whether a vector is farther from its codes than the index says: it would prove what is wrong.
    Result<bool> IsUnlike(storage::Connection* connection, const storage::SegmentInfo& info,
                          const DenseDef& def, const dense::GraphIndex& index) {
        const storage::PartInfo* const part = info.Find(storage::PartKind::kVectors, def.id);
        Bytes chunk;
        std::vector<float> norms;
        size_t first = 0;
        for (size_t c = 0; part != nullptr && c < part->chunks.size(); c++) {
            chunk.resize(part->chunks[c].raw_bytes);
            if (!storage::ReadChunk(connection, *part, c, chunk.data()).ok()) {
                return false;  // that has been told
            }
            dense::VectorRows rows{def.element,
                                   def.metric,
                                   def.dim,
                                   chunk.data(),
                                   chunk.size() / VectorBytes(def.element, def.dim),
                                   nullptr};
            norms.resize(rows.count);
            if (def.metric == Metric::kCosine) {
                kernels::InverseNorms(def.element, rows.rows, rows.count, def.dim, norms.data());
                rows.inverse_norms = norms.data();
            }
            if (first + rows.count > index.count() || !dense::ErrorsHold(index, rows, first)) {
                return true;
            }
            first += rows.count;
            QUERN_TRY(work_->Check("verify index", c, part->chunks.size()));
        }
        return false;
    }

    // Every chunk of a segment, and every record that lives in it.
    Status CheckSegment(storage::Connection* connection, const CollectionView& view, size_t number,
                        uint64_t* sealed_rows, uint64_t* chunk_count) {
        Segment& segment = *view.segments[number];
        const storage::SegmentInfo& info = segment.info();
        const Schema& schema = view.info->schema;
        bool sound = true;
        Bytes chunk;
        for (const storage::PartInfo& part : info.parts) {
            for (size_t c = 0; c < part.chunks.size(); c++) {
                chunk.resize(part.chunks[c].raw_bytes);
                const Status status = storage::ReadChunk(connection, part, c, chunk.data());
                if (status.code() == Code::kCorrupt) {
                    std::string name = storage::PartKindName(part.kind);
                    name += part.field_name.empty() ? "" : " of " + part.field_name;
                    Problem(name_, info.id, name, c, status.message());
                    sound = sound && storage::IsDerived(part.kind);
                } else {
                    QUERN_TRY(status);
                }
                QUERN_TRY(work_->Check("verify chunks", ++*chunk_count, 0));
            }
        }
        for (const DenseDef& def : schema.dense) {
            const Status held = CheckHeldElement(connection, info, def, work_);
            if (held.code() == Code::kCorrupt && sound) {
                Problem(name_, info.id, "element that holds the vectors of " + def.name, Json(),
                        "it is damaged, or not what the vectors are; rebuild makes it anew");
            } else if (held.code() != Code::kCorrupt) {
                QUERN_TRY(held);
            }
            const bool lists = info.Find(storage::PartKind::kListHead, def.id) != nullptr;
            if (!lists && info.Find(storage::PartKind::kGraphHead, def.id) == nullptr) {
                continue;
            }
            // An index is read whole, one at a time, in as much memory as the handle may use; what
            // does not fit is proved by its checksums alone.
            budget_->limit = database_->budget()->limit;
            const Result<Segment::IndexState> state = segment.Index(connection, def, work_);
            budget_->limit = 0;
            // A vectors part that does not hang together has its own problem.
            const bool unreachable =
                state.ok() && state->index != nullptr && !state->index->CheckReach().ok();
            bool unlike = false;
            if (state.ok() && state->index != nullptr && state->index->proves()) {
                QUERN_ASSIGN(unlike, IsUnlike(connection, info, def, *state->index));
            }
            if (state.ok() && (state->damaged || unreachable || unlike)) {
                Problem(name_, info.id, (lists ? "lists of " : "graph of ") + def.name, Json(),
                        "the index is damaged; rebuild makes it anew");
            } else if (!state.ok() && state.status().code() != Code::kCorrupt) {
                return state.status();
            }
        }
        for (const SparseDef& def : schema.sparse) {
            budget_->limit = database_->budget()->limit;
            const Result<Segment::SparseState> state =
                segment.SparseIndexOf(connection, def, work_);
            budget_->limit = 0;
            if (state.ok() && state->damaged) {
                Problem(name_, info.id, "sparse index of " + def.name, Json(),
                        "the index is damaged; rebuild makes it anew");
            } else if (!state.ok() && state.status().code() != Code::kCorrupt) {
                return state.status();
            }
        }
        for (const TextDef& def : schema.text) {
            if (TextPartBytes(info, def.id) * 3 >
                static_cast<uint64_t>(database_->budget()->limit)) {
                continue;
            }
            const Result<bool> index = segment.TextIndexIsSound(connection, def, work_);
            if (index.ok() && !*index) {
                Problem(name_, info.id, "text index of " + def.name, Json(),
                        "the index is damaged; rebuild makes it anew");
            } else if (!index.ok() && index.status().code() != Code::kCorrupt) {
                return index.status();
            }
        }
        Result<const int64_t*> ids = segment.RowIds(connection);
        if (ids.status().code() == Code::kCorrupt) {
            Problem(name_, info.id, "row ids", Json(), ids.status().message());
            return {};
        }
        QUERN_TRY(ids.status());
        QUERN_ASSIGN(const CollectionView::Dead dead, view.DeadOf(connection, number));
        storage::RecordTable records(connection, *view.info);
        std::vector<size_t> attrs(schema.attrs.size());
        for (size_t a = 0; a < attrs.size(); a++) {
            attrs[a] = a;
        }
        QUERN_ASSIGN(ColumnCheck columns,
                     ColumnCheck::Start(connection, view, number,
                                        static_cast<uint64_t>(database_->budget()->limit), work_));
        ChunkCache chunks;
        std::optional<Key> before;
        for (uint32_t r = 0; r < segment.item_count(); r++) {
            const int64_t rid = (*ids)[r];
            uint64_t computed = 0;
            uint64_t stored = 0;
            std::optional<Key> key;
            QUERN_ASSIGN(
                const bool alive,
                records.ReadByRid(rid, attrs, [&](const storage::RecordRow& row) -> Result<bool> {
                    stored = row.hash;
                    key = row.key;
                    computed = storage::HashKey(rid, row.key);
                    for (size_t a = 0; a < attrs.size(); a++) {
                        computed += storage::HashCell(rid, schema.attrs[a].id, row.cells[a]);
                    }
                    columns.Compare(r, row);
                    return true;
                }));
            const bool buried = dead.bits && ((*dead.bits)[r / 64] >> (r % 64) & 1) != 0;
            if (alive == buried) {
                Problem(name_, info.id, "row ids", Json(),
                        "record number " + std::to_string(r) +
                            (alive ? " is dead but has a row" : " has no row and no tombstone"));
                *sealed_rows += alive ? 1 : 0;
                continue;
            }
            if (!alive) {
                continue;
            }
            ++*sealed_rows;
            digest_ += stored;
            if (before && !(*before < *key)) {
                Problem(name_, info.id, "row ids", Json(),
                        "record number " + std::to_string(r) + " is out of key order");
            }
            before = key;
            if (sound) {
                for (size_t f = 0; f < schema.field_count(); f++) {
                    QUERN_ASSIGN(const BytesView value,
                                 segment.Value(connection, schema, f, r, &chunks));
                    if (value.data() != nullptr) {
                        computed += storage::HashVector(rid, schema.field_id(f), value);
                    }
                }
                if (computed != stored) {
                    Problem(name_, info.id, "records", Json(),
                            "record " + key->ToString() +
                                " does not have the content that its hash says");
                }
            }
            QUERN_TRY(work_->Check("verify records", *sealed_rows,
                                   static_cast<uint64_t>(view.state.records)));
        }
        for (const std::string& wrong : columns.wrong()) {
            Problem(name_, info.id, wrong, Json(),
                    "it is damaged, or not what the records say; rebuild makes it anew");
        }
        return {};
    }

    Status CheckLog(storage::Connection* connection, const CollectionView& view) {
        const Schema& schema = view.info->schema;
        storage::RecordLog log(connection, *view.info);
        storage::RecordTable records(connection, *view.info);
        return log.Read(0, [&](const storage::LogEntry& entry) -> Status {
            if (entry.kind != storage::LogKind::kPut) {
                return {};
            }
            uint64_t computed = storage::HashKey(entry.rid, entry.key);
            for (size_t a = 0; a < schema.attrs.size(); a++) {
                computed += storage::HashCell(entry.rid, schema.attrs[a].id, entry.cells[a]);
            }
            std::vector<storage::VectorRef> vectors;
            QUERN_TRY(storage::DecodeVectors(schema, entry.vectors, &vectors));
            for (const storage::VectorRef& vector : vectors) {
                computed +=
                    storage::HashVector(entry.rid, schema.field_id(vector.field), vector.bytes);
            }
            if (computed != entry.hash) {
                Problem(name_, Json(), "log", Json(),
                        "record " + entry.key.ToString() +
                            " does not have the content that its hash says");
            }
            const std::optional<size_t> position = view.mirror->FindRid(entry.rid);
            if (position && view.log->visible(*position)) {
                records_++;
                digest_ += entry.hash;
                QUERN_ASSIGN(const auto sealed, records.Find(entry.key));
                if (sealed) {
                    Problem(name_, Json(), "log", Json(),
                            "record " + entry.key.ToString() + " is in the table as well");
                }
            }
            return work_->Check("verify log", records_, static_cast<uint64_t>(view.state.records));
        });
    }

    Database* database_;
    Work* work_;
    // Of its own: what verify loads must not push anything out of the handle's memory, nor be taken
    // from it.
    std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>();
    std::string name_;
    uint64_t records_ = 0;
    uint64_t digest_ = 0;
    Json problems_ = Json::Array();
};

}  // namespace

Status Database::Verify(std::string* report) {
    Work work = NewWork();
    Json json;
    const Status status = Verifier(this, &work).Run(&json);
    if (!json.is_null()) {
        *report = json.Text(2);
    }
    return status;
}

}  // namespace quern
