#include "tests/bench/sparse/record_graph.h"

#include <algorithm>

namespace bench {

using namespace quern::sparse;

RecordGraph::RecordGraph(const SparseIndex& index, const ApproximateIndex& approximate,
                         uint32_t heads)
    : index_(index), approximate_(approximate), heads_max_(heads) {
    const ForwardCopy& forward = index.forward();
    // A heap of each term's heaviest so far, the lightest first.
    std::vector<std::vector<std::pair<float, uint32_t>>> heaviest(index.terms().size());
    for (uint32_t row = 0; row < forward.rows(); row++) {
        for (uint32_t i = forward.offsets[row]; i < forward.offsets[row + 1]; i++) {
            auto& heap = heaviest[forward.TermAt(i)];
            const std::pair<float, uint32_t> entry = {forward.WeightAt(i), row};
            if (heap.size() == heads && entry.first <= heap.front().first) {
                continue;
            }
            if (heap.size() == heads) {
                std::pop_heap(heap.begin(), heap.end(), std::greater<>());
                heap.pop_back();
            }
            heap.push_back(entry);
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
        }
    }
    heads_.assign(heaviest.size() * heads, kNoLink);
    for (size_t term = 0; term < heaviest.size(); term++) {
        auto& heap = heaviest[term];
        std::sort_heap(heap.begin(), heap.end(), std::greater<>());
        for (size_t i = 0; i < heap.size(); i++) {
            heads_[term * heads + i] = heap[i].second;
        }
    }
}

void RecordGraph::Search(const SparseVector& query, const GraphEffort& effort, TopHits* hits,
                         SearchSpace* space, SearchStats* stats) const {
    WalkSpace& walk = space->walk;
    walk.terms.clear();
    walk.weights.clear();
    walk.order.clear();
    for (const SparseEntry& entry : query) {
        const auto [first, count] = index_.terms().Find(entry.dimension);
        if (count == 1 && entry.weight > 0) {
            walk.terms.push_back(first);
            walk.weights.push_back(static_cast<double>(entry.weight));
            walk.order.emplace_back(-walk.weights.back(), first);
        }
    }
    if (!walk.table.Set(walk.terms, walk.weights)) {
        return;
    }
    const CutRows& cut = approximate_.cut();
    walk.Start(index_.count());
    std::sort(walk.order.begin(), walk.order.end());
    walk.order.resize(std::min<size_t>(walk.order.size(), effort.terms));
    for (const auto& [weight, term] : walk.order) {
        for (uint32_t i = 0; i < std::min(effort.heads, heads_max_); i++) {
            const uint32_t head = heads_[size_t{term} * heads_max_ + i];
            if (head != kNoLink) {
                walk.Meet(head, cut);
            }
        }
    }
    WalkRecords(cut, approximate_.links().data(), approximate_.degree(), nullptr, effort.pool,
                &walk);
    walk.End();
    stats->scored += walk.scored;
    space->marks.Set(walk.terms, walk.weights, index_.forward().scales);
    for (const auto& met : walk.pool) {
        const RowScore score = index_.forward().Score(met.row, space->marks, space->places.data());
        if (score.common > 0) {
            hits->Push({score.score, 0, met.row});
        }
    }
}

}  // namespace bench
