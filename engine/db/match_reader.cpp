#include "engine/db/match_reader.h"

namespace quern {

Status MatchReader::Load(storage::Connection* connection, Work* work) {
    dead_.resize(view_.segments.size());
    for (size_t s = 0; s < view_.segments.size(); s++) {
        QUERN_ASSIGN(const int64_t* const ids, view_.segments[s]->RowIds(connection));
        static_cast<void>(ids);
        QUERN_ASSIGN(dead_[s], view_.DeadOf(connection, s));
    }
    if (!attrs_.empty() && !view_.segments.empty()) {
        const std::vector<int> columns(attrs_.begin(), attrs_.end());
        QUERN_ASSIGN(loaded_, LoadColumns(connection, view_, columns, *database_->budget(), work));
        in_memory_ = !loaded_.empty();
    }
    return {};
}

Status MatchReader::ReadTable(storage::Connection* connection, Work* work, const Take& take) {
    uint64_t rows = 0;
    storage::RecordTable table(connection, *view_.info);
    return table.ScanByRid(0, attrs_, [&](const storage::RecordRow& row) -> Result<bool> {
        QUERN_TRY(work->Check("list", rows++, static_cast<uint64_t>(view_.state.records)));
        for (size_t s = 0; s < view_.segments.size(); s++) {
            const std::optional<uint32_t> record = view_.segments[s]->RecordOf(row.rid);
            if (!record) {
                continue;
            }
            const filter::Bits* const dead = excluded(s);
            if (dead == nullptr || ((*dead)[*record / 64] >> (*record % 64) & 1) == 0) {
                QUERN_TRY(take({static_cast<uint32_t>(s), *record}, row.key, row.cells));
            }
            break;
        }
        return true;
    });
}

Status MatchReader::ReadOthers(storage::Connection* connection, ResultRows* rows, Work* work,
                               const Take& take) {
    if (!in_memory_) {
        QUERN_TRY(ReadTable(connection, work, take));
    }
    const LogView& log = *view_.log;
    for (size_t i = 0; i < log.count; i++) {
        if (!log.visible(i)) {
            continue;
        }
        const RecordPlace place{static_cast<uint32_t>(view_.segments.size()),
                                static_cast<uint32_t>(i)};
        const Key& key = log.item(i).key;
        if (attrs_.empty()) {
            QUERN_TRY(take(place, key, {}));
        } else {
            QUERN_TRY(rows->ReadCells(place, attrs_, [&](const std::vector<Cell>& cells) {
                return take(place, key, cells);
            }));
        }
        QUERN_TRY(work->Check("list", i, log.count));
    }
    return {};
}

}  // namespace quern
