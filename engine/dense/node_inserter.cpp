#include "engine/dense/node_inserter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/row_query.h"
#include "engine/dense/row_scorer.h"
#include "engine/dense/safe_length.h"

namespace quern::dense {

template <class Use>
void NodeInserter::WithScorer(uint32_t node, Use use) {
    if (codes_.codes != nullptr) {
        values_.resize(rows_.dim);
        DecodeRows(rows_, node, 1, values_.data());
        const SafeQuery safe(rows_.metric, values_.data(), rows_.dim, SafeQuery::Products::kScaled);
        const std::unique_ptr<CodeScorer> scorer =
            codes_.codes->NewScorer(safe.values(), codes_.rows);
        use(std::as_const(*scorer));
    } else {
        RowQuery query;
        query.Set(rows_, node);
        RowScorer scorer(rows_, query.get());
        use(scorer);
    }
}

uint32_t NodeInserter::Approach(uint32_t node, int level) {
    const BuildingGraph::Entry entry = graph_.entry();
    if (entry.level < level) {
        return kNoNode;
    }
    uint32_t nearest = entry.node;
    WithScorer(node, [&](auto& scorer) {
        float distance = 0;
        scorer.Score(&nearest, 1, &distance);
        for (int at = entry.level; at >= level; at--) {
            GoNearer(BuildingLevel(graph_, at), scorer, &nearest, &distance);
        }
    });
    return nearest;
}

void NodeInserter::Insert(uint32_t node, uint32_t from) {
    const int top = graph_.Level(node);
    BuildingGraph::Entry entry = graph_.entry();
    if (entry.node == kNoNode) {
        entry = graph_.OfferEntry(node, top);
        if (entry.node == kNoNode) {
            return;
        }
    }
    if (from != kNoNode) {
        entry = {from, top};
    }
    chosen_.resize(std::max(chosen_.size(), static_cast<size_t>(top) + 1));
    for (auto& chosen : chosen_) {
        chosen.clear();
    }
    WithScorer(node, [&](auto& scorer) { Find(node, scorer, entry); });
    // Nobody knows of the node yet: its own lists first, all of them, then the links to it from the
    // base level up, so that a walk that comes from above can go on.
    {
        const BuildingGraph::NodeLock lock(graph_, node);
        for (int level = 0; level <= top; level++) {
            Write(chosen_[static_cast<size_t>(level)], node, level);
        }
        if (are_settled_) {
            graph_.Settled(node) = static_cast<uint16_t>(chosen_[0].size());
        }
    }
    for (int level = 0; level <= top; level++) {
        for (const auto& neighbour : chosen_[static_cast<size_t>(level)]) {
            LinkBack(neighbour.node, {neighbour.distance, node}, level);
        }
    }
    graph_.OfferEntry(node, top);
}

template <class Scorer>
void NodeInserter::Find(uint32_t node, Scorer& scorer, const BuildingGraph::Entry& entry) {
    const int top = graph_.Level(node);
    uint32_t nearest = entry.node;
    float distance = 0;
    scorer.Score(&nearest, 1, &distance);
    for (int level = entry.level; level > top; level--) {
        GoNearer(BuildingLevel(graph_, level), scorer, &nearest, &distance);
    }
    const WalkEnd end{ef_};
    for (int level = std::min(top, entry.level); level >= 0; level--) {
        space_.Begin(graph_.count(), end);
        space_.Mark(nearest);
        space_.Insert(nearest, distance);
        // Without work there is nothing that can stop it.
        static_cast<void>(WalkOn(BuildingLevel(graph_, level), scorer, end, &space_, nullptr).ok());
        nearest = space_.node(0);
        distance = space_.distances[0];
        TakeCandidates(node, level);
    }
}

template <class Scorer>
void NodeInserter::GoNearer(const BuildingLevel& level, Scorer& scorer, uint32_t* nearest,
                            float* distance) {
    for (bool nearer = true; nearer;) {
        nearer = false;
        uint32_t count = 0;
        level.ForNeighbours(*nearest, [&](uint32_t neighbour) {
            scorer.Fetch(neighbour);
            space_.fresh[count++] = neighbour;
        });
        scorer.Score(space_.fresh, count, space_.fresh_distances);
        for (uint32_t i = 0; i < count; i++) {
            if (space_.fresh_distances[i] < *distance) {
                *distance = space_.fresh_distances[i];
                *nearest = space_.fresh[i];
                nearer = true;
            }
        }
    }
}

// Of the pool that a walk has left, the neighbours on a level.
void NodeInserter::TakeCandidates(uint32_t node, int level) {
    auto& candidates = chosen_[static_cast<size_t>(level)];
    const size_t count = space_.size;
    nodes_.resize(count);
    for (size_t i = 0; i < count; i++) {
        nodes_[i] = space_.node(i);
    }
    if (codes_.codes != nullptr) {
        distances_.resize(count);
        choice_.Measure(node, nodes_.data(), count, distances_.data());
    }
    candidates.resize(count);
    for (size_t i = 0; i < count; i++) {
        candidates[i] = {codes_.codes != nullptr ? distances_[i] : space_.distances[i], nodes_[i]};
    }
    if (codes_.codes != nullptr) {
        NeighbourChoice::Sort(&candidates);
    }
    // While there are few nodes, each may have links to all.
    are_settled_ = candidates.size() >= graph_.Degree(level);
    if (are_settled_) {
        choice_.Choose(std::min(graph_.Degree(level), graph_.NewLinks()), &candidates);
    }
}

void NodeInserter::LinkBack(uint32_t from, const NeighbourChoice::Candidate& to, int level) {
    const uint32_t degree = graph_.Degree(level);
    const BuildingGraph::NodeLock lock(graph_, from);
    BuildingGraph::List list(graph_, from, level);
    nodes_.clear();
    for (uint32_t i = 0; i < degree; i++) {
        const int neighbour = list.Get(i);
        if (neighbour < 0) {
            list.Set(i, static_cast<int>(to.node));
            if (level == 0) {
                graph_.Length(from, i) = to.distance;
            }
            return;
        }
        nodes_.push_back(static_cast<uint32_t>(neighbour));
    }
    MeasureList(from, level);
    list_.push_back(to);
    NeighbourChoice::Sort(&list_);
    choice_.Choose(degree, &list_);
    Write(list_, from, level);
    if (level == 0) {
        graph_.Settled(from) = static_cast<uint16_t>(list_.size());
    }
    for (auto i = static_cast<uint32_t>(list_.size()); i < degree; i++) {
        list.Set(i, -1);
    }
}

void NodeInserter::MeasureList(uint32_t from, int level) {
    const size_t count = nodes_.size();
    distances_.resize(count);
    bool known = level == 0;
    for (uint32_t i = 0; i < count && known; i++) {
        distances_[i] = graph_.Length(from, i);
        known = !std::isnan(distances_[i]);
    }
    if (!known) {
        choice_.Measure(from, nodes_.data(), count, distances_.data());
    }
    const uint32_t settled = level == 0 ? graph_.Settled(from) : 0;
    list_.clear();
    for (uint32_t i = 0; i < count; i++) {
        list_.push_back({distances_[i], nodes_[i], i < settled});
    }
}

// The farthest first, as FAISS does. For walks the order is all one, but who gets the link to a
// node that nobody leads to is told by it (graph_reach.cpp): the first, and the far ones among a
// node's neighbours are those that more walks meet. Where there are hubs, the other order lost much
// (.882 became .849 among 12,000 words, pools of 20).
void NodeInserter::Write(const std::vector<NeighbourChoice::Candidate>& neighbours, uint32_t node,
                         int level) {
    BuildingGraph::List list(graph_, node, level);
    uint32_t place = 0;
    for (size_t i = neighbours.size(); i-- > 0; place++) {
        list.Set(place, static_cast<int>(neighbours[i].node));
        if (level == 0) {
            graph_.Length(node, place) = neighbours[i].distance;
        }
    }
}

}  // namespace quern::dense
