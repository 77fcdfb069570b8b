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
    enum class Kind { kWrite, kTruncate, kSync, kDelete };
    Kind kind = Kind::kWrite;
    std::string file;
    int64_t offset = 0;  // truncate: the new size
    std::string bytes;   // write
};

// Registers the VFS; returns its name.
const char* RegisterRecorder();
// The operations so far. The recorder only appends; read it while no database is at work.
std::vector<Operation>& Record();

using Files = std::map<std::string, std::string>;
// Applies an operation to the content of files.
void Apply(const Operation& operation, Files* files);
// Puts files into the VFS in memory under `folder`, in place of the folder they had.
void Materialize(const Files& files, const std::string& from, const std::string& folder);

}  // namespace quern::crash
