#include "tests/bench/sparse/sparse_graph.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/kernels/slot_rows.h"

namespace bench {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
// Of all query weights together, times 255, it stays below 2^32.
constexpr double kTableSumMax = 1 << 24;

}  // namespace

void CutRows::Build(const ForwardCopy& forward, uint32_t entries) {
    entries_ = entries;
    stride_ = (entries * 3 + 63) / 64 * 64;
    rows_ = quern::Buffer(size_t{forward.rows()} * stride_, nullptr);
    float most = 0;
    for (uint32_t i = 0; i < forward.offsets.back(); i++) {
        most = std::max(most, forward.WeightAt(i));
    }
    step_ = static_cast<double>(most) / 255;
    std::vector<std::pair<float, uint16_t>> row;
    for (uint32_t r = 0; r < forward.rows(); r++) {
        row.clear();
        for (uint32_t i = forward.offsets[r]; i < forward.offsets[r + 1]; i++) {
            row.emplace_back(-forward.WeightAt(i), static_cast<uint16_t>(forward.TermAt(i)));
        }
        const size_t kept = std::min<size_t>(entries, row.size());
        std::partial_sort(row.begin(), row.begin() + static_cast<ptrdiff_t>(kept), row.end());
        auto* const at = reinterpret_cast<uint8_t*>(rows_.data()) + size_t{r} * stride_;
        std::fill_n(at, stride_, uint8_t{0});
        for (size_t i = 0; i < kept; i++) {
            reinterpret_cast<uint16_t*>(at)[i] = row[i].second;
            at[2 * entries + i] = static_cast<uint8_t>(std::lround(-row[i].first / most * 255));
        }
    }
}

WalkSpace::WalkSpace() : table(quern::kernels::kSlotTable, 0) {}

void WalkSpace::ClearTable() {
    for (const uint16_t slot : in_table) {
        table[slot] = 0;
    }
    in_table.clear();
}

void WalkSpace::ClearVisits() {
    for (const uint32_t row : visits) {
        visited[row / 64] = 0;
    }
    visits.clear();
}

void SparseGraph::Walk(WalkSpace* walk, uint32_t pool_max, uint32_t reach, const float* norms,
                       const uint32_t* links, uint32_t stride) const {
    auto& pool = walk->pool;
    auto& fresh = walk->fresh;
    size_t next = 0;
    while (true) {
        for (const uint32_t row : fresh) {
            float score = static_cast<float>(
                quern::kernels::SlotDot(cut_.Row(row), cut_.entries(), walk->table.data()));
            if (norms != nullptr) {
                score *= norms[row];
            }
            next = std::min(next, walk->Insert(score, row, pool_max));
        }
        walk->scored += fresh.size();
        fresh.clear();
        const size_t end = std::min<size_t>(pool.size(), reach);
        while (next < end && pool[next].done) {
            next++;
        }
        if (next >= end) {
            return;
        }
        pool[next].done = true;
        const uint32_t* const of = links + size_t{pool[next].row} * stride;
        for (uint32_t i = 0; i < stride && of[i] != kNone; i++) {
            if (walk->Visit(of[i])) {
                fresh.push_back(of[i]);
                cut_.Fetch(of[i]);
            }
        }
        // Most likely the one after it.
        size_t after = next + 1;
        while (after < end && pool[after].done) {
            after++;
        }
        if (after < end) {
            const uint32_t* const ahead = links + size_t{pool[after].row} * stride;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 16);
        }
    }
}

bool SparseGraph::SetTable(const SparseIndex& index, const SparseVector& query,
                           WalkSpace* walk) const {
    walk->terms.clear();
    walk->weights.clear();
    walk->order.clear();
    walk->ClearTable();
    double sum = 0;
    double most = 0;
    for (const SparseEntry& entry : query) {
        const auto [first, count] = index.terms().Find(entry.dimension);
        if (count == 1 && entry.weight > 0) {
            walk->terms.push_back(first);
            walk->weights.push_back(static_cast<double>(entry.weight));
            walk->order.emplace_back(-walk->weights.back(), first);
            sum += walk->weights.back();
            most = std::max(most, walk->weights.back());
        }
    }
    if (most == 0) {
        return false;
    }
    const double scale = std::min(65535 / most, kTableSumMax / sum);
    for (size_t i = 0; i < walk->terms.size(); i++) {
        walk->table[walk->terms[i] & 0xffff] = static_cast<uint16_t>(walk->weights[i] * scale);
        walk->in_table.push_back(static_cast<uint16_t>(walk->terms[i]));
    }
    walk->unit = cut_.step() / scale;
    walk->visited.resize(count_ / 64 + 1, 0);
    walk->fresh.clear();
    walk->pool.clear();
    return true;
}

