#include "engine/db/sealer.h"

#include <algorithm>

#include "engine/db/attr_parts.h"
#include "engine/db/builder_mark.h"
#include "engine/db/segment_builder.h"
#include "storage/base/test_fault.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// Sealed records that the log has killed become tombstones: their segments are immutable and still
// hold them.
Status BuryDead(storage::Connection* connection, const CollectionView& view) {
    const std::vector<int64_t> dead = view.mirror->SealedDead(view.log->last);
    if (dead.empty()) {
        return {};
    }
    QUERN_ASSIGN(storage::Statement insert,
                 connection->Prepare("INSERT OR IGNORE INTO quern_dead VALUES(?1,?2)"));
    for (const int64_t rid : dead) {
        // A merge since the kill has left the record out already: a tombstone would never go away.
        QUERN_ASSIGN(const auto place, view.Locate(connection, rid));
        const bool forgotten = TestFault(Fault::kTombstoneForgotten) ||
                               (TestFault(Fault::kBurialPartly) && place && place->record % 4 == 0);
        if (place && !forgotten) {
            QUERN_TRY(insert.Int(1, view.info->id).Int(2, rid).Run());
            insert.Again();
        }
    }
    return {};
}

}  // namespace

Status SealLog(Database* database, storage::Connection* connection,
               const std::shared_ptr<const storage::CollectionInfo>& info, Work* work,
               bool* sealed) {
    if (sealed != nullptr) {
        *sealed = false;
    }
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view,
                 database->CacheOf(info->id)->View(connection, info, database->budget()));
    storage::CollectionState state = view->state;
    if (state.log_last == 0) {
        return {};
    }
    const LogView& log = *view->log;
    std::vector<size_t> live;
    for (size_t i = 0; i < log.count; i++) {
        if (log.visible(i)) {
            live.push_back(i);
        }
    }
    std::sort(live.begin(), live.end(),
              [&](size_t a, size_t b) { return log.item(a).key < log.item(b).key; });
    const Schema& schema = info->schema;
    storage::RecordLog log_table(connection, *info);
    if (!live.empty()) {
        const BuilderMark mark;
        storage::RecordTable records(connection, *info);
        QUERN_ASSIGN(SegmentBuilder builder,
                     SegmentBuilder::Create(connection, info->id, schema, state.generation,
                                            mark.text(), storage::Effort::kFast));
        std::vector<size_t> attrs(schema.attrs.size());
        for (size_t a = 0; a < attrs.size(); a++) {
            attrs[a] = a;
        }
        std::vector<BytesView> vectors(schema.field_count());
        size_t done = 0;
        for (const size_t position : live) {
            const LogItem& item = log.item(position);
            if (TestFault(Fault::kLogEntryDropped) && done % 16 == 7) {
                done++;
                continue;
            }
            bool inserted = false;
            QUERN_ASSIGN(
                const bool there,
                log_table.ReadCells(item.rid, attrs, [&](const std::vector<Cell>& cells) -> Status {
                    QUERN_ASSIGN(inserted, records.Insert(item.rid, item.hash, item.key, cells));
                    return {};
                }));
            if (!there || !inserted) {
                return Status::Error(Code::kCorrupt, "collection '%s': record %s of the log %s",
                                     info->name.c_str(), item.key.ToString().c_str(),
                                     there ? "is sealed already" : "has no row");
            }
            for (size_t f = 0; f < vectors.size(); f++) {
                vectors[f] = log.value(position, f);
            }
            QUERN_TRY(builder.Add(item.rid, vectors));
            QUERN_TRY(work->Check("seal", ++done, live.size()));
        }
        QUERN_TRY(builder.Finish());
        QUERN_TRY(builder.Publish("fast"));
        QUERN_ASSIGN(const uint64_t hash,
                     storage::ReadLayoutHash(connection, info->id, builder.id()));
        state.layout += hash;
    }
    QUERN_TRY(BuryDead(connection, *view));
    QUERN_TRY(log_table.Clear());
    QUERN_TRY(KeepChanged(connection, *view));
    QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
    QUERN_TRY(storage::WriteState(connection, info->id, state));
    if (sealed != nullptr) {
        *sealed = true;
    }
    return {};
}

}  // namespace quern
