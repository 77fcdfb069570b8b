#include "engine/dense/effort_measure.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <tuple>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/range_measure.h"
#include "engine/dense/safe_length.h"
#include "engine/kernels/distance.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

using Hits = EffortHits;
constexpr size_t kDepths = std::tuple_size_v<Hits>;

void CountHits(const std::vector<uint32_t>& nodes,
               const std::vector<std::pair<uint32_t, uint32_t>>& ranks,
               const std::array<size_t, kDepths>& depths, uint32_t k, Hits* hits) {
    for (size_t place = 0; place < nodes.size(); place++) {
        const auto found =
            std::lower_bound(ranks.begin(), ranks.end(), std::make_pair(nodes[place], 0u));
        if (found == ranks.end() || found->first != nodes[place] || found->second >= k) {
            continue;
        }
        for (size_t r = 0; r < kDepths; r++) {
            if (place < depths[r]) {
                (*hits)[r]++;
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
    share_ = static_cast<double>(others_.size()) /
             static_cast<double>(std::max<size_t>(1, inside.size()));
    truth_.resize(held_out_.size());
    nearest_.resize(held_out_.size());
}

size_t EffortMeasure::Shrunk(size_t number) const {
    constexpr size_t kLeast = 10;  // what is looked for is not less
    return number <= kLeast
               ? number
               : kLeast + static_cast<size_t>(share_ * static_cast<double>(number - kLeast));
}

EffortMeasure::Query EffortMeasure::QueryOf(size_t number) const {
    const uint32_t node = held_out_[number];
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
    constexpr size_t kTogether = 64;  // queries that go through the rows side by side
    std::vector<uint64_t> dead((rows_.count + 63) / 64, ~uint64_t{0});
    for (const uint32_t node : others_) {
        dead[node / 64] &= ~(uint64_t{1} << (node % 64));
    }
    FlatRows all;
    all.rows = rows_.rows;
    all.count = rows_.count;
    all.inverse_norms = rows_.inverse_norms;
    all.dead = dead.data();
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        while (true) {
            const size_t first = next.fetch_add(kTogether);
            if (first >= held_out_.size()) {
                return {};
            }
            const size_t end = std::min(held_out_.size(), first + kTogether);
            std::vector<Query> values;
            std::vector<FlatQuery> queries;
            for (size_t number = first; number < end; number++) {
                values.push_back(QueryOf(number));
                queries.push_back(FlatQueryOf(number, values.back()));
            }
            FlatScan scan({rows_.element, rows_.metric, rows_.dim}, queries.data(), queries.size());
            QUERN_TRY(scan.Run(all, work));
            for (size_t number = first; number < end; number++) {
                nearest_[number] = queries[number - first].top.Take();
                for (uint32_t i = 0; i < truth_count_; i++) {
                    truth_[number].emplace_back(nearest_[number][i].position, i);
                }
                std::sort(truth_[number].begin(), truth_[number].end());
            }
        }
    });
}

FlatQuery EffortMeasure::FlatQueryOf(size_t number, const Query& values) const {
    FlatQuery query(number < kDeepQueries
                        ? std::min<size_t>(RangeCurve::kRanks.back(), others_.size())
                        : truth_count_);
    const uint32_t held = held_out_[number];
    query.query = kernels::PrepareQuery(rows_.element, rows_.metric, values.vector, rows_.dim,
                                        rows_.inverse_norms ? rows_.inverse_norms[held] : 0.0f);
    if (rows_.element != Element::kBit) {
        const auto* floats = static_cast<const float*>(values.vector);
        query.norm = std::sqrt(Dot(floats, floats, rows_.dim));
    }
    return query;
}

Result<double> EffortMeasure::CodeRecall(const Codes& codes, const CodeRows& rows, int threads,
                                         Work* work) const {
    constexpr size_t kQueries = 50;  // a share of .9 is off by about .015
    constexpr size_t kTrue = 10;
    constexpr size_t kFirst = 20;
    const size_t queries = std::min(kQueries, held_out_.size());
    const size_t of_each = std::min(kTrue, truth_count_);
    std::atomic<size_t> next{0};
    std::atomic<size_t> found{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        std::vector<float> scores(kScoredMax);
        while (true) {
            const size_t number = next.fetch_add(1);
            if (number >= queries) {
                return {};
            }
            const Query query = QueryOf(number);
            const SafeQuery safe(rows_.metric, query.vector, rows_.dim,
                                 SafeQuery::Products::kScaled);
            const auto scorer = codes.NewScorer(safe.values(), rows);
            kernels::TopK top(std::min(kFirst, others_.size()));
            for (size_t first = 0; first < others_.size(); first += kScoredMax) {
                const size_t count = std::min(kScoredMax, others_.size() - first);
                scorer->Score(others_.data() + first, count, scores.data());
                for (size_t i = 0; i < count; i++) {
                    if (scores[i] <= top.Threshold()) {
                        top.Push(scores[i], others_[first + i]);
                    }
                }
                QUERN_TRY(work->Check("try codes", number, queries));
            }
            const std::vector<kernels::Hit> by_codes = top.Take();
            for (size_t i = 0; i < of_each; i++) {
                const uint32_t node = nearest_[number][i].position;
                found += std::any_of(by_codes.begin(), by_codes.end(),
                                     [&](const kernels::Hit& hit) { return hit.position == node; })
                             ? 1
                             : 0;
            }
        }
    }));
    return static_cast<double>(found) / static_cast<double>(std::max<size_t>(1, queries * of_each));
}

