#include "engine/db/record_list.h"

#include <algorithm>

#include "engine/db/match_reader.h"
#include "engine/filter/bookmark.h"

namespace quern {

namespace {

using filter::RecordOrder;
using filter::RecordRun;
using filter::Spot;

struct Entry {
    Spot spot;
    RecordPlace place;
};

// The first k of the entries that come, in any order.
class FirstEntries {
public:
    FirstEntries(const RecordOrder& order, size_t k, const std::optional<Spot>& after)
        : order_(order), k_(k), after_(after) {}
    void Add(Entry entry) {
        const auto before = [this](const Entry& a, const Entry& b) { return Before(a, b); };
        if ((after_ && filter::CompareSpots(order_, entry.spot, *after_) <= 0) ||
            (heap_.size() == k_ && !Before(entry, heap_.front()))) {
            return;
        }
        if (heap_.size() == k_) {
            std::pop_heap(heap_.begin(), heap_.end(), before);
            heap_.pop_back();
        }
        heap_.push_back(std::move(entry));
        std::push_heap(heap_.begin(), heap_.end(), before);
    }
    std::vector<Entry> Take() {
        std::sort(heap_.begin(), heap_.end(),
                  [this](const Entry& a, const Entry& b) { return Before(a, b); });
        return std::move(heap_);
    }

private:
    bool Before(const Entry& a, const Entry& b) const {
        return filter::CompareSpots(order_, a.spot, b.spot) < 0;
    }
    const RecordOrder& order_;
    size_t k_;
    const std::optional<Spot>& after_;
    std::vector<Entry> heap_;  // the last one in front
};

// Entries in order, of a segment, of the log, or of both.
struct ListSource {
    // Of a segment whose columns are in memory; else `entries`.
    const RecordRun* run = nullptr;
    uint32_t segment = 0;
    std::vector<uint32_t> records;
    std::vector<Entry> entries;
    size_t next = 0;
    Entry head;
    bool done = false;
};

// Lists the records of one view, which has none but those that match.
class Lister {
public:
    Lister(Database* database, const CollectionView& view, const RecordOrder& order,
           const std::optional<Spot>& after, size_t limit, const ColumnChoice& choice,
           ResultTable* table)
        : database_(database),
          view_(view),
          order_(order),
          after_(after),
          limit_(limit == 0 ? SIZE_MAX : limit),
          choice_(choice),
          table_(table),
          work_(database->NewWork()),
          attrs_(AttrsOf(order)),
          reader_(database, view, attrs_) {}

    Status Run(storage::Connection* connection) {
        ResultRows rows(connection, view_, choice_, table_);
        rows_ = &rows;
        QUERN_TRY(reader_.Load(connection, &work_));
        for (size_t s = 0; reader_.in_memory() && s < reader_.segment_count(); s++) {
            QUERN_TRY(OpenSegment(s));
        }
        FirstEntries others(order_, limit_, after_);
        QUERN_TRY(reader_.ReadOthers(
            connection, &rows, &work_,
            [&](const RecordPlace& place, const Key& key, const std::vector<Cell>& cells) {
                others.Add({SpotOf(key, cells), place});
                return Status();
            }));
        sources_.emplace_back().entries = others.Take();
        return Merge();
    }

private:
    static std::vector<size_t> AttrsOf(const RecordOrder& order) {
        std::vector<size_t> attrs;
        for (const filter::OrderTerm& term : order.terms) {
            attrs.push_back(static_cast<size_t>(term.column));
        }
        return attrs;
    }

    Status OpenSegment(size_t number) {
        std::vector<const filter::AttrColumn*> columns;
        for (const size_t attr : attrs_) {
            columns.push_back(reader_.column(number, attr));
        }
        runs_.push_back(std::make_unique<RecordRun>(
            order_, std::move(columns), reader_.item_count(number), reader_.excluded(number)));
        ListSource& source = sources_.emplace_back();
        source.run = runs_.back().get();
        source.segment = static_cast<uint32_t>(number);
        std::optional<RecordRun::Start> start;
        if (after_) {
            start.emplace().values = after_->values;
            QUERN_ASSIGN(start->record, StartIn(source));
        }
        source.records = source.run->First(limit_, start);
        return work_.Check("list", number, view_.segments.size());
    }

    // The first record whose key is behind that of the bookmark, or with descending keys is not
    // before it. Only records that match have keys to look at.
    Result<size_t> StartIn(const ListSource& source) {
        size_t low = 0;
        size_t high = source.run->records();
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            const size_t probe = source.run->NextWanted(middle);
            if (probe >= high) {
                high = middle;
                continue;
            }
            QUERN_ASSIGN(const Key key,
                         rows_->KeyOf({source.segment, static_cast<uint32_t>(probe)}));
            const bool behind = order_.keys_descend ? !(key < after_->key) : after_->key < key;
            low = behind ? low : probe + 1;
            high = behind ? middle : high;
        }
        return low;
    }

