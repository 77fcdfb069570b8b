#include "engine/db/attr_values.h"

#include <algorithm>

#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

namespace {

Cell CellOf(const Key& key) {
    Cell cell;
    cell.kind = key.type == KeyType::kInt ? Cell::Kind::kInt : Cell::Kind::kText;
    cell.number = key.number;
    cell.text = key.text;
    return cell;
}

double NumberOf(const Cell& cell) {
    return cell.kind == Cell::Kind::kReal ? cell.real : static_cast<double>(cell.number);
}

}  // namespace

Status AttrValues::Open(const std::vector<int>& columns) {
    if (columns.empty() || view_->segments.empty()) {
        return {};
    }
    bool known = true;
    columns_.resize(view_->segments.size());
    for (size_t s = 0; s < columns_.size(); s++) {
        for (const int column : columns) {
            columns_[s][column] = view_->segments[s]->columns().Find(*view_, column);
            known = known && columns_[s][column] != nullptr;
        }
    }
    if (known) {
        return {};
    }
    Work work = database_->NewWork();
    return snapshot_->With(
        [&](storage::Connection* connection) -> Status {
            QUERN_ASSIGN(columns_,
                         LoadColumns(connection, *view_, columns, *database_->budget(), &work));
            return {};
        },
        &tally_->reads);
}

Status AttrValues::Read(const std::vector<RecordPlace>& places, int column, const Take& take) {
    const size_t log = view_->segments.size();
    bool in_memory = true;
    for (size_t i = 0; i < places.size(); i++) {
        const RecordPlace& place = places[i];
        if (place.source == log && column == filter::kKeyColumn) {
            take(i, CellOf(view_->log->item(place.position).key));
        } else if (place.source < columns_.size()) {
            const filter::AttrColumn& values = *columns_[place.source].at(column);
            const uint32_t code = values.code(place.position);
            take(i, code == 0 ? Cell() : values.value(code));
        } else {
            in_memory = false;
        }
    }
    if (in_memory) {
        return {};
    }
    return snapshot_->With(
        [&](storage::Connection* connection) {
            return ReadFromFile(connection, places, column, take);
        },
        &tally_->reads);
}

// What Read has left.
Status AttrValues::ReadFromFile(storage::Connection* connection,
                                const std::vector<RecordPlace>& places, int column,
                                const Take& take) {
    const size_t log_source = view_->segments.size();
    storage::RecordTable records(connection, *view_->info);
    storage::RecordLog log(connection, *view_->info);
    for (size_t i = 0; i < places.size(); i++) {
        const RecordPlace& place = places[i];
        bool there = true;
        if (place.source == log_source && column != filter::kKeyColumn) {
            QUERN_ASSIGN(there, log.ReadCells(view_->log->item(place.position).rid,
                                              {static_cast<size_t>(column)},
                                              [&](const std::vector<Cell>& cells) -> Status {
                                                  take(i, cells[0]);
                                                  return {};
                                              }));
        } else if (place.source < log_source && columns_.empty()) {
            QUERN_ASSIGN(const int64_t* const ids,
                         view_->segments[place.source]->RowIds(connection));
            const bool key = column == filter::kKeyColumn;
            std::vector<size_t> attrs;
            if (!key) {
                attrs.push_back(static_cast<size_t>(column));
            }
            QUERN_ASSIGN(there,
                         records.ReadByRid(ids[place.position], attrs,
                                           [&](const storage::RecordRow& row) -> Result<bool> {
                                               take(i, key ? CellOf(row.key) : row.cells[0]);
                                               return true;
                                           }));
        }
        if (!there) {
            return Status::Error(Code::kCorrupt, "a record that was found has no row");
        }
    }
    return {};
}

bool AttrValues::RangeOf(int column, double* low, double* high) const {
    // What the log holds is not known without reading it.
    if (view_->log->count > 0 || columns_.size() != view_->segments.size()) {
        return false;
    }
    *low = std::numeric_limits<double>::infinity();
    *high = -*low;
    for (const SegmentColumns& of_segment : columns_) {
        const filter::AttrColumn& values = *of_segment.at(column);
        if (values.code_count() > 1) {
            *low = std::min(*low, NumberOf(values.value(1)));
            *high = std::max(*high, NumberOf(values.value(values.code_count() - 1)));
        }
    }
    return true;
}

}  // namespace quern
