// Judged collections of texts, and how well a search answers their queries.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct TextSet {
    std::vector<std::string> ids;
    std::vector<std::string> texts;
    std::vector<std::pair<std::string, std::string>> queries;  // id, text: the judged ones
    std::map<std::string, std::map<std::string, int>> gains;   // of each query, of each record
};

// Throws when it is damaged.
TextSet ReadTextSet(const std::filesystem::path& data, const std::string& name);

// As trec_eval has them; of one query, or sums of many.
struct Measures {
    double ndcg_10 = 0;  // ndcg_cut.10: the gain itself, discounted by log2 of the rank plus one
    double map = 0;      // of as many as were found
    double mrr_10 = 0;   // recip_rank, 0 beyond rank 10
    double recall_100 = 0;
    double recall_1000 = 0;

    // found: best first.
    static Measures Of(const std::map<std::string, int>& gains,
                       const std::vector<std::string>& found);
    void Add(const Measures& other);
};

}  // namespace bench
