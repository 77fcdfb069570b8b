#include "search_cost.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "progress_bar.h"
#include "result_cells.h"
#include "shell.h"

namespace quern::shell {

void SearchCost::Count(const quern_result* result) {
    const auto stat = [&](int32_t number) {
        return static_cast<uint64_t>(quern_result_stat(result, number));
    };
    bytes_read += stat(QUERN_RESULT_BYTES_READ);
    chunks_read += stat(QUERN_RESULT_CHUNKS_READ);
    pages_cached += stat(QUERN_RESULT_PAGES_CACHED);
    cached += stat(QUERN_RESULT_VECTORS_CACHED);
    scored += stat(QUERN_RESULT_VECTORS_SCORED);
    refined += stat(QUERN_RESULT_VECTORS_REFINED);
    fetched += stat(QUERN_RESULT_VECTORS_READ);
    postings += stat(QUERN_RESULT_POSTINGS);
    blocks += stat(QUERN_RESULT_BLOCKS);
    blocks_opened += stat(QUERN_RESULT_BLOCKS_OPENED);
    cells_opened += stat(QUERN_RESULT_CELLS_OPENED);
    filter_ns += stat(QUERN_RESULT_FILTER_NS);
    search_ns += stat(QUERN_RESULT_SEARCH_NS);
    lookup_ns += stat(QUERN_RESULT_LOOKUP_NS);
    fuse_ns += stat(QUERN_RESULT_FUSE_NS);
    fetch_ns += stat(QUERN_RESULT_FETCH_NS);
    total_ns += stat(QUERN_RESULT_TOTAL_NS);
    memory_needed = std::max(memory_needed, stat(QUERN_RESULT_MEMORY_NEEDED));
    recall = std::min(recall, stat(QUERN_RESULT_RECALL));
}

std::string SearchCost::Json() const {
    return ",\"stats\":" + nlohmann::ordered_json{{"bytes_read", bytes_read},
                                                  {"chunks_read", chunks_read},
                                                  {"pages_cached", pages_cached},
                                                  {"vectors_scored", scored},
                                                  {"vectors_refined", refined},
                                                  {"vectors_read", fetched},
                                                  {"vectors_cached", cached},
                                                  {"postings", postings},
                                                  {"blocks", blocks},
                                                  {"blocks_opened", blocks_opened},
                                                  {"cells_opened", cells_opened},
                                                  {"filter_ns", filter_ns},
                                                  {"search_ns", search_ns},
                                                  {"lookup_ns", lookup_ns},
                                                  {"fuse_ns", fuse_ns},
                                                  {"fetch_ns", fetch_ns},
                                                  {"total_ns", total_ns},
                                                  {"memory_needed_bytes", memory_needed},
                                                  {"expected_recall", ExpectedRecall()}}
                               .dump();
}

void SearchCost::Print(size_t queries) const {
    const uint64_t count = std::max<uint64_t>(queries, 1);
    const auto line = [&](const char* name, uint64_t sum, const char* what) {
        return std::string(name) + WithCommas(sum / count) + what + "\n";
    };
    char expected[64] = "expected     recall: not known\n";
    if (recall > 0) {
        std::snprintf(expected, sizeof(expected), "expected     recall %.3f\n", ExpectedRecall());
    }
    shell::Print(line("bytes read   ", bytes_read, " a query, of pages of the file") +
                 line("chunks read  ", chunks_read, " a query, unpacked") +
                 line("pages cached ", pages_cached, " a query, wanted and in memory") +
                 line("scored       ", scored, " vectors or codes a query") +
                 line("refined      ", refined, " a query, with the stored vectors") +
                 line("fetched      ", fetched, " vectors a query from the file") +
                 line("cached       ", cached, " vectors a query that were in memory") + expected);
    if (blocks > 0) {
        shell::Print("postings     " + WithCommas(postings / count) + " a query, in " +
                     WithCommas(blocks_opened) + " of " + WithCommas(blocks) + " superblocks\n");
    }
    const auto time = [&](const char* name, uint64_t ns) {
        return name + DurationText(static_cast<double>(ns) / static_cast<double>(count) / 1e9);
    };
    shell::Print(time("time         ", total_ns) + time(" a query: filter ", filter_ns) +
                 time(", search ", search_ns) + time(", look-ups ", lookup_ns) +
                 time(", fusion ", fuse_ns) + time(", hits ", fetch_ns) + "\n");
}

}  // namespace quern::shell
