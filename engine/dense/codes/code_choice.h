// codes=auto: which codes an index gets.
//
// First, by arithmetic: which kinds fit the memory there is, and differ in size at this dimension.
// Then, by trial: each of them is encoded, and walks over the graph that is being built are
// measured with some of the held-out records. What counts is the estimated time of a search at
// recall@10 of 0.95 and of 0.99: rows scored times what one costs, and candidates measured again
// times what one of those costs. What a kind takes for a recall that it just reached or missed is
// told from what lower ones take: on words250k one of four kinds reached .985 in its trial, by a
// pool of 2,000 of which all are measured again, and was two times slower than another at every
// recall.
//
// Estimated and not clocked, so that the same records give the same index on every machine. The
// constants were fitted to searches of mnist784, words250k, acl-anthology and bge-queries, by the
// rows that they scored and measured again.
#pragma once

#include <vector>

#include "engine/dense/codes/codes.h"
#include "engine/dense/effort_measure.h"

namespace quern::dense {

// What a search spends its time on, in nanoseconds: for a scored row with all that a walk does
// about it, and for a candidate that is measured again, until it is in the result or not.
struct CodePrices {
    CodePrices(CodeChoice kind, size_t row_bytes, size_t count);
    double VectorNs(size_t vector_bytes, bool in_memory) const;
    double row_ns;
};

// What codes have to fit in.
struct CodeRoom {
    // Most bytes for codes; what links take is off already.
    uint64_t code_bytes = UINT64_MAX;
    // Whether a candidate is measured again in memory or in the file.
    bool vectors_in_memory = true;
};

// Kinds worth a trial, smallest first; one if there is nothing to choose. Never empty.
std::vector<CodeChoice> CodesToTry(const VectorRows& rows, const CodeRoom& room);

struct CodeTrial {
    CodeChoice kind = CodeChoice::kNone;
    size_t row_bytes = 0;
    EffortCurve curve;
};

// Of the trials, the one to take.
size_t BestTrial(const std::vector<CodeTrial>& trials, const VectorRows& rows,
                 const CodeRoom& room);

// Estimated nanoseconds of a search for ten at that recall; infinity when it is not reached.
double TrialCost(const CodeTrial& trial, double recall, const VectorRows& rows,
                 const CodeRoom& room);

}  // namespace quern::dense
