// What the searches of one run have cost, added up.
#pragma once

#include <quern.h>

#include <cstdint>
#include <string>

namespace quern::shell {

struct SearchCost {
    uint64_t bytes_read = 0, scored = 0, refined = 0, fetched = 0, memory_needed = 0;
    uint64_t chunks_read = 0, pages_cached = 0, cached = 0;
    uint64_t postings = 0, blocks = 0, blocks_opened = 0, cells_opened = 0;
    uint64_t filter_ns = 0, search_ns = 0, lookup_ns = 0, fuse_ns = 0, fetch_ns = 0, total_ns = 0;
    uint64_t recall = 1000000;  // the least that was expected, in millionths

    void Count(const quern_result* result);
    // As a member of an object, behind others.
    std::string Json() const;
    // For people, by query.
    void Print(size_t queries) const;

private:
    double ExpectedRecall() const { return static_cast<double>(recall) / 1e6; }
};

}  // namespace quern::shell
