// Maintenance: what keeps a file small and fast: sealing, merging, giving space back; and
// whole-file work.
#include <algorithm>

#include "engine/db/builder_mark.h"
#include "engine/db/database.h"
#include "engine/db/index_builder.h"
#include "engine/db/merger.h"
#include "engine/db/old_graphs.h"
#include "engine/db/sealer.h"
#include "engine/db/segment_builder.h"
#include "engine/kernels/distance.h"
#include "storage/file_mender.h"

namespace quern {

namespace {

// A committing thread does not wait for larger merges than this (about a second); optimize and
// background workers do them.
constexpr uint64_t kForegroundMergeBytes = uint64_t{128} << 20;
// After one commit; others' commits may ask for more all the time. The next one goes on.
constexpr int kMergesMax = 16;
constexpr int kReturnPages = 512;  // of one transaction: 8 MiB
constexpr double kMergeBytesPerMs =
    40e3;  // first guess for time-boxed work; measured merges correct it

Result<std::shared_ptr<const CollectionView>> ViewNow(Database* database,
                                                      const std::string& collection) {
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
    return snapshot->View(collection);
}

Status SealNow(Database* database, const std::string& collection, Work* work) {
    QUERN_ASSIGN(Database::WriteStart start, database->BeginWrite());
    const auto info = start.catalog->Find(collection);
    if (info == nullptr) {
        return {};  // dropped meanwhile
    }
    bool sealed = false;
    QUERN_TRY(SealLog(database, start.writer->connection(), info, work, &sealed));
    return sealed ? start.writer->Commit() : Status();
}

// For the index of the segment that a merge will make. Segments that are gone already have none to
// keep.
Status KeepGraphs(Database* database, const std::string& collection, const MergePlan& plan,
                  OldGraphs* graphs, Work* work) {
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
    QUERN_ASSIGN(const auto view, snapshot->View(collection));
    return snapshot->With([&](storage::Connection* connection) {
        return graphs->Keep(connection, *view, plan.segments, work);
    });
}

// Optimizes one collection within the deadline of work.
class Optimizer {
public:
    Optimizer(Database* database, std::string collection, OldGraphs* graphs, Work* work)
        : database_(database), collection_(std::move(collection)), graphs_(graphs), work_(work) {}

    Status Run() {
        // Others write meanwhile, and as fast as this may be they can be faster: one seal, one
        // merge of everything there is then, and what comes later is for a later call.
        QUERN_TRY(SealNow(database_, collection_, work_));
        int overtaken = 0;
        while (!work_->PastDeadline()) {
            std::shared_ptr<const CollectionView> view;
            MergePlan plan;
            {
                QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
                QUERN_ASSIGN(view, snapshot->View(collection_));
                QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
                    QUERN_ASSIGN(plan, PlanWhole(connection, *view));
                    return {};
                }));
            }
            if (plan.segments.empty()) {
                return {};
            }
            const bool whole = Fits(plan.bytes);
            if (!whole) {
                // There is a deadline, so this comes to an end. Not the whole: then the small ones,
                // which are many. Less than that is left for a longer call.
                plan = PlanTiers(*view, BytesThatFit());
                if (plan.segments.empty()) {
                    return {};
                }
            }
            QUERN_TRY(KeepGraphs(database_, collection_, plan, graphs_, work_));
            const auto before = std::chrono::steady_clock::now();
            bool merged = false;
            QUERN_TRY(Merge(database_, plan, work_, &merged));
            const std::chrono::duration<double, std::milli> took =
                std::chrono::steady_clock::now() - before;
            if (merged && plan.bytes > (1u << 20)) {
                bytes_per_ms_ =
                    std::max(1.0, static_cast<double>(plan.bytes) / std::max(took.count(), 0.1));
            }
            QUERN_TRY(SweepGarbage(database_, work_));
            if (merged ? whole : ++overtaken == kOvertakenMax) {
                return {};
            }
        }
        return {};
    }

private:
    uint64_t BytesThatFit() const {
        const double left = std::chrono::duration<double, std::milli>(work_->TimeLeft()).count();
        return left <= 0 ? 0 : static_cast<uint64_t>(std::min(left * bytes_per_ms_, 1e18));
    }
    bool Fits(uint64_t bytes) const { return bytes <= BytesThatFit(); }

    // Another merge took some of the segments first: worth another look, but not for ever.
    static constexpr int kOvertakenMax = 5;
    Database* database_;
    std::string collection_;
    OldGraphs* graphs_;
    Work* work_;
    double bytes_per_ms_ = kMergeBytesPerMs;
};

}  // namespace

