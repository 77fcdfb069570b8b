#include "engine/dense/graph_builder.h"

#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/HNSW.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>

#include "engine/kernels/distance.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr uint64_t kShuffleSeed = 0x9E3779B97F4A7C15;
constexpr size_t kNodesAtOnce = 16;  // that a worker takes; also how often it looks for a stop
constexpr int kRepairRounds = 4;

// Distances between stored rows, as FAISS asks for them.
class RowDistance : public faiss::DistanceComputer {
public:
    explicit RowDistance(const VectorRows& rows) : rows_(rows) {}
    // FAISS's own loops hand over vectors; ours names a row instead.
    void set_query(const float*) override {}
    void SetRow(uint32_t row) { Prepare(row, &query_); }
    float operator()(idx_t i) override { return Measure(query_.query, i); }
    float symmetric_dis(idx_t i, idx_t j) override {
        if (j != other_row_) {
            Prepare(static_cast<uint32_t>(j), &other_);
            other_row_ = j;
        }
        return Measure(other_.query, i);
    }

private:
    struct Prepared {
        kernels::Query query;
        std::vector<float> values;
    };
    void Prepare(uint32_t row, Prepared* out) const {
        const void* vector = rows_.row(row);
        if (rows_.element != Element::kF32 && rows_.element != Element::kBit) {
            out->values.resize(rows_.dim);
            kernels::ToF32(rows_.element, vector, 1, rows_.dim, out->values.data());
            vector = out->values.data();
        }
        out->query = kernels::PrepareQuery(rows_.element, rows_.metric, vector, rows_.dim,
                                           rows_.inverse_norms ? rows_.inverse_norms[row] : 0.0f);
    }
    float Measure(const kernels::Query& query, idx_t i) const {
        const auto row = static_cast<uint32_t>(i);
        float distance = 0;
        kernels::DistancesPicked(rows_.element, rows_.metric, query, rows_.rows, &row, 1,
                                 rows_.inverse_norms, &distance);
        return distance;
    }

    const VectorRows& rows_;
    Prepared query_;
    Prepared other_;
    idx_t other_row_ = -1;
};

class Locks {
public:
    explicit Locks(size_t count) : locks_(count) {
        for (omp_lock_t& lock : locks_) {
            omp_init_lock(&lock);
        }
    }
    ~Locks() {
        for (omp_lock_t& lock : locks_) {
            omp_destroy_lock(&lock);
        }
    }
    Locks(const Locks&) = delete;
    std::vector<omp_lock_t>& get() { return locks_; }

private:
    std::vector<omp_lock_t> locks_;
};

// Gives nodes that nobody links to a place in the list of a reachable neighbour.
void Repair(const std::vector<uint32_t>& nodes, GraphLinks* links) {
    auto* base = reinterpret_cast<uint32_t*>(links->base.data());
    for (int round = 0; round < kRepairRounds; round++) {
        const std::vector<bool> seen = links->Reachable();
        bool whole = true;
        for (const uint32_t node : nodes) {
            if (seen[node]) {
                continue;
            }
            whole = false;
            const uint32_t* out = links->Neighbours(node);
            for (uint32_t i = 0; i < links->degree && out[i] != kNoNode; i++) {
                if (!seen[out[i]]) {
                    continue;
                }
                uint32_t* list = base + static_cast<size_t>(out[i]) * links->degree;
                // A free place, or else the last: the farthest of the neighbours that were chosen.
                uint32_t place = 0;
                while (place + 1 < links->degree && list[place] != kNoNode) {
                    place++;
                }
                list[place] = node;
                break;
            }
        }
        if (whole) {
            return;
        }
    }
}

}  // namespace

struct GraphBuilder::State {
    State(const VectorRows& r, const GraphBuildOptions& o)
        : rows(r), options(o), hnsw(static_cast<int>(o.m)), locks(r.count) {
        hnsw.efConstruction = static_cast<int>(o.ef);
    }
    VectorRows rows;
    GraphBuildOptions options;
    faiss::HNSW hnsw;
    Locks locks;
    std::vector<uint32_t> nodes;
    std::vector<uint32_t> order;
    size_t added = 0;
};

GraphBuilder::GraphBuilder(const VectorRows& rows, const std::vector<uint32_t>& nodes,
                           const GraphBuildOptions& options)
    : state_(std::make_unique<State>(rows, options)) {
    State& state = *state_;
    state.hnsw.prepare_level_tab(rows.count, false);
    state.nodes = nodes;
    state.order = nodes;
    std::mt19937_64 random(kShuffleSeed);
    for (size_t i = state.order.size(); i > 1; i--) {
        std::swap(state.order[i - 1], state.order[random() % i]);
    }
    std::stable_sort(state.order.begin(), state.order.end(), [&](uint32_t a, uint32_t b) {
        return state.hnsw.levels[a] > state.hnsw.levels[b];
    });
}

GraphBuilder::~GraphBuilder() = default;

const std::vector<uint32_t>& GraphBuilder::order() const {
    return state_->order;
}

Status GraphBuilder::Add(size_t count, Work* work) {
    State& state = *state_;
    const size_t end = std::min(state.order.size(), state.added + count);
    std::atomic<size_t> next{state.added};
    std::atomic<size_t> done{state.added};
    const auto insert = [&](int) -> Status {
        RowDistance distance(state.rows);
        faiss::VisitedTable visited(static_cast<int>(state.rows.count));
        while (true) {
            const size_t first = next.fetch_add(kNodesAtOnce);
            if (first >= end) {
                return {};
            }
            const size_t last = std::min(end, first + kNodesAtOnce);
            for (size_t i = first; i < last; i++) {
                const uint32_t node = state.order[i];
                distance.SetRow(node);
                state.hnsw.add_with_locks(distance, state.hnsw.levels[node] - 1,
                                          static_cast<int>(node), state.locks.get(), visited);
            }
            QUERN_TRY(work->Check("build index", done.fetch_add(last - first) + last - first,
                                  state.order.size()));
        }
    };
    const Status status = RunOnThreads(state.options.threads, insert);
    state.added = end;
    return status;
}

GraphLinks GraphBuilder::Links() const {
    const State& state = *state_;
    const faiss::HNSW& hnsw = state.hnsw;
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
    if (hnsw.entry_point >= 0) {
        links.entry = static_cast<uint32_t>(hnsw.entry_point);
        links.upper_entry = upper_number[links.entry];
        std::vector<uint32_t> linked;
        for (const uint32_t node : state.nodes) {
            if (in[node]) {
                linked.push_back(node);
            }
        }
        Repair(linked, &links);
    }
    return links;
}

}  // namespace quern::dense
