#include "engine/db/column_cache.h"

#include <algorithm>

#include "engine/db/attr_parts.h"
#include "engine/db/collection_view.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// What a value takes while a column is built, about.
constexpr uint64_t kBuildBytes = 32;
// Looking a record up costs as much as this many rows of a pass over the table.
constexpr uint64_t kLookUpCost = 8;

// Fills columns of the segments that lack them.
class Loader {
public:
    Loader(const CollectionView& view, const std::vector<int>& columns, const MemoryBudget& budget,
           std::vector<SegmentColumns>* loaded)
        : view_(view), columns_(columns), budget_(budget), loaded_(loaded) {}

    // False: it cannot be done.
    Result<bool> Run(storage::Connection* connection, Work* work) {
        loaded_->resize(view_.segments.size());
        targets_.resize(view_.segments.size());
        for (size_t s = 0; s < view_.segments.size(); s++) {
            for (const int column : columns_) {
                (*loaded_)[s][column] = view_.segments[s]->columns().Find(view_, column);
            }
            QUERN_ASSIGN(const bool fits, TakeFromFile(connection, s, work));
            if (!fits) {
                return false;
            }
        }
        uint64_t missing = 0;
        for (size_t s = 0; s < view_.segments.size(); s++) {
            missing += Missing(s).size() * view_.segments[s]->item_count();
        }
        values_bytes_ = missing * kBuildBytes;
        if (missing == 0 || !budget_.Allows(values_bytes_)) {
            return missing == 0;
        }
        for (size_t s = 0; s < view_.segments.size(); s++) {
            for (const int column : Missing(s)) {
                QUERN_TRY(view_.segments[s]->RowIds(connection).status());
                rows_ += targets_[s].builders.empty() ? view_.segments[s]->item_count() : 0;
                targets_[s].builders.emplace(
                    column, filter::ColumnBuilder(view_.segments[s]->item_count()));
            }
        }
        const bool few = rows_ < static_cast<uint64_t>(view_.state.records) / kLookUpCost;
        QUERN_TRY(few ? LookUp(connection, work) : Scan(connection, work));
        if (!sound_) {
            return false;
        }
        for (size_t s = 0; s < targets_.size(); s++) {
            for (auto& [column, builder] : targets_[s].builders) {
                Keep(s, column, builder.Finish());
            }
        }
        return true;
    }

private:
    struct Target {
        std::map<int, filter::ColumnBuilder> builders;
        size_t next = 0;  // in the order of row ids
    };

    std::vector<int> Missing(size_t s) const {
        std::vector<int> columns;
        for (const auto& [column, values] : (*loaded_)[s]) {
            if (values == nullptr) {
                columns.push_back(column);
            }
        }
        return columns;
    }

    // What the segment has of its columns. False: no room.
    Result<bool> TakeFromFile(storage::Connection* connection, size_t s, Work* work) {
        const std::vector<int> missing = Missing(s);
        uint64_t bytes = 0;
        for (const int column : missing) {
            bytes += view_.attr_parts[s] == nullptr
                         ? 0
                         : view_.attr_parts[s]->raw_bytes(ColumnId(view_.info->schema, column));
        }
        if (bytes == 0 || !budget_.Allows(bytes)) {
            return bytes == 0;
        }
        QUERN_TRY(view_.segments[s]->RowIds(connection).status());
        QUERN_ASSIGN(auto read, ReadColumns(connection, view_, s, missing, budget_.threads, work));
        for (auto& [column, values] : read) {
            Keep(s, column, std::move(values));
        }
        return true;
    }

    std::vector<size_t> Attrs() const {
        std::vector<size_t> attrs;
        for (const int column : columns_) {
            if (column >= 0) {
                attrs.push_back(static_cast<size_t>(column));
            }
        }
        return attrs;
    }

    // Record by record, where a pass over the table would be mostly for nothing: after a seal the
    // columns of one small segment are missing.
    Status LookUp(storage::Connection* connection, Work* work) {
        const std::vector<size_t> attrs = Attrs();
        uint64_t rows = 0;
        storage::RecordTable table(connection, *view_.info);
        for (size_t s = 0; s < targets_.size(); s++) {
            const Segment& segment = *view_.segments[s];
            const size_t count = targets_[s].builders.empty() ? 0 : segment.item_count();
            for (size_t i = 0; i < count && sound_; i++) {
                QUERN_TRY(work->Check("filter", rows++, rows_));
                const auto [rid, record] = segment.RowIdInOrder(i);
                QUERN_TRY(
                    table
                        .ReadByRid(rid, attrs,
                                   [&, at = record](const storage::RecordRow& row) -> Result<bool> {
                                       Take(row, attrs, at, &targets_[s]);
                                       return true;
                                   })
                        .status());
            }
        }
        return {};
    }

