#include "engine/db/result_rows.h"

namespace quern {

Result<int64_t> ResultRows::RowIdOf(const RecordPlace& place) const {
    if (in_log(place)) {
        return view_.log->item(place.position).rid;
    }
    QUERN_ASSIGN(const int64_t* const ids, view_.segments[place.source]->RowIds(connection_));
    return ids[place.position];
}

Result<Key> ResultRows::KeyOf(const RecordPlace& place) {
    if (in_log(place)) {
        return view_.log->item(place.position).key;
    }
    Segment& segment = *view_.segments[place.source];
    if (const std::optional<int64_t> known = view_.info->schema.key_type == KeyType::kInt
                                                 ? segment.KnownKey(place.position)
                                                 : std::nullopt) {
        return Key::Int(*known);
    }
    QUERN_ASSIGN(const int64_t rid, RowIdOf(place));
    QUERN_ASSIGN(const std::optional<Key> key, records_.KeyOf(rid));
    if (!key) {
        return Status::Error(Code::kCorrupt,
                             "collection '%s', segment %lld: record number %u has no row",
                             view_.info->name.c_str(), static_cast<long long>(segment.info().id),
                             static_cast<unsigned>(place.position));
    }
    if (key->type == KeyType::kInt) {
        segment.RememberKey(place.position, key->number);
    }
    return *key;
}

Status ResultRows::ReadCells(const RecordPlace& place, const std::vector<size_t>& attrs,
                             const std::function<Status(const std::vector<Cell>&)>& take) {
    QUERN_ASSIGN(const int64_t rid, RowIdOf(place));
    bool there = true;
    if (in_log(place)) {
        QUERN_ASSIGN(there, log_.ReadCells(rid, attrs, take));
    } else {
        QUERN_ASSIGN(there, records_.ReadByRid(rid, attrs,
                                               [&](const storage::RecordRow& row) -> Result<bool> {
                                                   QUERN_TRY(take(row.cells));
                                                   return true;
                                               }));
    }
    return there ? Status()
                 : Status::Error(Code::kCorrupt, "record with row id %lld has no row",
                                 static_cast<long long>(rid));
}

Status ResultRows::AddValues(const RecordPlace& place) {
    const auto value = [&](size_t field) -> Result<BytesView> {
        return in_log(place) ? Result<BytesView>(view_.log->value(place.position, field))
                             : view_.segments[place.source]->Value(connection_, view_.info->schema,
                                                                   field, place.position, &chunks_);
    };
    if (choice_.attrs.empty()) {
        return FillRow(view_, choice_, {}, value, table_);
    }
    return ReadCells(place, choice_.attrs, [&](const std::vector<Cell>& cells) {
        return FillRow(view_, choice_, cells, value, table_);
    });
}

}  // namespace quern
