#include "engine/db/record_filter.h"

#include <algorithm>
#include <bit>

#include "engine/db/database.h"
#include "engine/db/sql_views.h"
#include "engine/filter/filter_sql.h"
#include "storage/record_log.h"

namespace quern {

namespace {

// A filter ready to be run by SQLite.
class SqlFilter {
public:
    static Result<SqlFilter> Prepare(Database* database, const storage::Catalog& catalog,
                                     const storage::CollectionInfo& info,
                                     const RecordFilter& filter) {
        SqlFilter ready(database, info, filter.ms_max);
        QUERN_ASSIGN(const filter::Tokens tokens, filter::ReadTokens(filter.text));
        QUERN_ASSIGN(ready.sql_, filter::WriteSql(filter.text, tokens, {info.name, &info.schema},
                                                  filter.arguments));
        if (ready.sql_.asks_views) {
            ready.views_ = SqlViewsFor(catalog, filter.text);
        }
        return ready;
    }

    using Take = std::function<Status(const std::vector<Cell>& row)>;
    // Sealed records.
    Status RunTable(storage::Connection* connection, const std::string& columns, const Take& take) {
        return Run(connection, info_->name, "", columns, take);
    }
    // Records in the log. dead: also those that later entries have killed.
    Status RunLog(storage::Connection* connection, const std::string& columns, bool dead,
                  const Take& take) {
        const std::string log = storage::LogTableName(info_->id);
        const std::string alive = " AND \"_rid\" NOT IN (SELECT \"_dead\" FROM main." + log +
                                  " WHERE \"_dead\" IS NOT NULL)";
        return Run(connection, log, "\"_kind\"=1" + (dead ? "" : alive), columns, take);
    }

private:
    SqlFilter(Database* database, const storage::CollectionInfo& info, uint32_t ms_max)
        : database_(database), info_(&info), ms_max_(ms_max) {}

