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
    kBoundTooLow = 28,        // the most that a block of sparse vectors may have is told too low
    kEqualPassedOver = 29,    // blocks that may be as good as the k-th are passed over
    kLastWordUncounted = 30,  // what a filter allows in the last word of a block is not counted
    kDeadCounted = 31,        // deleted texts stay in the frequencies of their terms
    kMustForgotten = 32,      // a text's score is looked up without a look at what it must have
    kNormsBeside = 33,        // rows picked by a filter have the norms of those beside them
    kBoundOfFewer = 34,       // the bound of cells is that of k - 1 vectors
    kFewAreEnough = 35,       // a search of cells ends with fewer hits than were asked for
    kOutsidersLost = 36,      // zero vectors and repeats are not beside their graph
    kLookedUpZero = 37,       // a leg says 0 of every record that its list does not hold
    kEqualProved = 38,        // what may be as good as the k-th is taken for worse
    kScaleOfFirst = 39,       // in a formula all legs have the scale of the first
    kLastWordUnmarked = 40,   // a filter does not see the last records of a segment
    kIntAsDouble = 41,        // whole numbers are compared with others by way of a double
    kSealedDeadSeen = 42,     // scans see records that died before the last seal
    kLayoutUnchecked = 43,    // the list of segments is not compared with its digest
    kOldPartsKept = 44,       // a handle goes on with the parts that a segment had
    kOptionBeyond = 45,       // numbers of options have no upper end
    kMessageTooLong = 46,     // a long message is ended one byte behind its place
    kSnapshotOfOther = 47,    // a snapshot of another database is taken
    kLockNotTaken = 48,       // nobody takes a lock that keeps others out
    kEmptyPageTaken = 49,     // a page of zeros is taken for content
    kFileNotSynced = 50,      // the file is not synced before its log begins again
    kFailureRemembered = 51,  // a commit that failed is remembered as if it stood
    kFieldNotKept = 52,       // an update loses the vectors that it does not name
    kSizeUnchecked = 53,      // chunks are unpacked without a look at how large they are
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
