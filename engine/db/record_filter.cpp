#include "engine/db/record_filter.h"

#include <algorithm>
#include <bit>

#include "engine/db/database.h"
#include "engine/db/key_filter.h"
#include "engine/db/sql_views.h"
#include "engine/filter/filter_match.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// How long SQLite may take for a filter unless the query says otherwise: one can be written that
// never ends. A row takes a microsecond or two.
constexpr uint32_t kMsMax = 10000;
constexpr int64_t kRecordsPerMs = 100;
constexpr int64_t kMsMaxOfRecords = 1000000000;

// A filter that has been read, and what it is about.
struct ReadFilter {
    Database* database;
    const storage::Catalog* catalog;
    const storage::CollectionInfo* info;
    const RecordFilter* filter;
    uint32_t ms_max;
    filter::Tokens tokens;
    filter::Node tree;
    std::vector<filter::TokenRange> groups;

    filter::Subject subject() const { return {info->name, &info->schema}; }
    size_t token_count() const { return tokens.list.size() - 1; }

    static Result<ReadFilter> Read(Database* database, const storage::Catalog& catalog,
                                   const storage::CollectionInfo& info, const RecordFilter& filter,
                                   int64_t records) {
        const uint32_t ms_max =
            filter.ms_max.value_or(kMsMax + static_cast<uint32_t>(std::min<int64_t>(
                                                records / kRecordsPerMs, kMsMaxOfRecords)));
        ReadFilter read{database, &catalog, &info, &filter, ms_max, {}, {}, {}};
        QUERN_ASSIGN(read.tokens, filter::ReadTokens(filter.text));
        QUERN_TRY(filter::CheckArguments(read.tokens, filter.arguments));
        read.tree = filter::ReadTree(read.tokens, read.subject(), filter.arguments, &read.groups);
        return read;
    }
};

// The sealed records that SQLite is asked about. NULL: all.
struct WantedRows {
    const std::vector<int64_t>* rids = nullptr;
    bool look_up = false;
};

// A filter, or one condition of it, run by SQLite.
class SqlFilter {
public:
    static Result<SqlFilter> Prepare(const ReadFilter& filter, size_t first_token, size_t end_token,
                                     bool negated) {
        SqlFilter ready(filter, negated);
        QUERN_ASSIGN(ready.sql_,
                     filter::WriteSql(filter.filter->text, filter.tokens, first_token, end_token,
                                      filter.subject(), filter.filter->arguments, filter.groups));
        if (ready.sql_.asks_views) {
            ready.views_ = SqlViewsFor(*filter.catalog, filter.filter->text);
        }
        return ready;
    }
    static Result<SqlFilter> Prepare(const ReadFilter& filter) {
        return Prepare(filter, 0, filter.token_count(), false);
    }

    using Take = std::function<Status(const std::vector<Cell>& row)>;
    // Sealed records.
    Status RunTable(storage::Connection* connection, const std::string& columns, const Take& take) {
        return Run(connection, info_->name, "", columns, {}, take);
    }
    // Of these alone, which ascend.
    Status RunRows(storage::Connection* connection, const std::string& columns,
                   const WantedRows& rows, const Take& take) {
        return Run(connection, info_->name, "", columns, rows, take);
    }
    // Records in the log. dead: also those that later entries have killed.
    Status RunLog(storage::Connection* connection, const std::string& columns, bool dead,
                  const Take& take) {
        const std::string log = storage::LogTableName(info_->id);
        const std::string alive = " AND \"_rid\" NOT IN (SELECT \"_dead\" FROM main." + log +
                                  " WHERE \"_dead\" IS NOT NULL)";
        return Run(connection, log, "\"_kind\"=1" + (dead ? "" : alive), columns, {}, take);
    }

private:
    SqlFilter(const ReadFilter& filter, bool negated)
        : database_(filter.database),
          info_(filter.info),
          ms_max_(filter.ms_max),
          negated_(negated) {}

