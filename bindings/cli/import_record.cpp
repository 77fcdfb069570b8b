// Records and the JSON form of their values.
#include "import_record.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "float_codes.h"
#include "format_error.h"
#include "sparse_text.h"

namespace quern::shell {

void Value::Clear() {
    kind = Kind::kNull;
    quotes = Quotes::kNone;
    integer = 0;
    real = 0;
    text.clear();
    numbers.clear();
    dims.clear();
    texts.clear();
}

void Record::Clear() {
    used_ = 0;
    is_line = false;
    has_key = false;
    key.clear();
    has_vector = false;
    vector.clear();
}

Value& Record::Add(std::string_view name) {
    if (used_ == values_.size()) {
        values_.emplace_back();
    }
    NamedValue& slot = values_[used_++];
    slot.name.assign(name);
    slot.value.Clear();
    return slot.value;
}

size_t Record::Bytes() const {
    size_t bytes = key.size() + vector.size() * sizeof(float);
    for (size_t i = 0; i < used_; i++) {
        const Value& value = values_[i].value;
        bytes += sizeof(NamedValue) + value.text.size() + value.numbers.size() * sizeof(float) +
                 value.dims.size() * sizeof(uint32_t);
        for (const std::string& text : value.texts) {
            bytes += sizeof(text) + text.size();
        }
    }
    return bytes;
}

const Value* Record::Find(std::string_view name) const {
    for (size_t i = 0; i < used_; i++) {
        if (values_[i].name == name) {
            return &values_[i].value;
        }
    }
    return nullptr;
}

void RecordReader::StartRow(Record* record) {
    record->Clear();
    record->row = rows_++;
    record->line = 0;
    record->where = source_->name() + ": row " + std::to_string(record->row);
}

void RecordReader::StartLine(Record* record) {
    record->Clear();
    record->row = rows_++;
    record->line = source_->line_number();
    record->where = source_->name() + ":" + std::to_string(record->line);
}

void RecordReader::Fail(const Record& record, const std::string& what, bool recoverable) {
    throw FormatError(record.where + ": " + what, recoverable, record.line);
}

void RecordReader::CheckEnd(uint64_t rows, const std::string& place) {
    unsigned char next = 0;
    if (source_->Read(&next, 1) > 0) {
        throw FormatError(source_->name() + ": " + place + "bytes behind the " +
                          std::to_string(rows) + " rows that the head tells of");
    }
}

void RecordWriter::CheckWhole(const Record& record, size_t index, double least, double most,
                              const char* format) {
    const double value = record.vector[index];
    if (value >= least && value <= most && std::floor(value) == value) {
        return;
    }
    std::string number;
    AppendFloat(record.vector[index], &number);
    throw FormatError("the record " + Quoted(record.key) + ": element " + std::to_string(index) +
                      " (" + number + ") is not a whole number from " +
                      std::to_string(static_cast<int64_t>(least)) + " to " +
                      std::to_string(static_cast<int64_t>(most)) + ", which " + format + " needs");
}

std::string Quoted(std::string_view text) {
    std::string quoted(1, '\'');
    quoted.append(text.substr(0, 40));
    quoted.push_back('\'');
    return quoted;
}

std::string JsonProblem(const Value& value) {
    const auto none = [](double number) {
        return std::string(std::isnan(number) ? "nan"
                           : number > 0       ? "inf"
                                              : "-inf")
            .append(", which JSON has not");
    };
    if (!value.text.empty()) {
        return {};
    }
    if (value.kind == Value::Kind::kReal && !std::isfinite(value.real)) {
        return "it is " + none(value.real);
    }
    if (value.kind == Value::Kind::kNumbers || value.kind == Value::Kind::kSparse) {
        for (size_t i = 0; i < value.numbers.size(); i++) {
            if (!std::isfinite(value.numbers[i])) {
                return "element " + std::to_string(i) + " is " +
                       none(static_cast<double>(value.numbers[i]));
            }
        }
    }
    return {};
}

bool HasEscapedNul(std::string_view json) {
    constexpr std::string_view kEscape = "\\u0000";
    for (size_t at = json.find(kEscape); at != std::string_view::npos;
         at = json.find(kEscape, at + 1)) {
        // Behind an escaped backslash it is text.
        size_t slashes = 1;
        while (slashes <= at && json[at - slashes] == '\\') {
            slashes++;
        }
        if (slashes % 2 == 1) {
            return true;
        }
    }
    return false;
}

void AppendJsonText(std::string_view text, std::string* json) {
    const nlohmann::json value = std::string(text);
    json->append(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void AppendJsonNumbers(const std::vector<float>& numbers, std::string* json) {
    json->push_back('[');
    for (size_t i = 0; i < numbers.size(); i++) {
        if (i > 0) {
            json->push_back(',');
        }
        AppendJsonFloat(numbers[i], json);
    }
    json->push_back(']');
}

void AppendJsonFloat(float number, std::string* json) {
    if (!std::isfinite(number)) {
        json->append("null");  // JSON has no infinity
        return;
    }
    AppendFloat(number, json);
    if (number == 0 && std::signbit(number)) {
        json->append(".0");  // most readers take -0 for a whole number, which has no sign
    }
}

void AppendJsonValue(const Value& value, std::string* json) {
    switch (value.kind) {
        case Value::Kind::kNull: json->append("null"); break;
        case Value::Kind::kInt: json->append(std::to_string(value.integer)); break;
        case Value::Kind::kReal:
            if (!value.text.empty()) {
                json->append(value.text);  // as it stood in the file
            } else if (std::isfinite(value.real)) {
                AppendDouble(value.real, json);
            } else {
                json->append("null");  // JSON has no infinity
            }
            break;
        case Value::Kind::kBool: json->append(value.integer != 0 ? "true" : "false"); break;
        case Value::Kind::kText:
        case Value::Kind::kCell: AppendJsonText(value.text, json); break;
        case Value::Kind::kNumbers: AppendJsonNumbers(value.numbers, json); break;
        case Value::Kind::kTexts:
        case Value::Kind::kJson: json->append(value.text); break;
        case Value::Kind::kSparse:
            json->append(SparseJson(value.dims.data(), value.numbers.data(), value.dims.size()));
            break;
    }
}

}  // namespace quern::shell