    Status Run(storage::Connection* connection, const std::string& table, const std::string& only,
               const std::string& columns, const Take& take) {
        storage::SqlCondition condition;
        condition.table = table;
        condition.name = info_->name;
        condition.columns = columns;
        condition.only = only;
        condition.text = sql_.text;
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
Result<std::vector<int64_t>> SealedMatches(storage::Connection* connection, SqlFilter* filter) {
    std::vector<int64_t> rids;
    QUERN_TRY(filter->RunTable(connection, "\"_rid\"", [&](const std::vector<Cell>& row) -> Status {
        rids.push_back(row[0].number);
        return {};
    }));
    // By way of another index they come in its order.
    if (!std::is_sorted(rids.begin(), rids.end())) {
        std::sort(rids.begin(), rids.end());
    }
    return rids;
}

Status FindMatches(storage::Connection* connection, const CollectionView& view, SqlFilter* filter,
                   RecordMatches* matches) {
    QUERN_ASSIGN(const std::vector<int64_t> rids, SealedMatches(connection, filter));
    for (const auto& segment : view.segments) {
        QUERN_ASSIGN(const int64_t* const ids, segment->RowIds(connection));
        static_cast<void>(ids);
        size_t count = 0;
        const auto bits = segment->BitsOf(rids, &count);
        matches->Add(segment->item_count(), bits, count);
    }
    const LogView& log = *view.log;
    auto wanted = std::make_shared<std::vector<uint64_t>>((log.count + 63) / 64, 0);
    if (log.count > 0) {
        QUERN_TRY(filter->RunLog(connection, "\"_rid\"", true,
                                 [&](const std::vector<Cell>& row) -> Status {
                                     const auto at = PositionOf(log, row[0].number);
                                     if (at && log.visible(*at)) {
                                         (*wanted)[*at / 64] |= uint64_t{1} << (*at % 64);
                                         matches->count++;
                                     }
                                     return {};
                                 }));
    }
    matches->log = std::move(wanted);
    return {};
}

}  // namespace

void RecordMatches::Add(size_t item_count, std::shared_ptr<const std::vector<uint64_t>> bits,
                        size_t matching) {
    auto excluded = std::make_shared<std::vector<uint64_t>>((item_count + 63) / 64, ~uint64_t{0});
    for (size_t word = 0; bits != nullptr && word < excluded->size(); word++) {
        (*excluded)[word] = ~(*bits)[word];
    }
    if (item_count % 64 != 0) {
        excluded->back() &= (uint64_t{1} << (item_count % 64)) - 1;
    }
    segments.push_back({std::move(excluded), item_count - matching});
    count += matching;
}

Result<std::shared_ptr<const CollectionView>> ViewOfMatches(
    Database* database, Snapshot* snapshot, const std::shared_ptr<const CollectionView>& view,
    const RecordFilter& filter, uint64_t* bytes_read) {
    if (filter.text.empty()) {
        return view;
    }
    auto matches = std::make_shared<RecordMatches>();
    QUERN_ASSIGN(SqlFilter sql,
                 SqlFilter::Prepare(database, snapshot->catalog(), *view->info, filter));
    QUERN_TRY(snapshot->With(
        [&](storage::Connection* connection) {
            return FindMatches(connection, *view, &sql, matches.get());
        },
        bytes_read));
    return MatchingView(*view, std::move(matches));
}

Status CountMatches(Database* database, Snapshot* snapshot, const std::string& collection,
                    const RecordFilter& filter, uint64_t* count) {
    if (filter.text.empty()) {
        return Count(snapshot, collection, count);
    }
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view, snapshot->View(collection));
    uint64_t bytes_read = 0;
    const auto matching = ViewOfMatches(database, snapshot, view, filter, &bytes_read);
    if (!matching.ok()) {
        return InCollection(*view->info, matching.status());
    }
    *count = (*matching)->matches->count;
    return {};
}

Status KeysOfMatches(Database* database, storage::Connection* connection,
                     const storage::Catalog& catalog, const storage::CollectionInfo& info,
                     const RecordFilter& filter, std::vector<Key>* keys) {
    QUERN_ASSIGN(SqlFilter sql, SqlFilter::Prepare(database, catalog, info, filter));
    const auto take = [&](const std::vector<Cell>& row) -> Status {
        keys->push_back(info.schema.key_type == KeyType::kInt ? Key::Int(row[0].number)
                                                              : Key::Text(row[0].text));
        return {};
    };
    const std::string key = storage::QuoteName(info.schema.key_name);
    QUERN_TRY(sql.RunTable(connection, key, take));
    return sql.RunLog(connection, key, false, take);
}

Status Transaction::DeleteMatches(const std::string& collection, const RecordFilter& filter,
                                  size_t* affected) {
    *affected = 0;
    std::vector<Key> keys;
    Status status;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (writer_ == nullptr) {
            return Status::Error(Code::kTxn, "the transaction is over: %s",
                                 over_.empty() ? "it has ended" : over_.c_str());
        }
        const std::shared_ptr<const storage::CollectionInfo> info = catalog_->Find(collection);
        status = info == nullptr
                     ? Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str())
                     : InCollection(*info, KeysOfMatches(database_.get(), writer_->connection(),
                                                         *catalog_, *info, filter, &keys));
    }
    if (!status.ok()) {
        Rollback();
        over_ = "an error rolled it back (" + status.message() + ")";
        return status;
    }
    if (keys.empty()) {
        return {};
    }
    RecordBatch batch;
    batch.collection = collection;
    batch.count = keys.size();
    std::vector<int64_t> numbers;
    std::vector<const char*> texts;
    for (const Key& key : keys) {
        numbers.push_back(key.number);
        texts.push_back(key.text.c_str());
    }
    (keys[0].type == KeyType::kInt) ? static_cast<void>(batch.int_keys = numbers.data())
                                    : static_cast<void>(batch.text_keys = texts.data());
    return Write(WriteKind::kDelete, batch, affected);
}

}  // namespace quern
