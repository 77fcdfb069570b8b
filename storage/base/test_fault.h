// Planted faults: ways to be wrong that the tests must find. Only builds with QUERN_TEST_FAULTS
// have them; elsewhere TestFault is a constant false and costs nothing.
#pragma once

#ifdef QUERN_TEST_FAULTS
#include <atomic>
#endif

namespace quern {

enum class Fault : int {
    kNone = 0,
    kSyncSkipped,         // the write-ahead log is not synced at commit
    kChecksumSkipped,     // pages read are not checked
    kCheckpointEarly,     // the file is written before the log is synced
    kLogEntryDropped,     // a seal loses records
    kChunkLost,           // a chunk is not written
    kTombstoneForgotten,  // a seal forgets that sealed records died
    kStateStale,          // a commit leaves the counters as they were
    kSweepEarly,          // a merge removes the old segments before the new one is live
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
