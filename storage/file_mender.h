// Mending of files whose trees are damaged, for a rebuild; file_mender.cpp says how. Every function
// reads the whole file.
#pragma once

#include <string>
#include <vector>

#include "storage/file_store.h"

namespace quern::storage {

// How far the table of chunks can be trusted.
enum class ChunkTable {
    kSound,
    kHoles,   // pages inside of chunks are damaged: such chunks can be removed and written anew
    kBroken,  // the tree that leads to chunks is damaged
};
Result<ChunkTable> CheckChunkTable(FileStore* store, Work* work);

// Writes the table of chunks anew, in one transaction, from all chunks of live segments and of
// tables of fields that are anywhere in the file: their checksums tell which they are. Pages of the
// old table are left over; MendUnusedPages gives them back. *lost gets a line for each chunk that
// was not found and cannot be made from others. Segments that are being built are given up. Needs
// disk for as much as the table holds. kBusy while snapshots are held.
Status MendChunkTable(FileStore* store, Work* work, std::vector<std::string>* lost);

// Makes indexes of tables anew that cannot be read, each in one transaction, from their tables;
// those whose table cannot be read either stay as they are. kBusy while snapshots are held, if any
// is damaged. Reads all indexes.
Status MendIndexes(FileStore* store, Work* work);

// Where damaged or lost pages are left that no table uses: writes the file anew without them, in
// one transaction.
Status MendUnusedPages(FileStore* store, Work* work);

// Reads every row of every table and index. kCorrupt names all of those that are damaged.
Status CheckTables(FileStore* store, Work* work);

}  // namespace quern::storage
