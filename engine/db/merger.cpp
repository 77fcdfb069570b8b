#include "engine/db/merger.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>

#include "engine/db/builder_mark.h"
#include "engine/db/segment_builder.h"
#include "storage/base/test_fault.h"
#include "storage/record_table.h"

namespace quern {

namespace {

constexpr size_t kTierSegments = 8;  // each byte is rewritten once per factor of eight in size
constexpr uint64_t kMergeSliceBytes = uint64_t{4}
                                      << 20;  // of one write transaction: a few milliseconds
constexpr uint64_t kSliceRecords = 20000;
constexpr uint64_t kSweepBytes = uint64_t{8} << 20;
constexpr const char* kBestMark = "best";
constexpr size_t kChunkSlotsMax = 32;  // of one source: 8 MiB

// One segment on its way through a merge.
struct MergeSource {
    std::shared_ptr<Segment> segment;
    const int64_t* row_ids = nullptr;
    uint32_t next = 0;
    Key key;  // of the record at `next`
    std::unique_ptr<ChunkCache> chunks;
};

class Merger {
public:
    Merger(Database* database, const MergePlan& plan, Work* work)
        : database_(database), plan_(plan), work_(work) {}

    Status Run(bool* merged) {
        *merged = false;
        Status status = Build();
        if (status.ok() && TestFault(Fault::kRetireEarly)) {
            status = RetireEarly();
        }
        if (status.ok()) {
            status = Publish(merged);
        }
        if (builder_ && !*merged) {
            // Whatever stopped it: what it wrote is garbage now. If this fails, too, the next sweep
            // finds it by its mark.
            Result<Database::WriteStart> start = database_->BeginWrite();
            if (start.ok() &&
                storage::AbandonSegment(start->writer->connection(), builder_->id()).ok()) {
                static_cast<void>(start->writer->Commit().ok());
            }
        }
        // Overtaken by another merge or a change of the schema: not an error.
        return overtaken_ ? Status() : status;
    }

private:
    Status Overtaken() {
        overtaken_ = true;
        return Status::Error(Code::kInterrupted, "merge: overtaken");
    }

    // The view of the collection, if the segments are still those of the plan.
    Status Look(const Database::WriteStart& start) {
        if (catalog_epoch_ == -1) {
            catalog_epoch_ = start.catalog->epoch;
        }
        const auto info = start.catalog->Find(plan_.info->name);
        if (start.catalog->epoch != catalog_epoch_ || info == nullptr ||
            info->id != plan_.info->id || !(info->schema == plan_.info->schema)) {
            return Overtaken();
        }
        info_ = info;
        // Somebody else may have merged one of the sources and swept its chunks away since the last
        // slice: missing they are then, but not lost.
        for (const MergeSource& source : sources_) {
            QUERN_ASSIGN(const bool live,
                         storage::IsLive(start.writer->connection(), source.segment->info().id));
            if (!live && !TestFault(Fault::kRetireEarly)) {
                return Overtaken();
            }
        }
        return {};
    }

    Status Build() {
        bool first = true;
        bool more = true;
        while (more) {
            QUERN_ASSIGN(Database::WriteStart start, database_->BeginWrite());
            storage::Connection* connection = start.writer->connection();
            QUERN_TRY(Look(start));
            if (first) {
                QUERN_TRY(OpenSources(connection));
                if (overtaken_) {
                    return Overtaken();
                }
                first = false;
            }
            QUERN_ASSIGN(more, Slice(connection));
            QUERN_TRY(start.writer->Commit());
            database_->store()->LetOthersWrite();
        }
        return {};
    }

    Status OpenSources(storage::Connection* connection) {
        QUERN_ASSIGN(const auto view,
                     database_->CacheOf(info_->id)->View(connection, info_, database_->budget()));
        for (const int64_t id : plan_.segments) {
            for (const auto& segment : view->segments) {
                if (segment->info().id == id) {
                    MergeSource& source = sources_.emplace_back();
                    source.segment = segment;
                    source.chunks = std::make_unique<ChunkCache>(std::clamp(
                        2 * info_->schema.field_count(), ChunkCache::kSlots, kChunkSlotsMax));
                    total_ += segment->item_count();
                }
            }
        }
        if (sources_.size() != plan_.segments.size()) {
            overtaken_ = true;
            return {};
        }
        storage::RecordTable records(connection, *info_);
        for (size_t s = 0; s < sources_.size(); s++) {
            QUERN_ASSIGN(sources_[s].row_ids, sources_[s].segment->RowIds(connection));
            QUERN_TRY(Advance(&records, s));
        }
        QUERN_ASSIGN(builder_, SegmentBuilder::Create(connection, info_->id, info_->schema,
                                                      view->state.generation, mark_.text(),
                                                      storage::Effort::kBest));
        builder_->ShapeForLooks(total_);
        return {};
    }

