// Everything within a distance, by a graph: the search, and how its curve is measured.
#include <algorithm>
#include <atomic>
#include <mutex>

#include "engine/dense/graph_index.h"
#include "engine/dense/range_measure.h"
#include "engine/dense/range_walk.h"
#include "engine/dense/row_scorer.h"
#include "engine/dense/safe_length.h"
#include "storage/base/parallel.h"

namespace quern::dense {

Status GraphIndex::SearchRange(const VectorRows& rows, const RangeQuery& query, WalkSpace* space,
                               bool* complete, Work* work) const {
    RangeLimits limits;
    limits.effort = query.effort;
    limits.first_effort = query.first_effort;
    limits.most = query.most;
    limits.bound = query.bound;
    if (!codes_) {
        const kernels::Query prepared =
            kernels::PrepareQuery(rows.element, rows.metric, query.vector, rows.dim);
        RowScorer scorer(rows, prepared);
        return WalkRange(links_, scorer, limits, space, complete, work);
    }
    const SafeQuery safe(metric_, query.vector, rows.dim);
    const float* const vector = safe.values();
    const auto bound = static_cast<double>(query.bound);
    const double margin = query.by_codes ? 0 : range_curve_.Margin(*codes_, vector, bound);
    limits.bound = codes_->ScoreAt(vector, bound + margin);
    const std::unique_ptr<CodeScorer> scorer = codes_->NewScorer(vector, Rows());
    return WalkRange(links_, *scorer, limits, space, complete, work);
}

void GraphIndex::WithinDistances(const void* vector, std::vector<float>* scores) const {
    if (codes_) {
        codes_->ToDistances(SafeQuery(metric_, vector, codes_->dim()).values(), scores);
    }
}

void GraphIndex::MeasureErrors(const EffortMeasure& measure) {
    if (!codes_) {
        return;
    }
    CodeErrors errors;
    std::vector<uint32_t> nodes;
    std::vector<float> distances;
    for (size_t number = 0; number < std::min(kDeepQueries, measure.queries()); number++) {
        const EffortMeasure::Query query = measure.QueryOf(number);
        const SafeQuery safe(metric_, query.vector, codes_->dim());
        const float* const vector = safe.values();
        const std::vector<kernels::Hit> sample = CodeErrors::Sample(measure.Nearest(number));
        nodes.clear();
        for (const kernels::Hit& hit : sample) {
            nodes.push_back(hit.position);
        }
        nodes.push_back(measure.NodeOf(number));
        distances.resize(nodes.size());
        codes_->NewScorer(vector, Rows())->Score(nodes.data(), nodes.size(), distances.data());
        codes_->ToDistances(vector, &distances);
        errors.Add(*codes_, vector, sample, distances);
        if (metric_ == Metric::kL2 && !codes_->states_error()) {
            errors.AddOwn(distances.back());
        }
    }
    errors.Fill(&range_curve_);
}

Status GraphIndex::CalibrateRange(const VectorRows& rows, const EffortMeasure& measure, int threads,
                                  Work* work) {
    MeasureErrors(measure);
    RangeHits all;
    std::array<bool, RangeCurve::kRanks.size()> done{};
    // Of each query the ranks whose bound has given all that it catches: farther walks do, too.
    using Complete = std::array<bool, RangeCurve::kRanks.size()>;
    std::vector<Complete> complete_of(measure.queries(), Complete{});
    for (size_t e = 0; e < RangeCurve::kEfforts.size(); e++) {
        std::mutex mutex;
        std::atomic<size_t> next{0};
        RangeHits sum;
        QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
            WalkSpace space;
            std::vector<float> distances;
            RangeHits mine;
            while (true) {
                const size_t number = next.fetch_add(1);
                if (number >= measure.queries()) {
                    break;
                }
                const EffortMeasure::Query query = measure.QueryOf(number);
                const std::vector<kernels::Hit>& nearest = measure.Nearest(number);
                const kernels::Query exact =
                    kernels::PrepareQuery(rows.element, rows.metric, query.vector, rows.dim);
                for (size_t rank = 0; rank < RangeCurve::kRanks.size(); rank++) {
                    const size_t at_rank = RangeCurve::kRanks[rank];
                    if (done[rank] || nearest.size() < at_rank ||
                        (at_rank >= 100 && number >= kManyQueries)) {
                        continue;
                    }
                    const size_t wanted = CaughtBy(nearest, at_rank);
                    if (wanted == 0) {
                        continue;
                    }
                    mine.wanted[rank] += wanted;
                    if (complete_of[number][rank]) {
                        mine.found[rank][e] += wanted;
                        continue;
                    }
                    RangeQuery range;
                    range.vector = query.vector;
                    // As a search rounds it.
                    kernels::DistancesPicked(rows.element, rows.metric, exact, rows.rows,
                                             &nearest[wanted - 1].position, 1, rows.inverse_norms,
                                             &range.bound);
                    range.effort = RangeCurve::kEfforts[e];
                    bool complete = true;
                    QUERN_TRY(SearchRange(rows, range, &space, &complete, work));
                    distances.resize(space.within.size());
                    kernels::DistancesPicked(rows.element, rows.metric, exact, rows.rows,
                                             space.within.data(), space.within.size(),
                                             rows.inverse_norms, distances.data());
                    const auto found = static_cast<size_t>(
                        std::count_if(distances.begin(), distances.end(),
                                      [&](float distance) { return distance <= range.bound; }));
                    mine.found[rank][e] += std::min(found, wanted);
                    complete_of[number][rank] = found >= wanted;
                }
                QUERN_TRY(work->Check("calibrate", number, measure.queries()));
            }
            std::lock_guard<std::mutex> lock(mutex);
            sum.Add(mine);
            return {};
        }));
        for (size_t rank = 0; rank < done.size(); rank++) {
            all.wanted[rank] = std::max(all.wanted[rank], sum.wanted[rank]);
            // More effort finds no less.
            all.found[rank][e] = done[rank] ? all.found[rank][e - 1] : sum.found[rank][e];
            done[rank] = done[rank] || all.Share(rank, e) >= kRangeEnough;
        }
    }
    all.Fill(static_cast<uint32_t>(measure.queries()), &range_curve_);
    return {};
}

}  // namespace quern::dense