Status Database::Maintain(const std::string& collection, bool foreground) {
    Work work = NewWork();
    OldGraphs graphs;
    Result<std::shared_ptr<const CollectionView>> view = ViewNow(this, collection);
    if (view.status().code() != Code::kNotFound) {
        QUERN_TRY(view.status());
        const auto rows = static_cast<uint64_t>(options_.seal_rows);
        const auto bytes = static_cast<uint64_t>(options_.seal_bytes);
        if ((*view)->mirror->entry_count() >= rows || (*view)->mirror->bytes() >= bytes) {
            QUERN_TRY(InCollection(*(*view)->info, SealNow(this, collection, &work)));
            QUERN_ASSIGN(*view, ViewNow(this, collection));
        }
        for (int merges = 0; merges < kMergesMax; merges++) {
            const MergePlan plan =
                PlanTiers(**view, foreground ? kForegroundMergeBytes : UINT64_MAX);
            if (plan.segments.empty()) {
                break;
            }
            if (!foreground) {
                QUERN_TRY(KeepGraphs(this, collection, plan, &graphs, &work));
            }
            bool merged = false;
            QUERN_TRY(InCollection(*plan.info, Merge(this, plan, &work, &merged)));
            if (!merged) {
                break;  // somebody else is at it
            }
            QUERN_ASSIGN(*view, ViewNow(this, collection));
        }
    }
    // A committing thread does not wait for an index either.
    if (!foreground) {
        const Status indexed = BuildIndexes(this, collection, {}, &graphs, &work);
        if (indexed.code() != Code::kNotFound) {
            QUERN_TRY(indexed);
        }
    }
    return SweepGarbage(this, &work);
}

Status Database::Optimize(const std::string* collection, uint32_t max_ms) {
    Work work = NewWork();
    if (max_ms > 0) {
        work.SetDeadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(max_ms));
    }
    QUERN_ASSIGN(const auto infos, Collections(collection));
    for (const auto& info : infos) {
        OldGraphs graphs;
        const Status status =
            InCollection(*info, Optimizer(this, info->name, &graphs, &work).Run());
        if (status.code() != Code::kNotFound) {  // dropped meanwhile
            QUERN_TRY(status);
        }
        IndexBuildRules rules;
        rules.renew_columns = true;
        const Status indexed = BuildIndexes(this, info->name, rules, &graphs, &work);
        if (indexed.code() != Code::kNotFound) {
            QUERN_TRY(indexed);
        }
    }
    QUERN_TRY(SweepGarbage(this, &work));
    // Others may free pages as fast as these are given back.
    QUERN_ASSIGN(const storage::FileFigures figures, store_->Figures());
    const int64_t rounds = figures.free_pages / kReturnPages + 1;
    for (int64_t round = 0; round < rounds && !work.PastDeadline(); round++) {
        QUERN_ASSIGN(const bool done, store_->ReturnFreePages(kReturnPages));
        if (done) {
            break;
        }
        QUERN_TRY(work.Check("give space back", 0, 0));
        store_->LetOthersWrite();
    }
    return store_->Checkpoint();
}

Status Database::Vacuum() {
    Work work = NewWork();
    QUERN_TRY(SweepGarbage(this, &work));
    return store_->Vacuum(&work);
}

Status Database::Backup(const std::string& path) {
    Work work = NewWork();
    return store_->Backup(path, &work);
}

