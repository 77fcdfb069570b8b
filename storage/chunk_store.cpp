#include "storage/chunk_store.h"

#include "storage/base/checked.h"
#include "storage/base/hash.h"
#include "storage/base/test_fault.h"
#include "storage/catalog.h"
#include "storage/chunk_id.h"

namespace quern::storage {

namespace {

constexpr size_t kDirectoryEntryBytes = 20;
constexpr size_t kPartsMax = 100000;  // per collection; bounds memory on hostile files
// The codec is chosen anew this often, so that one odd chunk does not decide for all.
constexpr size_t kChooseEvery = 64;

Bytes EncodeDirectory(const std::vector<ChunkInfo>& chunks) {
    Bytes bytes;
    ByteWriter writer(&bytes);
    for (const ChunkInfo& chunk : chunks) {
        writer.U32(chunk.raw_bytes);
        writer.U32(chunk.stored_bytes);
        writer.U32(chunk.codec);
        writer.U64(chunk.hash);
    }
    return bytes;
}

Status BadPart(const PartInfo& part, const char* what) {
    return Status::Error(Code::kCorrupt, "%s: %s", part.Name().c_str(), what);
}

// Sizes of a part row, none of which is zero, and its directory must agree with each other before
// anything is allocated by them.
Status DecodePart(BytesView directory, PartInfo* part) {
    if (part->item_bytes > kChunkBytesMax ||
        static_cast<uint64_t>(part->item_bytes) * part->chunk_items > kChunkBytesMax ||
        part->items > (HasEntries(part->kind) ? kEntryItemsMax : kSegmentItemsMax)) {
        return BadPart(*part, "impossible sizes");
    }
    const uint64_t chunks = (part->items + part->chunk_items - 1) / part->chunk_items;
    if (directory.size() != chunks * kDirectoryEntryBytes ||
        chunks > (uint64_t{1} << kChunkIdBits)) {
        return BadPart(*part, "its chunk directory has the wrong size");
    }
    ByteReader reader(directory);
    uint64_t left = part->items;
    part->chunks.reserve(chunks);
    for (uint64_t i = 0; i < chunks; i++) {
        ChunkInfo chunk;
        chunk.raw_bytes = reader.U32();
        chunk.stored_bytes = reader.U32();
        chunk.codec = reader.U32();
        chunk.hash = reader.U64();
        const uint64_t items = left < part->chunk_items ? left : part->chunk_items;
        const bool fits =
            chunk.raw_bytes == items * part->item_bytes && chunk.stored_bytes <= chunk.raw_bytes;
        if (!fits && !TestFault(Fault::kSizeUnchecked)) {
            return BadPart(*part, "its chunk directory is inconsistent");
        }
        left -= items;
        part->chunks.push_back(chunk);
    }
    return {};
}

}  // namespace

const char* PartKindName(PartKind kind) {
    switch (kind) {
        case PartKind::kRowIds: return "row ids";
        case PartKind::kPresence: return "presence";
        case PartKind::kVectors: return "vectors";
        case PartKind::kNorms: return "norms";
        case PartKind::kSparseLengths: return "sparse lengths";
        case PartKind::kSparseGaps: return "sparse dimensions";
        case PartKind::kSparseWeights: return "sparse weights";
        case PartKind::kTextLengths: return "text lengths";
        case PartKind::kTextBytes: return "texts";
        case PartKind::kTokenWeights: return "token weights";
        case PartKind::kGraphHead: return "graph head";
        case PartKind::kGraphLinks: return "graph links";
        case PartKind::kGraphUpper: return "graph upper links";
        case PartKind::kGraphCodes: return "graph codes";
        case PartKind::kGraphNorms: return "graph norms";
        case PartKind::kGraphRange: return "graph range curve";
        case PartKind::kGraphErrors: return "graph errors of codes";
        case PartKind::kGraphFar: return "graph bounds of far queries";
        case PartKind::kListHead: return "list head";
        case PartKind::kListCentres: return "list centres";
        case PartKind::kListCells: return "list cells";
        case PartKind::kListRowNumbers: return "list row numbers";
        case PartKind::kListRows: return "list rows";
        case PartKind::kListNorms: return "list norms";
        case PartKind::kListRange: return "list range curve";
        case PartKind::kSparseHead: return "sparse index head";
        case PartKind::kSparseTermRuns: return "sparse index runs of terms";
        case PartKind::kSparseRunSuperblocks: return "sparse index superblocks of runs";
        case PartKind::kSparseRunLengths: return "sparse index lengths of runs";
        case PartKind::kSparseRunPeaks: return "sparse index peaks of runs";
        case PartKind::kSparsePostings: return "sparse index postings";
        case PartKind::kSparseRowOffsets: return "sparse index row offsets";
        case PartKind::kSparseRowTerms: return "sparse index row terms";
        case PartKind::kSparseRowWeights: return "sparse index row weights";
        case PartKind::kSparseOrder: return "sparse index order";
        case PartKind::kTextHead: return "text index head";
        case PartKind::kTextDictionary: return "text index dictionary";
        case PartKind::kTextTermCounts: return "text index lengths";
        case PartKind::kTextPostings: return "text index postings";
        case PartKind::kTextPositions: return "text index positions";
        case PartKind::kColumnHead: return "column head";
        case PartKind::kColumnValues: return "column values";
        case PartKind::kColumnLengths: return "column lengths of texts";
        case PartKind::kColumnCodes: return "column numbers of values";
        case PartKind::kChangedRecords: return "changed records";
        case PartKind::kHeldElement: return "element that holds the vectors";
        case PartKind::kApproximateHead: return "approximate sparse index head";
        case PartKind::kApproximateTermBlocks: return "approximate sparse index blocks of terms";
        case PartKind::kApproximateBlockMembers:
            return "approximate sparse index members of blocks";
        case PartKind::kApproximateMembers: return "approximate sparse index members";
        case PartKind::kApproximateListTerms: return "approximate sparse index terms of lists";
        case PartKind::kApproximateSummaryTerms:
            return "approximate sparse index terms of summaries";
        case PartKind::kApproximateSummaryFirst: return "approximate sparse index entries of terms";
        case PartKind::kApproximateSummaryBlocks:
            return "approximate sparse index blocks of entries";
        case PartKind::kApproximateSummaryLevels:
            return "approximate sparse index levels of entries";
        case PartKind::kApproximateLinks: return "approximate sparse index links";
        case PartKind::kApproximateCurve: return "approximate sparse index curve";
    }
    return "of an unknown kind";
}

uint64_t PartInfo::stored_bytes() const {
    uint64_t sum = 0;
    for (const ChunkInfo& chunk : chunks) {
        sum += chunk.stored_bytes;
    }
    return sum;
}

std::string PartInfo::Name() const {
    std::string name = "segment " + std::to_string(segment) + ", part " + PartKindName(kind);
    if (field == 0) {
        return name;
    }
    return name + " of field " +
           (field_name.empty() ? std::to_string(field) : "'" + field_name + "'");
}

const PartInfo* SegmentInfo::Find(PartKind kind, uint32_t field) const {
    for (const PartInfo& part : parts) {
        if (part.kind == kind && part.field == field) {
            return &part;
        }
    }
    return nullptr;
}

uint64_t SegmentInfo::stored_bytes() const {
    uint64_t sum = 0;
    for (const PartInfo& part : parts) {
        sum += part.stored_bytes();
    }
    return sum;
}

uint64_t SegmentInfo::LayoutHash() const {
    Bytes bytes;
    ByteWriter writer(&bytes);
    writer.U64(static_cast<uint64_t>(id));
    writer.U64(static_cast<uint64_t>(collection));
    writer.U64(items);
    uint64_t sum = Hash64(bytes, 1);
    for (const PartInfo& part : parts) {
        if (IsDerived(part.kind)) {
            continue;  // may be made anew at any time
        }
        bytes.clear();
        writer.U64(static_cast<uint64_t>(part.id));
        writer.U64(static_cast<uint64_t>(part.segment));
        writer.U64(part.field);
        writer.U64(static_cast<uint64_t>(part.kind));
        writer.U64(part.items);
        writer.U64(part.item_bytes);
        writer.U64(part.chunk_items);
        bytes += EncodeDirectory(part.chunks);
        sum += Hash64(bytes, 2);
    }
    return sum;
}

Result<std::vector<SegmentInfo>> ReadSegments(Connection* connection, int64_t collection,
                                              SegmentState state, const Schema* schema) {
    std::vector<SegmentInfo> segments;
    {
        QUERN_ASSIGN(
            Statement rows,
            connection->Prepare("SELECT id, items, generation, owner FROM quern_segment WHERE "
                                "collection=?1 AND state=?2 ORDER BY id"));
        rows.Int(1, collection).Int(2, static_cast<int64_t>(state));
        while (true) {
            QUERN_ASSIGN(const bool there, rows.Step());
            if (!there) {
                break;
            }
            SegmentInfo segment;
            segment.id = rows.ColumnInt(0);
            segment.collection = collection;
            segment.state = state;
            segment.items = static_cast<uint64_t>(rows.ColumnInt(1));
            segment.generation = rows.ColumnInt(2);
            segment.owner = std::string(rows.ColumnBytes(3));
            if (segment.items > kSegmentItemsMax || segments.size() > kPartsMax) {
                return Status::Error(Code::kCorrupt, "segment %lld: impossible size",
                                     static_cast<long long>(segment.id));
            }
            segments.push_back(std::move(segment));
        }
    }
    size_t parts = 0;
    for (SegmentInfo& segment : segments) {
        QUERN_ASSIGN(
            Statement rows,
            connection->Prepare(
                "SELECT id, field, kind, generation, items, item_bytes, chunk_items, chunks FROM "
                "quern_part WHERE segment=?1 ORDER BY id"));
        rows.Int(1, segment.id);
        while (true) {
            QUERN_ASSIGN(const bool there, rows.Step());
            if (!there) {
                break;
            }
            PartInfo part;
            part.id = rows.ColumnInt(0);
            part.segment = segment.id;
            const int64_t field = rows.ColumnInt(1);
            const int64_t kind = rows.ColumnInt(2);
            part.generation = rows.ColumnInt(3);
            const int64_t items = rows.ColumnInt(4);
            const int64_t item_bytes = rows.ColumnInt(5);
            const int64_t chunk_items = rows.ColumnInt(6);
            if (part.id < 1 || part.id > kPartIdMax || field < 0 || field > UINT32_MAX ||
                kind < 1 || (kind > kLastStoredKind && kind < kFirstDerivedKind) ||
                kind > kPartKindMax || items < 0 || item_bytes < 1 || item_bytes > UINT32_MAX ||
                chunk_items < 1 || chunk_items > UINT32_MAX || ++parts > kPartsMax) {
                return Status::Error(Code::kCorrupt, "segment %lld: a part has impossible numbers",
                                     static_cast<long long>(segment.id));
            }
            part.field = static_cast<uint32_t>(field);
            if (schema != nullptr) {
                part.field_name = schema->FieldName(part.field);
            }
            part.kind = static_cast<PartKind>(kind);
            part.items = static_cast<uint64_t>(items);
            part.item_bytes = static_cast<uint32_t>(item_bytes);
            part.chunk_items = static_cast<uint32_t>(chunk_items);
            QUERN_TRY(DecodePart(rows.ColumnBytes(7), &part));
            if (kind < kFirstDerivedKind && !HasEntries(part.kind) && part.items > segment.items) {
                return BadPart(part, "has more items than its segment");
            }
            segment.parts.push_back(std::move(part));
        }
    }
    return segments;
}

Result<uint64_t> ReadLayoutHash(Connection* connection, int64_t collection, int64_t segment) {
    for (const SegmentState state : {SegmentState::kLive, SegmentState::kTable,
                                     SegmentState::kRetired, SegmentState::kBuilding}) {
        QUERN_ASSIGN(const std::vector<SegmentInfo> segments,
                     ReadSegments(connection, collection, state));
        for (const SegmentInfo& info : segments) {
            if (info.id == segment) {
                return info.LayoutHash();
            }
        }
    }
    return Status::Error(Code::kNotFound, "segment %lld is not there",
                         static_cast<long long>(segment));
}

Result<int64_t> CreateSegment(Connection* connection, int64_t collection,
                              const std::string& owner) {
    // Like collections, segments never use an id again: caches in other processes are keyed by it.
    QUERN_ASSIGN(Statement next,
                 connection->Prepare("UPDATE quern_state SET records=records+1 WHERE collection=0 "
                                     "RETURNING records"));
    QUERN_ASSIGN(const bool there, next.Step());
    if (!there) {
        return Status::Error(Code::kCorrupt, "catalog: the state of the database is missing");
    }
    const int64_t id = next.ColumnInt(0);
    QUERN_TRY(next.Run());
    QUERN_TRY(CheckCounter("segments", id));
    QUERN_ASSIGN(Statement insert,
                 connection->Prepare("INSERT INTO quern_segment VALUES(?1,?2,1,0,0,?3)"));
    QUERN_TRY(insert.Int(1, id).Int(2, collection).Text(3, owner).Run());
    return id;
}

Status PublishSegment(Connection* connection, int64_t segment, uint64_t items, int64_t generation,
                      const std::string& mark) {
    QUERN_ASSIGN(
        Statement update,
        connection->Prepare("UPDATE quern_segment SET state=2, items=?2, generation=?3, owner=?4 "
                            "WHERE id=?1 AND state=1"));
    QUERN_TRY(update.Int(1, segment)
                  .Int(2, static_cast<int64_t>(items))
                  .Int(3, generation)
                  .Text(4, mark)
                  .Run());
    if (connection->changes() != 1) {
        return Status::Error(Code::kNotFound, "segment %lld was swept away while it was built",
                             static_cast<long long>(segment));
    }
    return {};
}

Result<bool> IsLive(Connection* connection, int64_t segment) {
    QUERN_ASSIGN(Statement row,
                 connection->Prepare("SELECT 1 FROM quern_segment WHERE id=?1 AND state=2"));
    return row.Int(1, segment).Step();
}

Status RetireSegment(Connection* connection, int64_t segment) {
    QUERN_ASSIGN(Statement update,
                 connection->Prepare("UPDATE quern_segment SET state=3 WHERE id=?1 AND state=2"));
    QUERN_TRY(update.Int(1, segment).Run());
    if (connection->changes() != 1) {
        return Status::Error(Code::kNotFound, "segment %lld is not live any more",
                             static_cast<long long>(segment));
    }
    return {};
}

Status AbandonSegment(Connection* connection, int64_t segment) {
    QUERN_ASSIGN(Statement update,
                 connection->Prepare("UPDATE quern_segment SET state=3 WHERE id=?1 AND state=1"));
    return update.Int(1, segment).Run();
}

Result<uint64_t> WriteTable(Connection* connection, int64_t collection, uint32_t field,
                            PartKind kind, BytesView bytes, int64_t generation) {
    QUERN_ASSIGN(const int64_t segment, CreateSegment(connection, collection, "table"));
    QUERN_ASSIGN(PartWriter writer, PartWriter::Create(connection, segment, field, kind, 1, 1,
                                                       generation, Effort::kBest));
    QUERN_TRY(writer.Append(bytes.data(), bytes.size()));
    QUERN_TRY(writer.Finish());
    QUERN_ASSIGN(
        Statement update,
        connection->Prepare("UPDATE quern_segment SET state=4, generation=?2 WHERE id=?1"));
    QUERN_TRY(update.Int(1, segment).Int(2, generation).Run());
    return ReadLayoutHash(connection, collection, segment);
}

Status RetireTable(Connection* connection, int64_t segment) {
    QUERN_ASSIGN(Statement update,
                 connection->Prepare("UPDATE quern_segment SET state=3 WHERE id=?1 AND state=4"));
    return update.Int(1, segment).Run();
}

namespace {

// The first segment that nobody needs; 0 when there is none.
Result<int64_t> FindGarbage(Connection* connection,
                            const std::function<bool(const std::string&)>& owner_is_dead,
                            int64_t last_segment) {
    QUERN_ASSIGN(Statement rows,
                 connection->Prepare("SELECT id, state, owner FROM quern_segment WHERE state NOT "
                                     "IN (2,4) AND id<=?1 ORDER BY id"));
    rows.Int(1, last_segment);
    while (true) {
        QUERN_ASSIGN(const bool there, rows.Step());
        if (!there) {
            return int64_t{0};
        }
        const std::string owner(rows.ColumnBytes(2));
        if (rows.ColumnInt(1) == static_cast<int64_t>(SegmentState::kRetired) ||
            owner_is_dead(owner)) {
            return rows.ColumnInt(0);
        }
    }
}

}  // namespace

Result<bool> NeedsSweep(Connection* connection,
                        const std::function<bool(const std::string&)>& owner_is_dead) {
    QUERN_ASSIGN(const int64_t segment, FindGarbage(connection, owner_is_dead, INT64_MAX));
    return segment != 0;
}

Result<int64_t> LastSegment(Connection* connection) {
    return connection->QueryInt("SELECT max(id) FROM quern_segment");
}

Result<bool> SweepStep(Connection* connection,
                       const std::function<bool(const std::string&)>& owner_is_dead,
                       int64_t last_segment, uint64_t max_bytes) {
    const uint64_t max_chunks = max_bytes / kChunkBytesMax + 1;
    uint64_t removed = 0;
    while (true) {
        QUERN_ASSIGN(const int64_t segment, FindGarbage(connection, owner_is_dead, last_segment));
        if (segment == 0 || TestFault(Fault::kGarbageKept)) {
            return true;
        }
        // A builder that died left parts whose directory is still empty: go by id ranges, not by
        // directories.
        QUERN_ASSIGN(
            Statement first,
            connection->Prepare("SELECT id FROM quern_part WHERE segment=?1 ORDER BY id LIMIT 1"));
        QUERN_ASSIGN(const bool there, first.Int(1, segment).Step());
        if (!there) {
            QUERN_ASSIGN(Statement remove,
                         connection->Prepare("DELETE FROM quern_segment WHERE id=?1"));
            QUERN_TRY(remove.Int(1, segment).Run());
            continue;
        }
        const int64_t part = first.ColumnInt(0);
        first.Again();
        if (removed >= max_chunks) {
            return false;
        }
        QUERN_ASSIGN(
            Statement remove,
            connection->Prepare("DELETE FROM quern_chunk WHERE id IN (SELECT id FROM quern_chunk "
                                "WHERE id>=?1 AND id<?2 ORDER BY id LIMIT ?3)"));
        QUERN_TRY(remove.Int(1, ChunkId(part, 0))
                      .Int(2, ChunkId(part + 1, 0))
                      .Int(3, static_cast<int64_t>(max_chunks - removed))
                      .Run());
        const auto now = static_cast<uint64_t>(connection->changes());
        removed += now;
        if (removed < max_chunks) {
            QUERN_ASSIGN(Statement remove_part,
                         connection->Prepare("DELETE FROM quern_part WHERE id=?1"));
            QUERN_TRY(remove_part.Int(1, part).Run());
        }
    }
}

Status RemovePart(Connection* connection, const PartInfo& part) {
    QUERN_ASSIGN(Statement chunks,
                 connection->Prepare("DELETE FROM quern_chunk WHERE id>=?1 AND id<?2"));
    QUERN_TRY(chunks.Int(1, ChunkId(part.id, 0)).Int(2, ChunkId(part.id + 1, 0)).Run());
    QUERN_ASSIGN(Statement remove, connection->Prepare("DELETE FROM quern_part WHERE id=?1"));
    return remove.Int(1, part.id).Run();
}

Status NextEpoch(Connection* connection, int64_t collection, CollectionState* state) {
    QUERN_ASSIGN(
        Statement update,
        connection->Prepare("UPDATE quern_part SET generation=?3 WHERE kind=?4 AND generation=?2 "
                            "AND segment IN (SELECT id FROM quern_segment WHERE collection=?1)"));
    const int64_t before = state->epoch++;
    if (TestFault(Fault::kColumnsLost)) {
        return {};
    }
    return update.Int(1, collection)
        .Int(2, before)
        .Int(3, state->epoch)
        .Int(4, static_cast<int64_t>(PartKind::kChangedRecords))
        .Run();
}

Status MoveParts(Connection* connection, int64_t from_building, int64_t to_live) {
    QUERN_ASSIGN(Statement live,
                 connection->Prepare("UPDATE quern_segment SET id=id WHERE id=?1 AND state=2"));
    QUERN_TRY(live.Int(1, to_live).Run());
    const bool there = connection->changes() == 1;
    QUERN_ASSIGN(Statement remove,
                 connection->Prepare("DELETE FROM quern_segment WHERE id=?1 AND state=1"));
    QUERN_TRY(remove.Int(1, from_building).Run());
    if (!there || connection->changes() != 1) {
        return Status::Error(Code::kNotFound, "segment %lld is not live any more",
                             static_cast<long long>(to_live));
    }
    QUERN_ASSIGN(Statement move,
                 connection->Prepare("UPDATE quern_part SET segment=?2 WHERE segment=?1"));
    return move.Int(1, from_building).Int(2, to_live).Run();
}

Result<PartWriter> PartWriter::Create(Connection* connection, int64_t segment, uint32_t field,
                                      PartKind kind, uint32_t item_bytes, uint32_t element_bytes,
                                      int64_t generation, Effort effort) {
    PartWriter writer;
    writer.connection_ = connection;
    writer.element_bytes_ = element_bytes;
    writer.effort_ = effort;
    PartInfo& info = writer.info_;
    info.segment = segment;
    info.field = field;
    info.kind = kind;
    info.generation = generation;
    info.item_bytes = item_bytes;
    info.chunk_items = static_cast<uint32_t>(kChunkBytesMax / item_bytes);
    // Part ids, too, are never used again (a cached chunk of an old part must not be taken for a
    // new one's).
    QUERN_ASSIGN(Statement next,
                 connection->Prepare("UPDATE quern_state SET digest=digest+1 WHERE collection=0 "
                                     "RETURNING digest"));
    QUERN_ASSIGN(const bool there, next.Step());
    if (!there) {
        return Status::Error(Code::kCorrupt, "catalog: the state of the database is missing");
    }
    info.id = next.ColumnInt(0);
    QUERN_TRY(next.Run());
    QUERN_TRY(CheckCounter("parts", info.id, kPartIdMax));
    QUERN_ASSIGN(Statement insert,
                 connection->Prepare("INSERT INTO quern_part VALUES(?1,?2,?3,?4,?5,0,?6,?7,x'')"));
    QUERN_TRY(insert.Int(1, info.id)
                  .Int(2, segment)
                  .Int(3, field)
                  .Int(4, static_cast<int64_t>(kind))
                  .Int(5, generation)
                  .Int(6, item_bytes)
                  .Int(7, info.chunk_items)
                  .Run());
    return writer;
}

Status PartWriter::Append(const void* items, size_t count) {
    const char* data = static_cast<const char*>(items);
    info_.items += count;
    size_t bytes = count * info_.item_bytes;
    while (bytes > 0) {
        // For looks, a sample decides first.
        const bool sampling = use_ == ChunkUse::kLooks && !shaped_;
        const size_t full = sampling ? std::max<size_t>(kShapeSampleBytes, info_.item_bytes)
                                     : static_cast<size_t>(info_.chunk_items) * info_.item_bytes;
        const size_t take = std::min(bytes, full - pending_.size());
        pending_.append(data, take);
        data += take;
        bytes -= take;
        if (pending_.size() == full) {
            QUERN_TRY(WriteFullChunks());
        }
    }
    return {};
}

Status PartWriter::WriteFullChunks() {
    if (use_ == ChunkUse::kLooks && !shaped_) {
        const ChunkShape shape = quern::storage::ShapeForLooks(pending_, info_.item_bytes,
                                                               element_bytes_, expected_items_);
        info_.chunk_items = shape.items;
        codec_ = shape.codec;
        shaped_ = true;
    }
    const size_t bytes = static_cast<size_t>(info_.chunk_items) * info_.item_bytes;
    size_t done = 0;
    for (; done + bytes <= pending_.size(); done += bytes) {
        QUERN_TRY(WriteChunk(BytesView(pending_).substr(done, bytes)));
    }
    pending_.erase(0, done);
    return {};
}

Status PartWriter::WriteChunk(BytesView raw) {
    if (use_ == ChunkUse::kWhole && info_.chunks.size() % kChooseEvery == 0) {
        codec_ = ChooseCodec(raw, element_bytes_, effort_);
    }
    Bytes stored;
    const Codec used = Encode(codec_, raw, effort_, &stored);
    const size_t number = info_.chunks.size();
    if (number >= (size_t{1} << kChunkIdBits)) {  // never: no test writes 256 GiB
        return Status::Error(Code::kLimit, "%s: too many chunks", info_.Name().c_str());
    }
    const int64_t id = ChunkId(info_.id, number);
    if (id % 16 != 0 || !TestFault(Fault::kChunkLost)) {  // never: not at all, without a fault
        QUERN_ASSIGN(Statement insert,
                     connection_->Prepare("INSERT INTO quern_chunk VALUES(?1,?2)"));
        QUERN_TRY(insert.Int(1, id).Blob(2, stored).Run());
    }
    ChunkInfo chunk;
    chunk.raw_bytes = static_cast<uint32_t>(raw.size());
    chunk.stored_bytes = static_cast<uint32_t>(stored.size());
    chunk.codec = static_cast<uint32_t>(used);
    chunk.hash = Hash64(stored, static_cast<uint64_t>(id));
    info_.chunks.push_back(chunk);
    bytes_written_ += stored.size();
    return {};
}

Status PartWriter::Finish() {
    QUERN_TRY(WriteFullChunks());
    if (!pending_.empty()) {
        QUERN_TRY(WriteChunk(pending_));
        pending_.clear();
    }
    QUERN_ASSIGN(Statement update,
                 connection_->Prepare(
                     "UPDATE quern_part SET items=?2, chunks=?3, chunk_items=?4 WHERE id=?1"));
    const Bytes directory = EncodeDirectory(info_.chunks);
    QUERN_TRY(update.Int(1, info_.id)
                  .Int(2, static_cast<int64_t>(info_.items))
                  .Blob(3, directory)
                  .Int(4, info_.chunk_items)
                  .Run());
    if (connection_->changes() != 1) {
        return Status::Error(Code::kNotFound, "%s was swept away while it was built",
                             info_.Name().c_str());
    }
    return {};
}

namespace {

Status ChunkError(const PartInfo& part, size_t chunk, const char* what) {
    return Status::Error(Code::kCorrupt, "%s, chunk %zu: %s", part.Name().c_str(), chunk, what);
}

// A damaged page, too, is told as damage of what it holds.
Result<bool> StepTo(Statement* rows, const PartInfo& part, size_t chunk) {
    Result<bool> there = rows->Step();
    if (there.ok()) {
        return there;
    }
    Status status = there.status();
    if (status.code() == Code::kCorrupt) {
        status.WithContext(part.Name() + ", chunk " + std::to_string(chunk));
    }
    return status;
}

}  // namespace

Status DecodeChunk(const PartInfo& part, size_t chunk, BytesView stored, char* out) {
    const ChunkInfo& info = part.chunks[chunk];
    const uint64_t hash = Hash64(stored, static_cast<uint64_t>(ChunkId(part.id, chunk)));
    const bool sound = hash == info.hash || TestFault(Fault::kChunkUnchecked);
    if (stored.size() != info.stored_bytes || !sound) {
        return ChunkError(part, chunk, "checksum is wrong");
    }
    Status status = Decode(info.codec, stored, out, info.raw_bytes);
    return status.ok() ? status
                       : status.WithContext(part.Name() + ", chunk " + std::to_string(chunk));
}

Status ReadChunk(Connection* connection, const PartInfo& part, size_t chunk, char* out) {
    QUERN_ASSIGN(Statement row, connection->Prepare("SELECT data FROM quern_chunk WHERE id=?1"));
    row.Int(1, ChunkId(part.id, chunk));
    QUERN_ASSIGN(const bool there, StepTo(&row, part, chunk));
    connection->CountChunk();
    return there ? DecodeChunk(part, chunk, row.ColumnBytes(0), out)
                 : ChunkError(part, chunk, "missing");
}

Status ForChunks(Connection* connection, const PartInfo& part, size_t first, size_t last,
                 const std::function<Status(size_t chunk, BytesView stored)>& take) {
    QUERN_ASSIGN(
        Statement rows,
        connection->Prepare("SELECT id, data FROM quern_chunk WHERE id>=?1 AND id<?2 ORDER BY id"));
    rows.Int(1, ChunkId(part.id, first)).Int(2, ChunkId(part.id, last));
    for (size_t chunk = first; chunk < last; chunk++) {
        QUERN_ASSIGN(const bool there, StepTo(&rows, part, chunk));
        if (!there || rows.ColumnInt(0) != ChunkId(part.id, chunk)) {
            return ChunkError(part, chunk, "missing");
        }
        connection->CountChunk();
        QUERN_TRY(take(chunk, rows.ColumnBytes(1)));
    }
    return {};
}

}  // namespace quern::storage