    Status Run(storage::Connection* connection, const std::string& table, const std::string& only,
               const std::string& columns, const WantedRows& rows, const Take& take) {
        storage::SqlCondition condition;
        condition.rows = rows.rids;
        condition.look_up = rows.look_up;
        condition.table = table;
        condition.name = info_->name;
        condition.columns = columns;
        condition.only = only;
        condition.text = sql_.text;
        condition.negated = negated_;
        condition.origin = [this](size_t byte) { return sql_.Origin(byte); };
        for (const filter::Value& value : sql_.parameters) {
            condition.parameters.push_back(value.cell());
        }
        Work work = database_->NewWork();
        if (ms_max_ > 0) {
            work.StopAt(std::chrono::steady_clock::now() + std::chrono::milliseconds(ms_max_));
        }
        const Status status = storage::RunCondition(connection, views_, condition, &work, take);
        if (status.code() == Code::kInterrupted && work.PastStop()) {
            return Status::Error(Code::kLimit, "filter: it takes longer than filter_ms=%u",
                                 static_cast<unsigned>(ms_max_));
        }
        return status;
    }

    Database* database_;
    const storage::CollectionInfo* info_;
    uint32_t ms_max_;
    bool negated_;
    filter::SqlText sql_;
    std::vector<storage::SqlView> views_;
};

