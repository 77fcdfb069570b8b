#include "engine/db/column_builder.h"

#include <algorithm>

#include "engine/db/attr_parts.h"
#include "engine/db/index_options.h"
#include "engine/db/index_writer.h"
#include "storage/record_table.h"

namespace quern {

namespace {

using storage::PartKind;

// Of the columns that are built at once, from one pass over the table; what a value takes
// meanwhile, about.
constexpr uint64_t kPassBytes = uint64_t{256} << 20;
constexpr uint64_t kColumnsAtOnce = 16;
constexpr uint64_t kColumnBuildBytes = 32;
// Texts that are different and longer than this, on average, are not worth their room in the file.
constexpr uint64_t kTextBytesPerRecord = 128;
// About how long a value takes. Only to tell whether a build fits into a time-boxed call.
constexpr double kNsPerValue = 600;
// A list of more changed records than this share is worth a build without being asked for it.
constexpr uint64_t kRebuildShare = 64;

struct ColumnWork {
    std::shared_ptr<Segment> segment;
    std::vector<int> columns;  // by the numbers that filters have for them
    bool all = false;          // that the segment is to have
    bool afresh = false;       // those that are there go first
};

std::vector<int> WantedColumns(const Schema& schema) {
    std::vector<int> columns{filter::kKeyColumn};
    for (size_t a = 0; a < schema.attrs.size(); a++) {
        if (AttrIndexOptions::Of(schema.attrs[a]).index) {
            columns.push_back(static_cast<int>(a));
        }
    }
    return columns;
}

class ColumnJob {
public:
    ColumnJob(Database* database, std::string collection, const Schema& schema,
              const ColumnWork& job, Work* work)
        : database_(database),
          collection_(std::move(collection)),
          schema_(schema),
          job_(job),
          work_(work) {}

    Status Run() {
        QUERN_ASSIGN(const bool kept, StartList());
        if (!kept) {
            return {};
        }
        QUERN_ASSIGN(const bool built, Build());
        return built ? Write() : Status();
    }

private:
    // From now on whoever empties the log tells which records were changed. False: the segment is
    // gone.
    Result<bool> StartList() {
        QUERN_ASSIGN(Database::WriteStart start, database_->BeginWrite());
        storage::Connection* connection = start.writer->connection();
        const auto info = start.catalog->Find(collection_);
        if (info == nullptr) {
            return false;
        }
        QUERN_ASSIGN(storage::CollectionState state, storage::ReadState(connection, info->id));
        QUERN_ASSIGN(const auto segments,
                     storage::ReadSegments(connection, info->id, storage::SegmentState::kLive));
        for (const storage::SegmentInfo& segment : segments) {
            if (segment.id != job_.segment->info().id) {
                continue;
            }
            if (AttrParts::Of(segment, state.epoch) != nullptr && !job_.afresh) {
                return true;
            }
            QUERN_TRY(RemoveColumns(connection, segment.parts, std::nullopt));
            QUERN_TRY(WriteChanged(connection, segment.id, {}, state.epoch));
            QUERN_TRY(storage::NextEpoch(connection, info->id, &state));
            QUERN_TRY(storage::WriteState(connection, info->id, state));
            QUERN_TRY(start.writer->Commit());
            return true;
        }
        return false;
    }

    // Under one snapshot. False: the segment is gone, or its list, or the schema is another one.
    Result<bool> Build() {
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
        QUERN_ASSIGN(const auto view, snapshot->View(collection_));
        for (size_t s = 0; s < view->segments.size(); s++) {
            if (view->segments[s]->info().id == job_.segment->info().id &&
                view->attr_parts[s] != nullptr && view->info->schema == schema_) {
                info_ = view->info;
                epoch_ = view->state.epoch;
                segment_ = view->segments[s];
            }
        }
        if (segment_ == nullptr) {
            return false;
        }
        QUERN_TRY(
            snapshot->With([&](storage::Connection* connection) { return Pass(connection); }));
        return true;
    }

    struct Making {
        int column = 0;
        filter::ColumnBuilder builder;
        bool left_out = false;
    };

    Status Pass(storage::Connection* connection) {
        const size_t records = segment_->item_count();
        std::vector<Making> made;
        std::vector<size_t> attrs;
        for (const int column : job_.columns) {
            made.push_back({column, filter::ColumnBuilder(records), false});
            if (column >= 0) {
                attrs.push_back(static_cast<size_t>(column));
            }
        }
        QUERN_TRY(segment_->RowIds(connection).status());
        storage::RecordTable table(connection, *info_);
        size_t next = 0;
        const int64_t before = segment_->RowIdInOrder(0).first - 1;
        QUERN_TRY(
            table.ScanByRid(before, attrs, [&](const storage::RecordRow& row) -> Result<bool> {
                while (next < records && segment_->RowIdInOrder(next).first < row.rid) {
                    next++;
                }
                if (next < records && segment_->RowIdInOrder(next).first == row.rid) {
                    Take(row, segment_->RowIdInOrder(next).second, &made);
                    QUERN_TRY(work_->Check("index attributes", next, records));
                }
                return next < records;
            }));
        for (Making& making : made) {
            Keep(&making);
        }
        return {};
    }

