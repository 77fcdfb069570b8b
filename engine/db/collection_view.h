// A collection as one snapshot sees it: its log, its live segments, and which of their records are
// dead.
//
// The cache of a collection belongs to the database handle and is shared by all snapshots: segments
// are immutable and kept by id, the log mirror only grows. A snapshot older than the cache builds a
// view of its own.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/db/log_mirror.h"
#include "engine/db/segment.h"
#include "engine/db/token_table.h"
#include "storage/catalog.h"

namespace quern {

struct AttrParts;
struct IndexLeg;

// One bit per record of a segment.
struct DeadRecords {
    std::shared_ptr<const std::vector<uint64_t>> bits;  // NULL: none
    size_t count = 0;
};

// What a filter is true for in one view.
struct RecordMatches {
    std::vector<DeadRecords> segments;                 // what does not match in each, or is dead
    std::shared_ptr<const std::vector<uint64_t>> log;  // what matches there, by position
    uint64_t count = 0;                                // records that match
    bool by_sqlite = false;                            // nothing was decided on columns
    // A segment, with a bit for each record that matches.
    void Add(size_t item_count, std::vector<uint64_t> bits, size_t matching);
};

struct CollectionView {
    std::shared_ptr<const storage::CollectionInfo> info;
    storage::CollectionState state;
    std::shared_ptr<LogMirror> mirror;
    std::shared_ptr<const LogView> log;
    std::vector<std::shared_ptr<Segment>> segments;
    // Of each segment: the columns of attributes that the file has of it (attr_parts.h). Segments
    // outlive theirs, which come and go. NULL: none that can be believed.
    std::vector<std::shared_ptr<const AttrParts>> attr_parts;
    // Of a view of matches (record_filter.h): which records they are. NULL: of any other.
    std::shared_ptr<const RecordMatches> matches;
    // Row ids of dead sealed records as of the last seal, sorted; shared by all views of one epoch.
    std::shared_ptr<const std::vector<int64_t>> sealed_dead;
    // Of sparse fields that have one, by their ids.
    std::map<uint32_t, std::shared_ptr<TokenTable>> token_tables;

    using Dead = DeadRecords;
    // Which records of a segment are dead, or do not match; loads row ids only when anything is
    // dead at all. Thread-safe.
    Result<Dead> DeadOf(storage::Connection* connection, size_t segment) const;
    // Which are dead, whatever matches.
    Result<Dead> DeletedOf(storage::Connection* connection, size_t segment) const;
    // The token weights of a sparse field; lives as long as the view. kInvalid: it has none.
    Result<TokenTable*> Tokens(const SparseDef& def) const;
    // A leg that LoadLeg has found before; needs no file. NULL: none.
    std::shared_ptr<const IndexLeg> KnownLeg(size_t segment, uint32_t field) const;
    // Loads what is needed, the vectors only if these are no more bytes of the file than bytes_max.
    // NULL: no index, or it cannot be used. Thread-safe.
    Result<std::shared_ptr<const IndexLeg>> LoadLeg(storage::Connection* connection, size_t segment,
                                                    const DenseDef& def, Work* work,
                                                    uint64_t bytes_max = Segment::kAllBytes) const;
    // Records that may be found; in a view of matches those that match.
    uint64_t record_count() const {
        return matches != nullptr ? matches->count : static_cast<uint64_t>(state.records);
    }
    // The live place of a sealed record: segment and record number.
    struct Place {
        size_t segment = 0;
        uint32_t record = 0;
    };
    Result<std::optional<Place>> Locate(storage::Connection* connection, int64_t rid) const;
    // Views of matches by what stands for the filter, the last ones that were asked for.
    // Thread-safe.
    std::shared_ptr<const CollectionView> KnownMatches(const std::string& filter) const;
    void RememberMatches(const std::string& filter,
                         std::shared_ptr<const CollectionView> matching) const;
    // Row ids of all dead sealed records, sorted.
    std::vector<int64_t> AllDead() const;

private:
    mutable std::mutex mutex_;
    mutable std::optional<std::vector<int64_t>> dead_;
    mutable std::vector<std::optional<Dead>> dead_bits_;
    mutable std::map<std::pair<size_t, uint32_t>, std::shared_ptr<const IndexLeg>> legs_;
    // The newest last.
    mutable std::vector<std::pair<std::string, std::shared_ptr<const CollectionView>>> matching_;
};

// The view of the records that match.
std::shared_ptr<const CollectionView> MatchingView(const CollectionView& view,
                                                   std::shared_ptr<const RecordMatches> matches);

// Errors that come of the content of a collection name it, once.
Status InCollection(const storage::CollectionInfo& info, Status status);

// What a search needs to ask the index of one field of one segment.
struct IndexLeg {
    const SegmentField* field = nullptr;
    const dense::GraphIndex* index = nullptr;  // or
    const LoadedLists* lists = nullptr;
    CollectionView::Dead dead;
    size_t alive = 0;  // vectors of live records
    // In a view of matches: which nodes are wanted, one bit each; a node with repeats is when one
    // of these is. Empty otherwise, and where all live records of the segment match.
    std::vector<uint64_t> wanted;
    void FillWanted();
    const dense::Outsiders& outsiders() const {
        return lists != nullptr ? lists->index->outsiders() : index->outsiders();
    }
    bool Alive(uint32_t node) const {
        if (!dead.bits) {
            return true;
        }
        const uint32_t record = field->record(node);
        return ((*dead.bits)[record / 64] >> (record % 64) & 1) == 0;
    }
};

class CollectionCache {
public:
    // The view of the snapshot that `connection` is in.
    Result<std::shared_ptr<const CollectionView>> View(
        storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
        std::shared_ptr<MemoryBudget> budget);
    // Only the mirror of the log, caught up to this state: all that a small write needs.
    Result<std::shared_ptr<LogMirror>> Mirror(storage::Connection* connection,
                                              std::shared_ptr<const storage::CollectionInfo> info,
                                              const storage::CollectionState& state,
                                              std::shared_ptr<MemoryBudget> budget);

private:
    std::mutex mutex_;
    std::shared_ptr<const CollectionView> newest_;
};

// A view of the live segments alone, without log, mirror and tombstones; segments of `older` (may
// be NULL) are shared.
Result<std::shared_ptr<const CollectionView>> BuildSegments(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, const CollectionView* older,
    std::shared_ptr<MemoryBudget> budget);

// Builds a view without looking at any cache but the segments and mirror of `older` (may be NULL).
Result<std::shared_ptr<const CollectionView>> BuildView(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, const CollectionView* older,
    std::shared_ptr<MemoryBudget> budget);

}  // namespace quern