void SparseGraph::Finish(const SparseIndex& index, uint32_t source, TopHits* hits,
                         SearchSpace* space, WalkSpace* walk, SearchStats* stats) const {
    walk->ClearVisits();
    space->marks.Set(walk->terms, walk->weights);
    const ForwardCopy& forward = index.forward();
    for (size_t i = 0; i < std::min<size_t>(4, walk->pool.size()); i++) {
        forward.Fetch(walk->pool[i].row);
    }
    for (size_t i = 0; i < walk->pool.size(); i++) {
        if (i + 4 < walk->pool.size()) {
            forward.Fetch(walk->pool[i + 4].row);
        }
        const RowScore score = forward.Score(walk->pool[i].row, space->marks, space->places.data());
        hits->Push({score.score, source, walk->pool[i].row});
    }
    stats->scored += walk->scored;
    walk->scored = 0;
}

void SparseGraph::SearchAfterProposals(const SparseIndex& index, const SparseProposal& proposal,
                                       const SparseVector& query, const GraphEffort& effort,
                                       const ProposalEffort& proposal_effort, uint32_t source,
                                       TopHits* hits, SearchSpace* space, ProposalSpace* own,
                                       WalkSpace* walk, SearchStats* stats) const {
    if (!SetTable(index, query, walk)) {
        return;
    }
    proposal.Fill(index, query, proposal_effort, cut_, effort.pool, hits->k(), space, own, walk);
    Walk(walk, effort.pool, effort.reach, nullptr, links_.data(), degree_);
    Finish(index, source, hits, space, walk, stats);
}

void SparseGraph::Search(const SparseIndex& index, const SparseVector& query,
                         const GraphEffort& effort, uint32_t source, TopHits* hits,
                         SearchSpace* space, WalkSpace* walk, SearchStats* stats) const {
    if (!SetTable(index, query, walk)) {
        return;
    }
    std::sort(walk->order.begin(), walk->order.end());
    for (size_t i = 0; i < std::min<size_t>(effort.terms, walk->order.size()); i++) {
        const uint32_t* const heads = heads_.data() + size_t{walk->order[i].second} * heads_max_;
        for (uint32_t h = 0; h < std::min(effort.heads, heads_max_) && heads[h] != kNone; h++) {
            if (walk->Visit(heads[h])) {
                walk->fresh.push_back(heads[h]);
                cut_.Fetch(heads[h]);
            }
        }
    }
    Walk(walk, effort.pool, effort.reach, nullptr, links_.data(), degree_);
    Finish(index, source, hits, space, walk, stats);
}

void SparseGraph::Save(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    const uint64_t head[4] = {count_, degree_, heads_max_, heads_.size()};
    file.write(reinterpret_cast<const char*>(head), sizeof head);
    file.write(reinterpret_cast<const char*>(links_.data()),
               static_cast<std::streamsize>(links_.size() * 4));
    file.write(reinterpret_cast<const char*>(heads_.data()),
               static_cast<std::streamsize>(heads_.size() * 4));
}

std::unique_ptr<SparseGraph> SparseGraph::Load(const std::string& path, const SparseIndex& index,
                                               const GraphOptions& options) {
    std::ifstream file(path, std::ios::binary);
    uint64_t head[4] = {};
    file.read(reinterpret_cast<char*>(head), sizeof head);
    if (!file || head[0] != index.count()) {
        return nullptr;
    }
    std::unique_ptr<SparseGraph> graph(new SparseGraph());
    graph->count_ = static_cast<uint32_t>(head[0]);
    graph->degree_ = static_cast<uint32_t>(head[1]);
    graph->heads_max_ = static_cast<uint32_t>(head[2]);
    graph->links_.resize(size_t{graph->count_} * graph->degree_);
    graph->heads_.resize(head[3]);
    file.read(reinterpret_cast<char*>(graph->links_.data()),
              static_cast<std::streamsize>(graph->links_.size() * 4));
    file.read(reinterpret_cast<char*>(graph->heads_.data()),
              static_cast<std::streamsize>(graph->heads_.size() * 4));
    graph->cut_.Build(index.forward(), options.entries);
    return graph;
}

}  // namespace bench