// The position of the put with a row id; nothing when the view is older.
std::optional<size_t> PositionOf(const LogView& log, int64_t rid) {
    size_t low = 0;
    size_t high = log.count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (log.item(middle).rid < rid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < log.count && log.item(low).rid == rid ? std::optional<size_t>(low) : std::nullopt;
}

// Row ids of sealed records that match, ascending.
Result<std::vector<int64_t>> SealedMatches(storage::Connection* connection, SqlFilter* filter,
                                           const WantedRows& rows) {
    std::vector<int64_t> rids;
    QUERN_TRY(
        filter->RunRows(connection, "\"_rid\"", rows, [&](const std::vector<Cell>& row) -> Status {
            rids.push_back(row[0].number);
            return {};
        }));
    // By way of another index they come in its order.
    if (!std::is_sorted(rids.begin(), rids.end())) {
        std::sort(rids.begin(), rids.end());
    }
    return rids;
}

void AddColumnsOf(const filter::Node& node, std::vector<int>* columns) {
    const bool known = std::find(columns->begin(), columns->end(), node.column) != columns->end();
    if (node.kind != filter::NodeKind::kSql && node.column != filter::kNoColumn && !known) {
        columns->push_back(node.column);
    }
    for (const filter::Node& child : node.children) {
        AddColumnsOf(child, columns);
    }
}

// Finds the records of one view that match a filter.
class MatchFinder {
public:
    MatchFinder(storage::Connection* connection, const CollectionView& view,
                const ReadFilter& filter, RecordMatches* matches)
        : connection_(connection), view_(view), filter_(filter), matches_(matches) {}

    Status Run() {
        std::vector<int> columns;
        AddColumnsOf(filter_.tree, &columns);
        if (!columns.empty() && !view_.segments.empty()) {
            Work work = filter_.database->NewWork();
            QUERN_ASSIGN(columns_, LoadColumns(connection_, view_, columns,
                                               *filter_.database->budget(), &work));
        }
        // Without its columns in memory all of it is SQLite's.
        if (columns_.empty()) {
            matches_->by_sqlite = true;
            whole_.end_token = filter_.token_count();
        }
        QUERN_TRY(FindInSegments());
        return FindInLog();
    }

private:
    // The records of all segments stand in one row of bits, each segment from a word on, so that
    // SQLite is asked once for all of them.
    Status FindInSegments() {
        const size_t segments = view_.segments.size();
        filter::MatchSource source;
        for (size_t s = 0; s < segments; s++) {
            Segment& segment = *view_.segments[s];
            QUERN_TRY(segment.RowIds(connection_).status());
            QUERN_ASSIGN(const DeadRecords dead, view_.DeadOf(connection_, s));
            const size_t count = segment.item_count();
            const size_t words = (count + 63) / 64;
            words_.push_back(source.open.size());
            for (size_t word = 0; word < words; word++) {
                source.open.push_back(dead.bits ? ~(*dead.bits)[word] : ~uint64_t{0});
            }
            if (count % 64 != 0) {
                source.open.back() &= (uint64_t{1} << (count % 64)) - 1;
            }
        }
        alive_ = CountOf(source.open);
        source.mark = [&](const filter::Node& condition, bool wanted, filter::Bits* bits) {
            Mark(condition, wanted, bits);
            return Status();
        };
        source.ask_sql = [&](const filter::Node& condition, bool wanted, const filter::Bits& within,
                             filter::Bits* bits) { return Ask(condition, wanted, within, bits); };
        const filter::Node& tree = columns_.empty() ? whole_ : filter_.tree;
        QUERN_ASSIGN(const filter::Bits bits, filter::MatchingRecords(tree, source));
        for (size_t s = 0; s < segments; s++) {
            filter::Bits of_segment = PartOf(bits, s);
            const size_t count = CountOf(of_segment);
            matches_->Add(view_.segments[s]->item_count(), std::move(of_segment), count);
        }
        return {};
    }

    static size_t CountOf(const filter::Bits& bits) {
        size_t count = 0;
        for (const uint64_t word : bits) {
            count += static_cast<size_t>(std::popcount(word));
        }
        return count;
    }
    // A segment's own.
    filter::Bits PartOf(const filter::Bits& bits, size_t segment) const {
        const auto begin = bits.begin() + static_cast<ptrdiff_t>(words_[segment]);
        const size_t words = (view_.segments[segment]->item_count() + 63) / 64;
        return filter::Bits(begin, begin + static_cast<ptrdiff_t>(words));
    }

    void Mark(const filter::Node& condition, bool wanted, filter::Bits* bits) const {
        for (size_t s = 0; s < view_.segments.size(); s++) {
            const filter::AttrColumn& column = *columns_[s].at(condition.column);
            filter::Bits of_segment((view_.segments[s]->item_count() + 63) / 64, 0);
            column.Mark(filter::MatchingCodes(condition, column, wanted), &of_segment);
            for (size_t word = 0; word < of_segment.size(); word++) {
                (*bits)[words_[s] + word] |= of_segment[word];
            }
        }
    }

    // Looking a row up costs as much as this many rows of a pass over the table.
    static constexpr size_t kRowLookUpCost = 16;

    Status Ask(const filter::Node& condition, bool wanted, const filter::Bits& within,
               filter::Bits* bits) {
        QUERN_ASSIGN(SqlFilter sql, SqlFilter::Prepare(filter_, condition.first_token,
                                                       condition.end_token, !wanted));
        std::vector<int64_t> asked;
        WantedRows rows;
        const size_t count = CountOf(within);
        if (count < alive_) {
            asked = RowsOf(within, count);
            rows = {&asked, count <= alive_ / kRowLookUpCost};
        }
        QUERN_ASSIGN(const std::vector<int64_t> rids, SealedMatches(connection_, &sql, rows));
        for (size_t s = 0; s < view_.segments.size(); s++) {
            size_t found_count = 0;
            const auto found = view_.segments[s]->BitsOf(rids, &found_count);
            for (size_t word = 0; found != nullptr && word < found->size(); word++) {
                (*bits)[words_[s] + word] |= (*found)[word];
            }
        }
        return {};
    }

    // Ascending.
    std::vector<int64_t> RowsOf(const filter::Bits& bits, size_t count) const {
        std::vector<int64_t> rows;
        rows.reserve(count);
        for (size_t s = 0; s < view_.segments.size(); s++) {
            const Segment& segment = *view_.segments[s];
            for (size_t i = 0; i < segment.item_count(); i++) {
                const auto [rid, record] = segment.RowIdInOrder(i);
                if ((bits[words_[s] + record / 64] >> (record % 64) & 1) != 0) {
                    rows.push_back(rid);
                }
            }
        }
        if (!std::is_sorted(rows.begin(), rows.end())) {
            std::sort(rows.begin(), rows.end());
        }
        return rows;
    }

    Status FindInLog() {
        const LogView& log = *view_.log;
        auto wanted = std::make_shared<std::vector<uint64_t>>((log.count + 63) / 64, 0);
        if (log.count > 0 || view_.segments.empty()) {
            QUERN_ASSIGN(SqlFilter sql, SqlFilter::Prepare(filter_));
            QUERN_TRY(sql.RunLog(connection_, "\"_rid\"", true,
                                 [&](const std::vector<Cell>& row) -> Status {
                                     const auto at = PositionOf(log, row[0].number);
                                     if (at && log.visible(*at)) {
                                         (*wanted)[*at / 64] |= uint64_t{1} << (*at % 64);
                                         matches_->count++;
                                     }
                                     return {};
                                 }));
        }
        matches_->log = std::move(wanted);
        return {};
    }

    storage::Connection* connection_;
    const CollectionView& view_;
    const ReadFilter& filter_;
    RecordMatches* matches_;
    filter::Node whole_;  // as one condition for SQLite
    std::vector<SegmentColumns> columns_;
    std::vector<size_t> words_;  // where each segment's bits begin
    size_t alive_ = 0;           // sealed records
};

// Looking a key up costs as much as this many rows of a pass over the table.
constexpr uint64_t kRecordLookUpCost = 16;

// The smallest set of keys that a filter without a text leaves; NULL when a pass over the table
// costs less than looking its keys up.
const filter::KeySet* FewKeys(const RecordFilter& filter, uint64_t records) {
    const filter::KeySet* few = nullptr;
    for (const KeyChoice& choice : filter.keys) {
        const bool fewer = few == nullptr || choice.set->count() < few->count();
        few = !choice.except && fewer ? choice.set.get() : few;
    }
    const bool pays = few != nullptr && few->count() <= records / kRecordLookUpCost;
    return filter.text.empty() && pays ? few : nullptr;
}

// Those keys of a set that sealed records have, and that are wanted.
Status LookUpKeys(Database* database, storage::Connection* connection,
                  const storage::CollectionInfo& info, const filter::KeySet& set,
                  const std::function<bool(const Key&)>& wanted, std::vector<Key>* keys) {
    storage::RecordTable table(connection, info);
    Work work = database->NewWork();
    uint64_t looked = 0;
    return set.EachKey([&](const Key& key) -> Status {
        QUERN_TRY(work.Check("filter", looked++, set.count()));
        if (!wanted(key)) {
            return {};
        }
        QUERN_ASSIGN(const std::optional<storage::RecordRef> found, table.Find(key));
        if (found) {
            keys->push_back(key);
        }
        return {};
    });
}

// Longer ones are not worth to be kept.
constexpr size_t kNameBytesMax = 4096;

}  // namespace