    // Finds the next live record of a source and puts it into the queue.
    Status Advance(storage::RecordTable* records, size_t s) {
        MergeSource& source = sources_[s];
        for (; source.next < source.segment->item_count(); source.next++) {
            QUERN_ASSIGN(const std::optional<Key> key, records->KeyOf(source.row_ids[source.next]));
            if (key) {
                source.key = *key;
                heads_.push(s);
                return {};
            }
            dropped_.push_back(source.row_ids[source.next]);
        }
        return {};
    }

    // Writes about kMergeSliceBytes. False: all sources are through.
    Result<bool> Slice(storage::Connection* connection) {
        storage::RecordTable records(connection, *info_);
        const uint64_t start_bytes = builder_->bytes_written();
        const uint64_t start_records = done_ + dropped_.size();
        std::vector<BytesView> vectors(info_->schema.field_count());
        // A view is valid until the cache is used again, and the next field uses it.
        std::vector<Bytes> kept(vectors.size());
        while (!heads_.empty()) {
            const size_t s = heads_.top();
            MergeSource& source = sources_[s];
            const int64_t rid = source.row_ids[source.next];
            // The row may be gone since the head was looked up, in another slice.
            QUERN_ASSIGN(const std::optional<Key> key, records.KeyOf(rid));
            heads_.pop();
            if (key) {
                for (size_t f = 0; f < vectors.size(); f++) {
                    QUERN_ASSIGN(vectors[f],
                                 source.segment->Value(connection, info_->schema, f, source.next,
                                                       source.chunks.get()));
                    if (vectors[f].data() != nullptr) {
                        kept[f].assign(vectors[f]);
                        vectors[f] = kept[f];
                    }
                }
                if (!TestFault(Fault::kMergeRowLost) || done_ % 16 != 7) {
                    QUERN_TRY(builder_->Add(rid, vectors));
                }
                done_++;
            } else {
                dropped_.push_back(rid);
            }
            source.next++;
            QUERN_TRY(Advance(&records, s));
            QUERN_TRY(work_->Check("merge", done_ + dropped_.size(), total_));
            if (builder_->bytes_written() - start_bytes >= kMergeSliceBytes ||
                done_ + dropped_.size() - start_records >= kSliceRecords) {
                return !heads_.empty();
            }
        }
        return false;
    }

    // A planted fault: the old segments go in a transaction of their own.
    Status RetireEarly() {
        QUERN_ASSIGN(Database::WriteStart start, database_->BeginWrite());
        for (const MergeSource& source : sources_) {
            QUERN_TRY(
                storage::RetireSegment(start.writer->connection(), source.segment->info().id));
        }
        return start.writer->Commit();
    }

    Status Publish(bool* merged) {
        QUERN_ASSIGN(Database::WriteStart start, database_->BeginWrite());
        storage::Connection* connection = start.writer->connection();
        QUERN_TRY(Look(start));
        QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info_->id));
        for (const MergeSource& source : sources_) {
            const Status retired = storage::RetireSegment(connection, source.segment->info().id);
            if (retired.code() == Code::kNotFound && !TestFault(Fault::kRetireEarly)) {
                return Overtaken();
            }
            if (!TestFault(Fault::kRetireEarly)) {
                QUERN_TRY(retired);
            }
            state.layout -= source.segment->info().LayoutHash();
        }
        if (done_ > 0) {
            QUERN_TRY(builder_->Finish());
            const Status published = builder_->Publish(kBestMark);
            if (published.code() == Code::kNotFound) {
                return Overtaken();
            }
            QUERN_TRY(published);
            QUERN_ASSIGN(const uint64_t hash,
                         storage::ReadLayoutHash(connection, info_->id, builder_->id()));
            state.layout += hash;
        } else {
            QUERN_TRY(storage::AbandonSegment(connection, builder_->id()));
        }
        {
            // Tombstones of records that are in no segment any more.
            QUERN_ASSIGN(
                storage::Statement remove,
                connection->Prepare(TestFault(Fault::kBurialForgotten)
                                        ? "DELETE FROM quern_dead WHERE collection=?1 AND ?2=?2"
                                        : "DELETE FROM quern_dead WHERE collection=?1 AND rid=?2"));
            for (const int64_t rid : dropped_) {
                QUERN_TRY(remove.Int(1, info_->id).Int(2, rid).Run());
                remove.Again();
            }
        }
        QUERN_TRY(storage::NextEpoch(connection, info_->id, &state));
        QUERN_TRY(storage::WriteState(connection, info_->id, state));
        QUERN_TRY(start.writer->Commit());
        *merged = true;
        return {};
    }

