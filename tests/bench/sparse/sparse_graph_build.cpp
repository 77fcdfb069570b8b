// How the graph is made: records come in batches in a random order. Those of a batch look for their
// neighbours among the ones before, on all threads at once, and are linked then; so the graph is
// the same for every number of threads.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/kernels/slot_rows.h"
#include "storage/base/parallel.h"
#include "tests/bench/sparse/sparse_graph.h"

namespace bench {

using quern::Result;
using quern::RunOnThreads;
using quern::Status;
using quern::Work;

namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr size_t kBatchMax = 4096;
constexpr uint32_t kSeed = 20240711;
// Terms of a record whose heads its search begins with.
constexpr size_t kSeedTerms = 4;

}  // namespace

class GraphMaker {
public:
    GraphMaker(SparseGraph* graph, const SparseIndex& index, const GraphOptions& options)
        : graph_(*graph), index_(index), options_(options), stride_(options.links * 2) {}

    Status Make(Work* work) {
        const auto count = static_cast<uint32_t>(index_.count());
        graph_.count_ = count;
        graph_.degree_ = options_.links;
        graph_.cut_.Build(index_.forward(), options_.entries);
        graph_.heads_max_ = options_.heads;
        FindNorms();
        links_.assign(size_t{count} * stride_, kNone);
        counts_.assign(count, 0);
        heads_.assign(index_.terms().size() * options_.heads, {0, kNone});
        std::vector<uint32_t> order(count);
        std::iota(order.begin(), order.end(), 0u);
        std::shuffle(order.begin(), order.end(), std::mt19937(kSeed));
        for (size_t done = 0; done < count;) {
            const size_t size = std::min({count - done, kBatchMax, std::max<size_t>(1, done / 8)});
            QUERN_TRY(AddBatch(order.data() + done, size));
            done += size;
            QUERN_TRY(work->Check("sparse graph", done, count));
        }
        return Finish();
    }

private:
    struct Near {
        float score;
        uint32_t row;
    };

    void FindNorms() {
        const uint32_t n = graph_.cut_.entries();
        norms_.resize(index_.count());
        for (uint32_t row = 0; row < index_.count(); row++) {
            const uint8_t* const weights = graph_.cut_.Row(row) + size_t{2} * n;
            double sum = 0;
            for (uint32_t i = 0; i < n; i++) {
                sum += static_cast<double>(weights[i]) * weights[i];
            }
            norms_[row] = static_cast<float>(1 / std::sqrt(std::max(sum, 1.0)));
        }
    }

    void SetTable(uint32_t row, WalkSpace* walk) const {
        const uint32_t n = graph_.cut_.entries();
        const uint8_t* const at = graph_.cut_.Row(row);
        walk->ClearTable();
        for (uint32_t i = 0; i < n && at[2 * n + i] != 0; i++) {
            const uint16_t slot = reinterpret_cast<const uint16_t*>(at)[i];
            walk->table[slot] = at[2 * n + i];
            walk->in_table.push_back(slot);
        }
    }

    float Similarity(uint32_t row, const WalkSpace& walk) const {
        return static_cast<float>(quern::kernels::SlotDot(
                   graph_.cut_.Row(row), graph_.cut_.entries(), walk.table.data())) *
               norms_[row];
    }

    // Of near, best first: those that no kept one is nearer to. The table is changed.
    void Choose(float own_norm, std::vector<Near>* near, size_t most, WalkSpace* walk) const {
        size_t kept = 0;
        for (size_t i = 0; i < near->size() && kept < most; i++) {
            const Near candidate = (*near)[i];
            SetTable(candidate.row, walk);
            const float mine = candidate.score * own_norm * options_.spread;
            bool open = true;
            for (size_t j = 0; j < kept && open; j++) {
                open = Similarity((*near)[j].row, *walk) * norms_[candidate.row] < mine;
            }
            if (open) {
                (*near)[kept++] = candidate;
            }
        }
        near->resize(kept);
    }

    void FindNeighbours(uint32_t row, WalkSpace* walk, std::vector<Near>* near) const {
        SetTable(row, walk);
        walk->visited.resize(index_.count() / 64 + 1, 0);
        walk->fresh.clear();
        const uint8_t* const at = graph_.cut_.Row(row);
        for (size_t i = 0; i < std::min<size_t>(kSeedTerms, graph_.cut_.entries()); i++) {
            const uint32_t term = reinterpret_cast<const uint16_t*>(at)[i];
            for (uint32_t h = 0; h < options_.heads; h++) {
                const uint32_t head = heads_[size_t{term} * options_.heads + h].second;
                if (head == kNone) {
                    break;
                }
                if (walk->Visit(head)) {
                    walk->fresh.push_back(head);
                    graph_.cut_.Fetch(head);
                }
            }
        }
        walk->pool.clear();
        graph_.Walk(walk, options_.pool, kNone, options_.by_cosine ? norms_.data() : nullptr,
                    links_.data(), stride_);
        walk->ClearVisits();
        near->clear();
        for (const WalkSpace::Met& met : walk->pool) {
            near->push_back(
                {options_.by_cosine ? met.score : met.score * norms_[met.row], met.row});
        }
        Choose(norms_[row], near, options_.links, walk);
    }

