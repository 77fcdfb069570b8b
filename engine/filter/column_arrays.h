// A column of values as a file keeps it: the arrays of AttrColumn, which are decoded and proved
// before anybody believes them. So a column is there without a look at the records.
//
//   head     version, kind of the values, records, distinct values, bytes of a number
//   values   the distinct ones in order: 8 bytes a number, or the bytes of all texts
//   lengths  of each text
//   codes    for each record the number of its value; none where record r has value r + 1, as keys
#pragma once

#include <memory>

#include "engine/filter/attr_column.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::filter {

struct ColumnArrays {
    Bytes head;
    Bytes values;
    Bytes lengths;
    Bytes codes;
    uint32_t value_bytes = 8;  // of an item of values, by their kind
    uint32_t code_bytes = 4;   // of an item of codes
};

// What a head says. A column that was not worth its room has a head alone, so that nobody tries it
// again and again.
struct ColumnHead {
    bool left_out = false;
    Cell::Kind kind = Cell::Kind::kNull;
    uint32_t records = 0;
    uint32_t distinct = 0;
    uint32_t code_bytes = 0;  // 0: there are no codes

    Bytes Encode() const;
    // kCorrupt: it is none.
    static Result<ColumnHead> Decode(BytesView bytes);
};

class ColumnFile {
public:
    static ColumnArrays Encode(const AttrColumn& column);
    // Of so many records; kind: of the values that the column of the schema has. kCorrupt when the
    // arrays do not make such a column, or only one that was left out.
    static Result<std::unique_ptr<AttrColumn>> Decode(const ColumnArrays& arrays, size_t records,
                                                      Cell::Kind kind);

private:
    static Status TakeValues(const ColumnArrays& arrays, const ColumnHead& head,
                             AttrColumn* column);
    static Status TakeTexts(const ColumnArrays& arrays, const ColumnHead& head, AttrColumn* column);
};

// Values of some records that have changed since; texts are borrowed.
struct ChangedValue {
    uint32_t record = 0;
    Cell cell;
};
class ColumnPatch {
public:
    // The column with these values; each record at most once. NULL: a value of another kind.
    static std::unique_ptr<AttrColumn> Apply(std::unique_ptr<AttrColumn> column,
                                             const std::vector<ChangedValue>& changes);
};

}  // namespace quern::filter
