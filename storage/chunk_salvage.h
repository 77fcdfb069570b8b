// Chunks that are looked for by what they are, not by where a table says that they stand: every
// page of the file that looks like a leaf of a table is asked which rows it has, and the catalog's
// checksum of a chunk says whether a row is the one. So a chunk is found whatever became of the
// pages that lead to it; also a copy in a page that is free by now is as good as the original.
//
// Pages are read as they are, past the log: it must be empty. Thread rule: confined.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "storage/chunk_store.h"

namespace quern::storage {

class ChunkSalvage {
public:
    // Reads every page once. `wanted` ascends.
    Status Read(Connection* connection, const std::vector<int64_t>& wanted, Work* work);
    // The stored bytes of a chunk. False: there is none with this checksum; then *stored is what
    // calls itself that chunk, or empty.
    Result<bool> Find(int64_t id, const ChunkInfo& info, std::string* stored) const;

private:
    struct Place {
        uint32_t page = 0;
        uint32_t offset = 0;
    };
    Result<bool> Take(const Place& place, size_t bytes, std::string* stored) const;
    Connection* connection_ = nullptr;
    std::multimap<int64_t, Place> places_;
};

}  // namespace quern::storage
