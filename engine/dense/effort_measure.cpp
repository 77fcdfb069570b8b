#include "engine/dense/effort_measure.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kDepths = EffortCurve::kRefine.size() + 1;
constexpr size_t kTenth = 1;       // of kK: recall@10
constexpr float kWhole = 0.9995f;  // a recall that larger pools cannot better by what is measured

// How many of the true k were among the first `refine` of the pool.
using Hits = std::array<std::array<uint64_t, kDepths>, EffortCurve::kK.size()>;

void CountHits(const std::vector<uint32_t>& nodes,
               const std::vector<std::pair<uint32_t, uint32_t>>& ranks, Hits* hits) {
    for (size_t place = 0; place < nodes.size(); place++) {
        const auto found =
            std::lower_bound(ranks.begin(), ranks.end(), std::make_pair(nodes[place], 0u));
        if (found == ranks.end() || found->first != nodes[place]) {
            continue;
        }
        for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
            for (size_t r = 0; found->second < EffortCurve::kK[k] && r < kDepths; r++) {
                if (r + 1 == kDepths || place < EffortCurve::kRefine[r]) {
                    (*hits)[k][r]++;
                }
            }
        }
    }
}

bool FindsAll(const EffortCurve& curve, size_t e) {
    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
        if (curve.At(k, e, kDepths - 1) < kWhole) {
            return false;
        }
    }
    return true;
}

// Larger pools find no less, and the walk over them would be most of the time of a measurement.
void RepeatFrom(size_t from, EffortTrial* trial) {
    for (size_t e = from + 1; e < EffortCurve::kEf.size(); e++) {
        trial->scored[e] = trial->scored[from] *
                           (static_cast<double>(EffortCurve::kEf[e]) / EffortCurve::kEf[from]);
        for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
            for (size_t r = 0; r < kDepths; r++) {
                trial->curve.At(k, e, r) = trial->curve.At(k, from, r);
            }
        }
    }
}

}  // namespace

EffortMeasure::EffortMeasure(const VectorRows& rows, std::vector<uint32_t> held_out,
                             const std::vector<uint32_t>& inside)
    : rows_(rows), held_out_(std::move(held_out)) {
    std::vector<bool> is_held(rows.count, false);
    for (const uint32_t node : held_out_) {
        is_held[node] = true;
    }
    others_.reserve(inside.size());
    for (const uint32_t node : inside) {
        if (!is_held[node]) {
            others_.push_back(node);
        }
    }
    truth_count_ = std::min<size_t>(EffortCurve::kK.back(), others_.size());
    truth_.resize(held_out_.size());
}

EffortMeasure::Query EffortMeasure::QueryOf(uint32_t node) const {
    Query query;
    query.vector = rows_.row(node);
    if (rows_.element != Element::kBit) {
        query.values.resize(rows_.dim);
        kernels::ToF32(rows_.element, rows_.row(node), 1, rows_.dim, query.values.data());
        query.vector = query.values.data();
    }
    return query;
}

Status EffortMeasure::FindTruth(int threads, Work* work) {
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        constexpr size_t kBlock = 4096;
        std::vector<float> distances(kBlock);
        while (true) {
            const size_t number = next.fetch_add(1);
            if (number >= held_out_.size()) {
                return {};
            }
            const uint32_t held = held_out_[number];
            const Query values = QueryOf(held);
            const kernels::Query query =
                kernels::PrepareQuery(rows_.element, rows_.metric, values.vector, rows_.dim,
                                      rows_.inverse_norms ? rows_.inverse_norms[held] : 0.0f);
            kernels::TopK top(truth_count_);
            for (size_t first = 0; first < others_.size(); first += kBlock) {
                const size_t count = std::min(kBlock, others_.size() - first);
                kernels::DistancesPicked(rows_.element, rows_.metric, query, rows_.rows,
                                         others_.data() + first, count, rows_.inverse_norms,
                                         distances.data());
                for (size_t i = 0; i < count; i++) {
                    if (distances[i] <= top.Threshold()) {
                        top.Push(distances[i], others_[first + i]);
                    }
                }
                QUERN_TRY(work->Check("calibrate", number, held_out_.size()));
            }
            const std::vector<kernels::Hit> truth = top.Take();
            for (uint32_t i = 0; i < truth.size(); i++) {
                truth_[number].emplace_back(truth[i].position, i);
            }
            std::sort(truth_[number].begin(), truth_[number].end());
        }
    });
}

Result<EffortTrial> EffortMeasure::Run(const Search& search, size_t queries, double enough,
                                       int threads, Work* work) const {
    queries = std::min(queries, held_out_.size());
    EffortTrial trial;
    trial.curve.SetQueries(static_cast<uint32_t>(queries));
    for (size_t e = 0; e < EffortCurve::kEf.size(); e++) {
        Hits hits{};
        uint64_t scored = 0;
        std::mutex mutex;
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
            WalkSpace space;
            std::vector<uint32_t> nodes;
            Hits mine{};
            uint64_t my_scored = 0;
            while (true) {
                const size_t number = next.fetch_add(1);
                if (number >= queries) {
                    break;
                }
                const Query query = QueryOf(held_out_[number]);
                QUERN_TRY(search(query.vector, EffortCurve::kEf[e], &space, &nodes));
                CountHits(nodes, truth_[number], &mine);
                my_scored += space.scored;
                QUERN_TRY(work->Check("calibrate", number, queries));
            }
            std::lock_guard<std::mutex> lock(mutex);
            for (size_t k = 0; k < hits.size(); k++) {
                for (size_t r = 0; r < kDepths; r++) {
                    hits[k][r] += mine[k][r];
                }
            }
            scored += my_scored;
            return {};
        }));
        trial.scored[e] = static_cast<double>(scored) / static_cast<double>(queries);
        for (size_t k = 0; k < hits.size(); k++) {
            const size_t wanted = std::min<size_t>(EffortCurve::kK[k], truth_count_) * queries;
            for (size_t r = 0; r < kDepths; r++) {
                trial.curve.At(k, e, r) =
                    wanted == 0 ? 0.0f
                                : static_cast<float>(hits[k][r]) / static_cast<float>(wanted);
            }
        }
        if (static_cast<double>(trial.curve.At(kTenth, e, kDepths - 1)) >= enough) {
            break;
        }
        if (FindsAll(trial.curve, e)) {
            RepeatFrom(e, &trial);
            break;
        }
    }
    return trial;
}

}  // namespace quern::dense
