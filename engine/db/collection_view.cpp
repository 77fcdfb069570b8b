#include "engine/db/collection_view.h"

#include <algorithm>

#include "engine/db/attr_parts.h"
#include "engine/db/leg_nodes.h"
#include "storage/base/test_fault.h"

namespace quern {

Result<CollectionView::Dead> CollectionView::DeadOf(storage::Connection* connection,
                                                    size_t segment) const {
    if (matches != nullptr) {
        return matches->segments[segment];
    }
    return DeletedOf(connection, segment);
}

Result<CollectionView::Dead> CollectionView::DeletedOf(storage::Connection* connection,
                                                       size_t segment) const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!dead_) {
        dead_ = AllDead();
    }
    if (dead_->empty()) {
        return Dead{};
    }
    dead_bits_.resize(segments.size());
    if (!dead_bits_[segment]) {
        QUERN_ASSIGN(const int64_t* const ids, segments[segment]->RowIds(connection));
        static_cast<void>(ids);
        Dead found;
        found.bits = segments[segment]->BitsOf(*dead_, &found.count);
        dead_bits_[segment] = std::move(found);
    }
    return *dead_bits_[segment];
}

std::shared_ptr<const IndexLeg> CollectionView::KnownLeg(size_t segment, uint32_t field) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = legs_.find({segment, field});
    return found == legs_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<const IndexLeg>> CollectionView::LoadLeg(storage::Connection* connection,
                                                                size_t segment, const DenseDef& def,
                                                                Work* work,
                                                                uint64_t bytes_max) const {
    const std::shared_ptr<const IndexLeg> none;
    auto leg = std::make_shared<IndexLeg>();
    QUERN_ASSIGN(const Segment::IndexState loaded, segments[segment]->Index(connection, def, work));
    if ((loaded.index == nullptr && loaded.lists == nullptr) || loaded.damaged) {
        return none;
    }
    leg->index = loaded.index.get();
    leg->lists = loaded.lists;
    const bool needs_rows = leg->index != nullptr && leg->index->needs_rows();
    QUERN_ASSIGN(leg->field,
                 needs_rows ? segments[segment]->Field(connection, def, work, bytes_max)
                            : segments[segment]->FieldForLooks(connection, def, work, bytes_max));
    if (needs_rows && !leg->field->resident) {
        if (bytes_max == Segment::kAllBytes) {
            segments[segment]->NoteIndexNeeds(leg->field->BytesToKeep(def));
        }
        return none;
    }
    QUERN_ASSIGN(leg->dead, DeadOf(connection, segment));
    const size_t count = leg->field->count();
    if (leg->field->records.empty()) {
        leg->alive = count - std::min(count, leg->dead.count);
    } else {
        for (uint32_t node = 0; node < count; node++) {
            leg->alive += leg->Alive(node) ? 1 : 0;
        }
    }
    if (matches != nullptr && leg->dead.bits != nullptr) {
        QUERN_ASSIGN(const Dead deleted, DeletedOf(connection, segment));
        if (leg->dead.count > deleted.count) {
            leg->FillWanted();
        }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    return legs_.emplace(std::make_pair(segment, def.id), leg).first->second;
}

void IndexLeg::FillWanted() {
    wanted = NodesToFind(*this);
}

namespace {
// A bit a record each.
constexpr size_t kMatchingViewsMax = 8;
}  // namespace

std::shared_ptr<const CollectionView> CollectionView::KnownMatches(
    const std::string& filter) const {
    std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < matching_.size(); i++) {
        if (matching_[i].first == filter) {
            std::rotate(matching_.begin() + static_cast<ptrdiff_t>(i),
                        matching_.begin() + static_cast<ptrdiff_t>(i) + 1, matching_.end());
            return matching_.back().second;
        }
    }
    return nullptr;
}

void CollectionView::RememberMatches(const std::string& filter,
                                     std::shared_ptr<const CollectionView> matching) const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (matching_.size() == kMatchingViewsMax) {
        matching_.erase(matching_.begin());
    }
    matching_.emplace_back(filter, std::move(matching));
}

Result<TokenTable*> CollectionView::Tokens(const SparseDef& def) const {
    const auto table = token_tables.find(def.id);
    if (table == token_tables.end()) {
        return Status::Error(Code::kInvalid,
                             "field '%s' has no token weights: it cannot be searched by texts",
                             def.name.c_str());
    }
    return table->second.get();
}

