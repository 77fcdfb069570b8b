#include "engine/filter/bookmark.h"

#include <bit>
#include <cmath>

#include "storage/base/bytes.h"

namespace quern::filter {

namespace {

constexpr uint8_t kBookmarkVersion = 1;
constexpr uint8_t kHitBookmarkVersion = 2;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToDigits(BytesView bytes) {
    std::string text;
    uint32_t bits = 0;
    int count = 0;
    for (const char byte : bytes) {
        bits = bits << 8 | static_cast<uint8_t>(byte);
        for (count += 8; count >= 6; count -= 6) {
            text += kDigits[bits >> (count - 6) & 63];
        }
    }
    if (count > 0) {
        text += kDigits[bits << (6 - count) & 63];
    }
    return text;
}

bool FromDigits(std::string_view text, Bytes* bytes) {
    uint32_t bits = 0;
    int count = 0;
    for (const char digit : text) {
        const size_t value = kDigits.find(digit);
        if (value == std::string_view::npos) {
            return false;
        }
        bits = bits << 6 | static_cast<uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes->push_back(static_cast<char>(bits >> count & 255));
        }
    }
    return true;
}

Cell::Kind KindOf(AttrType type) {
    switch (type) {
        case AttrType::kInt:
        case AttrType::kBool: return Cell::Kind::kInt;
        case AttrType::kReal: return Cell::Kind::kReal;
        case AttrType::kBlob: return Cell::Kind::kBlob;
        default: return Cell::Kind::kText;
    }
}

void WriteValue(const Value& value, ByteWriter* out) {
    out->U8(static_cast<uint8_t>(value.kind));
    switch (value.kind) {
        case Cell::Kind::kNull: break;
        case Cell::Kind::kInt: out->U64(static_cast<uint64_t>(value.number)); break;
        case Cell::Kind::kReal: out->U64(std::bit_cast<uint64_t>(value.real)); break;
        default: out->Varint(value.text.size()); out->Raw(value.text.data(), value.text.size());
    }
}

// Of this kind, or NULL.
bool ReadValue(ByteReader* in, Cell::Kind kind, Value* value) {
    const auto found = static_cast<Cell::Kind>(in->U8());
    if (!in->ok() || found == Cell::Kind::kNull) {
        return in->ok();
    }
    if (found != kind) {
        return false;
    }
    value->kind = kind;
    switch (kind) {
        case Cell::Kind::kInt: value->number = static_cast<int64_t>(in->U64()); break;
        case Cell::Kind::kReal: value->real = std::bit_cast<double>(in->U64()); break;
        default: {
            const uint64_t size = in->Varint();
            if (!in->ok() || size > in->left()) {
                return false;
            }
            value->text = in->Take(static_cast<size_t>(size));
        }
    }
    return in->ok() && !std::isnan(value->real);
}

uint8_t FlagsOf(const OrderTerm& term) {
    return static_cast<uint8_t>((term.descending ? 1 : 0) + (term.nulls_first ? 2 : 0));
}

Status NoBookmark() {
    return Status::Error(Code::kMalformed, "the bookmark is none that a list has given");
}

void WriteKey(const Key& key, ByteWriter* out) {
    const bool number = key.type == KeyType::kInt;
    WriteValue(number ? Value::Int(key.number) : Value::Text(key.text), out);
}

// Of the schema's type.
bool ReadKey(ByteReader* in, const Schema& schema, Key* key) {
    Value value;
    const bool number = schema.key_type == KeyType::kInt;
    if (!ReadValue(in, number ? Cell::Kind::kInt : Cell::Kind::kText, &value) ||
        value.kind == Cell::Kind::kNull) {
        return false;
    }
    *key = number ? Key::Int(value.number) : Key::Text(value.text);
    return true;
}

}  // namespace

std::string WriteBookmark(const RecordOrder& order, const Schema& schema, const Spot& spot) {
    Bytes bytes;
    ByteWriter out(&bytes);
    out.U8(kBookmarkVersion);
    out.Varint(order.terms.size());
    for (size_t t = 0; t < order.terms.size(); t++) {
        out.Varint(schema.attrs[static_cast<size_t>(order.terms[t].column)].id);
        out.U8(FlagsOf(order.terms[t]));
        WriteValue(spot.values[t], &out);
    }
    out.U8(order.keys_descend ? 1 : 0);
    WriteKey(spot.key, &out);
    return ToDigits(bytes);
}

std::string WriteHitBookmark(const HitSpot& spot) {
    Bytes bytes;
    ByteWriter out(&bytes);
    out.U8(kHitBookmarkVersion);
    out.U64(spot.search);
    out.U64(std::bit_cast<uint64_t>(spot.distance));
    WriteKey(spot.key, &out);
    out.Varint(spot.passed);
    return ToDigits(bytes);
}

Result<HitSpot> ReadHitBookmark(std::string_view text, uint64_t search, const Schema& schema) {
    const auto none = [] {
        return Status::Error(Code::kMalformed, "the bookmark is none that a search has given");
    };
    Bytes bytes;
    if (!FromDigits(text, &bytes)) {
        return none();
    }
    ByteReader in(bytes);
    const uint8_t version = in.U8();
    HitSpot spot;
    spot.search = version == kHitBookmarkVersion ? in.U64() : 0;
    if (in.ok() && (version == kBookmarkVersion ||
                    (version == kHitBookmarkVersion && spot.search != search))) {
        return Status::Error(Code::kInvalid, "the bookmark is of another search, or of a list");
    }
    spot.distance = std::bit_cast<double>(in.U64());
    constexpr uint64_t kPassedMost = uint64_t{1} << 32;
    if (version != kHitBookmarkVersion || !in.ok() || std::isnan(spot.distance) ||
        !ReadKey(&in, schema, &spot.key)) {
        return none();
    }
    spot.passed = in.Varint();
    return in.AtEnd() && spot.passed <= kPassedMost ? Result<HitSpot>(spot) : none();
}

Result<Spot> ReadBookmark(std::string_view text, const RecordOrder& order, const Schema& schema) {
    Bytes bytes;
    if (!FromDigits(text, &bytes)) {
        return NoBookmark();
    }
    const Status other = Status::Error(
        Code::kInvalid, "the bookmark is of a list in another order, or of another collection");
    ByteReader in(bytes);
    if (in.U8() != kBookmarkVersion) {
        return NoBookmark();
    }
    if (in.Varint() != order.terms.size()) {
        return in.ok() ? other : NoBookmark();
    }
    Spot spot;
    for (const OrderTerm& term : order.terms) {
        const AttrDef& attr = schema.attrs[static_cast<size_t>(term.column)];
        const bool same = in.Varint() == attr.id;
        if (!same || in.U8() != FlagsOf(term)) {
            return in.ok() ? other : NoBookmark();
        }
        if (!ReadValue(&in, KindOf(attr.type), &spot.values.emplace_back())) {
            return NoBookmark();
        }
    }
    if (in.U8() != (order.keys_descend ? 1 : 0)) {
        return in.ok() ? other : NoBookmark();
    }
    if (!ReadKey(&in, schema, &spot.key) || !in.AtEnd()) {
        return NoBookmark();
    }
    return spot;
}

}  // namespace quern::filter