std::string NameOf(const RecordFilter& filter) {
    std::string name = filter.text + '\0';
    const auto number = [&](uint64_t value) {
        name.append(reinterpret_cast<const char*>(&value), sizeof(value));
    };
    for (const filter::Argument& argument : filter.arguments) {
        number(argument.is_list ? argument.values.size() : ~uint64_t{0});
        for (const filter::Value& value : argument.values) {
            number(static_cast<uint64_t>(value.kind));
            number(static_cast<uint64_t>(value.number));
            number(std::bit_cast<uint64_t>(value.real));
            number(value.text.size());
            name += value.text;
        }
    }
    for (const KeyChoice& choice : filter.keys) {
        number(choice.set->id());
        number(choice.except ? 1 : 0);
    }
    return name;
}

void RecordMatches::Add(size_t item_count, std::vector<uint64_t> bits, size_t matching) {
    count += matching;
    if (matching == item_count) {
        segments.emplace_back();  // searched as without a filter
        return;
    }
    for (uint64_t& word : bits) {
        word = ~word;
    }
    if (item_count % 64 != 0) {
        bits.back() &= (uint64_t{1} << (item_count % 64)) - 1;
    }
    segments.push_back(
        {std::make_shared<const std::vector<uint64_t>>(std::move(bits)), item_count - matching});
}

