// What a process gets from the system can be made to fail at any one call: files, through a VFS
// over the recorder of tests/crash, memory, and threads.
//
// One fault is armed at a time. Calls of its kind are counted from then on, and number `at` fails,
// or all from that one on. Only one database may be at work meanwhile.
#pragma once

#include <cstdint>
#include <string>

namespace quern::faults {

enum class Kind {
    kNone,
    // Of the file system.
    kRead,
    kShortRead,  // less than was asked for, and zeros
    kWrite,
    kShortWrite,  // the first half is written
    kFull,        // the disk is: nothing is written
    kSync,
    kTruncate,
    kOpen,
    kLock,
    kLockBusy,
    kSize,
    kIndexMap,   // shared memory of the log's index
    kIndexLock,  // busy
    kDelete,
    kAccess,
    // Of memory.
    kNew,      // operator new
    kSqlite,   // SQLite's
    kZstd,     // malloc when libzstd calls it
    kAligned,  // aligned_alloc: storage/base/buffer.h
    kThread,
    kCount
};
const char* Name(Kind kind);

// Registers the VFS; returns its name.
const char* RegisterFailingVfs();
// Puts SQLite's memory under control; before anything uses SQLite.
bool TakeOverMemory();

void Arm(Kind kind, int64_t at, bool sticky);
// How many calls of the kind there were; ends the fault.
int64_t Disarm();
// Whether it has failed any call since it was armed.
bool WasHit();

// Live allocations of operator new, and of SQLite.
int64_t LiveBlocks();
int64_t SqliteBytes();

}  // namespace quern::faults
