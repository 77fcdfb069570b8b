// Merging: several segments become one, without their dead records, in key order, with the codecs
// that pay best.
//
// A merge runs in many short write transactions, so that other writers get their turns in between.
// What it has written stays invisible until the last one, which makes the new segment live and
// retires the old ones; readers of older snapshots keep those. A record is alive when its table has
// a row with its row id: that holds whatever was written meanwhile.
#pragma once

#include <memory>
#include <vector>

#include "engine/db/database.h"

namespace quern {

// What is known of a collection's segments, for choosing.
struct MergePlan {
    std::shared_ptr<const storage::CollectionInfo> info;
    std::vector<int64_t> segments;  // to be merged
    uint64_t bytes = 0;             // their stored bytes
};

// Segments of similar size whose merging pays now (at least eight of a tier); empty when there are
// none. max_bytes bounds the sum of a merge.
MergePlan PlanTiers(const CollectionView& view, uint64_t max_bytes);
// All segments, when there is more than one, anything dead in them, or one that was written in
// haste.
Result<MergePlan> PlanWhole(storage::Connection* connection, const CollectionView& view);

// Runs a plan. OK also when somebody else changed the segments meanwhile: then nothing has
// happened, and *merged is false.
Status Merge(Database* database, const MergePlan& plan, Work* work, bool* merged);

// Removes what retired segments and dead builders have left, in short transactions; of the segments
// that exist when it begins, so that it ends while others go on merging.
Status SweepGarbage(Database* database, Work* work);

}  // namespace quern
