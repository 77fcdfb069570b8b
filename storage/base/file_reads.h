// What has been read of a file, and what was found in memory instead.
#pragma once

#include <cstdint>

namespace quern {

struct FileReads {
    uint64_t bytes = 0;         // of pages that were read from the file or its log
    uint64_t pages_cached = 0;  // pages that were wanted and found in the page cache
    uint64_t chunks = 0;        // of parts of segments (storage/chunk_store.h)
    FileReads& operator+=(const FileReads& other) {
        bytes += other.bytes;
        pages_cached += other.pages_cached;
        chunks += other.chunks;
        return *this;
    }
    FileReads& operator-=(const FileReads& other) {
        bytes -= other.bytes;
        pages_cached -= other.pages_cached;
        chunks -= other.chunks;
        return *this;
    }
};

}  // namespace quern
