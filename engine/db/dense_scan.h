// Scans of the dense vectors of a segment, by threads, within the budget of a search: of all its
// queries, or of those for which its index has no answer.
#pragma once

#include <span>

#include "engine/db/budget_watch.h"
#include "engine/db/dense_candidates.h"
#include "engine/db/segment.h"

namespace quern {

// What a scan of a segment in which nothing else was thought of costs; dead: records that may not
// be found; filtered: because a filter left them out.
PlanEstimate EstimateScan(const SegmentField& field, const dense::FlatField& type, size_t records,
                          size_t dead, bool filtered);

class DenseScan {
public:
    // threads: the most that one scan may start. All must outlive it.
    DenseScan(Database* database, Snapshot* snapshot, const dense::FlatField& type, int threads,
              BudgetWatch* watch, SearchTally* tally, Work* work, DenseCandidates* candidates)
        : database_(database),
          snapshot_(snapshot),
          type_(type),
          threads_(threads),
          watch_(watch),
          tally_(tally),
          work_(work),
          candidates_(candidates) {}

    // Adds what queries of these numbers find. Those that may look at as many rows go through these
    // together.
    Status Run(const dense::FlatRows& rows, const SegmentField& field, uint32_t source,
               std::span<const size_t> queries);

private:
    struct Source {
        dense::FlatRows rows;
        const SegmentField& field;  // of which they are
        uint32_t number;
    };
    Status ScanTogether(const Source& source, std::span<const size_t> queries);
    Status ScanResident(const Source& source, std::span<const size_t> queries, Work* timed);
    Status ScanStream(const Source& source, std::span<const size_t> queries, Work* timed);
    Status Measure(const dense::FlatRows& rows, size_t queries, dense::FlatScan* scan, Work* timed,
                   uint64_t* scored) const;
    int Threads(uint64_t work_bytes) const;
    bool has_deadline() const;

    Database* database_;
    Snapshot* snapshot_;
    const dense::FlatField& type_;
    int threads_;
    BudgetWatch* watch_;
    SearchTally* tally_;
    Work* work_;
    DenseCandidates* candidates_;
};

}  // namespace quern
