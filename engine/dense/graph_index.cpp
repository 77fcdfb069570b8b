#include "engine/dense/graph_index.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "engine/dense/graph_builder.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kHeldOutMax = 500;   // recall within about 0.003 at 0.98
constexpr size_t kHeldOutShare = 8;   // and never more than one record in so many
constexpr size_t kEncodeRows = 4096;  // that one worker encodes at a time

// Walks on codes.
class CodeScorer {
public:
    CodeScorer(const ScalarQuery& query, const uint8_t* rows, const float* squared_norms)
        : query_(query), rows_(rows), squared_norms_(squared_norms) {}
    void Score(const uint32_t* nodes, size_t count, float* distances) {
        int32_t dots[kDegreeMax];
        kernels::CodeDotsPicked(query_.query, rows_, nodes, count, dots);
        if (squared_norms_ != nullptr) {
            for (size_t i = 0; i < count; i++) {
                distances[i] =
                    squared_norms_[nodes[i]] + query_.slope * static_cast<float>(dots[i]);
            }
        } else {
            for (size_t i = 0; i < count; i++) {
                distances[i] = query_.slope * static_cast<float>(dots[i]);
            }
        }
    }
    void Fetch(uint32_t node) const {
        const uint8_t* row = rows_ + static_cast<size_t>(node) * query_.query.row_bytes;
        for (size_t at = 0; at < std::min<size_t>(query_.query.row_bytes, 1024); at += 64) {
            __builtin_prefetch(row + at);
        }
        if (squared_norms_ != nullptr) {
            __builtin_prefetch(squared_norms_ + node);
        }
    }

private:
    const ScalarQuery& query_;
    const uint8_t* rows_;
    const float* squared_norms_;
};

// Walks on the vectors.
class RowScorer {
public:
    RowScorer(const VectorRows& rows, const kernels::Query& query) : rows_(rows), query_(query) {}
    void Score(const uint32_t* nodes, size_t count, float* distances) {
        constexpr size_t kAtOnce = 4;
        for (size_t i = 0; i < count; i += kAtOnce) {
            const size_t now = std::min(kAtOnce, count - i);
            for (size_t j = i + kAtOnce; j < std::min(count, i + 2 * kAtOnce); j++) {
                Fetch(nodes[j]);
            }
            kernels::DistancesPicked(rows_.element, rows_.metric, query_, rows_.rows, nodes + i,
                                     now, rows_.inverse_norms, distances + i);
        }
    }
    void Fetch(uint32_t node) const {
        const char* row = rows_.row(node);
        for (size_t at = 0; at < std::min<size_t>(rows_.row_bytes(), 4096); at += 64) {
            __builtin_prefetch(row + at);
        }
    }

private:
    const VectorRows& rows_;
    const kernels::Query& query_;
};

}  // namespace

Result<std::unique_ptr<GraphIndex>> GraphIndex::Build(const VectorRows& rows,
                                                      const GraphIndexOptions& options,
                                                      Work* work) {
    std::unique_ptr<GraphIndex> index(new GraphIndex());
    index->metric_ = rows.metric;
    std::vector<uint32_t> inside;
    index->outsiders_ = Outsiders::Find(rows, &inside);
    index->linked_ = inside.size();
    if (options.codes != CodeChoice::kNone && rows.element != Element::kBit) {
        index->codes_ = ScalarCodes::Train(rows, static_cast<kernels::CodeBits>(options.codes));
        index->code_rows_ = Buffer(rows.count * index->codes_->row_bytes(), nullptr);
        const bool norms = rows.metric == Metric::kL2;
        if (norms) {
            index->squared_norms_ = Buffer(rows.count * sizeof(float), nullptr);
        }
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(options.threads, [&](int) -> Status {
            while (true) {
                const size_t first = next.fetch_add(kEncodeRows);
                if (first >= rows.count) {
                    return {};
                }
                const size_t count = std::min(kEncodeRows, rows.count - first);
                index->codes_->Encode(
                    rows, first, count,
                    reinterpret_cast<uint8_t*>(index->code_rows_.data()) +
                        first * index->codes_->row_bytes(),
                    norms ? reinterpret_cast<float*>(index->squared_norms_.data()) + first
                          : nullptr);
                QUERN_TRY(work->Check("encode", first, rows.count));
            }
        }));
    }
    GraphBuildOptions build;
    build.m = options.m;
    build.ef = options.ef_build;
    build.threads = options.threads;
    GraphBuilder builder(rows, inside, build);
    const size_t held = std::min(kHeldOutMax, inside.size() / kHeldOutShare);
    QUERN_TRY(builder.Add(inside.size() - held, work));
    if (held > 0) {
        index->links_ = builder.Links();
        const std::vector<uint32_t>& order = builder.order();
        const std::vector<uint32_t> held_out(order.end() - static_cast<ptrdiff_t>(held),
                                             order.end());
        QUERN_TRY(index->Calibrate(rows, held_out, inside, options.threads, work));
        QUERN_TRY(builder.Add(held, work));
    }
    index->links_ = builder.Links();
    index->EncodeHead();
    return index;
}

