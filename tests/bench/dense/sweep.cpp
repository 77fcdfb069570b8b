#include "tests/bench/dense/sweep.h"

#include <time.h>

#include <thread>

#include "tests/bench/bench_support.h"

namespace bench {
namespace {

// Efforts below this recall are outside every curve and table.
constexpr double kRecallMin = 0.75;
// More than this is not asked for: of the efforts beyond, the quickest will do.
constexpr double kRecallEnough = 0.9999;
// An effort stays when it is this close to the best of those with more recall: one warm-up pass is
// a rough clock.
constexpr double kNearFront = 0.85;

double ThreadSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// found: queries x kNearest.
Pass RunPass(const VectorSet& set, Rival* rival, const std::string& effort, size_t threads,
             std::vector<uint32_t>* found) {
    const size_t queries = set.queries.rows();
    std::vector<double> cpu(threads);
    const auto work = [&](size_t thread) {
        const auto searcher = rival->NewSearcher(effort);
        const double start = ThreadSeconds();
        for (size_t i = thread; i < queries; i += threads) {
            searcher->Search(set.queries.row(i), kNearest, found->data() + i * kNearest);
        }
        cpu[thread] = ThreadSeconds() - start;
    };
    const auto start = Clock::now();
    if (threads == 1) {
        work(0);
    } else {
        std::vector<std::thread> workers;
        for (size_t thread = 0; thread < threads; thread++) {
            workers.emplace_back(work, thread);
        }
        for (std::thread& worker : workers) {
            worker.join();
        }
    }
    Pass pass;
    pass.wall_seconds = SecondsSince(start);
    for (const double seconds : cpu) {
        pass.cpu_seconds += seconds;
    }
    return pass;
}

Pass RunTurn(const VectorSet& set, Rival* rival, const std::string& effort,
             const SweepOptions& options, std::vector<uint32_t>* found) {
    Pass turn;
    size_t passes = 0;
    do {
        const Pass pass = RunPass(set, rival, effort, options.threads, found);
        turn.cpu_seconds += pass.cpu_seconds;
        turn.wall_seconds += pass.wall_seconds;
        passes++;
    } while (turn.wall_seconds < options.turn_seconds);
    turn.cpu_seconds /= static_cast<double>(passes);
    turn.wall_seconds /= static_cast<double>(passes);
    return turn;
}

void WarmUp(const VectorSet& set, const SweepOptions& options, Contestant* contestant) {
    std::vector<uint32_t> found(set.queries.rows() * kNearest);
    for (const std::string& effort : contestant->rival->Efforts()) {
        Point point;
        point.effort = effort;
        point.queries = set.queries.rows();
        // The first pass may be the one that brings what it needs into memory.
        constexpr double kSecondMost = 5;
        point.warm_up = RunPass(set, contestant->rival.get(), effort, options.threads, &found);
        if (point.warm_up.wall_seconds < kSecondMost) {
            point.warm_up = RunPass(set, contestant->rival.get(), effort, options.threads, &found);
        }
        size_t hits = 0;
        for (size_t i = 0; i < set.queries.rows(); i++) {
            hits += set.Hits(i, found.data() + i * kNearest);
        }
        point.recall =
            static_cast<double>(hits) / static_cast<double>(set.queries.rows() * kNearest);
        std::fprintf(stderr, "  %-32s %-24s recall %.4f, %.0f queries/s\n",
                     contestant->kind.label.c_str(), effort.c_str(), point.recall,
                     point.CpuQps(point.warm_up));
        contestant->points.push_back(std::move(point));
    }
}

bool IsUseful(const Contestant& contestant, const Point& point) {
    double best_of_better = 0;
    double best_recall = 0;
    for (const Point& other : contestant.points) {
        best_recall = std::max(best_recall, other.recall);
        if (&other != &point && other.recall >= std::min(point.recall, kRecallEnough)) {
            best_of_better = std::max(best_of_better, other.CpuQps(other.warm_up));
        }
    }
    const bool in_range = point.recall >= kRecallMin || point.recall == best_recall;
    return in_range && point.CpuQps(point.warm_up) >= kNearFront * best_of_better;
}

}  // namespace

double Point::CpuQps() const {
    std::vector<double> values;
    for (const Pass& pass : rounds) {
        values.push_back(CpuQps(pass));
    }
    return Median(values);
}

double Point::WallQps() const {
    std::vector<double> values;
    for (const Pass& pass : rounds) {
        values.push_back(WallQps(pass));
    }
    return Median(values);
}

void RunSweep(const VectorSet& set, const SweepOptions& options,
              std::vector<Contestant>* contestants) {
    std::vector<std::vector<Point*>> ladders;
    size_t steps = 0;
    for (Contestant& contestant : *contestants) {
        WarmUp(set, options, &contestant);
        std::vector<Point*> ladder;
        for (Point& point : contestant.points) {
            if (IsUseful(contestant, point)) {
                ladder.push_back(&point);
            }
        }
        steps = std::max(steps, ladder.size());
        ladders.push_back(std::move(ladder));
    }
    std::vector<uint32_t> found(set.queries.rows() * kNearest);
    for (size_t round = 0; round < options.rounds; round++) {
        const auto start = Clock::now();
        for (size_t step = 0; step < steps; step++) {
            for (size_t i = 0; i < contestants->size(); i++) {
                if (step < ladders[i].size()) {
                    Point* point = ladders[i][step];
                    point->rounds.push_back(RunTurn(set, (*contestants)[i].rival.get(),
                                                    point->effort, options, &found));
                }
            }
        }
        std::fprintf(stderr, "  round %zu of %zu: %.0f s\n", round + 1, options.rounds,
                     SecondsSince(start));
    }
}

}  // namespace bench
