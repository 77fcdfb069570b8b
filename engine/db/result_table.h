// What comes back from get, scan, search and SQL: rows and columns that own their content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/db/search_tally.h"
#include "engine/db/search_trace.h"
#include "storage/base/bytes.h"
#include "storage/base/schema.h"

namespace quern {

// Column types of the C API: AttrType, or one of these.
inline constexpr int32_t kDenseColumn = 8;
inline constexpr int32_t kSparseColumn = 9;  // values as storage/sparse_value.h has them

// Of a field; texts are as those of attributes.
inline int32_t FieldColumn(const Schema& schema, size_t field) {
    return schema.is_dense(field)  ? kDenseColumn
           : schema.is_text(field) ? static_cast<int32_t>(AttrType::kText)
                                   : kSparseColumn;
}

struct ResultColumn {
    std::string name;
    int32_t type = 0;
    Element element = Element::kF32;  // dense
    size_t dim = 0;                   // dense
};

struct ResultValue {
    int32_t type = 0;  // 0: null or absent
    int64_t number = 0;
    double real = 0;
    size_t offset =
        0;  // in ResultTable::bytes; texts are followed by a NUL, vectors start at multiples of 16
    size_t size = 0;
};

// What one leg of a search had to do, over all queries.
struct LegTally {
    SearchTally tally;
    uint64_t lists = 0;
    uint64_t hits = 0;
    uint64_t looked_up = 0;
};

class ResultTable {
public:
    std::vector<ResultColumn> columns;
    KeyType key_type = KeyType::kInt;
    std::vector<size_t> offsets{0};  // first row of each query, and the end
    std::vector<int64_t> int_keys;
    std::vector<std::string> text_keys;
    std::vector<uint8_t> found;    // empty: all
    std::vector<float> distances;  // empty: not a search
    std::vector<float> scores;
    size_t leg_count = 0;            // 0: not a search with legs
    std::vector<double> leg_scores;  // rows x legs; NaN: the leg does not match
    std::vector<double> leg_shares;  // the same: what the leg adds to the score
    std::vector<LegTally> legs;
    std::vector<uint32_t> groups;     // of each row; empty: nothing was grouped
    std::vector<ResultValue> values;  // rows x columns
    Bytes bytes;
    uint32_t flags = 0;
    bool exact_as_far = false;  // what its budget has let it look at, it has looked at exactly
    std::string bookmark;       // of a list, or of a search: where its page ended
    // Of a search with one query: the last of its hits, and how many there were up to it.
    struct LastHit {
        double distance = 0;
        Key key;
        uint64_t passed = 0;
    };
    std::optional<LastHit> last_hit;
    SearchTally tally;
    SearchTrace trace;

    size_t row_count() const { return offsets.back(); }
    void AddKey(const Key& key) {
        key_type = key.type;
        if (key.type == KeyType::kInt) {
            int_keys.push_back(key.number);
        } else {
            text_keys.push_back(key.text);
        }
    }
    ResultValue& value(size_t row, size_t column) { return values[row * columns.size() + column]; }
    void SetBytes(ResultValue* value, int32_t type, BytesView content) {
        bytes.resize((bytes.size() + 15) / 16 * 16);
        value->type = type;
        value->offset = bytes.size();
        value->size = content.size();
        bytes.append(content);
        bytes.push_back('\0');
    }
    void SetCell(ResultValue* value, int32_t type, const Cell& cell) {
        switch (cell.kind) {
            case Cell::Kind::kNull: return;
            case Cell::Kind::kInt:
                value->type = type;
                value->number = cell.number;
                value->real = static_cast<double>(cell.number);
                return;
            case Cell::Kind::kReal:
                value->type = type;
                value->real = cell.real;
                return;
            case Cell::Kind::kText:
            case Cell::Kind::kBlob: SetBytes(value, type, cell.text);
        }
    }
};

}  // namespace quern
