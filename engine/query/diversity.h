// Which hits of a query stand for the others: without near-duplicates, and by maximal marginal
// relevance (Carbonell, Goldstein, SIGIR 1998), which takes one hit after the other, each the best
// by lambda * relevance - (1 - lambda) * its similarity to the most similar one taken before.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace quern::query {

// similarities[i] of hit `of` to each hit.
using Similarities = std::function<void(size_t of, double* similarities)>;

// The first `wanted` hits, in order, that are similar by less than `most` to all that stay before
// them.
std::vector<size_t> WithoutDuplicates(size_t count, size_t wanted, double most,
                                      const Similarities& similarities);

// `wanted` of the hits (or all), in the order in which they are taken; of equals the one that comes
// first. lambda from 0 to 1.
std::vector<size_t> MarginalRelevance(const std::vector<double>& relevance, size_t wanted,
                                      double lambda, const Similarities& similarities);

// Scores, best first, so that the best is 1 and the last 0; all 1 where they are equal.
std::vector<double> ScaledToOne(const std::vector<double>& scores);

}  // namespace quern::query
