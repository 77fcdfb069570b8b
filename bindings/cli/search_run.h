// What `quern search` is asked, and doing it.
#pragma once

#include <string>
#include <vector>

#include "key_files.h"
#include "query_vectors.h"

namespace quern::shell {

struct SearchOptions {
    std::string db, collection, vector, columns, truth, open, recall, refine, where;
    std::string bound, superblocks, terms, bucket_weights, fusion, feedback, formula, group,
        diversify;
    std::string timeout_ms, max_scored, max_bytes, order, after;
    QueryFile queries;
    KeyFiles key_files;
    std::vector<std::string> texts, keys, plus, minus, legs, candidates;
    std::string run, run_tag = "quern", query_ids;
    bool force = false;      // overwrite the run
    std::string audit;       // measure, keep or forget
    std::string vocabulary;  // names the entries of the vector
    int64_t dimension = -1;  // of a sparse field; -1: none
    size_t k = 10;
    size_t offset = 0;
    size_t per_group = 1;
    size_t threads = 0;
    size_t ef = 0;
    size_t nprobe = 0;
    double max_distance = 0;
    bool with_max_distance = false;
    double min_score = 0;
    bool with_min_score = false;
    bool batch = false, json = false, hits = false, timing = false, self = false, stats = false,
         snippets = false, explain = false, explain_hits = false, bookmark = false;
};

// Searches and prints.
void RunSearch(const SearchOptions& options);

}  // namespace quern::shell
