#include "engine/db/index_writer.h"

#include <algorithm>

namespace quern {

namespace {

using storage::PartKind;

constexpr uint64_t kSliceBytes = uint64_t{4} << 20;  // of one write transaction

// Every index part that a field may have, of any kind.
bool IsIndexPart(const storage::PartInfo& part) {
    return (part.kind >= PartKind::kGraphHead && part.kind <= PartKind::kTextPositions) ||
           (part.kind >= PartKind::kApproximateHead && part.kind <= PartKind::kApproximateCurve);
}

}  // namespace

Status IndexWriter::Write(const Arrays& arrays) {
    return Write(
        {{field_, arrays}},
        [&](storage::Connection* connection, const Schema&, const storage::SegmentInfo& segment,
            const storage::CollectionState&) -> Result<bool> {
            // An index that was damaged makes room for the new one.
            for (const storage::PartInfo& part : segment.parts) {
                if (part.field == field_ && IsIndexPart(part)) {
                    QUERN_TRY(storage::RemovePart(connection, part));
                }
            }
            return true;
        });
}

Status IndexWriter::Write(const std::vector<OfField>& of_fields, const MakeRoom& room) {
    const Status status = WriteAll(of_fields, room);
    slice_.reset();
    if ((!status.ok() || overtaken_) && begun_) {
        Abandon();
    }
    return overtaken_ ? Status() : status;
}

// A transaction in which the collection is still there.
Result<Database::WriteStart> IndexWriter::BeginWrite() {
    QUERN_ASSIGN(Database::WriteStart start, database_->BeginWrite());
    if (start.catalog->Find(collection_) == nullptr) {
        overtaken_ = true;
        return Status::Error(Code::kNotFound, "the collection was dropped");
    }
    return Result<Database::WriteStart>(std::move(start));
}

Status IndexWriter::WriteAll(const std::vector<OfField>& of_fields, const MakeRoom& room) {
    for (const OfField& of_field : of_fields) {
        for (const auto& [kind, array] : of_field.arrays) {
            QUERN_TRY(WriteArray(of_field.field, kind, array));
            QUERN_TRY(work_->Check("write index", 0, 0));
        }
    }
    QUERN_TRY(EndSlice());
    return HandOver(room);
}

Status IndexWriter::EndSlice() {
    if (slice_) {
        QUERN_TRY(slice_->writer->Commit());
        begun_ = true;
        slice_.reset();
        database_->store()->LetOthersWrite();
    }
    return {};
}

Status IndexWriter::HandOver(const MakeRoom& room) {
    QUERN_ASSIGN(Database::WriteStart start, BeginWrite());
    storage::Connection* connection = start.writer->connection();
    const auto info = start.catalog->Find(collection_);
    QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
    QUERN_ASSIGN(const auto segments,
                 storage::ReadSegments(connection, info->id, storage::SegmentState::kLive));
    for (const storage::SegmentInfo& segment : segments) {
        if (segment.id == segment_) {
            QUERN_ASSIGN(const bool wanted, room(connection, info->schema, segment, state));
            overtaken_ = !wanted;
        }
    }
    if (overtaken_) {
        return {};
    }
    const Status moved = storage::MoveParts(connection, building_, segment_);
    overtaken_ = moved.code() == Code::kNotFound;
    QUERN_TRY(moved);
    QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
    QUERN_TRY(storage::WriteState(connection, info->id, state));
    return start.writer->Commit();
}

Status IndexWriter::WriteArray(uint32_t field, PartKind kind, const dense::IndexArrayView& array) {
    std::optional<storage::PartWriter> writer;
    for (uint64_t done = 0; done < array.items;) {
        if (!slice_) {
            QUERN_ASSIGN(Database::WriteStart start, BeginWrite());
            slice_.emplace(std::move(start));
            slice_bytes_ = 0;
        }
        storage::Connection* connection = slice_->writer->connection();
        if (building_ == 0) {
            const auto info = slice_->catalog->Find(collection_);
            QUERN_ASSIGN(building_, storage::CreateSegment(connection, info->id, mark_.text()));
        }
        if (!writer) {
            QUERN_ASSIGN(writer, storage::PartWriter::Create(connection, building_, field, kind,
                                                             array.item_bytes, array.element_bytes,
                                                             generation_, storage::Effort::kLoad));
        }
        const uint64_t room = (kSliceBytes - slice_bytes_) / array.item_bytes;
        const uint64_t count = std::min(std::max<uint64_t>(1, room), array.items - done);
        QUERN_TRY(writer->Append(array.data + done * array.item_bytes, static_cast<size_t>(count)));
        done += count;
        slice_bytes_ += count * array.item_bytes;
        if (done == array.items) {
            QUERN_TRY(writer->Finish());
        }
        if (slice_bytes_ >= kSliceBytes) {
            QUERN_TRY(EndSlice());
            QUERN_TRY(work_->Check("write index", done, array.items));
        }
    }
    return {};
}

void IndexWriter::Abandon() {
    Result<Database::WriteStart> start = database_->BeginWrite();
    if (start.ok() && storage::AbandonSegment(start->writer->connection(), building_).ok()) {
        static_cast<void>(start->writer->Commit().ok());
    }
}

}  // namespace quern
