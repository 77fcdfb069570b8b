// What stands in attributes of the records that match: from columns in memory where these can be
// had, from the file for the rest.
#pragma once

#include "engine/db/result_rows.h"

namespace quern {

class MatchReader {
public:
    // view: of matches, or any other. attrs: numbers in the schema.
    MatchReader(Database* database, const CollectionView& view, std::vector<size_t> attrs)
        : database_(database), view_(view), attrs_(std::move(attrs)) {}
    // First of all; with a connection that lives as long as what is read.
    Status Load(storage::Connection* connection, Work* work);
    // Whether sealed records have their columns in memory.
    bool in_memory() const { return in_memory_; }
    size_t segment_count() const { return view_.segments.size(); }
    size_t item_count(size_t segment) const { return view_.segments[segment]->item_count(); }
    const filter::AttrColumn* column(size_t segment, size_t attr) const {
        return loaded_[segment].at(static_cast<int>(attr)).get();
    }
    // Bits of the records that do not match; NULL: all do.
    const filter::Bits* excluded(size_t segment) const { return dead_[segment].bits.get(); }
    // The others: matching records of the log, and all others when columns are not in memory.
    using Take = std::function<Status(const RecordPlace& place, const Key& key,
                                      const std::vector<Cell>& cells)>;
    Status ReadOthers(storage::Connection* connection, ResultRows* rows, Work* work,
                      const Take& take);

private:
    Status ReadTable(storage::Connection* connection, Work* work, const Take& take);

    Database* database_;
    const CollectionView& view_;
    std::vector<size_t> attrs_;
    bool in_memory_ = true;
    std::vector<DeadRecords> dead_;
    std::vector<SegmentColumns> loaded_;
};

}  // namespace quern
