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
