#include "engine/dense/graph_builder.h"

#include <algorithm>
#include <atomic>
#include <random>

#include "engine/dense/building_graph.h"
#include "engine/dense/graph_reach.h"
#include "engine/dense/insertion_order.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr uint64_t kShuffleSeed = 0x9E3779B97F4A7C15;
constexpr size_t kNodesAtOnce = 16;      // that a worker takes; also how often it looks for a stop
constexpr size_t kNearNodesAtOnce = 64;  // likewise, where each is near to the one before

}  // namespace

struct GraphBuilder::State {
    State(const VectorRows& r, const GraphBuildOptions& o)
        : rows(r), options(o), graph(o.m, r.count) {}
    void SortByLevel(size_t first, size_t end) {
        std::stable_sort(order.begin() + static_cast<ptrdiff_t>(first),
                         order.begin() + static_cast<ptrdiff_t>(end),
                         [&](uint32_t a, uint32_t b) { return graph.Level(a) > graph.Level(b); });
    }
    VectorRows rows;
    GraphBuildOptions options;
    BuildingGraph graph;
    InsertionCodes codes;
    std::vector<uint32_t> nodes;
    std::vector<uint32_t> order;
    size_t added = 0;
};

GraphBuilder::GraphBuilder(const VectorRows& rows, const std::vector<uint32_t>& nodes,
                           const GraphBuildOptions& options)
    : state_(std::make_unique<State>(rows, options)) {
    State& state = *state_;
    state.nodes = nodes;
    state.order = nodes;
    std::mt19937_64 random(kShuffleSeed);
    for (size_t i = state.order.size(); i > 1; i--) {
        std::swap(state.order[i - 1], state.order[random() % i]);
    }
}

Result<std::unique_ptr<GraphBuilder>> GraphBuilder::Create(const VectorRows& rows,
                                                           const std::vector<uint32_t>& nodes,
                                                           const GraphBuildOptions& options,
                                                           const GraphSeed* seed, Work* work) {
    std::unique_ptr<GraphBuilder> builder(new GraphBuilder(rows, nodes, options));
    State& state = *builder->state_;
    if (seed == nullptr) {
        state.graph.hnsw.prepare_level_tab(rows.count, false);
        state.SortByLevel(0, state.order.size());
    } else {
        QUERN_TRY(builder->TakeOver(*seed, work));
    }
    return builder;
}

Status GraphBuilder::TakeOver(const GraphSeed& seed, Work* work) {
    State& state = *state_;
    faiss::HNSW& hnsw = state.graph.hnsw;
    const size_t others = state.order.size() - std::min(state.options.held, state.order.size());
    std::vector<bool> wanted(state.rows.count, false);
    for (size_t i = 0; i < others; i++) {
        wanted[state.order[i]] = true;
    }
    // The table counts the base level and has one entry more than there are levels.
    const auto levels_max = static_cast<uint32_t>(hnsw.cum_nneighbor_per_level.size() - 1);
    QUERN_ASSIGN(const InheritedLinks links,
                 Inherit(state.rows, seed, wanted, levels_max, state.options.threads, work));
    for (const uint32_t level : links.levels) {
        const int fresh = hnsw.random_level() + 1;
        hnsw.levels.push_back(level > 0 ? static_cast<int>(level) : fresh);
    }
    hnsw.prepare_level_tab(state.rows.count, true);
    for (uint32_t node = 0; node < state.rows.count; node++) {
        if (links.levels[node] > 0) {
            // All levels of a node stand one after the other, here and there.
            const uint32_t* words = links.words.data() + links.offsets[node];
            const size_t begin = hnsw.offsets[node];
            for (size_t i = 0; i < hnsw.offsets[node + 1] - begin; i++) {
                hnsw.neighbors[begin + i] =
                    words[i] == kNoNode ? -1 : static_cast<faiss::HNSW::storage_idx_t>(words[i]);
            }
        }
    }
    if (links.entry != kNoNode) {
        state.graph.OfferEntry(links.entry, state.graph.Level(links.entry));
    }
    std::stable_partition(state.order.begin(), state.order.begin() + static_cast<ptrdiff_t>(others),
                          [&](uint32_t node) { return links.levels[node] > 0; });
    state.added = links.count;
    state.SortByLevel(state.added, others);
    return {};
}

GraphBuilder::~GraphBuilder() = default;

void GraphBuilder::WalkOver(const InsertionCodes& codes) {
    state_->codes = codes;
}

const std::vector<uint32_t>& GraphBuilder::order() const {
    return state_->order;
}

size_t GraphBuilder::added() const {
    return state_->added;
}

