// A VFS over the one in memory that writes down every change of a file, so that a test can make the
// states that a crash at any moment could have left behind.
//
// What a disk keeps of the operations since the last sync of a file is not defined: all of them,
// none, any subset, and of a write any of its 512-byte sectors. Operations before the sync of their
// file are kept. Shared memory is not part of a crash.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quern::crash {

struct Operation {
    enum class Kind { kWrite, kTruncate, kSync, kDelete, kCreate, kFolderSync };
    Kind kind = Kind::kWrite;
    std::string file;
    int64_t offset = 0;  // truncate: the new size; delete: whether the folder was synced, too
    std::string bytes;   // write
};

// Registers the VFS; returns its name.
const char* RegisterRecorder();
// What the device promises beside: that a write never harms the rest of its 512-byte sectors (the
// default), or not even that, with sectors of 4096 bytes. For files opened from now on.
void SetPowersafe(bool powersafe);
// The operations so far. The recorder only appends; read it while no database is at work.
std::vector<Operation>& Record();

using Files = std::map<std::string, std::string>;
// The files in memory under `folder` as they are, synced or not.
Files ReadFolder(const std::string& folder);
// Applies an operation to the content of files.
void Apply(const Operation& operation, Files* files);
// Puts files into the VFS in memory under `folder`, in place of the folder they had.
void Materialize(const Files& files, const std::string& from, const std::string& folder);

}  // namespace quern::crash
