// What mends a file beneath SQLite: pages as they are, proved or not, and what one connection is
// shown in place of pages that SQLite cannot read, so that it can write them anew; and what other
// connections are not shown. Implemented by page_vfs.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/status.h"

struct sqlite3;

namespace quern::storage {

// Whole pages of the main file. kIo: its length cannot be told now.
Result<uint32_t> CountPages(sqlite3* db);
// false: there is no such page. kIo: it cannot be read now, which says nothing of what it holds.
// out: kPageBytes. sound (may be NULL): whether its checksum is right.
Result<bool> ReadPageAsIs(sqlite3* db, uint32_t number, char* out, bool* sound = nullptr);
// Whether the write-ahead log holds no page: all of the database is in the main file. kIo: it
// cannot be read now.
Result<bool> LogIsEmpty(sqlite3* db);
// "Pointer Map or Ptrmap Pages" of SQLite's documentation: page 2, and one in so many behind it.
bool IsPointerMap(uint32_t number);

struct MendingView {
    uint32_t empty_table = 0;          // the page that is the root of a table without rows; 0: none
    uint32_t empty_index = 0;          // likewise, of an index
    std::vector<uint32_t> zero_pages;  // zeros as long as they fail their check; ascending
};
// From now on, for pages that this connection reads from the main file. Pages that it remembers and
// has not changed are forgotten. Its own thread only.
void ShowForMending(sqlite3* db, const MendingView& view);

// Whether this connection may read pages that were never written, or were lost (it may at first).
// One that only reads has no use for them, unless it copies all pages: where it meets one, content
// has been lost. SQLite itself would take one for the rest of a long value, all zero.
void LetReadEmptyPages(sqlite3* db, bool may);

}  // namespace quern::storage
