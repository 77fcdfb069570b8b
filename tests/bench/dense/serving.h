// What it takes to serve an index: a fresh process opens its file, answers a first query, then
// many. Time to the first answer with the file in the page cache, and resident memory.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/child_process.h"
#include "tests/bench/dense/rival.h"

namespace bench {

struct ServingRequest {
    std::string slug;
    std::string index_path;
    std::string query_path;  // as WriteRows writes it
    std::string effort;
    int32_t metric = 0;
};

// One process for each request and round, the requests taking turns. For each request an object
// with medians: open_ms, first_answer_ms (opening included), resident_first_mib and
// resident_all_mib (what the process grew by); null when a process failed. content_mib beside them
// where the engine's kind can tell.
std::vector<Json> MeasureServing(const std::vector<ServingRequest>& requests, size_t rounds);

// The other end: "--serve SLUG ...". Prints the answer.
int Serve(int argc, char** argv);

}  // namespace bench
