#include "tests/bench/sparse/sparse_ways.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace bench {
namespace {

using quern::sparse::SearchPath;
using quern::sparse::SparseHit;

double ThreadMicroseconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

void ScanForward(const quern::sparse::SparseIndex& index, const quern::sparse::SparseVector& query,
                 const uint64_t* allowed, quern::sparse::SearchSpace* space,
                 quern::sparse::TopHits* top) {
    space->plan.Make(query, index.terms(), index.lists());
    space->marks.Set(space->plan.terms(), space->plan.weights(), index.forward().scales);
    for (uint32_t row = 0; row < index.count(); row++) {
        if (allowed != nullptr && (allowed[row / 64] >> (row % 64) & 1) == 0) {
            continue;
        }
        const auto score = index.forward().Score(row, space->marks, space->places.data());
        if (score.common > 0) {
            top->Push({score.score, 0, row});
        }
    }
}

quern::Status SearchOne(const SearchedIndex& index, const quern::sparse::SparseVector& query,
                        const Way& way, const uint64_t* allowed, quern::sparse::TopHits* top,
                        quern::sparse::SearchSpace* space, quern::sparse::SearchStats* stats) {
    quern::Work work;
    if (way.pool > 0) {
        QUERN_ASSIGN(const bool served,
                     index.approximate->Search(index.exact, query, way.pool, allowed, 0, top, space,
                                               stats, &work));
        if (served) {
            return {};
        }
    }
    if (way.rounded > 0) {
        // As fields with impacts=8 are searched, but that weights are in memory, and that more are
        // not looked for when these do not prove the result.
        quern::sparse::TopHits rough(top->k() * way.rounded + 32);
        QUERN_TRY(
            index.rounded->Search(query, way.options, allowed, 0, &rough, space, stats, &work));
        std::vector<SparseHit> hits = rough.Take();
        std::vector<uint32_t> rows;
        for (const SparseHit& hit : hits) {
            rows.push_back(hit.position);
        }
        std::vector<double> scores(rows.size());
        index.exact.ScoreRows(query, rows.data(), rows.size(), space, scores.data());
        for (size_t i = 0; i < rows.size(); i++) {
            top->Push({scores[i], 0, rows[i]});
        }
        return {};
    }
    return index.Of(way).Search(query, way.options, allowed, 0, top, space, stats, &work);
}

}  // namespace

std::vector<Way> AllWays(const SearchedIndex& index, const MoreWays& more) {
    std::vector<Way> ways = {
        {"floor", "exhaustive windows", {SearchPath::kExhaustive, 1.0f, 0}},
        {"superblocks", "superblocks by bound", {SearchPath::kSuperblocks, 1.0f, 0}},
        {"chosen", "superblocks, left early", {SearchPath::kChosen, 1.0f, 0}},
        {"chosen-0.8", "the same, bounds x 0.8", {SearchPath::kChosen, 0.8f, 0}},
        {"chosen-0.6", "the same, bounds x 0.6", {SearchPath::kChosen, 0.6f, 0}},
        {"chosen-0.5", "the same, bounds x 0.5", {SearchPath::kChosen, 0.5f, 0}},
    };
    for (const uint32_t most : more.terms) {
        const std::string count = std::to_string(most);
        ways.push_back({"terms-" + count,
                        "ordered by " + count + " terms",
                        {SearchPath::kChosen, 1.0f, 0, most}});
    }
    for (size_t p = 0; p < index.pruned.size(); p++) {
        char mass[32];
        std::snprintf(mass, sizeof mass, "%g", index.pruned[p].mass);
        for (const float factor : {1.0f, 0.6f}) {
            const std::string of = factor < 1 ? ", bounds x 0.6" : "";
            ways.push_back({std::string("pruned-") + mass + (factor < 1 ? "-0.6" : ""),
                            std::string("pruned to ") + mass + of,
                            {SearchPath::kChosen, factor, 0},
                            false,
                            0,
                            p + 1});
        }
    }
    if (index.rounded != nullptr) {
        Way way{"impacts", "impacts of 8 bits", {SearchPath::kChosen, 1.0f, 0}};
        way.rounded = 2;
        ways.push_back(way);
    }
    for (const size_t pool : more.pools) {
        if (index.approximate != nullptr) {
            const std::string ef = std::to_string(pool);
            ways.push_back({"graph-" + ef, "approx=graph, ef=" + ef, {}, false, pool});
        }
    }
    return ways;
}

Way ForwardWay() {
    return {"forward", "every record, forward", {}, true};
}

std::vector<Way> MaskedWays() {
    return {
        {"windows", "windows", {SearchPath::kExhaustive, 1.0f, 0}},
        {"superblocks", "by bound", {SearchPath::kSuperblocks, 1.0f, 0}},
        {"left-early", "left early", {SearchPath::kLeftEarly, 1.0f, 0}},
        {"matches", "every match", {SearchPath::kForward, 1.0f, 0}},
        {"chosen", "chosen", {SearchPath::kChosen, 1.0f, 0}},
    };
}

double Pass::Mean() const {
    return microseconds.empty() ? 0
                                : std::accumulate(microseconds.begin(), microseconds.end(), 0.0) /
                                      static_cast<double>(microseconds.size());
}

double Pass::Percentile(double share) const {
    std::vector<double> sorted = microseconds;
    std::sort(sorted.begin(), sorted.end());
    const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
    return sorted.empty() ? 0 : sorted[std::min(at, sorted.size() - 1)];
}

void Pass::TakeLeast(const Pass& other) {
    if (microseconds.empty()) {
        microseconds = other.microseconds;
    }
    for (size_t q = 0; q < microseconds.size(); q++) {
        microseconds[q] = std::min(microseconds[q], other.microseconds[q]);
    }
}

Pass RunPass(const SearchedIndex& index, const SparseSet& set, const Way& way, size_t k,
             const uint64_t* allowed, size_t step, bool keep_hits) {
    Pass pass;
    quern::sparse::SearchSpace space;
    for (size_t q = 0; q < set.queries.size(); q += step) {
        quern::sparse::TopHits top(k);
        const double start = ThreadMicroseconds();
        if (way.forward) {
            ScanForward(index.exact, set.queries[q], allowed, &space, &top);
        } else if (!SearchOne(index, set.queries[q], way, allowed, &top, &space,
                              keep_hits ? &pass.stats : nullptr)
                        .ok()) {
            std::abort();
        }
        Hits hits = top.Take();
        pass.microseconds.push_back(ThreadMicroseconds() - start);
        if (keep_hits) {
            pass.hits.push_back(std::move(hits));
        }
    }
    return pass;
}

double RecallOf(const Hits& found, const Hits& truth) {
    if (truth.empty()) {
        return 1;
    }
    const auto right = std::count_if(found.begin(), found.end(), [&](const SparseHit& hit) {
        return hit.score >= truth.back().score;
    });
    return std::min(1.0, static_cast<double>(right) / static_cast<double>(truth.size()));
}

bool SameHits(const Hits& a, const Hits& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const SparseHit& x, const SparseHit& y) {
                          return x.score == y.score && x.position == y.position;
                      });
}

}  // namespace bench
