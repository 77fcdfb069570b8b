// Planted faults: ways to be wrong that the tests must find. Only builds with QUERN_TEST_FAULTS
// have them; elsewhere TestFault is a constant false and costs nothing.
#pragma once

#ifdef QUERN_TEST_FAULTS
#include <atomic>
#endif

namespace quern {

enum class Fault : int {
    kNone = 0,
    kSyncSkipped = 1,         // the write-ahead log is not synced at commit
    kSynchronousNormal = 2,   // durability=full asks SQLite for less than it promises
    kLogEntryDropped = 3,     // a seal loses records
    kTombstoneForgotten = 4,  // a seal forgets that sealed records died
    kChunkLost = 5,           // a chunk is not written
    kStateStale = 6,          // a commit leaves the counters as they were
    kRetireEarly = 7,         // a merge retires the old segments before the new one is live
    kChangesForgotten = 8,    // who empties the log does not tell the columns what it changed
    kPageUnchecked = 9,       // a page is read without a look at its checksum
    kChunkUnchecked = 10,     // a chunk is
    kStepIgnored = 11,        // a statement that failed is taken for done
    kRollbackMissing = 12,    // an error in a transaction leaves what it had written
    kBurialForgotten = 13,    // a merge takes the tombstones of segments that it left alone
    kMergeRowLost = 14,       // a merge loses records
    kPatchForgotten = 15,     // filters by columns do not see what changed since these were built
    kLastChangeLost = 16,     // of changed records the last is not noted
    kDigestStale = 17,        // a change in place leaves the digest as it was
    kDoubleVersion = 18,      // what replaces a record of the log leaves it there
    kKeyTwice = 19,           // insert takes a key that there is
    kOthersUnseen = 20,       // a writer does not notice what others have committed
    kNoWaiting = 21,          // nobody waits for another's lock
    kColumnsLost = 22,        // columns do not outlive the epoch that they were built in
    kGarbageKept = 23,        // retired segments are never swept away
    kMarkFrozen = 24,         // a search does not notice what others have committed
    kTieLost = 25,            // of equally near records those at the end of a list are lost
    kTailUnseen = 26,         // the last vector of a block is not looked at
    kBurialPartly = 27,       // a seal forgets every fourth record that died
};

#ifdef QUERN_TEST_FAULTS
inline std::atomic<Fault> planted_fault{Fault::kNone};
inline bool TestFault(Fault fault) {
    return planted_fault.load(std::memory_order_relaxed) == fault;
}
#else
constexpr bool TestFault(Fault) {
    return false;
}
#endif

}  // namespace quern
