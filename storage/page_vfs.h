// The page-checksum VFS: a thin layer over another SQLite VFS. Each 16 KiB page of a main database
// file ends in 64 reserved bytes:
//
//   offset  size  content
//   16320   8     XXH3-64 of bytes 0..16319, seeded with the page number, little-endian
//   16328   4     page number (from 1), little-endian
//   16332   52    zero
//
// The checksum is written with the page and proven when the page is read, so that damage and
// misplaced pages surface as SQLITE_IOERR_DATA before any B-tree code sees them. A page of zeros
// only counts as never written. The write-ahead log passes through: its frames have checksums of
// their own, and their pages get ours when they move into the file.
//
// A file opened with SQLite's immutable=1 is read without locks, so nothing keeps another process
// from changing it meanwhile. The layer notes the file's stamp when it opens it, and compares after
// each read: the kernel sets the time of a file before it takes over the bytes, so whatever was
// read before an equal stamp belongs to the state that was opened. Else the read fails with
// SQLITE_IOERR_VNODE.
//
// Thread rule: all functions are thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"

struct sqlite3;

namespace quern::storage {

// Registers the layer over the process's default VFS; later calls do nothing.
Status RegisterPageVfs();
// Its name, for sqlite3_open_v2.
const char* CurrentPageVfs();
// Registers the layer over any other VFS; returns its name, NULL when there is no such VFS. The
// name lives forever.
const char* RegisterPageVfsOver(const char* base);

// The page of this database that last failed its check, if any has.
std::optional<uint32_t> LastBadPage(const std::string& path);
// Names one state of a database with a write-ahead log: the header of the log's index, which moves
// with every commit, by whichever process (its change counter, salts and checksum see to it).
struct LogMark {
    std::array<uint32_t, 12> words{};
    bool operator==(const LogMark& other) const { return words == other.words; }
    bool operator!=(const LogMark& other) const { return words != other.words; }
};
// The state that a read transaction would see if it began now, read from the shared memory that
// SQLite has mapped for this connection, without a lock or a system call. Nothing when the log is
// not in use through this connection, or is being changed in this moment.
std::optional<LogMark> ReadLogMark(sqlite3* db);
// Whether the file of a connection opened with immutable=1 is no longer what was opened.
bool FrozenFileChanged(sqlite3* db);
// Reads all pages of the main file and returns the numbers of those that fail (at most 100). A page
// of which the write-ahead log holds a newer copy is not counted: SQLite reads that one. kIo: how
// long the file is, or what the log holds, cannot be told now.
Result<std::vector<uint32_t>> ScanPages(sqlite3* db);
// Overwrites those of them that hold nothing (leaves of SQLite's list of free pages) with zeros, so
// that they can be used again: what was damaged there is gone already. Their number. The connection
// holds the write lock; where the log has pages nothing is done, because the list may be there.
size_t MendFreePages(sqlite3* db);

}  // namespace quern::storage

namespace quern::testing {

// From now on CurrentPageVfs lies over this VFS (NULL: the default one again).
void SetBaseVfs(const char* name);

}  // namespace quern::testing
