// BM25, as Lucene has had it since version 8 (Robertson's formula without the factor k1 + 1, which
// changes no ranking):
//
//     score = sum over the query's clauses of  boost * idf * tf / (tf + k1 * (1 - b + b * len /
//     mean)) idf   = ln(1 + (N - df + 0.5) / (df + 0.5))
//
// tf: how often the record has the clause; len: how many terms the record has; N, mean: of all live
// records of the collection; df: of them, those with the clause. All in double precision, added up
// in the order of the query's clauses: this fixes every bit. Lucene keeps lengths in a byte, so
// its scores differ a little for texts of more than 40 words.
//
// A phrase or a prefix is a clause as a word is: tf its occurrences, df the records that have it.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/sparse/text_index.h"

namespace quern::sparse {

struct Bm25Options {
    double k1 = 1.2;
    double b = 0.75;
};
// kInvalid unless k1 is finite and >= 0, and 0 <= b <= 1.
Status CheckBm25(const Bm25Options& options);

// Of one collection at one moment.
class Bm25 {
public:
    Bm25(const Bm25Options& options, const TextStatistics& live)
        : records_(static_cast<double>(live.records)),
          fixed_(options.k1 * (1 - options.b)),
          by_length_(live.length == 0 ? 0
                                      : options.k1 * options.b * static_cast<double>(live.records) /
                                            static_cast<double>(live.length)) {}
    double Idf(uint64_t df) const {
        const double with = static_cast<double>(df);
        return std::log(1 + (records_ - with + 0.5) / (with + 0.5));
    }
    // Never falls when tf grows or the length shrinks, but for rounding: so the largest tf and the
    // least length of a run bound all of it.
    double Impact(double tf, double length) const {
        return tf / (tf + fixed_ + by_length_ * length);
    }

private:
    double records_;
    double fixed_;
    double by_length_;
};

}  // namespace quern::sparse