std::shared_ptr<const CollectionView> MatchingView(const CollectionView& view,
                                                   std::shared_ptr<const RecordMatches> matches) {
    auto matching = std::make_shared<CollectionView>();
    matching->info = view.info;
    matching->state = view.state;
    matching->mirror = view.mirror;
    matching->segments = view.segments;
    matching->attr_parts = view.attr_parts;
    matching->token_tables = view.token_tables;
    matching->sealed_dead = view.sealed_dead;
    matching->log = view.log->Matching(matches->log);
    matching->matches = std::move(matches);
    return matching;
}

std::vector<int64_t> CollectionView::AllDead() const {
    std::vector<int64_t> dead = mirror->SealedDead(log->last);
    if (!TestFault(Fault::kSealedDeadSeen)) {
        dead.insert(dead.end(), sealed_dead->begin(), sealed_dead->end());
    }
    std::sort(dead.begin(), dead.end());
    dead.erase(std::unique(dead.begin(), dead.end()), dead.end());
    return dead;
}

Result<std::optional<CollectionView::Place>> CollectionView::Locate(storage::Connection* connection,
                                                                    int64_t rid) const {
    for (size_t i = 0; i < segments.size(); i++) {
        QUERN_ASSIGN(const int64_t* const ids, segments[i]->RowIds(connection));
        static_cast<void>(ids);
        if (const std::optional<uint32_t> record = segments[i]->RecordOf(rid)) {
            return std::optional<Place>(Place{i, *record});
        }
    }
    return std::optional<Place>();
}

Status InCollection(const storage::CollectionInfo& info, Status status) {
    return status.code() == Code::kCorrupt ? status.WithContext("collection '" + info.name + "'")
                                           : status;
}

