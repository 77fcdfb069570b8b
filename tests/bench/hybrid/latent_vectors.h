// Dense vectors for collections that come without: latent semantic analysis of their own texts
// (Deerwester et al. 1990), by a randomized truncated SVD (Halko, Martinsson and Tropp 2011). No
// judgment is looked at, so that they may be judged like any encoder's.
#pragma once

#include "tests/bench/hybrid/dense_collections.h"

namespace bench {

struct LatentVectors {
    Matrix texts;    // unit rows; zero where a text has no word that two have
    Matrix queries;  // the same, folded in
};

// Words as the text leg has them (stems, without stop words), weighted (1 + ln tf) * ln(N / df),
// rows of length 1; coordinates along the first dim right singular vectors. The same on every run.
LatentVectors MakeLatentVectors(const std::vector<std::string>& texts,
                                const std::vector<std::string>& queries, size_t dim);

// A judged collection of texts with such vectors. vectors: gets what the queries borrow.
DenseCollection Latent(const std::filesystem::path& data, const std::string& name, size_t dim,
                       LatentVectors* vectors);

}  // namespace bench
