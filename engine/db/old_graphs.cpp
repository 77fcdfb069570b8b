#include "engine/db/old_graphs.h"

#include <algorithm>

#include "engine/db/index_options.h"

namespace quern {

dense::GraphSource OldGraph::SourceFor(Segment* segment, const SegmentField& field) const {
    dense::GraphSource source;
    source.index = graph.get();
    source.now.reserve(row_ids.size());
    for (const int64_t row_id : row_ids) {
        const std::optional<uint32_t> record = segment->RecordOf(row_id);
        const std::optional<size_t> vector = record ? field.VectorOf(*record) : std::nullopt;
        source.now.push_back(vector ? static_cast<uint32_t>(*vector) : dense::kNoNode);
    }
    return source;
}

Status OldGraphs::Keep(storage::Connection* connection, const CollectionView& view,
                       const std::vector<int64_t>& merged, Work* work) {
    for (const DenseDef& def : view.info->schema.dense) {
        if (IndexOptions::Of(def).HeadKind() != storage::PartKind::kGraphHead) {
            continue;
        }
        const std::shared_ptr<const OldGraph> kept = Of(def.id);
        size_t most = kept != nullptr ? kept->living : 0;
        size_t best = view.segments.size();
        for (size_t number = 0; number < view.segments.size(); number++) {
            const storage::SegmentInfo& info = view.segments[number]->info();
            if (info.Find(storage::PartKind::kGraphHead, def.id) == nullptr ||
                std::find(merged.begin(), merged.end(), info.id) == merged.end()) {
                continue;
            }
            QUERN_ASSIGN(const CollectionView::Dead dead, view.DeadOf(connection, number));
            const size_t living = view.segments[number]->item_count() - dead.count;
            if (living > most) {
                most = living;
                best = number;
            }
        }
        if (best == view.segments.size()) {
            continue;
        }
        Segment& segment = *view.segments[best];
        QUERN_ASSIGN(const Segment::IndexState state, segment.Index(connection, def, work));
        if (state.damaged || state.index == nullptr) {
            continue;
        }
        auto old = std::make_shared<OldGraph>();
        old->graph = state.index;
        old->living = most;
        QUERN_ASSIGN(const SegmentField* const field, segment.FieldOutline(connection, def));
        QUERN_ASSIGN(const int64_t* const row_ids, segment.RowIds(connection));
        for (size_t vector = 0; vector < field->count(); vector++) {
            old->row_ids.push_back(row_ids[field->record(vector)]);
        }
        graphs_[def.id] = std::move(old);
    }
    return {};
}

}  // namespace quern