namespace {

// Columns of attributes are no business of a segment: what is loaded of it survives them.
bool SameParts(const storage::SegmentInfo& a, const storage::SegmentInfo& b) {
    const auto ids = [](const storage::SegmentInfo& segment) {
        std::vector<int64_t> list;
        for (const storage::PartInfo& part : segment.parts) {
            if (!storage::IsColumnPart(part.kind)) {
                list.push_back(part.id);
            }
        }
        return list;
    };
    return a.id == b.id && (ids(a) == ids(b) || TestFault(Fault::kOldPartsKept));
}

// Those of `older` are taken over with what is loaded of them.
Status LoadTables(storage::Connection* connection, const CollectionView* older,
                  const std::shared_ptr<MemoryBudget>& budget, CollectionView* view,
                  uint64_t* layout) {
    QUERN_ASSIGN(const auto tables,
                 storage::ReadSegments(connection, view->info->id, storage::SegmentState::kTable,
                                       &view->info->schema));
    for (const storage::SegmentInfo& table : tables) {
        *layout += table.LayoutHash();
        for (const storage::PartInfo& part : table.parts) {
            if (part.kind != storage::PartKind::kTokenWeights) {
                continue;
            }
            std::shared_ptr<TokenTable>& place = view->token_tables[part.field];
            if (place != nullptr) {
                return Status::Error(Code::kCorrupt, "%s: the field has another table already",
                                     part.Name().c_str());
            }
            if (older != nullptr && older->info->id == view->info->id) {
                const auto known = older->token_tables.find(part.field);
                if (known != older->token_tables.end() && known->second->part().id == part.id) {
                    place = known->second;
                    continue;
                }
            }
            place = std::make_shared<TokenTable>(part, budget);
        }
    }
    return {};
}

// Fills view->segments for its info and state. Segments that `older` has are taken over with all
// that is loaded of them; a rebuilt derived part changes the parts of a segment, not its id.
Status LoadSegments(storage::Connection* connection, const CollectionView* older,
                    const std::shared_ptr<MemoryBudget>& budget, CollectionView* view) {
    const std::string name = "collection '" + view->info->name + "'";
    Result<std::vector<storage::SegmentInfo>> rows = storage::ReadSegments(
        connection, view->info->id, storage::SegmentState::kLive, &view->info->schema);
    if (!rows.ok()) {
        return rows.status().WithContext(name);
    }
    uint64_t layout = 0;
    for (storage::SegmentInfo& row : *rows) {
        layout += row.LayoutHash();
        view->attr_parts.push_back(AttrParts::Of(row, view->state.epoch));
        std::shared_ptr<Segment> segment;
        if (older != nullptr && older->info->id == view->info->id) {
            for (const auto& known : older->segments) {
                segment = SameParts(known->info(), row) ? known : segment;
            }
        }
        view->segments.push_back(segment ? segment
                                         : std::make_shared<Segment>(std::move(row), budget));
    }
    Status tables = LoadTables(connection, older, budget, view, &layout);
    if (!tables.ok()) {
        return tables.WithContext(name);
    }
    if (layout != view->state.layout && !TestFault(Fault::kLayoutUnchecked)) {
        return Status::Error(
            Code::kCorrupt, "%s: the list of its segments does not match its digest", name.c_str());
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<const CollectionView>> BuildSegments(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, const CollectionView* older,
    std::shared_ptr<MemoryBudget> budget) {
    auto view = std::make_shared<CollectionView>();
    view->info = info;
    view->state = state;
    QUERN_TRY(LoadSegments(connection, older, budget, view.get()));
    return std::shared_ptr<const CollectionView>(view);
}

Result<std::shared_ptr<const CollectionView>> BuildView(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, const CollectionView* older,
    std::shared_ptr<MemoryBudget> budget) {
    auto view = std::make_shared<CollectionView>();
    view->info = info;
    view->state = state;
    const bool same_epoch =
        older != nullptr && older->info == info && older->state.epoch == state.epoch;
    const std::string name = "collection '" + info->name + "'";
    if (same_epoch) {
        view->mirror = older->mirror;
        view->segments = older->segments;
        view->attr_parts = older->attr_parts;
        view->token_tables = older->token_tables;
        Status status = view->mirror->CatchUp(connection, state);
        if (!status.ok()) {
            return status.WithContext(name);
        }
    } else {
        Result<std::shared_ptr<LogMirror>> mirror =
            LogMirror::Load(connection, info, state, budget->log);
        if (!mirror.ok()) {
            return mirror.status().WithContext(name);
        }
        view->mirror = *mirror;
        QUERN_TRY(LoadSegments(connection, older, budget, view.get()));
    }
    view->log = view->mirror->View(state);
    if (same_epoch) {
        view->sealed_dead = older->sealed_dead;
        return std::shared_ptr<const CollectionView>(view);
    }
    auto dead = std::make_shared<std::vector<int64_t>>();
    QUERN_ASSIGN(
        storage::Statement rows,
        connection->Prepare("SELECT rid FROM quern_dead WHERE collection=?1 ORDER BY rid"));
    rows.Int(1, info->id);
    while (true) {
        QUERN_ASSIGN(const bool there, rows.Step());
        if (!there) {
            break;
        }
        dead->push_back(rows.ColumnInt(0));
    }
    view->sealed_dead = dead;
    return std::shared_ptr<const CollectionView>(view);
}

Result<std::shared_ptr<LogMirror>> CollectionCache::Mirror(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, std::shared_ptr<MemoryBudget> budget) {
    std::shared_ptr<const CollectionView> newest;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        newest = newest_;
    }
    if (newest && newest->info == info && newest->state.epoch == state.epoch) {
        QUERN_TRY(newest->mirror->CatchUp(connection, state));
        return newest->mirror;
    }
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view, View(connection, info, budget));
    return view->mirror;
}

Result<std::shared_ptr<const CollectionView>> CollectionCache::View(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    std::shared_ptr<MemoryBudget> budget) {
    QUERN_ASSIGN(const storage::CollectionState state, storage::ReadState(connection, info->id));
    std::shared_ptr<const CollectionView> newest;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        newest = newest_;
    }
    if (newest && newest->state.epoch == state.epoch && newest->state.log_last == state.log_last &&
        newest->info == info) {
        return newest;
    }
    // A newer epoch or another schema reads the log anew and keeps the segments that are still
    // there.
    const bool usable = newest && newest->state.epoch <= state.epoch;
    QUERN_ASSIGN(std::shared_ptr<const CollectionView> view,
                 BuildView(connection, info, state, usable ? newest.get() : nullptr, budget));
    std::lock_guard<std::mutex> lock(mutex_);
    const bool newer =
        !newest_ || newest_->info->id != info->id || newest_->state.epoch < state.epoch ||
        (newest_->state.epoch == state.epoch && newest_->state.log_last <= state.log_last);
    if (newer) {
        newest_ = view;
    }
    return view;
}

}  // namespace quern