Status GraphBuilder::Add(size_t count, Work* work) {
    State& state = *state_;
    const size_t end = std::min(state.order.size(), state.added + count);
    const auto first = state.order.begin() + static_cast<ptrdiff_t>(state.added);
    const auto last = state.order.begin() + static_cast<ptrdiff_t>(end);
    // Held-out nodes of a graph that grows are on any level.
    const auto base = std::stable_partition(
        first, last, [&](uint32_t node) { return state.graph.Level(node) > 0; });
    QUERN_TRY(AddUpTo(static_cast<size_t>(base - state.order.begin()), {}, kNodesAtOnce, work));
    std::vector<uint32_t> upper;
    std::copy_if(state.order.begin(), base, std::back_inserter(upper),
                 [&](uint32_t node) { return state.graph.Level(node) > 0; });
    if (upper.empty() || base == last) {
        return AddUpTo(end, {}, kNodesAtOnce, work);
    }
    QUERN_ASSIGN(const InsertionOrder order,
                 InsertionOrder::Of({base, last}, upper, state.rows, state.codes, &state.graph,
                                    state.options.threads, work));
    std::copy(order.nodes.begin(), order.nodes.end(), base);
    return AddUpTo(end, order.near, kNearNodesAtOnce, work);
}

// near: of each node to come one to begin with; empty: walks come from above.
Status GraphBuilder::AddUpTo(size_t end, const std::vector<uint32_t>& near, size_t at_once,
                             Work* work) {
    State& state = *state_;
    const size_t begin = state.added;
    std::atomic<size_t> next{begin};
    std::atomic<size_t> done{begin};
    const auto insert = [&](int) -> Status {
        NodeInserter inserter(state.rows, state.codes, state.options.ef, &state.graph);
        while (true) {
            const size_t first = next.fetch_add(at_once);
            if (first >= end) {
                return {};
            }
            const size_t last = std::min(end, first + at_once);
            for (size_t i = first; i < last; i++) {
                inserter.Insert(state.order[i], near.empty() ? kNoNode : near[i - begin]);
            }
            QUERN_TRY(work->Check("build index", done.fetch_add(last - first) + last - first,
                                  state.order.size()));
        }
    };
    const Status status = RunOnThreads(state.options.threads, insert);
    state.added = end;
    return status;
}

Result<GraphLinks> GraphBuilder::Links(Work* work) const {
    const State& state = *state_;
    const faiss::HNSW& hnsw = state.graph.hnsw;
    GraphLinks links;
    links.count = static_cast<uint32_t>(state.rows.count);
    links.degree = static_cast<uint32_t>(hnsw.nb_neighbors(0));
    links.upper_degree = static_cast<uint32_t>(hnsw.nb_neighbors(1));
    links.base = Buffer(state.rows.count * links.degree * sizeof(uint32_t), nullptr);
    auto* base = reinterpret_cast<uint32_t*>(links.base.data());
    std::vector<uint32_t> upper_number(state.rows.count, kNoNode);
    std::vector<bool> in(state.rows.count, false);
    for (size_t i = 0; i < state.added; i++) {
        in[state.order[i]] = true;
    }
    uint32_t uppers = 0;
    for (uint32_t node = 0; node < links.count; node++) {
        uint32_t* list = base + static_cast<size_t>(node) * links.degree;
        std::fill(list, list + links.degree, kNoNode);
        if (!in[node]) {
            continue;
        }
        size_t begin = 0;
        size_t end = 0;
        hnsw.neighbor_range(node, 0, &begin, &end);
        for (size_t j = begin; j < end && hnsw.neighbors[j] >= 0; j++) {
            *list++ = static_cast<uint32_t>(hnsw.neighbors[j]);
        }
        if (hnsw.levels[node] > 1) {
            upper_number[node] = uppers++;
        }
    }
    for (uint32_t node = 0; node < links.count; node++) {
        if (upper_number[node] == kNoNode) {
            continue;
        }
        const auto levels = static_cast<uint32_t>(hnsw.levels[node] - 1);
        links.upper_offsets.push_back(static_cast<uint32_t>(links.upper_words.size()));
        links.upper_words.push_back(node);
        links.upper_words.push_back(levels);
        for (uint32_t level = 1; level <= levels; level++) {
            size_t begin = 0;
            size_t end = 0;
            hnsw.neighbor_range(node, static_cast<int>(level), &begin, &end);
            uint32_t written = 0;
            for (size_t j = begin; j < end && hnsw.neighbors[j] >= 0; j++, written++) {
                links.upper_words.push_back(upper_number[static_cast<size_t>(hnsw.neighbors[j])]);
            }
            links.upper_words.insert(links.upper_words.end(), links.upper_degree - written,
                                     kNoNode);
        }
    }
    if (state.graph.entry().node != kNoNode) {
        links.entry = state.graph.entry().node;
        links.upper_entry = upper_number[links.entry];
        std::vector<uint32_t> linked;
        for (const uint32_t node : state.nodes) {
            if (in[node]) {
                linked.push_back(node);
            }
        }
        QUERN_TRY(MendReach(state.rows, linked, &links, work));
    }
    return Result<GraphLinks>(std::move(links));
}

}  // namespace quern::dense