namespace {

// Whether the norms part of a field says what the vectors say.
Result<bool> NormsAreRight(storage::Connection* connection, const Segment& segment,
                           const DenseDef& def, const std::vector<float>& right) {
    const storage::PartInfo* part = segment.info().Find(storage::PartKind::kNorms, def.id);
    if (part == nullptr || part->item_bytes != sizeof(float) || part->items != right.size()) {
        return false;
    }
    std::vector<float> stored(right.size());
    const Status status =
        ReadPart(connection, *part, reinterpret_cast<char*>(stored.data()), nullptr);
    if (status.code() == Code::kCorrupt) {
        return false;
    }
    QUERN_TRY(status);
    return std::equal(right.begin(), right.end(), stored.begin());
}

Status RebuildCollection(Database* database, const std::string& collection, Work* work) {
    QUERN_ASSIGN(Database::WriteStart start, database->BeginWrite());
    storage::Connection* connection = start.writer->connection();
    const auto info = start.catalog->Find(collection);
    if (info == nullptr) {
        return {};
    }
    QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
    QUERN_ASSIGN(const auto view, BuildView(connection, info, state, nullptr, database->budget()));
    bool changed = false;
    for (const auto& segment : view->segments) {
        for (const DenseDef& def : info->schema.dense) {
            QUERN_ASSIGN(const bool renewed, RenewHeldElement(connection, segment->info(), def,
                                                              state.generation, work));
            changed = changed || renewed;
            const storage::PartInfo* vectors =
                segment->info().Find(storage::PartKind::kVectors, def.id);
            if (def.metric != Metric::kCosine || vectors == nullptr) {
                continue;
            }
            std::vector<float> norms(vectors->items);
            Bytes chunk;
            size_t done = 0;
            for (size_t c = 0; c < vectors->chunks.size(); c++) {
                chunk.resize(vectors->chunks[c].raw_bytes);
                QUERN_TRY(storage::ReadChunk(connection, *vectors, c, chunk.data()));
                const size_t count = chunk.size() / def.row_bytes();
                kernels::InverseNorms(def.element, chunk.data(), count, def.dim,
                                      norms.data() + done);
                done += count;
                QUERN_TRY(work->Check("rebuild", done, vectors->items));
            }
            QUERN_ASSIGN(const bool right, NormsAreRight(connection, *segment, def, norms));
            if (right) {
                continue;
            }
            if (const storage::PartInfo* old =
                    segment->info().Find(storage::PartKind::kNorms, def.id)) {
                QUERN_TRY(storage::RemovePart(connection, *old));
            }
            QUERN_TRY(WriteNorms(connection, segment->info().id, def.id, norms, state.generation));
            changed = true;
        }
    }
    if (!changed) {
        return {};
    }
    QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
    QUERN_TRY(storage::WriteState(connection, info->id, state));
    return start.writer->Commit();
}

// Of two outcomes the first that failed.
void Keep(const Status& status, Status* first) {
    *first = first->ok() ? status : *first;
}

// Damage of one collection, or of records themselves, keeps nothing else from being made anew.
Status RebuildAll(Database* database, const std::string* collection, Work* work) {
    Status first;
    QUERN_ASSIGN(const auto infos, database->Collections(collection));
    for (const auto& info : infos) {
        IndexBuildRules rules;
        rules.check_present = true;
        rules.renew_columns = true;
        for (const Status& status :
             {InCollection(*info, RebuildCollection(database, info->name, work)),
              InCollection(*info, BuildIndexes(database, info->name, rules, nullptr, work))}) {
            if (status.code() == Code::kCorrupt) {
                Keep(status, &first);
            } else if (status.code() != Code::kNotFound) {  // dropped meanwhile
                QUERN_TRY(status);
            }
        }
    }
    return first;
}

Status TellLost(const std::vector<std::string>& lost) {
    constexpr size_t kNamed = 3;
    std::string names;
    for (size_t i = 0; i < lost.size() && i < kNamed; i++) {
        names.append(i == 0 ? "" : "; ").append(lost[i]);
    }
    if (lost.size() > kNamed) {
        names += "; and " + std::to_string(lost.size() - kNamed) + " more chunks";
    }
    return Status::Error(Code::kCorrupt,
                         "rebuild: all that can be made anew was, but this is lost: %s",
                         names.c_str());
}

// *lost: what is gone for good, a line each.
Status MendAndRebuild(Database* database, const std::string* collection,
                      std::vector<std::string>* lost, Work* work) {
    storage::FileStore* const store = database->store();
    QUERN_ASSIGN(storage::ChunkTable table, storage::CheckChunkTable(store, work));
    if (table == storage::ChunkTable::kBroken) {
        QUERN_TRY(storage::MendChunkTable(store, work, lost));
    }
    QUERN_TRY(storage::MendIndexes(store, work));
    Status status = RebuildAll(database, collection, work);
    if (table == storage::ChunkTable::kHoles && (status.ok() || status.code() == Code::kCorrupt)) {
        // What was made anew took its damaged pages away, unless even that was too much.
        QUERN_ASSIGN(table, storage::CheckChunkTable(store, work));
        if (table != storage::ChunkTable::kSound) {
            QUERN_TRY(storage::MendChunkTable(store, work, lost));
            status = RebuildAll(database, collection, work);
        }
    }
    if (status.ok() || status.code() == Code::kCorrupt) {
        // Damaged pages of what was made anew hold nothing now.
        QUERN_TRY(store->MendFreePages());
        Keep(storage::MendUnusedPages(store, work), &status);
    }
    return status;
}

}  // namespace

Status Database::Rebuild(const std::string* collection) {
    Work work = NewWork();
    std::vector<std::string> lost;
    const Status status = MendAndRebuild(this, collection, &lost, &work);
    if (!lost.empty() && (status.ok() || status.code() == Code::kCorrupt)) {
        return TellLost(lost);
    }
    if (status.code() == Code::kCorrupt) {
        // A page alone says little: which table is it of?
        const Status table = storage::CheckTables(store_.get(), &work);
        return table.code() == Code::kCorrupt ? table : status;
    }
    return status;
}

}  // namespace quern
