// The scan over codes: what stands between a walk, which looks at few rows but has to find its way,
// and a scan of the vectors, which is exact and reads eight times the bytes. It scores the codes of
// every row that may be found, in their order, and keeps the nearest. So it meets whatever a walk
// could meet, wherever it stands, and its candidates are measured again like those of a walk.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/dense/codes/codes.h"
#include "engine/dense/graph_walk.h"

namespace quern::dense {

// What is looked at, and how much of it is kept.
struct ScannedNodes {
    const uint64_t* bits = nullptr;  // one a node; none beyond `count` is set
    size_t count = 0;
    size_t keep = 0;       // nearest candidates, at least 1
    size_t sorted = 0;     // of these, so many nearest are in order, the others in any
    size_t row_bytes = 0;  // of the codes
};

// Fills space's pool with the nearest of the nodes; in order is nearest first, equal ones in
// theirs. space->scored gets the rows that were scored, at most space->scored_max. *complete: that
// was all of them. When work stops it, the pool has the nearest of those it had come to.
Status ScanCodes(const CodeScorer& scorer, const ScannedNodes& wanted, WalkSpace* space,
                 bool* complete, Work* work);

}  // namespace quern::dense