    struct Later {
        const std::vector<MergeSource>* sources;
        bool operator()(size_t a, size_t b) const { return (*sources)[b].key < (*sources)[a].key; }
    };

    Database* database_;
    const MergePlan& plan_;
    Work* work_;
    BuilderMark mark_;
    int64_t catalog_epoch_ = -1;
    bool overtaken_ = false;
    std::shared_ptr<const storage::CollectionInfo> info_;
    std::vector<MergeSource> sources_;
    std::priority_queue<size_t, std::vector<size_t>, Later> heads_{Later{&sources_}};
    std::optional<SegmentBuilder> builder_;
    std::vector<int64_t> dropped_;
    uint64_t done_ = 0;
    uint64_t total_ = 0;
};

int Tier(uint64_t bytes) {
    // Everything below a megabyte is one tier; then factors of eight.
    return static_cast<int>(std::log2(static_cast<double>(std::max<uint64_t>(bytes, 1 << 20))) /
                            3.0);
}

}  // namespace

MergePlan PlanTiers(const CollectionView& view, uint64_t max_bytes) {
    MergePlan plan;
    plan.info = view.info;
    std::map<int, std::vector<const Segment*>> tiers;
    for (const auto& segment : view.segments) {
        tiers[Tier(segment->info().stored_bytes())].push_back(segment.get());
    }
    for (auto& [tier, segments] : tiers) {
        if (segments.size() < kTierSegments) {
            continue;
        }
        std::sort(segments.begin(), segments.end(), [](const Segment* a, const Segment* b) {
            return a->info().stored_bytes() < b->info().stored_bytes();
        });
        plan.segments.clear();
        plan.bytes = 0;
        for (const Segment* segment : segments) {
            if (plan.bytes + segment->info().stored_bytes() > max_bytes) {
                break;
            }
            plan.segments.push_back(segment->info().id);
            plan.bytes += segment->info().stored_bytes();
        }
        if (plan.segments.size() >= 2) {
            return plan;
        }
    }
    plan.segments.clear();
    return plan;
}

Result<MergePlan> PlanWhole(storage::Connection* connection, const CollectionView& view) {
    MergePlan plan;
    plan.info = view.info;
    if (view.segments.empty()) {
        return plan;
    }
    if (view.segments.size() == 1 && view.segments[0]->info().owner == kBestMark) {
        // Row ids that the log has killed may be in no segment any more: only those that are count.
        QUERN_ASSIGN(const CollectionView::Dead dead, view.DeadOf(connection, 0));
        if (dead.count == 0) {
            return plan;
        }
    }
    for (const auto& segment : view.segments) {
        plan.segments.push_back(segment->info().id);
        plan.bytes += segment->info().stored_bytes();
    }
    return plan;
}

Status Merge(Database* database, const MergePlan& plan, Work* work, bool* merged) {
    return Merger(database, plan, work).Run(merged);
}

Status SweepGarbage(Database* database, Work* work) {
    uint64_t steps = 0;
    int64_t last = 0;
    {
        QUERN_ASSIGN(std::unique_ptr<storage::Reader> reader, database->store()->BeginRead());
        QUERN_ASSIGN(const bool needed, storage::NeedsSweep(reader->connection(), BuilderIsDead));
        if (!needed) {
            return {};
        }
        // Newer segments may become garbage meanwhile, faster than they can be swept.
        QUERN_ASSIGN(last, storage::LastSegment(reader->connection()));
    }
    while (true) {
        QUERN_ASSIGN(Database::WriteStart start, database->BeginWrite());
        QUERN_ASSIGN(const bool done, storage::SweepStep(start.writer->connection(), BuilderIsDead,
                                                         last, kSweepBytes));
        QUERN_TRY(start.writer->Commit());
        if (done) {
            return {};
        }
        QUERN_TRY(work->Check("sweep", ++steps, 0));
        database->store()->LetOthersWrite();
    }
}

}  // namespace quern
