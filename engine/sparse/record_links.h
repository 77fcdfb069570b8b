// Links from each record to records like it: what a walk goes along.
//
// Records come in batches, in a random order. Those of a batch look for their neighbours among the
// ones before, on all threads at once, by walks that begin with the heaviest records of their own
// heaviest terms; then they are linked, both ways. Of the records found, one is linked unless one
// that is linked already is nearer to it than the record itself, by the cosine of cut rows: so
// links go different ways. The same for every number of threads.
//
// (How links are chosen: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
// search using hierarchical navigable small world graphs", 2016. There are no layers.)
#pragma once

#include "engine/sparse/record_walk.h"
#include "storage/base/work.h"

namespace quern::sparse {

struct LinkOptions {
    uint32_t links = 24;  // of a record
    uint32_t pool = 64;   // of the walk that looks for them
    int threads = 1;
};

// options.links for each record, kNoLink where there are fewer. Memory while it runs: about 3 times
// the links.
Result<std::vector<uint32_t>> LinkRecords(const CutRows& cut, const LinkOptions& options,
                                          Work* work);

}  // namespace quern::sparse
