// The walk for the nearest of some of the nodes only. It goes over all nodes, as links lead through
// those that are not wanted as well, but keeps the wanted ones alone, and ends by these: when
// nothing is left that is nearer than the last of them. So it looks farther the fewer are wanted,
// and just as far as it must when the wanted ones stand apart from where it begins. It gives up
// where scoring all of the wanted ones costs less: soon, when far fewer of those that it meets are
// wanted than are on the whole, which is when they stand far from the query.
#pragma once

#include "engine/dense/graph_walk.h"

namespace quern::dense {

struct WantedNodes {
    const uint64_t* bits = nullptr;  // one a node
    uint64_t most = UINT64_MAX;      // rows to score before it gives up
    double share = 0;                // of all nodes that are wanted; 0: nothing is concluded
    uint64_t look = 256;             // rows to look at before anything is concluded from the share
    // Fewer of the rows that were scored are wanted than this part of what the share promises.
    static constexpr double kFarShare = 0.25;
    // met: wanted ones among those looked at, which are the rows scored but for those of upper
    // levels. seeded: of both, what the walk began with.
    bool GivesUp(uint64_t scored, uint64_t looked_at, uint64_t met, uint64_t seeded) const {
        return scored > most || (looked_at > look + seeded &&
                                 static_cast<double>(met - std::min(met, seeded)) <
                                     kFarShare * share * static_cast<double>(looked_at - seeded));
    }
    bool Has(uint32_t node) const { return (bits[node / 64] >> (node % 64) & 1) != 0; }
};

// Fills space's pool with the nearest wanted nodes. *complete: it did not give up. Scorer as for
// Walk.
template <class Scorer>
Status WalkFiltered(const GraphLinks& graph, Scorer& scorer, const WalkEnd& end,
                    const WantedNodes& wanted, WalkSpace* space, bool* complete, Work* work) {
    constexpr size_t kFetchFirst = 8;
    constexpr size_t kExpandAtOnce = 2;  // as Walk does
    constexpr uint64_t kCheckEvery = 256;
    WalkSpace& s = *space;
    s.Begin(graph.count, end);
    s.frontier.Clear();
    *complete = true;
    if (graph.entry == kNoNode) {
        return {};
    }
    uint64_t seeded = 0;
    // Those of s.fresh. Which of them may count is hard to foretell, so they are picked out without
    // a branch for each.
    const auto meet = [&](size_t count) {
        const float farthest = s.Farthest();
        size_t picked = 0;
        s.wanted_of += count;
        for (size_t i = 0; i < count; i++) {
            const uint32_t node = s.fresh[i];
            const float distance = s.fresh_distances[i];
            s.wanted_met += wanted.Has(node) ? 1 : 0;
            s.fresh[picked] = node;
            s.fresh_distances[picked] = distance;
            picked += distance > farthest ? 0 : 1;
        }
        for (size_t i = 0; i < picked; i++) {
            const uint32_t node = s.fresh[i];
            const float distance = s.fresh_distances[i];
            if (distance > s.Farthest()) {
                continue;
            }
            if (s.frontier.Add(node, distance) < kExpandAtOnce) {
                graph.FetchNeighbours(node);
            }
            if (wanted.Has(node)) {
                s.Insert(node, distance);
            }
        }
    };
    float distance = 0;
    const uint32_t start = Descend(graph, scorer, space, &distance);
    s.fresh[0] = start;
    s.fresh_distances[0] = distance;
    s.Mark(start);
    meet(1);
    // Nodes that a guide has named (graph_walk.h), most of them wanted. They say nothing of how
    // many are wanted where the walk goes.
    for (size_t first = 0; first < s.seeds.size();) {
        const size_t count = TakeSeeds(graph, &first, space);
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        seeded += count;
        meet(count);
    }
    while (!s.frontier.empty() && s.frontier.Nearest() <= s.Farthest() && s.scored < s.scored_max) {
        if (wanted.GivesUp(s.scored, s.wanted_of, s.wanted_met, seeded)) {
            *complete = false;
            return {};
        }
        size_t count = 0;
        for (size_t n = 0;
             n < kExpandAtOnce && !s.frontier.empty() && s.frontier.Nearest() <= s.Farthest();
             n++) {
            graph.ForNeighbours(s.frontier.Take(), [&](uint32_t neighbour) {
                s.fresh[count] = neighbour;
                count += s.Mark(neighbour) ? 1 : 0;
            });
            s.expanded++;
        }
        if (s.expanded % kCheckEvery < kExpandAtOnce && work != nullptr) {
            QUERN_TRY(work->Check("search", 0, 0));
        }
        for (size_t i = 0; i < std::min(count, kFetchFirst); i++) {
            scorer.Fetch(s.fresh[i]);
        }
        for (size_t i = 0; i < std::min(s.frontier.ready(), kExpandAtOnce); i++) {
            graph.FetchNeighbours(s.frontier.Node(i));
        }
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        meet(count);
        s.Reach(end);
    }
    return {};
}

}  // namespace quern::dense
