#include "engine/db/search_result.h"

#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

Status CheckSearchLimits(Database* database, const CollectionView& view,
                         const SearchRequest& request, size_t query_count, size_t candidate_bytes) {
    const uint64_t records = static_cast<uint64_t>(view.state.records);
    const uint64_t k = request.limit == 0 ? records : std::min<uint64_t>(request.limit, records);
    const uint64_t sources = view.segments.size() + 1;
    const uint64_t rows = k * query_count;
    DatabaseLimits& limits = database->limits();
    if (request.limit != 0 && rows > static_cast<uint64_t>(limits.result_rows.load())) {
        return Status::Error(
            Code::kLimit, "%zu queries with %llu results each are more than %lld rows", query_count,
            static_cast<unsigned long long>(k), static_cast<long long>(limits.result_rows.load()));
    }
    const uint64_t bytes =
        request.limit == 0 ? 0 : rows * candidate_bytes * std::min<uint64_t>(sources, 2) * 2;
    if (bytes > static_cast<uint64_t>(limits.search_bytes.load())) {
        return Status::Error(Code::kLimit,
                             "the search would need %llu bytes for candidates, the limit is %lld",
                             static_cast<unsigned long long>(bytes),
                             static_cast<long long>(limits.search_bytes.load()));
    }
    return {};
}

// For what memory does not hold of the winners.
struct SearchResult::FileAccess {
    FileAccess(storage::Connection* c, const storage::CollectionInfo& info)
        : connection(c), records(c, info), log(c, info) {}
    storage::Connection* connection;
    storage::RecordTable records;
    storage::RecordLog log;
    ChunkCache chunks;
};

namespace {

// Nearest first; of equals by key.
void SortWinners(std::vector<Winner>* winners) {
    std::sort(winners->begin(), winners->end(), [](const Winner& a, const Winner& b) {
        return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
    });
}

}  // namespace

// Shapes need the final order, so all winners get their keys.
Status SearchResult::Shape(Snapshot* snapshot, std::vector<std::vector<Winner>>* winners) {
    bool known = true;
    for (std::vector<Winner>& of_query : *winners) {
        known = TakeKnownKeys(&of_query) && known;
    }
    if (!known) {
        QUERN_TRY(snapshot->With(
            [&](storage::Connection* connection) -> Status {
                FileAccess file(connection, *view_.info);
                for (std::vector<Winner>& of_query : *winners) {
                    QUERN_TRY(LookUp(&of_query, &file));
                }
                return {};
            },
            &table_->tally.bytes_read));
    }
    for (std::vector<Winner>& of_query : *winners) {
        SortWinners(&of_query);
    }
    return (*shape_)(winners);
}

Status SearchResult::Fill(Snapshot* snapshot, std::vector<std::vector<Winner>>* winners) {
    if (shape_ != nullptr) {
        QUERN_TRY(Shape(snapshot, winners));
    }
    bool complete = choice_.items.empty();
    for (std::vector<Winner>& of_query : *winners) {
        complete = TakeKnownKeys(&of_query) && complete;
    }
    if (complete) {
        for (std::vector<Winner>& of_query : *winners) {
            QUERN_TRY(FillQuery(&of_query, nullptr));
        }
        return {};
    }
    return snapshot->With(
        [&](storage::Connection* connection) -> Status {
            FileAccess file(connection, *view_.info);
            for (size_t q = 0; q < winners->size(); q++) {
                QUERN_TRY(LookUp(&(*winners)[q], &file));
                QUERN_TRY(FillQuery(&(*winners)[q], &file));
                QUERN_TRY(work_->Check("collect", q, winners->size()));
            }
            return {};
        },
        &table_->tally.bytes_read);
}

// Whether all have their keys now.
bool SearchResult::TakeKnownKeys(std::vector<Winner>* winners) const {
    const size_t log_source = view_.segments.size();
    const bool int_key = view_.info->schema.key_type == KeyType::kInt;
    bool all = true;
    for (Winner& winner : *winners) {
        const uint32_t position = winner.place.position;
        if (winner.place.source == log_source) {
            winner.rid = view_.log->item(position).rid;
            winner.key = view_.log->item(position).key;
            winner.has_key = true;
        } else if (int_key) {
            if (const std::optional<int64_t> known =
                    view_.segments[winner.place.source]->KnownKey(position)) {
                winner.key = Key::Int(*known);
                winner.has_key = true;
            }
        }
        all = all && winner.has_key;
    }
    return all;
}