    void Take(const storage::RecordRow& row, uint32_t record, std::vector<Making>* made) {
        size_t next = 0;
        for (Making& making : *made) {
            Cell cell;
            if (making.column >= 0) {
                cell = row.cells[next++];
            } else {
                cell.kind = row.key.type == KeyType::kInt ? Cell::Kind::kInt : Cell::Kind::kText;
                cell.number = row.key.number;
                cell.text = row.key.text;
            }
            if (making.left_out) {
                continue;
            }
            const uint64_t most =
                std::min(segment_->item_count() * kTextBytesPerRecord, storage::kSegmentItemsMax);
            // Values of another kind than those before should not be there.
            if (!making.builder.Set(record, cell) || making.builder.distinct_text_bytes() > most) {
                making.left_out = true;
                making.builder = filter::ColumnBuilder(0);
            }
        }
    }

    void Keep(Making* making) {
        filter::ColumnArrays& arrays = arrays_.emplace_back();
        if (making->left_out) {
            filter::ColumnHead head;
            head.left_out = true;
            head.records = static_cast<uint32_t>(segment_->item_count());
            arrays.head = head.Encode();
        } else {
            arrays = filter::ColumnFile::Encode(*making->builder.Finish());
        }
    }

    Status Write() {
        std::vector<IndexWriter::OfField> fields;
        for (size_t c = 0; c < job_.columns.size(); c++) {
            const filter::ColumnArrays& arrays = arrays_[c];
            const auto view = [](const Bytes& bytes, uint32_t item_bytes) {
                return dense::IndexArrayView{bytes.data(), bytes.size() / item_bytes, item_bytes,
                                             item_bytes};
            };
            fields.push_back({ColumnId(info_->schema, job_.columns[c]),
                              {{PartKind::kColumnHead, view(arrays.head, 1)},
                               {PartKind::kColumnValues, view(arrays.values, arrays.value_bytes)},
                               {PartKind::kColumnLengths, view(arrays.lengths, 4)},
                               {PartKind::kColumnCodes, view(arrays.codes, arrays.code_bytes)}}});
        }
        const auto room = [&](storage::Connection* connection, const Schema& schema,
                              const storage::SegmentInfo& segment,
                              const storage::CollectionState& state) -> Result<bool> {
            const auto parts = AttrParts::Of(segment, state.epoch);
            // Somebody has passed over the list, or dropped an attribute.
            if (parts == nullptr || !(schema == info_->schema)) {
                return false;
            }
            for (const IndexWriter::OfField& of_field : fields) {
                QUERN_TRY(RemoveColumns(connection, parts->columns, of_field.field));
            }
            // Whatever was changed before the snapshot is in the columns, and what was changed
            // behind it is still in the log as long as nobody has emptied that.
            if (job_.all && state.epoch == epoch_) {
                QUERN_TRY(storage::RemovePart(connection, parts->changed));
                QUERN_TRY(WriteChanged(connection, segment.id, {}, state.epoch));
            }
            return true;
        };
        return IndexWriter(database_, collection_, segment_->info(), 0, work_).Write(fields, room);
    }

    Database* database_;
    std::string collection_;
    const Schema& schema_;  // that the job is of
    const ColumnWork& job_;
    Work* work_;
    std::shared_ptr<const storage::CollectionInfo> info_;
    int64_t epoch_ = 0;
    std::shared_ptr<Segment> segment_;
    std::vector<filter::ColumnArrays> arrays_;  // of the job's columns
};

// As many columns at once as memory should hold.
void AddJobs(const ColumnWork& job, std::vector<ColumnWork>* jobs) {
    const size_t at_once = std::clamp<uint64_t>(
        kPassBytes / (job.segment->item_count() * kColumnBuildBytes), 1, kColumnsAtOnce);
    for (size_t first = 0; first < job.columns.size(); first += at_once) {
        const size_t end = std::min(job.columns.size(), first + at_once);
        const bool whole = first == 0 && end == job.columns.size();
        jobs->push_back({job.segment,
                         {job.columns.begin() + static_cast<ptrdiff_t>(first),
                          job.columns.begin() + static_cast<ptrdiff_t>(end)},
                         job.all && whole,
                         job.all && !whole && first == 0});
    }
}

}  // namespace

Status BuildColumns(Database* database, const std::string& collection, const IndexBuildRules& rules,
                    Work* work) {
    std::vector<ColumnWork> jobs;
    std::shared_ptr<const storage::CollectionInfo> info;
    {
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
        QUERN_ASSIGN(const auto view, snapshot->View(collection));
        info = view->info;
        const std::vector<int> wanted = WantedColumns(view->info->schema);
        for (size_t s = 0; s < view->segments.size(); s++) {
            const uint64_t records = view->segments[s]->item_count();
            const AttrParts* parts = view->attr_parts[s].get();
            if (records < kColumnRecordsMin) {
                continue;
            }
            ColumnWork job{view->segments[s], {}, false, false};
            for (const int column : wanted) {
                if (parts == nullptr ||
                    parts->Find(PartKind::kColumnHead, ColumnId(view->info->schema, column)) ==
                        nullptr) {
                    job.columns.push_back(column);
                }
            }
            const uint64_t changed = parts == nullptr ? 0 : parts->changed.items;
            // To prove that columns say what the rows say takes as long as to make them.
            if (rules.check_present ||
                changed > (rules.renew_columns ? 0 : records / kRebuildShare)) {
                job.columns = wanted;
            }
            job.all = job.columns.size() == wanted.size();
            AddJobs(job, &jobs);
        }
    }
    for (const ColumnWork& job : jobs) {
        const double ns =
            static_cast<double>(job.segment->item_count() * job.columns.size()) * kNsPerValue;
        if (std::chrono::duration<double, std::nano>(work->TimeLeft()).count() > ns) {
            QUERN_TRY(ColumnJob(database, collection, info->schema, job, work).Run());
        }
    }
    return {};
}

}  // namespace quern
