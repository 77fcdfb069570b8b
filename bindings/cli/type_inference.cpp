// Types of columns and conversion of values.
#include "type_inference.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "float_codes.h"
#include "jsonl_format.h"

namespace quern::shell {
namespace {

constexpr const char* kTypeNames[] = {"", "int", "real", "text", "bool", "blob", "json", "tags"};

bool ParseBool(std::string_view text, int64_t* value) {
    if (text == "true" || text == "TRUE" || text == "True") {
        *value = 1;
        return true;
    }
    if (text == "false" || text == "FALSE" || text == "False") {
        *value = 0;
        return true;
    }
    return false;
}

const char* NameOfKind(Value::Kind kind) {
    switch (kind) {
        case Value::Kind::kNull: return "null";
        case Value::Kind::kInt: return "an int";
        case Value::Kind::kReal: return "a real";
        case Value::Kind::kBool: return "a bool";
        case Value::Kind::kText: return "a text";
        case Value::Kind::kNumbers: return "an array of numbers";
        case Value::Kind::kTexts: return "an array of texts";
        case Value::Kind::kJson: return "a JSON object or mixed array";
        case Value::Kind::kSparse: return "a sparse vector";
        case Value::Kind::kCell: break;
    }
    return "a cell";
}

bool ConvertInt(const Value& from, Value* to) {
    if (from.kind == Value::Kind::kInt) {
        to->integer = from.integer;
        return true;
    }
    if (from.kind == Value::Kind::kCell) {
        return ParseInt(from.text, &to->integer);
    }
    if (from.kind == Value::Kind::kReal && !from.text.empty()) {
        return ParseWholeDecimal(from.text, &to->integer);
    }
    // 3.0 is the whole number 3 as far as doubles are exact.
    if (from.kind == Value::Kind::kReal && std::floor(from.real) == from.real &&
        std::fabs(from.real) <= 0x1p53) {
        to->integer = static_cast<int64_t>(from.real);
        return true;
    }
    return false;
}

// A whole number that a real would round, as text; else empty.
std::string RoundedWhole(const Value& value) {
    if (value.kind == Value::Kind::kInt) {
        const bool small = value.integer > -(int64_t{1} << 53) && value.integer < int64_t{1} << 53;
        std::string digits = small ? std::string() : std::to_string(value.integer);
        return small || RealKeepsWhole(digits) ? std::string() : digits;
    }
    const bool number = value.kind == Value::Kind::kReal || value.kind == Value::Kind::kCell;
    return number && value.text.size() > 15 && IsPlainWhole(value.text) &&
                   !RealKeepsWhole(value.text)
               ? value.text
               : std::string();
}

bool ConvertReal(const Value& from, Value* to) {
    if (from.kind == Value::Kind::kReal) {
        to->real = from.real;
    } else if (from.kind == Value::Kind::kInt) {
        to->real = static_cast<double>(from.integer);
    } else if (from.kind != Value::Kind::kCell || !ParseDouble(from.text, &to->real)) {
        return false;
    }
    return std::isfinite(to->real) && RoundedWhole(from).empty();
}

bool ConvertText(const Value& from, Value* to) {
    switch (from.kind) {
        case Value::Kind::kText:
        case Value::Kind::kCell: to->text = from.text; return true;
        case Value::Kind::kInt:
        case Value::Kind::kReal:
        case Value::Kind::kBool:
            to->text.clear();
            AppendJsonValue(from, &to->text);
            return true;
        default: return false;
    }
}

bool ConvertTags(const Value& from, Value* to) {
    if (from.kind == Value::Kind::kTexts) {
        to->texts = from.texts;
        return true;
    }
    if (from.kind == Value::Kind::kText) {
        to->texts.assign(1, from.text);
        return true;
    }
    if (from.kind != Value::Kind::kCell) {
        return false;
    }
    Value parsed;
    std::string problem;
    if (!from.text.empty() && from.text[0] == '[' && ParseJsonValue(from.text, &parsed, &problem) &&
        parsed.kind == Value::Kind::kTexts) {
        to->texts = parsed.texts;
        return true;
    }
    to->texts.assign(1, from.text);
    return true;
}

bool ConvertJson(const Value& from, Value* to) {
    to->text.clear();
    if (from.kind != Value::Kind::kCell) {
        if (from.kind == Value::Kind::kNumbers) {
            to->text = from.text;  // as it stood in the file, not through floats
            if (to->text.empty()) {
                AppendJsonNumbers(from.numbers, &to->text);
            }
            return true;
        }
        AppendJsonValue(from, &to->text);
        return true;
    }
    Value parsed;
    std::string problem;
    if (!ParseJsonValue(from.text, &parsed, &problem)) {
        return false;
    }
    to->text = from.text;
    return true;
}

}  // namespace

const char* NameOfColumnType(ColumnType type) {
    return kTypeNames[static_cast<size_t>(type)];
}

bool ColumnTypeOfName(const std::string& name, ColumnType* type) {
    for (int32_t i = 1; i <= 7; i++) {
        if (name == kTypeNames[i]) {
            *type = static_cast<ColumnType>(i);
            return true;
        }
    }
    return false;
}

void TypeInference::Count(Seen* seen, const Value& value) {
    switch (value.kind) {
        case Value::Kind::kNull: return;
        case Value::Kind::kInt: seen->ints++; return;
        case Value::Kind::kReal: seen->reals++; return;
        case Value::Kind::kBool: seen->bools++; return;
        case Value::Kind::kText: seen->texts++; return;
        case Value::Kind::kTexts: seen->tags++; return;
        case Value::Kind::kSparse: seen->sparse = true; [[fallthrough]];
        case Value::Kind::kJson: seen->json++; return;
        case Value::Kind::kNumbers: {
            const size_t dim = value.numbers.size();
            auto at = std::find_if(seen->dims.begin(), seen->dims.end(),
                                   [&](const auto& known) { return known.first == dim; });
            if (at == seen->dims.end()) {
                at = seen->dims.insert(at, {dim, 0});
            }
            at->second++;
            seen->numbers++;
            return;
        }
        case Value::Kind::kCell: CountCell(seen, value); return;
    }
}

void TypeInference::CountCell(Seen* seen, const Value& value) {
    const bool quoted = value.quotes != Value::Quotes::kNone;
    int64_t integer = 0;
    double real = 0;
    seen->cells = true;
    quotes_tell_ = quotes_tell_ || value.quotes != Value::Quotes::kHeaderToo;
    if (IsPlainNumber(value.text) && ParseInt(value.text, &integer)) {
        (quoted ? seen->quoted_ints : seen->ints)++;
    } else if (IsPlainNumber(value.text) && ParseDouble(value.text, &real) && std::isfinite(real)) {
        (quoted ? seen->quoted_reals : seen->reals)++;
    } else if (ParseBool(value.text, &integer)) {
        (quoted ? seen->quoted_bools : seen->bools)++;
    } else if (!value.text.empty() && (value.text[0] == '[' || value.text[0] == '{')) {
        Value parsed;
        std::string problem;
        if (ParseJsonValue(value.text, &parsed, &problem)) {
            Count(seen, parsed);
        } else {
            seen->texts++;
        }
    } else {
        seen->texts++;
    }
}

void TypeInference::Add(const Record& record) {
    for (size_t i = 0; i < record.value_count(); i++) {
        const NamedValue& entry = record.value(i);
        // Records of one file have the same columns in the same order most of the time.
        auto at = i < columns_.size() && columns_[i].name == entry.name
                      ? columns_.begin() + static_cast<std::ptrdiff_t>(i)
                      : columns_.end();
        if (at == columns_.end()) {
            const auto [place, is_new] = places_.emplace(entry.name, columns_.size());
            if (is_new) {
                columns_.emplace_back().name = entry.name;
            }
            at = columns_.begin() + static_cast<std::ptrdiff_t>(place->second);
        }
        Count(&*at, entry.value);
        if (at->rounded.empty()) {
            at->rounded = RoundedWhole(entry.value);
            at->rounded_at = at->rounded.empty() ? std::string() : record.where;
        }
    }
}

std::vector<InferredColumn> TypeInference::Columns() const {
    std::vector<InferredColumn> columns;
    for (Seen seen : columns_) {
        InferredColumn column;
        if (quotes_tell_) {
            seen.texts += seen.quoted_ints + seen.quoted_reals + seen.quoted_bools;
        } else {
            seen.ints += seen.quoted_ints;
            seen.reals += seen.quoted_reals;
            seen.bools += seen.quoted_bools;
        }
        column.name = seen.name;
        const uint64_t all =
            seen.ints + seen.reals + seen.bools + seen.texts + seen.tags + seen.numbers + seen.json;
        column.only_nulls = all == 0;
        if (seen.texts == all) {
            column.type = ColumnType::kText;
        } else if (seen.ints == all) {
            column.type = ColumnType::kInt;
        } else if (seen.ints + seen.reals == all && !seen.rounded.empty()) {
            column.type = seen.cells ? ColumnType::kText : ColumnType::kJson;
            column.rounded = seen.rounded;
            column.rounded_at = seen.rounded_at;
        } else if (seen.ints + seen.reals == all) {
            column.type = ColumnType::kReal;
        } else if (seen.bools == all) {
            column.type = ColumnType::kBool;
        } else if (seen.tags == all) {
            column.type = ColumnType::kTags;
        } else if (seen.texts > 0 && seen.tags + seen.numbers + seen.json == 0) {
            column.type = ColumnType::kText;
        } else {
            column.type = ColumnType::kJson;
        }
        column.sparse = seen.sparse;
        if (seen.numbers == all && seen.dims.size() == 1) {
            column.dim = seen.dims.front().first;
        }
        uint64_t most = 0;
        for (const auto& [dim, count] : seen.dims) {
            if (count > most) {
                most = count;
                column.vector_dim = dim;
            }
        }
        columns.push_back(column);
    }
    return columns;
}

bool IsPlainFor(ColumnType type, const Value& from) {
    if (from.kind != Value::Kind::kCell && from.kind != Value::Kind::kText) {
        return true;
    }
    return type == ColumnType::kInt    ? IsPlainWhole(from.text)
           : type == ColumnType::kReal ? IsPlainNumber(from.text)
                                       : true;
}

bool LooksLikeNoText(const std::string& cell) {
    int64_t truth = 0;
    return IsPlainNumber(cell) || ParseBool(cell, &truth);
}

bool ConvertValue(ColumnType type, const Value& from, Value* to, std::string* problem) {
    to->Clear();
    if (from.kind == Value::Kind::kNull) {
        return true;
    }
    bool fits = false;
    switch (type) {
        case ColumnType::kInt:
            to->kind = Value::Kind::kInt;
            fits = ConvertInt(from, to);
            break;
        case ColumnType::kReal:
            to->kind = Value::Kind::kReal;
            fits = ConvertReal(from, to);
            break;
        case ColumnType::kBool:
            to->kind = Value::Kind::kBool;
            to->integer = from.integer;
            fits =
                from.kind == Value::Kind::kBool ||
                (from.kind == Value::Kind::kInt && (from.integer == 0 || from.integer == 1)) ||
                (from.kind == Value::Kind::kCell &&
                 (ParseBool(from.text, &to->integer) ||
                  (ParseInt(from.text, &to->integer) && (to->integer == 0 || to->integer == 1))));
            break;
        case ColumnType::kText:
            to->kind = Value::Kind::kText;
            fits = ConvertText(from, to);
            break;
        case ColumnType::kBlob:
            to->kind = Value::Kind::kText;
            fits = (from.kind == Value::Kind::kText || from.kind == Value::Kind::kCell) &&
                   DecodeBase64(from.text, &to->text);
            break;
        case ColumnType::kJson:
            to->kind = Value::Kind::kJson;
            fits = ConvertJson(from, to);
            break;
        case ColumnType::kTags:
            to->kind = Value::Kind::kTexts;
            fits = ConvertTags(from, to);
            break;
    }
    if (!fits) {
        const bool real = from.kind == Value::Kind::kReal;
        const std::string rounded = type == ColumnType::kReal ? RoundedWhole(from) : std::string();
        std::string shown = from.kind == Value::Kind::kCell || from.kind == Value::Kind::kText ||
                                    (real && !from.text.empty())
                                ? Quoted(from.text)
                            : rounded.empty() ? NameOfKind(from.kind)
                                              : Quoted(rounded);
        *problem = shown + " does not fit the type " + NameOfColumnType(type) +
                   (rounded.empty() ? "" : ", which would round it");
    }
    return fits;
}

bool ConvertVector(const Value& from, std::vector<float>* numbers, std::string* problem) {
    numbers->clear();
    switch (from.kind) {
        case Value::Kind::kNull: return true;
        case Value::Kind::kNumbers:
            numbers->assign(from.numbers.begin(), from.numbers.end());
            return true;
        case Value::Kind::kCell: {
            Value parsed;
            if (!ParseJsonValue(from.text, &parsed, problem)) {
                return false;
            }
            if (parsed.kind == Value::Kind::kNumbers) {
                *numbers = std::move(parsed.numbers);
                return true;
            }
            break;
        }
        default: break;
    }
    *problem =
        std::string(from.kind == Value::Kind::kCell ? Quoted(from.text) : NameOfKind(from.kind)) +
        " is not a vector (an array of 1 to 65536 numbers)";
    return false;
}

std::string EncodeBase64(std::string_view bytes) {
    static const char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t have = std::min<size_t>(3, bytes.size() - i);
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        }
        for (size_t k = 0; k < 4; k++) {
            text.push_back(k <= have ? kDigits[(group >> (18 - 6 * k)) & 63u] : '=');
        }
    }
    return text;
}

bool DecodeBase64(std::string_view text, std::string* bytes) {
    static const std::array<int, 256> kValues = [] {
        std::array<int, 256> values{};
        values.fill(-1);
        const std::string digits =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (size_t i = 0; i < digits.size(); i++) {
            values[static_cast<unsigned char>(digits[i])] = static_cast<int>(i);
        }
        return values;
    }();
    bytes->clear();
    if (text.size() % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const size_t padding = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            const int value =
                k >= 4 - padding ? 0 : kValues[static_cast<unsigned char>(text[i + k])];
            if (value < 0) {
                return false;
            }
            group = group << 6 | static_cast<uint32_t>(value);
        }
        for (size_t k = 0; k < 3 - padding; k++) {
            bytes->push_back(static_cast<char>(static_cast<unsigned char>(group >> (16 - 8 * k))));
        }
    }
    return true;
}

}  // namespace quern::shell