// Row ids of all winners, and the keys that are not there yet.
Status SearchResult::LookUp(std::vector<Winner>* winners, FileAccess* file) const {
    for (Winner& winner : *winners) {
        if (winner.place.source == view_.segments.size()) {
            continue;
        }
        const uint32_t position = winner.place.position;
        Segment& segment = *view_.segments[winner.place.source];
        QUERN_ASSIGN(const int64_t* const ids, segment.RowIds(file->connection));
        winner.rid = ids[position];
        if (winner.has_key) {
            continue;
        }
        QUERN_ASSIGN(const std::optional<Key> key, file->records.KeyOf(winner.rid));
        if (!key) {
            return Status::Error(
                Code::kCorrupt, "collection '%s', segment %lld: record number %u has no row",
                view_.info->name.c_str(), static_cast<long long>(segment.info().id),
                static_cast<unsigned>(position));
        }
        winner.key = *key;
        winner.has_key = true;
        if (key->type == KeyType::kInt) {
            segment.RememberKey(position, key->number);
        }
    }
    return {};
}

// file: NULL when no values are asked for.
Status SearchResult::FillQuery(std::vector<Winner>* found, FileAccess* file) {
    std::vector<Winner>& winners = *found;
    if (shape_ == nullptr) {
        SortWinners(&winners);
        if (request_.limit != 0) {
            winners.resize(std::min(request_.limit, winners.size()));
        }
    }
    for (const Winner& winner : winners) {
        table_->AddKey(winner.key);
        table_->distances.push_back(static_cast<float>(winner.distance));
        table_->scores.push_back(score_(winner.distance));
        if (places_ != nullptr) {
            places_->push_back(winner.place);
        }
        if (!choice_.items.empty()) {
            QUERN_TRY(FillValues(winner, file));
        }
    }
    table_->offsets.push_back(table_->offsets.back() + winners.size());
    if (static_cast<int64_t>(table_->offsets.back()) > database_->limits().result_rows.load()) {
        return Status::Error(Code::kLimit, "the result has more than %lld rows",
                             static_cast<long long>(database_->limits().result_rows.load()));
    }
    return {};
}

Status SearchResult::FillValues(const Winner& winner, FileAccess* file) {
    const bool in_log = winner.place.source == view_.segments.size();
    auto value = [&](size_t field) -> Result<BytesView> {
        return in_log ? Result<BytesView>(view_.log->value(winner.place.position, field))
                      : view_.segments[winner.place.source]->Value(
                            file->connection, view_.info->schema, field, winner.place.position,
                            &file->chunks);
    };
    bool there = true;
    if (choice_.attrs.empty()) {
        return FillRow(view_, choice_, {}, value, table_);
    }
    if (in_log) {
        QUERN_ASSIGN(there, file->log.ReadCells(
                                winner.rid, choice_.attrs, [&](const std::vector<Cell>& cells) {
                                    return FillRow(view_, choice_, cells, value, table_);
                                }));
    } else {
        QUERN_ASSIGN(there, file->records.ReadByRid(
                                winner.rid, choice_.attrs,
                                [&](const storage::RecordRow& row) -> Result<bool> {
                                    QUERN_TRY(FillRow(view_, choice_, row.cells, value, table_));
                                    return true;
                                }));
    }
    return there ? Status()
                 : Status::Error(Code::kCorrupt, "record %s has no row",
                                 winner.key.ToString().c_str());
}

Status ReadStoredQueries(
    Snapshot* snapshot, const CollectionView& view, const SearchRequest& request, size_t field,
    const std::function<Status(size_t query, BytesView value, const RecordPlace& place)>& take) {
    ChunkCache chunks;
    return snapshot->With([&](storage::Connection* connection) -> Status {
        storage::RecordTable records(connection, *view.info);
        for (size_t q = 0; q < request.keys.size(); q++) {
            const Key& key = request.keys[q];
            if (key.type != view.info->schema.key_type) {
                return Status::Error(Code::kType, "the collection has %s keys",
                                     key.type == KeyType::kInt ? "text" : "int");
            }
            BytesView value;
            RecordPlace where;
            if (const std::optional<size_t> position = view.mirror->Find(key, view.log->last)) {
                value = view.log->value(*position, field);
                where = {static_cast<uint32_t>(view.segments.size()),
                         static_cast<uint32_t>(*position)};
            } else {
                QUERN_ASSIGN(const std::optional<storage::RecordRef> found, records.Find(key));
                if (!found) {
                    return Status::Error(Code::kNotFound,
                                         "collection '%s' has no record with key %s",
                                         view.info->name.c_str(), key.ToString().c_str());
                }
                QUERN_ASSIGN(const auto place, view.Locate(connection, found->rid));
                if (!place) {
                    return Status::Error(Code::kCorrupt,
                                         "collection '%s': record %s is in no segment",
                                         view.info->name.c_str(), key.ToString().c_str());
                }
                QUERN_ASSIGN(value,
                             view.segments[place->segment]->Value(connection, view.info->schema,
                                                                  field, place->record, &chunks));
                where = {static_cast<uint32_t>(place->segment), place->record};
            }
            if (value.data() == nullptr) {
                return Status::Error(Code::kNotFound, "record %s has no value in field '%s'",
                                     key.ToString().c_str(),
                                     view.info->schema.field_name(field).c_str());
            }
            QUERN_TRY(take(q, value, where));
        }
        return {};
    });
}

}  // namespace quern