    static Spot SpotOf(const Key& key, const std::vector<Cell>& cells) {
        Spot spot;
        spot.key = key;
        for (const Cell& cell : cells) {
            spot.values.push_back(filter::ValueOf(cell));
        }
        return spot;
    }

    Status Advance(ListSource* source) {
        if (source->run == nullptr) {
            source->done = source->next == source->entries.size();
            if (!source->done) {
                source->head = std::move(source->entries[source->next++]);
            }
            return {};
        }
        source->done = source->next == source->records.size();
        if (source->done) {
            return {};
        }
        const uint32_t record = source->records[source->next++];
        Entry& head = source->head;
        head.place = {source->segment, record};
        head.spot.values.clear();
        for (size_t t = 0; t < attrs_.size(); t++) {
            head.spot.values.push_back(source->run->ValueOf(t, record));
        }
        QUERN_ASSIGN(head.spot.key, rows_->KeyOf(head.place));
        return {};
    }

    Status Merge() {
        for (ListSource& source : sources_) {
            QUERN_TRY(Advance(&source));
        }
        while (table_->row_count() < limit_) {
            ListSource* first = nullptr;
            for (ListSource& source : sources_) {
                if (!source.done &&
                    (first == nullptr ||
                     filter::CompareSpots(order_, source.head.spot, first->head.spot) < 0)) {
                    first = &source;
                }
            }
            if (first == nullptr) {
                break;
            }
            QUERN_TRY(AddRow(first->head));
            last_ = first->head.spot;
            QUERN_TRY(Advance(first));
        }
        if (last_) {
            table_->bookmark = filter::WriteBookmark(order_, view_.info->schema, *last_);
        }
        return {};
    }

    Status AddRow(const Entry& entry) {
        if (!choice_.items.empty()) {
            QUERN_TRY(rows_->AddValues(entry.place));
        }
        table_->AddKey(entry.spot.key);
        return EndRow(database_, table_);
    }

    Database* database_;
    const CollectionView& view_;
    const RecordOrder& order_;
    const std::optional<Spot>& after_;
    size_t limit_;
    const ColumnChoice& choice_;
    ResultTable* table_;
    Work work_;
    std::vector<size_t> attrs_;  // of the terms
    MatchReader reader_;
    ResultRows* rows_ = nullptr;
    std::vector<std::unique_ptr<RecordRun>> runs_;
    std::vector<ListSource> sources_;
    std::optional<Spot> last_;
};

// All records by key need nothing in memory: that is a scan.
Status ListByKey(Database* database, const std::shared_ptr<Snapshot>& snapshot,
                 const ListRequest& request, const std::optional<Spot>& after, const Schema& schema,
                 ResultTable* table) {
    QUERN_ASSIGN(
        const std::unique_ptr<Cursor> cursor,
        Cursor::Open(database->shared_from_this(), snapshot, request.collection, request.columns));
    if (after) {
        QUERN_TRY(cursor->After(after->key));
    }
    QUERN_TRY(cursor->Next(request.limit == 0 ? SIZE_MAX : request.limit, table));
    if (table->row_count() > 0) {
        const Key last = schema.key_type == KeyType::kInt ? Key::Int(table->int_keys.back())
                                                          : Key::Text(table->text_keys.back());
        table->bookmark = filter::WriteBookmark(RecordOrder(), schema, {{}, last});
    }
    return {};
}

}  // namespace

Status ListRecords(Database* database, const std::shared_ptr<Snapshot>& snapshot,
                   const ListRequest& request, ResultTable* table) {
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view,
                 snapshot->View(request.collection));
    const storage::CollectionInfo& info = *view->info;
    const auto list = [&]() -> Status {
        QUERN_ASSIGN(const RecordOrder order,
                     filter::ReadOrder(request.order, {info.name, &info.schema}));
        std::optional<Spot> after;
        if (!request.bookmark.empty()) {
            QUERN_ASSIGN(after, filter::ReadBookmark(request.bookmark, order, info.schema));
        }
        table->bookmark = request.bookmark;  // an empty page ends where it begins
        if (request.filter.empty() && order.by_key() && !order.keys_descend) {
            table->tally.matches = static_cast<uint64_t>(view->state.records);
            return ListByKey(database, snapshot, request, after, info.schema, table);
        }
        QUERN_ASSIGN(const ColumnChoice choice,
                     ColumnChoice::Parse(info.schema, info.name, request.columns));
        QUERN_ASSIGN(const auto matching, ViewOfMatches(database, snapshot.get(), view,
                                                        request.filter, &table->tally.reads));
        table->tally.matches = MatchCount(*matching);
        choice.Describe(info.schema, table);
        table->key_type = info.schema.key_type;
        table->offsets = {0, 0};
        Lister lister(database, *matching, order, after, request.limit, choice, table);
        return snapshot->With(
            [&](storage::Connection* connection) { return lister.Run(connection); },
            &table->tally.reads);
    };
    return InCollection(info, list());
}

}  // namespace quern
