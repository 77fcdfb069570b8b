#include "engine/db/search_result.h"

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
                ResultRows rows(connection, view_, choice_, table_);
                for (std::vector<Winner>& of_query : *winners) {
                    QUERN_TRY(LookUp(&of_query, &rows));
                }
                return {};
            },
            &table_->tally.reads));
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
            ResultRows rows(connection, view_, choice_, table_);
            for (size_t q = 0; q < winners->size(); q++) {
                QUERN_TRY(LookUp(&(*winners)[q], &rows));
                QUERN_TRY(FillQuery(&(*winners)[q], &rows));
                QUERN_TRY(work_->Check("collect", q, winners->size()));
            }
            return {};
        },
        &table_->tally.reads);
}

// Whether all have their keys now.
bool SearchResult::TakeKnownKeys(std::vector<Winner>* winners) const {
    const size_t log_source = view_.segments.size();
    const bool int_key = view_.info->schema.key_type == KeyType::kInt;
    bool all = true;
    for (Winner& winner : *winners) {
        const uint32_t position = winner.place.position;
        if (winner.place.source == log_source) {
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

// The keys that are not there yet.
Status SearchResult::LookUp(std::vector<Winner>* winners, ResultRows* rows) const {
    for (Winner& winner : *winners) {
        if (!winner.has_key) {
            QUERN_ASSIGN(winner.key, rows->KeyOf(winner.place));
            winner.has_key = true;
        }
    }
    return {};
}

// rows: NULL when no values are asked for.
Status SearchResult::FillQuery(std::vector<Winner>* found, ResultRows* rows) {
    std::vector<Winner>& winners = *found;
    if (shape_ == nullptr) {
        SortWinners(&winners);
        if (request_.limit != 0) {
            winners.resize(std::min(request_.limit, winners.size()));
        }
        // Of several queries nobody asks for it.
        if (table_->offsets.size() == 1 && !winners.empty() && request_.limit != 0) {
            table_->last_hit = {winners.back().distance, winners.back().key, winners.size()};
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
            QUERN_TRY(rows->AddValues(winner.place));
        }
    }
    table_->offsets.push_back(table_->offsets.back() + winners.size());
    if (static_cast<int64_t>(table_->offsets.back()) > database_->limits().result_rows.load()) {
        return Status::Error(Code::kLimit, "the result has more than %lld rows",
                             static_cast<long long>(database_->limits().result_rows.load()));
    }
    return {};
}

Result<std::optional<RecordPlace>> FindPlace(storage::Connection* connection,
                                             const CollectionView& view,
                                             storage::RecordTable* records, const Key& key) {
    if (const std::optional<size_t> position = view.mirror->Find(key, view.log->last)) {
        return std::optional(RecordPlace{static_cast<uint32_t>(view.segments.size()),
                                         static_cast<uint32_t>(*position)});
    }
    QUERN_ASSIGN(const std::optional<storage::RecordRef> found, records->Find(key));
    if (!found) {
        return std::optional<RecordPlace>();
    }
    QUERN_ASSIGN(const auto place, view.Locate(connection, found->rid));
    if (!place) {
        return Status::Error(Code::kCorrupt, "collection '%s': record %s is in no segment",
                             view.info->name.c_str(), key.ToString().c_str());
    }
    return std::optional(RecordPlace{static_cast<uint32_t>(place->segment), place->record});
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
            QUERN_ASSIGN(const std::optional<RecordPlace> where,
                         FindPlace(connection, view, &records, key));
            if (!where) {
                return Status::Error(Code::kNotFound, "collection '%s' has no record with key %s",
                                     view.info->name.c_str(), key.ToString().c_str());
            }
            BytesView value;
            if (where->source == view.segments.size()) {
                value = view.log->value(where->position, field);
            } else {
                QUERN_ASSIGN(
                    value, view.segments[where->source]->Value(connection, view.info->schema, field,
                                                               where->position, &chunks));
            }
            if (value.data() == nullptr) {
                return Status::Error(Code::kNotFound, "record %s has no value in field '%s'",
                                     key.ToString().c_str(),
                                     view.info->schema.field_name(field).c_str());
            }
            QUERN_TRY(take(q, value, *where));
        }
        return {};
    });
}

}  // namespace quern