Result<EffortCurve> EffortMeasure::Run(const Search& search, const EffortPlan& plan, int threads,
                                       Work* work) const {
    constexpr size_t kPools = EffortCurve::kEf.size();
    constexpr size_t kAll = EffortCurve::kK.size();
    EffortCurve curve;
    curve.SetQueries(static_cast<uint32_t>(std::min(plan.queries, held_out_.size())));
    const auto wanted = [&](size_t k) { return !plan.ten_only || EffortCurve::kK[k] == 10; };
    const auto enough = [&](size_t k, size_t step) {
        return static_cast<double>(curve.At(k, step, kDepths - 1)) >= plan.enough ||
               static_cast<double>(curve.Scored(k, step)) > plan.scored_most;
    };
    // Rows that pools need for enough: no reach that scores more is worth a thing.
    std::array<double, kAll> most;
    most.fill(plan.scored_most);
    Way pools;
    for (size_t k = 0; k < kAll; k++) {
        if (wanted(k)) {
            pools.ks.push_back(k);
        }
    }
    for (size_t step = 0; step < kPools; step++) {
        QUERN_TRY(RunStep(search, step, threads, &pools, &curve, work));
        bool all = true;
        for (const size_t k : pools.ks) {
            if (enough(k, step)) {
                most[k] = std::min(most[k], static_cast<double>(curve.Scored(k, step)));
            }
            all = all && enough(k, step);
        }
        if (all) {
            break;
        }
    }
    for (const size_t k : pools.ks) {
        Way reaches;
        reaches.ks.push_back(k);
        for (size_t step = kPools; step < EffortCurve::kSteps; step++) {
            QUERN_TRY(RunStep(search, step, threads, &reaches, &curve, work));
            if (enough(k, step) || static_cast<double>(curve.Scored(k, step)) > most[k]) {
                break;
            }
        }
    }
    return curve;
}

Status EffortMeasure::RunStep(const Search& search, size_t step, int threads, Way* way,
                              EffortCurve* curve, Work* work) const {
    Effort effort = EffortCurve::OfStep(way->ks[0], step);
    effort.keep = Shrunk(effort.keep);
    effort.ef = effort.reach == Effort::kNoReach ? Shrunk(effort.ef) : effort.ef;
    std::array<size_t, kDepths> depths;
    std::transform(EffortCurve::kRefine.begin(), EffortCurve::kRefine.end(), depths.begin(),
                   [&](size_t refine) { return Shrunk(refine); });
    depths.back() = SIZE_MAX;
    const size_t queries = curve->QueriesOf(way->ks[0]);
    way->queries.resize(queries);
    std::mutex mutex;
    // Rows scored by queries that have been asked before: then, and now.
    double before = 0;
    double now = 0;
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        WalkSpace space;
        std::vector<uint32_t> nodes;
        double my_before = 0;
        double my_now = 0;
        while (true) {
            const size_t number = next.fetch_add(1);
            if (number >= queries) {
                break;
            }
            Way::Asked& asked = way->queries[number];
            if (asked.complete) {
                continue;
            }
            const Query query = QueryOf(number);
            QUERN_TRY(search(query.vector, effort, &space, &nodes));
            asked.complete = true;
            asked.hits.assign(way->ks.size(), Hits{});
            for (size_t i = 0; i < way->ks.size(); i++) {
                const size_t k = way->ks[i];
                CountHits(nodes, truth_[number], depths, EffortCurve::kK[k], &asked.hits[i]);
                asked.complete = asked.complete && (number >= curve->QueriesOf(k) ||
                                                    asked.hits[i].back() == TrueOf(k));
            }
            if (asked.scored > 0) {
                my_before += asked.scored;
                my_now += static_cast<double>(space.scored);
            }
            asked.scored = static_cast<double>(space.scored);
            asked.step = step;
            QUERN_TRY(work->Check("calibrate", number, queries));
        }
        std::lock_guard<std::mutex> lock(mutex);
        before += my_before;
        now += my_now;
        return {};
    }));
    double scored = 0;
    for (Way::Asked& asked : way->queries) {
        asked.scored *= asked.step != step && before > 0 ? now / before : 1;
        scored += asked.scored;
    }
    for (size_t i = 0; i < way->ks.size(); i++) {
        const size_t k = way->ks[i];
        Hits hits{};
        for (size_t number = 0; number < curve->QueriesOf(k); number++) {
            for (size_t r = 0; r < kDepths; r++) {
                hits[r] += way->queries[number].hits[i][r];
            }
        }
        curve->Scored(k, step) = static_cast<float>(scored / static_cast<double>(queries));
        const size_t all = TrueOf(k) * curve->QueriesOf(k);
        for (size_t r = 0; r < kDepths; r++) {
            curve->At(k, step, r) =
                all == 0 ? 0.0f : static_cast<float>(hits[r]) / static_cast<float>(all);
        }
    }
    return {};
}

}  // namespace quern::dense
