// The sweep: every engine at every effort over the whole query set, in interleaved rounds.
//
// One pass is all queries once, never one query back to back, whose vectors would then wait in the
// cache. Within a round the engines take turns at every step of their ladders, so that a noisy
// neighbour meets all of them. A turn is as many passes as fill some time: the first of them finds
// the caches full of another engine's index, and with a single pass the quickest engine would
// spend a fifth of its turn on that, the slowest nothing to speak of. A warm-up pass, which is not
// timed into the result, measures recall and drops the efforts that no curve needs: those that
// another effort of the same engine beats.
//
// Time is counted by the clock of the searching threads (CLOCK_THREAD_CPUTIME_ID), which does not
// run while somebody else has the processor, and by the wall beside it.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/rival.h"
#include "tests/bench/dense/vector_set.h"

namespace bench {

// Of one pass, on the average of a turn.
struct Pass {
    double cpu_seconds = 0;  // of all searching threads
    double wall_seconds = 0;
};

struct Point {
    std::string effort;
    double recall = 0;
    size_t queries = 0;        // of one pass
    std::vector<Pass> rounds;  // empty: dropped after the warm-up
    Pass warm_up;

    double CpuQps(const Pass& pass) const {
        return static_cast<double>(queries) / pass.cpu_seconds;
    }
    double WallQps(const Pass& pass) const {
        return static_cast<double>(queries) / pass.wall_seconds;
    }
    double CpuQps() const;  // medians over the rounds
    double WallQps() const;
};

struct Contestant {
    RivalKind kind;
    std::unique_ptr<Rival> rival;
    std::vector<Point> points;
};

struct SweepOptions {
    size_t rounds = 7;
    size_t threads = 1;
    double turn_seconds = 0.25;  // wall time that the passes of a turn fill
};

void RunSweep(const VectorSet& set, const SweepOptions& options,
              std::vector<Contestant>* contestants);

}  // namespace bench