Status GraphIndex::Calibrate(const VectorRows& rows, const std::vector<uint32_t>& held_out,
                             const std::vector<uint32_t>& inside, int threads, Work* work) {
    constexpr size_t kTruth = EffortCurve::kK.back();
    std::vector<bool> is_held(rows.count, false);
    for (const uint32_t node : held_out) {
        is_held[node] = true;
    }
    std::vector<uint32_t> others;
    others.reserve(inside.size());
    for (const uint32_t node : inside) {
        if (!is_held[node]) {
            others.push_back(node);
        }
    }
    // hits[k][ef][refine]: how many of the true k were among the first `refine` of the pool.
    const size_t cells =
        EffortCurve::kK.size() * EffortCurve::kEf.size() * (EffortCurve::kRefine.size() + 1);
    std::vector<uint64_t> hits(cells, 0);
    std::vector<uint64_t> whole_pool_hits(EffortCurve::kEf.size(), 0);
    std::mutex mutex;
    std::atomic<size_t> next{0};
    const auto cell = [](size_t k, size_t e, size_t r) {
        return (k * EffortCurve::kEf.size() + e) * (EffortCurve::kRefine.size() + 1) + r;
    };
    const size_t truth_count = std::min(kTruth, others.size());
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        WalkSpace space;
        std::vector<uint32_t> nodes;
        std::vector<float> values(rows.dim);
        std::vector<float> distances;
        std::vector<uint64_t> mine(cells, 0);
        constexpr size_t kBlock = 4096;
        distances.resize(kBlock);
        while (true) {
            const size_t number = next.fetch_add(1);
            if (number >= held_out.size()) {
                break;
            }
            const uint32_t held = held_out[number];
            const void* vector = rows.row(held);
            if (rows.element != Element::kBit) {
                kernels::ToF32(rows.element, rows.row(held), 1, rows.dim, values.data());
                vector = values.data();
            }
            kernels::Query query{vector, rows.dim,
                                 rows.inverse_norms ? rows.inverse_norms[held] : 0.0f};
            kernels::TopK top(truth_count);
            for (size_t first = 0; first < others.size(); first += kBlock) {
                const size_t count = std::min(kBlock, others.size() - first);
                kernels::DistancesPicked(rows.element, rows.metric, query, rows.rows,
                                         others.data() + first, count, rows.inverse_norms,
                                         distances.data());
                for (size_t i = 0; i < count; i++) {
                    if (distances[i] <= top.Threshold()) {
                        top.Push(distances[i], others[first + i]);
                    }
                }
                QUERN_TRY(work->Check("calibrate", number, held_out.size()));
            }
            const std::vector<kernels::Hit> truth = top.Take();
            std::vector<std::pair<uint32_t, uint32_t>> ranks;  // node, rank
            for (uint32_t i = 0; i < truth.size(); i++) {
                ranks.emplace_back(truth[i].position, i);
            }
            std::sort(ranks.begin(), ranks.end());
            for (size_t e = 0; e < EffortCurve::kEf.size(); e++) {
                QUERN_TRY(Search(rows, vector, EffortCurve::kEf[e], &space, &nodes, work));
                for (size_t place = 0; place < nodes.size(); place++) {
                    const auto found = std::lower_bound(ranks.begin(), ranks.end(),
                                                        std::make_pair(nodes[place], 0u));
                    if (found == ranks.end() || found->first != nodes[place]) {
                        continue;
                    }
                    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
                        if (found->second >= EffortCurve::kK[k]) {
                            continue;
                        }
                        for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                            if (r == EffortCurve::kRefine.size() ||
                                place < EffortCurve::kRefine[r]) {
                                mine[cell(k, e, r)]++;
                            }
                        }
                    }
                }
            }
        }
        std::lock_guard<std::mutex> lock(mutex);
        for (size_t i = 0; i < cells; i++) {
            hits[i] += mine[i];
        }
        return {};
    }));
    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
        const size_t wanted = std::min<size_t>(EffortCurve::kK[k], truth_count) * held_out.size();
        for (size_t e = 0; e < EffortCurve::kEf.size(); e++) {
            for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                curve_.At(k, e, r) = wanted == 0 ? 0.0f
                                                 : static_cast<float>(hits[cell(k, e, r)]) /
                                                       static_cast<float>(wanted);
            }
        }
    }
    curve_.SetQueries(static_cast<uint32_t>(held_out.size()));
    return {};
}

Status GraphIndex::Search(const VectorRows& rows, const void* vector, size_t ef, WalkSpace* space,
                          std::vector<uint32_t>* nodes, Work* work) const {
    nodes->clear();
    if (codes_) {
        ScalarQuery query;
        codes_->Prepare(metric_, static_cast<const float*>(vector), &query);
        CodeScorer scorer(query, reinterpret_cast<const uint8_t*>(code_rows_.data()),
                          squared_norms_.data() != nullptr
                              ? reinterpret_cast<const float*>(squared_norms_.data())
                              : nullptr);
        QUERN_TRY(Walk(links_, scorer, ef, space, work));
    } else {
        const kernels::Query query =
            kernels::PrepareQuery(rows.element, rows.metric, vector, rows.dim);
        RowScorer scorer(rows, query);
        QUERN_TRY(Walk(links_, scorer, ef, space, work));
    }
    nodes->reserve(space->size);
    for (size_t i = 0; i < space->size; i++) {
        nodes->push_back(space->node(i));
    }
    return {};
}

uint64_t GraphIndex::memory_bytes() const {
    return links_.base.bytes() + links_.upper_words.size() * sizeof(uint32_t) +
           links_.upper_offsets.size() * sizeof(uint32_t) + code_rows_.bytes() +
           squared_norms_.bytes() + outsiders_.memory_bytes() + head_.size();
}

}  // namespace quern::dense
