// The ways of searching that the sparse benchmark sets beside each other, and one pass of one of
// them over all queries.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/sparse/approximate_index.h"
#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sparse_search.h"
#include "tests/bench/sparse/sparse_set.h"

namespace bench {

struct Way {
    std::string slug;  // of JSON
    std::string label;
    quern::sparse::SearchOptions options;
    bool forward = false;  // scores every record from the forward copy, without any postings
    size_t pool = 0;       // by lists and links (approximate_index.h)
    size_t pruned = 0;     // of SearchedIndex, counted from 1; 0: the exact one
    size_t rounded = 0;    // by the index of impacts: so many times k and 32 are scored again
    bool exact() const {
        return options.bound_factor >= 1 && options.terms_max == 0 && pool == 0 && pruned == 0 &&
               rounded == 0;
    }
};

// An index of the heaviest entries of each record that have so much of its mass.
struct PrunedIndex {
    double mass = 1;
    std::unique_ptr<quern::sparse::SparseIndex> index;
};

struct SearchedIndex {
    const quern::sparse::SparseIndex& exact;
    const quern::sparse::ApproximateIndex* approximate = nullptr;
    const std::vector<PrunedIndex>& pruned;
    const quern::sparse::SparseIndex* rounded = nullptr;
    const quern::sparse::SparseIndex& Of(const Way& way) const {
        return way.pruned == 0 ? exact : *pruned[way.pruned - 1].index;
    }
};

// Approximate ways of which there are as many as one likes.
struct MoreWays {
    std::vector<uint32_t> terms;  // those that order records by so many terms of a query
    std::vector<size_t> pools;    // those by lists and links, where the index has them
};

// The floor first, then the others from plain to clever, then approximate ones.
std::vector<Way> AllWays(const SearchedIndex& index, const MoreWays& more);
// Every record scored: slow, and the truth.
Way ForwardWay();
// What a search under a mask can do everywhere alike, and last what it does by itself.
std::vector<Way> MaskedWays();

using Hits = std::vector<quern::sparse::SparseHit>;

struct Pass {
    std::vector<double> microseconds;  // CPU time of each query
    std::vector<Hits> hits;            // kept when asked for
    quern::sparse::SearchStats stats;
    double Mean() const;
    double Percentile(double share) const;
    // For each query the lesser time of this pass, if it has any, and another.
    void TakeLeast(const Pass& other);
};

// One thread, one query at a time, every step-th query. allowed: NULL or a bit for each record.
Pass RunPass(const SearchedIndex& index, const SparseSet& set, const Way& way, size_t k,
             const uint64_t* allowed, size_t step, bool keep_hits);

// The share of the true hits that were found, by score: what is as good as the last true hit
// counts.
double RecallOf(const Hits& found, const Hits& truth);
// Same records, same scores, to the last bit.
bool SameHits(const Hits& a, const Hits& b);

}  // namespace bench