Result<std::shared_ptr<const CollectionView>> ViewOfMatches(
    Database* database, Snapshot* snapshot, const std::shared_ptr<const CollectionView>& view,
    const RecordFilter& filter, FileReads* reads) {
    if (filter.empty()) {
        return view;
    }
    const std::string name = NameOf(filter);
    if (std::shared_ptr<const CollectionView> known = view->KnownMatches(name)) {
        return known;
    }
    std::optional<ReadFilter> read;
    if (!filter.text.empty()) {
        QUERN_ASSIGN(read, ReadFilter::Read(database, snapshot->catalog(), *view->info, filter,
                                            view->state.records));
    }
    std::shared_ptr<const CollectionView> matching = view;
    QUERN_TRY(snapshot->With(
        [&](storage::Connection* connection) -> Status {
            if (read) {
                auto matches = std::make_shared<RecordMatches>();
                QUERN_TRY(MatchFinder(connection, *view, *read, matches.get()).Run());
                matching = MatchingView(*view, std::move(matches));
            }
            for (const KeyChoice& choice : filter.keys) {
                QUERN_ASSIGN(auto matches, MatchKeys(database, connection, *matching, choice));
                matching = MatchingView(*matching, std::move(matches));
            }
            return {};
        },
        reads));
    // What SQLite decides may depend on the time, on chance, or on other collections.
    const bool lasts = !read || !filter::NeedsSql(read->tree);
    if (lasts && name.size() <= kNameBytesMax) {
        view->RememberMatches(name, matching);
    }
    return matching;
}

uint64_t MatchCount(const CollectionView& matching) {
    return matching.record_count();
}

Status CountMatches(Database* database, Snapshot* snapshot, const std::string& collection,
                    const RecordFilter& filter, uint64_t* count) {
    if (filter.empty()) {
        return Count(snapshot, collection, count);
    }
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view, snapshot->View(collection));
    FileReads reads;
    const auto matching = ViewOfMatches(database, snapshot, view, filter, &reads);
    if (!matching.ok()) {
        return InCollection(*view->info, matching.status());
    }
    *count = MatchCount(**matching);
    return {};
}

Status KeysOfMatches(Database* database, storage::Connection* connection,
                     const storage::Catalog& catalog, const storage::CollectionInfo& info,
                     const RecordFilter& filter, std::vector<Key>* keys) {
    RecordFilter with_text = filter;
    if (filter.text.empty()) {
        with_text.text.assign(1, '1');
    }
    for (const KeyChoice& choice : filter.keys) {
        QUERN_TRY(CheckKeyType(info, choice));
    }
    QUERN_ASSIGN(const storage::CollectionState state, storage::ReadState(connection, info.id));
    QUERN_ASSIGN(const ReadFilter read,
                 ReadFilter::Read(database, catalog, info, with_text, state.records));
    QUERN_ASSIGN(SqlFilter sql, SqlFilter::Prepare(read));
    const auto wanted = [&](const Key& key) {
        return std::all_of(filter.keys.begin(), filter.keys.end(), [&](const KeyChoice& choice) {
            return choice.set->Has(key) != choice.except;
        });
    };
    const auto take = [&](const std::vector<Cell>& row) -> Status {
        Key key = info.schema.key_type == KeyType::kInt ? Key::Int(row[0].number)
                                                        : Key::Text(row[0].text);
        if (wanted(key)) {
            keys->push_back(std::move(key));
        }
        return {};
    };
    const std::string key = storage::QuoteName(info.schema.key_name);
    const filter::KeySet* const few = FewKeys(filter, static_cast<uint64_t>(state.records));
    QUERN_TRY(few != nullptr ? LookUpKeys(database, connection, info, *few, wanted, keys)
                             : sql.RunTable(connection, key, take));
    return sql.RunLog(connection, key, false, take);
}

}  // namespace quern
