// The vectors of records whose rows are in the table already and whose segment is still to be
// written: how the many small batches of a large transaction reach segments of a sensible size
// without passing through the log, which would write every vector twice.
//
// Nobody but its transaction sees it; it is empty again before the commit. A record that dies
// meanwhile stays and becomes a dead record of the segment. Confined.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/record_log.h"

namespace quern {

class SegmentBuffer {
public:
    explicit SegmentBuffer(std::shared_ptr<const storage::CollectionInfo> info)
        : info_(std::move(info)) {}
    // Row ids must grow. vectors: one per field of the schema; no data where the record has none.
    void Add(int64_t rid, const Key& key, const std::vector<BytesView>& vectors);
    bool empty() const { return items_.empty(); }
    uint64_t bytes() const { return blobs_.size() + items_.size() * sizeof(Item); }
    // False when the record is not here; else *vectors gets one view per field, valid until Add.
    Result<bool> Find(int64_t rid, std::vector<BytesView>* vectors) const;
    // Writes all as one live segment and forgets it. Returns the segment's layout hash.
    Result<uint64_t> Write(storage::Connection* connection, int64_t generation);

private:
    struct Item {
        int64_t rid = 0;
        Key key;
        size_t start = 0;  // of its vectors in blobs_, encoded like those of a log entry
        size_t bytes = 0;
    };
    Status Decode(const Item& item, std::vector<BytesView>* vectors) const;

    std::shared_ptr<const storage::CollectionInfo> info_;
    std::vector<Item> items_;  // by row id
    Bytes blobs_;
    std::vector<storage::VectorRef> present_;  // scratch of Add
    Bytes blob_;                               // likewise
};

}  // namespace quern
