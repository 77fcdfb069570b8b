#include "engine/db/key_filter.h"

#include <algorithm>
#include <bit>

#include "engine/db/attr_parts.h"
#include "engine/db/database.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// Looking a key up in the file costs as much as this many looks at keys in memory, which may have
// to be made from the table first.
constexpr uint64_t kKeyLookUpCost = 64;
constexpr uint64_t kLookUpCostAtHand = 8192;

// The first number of a value from `from` on that is not less; in steps that double.
uint32_t Seek(const filter::AttrColumn& column, const filter::Value& value, uint32_t from) {
    const auto less = [&](uint32_t code) {
        return filter::CompareValues(column.value(code), value) < 0;
    };
    uint32_t step = 1;
    uint32_t low = from;
    uint32_t high = from;
    while (high < column.code_count() && less(high)) {
        low = high + 1;
        high += std::min(step, column.code_count() - high);
        step *= 2;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (less(middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

class KeyMatcher {
public:
    KeyMatcher(Database* database, storage::Connection* connection, const CollectionView& view,
               const KeyChoice& choice)
        : connection_(connection),
          view_(view),
          set_(*choice.set),
          except_(choice.except),
          budget_(database->budget()),
          work_(database->NewWork()) {}

    Result<std::shared_ptr<const RecordMatches>> Run() {
        for (const auto& segment : view_.segments) {
            QUERN_ASSIGN(const int64_t* const ids, segment->RowIds(connection_));
            static_cast<void>(ids);
            found_.emplace_back((segment->item_count() + 63) / 64, 0);
        }
        QUERN_TRY(FindSealed());
        auto matches = std::make_shared<RecordMatches>();
        matches->by_sqlite = view_.matches != nullptr && view_.matches->by_sqlite;
        for (size_t s = 0; s < view_.segments.size(); s++) {
            QUERN_ASSIGN(const DeadRecords dead, view_.DeadOf(connection_, s));
            filter::Bits bits = std::move(found_[s]);
            const size_t items = view_.segments[s]->item_count();
            size_t count = 0;
            for (size_t word = 0; word < bits.size(); word++) {
                bits[word] = except_ ? ~bits[word] : bits[word];
                bits[word] &= dead.bits ? ~(*dead.bits)[word] : ~uint64_t{0};
                if (word == items / 64) {
                    bits[word] &= (uint64_t{1} << (items % 64)) - 1;
                }
                count += static_cast<size_t>(std::popcount(bits[word]));
            }
            matches->Add(items, std::move(bits), count);
        }
        const LogView& log = *view_.log;
        auto wanted = std::make_shared<filter::Bits>((log.count + 63) / 64, 0);
        for (size_t i = 0; i < log.count; i++) {
            if (log.visible(i) && set_.Has(log.item(i).key) != except_) {
                (*wanted)[i / 64] |= uint64_t{1} << (i % 64);
                matches->count++;
            }
        }
        matches->log = std::move(wanted);
        return std::shared_ptr<const RecordMatches>(std::move(matches));
    }

private:
    void Found(size_t segment, size_t record) {
        found_[segment][record / 64] |= uint64_t{1} << (record % 64);
    }
    void FoundRid(int64_t rid) {
        for (size_t s = 0; s < view_.segments.size(); s++) {
            if (const std::optional<uint32_t> record = view_.segments[s]->RecordOf(rid)) {
                Found(s, *record);
                return;
            }
        }
    }

    Status FindSealed() {
        uint64_t records = 0;
        for (const auto& segment : view_.segments) {
            records += segment->item_count();
        }
        if (records == 0) {
            return {};
        }
        if (set_.count() <= records / (KeysAreAtHand() ? kLookUpCostAtHand : kKeyLookUpCost)) {
            return LookUpKeys();
        }
        QUERN_ASSIGN(const std::vector<SegmentColumns> columns,
                     LoadColumns(connection_, view_, {filter::kKeyColumn}, *budget_, &work_));
        if (columns.empty()) {
            return ReadTable();
        }
        for (size_t s = 0; s < columns.size(); s++) {
            QUERN_TRY(LookThrough(s, *columns[s].at(filter::kKeyColumn)));
            QUERN_TRY(work_.Check("filter", s, columns.size()));
        }
        return {};
    }

    Status LookUpKeys() {
        storage::RecordTable table(connection_, *view_.info);
        uint64_t looked = 0;
        return set_.EachKey([&](const Key& key) -> Status {
            QUERN_TRY(work_.Check("filter", looked++, set_.count()));
            QUERN_ASSIGN(const std::optional<storage::RecordRef> found, table.Find(key));
            if (found) {
                FoundRid(found->rid);
            }
            return {};
        });
    }

    // Whether the columns of keys are in memory, or will be after some milliseconds.
    bool KeysAreAtHand() const {
        for (size_t s = 0; s < view_.segments.size(); s++) {
            const bool in_file =
                view_.attr_parts[s] != nullptr && view_.attr_parts[s]->raw_bytes(0) > 0;
            if (!in_file &&
                view_.segments[s]->columns().Find(view_, filter::kKeyColumn) == nullptr) {
                return false;
            }
        }
        return true;
    }

    // Each key stands in the column once.
    Status LookThrough(size_t segment, const filter::AttrColumn& keys) {
        std::vector<uint8_t> wanted(keys.code_count(), 0);
        if (set_.count() > keys.code_count()) {
            for (uint32_t code = 1; code < keys.code_count(); code++) {
                const Cell cell = keys.value(code);
                wanted[code] = cell.kind == Cell::Kind::kInt ? set_.HasInt(cell.number)
                                                             : set_.Has(Key::Text(cell.text));
            }
        } else {
            // They come in order, so that each is looked for behind the one before.
            uint32_t from = 1;
            QUERN_TRY(set_.EachKey([&](const Key& key) -> Status {
                const filter::Value value = key.type == KeyType::kInt
                                                ? filter::Value::Int(key.number)
                                                : filter::Value::Text(key.text);
                from = Seek(keys, value, from);
                if (from < keys.code_count() &&
                    filter::CompareValues(keys.value(from), value) == 0) {
                    wanted[from] = 1;
                }
                return {};
            }));
        }
        for (size_t record = 0; record < keys.records(); record++) {
            if (wanted[keys.code(record)] != 0) {
                Found(segment, record);
            }
        }
        return {};
    }

    Status ReadTable() {
        uint64_t rows = 0;
        storage::RecordTable table(connection_, *view_.info);
        return table.ScanByRid(0, {}, [&](const storage::RecordRow& row) -> Result<bool> {
            QUERN_TRY(work_.Check("filter", rows++, static_cast<uint64_t>(view_.state.records)));
            if (set_.Has(row.key)) {
                FoundRid(row.rid);
            }
            return true;
        });
    }

    storage::Connection* connection_;
    const CollectionView& view_;
    const filter::KeySet& set_;
    bool except_;
    std::shared_ptr<MemoryBudget> budget_;
    Work work_;
    std::vector<filter::Bits> found_;  // by segment; whether alive or dead
};

}  // namespace

Status CheckKeyType(const storage::CollectionInfo& info, const KeyChoice& choice) {
    const KeyType type = info.schema.key_type;
    return choice.set->type() == type
               ? Status()
               : Status::Error(Code::kType, "a set of %s keys, and the collection has %s keys",
                               type == KeyType::kInt ? "text" : "int",
                               type == KeyType::kInt ? "int" : "text");
}

Result<std::shared_ptr<const RecordMatches>> MatchKeys(Database* database,
                                                       storage::Connection* connection,
                                                       const CollectionView& view,
                                                       const KeyChoice& choice) {
    QUERN_TRY(CheckKeyType(*view.info, choice));
    return KeyMatcher(database, connection, view, choice).Run();
}

}  // namespace quern
