#include "engine/dense/packed_walk.h"

#include <algorithm>
#include <bit>

namespace quern::dense {

namespace {

// Asks for what the next expansions will need, once.
class PackedFetcher {
public:
    PackedFetcher(const GraphLinks& graph, const NeighbourBlocks& blocks, const CodeScorer& scorer)
        : graph_(graph), blocks_(blocks), scorer_(scorer) {
        std::fill(recent_, recent_ + kRecent, kNoNode);
    }
    void FetchNext(const WalkSpace& space, size_t count) {
        for (size_t i = space.cursor; i < space.size && count > 0; i++) {
            if ((space.nodes[i] & WalkSpace::kExpanded) != 0) {
                continue;
            }
            count--;
            const uint32_t node = space.nodes[i];
            if (std::find(recent_, recent_ + kRecent, node) != recent_ + kRecent) {
                continue;
            }
            recent_[next_++ % kRecent] = node;
            scorer_.Fetch(node);
            graph_.FetchNeighbours(node);
            blocks_.Fetch(node);
        }
    }

private:
    static constexpr size_t kRecent = 4;
    const GraphLinks& graph_;
    const NeighbourBlocks& blocks_;
    const CodeScorer& scorer_;
    uint32_t recent_[kRecent];
    size_t next_ = 0;
};

// So many estimates cost about as much as scoring one row.
constexpr size_t kEstimatesPerRow = 8;

// Puts those neighbours of a node into the pool that look near enough.
void AddNeighbours(const GraphLinks& graph, const NeighbourBlocks& blocks,
                   const NeighbourBlocks::Query& query, uint32_t from, float score,
                   WalkSpace* space) {
    WalkSpace& s = *space;
    float scores[kernels::kBitBlockRows];
    for (size_t group = 0; group < blocks.groups(); group++) {
        const size_t first = group * kernels::kBitBlockRows;
        const size_t places = std::min<size_t>(kernels::kBitBlockRows, graph.degree - first);
        uint32_t nearer = blocks.Score(query, from, group, score, s.Worst(), scores);
        s.scored += places / kEstimatesPerRow;
        while (nearer != 0) {
            const auto i = static_cast<size_t>(std::countr_zero(nearer));
            nearer &= nearer - 1;
            const uint32_t neighbour = i < places ? graph.Neighbour(from, first + i) : kNoNode;
            if (neighbour == kNoNode) {
                return;  // what follows is free as well
            }
            if (s.Mark(neighbour)) {
                s.Insert(neighbour, scores[i]);
            }
        }
    }
}

// The pool becomes the nearest `ef` of what was measured.
void TakeMeasured(WalkSpace* space) {
    WalkSpace& s = *space;
    s.size = std::min(s.measured.size(), s.ef);
    std::partial_sort(s.measured.begin(), s.measured.begin() + static_cast<ptrdiff_t>(s.size),
                      s.measured.end());
    if (s.distances.size() < s.size) {
        s.distances.resize(s.size);
        s.nodes.resize(s.size);
    }
    for (size_t i = 0; i < s.size; i++) {
        s.distances[i] = s.measured[i].first;
        s.nodes[i] = s.measured[i].second;
    }
    s.cursor = s.size;
}

}  // namespace

Status WalkPacked(const GraphLinks& graph, const NeighbourBlocks& blocks,
                  const NeighbourBlocks::Query& query, const CodeScorer& scorer, const WalkEnd& end,
                  WalkSpace* space, Work* work) {
    constexpr uint64_t kCheckEvery = 256;
    WalkSpace& s = *space;
    s.measured.clear();
    constexpr size_t kAtOnce = 2;  // two waits for memory at once; the second would be next anyway
    PackedFetcher fetcher(graph, blocks, scorer);
    if (!EnterGraph(graph, scorer, end, space)) {
        return {};
    }
    while (s.Goes()) {
        uint32_t from[kAtOnce];
        float measured[kAtOnce];
        size_t count = 0;
        while (count < kAtOnce && s.Goes()) {
            from[count++] = s.Expand();
        }
        fetcher.FetchNext(s, kAtOnce);  // unless others get in before
        scorer.Score(from, count, measured);
        s.scored += count;
        for (size_t n = 0; n < count; n++) {
            s.measured.emplace_back(measured[n], from[n]);
            AddNeighbours(graph, blocks, query, from[n], measured[n], space);
        }
        s.Reach(end);
        fetcher.FetchNext(s, kAtOnce);
        s.expanded += count;
        if (s.expanded % kCheckEvery < kAtOnce && work != nullptr) {
            if (Status status = work->Check("search", 0, 0); !status.ok()) {
                TakeMeasured(space);
                return status;
            }
        }
    }
    TakeMeasured(space);
    return {};
}

}  // namespace quern::dense
