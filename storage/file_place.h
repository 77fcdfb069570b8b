// What lies at the path of a database, as the file system sees it: beside SQLite, not through it.
//
// No function here opens the file with a descriptor of its own: closing one would drop all locks
// that this process has on the file (POSIX). Where bytes are needed they are read through SQLite's
// VFS, which knows of that.
//
// Thread rule: all functions are thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/base/status.h"

namespace quern::storage {

// The path as SQLite names the file: absolute, symbolic links followed. The names of the log and
// of its index are made from it. The path itself when it has no such name.
std::string FullName(const std::string& path);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);
// A file with content that this process may read. Not so for directories.
bool IsReadableFile(const std::string& path);
// The file is there and this process has no right to write it (or nobody has: read-only media).
bool MayNotBeWritten(const std::string& path);

// The name of the file beside this one, write-ahead log or rollback journal, that holds content
// without which the file is not complete; empty when there is none.
std::string PendingFile(const std::string& full_name);

// What tells one state of a file from another.
struct FileStamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t bytes = 0;
    int64_t modified_ns = 0;
    bool IsSameFile(const FileStamp& other) const {
        return device == other.device && inode == other.inode;
    }
    bool operator==(const FileStamp& other) const {
        return IsSameFile(other) && bytes == other.bytes && modified_ns == other.modified_ns;
    }
    bool operator!=(const FileStamp& other) const { return !(*this == other); }
};
std::optional<FileStamp> StampOf(const std::string& path);
// A stamp that every later write will change. Times of files move in ticks: right after a write
// this waits for the next one.
std::optional<FileStamp> StampAtRest(const std::string& path);

// Takes away what a failed attempt to create a database left at a path where nothing was: a file
// without content of ours. Leaves it alone when another process has it open by now.
void RemoveUnborn(const std::string& full_name);

// kTruncated when a file without a log is shorter than its header promises, else OK.
Status CheckLength(const std::string& path);

}  // namespace quern::storage