    Status Scan(storage::Connection* connection, Work* work) {
        const std::vector<size_t> attrs = Attrs();
        uint64_t rows = 0;
        storage::RecordTable table(connection, *view_.info);
        return table.ScanByRid(0, attrs, [&](const storage::RecordRow& row) -> Result<bool> {
            QUERN_TRY(work->Check("filter", rows++, static_cast<uint64_t>(view_.state.records)));
            for (size_t s = 0; s < targets_.size(); s++) {
                Target& target = targets_[s];
                if (target.builders.empty()) {
                    continue;
                }
                Segment& segment = *view_.segments[s];
                while (target.next < segment.item_count() &&
                       segment.RowIdInOrder(target.next).first < row.rid) {
                    target.next++;
                }
                if (target.next < segment.item_count() &&
                    segment.RowIdInOrder(target.next).first == row.rid) {
                    Take(row, attrs, segment.RowIdInOrder(target.next).second, &target);
                    break;
                }
            }
            return sound_;
        });
    }

    void Take(const storage::RecordRow& row, const std::vector<size_t>& attrs, uint32_t record,
              Target* target) {
        for (auto& [column, builder] : target->builders) {
            Cell cell;
            if (column == filter::kKeyColumn) {
                const bool number = row.key.type == KeyType::kInt;
                cell.kind = number ? Cell::Kind::kInt : Cell::Kind::kText;
                cell.number = row.key.number;
                cell.text = row.key.text;
            } else {
                const auto at = std::find(attrs.begin(), attrs.end(), static_cast<size_t>(column));
                cell = row.cells[static_cast<size_t>(at - attrs.begin())];
            }
            const uint64_t before = builder.text_bytes();
            sound_ = sound_ && builder.Set(record, cell);
            texts_bytes_ += builder.text_bytes() - before;
        }
        sound_ = sound_ && (texts_bytes_ == 0 || budget_.Allows(values_bytes_ + texts_bytes_));
    }

    void Keep(size_t s, int column, std::unique_ptr<filter::AttrColumn> values) {
        const auto bytes = static_cast<int64_t>(values->memory_bytes());
        const std::shared_ptr<MemoryCounter> counter = budget_.indexes;
        counter->Add(bytes);
        ColumnCache::Column counted(values.release(),
                                    [counter, bytes](const filter::AttrColumn* old) {
                                        counter->Add(-bytes);
                                        delete old;
                                    });
        view_.segments[s]->columns().Put(view_, column, counted);
        (*loaded_)[s][column] = std::move(counted);
    }

    const CollectionView& view_;
    const std::vector<int>& columns_;
    const MemoryBudget& budget_;
    std::vector<SegmentColumns>* loaded_;
    std::vector<Target> targets_;
    uint64_t rows_ = 0;  // of segments that lack columns
    uint64_t values_bytes_ = 0;
    uint64_t texts_bytes_ = 0;
    bool sound_ = true;  // it fits memory, and values are of the kinds that they should be
};

}  // namespace

ColumnCache::Column ColumnCache::Find(const CollectionView& view, int column) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = entries_.find(column);
    if (found == entries_.end()) {
        return nullptr;
    }
    const Entry& entry = found->second;
    const bool good = entry.epoch == view.state.epoch && entry.last <= view.log->last &&
                      !view.mirror->AmendedBetween(entry.last, view.log->last);
    return good ? entry.values : nullptr;
}

void ColumnCache::Put(const CollectionView& view, int column, Column values) {
    std::lock_guard<std::mutex> lock(mutex_);
    Entry& entry = entries_[column];
    const bool older = entry.values != nullptr &&
                       (entry.epoch > view.state.epoch ||
                        (entry.epoch == view.state.epoch && entry.last > view.log->last));
    if (!older) {
        entry = {view.state.epoch, view.log->last, std::move(values)};
    }
}

Result<std::vector<SegmentColumns>> LoadColumns(storage::Connection* connection,
                                                const CollectionView& view,
                                                const std::vector<int>& columns,
                                                const MemoryBudget& budget, Work* work) {
    std::vector<SegmentColumns> loaded;
    QUERN_ASSIGN(const bool possible, Loader(view, columns, budget, &loaded).Run(connection, work));
    if (!possible) {
        loaded.clear();
    }
    return loaded;
}

}  // namespace quern
