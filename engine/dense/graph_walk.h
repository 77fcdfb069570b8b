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
#include "storage/base/work.h"

namespace quern::dense {

// What a walk needs beside the graph, kept from one walk to the next.
struct WalkSpace {
    std::vector<uint64_t> visited;  // one bit a node
    std::vector<float> distances;   // the pool, nearest first
    std::vector<uint32_t> nodes;    // its nodes; the highest bit: expanded already
    size_t size = 0;
    size_t ef = 0;
    size_t cursor = 0;  // everything before it is expanded
    // Of two nodes, and one place that is written before it is known to count.
    uint32_t fresh[2 * kDegreeMax + 1];
    float fresh_distances[2 * kDegreeMax + 1];
    std::vector<std::pair<float, uint32_t>> measured;  // by a walk over blocks: what it expanded
    uint64_t scored = 0;                               // rows that the last walk has scored
    uint64_t expanded = 0;

    static constexpr uint32_t kExpanded = 0x80000000u;
    uint32_t node(size_t i) const { return nodes[i] & ~kExpanded; }

    void Begin(size_t node_count, size_t pool) {
        visited.assign((node_count + 63) / 64, 0);
        if (distances.size() < pool + 1) {
            distances.resize(pool + 1);
            nodes.resize(pool + 1);
        }
        ef = pool;
        size = 0;
        cursor = 0;
        scored = 0;
        expanded = 0;
    }
    bool Mark(uint32_t n) {  // true: not seen before
        uint64_t& word = visited[n / 64];
        const uint64_t bit = uint64_t{1} << (n % 64);
        const bool fresh_one = (word & bit) == 0;
        word |= bit;
        return fresh_one;
    }
    float Worst() const {
        return size < ef ? std::numeric_limits<float>::infinity() : distances[size - 1];
    }
    // Its place in the pool; ef when it did not get one.
    size_t Insert(uint32_t n, float distance) {
        if (size == ef && !(distance < distances[size - 1])) {
            return ef;
        }
        const size_t place = static_cast<size_t>(
            std::upper_bound(distances.begin(), distances.begin() + static_cast<ptrdiff_t>(size),
                             distance) -
            distances.begin());
        const size_t moved = (size < ef ? size : ef - 1) - place;
        std::memmove(&distances[place + 1], &distances[place], moved * sizeof(float));
        std::memmove(&nodes[place + 1], &nodes[place], moved * sizeof(uint32_t));
        distances[place] = distance;
        nodes[place] = n;
        size += size < ef ? 1 : 0;
        cursor = std::min(cursor, place);
        return place;
    }
};

// The way down the upper levels: the node where the walk over the base level starts, and its score.
template <class Scorer>
uint32_t Descend(const GraphLinks& graph, Scorer& scorer, WalkSpace* space, float* score) {
    WalkSpace& s = *space;
    float best = 0;
    uint32_t node = graph.entry;
    scorer.Score(&node, 1, &best);
    s.scored++;
    if (graph.upper_entry != kNoNode) {
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
                    if (s.fresh_distances[i] < best) {
                        best = s.fresh_distances[i];
                        node = s.fresh[i];
                        upper = links[i];
                        nearer = true;
                    }
                }
            }
        }
    }
    *score = best;
    return node;
}

// Fills space's pool with the nodes nearest to what the scorer measures from. Scorer has
//   void Score(const uint32_t* nodes, size_t count, float* distances);
//   void Fetch(uint32_t node) const;   // asks for a node's row ahead of time
// Returns kInterrupted when work says so.
template <class Scorer>
Status Walk(const GraphLinks& graph, Scorer& scorer, size_t ef, WalkSpace* space, Work* work) {
    constexpr size_t kFetchFirst = 8;
    constexpr size_t kExpandAtOnce =
        2;  // two waits for memory at once; the second would be next anyway
    constexpr uint64_t kCheckEvery = 256;
    WalkSpace& s = *space;
    s.Begin(graph.count, ef);
    if (graph.entry == kNoNode) {
        return {};
    }
    float best = 0;
    const uint32_t node = Descend(graph, scorer, space, &best);
    s.Mark(node);
    s.Insert(node, best);
    while (s.cursor < s.size) {
        size_t count = 0;
        for (size_t n = 0; n < kExpandAtOnce && s.cursor < s.size; n++) {
            const uint32_t from = s.nodes[s.cursor];
            s.nodes[s.cursor] |= WalkSpace::kExpanded;
            do {
                s.cursor++;
            } while (s.cursor < s.size && (s.nodes[s.cursor] & WalkSpace::kExpanded) != 0);
            const uint32_t* links = graph.Neighbours(from);
            for (uint32_t i = 0; i < graph.degree && links[i] != kNoNode; i++) {
                s.fresh[count] = links[i];
                count += s.Mark(links[i]) ? 1 : 0;
            }
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
            const uint32_t* soon = graph.Neighbours(s.node(i));
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + 16);
        }
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        for (size_t i = 0; i < count; i++) {
            if (s.Insert(s.fresh[i], s.fresh_distances[i]) <= s.cursor + kExpandAtOnce) {
                const uint32_t* soon = graph.Neighbours(s.fresh[i]);
                __builtin_prefetch(soon);
                __builtin_prefetch(soon + 16);
            }
        }
    }
    return {};
}

}  // namespace quern::dense
