// One segment's graph index at work: plans the effort, walks, measures the nearest candidates with
// the stored vectors, leaves the dead out, and puts in what stands outside the graph.
#pragma once

#include <vector>

#include "engine/db/collection_view.h"
#include "engine/dense/flat.h"
#include "engine/dense/graph_index.h"

namespace quern {

class Snapshot;
struct SearchRequest;

struct Candidate {
    float distance = 0;
    uint32_t source = 0;    // segment number; segments.size(): the log
    uint32_t position = 0;  // record number, or position in the log
};

class IndexSearch {
public:
    // What one thread needs.
    struct Space {
        dense::WalkSpace walk;
        std::vector<uint32_t> nodes;
        std::vector<uint32_t> picked;
        std::vector<float> distances;
        ChunkCache chunks;
    };
    // Loads what is needed of a segment.
    Status Open(storage::Connection* connection, const CollectionView& view, size_t number,
                const DenseDef& def, Work* work);
    bool usable() const { return index_ != nullptr; }
    // Decides the effort for k records. False: a scan is cheaper, or the only way to the recall.
    bool Plan(size_t k, const SearchRequest& request);
    // *enough: as many as there must be (min(k, live vectors), or all within the query's bound that
    // the walk met).
    Status Run(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
               std::vector<Candidate>* found, bool* enough, Work* work) const;

private:
    bool Alive(uint32_t node) const {
        if (!dead_.bits) {
            return true;
        }
        const uint32_t record = field_->record(node);
        return ((*dead_.bits)[record / 64] >> (record % 64) & 1) == 0;
    }
    Status Measure(Snapshot* snapshot, const dense::FlatQuery& query, Space* space) const;

    Segment* segment_ = nullptr;
    const DenseDef* def_ = nullptr;
    const SegmentField* field_ = nullptr;
    const dense::GraphIndex* index_ = nullptr;
    CollectionView::Dead dead_;
    size_t alive_ = 0;  // vectors of live records
    uint32_t source_ = 0;
    size_t k_ = 0;
    dense::Effort effort_;
};

}  // namespace quern
