#include "engine/db/record_facet.h"

#include "engine/db/match_reader.h"
#include "engine/filter/value_counts.h"

namespace quern {

namespace {

Status FillTable(Database* database, const AttrDef& attr, const filter::TopValues& top,
                 ResultTable* table) {
    const bool tags = attr.type == AttrType::kTags;
    const auto type = static_cast<int32_t>(tags ? AttrType::kText : attr.type);
    const auto count_type = static_cast<int32_t>(AttrType::kInt);
    table->columns.push_back({attr.name, type, Element::kF32, 0});
    table->columns.push_back({"count", count_type, Element::kF32, 0});
    table->offsets = {0, 0};
    for (const filter::ValueCount& found : top.values) {
        table->values.resize(table->values.size() + 2);
        const size_t row = table->row_count();
        table->SetCell(&table->value(row, 0), type, found.value.cell());
        Cell count;
        count.kind = Cell::Kind::kInt;
        count.number = static_cast<int64_t>(found.count);
        table->SetCell(&table->value(row, 1), count_type, count);
        QUERN_TRY(EndRow(database, table));
    }
    table->tally.nulls = top.nulls;
    table->tally.values = top.distinct;
    return {};
}

}  // namespace

Status CountFacet(Database* database, const std::shared_ptr<Snapshot>& snapshot,
                  const FacetRequest& request, ResultTable* table) {
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view,
                 snapshot->View(request.collection));
    const storage::CollectionInfo& info = *view->info;
    const auto run = [&]() -> Status {
        const int attr = info.schema.FindAttr(request.attribute);
        if (attr < 0) {
            return Status::Error(Code::kUnknownField, "there is no attribute '%s'",
                                 request.attribute.c_str());
        }
        const AttrDef& def = info.schema.attrs[static_cast<size_t>(attr)];
        QUERN_ASSIGN(const auto matching, ViewOfMatches(database, snapshot.get(), view,
                                                        request.filter, &table->tally.reads));
        table->tally.matches = MatchCount(*matching);
        Work work = database->NewWork();
        filter::ValueCounter counter(def.type == AttrType::kTags);
        const ColumnChoice no_columns;
        MatchReader reader(database, *matching, {static_cast<size_t>(attr)});
        const int64_t bytes_max = database->limits().search_bytes.load();
        const auto count = [&](storage::Connection* connection) -> Status {
            QUERN_TRY(reader.Load(connection, &work));
            for (size_t s = 0; reader.in_memory() && s < reader.segment_count(); s++) {
                counter.AddColumn(*reader.column(s, static_cast<size_t>(attr)), reader.excluded(s));
            }
            ResultRows rows(connection, *matching, no_columns, table);
            return reader.ReadOthers(
                connection, &rows, &work,
                [&](const RecordPlace&, const Key&, const std::vector<Cell>& cells) -> Status {
                    counter.Add(cells[0]);
                    return counter.bytes() <= static_cast<uint64_t>(bytes_max)
                               ? Status()
                               : Status::Error(Code::kLimit,
                                               "'%s' has so many values that counting them needs "
                                               "more than %lld bytes",
                                               def.name.c_str(), static_cast<long long>(bytes_max));
                });
        };
        QUERN_TRY(snapshot->With(count, &table->tally.reads));
        return FillTable(database, def, counter.Top(request.limit), table);
    };
    return InCollection(info, run());
}

}  // namespace quern
