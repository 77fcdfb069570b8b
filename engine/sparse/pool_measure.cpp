#include "engine/sparse/pool_measure.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <mutex>

#include "engine/sparse/sparse_search.h"
#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

// Queries of a large index, and of a small one: one for so many records.
constexpr size_t kQueriesMost = 256;
constexpr size_t kRecordsPerQuery = 64;
// Entries of a query, and of its record's heaviest those that they are drawn from. A record of no
// more than these is like a query as it is.
constexpr size_t kDrawn = 24;
constexpr size_t kDrawnFrom = 64;
// Weights of queries are whole numbers, as those of files are: then the heaviest is this.
constexpr double kHeaviestWeight = 255;
// In postings that an exact search reads: what a walk takes for each record that it meets, all that
// it does included (65 on a processor of 2021, 85 to 100 when it is busy, 100 to 120 on one of
// 2024, which reads postings faster), and what an exact search takes to score one.
constexpr double kMeetCost = 110;
constexpr double kExactScoreCost = 400;

constexpr size_t kAll = PoolCurve::kK.size();

struct MadeQuery {
    SparseVector vector;
    std::vector<uint32_t> hidden;
    std::vector<double> truth;  // scores, best first
};

// The same everywhere, as those of the standard library need not be.
class Draws {
public:
    explicit Draws(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
    size_t Below(size_t end) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<size_t>(state_ >> 33) % end;
    }

private:
    uint64_t state_;
};

MadeQuery MakeQuery(const SparseIndex& index, size_t number, size_t queries) {
    MadeQuery made;
    const auto row = static_cast<uint32_t>(number * index.count() / queries);
    made.hidden = {row};
    made.vector = index.Row(row);
    if (made.vector.size() <= kDrawnFrom) {
        return made;
    }
    std::stable_sort(made.vector.begin(), made.vector.end(),
                     [](const SparseEntry& a, const SparseEntry& b) {
                         return std::fabs(a.weight) > std::fabs(b.weight);
                     });
    made.vector.resize(std::min(made.vector.size(), kDrawnFrom));
    Draws draws(number);
    while (made.vector.size() > kDrawn) {
        made.vector.erase(made.vector.begin() +
                          static_cast<ptrdiff_t>(draws.Below(made.vector.size())));
    }
    const double most =
        made.vector.empty() ? 1 : std::fabs(static_cast<double>(made.vector.front().weight));
    for (SparseEntry& entry : made.vector) {
        const double share = static_cast<double>(entry.weight) / most;
        const double weight = std::max(1.0, std::round(share * share * kHeaviestWeight));
        entry.weight = static_cast<float>(std::copysign(weight, share));
    }
    std::sort(made.vector.begin(), made.vector.end(),
              [](const SparseEntry& a, const SparseEntry& b) { return a.dimension < b.dimension; });
    return made;
}

// body(number, space) for each query, on all threads.
Status EachOf(size_t queries, int threads, Work* work,
              const std::function<Status(size_t, SearchSpace*)>& body) {
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        SearchSpace space;
        for (size_t number = next.fetch_add(1); number < queries; number = next.fetch_add(1)) {
            QUERN_TRY(work->Check("calibrate", number, queries));
            QUERN_TRY(body(number, &space));
        }
        return {};
    });
}

class PoolMeasure {
public:
    PoolMeasure(const ApproximateIndex& approximate, const SparseIndex& index, int threads,
                Work* work)
        : approximate_(approximate),
          index_(index),
          threads_(threads),
          work_(work),
          queries_(std::min(kQueriesMost, index.count() / kRecordsPerQuery)) {}

    Result<PoolCurve> Run() {
        QUERN_TRY(SearchExactly());
        PoolCurve curve;
        curve.SetQueries(static_cast<uint32_t>(queries_.size()));
        for (size_t k = 0; k < kAll; k++) {
            for (size_t step = 0; step < PoolCurve::kPools.size(); step++) {
                QUERN_ASSIGN(const Step walked, Walk(k, PoolCurve::kPools[step]));
                if (walked.wanted == 0 || walked.cost > exact_cost_[k]) {
                    break;
                }
                curve.At(k, step) =
                    static_cast<float>(walked.found) / static_cast<float>(walked.wanted);
                if (walked.found == walked.wanted) {
                    break;
                }
            }
        }
        return curve;
    }

private:
    struct Step {
        uint64_t found = 0;
        uint64_t wanted = 0;
        double cost = 0;
    };

    // Makes the queries, and finds their true scores and what exact searches cost. (Costs are sums
    // of whole numbers, so that their order does not matter.)
    Status SearchExactly() {
        return EachOf(
            queries_.size(), threads_, work_, [&](size_t number, SearchSpace* space) -> Status {
                MadeQuery& query = queries_[number];
                query = MakeQuery(index_, number, queries_.size());
                // Of pruned lists only the rows tell the truth, at the same price for any k.
                SearchOptions how;
                how.path = index_.pruned() ? SearchPath::kForward : SearchPath::kChosen;
                for (size_t k = index_.pruned() ? kAll - 1 : 0; k < kAll; k++) {
                    TopHits hits(PoolCurve::kK[k] + query.hidden.size());
                    SearchStats stats;
                    QUERN_TRY(
                        index_.Search(query.vector, how, nullptr, 0, &hits, space, &stats, work_));
                    if (k + 1 == kAll) {
                        for (const SparseHit& hit : hits.Take()) {
                            if (hit.position != query.hidden.front()) {
                                query.truth.push_back(hit.score);
                            }
                        }
                    }
                    const double cost = static_cast<double>(stats.postings_read) +
                                        kExactScoreCost * static_cast<double>(stats.scored);
                    const std::lock_guard<std::mutex> lock(mutex_);
                    for (size_t of = index_.pruned() ? 0 : k; of <= k; of++) {
                        exact_cost_[of] += cost;
                    }
                }
                return {};
            });
    }

    Result<Step> Walk(size_t k, size_t pool) {
        Step step;
        QUERN_TRY(EachOf(
            queries_.size(), threads_, work_, [&](size_t number, SearchSpace* space) -> Status {
                const MadeQuery& query = queries_[number];
                const size_t results = std::min<size_t>(PoolCurve::kK[k], query.truth.size());
                TopHits hits(PoolCurve::kK[k]);
                SearchStats stats;
                QUERN_ASSIGN(const bool served,
                             approximate_.SearchHidden(index_, query.vector, pool, query.hidden,
                                                       &hits, space, &stats, work_));
                size_t found = 0;
                for (const SparseHit& hit : hits.Take()) {
                    found += results > 0 && hit.score >= query.truth[results - 1] ? 1 : 0;
                }
                // What is not served is searched exactly.
                found = served ? std::min(found, results) : results;
                const std::lock_guard<std::mutex> lock(mutex_);
                step.found += found;
                step.wanted += results;
                step.cost += kMeetCost * static_cast<double>(stats.scored);
                return {};
            }));
        return step;
    }

    const ApproximateIndex& approximate_;
    const SparseIndex& index_;
    const int threads_;
    Work* const work_;
    std::vector<MadeQuery> queries_;
    std::array<double, kAll> exact_cost_{};
    std::mutex mutex_;  // of sums
};

}  // namespace

Result<PoolCurve> MeasurePools(const ApproximateIndex& approximate, const SparseIndex& index,
                               int threads, Work* work) {
    return PoolMeasure(approximate, index, threads, work).Run();
}

}  // namespace quern::sparse
