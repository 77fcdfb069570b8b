// The graphs of segments that a merge is about to take away: the index of the merged segment grows
// from the largest, instead of from nothing. They live in memory only, from before the merge until
// the index is built; whoever comes without them builds anew.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "engine/db/database.h"
#include "engine/dense/graph_index.h"

namespace quern {

struct OldGraph {
    std::shared_ptr<const dense::GraphIndex> graph;
    std::vector<int64_t> row_ids;  // of its vectors; a merge keeps them
    size_t living = 0;

    // For the vectors of a segment that has taken records over. RowIds of it must have been loaded.
    dense::GraphSource SourceFor(Segment* segment, const SegmentField& field) const;
};

// By field. Confined to one thread.
class OldGraphs {
public:
    // Looks at the segments that a merge will take: of each field that has graphs, the one with the
    // most living records is kept, unless one from before has more. A graph that is damaged, or for
    // which there is no memory, is left alone.
    Status Keep(storage::Connection* connection, const CollectionView& view,
                const std::vector<int64_t>& merged, Work* work);
    // NULL: none.
    std::shared_ptr<const OldGraph> Of(uint32_t field) const {
        const auto found = graphs_.find(field);
        return found != graphs_.end() ? found->second : nullptr;
    }
    void Drop(uint32_t field) { graphs_.erase(field); }

private:
    std::map<uint32_t, std::shared_ptr<const OldGraph>> graphs_;
};

}  // namespace quern
