// The walk over a navigable graph: greedy on the upper levels, then best-first on the base level
// with a pool of the `ef` nearest seen so far.
//
// A walk spends its time waiting for memory, so: neighbours of a node that were not seen yet are
// gathered first and scored as one block, whose kernel fetches rows ahead; links of a node that
// will be expanded soon are fetched when it enters the pool; the pool is one sorted array, because
// at usual sizes moving a few hundred bytes is cheaper than a heap.
//
// Thread rule: the graph is shared, a WalkSpace belongs to one thread at a time.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "engine/dense/graph_links.h"
#include "engine/dense/sorted_pool.h"
#include "engine/dense/walk_frontier.h"
#include "storage/base/work.h"

namespace quern::dense {

// When a walk ends. At the latest when all of its pool is expanded; with a place, sooner: when the
// nearest node left has a score beyond max(s, scale * s + shift), s being the score of the place-th
// nearest so far. What is beyond that is not kept either, but for the `keep` nearest.
struct WalkEnd {
    size_t ef = 0;     // the pool's room
    size_t place = 0;  // 0: only the pool ends it
    float scale = 1;
    float shift = 0;
    size_t keep = 0;
};

// What a walk needs beside the graph, kept from one walk to the next.
struct WalkSpace {
    std::vector<uint64_t> visited;  // one bit a node
    std::vector<float> distances;   // the pool, nearest first
    std::vector<uint32_t> nodes;    // its nodes; the highest bit: expanded already
    size_t size = 0;
    size_t ef = 0;
    size_t cursor = 0;  // everything before it is expanded
    size_t keep = 0;
    float reach = 0;  // what is beyond it needs no place behind the first `keep`
    // Of two nodes, and one place that is written before it is known to count.
    uint32_t fresh[2 * kDegreeMax + 1];
    float fresh_distances[2 * kDegreeMax + 1];
    std::vector<std::pair<float, uint32_t>> measured;  // by a walk over blocks: what it expanded
    WalkFrontier frontier;                             // of a filtered walk (filtered_walk.h)
    uint64_t scored = 0;                               // rows that the last walk has scored
    uint64_t expanded = 0;
    uint64_t wanted_met = 0;  // by a filtered walk: rows that it looks for, ...
    uint64_t wanted_of = 0;   // ... among the rows of the base level that it has scored
    // Of a range walk (range_walk.h): what is within the bound, in the order it was met.
    std::vector<uint32_t> within;
    std::vector<float> within_distances;
    // Nodes that a walk begins with beside its entry; Begin leaves them as they are. Those that
    // nothing links to are passed over.
    std::vector<uint32_t> seeds;
    // A walk that has scored so many ends with what it has; Begin leaves it as it is.
    uint64_t scored_max = std::numeric_limits<uint64_t>::max();

    static constexpr uint32_t kExpanded = 0x80000000u;
    uint32_t node(size_t i) const { return nodes[i] & ~kExpanded; }

