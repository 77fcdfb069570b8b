// The walk that looks for everything within a bound instead of for the k nearest: all nodes within
// are kept and expanded, however many they are, and beyond the bound the `effort` nearest ones, so
// that the walk gets to the bound from outside and over gaps inside it.
//
// The nodes within need no order, so they are a list to which the walk appends; only what is beyond
// is a pool (graph_walk.h).
//
// A walk with a small pool that has found nothing may have ended beside what it looks for: a group
// of hundreds that are near each other and far from all else has few links from outside. So until
// something is within, the pool may be a larger one. What stands behind the first `effort` of it is
// what a pool of that size would have dropped, so afterwards the walk is that of the smaller one.
#pragma once

#include "engine/dense/graph_walk.h"

namespace quern::dense {

struct RangeLimits {
    float bound = 0;          // of the scorer's distances, inclusive
    size_t effort = 0;        // size of the pool beyond it
    size_t first_effort = 0;  // its size as long as nothing is within, if that is more
    size_t most = SIZE_MAX;   // the walk gives up when more are within
};

// Whether so many of a few nodes, spread over the graph, are within the bound that a walk would
// give up: that is cheaper to know before.
template <class Scorer>
bool LooksTooMany(const GraphLinks& graph, Scorer& scorer, const RangeLimits& limits) {
    constexpr size_t kSample = 256;
    if (limits.most >= graph.count) {
        return false;
    }
    uint32_t nodes[kSample];
    float distances[kSample];
    for (size_t i = 0; i < kSample; i++) {
        nodes[i] = static_cast<uint32_t>(uint64_t{graph.count} * i / kSample);
    }
    scorer.Score(nodes, kSample, distances);
    const auto within = static_cast<size_t>(std::count_if(
        distances, distances + kSample, [&](float distance) { return distance <= limits.bound; }));
    // Twice as many as that share gives on average are hardly chance.
    return within * graph.count > 2 * limits.most * kSample;
}

// Fills space->within. *complete: the walk did not give up. Scorer as for Walk.
template <class Scorer>
Status WalkRange(const GraphLinks& graph, Scorer& scorer, const RangeLimits& limits,
                 WalkSpace* space, bool* complete, Work* work) {
    constexpr size_t kFetchFirst = 8;
    constexpr size_t kExpandAtOnce = 2;
    constexpr uint64_t kCheckEvery = 256;
    WalkSpace& s = *space;
    const size_t effort = std::max<size_t>(1, limits.effort);
    s.Begin(graph.count, WalkEnd{std::max(effort, limits.first_effort)});
    *complete = true;
    if (graph.entry == kNoNode) {
        return {};
    }
    if (LooksTooMany(graph, scorer, limits)) {
        *complete = false;
        return {};
    }
    const auto meet = [&](uint32_t node, float distance) {
        if (distance <= limits.bound) {
            s.within.push_back(node);
            s.within_distances.push_back(distance);
        } else {
            s.Insert(node, distance);
        }
    };
    float distance = 0;
    const uint32_t start = Descend(graph, scorer, space, &distance);
    s.Mark(start);
    meet(start, distance);
    size_t open = 0;  // the first within that was not expanded yet
    const auto goes = [&] {
        return open < s.within.size() ||
               (s.cursor < s.size && (s.cursor < effort || s.within.empty()));
    };
    while (goes() && s.scored < s.scored_max) {
        if (s.within.size() > limits.most) {
            *complete = false;
            return {};
        }
        size_t count = 0;
        for (size_t n = 0; n < kExpandAtOnce && goes(); n++) {
            const uint32_t from = open < s.within.size() ? s.within[open++] : s.Expand();
            graph.ForNeighbours(from, [&](uint32_t neighbour) {
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
        for (size_t i = open; i < std::min(s.within.size(), open + kExpandAtOnce); i++) {
            graph.FetchNeighbours(s.within[i]);
        }
        scorer.Score(s.fresh, count, s.fresh_distances);
        s.scored += count;
        for (size_t i = 0; i < count; i++) {
            meet(s.fresh[i], s.fresh_distances[i]);
        }
    }
    return {};
}

}  // namespace quern::dense
