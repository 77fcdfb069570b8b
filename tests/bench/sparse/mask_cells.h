// Single strategies and what the engine chooses by itself, under masks of many kinds: filters and
// tombstones as a search meets them.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/sparse/sparse_ways.h"

namespace bench {

struct MaskWay {
    Way way;
    bool tried_only = false;    // too slow to take part in the rounds: one value, of few queries
    std::vector<double> means;  // microseconds a query, one a round
};

// One mask and one k.
struct MaskCell {
    std::string mask;
    double allowed = 1;  // the share of records
    size_t k = 10;
    std::vector<MaskWay> ways;   // single strategies; the last one is the engine's choice
    size_t best = 0;             // of the single strategies, by median
    std::vector<double> ratios;  // the engine's time to that one's, one a round
};

// Of every kind of mask and share. Stops the program when two ways find different records.
std::vector<MaskCell> MeasureMasks(const SearchedIndex& index, const SparseSet& set,
                                   const std::vector<size_t>& ks, size_t rounds);

}  // namespace bench
