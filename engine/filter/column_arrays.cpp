#include "engine/filter/column_arrays.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "storage/base/schema.h"

namespace quern::filter {

namespace {

constexpr uint32_t kArraysVersion = 1;

Status Bad(const char* what) {
    return Status::Error(Code::kCorrupt, "column of an attribute: %s", what);
}

template <typename T>
Bytes BytesOf(const std::vector<T>& items) {
    return Bytes(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
}

// False: not so many items.
template <typename T>
bool Take(const Bytes& bytes, size_t count, std::vector<T>* items) {
    if (bytes.size() != count * sizeof(T)) {
        return false;
    }
    items->resize(count);
    if (count > 0) {
        std::memcpy(items->data(), bytes.data(), bytes.size());
    }
    return true;
}

template <typename T>
bool Ascending(const std::vector<T>& values) {
    for (size_t i = 1; i < values.size(); i++) {
        if (!(values[i - 1] < values[i])) {
            return false;
        }
    }
    return true;
}

template <typename Code>
bool AllBelow(const std::vector<Code>& codes, uint32_t end) {
    Code most = 0;
    for (const Code code : codes) {
        most = code > most ? code : most;
    }
    return codes.empty() || most < end;
}

bool IsText(Cell::Kind kind) {
    return kind == Cell::Kind::kText || kind == Cell::Kind::kBlob;
}

}  // namespace

Bytes ColumnHead::Encode() const {
    Bytes bytes;
    ByteWriter writer(&bytes);
    writer.U32(kArraysVersion);
    writer.U8(left_out ? 1 : 0);
    writer.U8(static_cast<uint8_t>(kind));
    writer.U32(records);
    writer.U32(distinct);
    writer.U8(static_cast<uint8_t>(code_bytes));
    return bytes;
}

Result<ColumnHead> ColumnHead::Decode(BytesView bytes) {
    ByteReader reader(bytes);
    if (reader.U32() != kArraysVersion) {
        return Bad("its head is of another version");
    }
    ColumnHead head;
    const uint8_t left_out = reader.U8();
    const uint8_t kind = reader.U8();
    head.records = reader.U32();
    head.distinct = reader.U32();
    head.code_bytes = reader.U8();
    const bool known_width = head.code_bytes <= 2 || head.code_bytes == 4;
    if (!reader.AtEnd() || left_out > 1 || kind > static_cast<uint8_t>(Cell::Kind::kBlob) ||
        head.distinct > head.records || !known_width) {
        return Bad("its head has impossible numbers");
    }
    head.left_out = left_out == 1;
    head.kind = static_cast<Cell::Kind>(kind);
    return head;
}

ColumnArrays ColumnFile::Encode(const AttrColumn& column) {
    ColumnHead head;
    head.kind = column.kind_;
    head.records = static_cast<uint32_t>(column.records_);
    head.distinct = column.distinct_;
    ColumnArrays arrays;
    if (IsText(column.kind_)) {
        std::vector<uint32_t> lengths;
        for (size_t i = 0; i < column.distinct_; i++) {
            lengths.push_back(static_cast<uint32_t>(column.begins_[i + 1] - column.begins_[i]));
        }
        arrays.values = column.bytes_;
        arrays.value_bytes = 1;
        arrays.lengths = BytesOf(lengths);
    } else {
        arrays.values =
            column.kind_ == Cell::Kind::kReal ? BytesOf(column.reals_) : BytesOf(column.numbers_);
    }
    bool in_order = column.distinct_ == column.records_;
    for (size_t r = 0; in_order && r < column.records_; r++) {
        in_order = column.code(r) == r + 1;
    }
    if (!in_order) {
        arrays.codes = !column.codes8_.empty()    ? BytesOf(column.codes8_)
                       : !column.codes16_.empty() ? BytesOf(column.codes16_)
                                                  : BytesOf(column.codes32_);
        head.code_bytes = !column.codes8_.empty() ? 1 : (!column.codes16_.empty() ? 2 : 4);
        arrays.code_bytes = head.code_bytes;
    }
    arrays.head = head.Encode();
    return arrays;
}

Status ColumnFile::TakeTexts(const ColumnArrays& arrays, const ColumnHead& head,
                             AttrColumn* column) {
    std::vector<uint32_t> lengths;
    if (!Take(arrays.lengths, head.distinct, &lengths)) {
        return Bad("lengths of another number of texts");
    }
    column->begins_.reserve(lengths.size() + 1);
    column->begins_.push_back(0);
    for (const uint32_t length : lengths) {
        column->begins_.push_back(column->begins_.back() + length);
    }
    if (column->begins_.back() != arrays.values.size()) {
        return Bad("texts of other lengths");
    }
    column->bytes_ = arrays.values;
    std::string_view before;
    for (uint32_t code = 1; code <= head.distinct; code++) {
        const std::string_view text = column->value(code).text;
        if (code > 1 && !(before < text)) {
            return Bad("its texts are not in order");
        }
        if (head.kind == Cell::Kind::kText && !IsValidUtf8(text)) {
            return Bad("a text is not UTF-8");
        }
        before = text;
    }
    return {};
}

Status ColumnFile::TakeValues(const ColumnArrays& arrays, const ColumnHead& head,
                              AttrColumn* column) {
    if (IsText(head.kind)) {
        return TakeTexts(arrays, head, column);
    }
    if (!arrays.lengths.empty()) {
        return Bad("lengths of numbers");
    }
    switch (head.kind) {
        case Cell::Kind::kInt:
            if (!Take(arrays.values, head.distinct, &column->numbers_) ||
                !Ascending(column->numbers_)) {
                return Bad("its numbers are not in order");
            }
            return {};
        case Cell::Kind::kReal:
            // No number is less than NaN, so that this refuses one behind others.
            if (!Take(arrays.values, head.distinct, &column->reals_) ||
                !Ascending(column->reals_) ||
                (!column->reals_.empty() && std::isnan(column->reals_[0]))) {
                return Bad("its numbers are not in order");
            }
            return {};
        default:
            return head.distinct == 0 && arrays.values.empty() ? Status()
                                                               : Bad("values that are nulls");
    }
}

Result<std::unique_ptr<AttrColumn>> ColumnFile::Decode(const ColumnArrays& arrays, size_t records,
                                                       Cell::Kind kind) {
    QUERN_ASSIGN(const ColumnHead head, ColumnHead::Decode(arrays.head));
    if (head.left_out) {
        return Bad("it was left out");
    }
    if (head.records != records || (head.kind != kind && head.kind != Cell::Kind::kNull)) {
        return Bad("made for other records");
    }
    auto column = std::make_unique<AttrColumn>();
    column->kind_ = head.kind;
    column->records_ = records;
    column->distinct_ = head.distinct;
    QUERN_TRY(TakeValues(arrays, head, column.get()));
    const uint32_t end = column->code_count();
    bool fits = false;
    switch (head.code_bytes) {
        case 0: {
            fits = head.distinct == records && arrays.codes.empty();
            std::vector<uint32_t> codes(fits ? records : 0);
            std::iota(codes.begin(), codes.end(), 1u);
            column->SetCodes(std::move(codes));
            break;
        }
        case 1:
            fits = Take(arrays.codes, records, &column->codes8_) && AllBelow(column->codes8_, end);
            break;
        case 2:
            fits =
                Take(arrays.codes, records, &column->codes16_) && AllBelow(column->codes16_, end);
            break;
        default:
            fits =
                Take(arrays.codes, records, &column->codes32_) && AllBelow(column->codes32_, end);
    }
    if (!fits) {
        return Bad("numbers of no value");
    }
    return Result<std::unique_ptr<AttrColumn>>(std::move(column));
}

}  // namespace quern::filter