    void Begin(size_t node_count, const WalkEnd& end) {
        const size_t pool = end.ef;
        visited.assign((node_count + 63) / 64, 0);
        if (distances.size() < pool + 1 + kPoolPadding) {
            distances.resize(pool + 1 + kPoolPadding);
            nodes.resize(pool + 1 + kPoolPadding);
        }
        ef = pool;
        keep = end.place == 0 ? pool : std::max(end.place, end.keep);
        reach = std::numeric_limits<float>::infinity();
        size = 0;
        cursor = 0;
        scored = 0;
        expanded = 0;
        wanted_met = 0;
        wanted_of = 0;
        within.clear();
        within_distances.clear();
    }
    bool Mark(uint32_t n) {  // true: not seen before
        uint64_t& word = visited[n / 64];
        const uint64_t bit = uint64_t{1} << (n % 64);
        const bool fresh_one = (word & bit) == 0;
        word |= bit;
        return fresh_one;
    }
    // The nearest of the pool that was not expanded yet; there must be one.
    uint32_t Expand() {
        const uint32_t from = nodes[cursor];
        nodes[cursor] |= kExpanded;
        do {
            cursor++;
        } while (cursor < size && (nodes[cursor] & kExpanded) != 0);
        return from;
    }
    // Whether there is one that the walk still goes to.
    bool Goes() const { return cursor < size && distances[cursor] <= reach && scored < scored_max; }
    // The score that a node must not exceed to get into the pool.
    float Worst() const {
        return size == ef && size > 0 ? distances[size - 1]
               : size < keep          ? std::numeric_limits<float>::infinity()
                                      : std::max(reach, distances[keep - 1]);
    }
    // The score beyond which a filtered walk has nothing to do.
    float Farthest() const {
        const float worst =
            size == ef && size > 0 ? distances[size - 1] : std::numeric_limits<float>::infinity();
        return std::min(worst, reach);
    }
    // Looks at the pool again: how far does the walk go now?
    void Reach(const WalkEnd& end) {
        if (end.place > 0 && size >= end.place) {
            const float nearest = distances[end.place - 1];
            reach = std::max(nearest, end.scale * nearest + end.shift);
        }
    }
    // Moves those of the fresh ones to the front that may get a place, without a branch for each:
    // whether one does is hard to foretell. How many.
    size_t PickFresh(size_t count) {
        const float worst = Worst();
        size_t picked = 0;
        for (size_t i = 0; i < count; i++) {
            const float distance = fresh_distances[i];
            fresh[picked] = fresh[i];
            fresh_distances[picked] = distance;
            picked += distance > worst ? 0 : 1;
        }
        return picked;
    }
    // Its place in the pool; ef when it did not get one.
    size_t Insert(uint32_t n, float distance) {
        if ((size == ef && !(distance < distances[size - 1])) ||
            (size >= keep && distance > reach && !(distance < distances[keep - 1]))) {
            return ef;
        }
        const size_t place = PlaceBehind(distances.data(), size, distance);
        const size_t moved = (size < ef ? size : ef - 1) - place;
        MakePlace(&distances[place], moved);
        MakePlace(&nodes[place], moved);
        distances[place] = distance;
        nodes[place] = n;
        size += size < ef ? 1 : 0;
        cursor = std::min(cursor, place);
        return place;
    }
};

// Goes down the upper levels to the node of the base level where a walk begins. *distance gets its
// own. Scorer as for Walk.
template <class Scorer>
uint32_t Descend(const GraphLinks& graph, Scorer& scorer, WalkSpace* space, float* distance) {
    WalkSpace& s = *space;
    uint32_t node = graph.entry;
    scorer.Score(&node, 1, distance);
    s.scored++;
    if (graph.upper_entry == kNoNode) {
        return node;
    }
    uint32_t upper = graph.upper_entry;
    for (uint32_t level = graph.UpperLevel(upper); level >= 1; level--) {
        bool nearer = true;
        while (nearer) {
            nearer = false;
            const uint32_t* links = graph.UpperNeighbours(upper, level);
            uint32_t count = 0;
            for (; count < graph.upper_degree && links[count] != kNoNode; count++) {
                s.fresh[count] = graph.UpperNode(links[count]);
                scorer.Fetch(s.fresh[count]);
            }
            scorer.Score(s.fresh, count, s.fresh_distances);
            s.scored += count;
            for (uint32_t i = 0; i < count; i++) {
                if (s.fresh_distances[i] < *distance) {
                    *distance = s.fresh_distances[i];
                    node = s.fresh[i];
                    upper = links[i];
                    nearer = true;
                }
            }
        }
    }
    return node;
}

// Makes the next of the space's seeds, from number *first on, its fresh nodes. How many.
inline size_t TakeSeeds(const GraphLinks& graph, size_t* first, WalkSpace* space) {
    WalkSpace& s = *space;
    size_t count = 0;
    for (; *first < s.seeds.size() && count < kDegreeMax; ++*first) {
        const uint32_t seed = s.seeds[*first];
        bool linked = false;
        graph.ForNeighbours(seed, [&](uint32_t) { linked = true; });
        s.fresh[count] = seed;
        count += linked && s.Mark(seed) ? 1 : 0;
    }
    return count;
}

// Puts the space's seeds into its pool, where they get a place.
template <class Scorer>
void Sow(const GraphLinks& graph, Scorer& scorer, WalkSpace* space) {
    WalkSpace& s = *space;
    for (size_t first = 0; first < s.seeds.size();) {
        const size_t count = TakeSeeds(graph, &first, space);
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        for (size_t i = 0; i < count; i++) {
            s.Insert(s.fresh[i], s.fresh_distances[i]);
        }
    }
}

// Walks on from what the space's pool has. Graph is GraphLinks, or has its ForNeighbours and
// FetchNeighbours. Scorer and result as for Walk.
template <class Graph, class Scorer>
Status WalkOn(const Graph& graph, Scorer& scorer, const WalkEnd& end, WalkSpace* space,
              Work* work) {
    constexpr size_t kFetchFirst = 8;
    constexpr size_t kExpandAtOnce =
        2;  // two waits for memory at once; the second would be next anyway
    constexpr uint64_t kCheckEvery = 256;
    WalkSpace& s = *space;
    while (s.Goes()) {
        size_t count = 0;
        for (size_t n = 0; n < kExpandAtOnce && s.Goes(); n++) {
            graph.ForNeighbours(s.Expand(), [&](uint32_t neighbour) {
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
        // What is next in line, unless one of these gets in before.
        for (size_t i = s.cursor; i < std::min(s.size, s.cursor + kExpandAtOnce); i++) {
            graph.FetchNeighbours(s.node(i));
        }
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        count = s.PickFresh(count);
        for (size_t i = 0; i < count; i++) {
            if (s.Insert(s.fresh[i], s.fresh_distances[i]) <= s.cursor + kExpandAtOnce) {
                graph.FetchNeighbours(s.fresh[i]);
            }
        }
        s.Reach(end);
    }
    return {};
}

// Begins a walk: the pool then has where the upper levels lead to, and the seeds. False: the graph
// has no node.
template <class Scorer>
bool EnterGraph(const GraphLinks& graph, Scorer& scorer, const WalkEnd& end, WalkSpace* space) {
    space->Begin(graph.count, end);
    if (graph.entry == kNoNode) {
        return false;
    }
    float distance = 0;
    const uint32_t start = Descend(graph, scorer, space, &distance);
    space->Mark(start);
    space->Insert(start, distance);
    if (!space->seeds.empty()) {
        Sow(graph, scorer, space);
    }
    return true;
}

// Fills space's pool with the nodes nearest to what the scorer measures from. Scorer has
//   void Score(const uint32_t* nodes, size_t count, float* distances);
//   void Fetch(uint32_t node) const;   // asks for a node's row ahead of time
// Returns kInterrupted when work says so; the pool then has what was met so far.
template <class Scorer>
Status Walk(const GraphLinks& graph, Scorer& scorer, const WalkEnd& end, WalkSpace* space,
            Work* work) {
    if (!EnterGraph(graph, scorer, end, space)) {
        return {};
    }
    return WalkOn(graph, scorer, end, space, work);
}

}  // namespace quern::dense
