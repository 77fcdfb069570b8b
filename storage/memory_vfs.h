// A VFS that keeps files in memory, for ":memory:" databases. Unlike SQLite's own, it has shared
// memory and locks, so that several connections of one process can use a database in
// write-ahead-log mode: readers and the writer do not wait for each other.
//
// Thread rule: all functions are thread-safe.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace quern::storage {

// Registers it, and the page-checksum layer over it; later calls do nothing.
Status RegisterMemoryVfs();
// Names for sqlite3_open_v2: with page checksums, and the bare one.
const char* MemoryPageVfs();
const char* MemoryVfs();
// Forgets all files whose names start with prefix; those still open live until they are closed.
void DropMemoryFiles(const std::string& prefix);

}  // namespace quern::storage
