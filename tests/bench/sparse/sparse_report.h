// What a run of the sparse benchmark leaves: tables in Markdown on standard output, a JSON file
// with every figure, a picture.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/sparse/build_times.h"
#include "tests/bench/sparse/mask_cells.h"
#include "tests/bench/sparse/sparse_ways.h"

namespace bench {

// One way for one k.
struct SparseCell {
    Way way;
    size_t k = 10;
    std::vector<double> means;  // microseconds, one a round
    std::vector<double> p50s;
    std::vector<double> p99s;
    std::vector<double> speedups;      // to the floor of the same k and round
    std::vector<double> p99_speedups;  // likewise
    Pass least;        // each query's least time of all rounds, which other work disturbs least
    Pass floor_least;  // the floor's of the same queries
    double recall = 1;
    size_t differing = 0;  // queries whose hits are not those of the truth
    double opened = 0;     // superblocks a query
    double read = 0;       // postings a query
    double scored = 0;     // records a query
};

struct SparseReport {
    std::string set;
    std::string origin;
    size_t records = 0;
    size_t queries = 0;
    uint64_t postings = 0;
    uint32_t superblock_rows = 0;
    bool ordered = false;
    size_t rounds = 0;
    double order_us = 0;  // CPU microseconds a posting, one thread
    double build_us = 0;
    double link_us = 0;    // for lists and links; all three 0: not made by this run
    double hot_bytes = 0;  // a posting
    double full_bytes = 0;
    std::vector<BuildTime> builds;  // by several threads, when asked for
    std::string weights;            // how the forward copy keeps them
    std::vector<SparseCell> cells;
    std::vector<MaskCell> masks;
};

void PrintSparseReport(const SparseReport& report);
// sparse-SET.json and sparse-SET.svg.
void WriteSparseReport(const SparseReport& report, const std::string& directory);

}  // namespace bench
