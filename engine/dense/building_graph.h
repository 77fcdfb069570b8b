// The graph while nodes are inserted into it: FAISS's HNSW structure (levels, offsets and arrays of
// links), a lock for each node, and the entry.
//
// Thread rule: lists may be read by all while one writes them. A reader may meet a list that is
// half written: each place holds what it held before or what it will hold, so that a walk misses a
// neighbour or sees one twice and nothing worse. Who writes a list that others can know of holds
// its node's lock.
#pragma once

#include <faiss/impl/HNSW.h>

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/dense/graph_links.h"

namespace quern::dense {

class BuildingGraph {
public:
    // m: links of a node on upper levels; twice as many on the base level. No nodes have levels
    // yet.
    BuildingGraph(uint32_t m, size_t count)
        : hnsw(static_cast<int>(m)),
          count_(count),
          locks_(new std::atomic<bool>[count]),
          settled_(count, 0),
          lengths_(count * 2 * m, std::numeric_limits<float>::quiet_NaN()) {
        for (size_t i = 0; i < count; i++) {
            locks_[i].store(false, std::memory_order_relaxed);
        }
    }

    faiss::HNSW hnsw;  // its entry point and locks are not used; see Entry

    size_t count() const { return count_; }
    // The highest level that a node is on; 0 is the base.
    int Level(uint32_t node) const { return hnsw.levels[node] - 1; }
    uint32_t Degree(int level) const { return static_cast<uint32_t>(hnsw.nb_neighbors(level)); }

    // How many neighbours a node chooses when it comes; others that choose it fill the rest of its
    // base list. With a whole list of its own, acl-anthology took a fourth more CPU and walks 14 %
    // more rows for the same recall; with m alone recall was lost.
    uint32_t NewLinks() const { return Degree(1) + Degree(1) / 4; }

    // Where walks begin: a node of the highest level. kNoNode: there is none.
    struct Entry {
        uint32_t node = kNoNode;
        int level = -1;
    };
    Entry entry() const {
        const std::lock_guard<std::mutex> lock(entry_mutex_);
        return entry_;
    }
    // Makes it the entry if it is on a higher level than the one there is, and gives the one
    // before.
    Entry OfferEntry(uint32_t node, int level) {
        const std::lock_guard<std::mutex> lock(entry_mutex_);
        const Entry before = entry_;
        if (level > entry_.level) {
            entry_ = {node, level};
        }
        return before;
    }

    // How many of the first places of a node's base list were chosen together. Under its lock.
    uint16_t& Settled(uint32_t node) { return settled_[node]; }

    // How far the neighbour at a place of a node's base list is from it; NaN: not known. Under its
    // lock. A list that is full is chosen from anew for each node that wants to be in it, and
    // measuring it each time was half of what is measured with the vectors themselves.
    float& Length(uint32_t node, uint32_t place) {
        return lengths_[static_cast<size_t>(node) * Degree(0) + place];
    }

    class NodeLock {
    public:
        NodeLock(const BuildingGraph& graph, uint32_t node) : flag_(graph.locks_[node]) {
            while (flag_.exchange(true, std::memory_order_acquire)) {
                std::this_thread::yield();
            }
        }
        ~NodeLock() { flag_.store(false, std::memory_order_release); }
        NodeLock(const NodeLock&) = delete;

    private:
        std::atomic<bool>& flag_;
    };

    // A list's places, Degree(level) of them; those behind the last neighbour hold less than zero.
    class List {
    public:
        List(const BuildingGraph& graph, uint32_t node, int level)
            : places_(const_cast<int*>(graph.hnsw.neighbors.data()) + graph.hnsw.offsets[node] +
                      graph.hnsw.cum_nneighbor_per_level[static_cast<size_t>(level)]) {}
        int Get(uint32_t place) const {
            return std::atomic_ref<int>(places_[place]).load(std::memory_order_relaxed);
        }
        void Set(uint32_t place, int node) {
            std::atomic_ref<int>(places_[place]).store(node, std::memory_order_relaxed);
        }
        const int* places() const { return places_; }

    private:
        int* places_;
    };

private:
    size_t count_;
    std::unique_ptr<std::atomic<bool>[]> locks_;
    std::vector<uint16_t> settled_;
    std::vector<float> lengths_;
    mutable std::mutex entry_mutex_;
    Entry entry_;
};

// One level of it, as walks see a graph.
class BuildingLevel {
public:
    BuildingLevel(const BuildingGraph& graph, int level)
        : graph_(graph), level_(level), degree_(graph.Degree(level)) {}
    template <typename Use>
    void ForNeighbours(uint32_t node, Use use) const {
        const BuildingGraph::List list(graph_, node, level_);
        for (uint32_t i = 0; i < degree_; i++) {
            const int neighbour = list.Get(i);
            if (neighbour < 0) {
                return;
            }
            use(static_cast<uint32_t>(neighbour));
        }
    }
    void FetchNeighbours(uint32_t node) const {
        const int* places = BuildingGraph::List(graph_, node, level_).places();
        __builtin_prefetch(places);
        __builtin_prefetch(places + 16);
    }

private:
    const BuildingGraph& graph_;
    int level_;
    uint32_t degree_;
};

}  // namespace quern::dense