    void AddHead(uint32_t row) {
        const uint32_t n = graph_.cut_.entries();
        const uint8_t* const at = graph_.cut_.Row(row);
        for (uint32_t i = 0; i < n && at[2 * n + i] != 0; i++) {
            const uint32_t term = reinterpret_cast<const uint16_t*>(at)[i];
            auto* const heads = heads_.data() + size_t{term} * options_.heads;
            std::pair<uint8_t, uint32_t> head{at[2 * n + i], row};
            for (uint32_t h = 0; h < options_.heads; h++) {
                if (heads[h].second == kNone || heads[h].first < head.first) {
                    std::swap(heads[h], head);
                    if (head.second == kNone) {
                        break;
                    }
                }
            }
        }
    }

    Status AddBatch(const uint32_t* rows, size_t count) {
        std::vector<std::vector<Near>> chosen(count);
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace walk;
            for (size_t i = next++; i < count; i = next++) {
                FindNeighbours(rows[i], &walk, &chosen[i]);
            }
            return {};
        }));
        std::vector<std::pair<uint32_t, uint32_t>> back;
        for (size_t i = 0; i < count; i++) {
            for (const Near& near : chosen[i]) {
                links_[size_t{rows[i]} * stride_ + counts_[rows[i]]++] = near.row;
                back.emplace_back(near.row, rows[i]);
            }
            AddHead(rows[i]);
        }
        std::stable_sort(back.begin(), back.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        constexpr size_t kPart = 1024;
        std::atomic<size_t> part{0};
        return RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace walk;
            for (size_t first = part++ * kPart; first < back.size(); first = part++ * kPart) {
                size_t i = first;
                while (i > 0 && i < back.size() && back[i].first == back[i - 1].first) {
                    i++;  // belongs to the part before
                }
                const size_t end = std::min(first + kPart, back.size());
                for (; i < back.size() && (i < end || back[i].first == back[i - 1].first); i++) {
                    Link(back[i].first, back[i].second, &walk);
                }
            }
            return {};
        });
    }

    void Link(uint32_t from, uint32_t to, WalkSpace* walk) {
        if (counts_[from] == stride_) {
            Shorten(from, walk);
        }
        links_[size_t{from} * stride_ + counts_[from]++] = to;
    }

    void Shorten(uint32_t row, WalkSpace* walk) {
        uint32_t* const links = links_.data() + size_t{row} * stride_;
        SetTable(row, walk);
        std::vector<Near> near;
        for (uint32_t i = 0; i < counts_[row]; i++) {
            near.push_back({Similarity(links[i], *walk), links[i]});
        }
        std::sort(near.begin(), near.end(), [](const Near& a, const Near& b) {
            return a.score != b.score ? a.score > b.score : a.row < b.row;
        });
        Choose(norms_[row], &near, options_.links, walk);
        for (uint32_t i = 0; i < stride_; i++) {
            links[i] = i < near.size() ? near[i].row : kNone;
        }
        counts_[row] = static_cast<uint32_t>(near.size());
    }

    Status Finish() {
        const auto count = static_cast<uint32_t>(index_.count());
        std::atomic<uint32_t> next{0};
        QUERN_TRY(RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace walk;
            for (uint32_t row = next++; row < count; row = next++) {
                if (counts_[row] > options_.links) {
                    Shorten(row, &walk);
                }
            }
            return {};
        }));
        graph_.links_.resize(size_t{count} * options_.links);
        for (uint32_t row = 0; row < count; row++) {
            std::copy_n(links_.data() + size_t{row} * stride_, options_.links,
                        graph_.links_.data() + size_t{row} * options_.links);
        }
        for (const auto& head : heads_) {
            graph_.heads_.push_back(head.second);
        }
        return {};
    }

    SparseGraph& graph_;
    const SparseIndex& index_;
    const GraphOptions options_;
    const uint32_t stride_;
    std::vector<float> norms_;  // 1 / length
    std::vector<uint32_t> links_;
    std::vector<uint32_t> counts_;
    std::vector<std::pair<uint8_t, uint32_t>> heads_;
};

Result<std::unique_ptr<SparseGraph>> SparseGraph::Build(const SparseIndex& index,
                                                        const GraphOptions& options, Work* work) {
    std::unique_ptr<SparseGraph> graph(new SparseGraph());
    GraphMaker maker(graph.get(), index, options);
    QUERN_TRY(maker.Make(work));
    return graph;
}

}  // namespace bench
