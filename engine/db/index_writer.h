// Puts the arrays of an index into the file as derived parts of a live segment: bit by bit to a
// segment of its own that nobody sees, then handed over in one small transaction. What a crash
// leaves is swept like any unfinished segment. Confined.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/db/builder_mark.h"
#include "engine/db/database.h"
#include "engine/dense/graph_index.h"

namespace quern {

class IndexWriter {
public:
    using Arrays = std::vector<std::pair<storage::PartKind, dense::IndexArrayView>>;
    IndexWriter(Database* database, std::string collection, const storage::SegmentInfo& segment,
                uint32_t field, Work* work)
        : database_(database),
          collection_(std::move(collection)),
          segment_(segment.id),
          generation_(segment.generation),
          field_(field),
          work_(work) {}
    // Takes the place of whatever index the field had there. Nothing happens when the segment was
    // merged away meanwhile, or the collection was dropped: a successor gets an index of its own.
    Status Write(const Arrays& arrays);
    // The same with arrays of several fields. room: makes room for them, in the transaction that
    // hands them over; false: they cannot be used any more, and nothing happens.
    using MakeRoom =
        std::function<Result<bool>(storage::Connection*, const Schema&, const storage::SegmentInfo&,
                                   const storage::CollectionState&)>;
    struct OfField {
        uint32_t field = 0;
        Arrays arrays;
    };
    Status Write(const std::vector<OfField>& of_fields, const MakeRoom& room);
    // Whether the last Write came too late.
    bool overtaken() const { return overtaken_; }

private:
    Result<Database::WriteStart> BeginWrite();
    Status WriteAll(const std::vector<OfField>& of_fields, const MakeRoom& room);
    // Into the open slice, which it opens and ends as need be.
    Status WriteArray(uint32_t field, storage::PartKind kind, const dense::IndexArrayView& array);
    Status EndSlice();
    Status HandOver(const MakeRoom& room);
    void Abandon();

    Database* database_;
    std::string collection_;
    int64_t segment_;
    int64_t generation_;
    uint32_t field_;
    Work* work_;
    BuilderMark mark_;
    int64_t building_ = 0;
    bool begun_ = false;  // the segment that is being built stands in the file
    // The transaction that arrays go into until they fill it: small ones share one, since each
    // waits for the disk at its end.
    std::optional<Database::WriteStart> slice_;
    uint64_t slice_bytes_ = 0;
    bool overtaken_ = false;
};

}  // namespace quern
