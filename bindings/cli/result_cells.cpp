// From results to values and texts.
#include "result_cells.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "float_codes.h"
#include "sparse_text.h"
#include "type_inference.h"

namespace quern::shell {
namespace {

constexpr size_t kShortChars = 60;
constexpr size_t kShortNumbers = 4;

}  // namespace

void ReadVector(const void* elements, int32_t type, size_t dim, std::vector<float>* numbers) {
    numbers->resize(dim);
    const auto* bytes = static_cast<const unsigned char*>(elements);
    for (size_t i = 0; i < dim; i++) {
        float& number = (*numbers)[i];
        uint16_t half = 0;
        switch (type) {
            case QUERN_F32: std::memcpy(&number, bytes + 4 * i, sizeof(number)); break;
            case QUERN_F16:
                std::memcpy(&half, bytes + 2 * i, sizeof(half));
                number = HalfToFloat(half);
                break;
            case QUERN_BF16:
                std::memcpy(&half, bytes + 2 * i, sizeof(half));
                number = BFloatToFloat(half);
                break;
            case QUERN_I8: number = static_cast<int8_t>(bytes[i]); break;
            default: number = static_cast<float>((bytes[i / 8] >> (i % 8)) & 1); break;
        }
    }
}

void ReadCell(const quern_result* result, size_t row, size_t col, Value* value) {
    value->Clear();
    const int32_t type = quern_result_type(result, row, col);
    size_t size = 0;
    switch (type) {
        case QUERN_INT:
            value->kind = Value::Kind::kInt;
            value->integer = quern_result_int(result, row, col);
            return;
        case QUERN_BOOL:
            value->kind = Value::Kind::kBool;
            value->integer = quern_result_int(result, row, col);
            return;
        case QUERN_REAL:
            value->kind = Value::Kind::kReal;
            value->real = quern_result_real(result, row, col);
            return;
        case QUERN_DENSE: {
            const void* elements = quern_result_dense(result, row, col, &size);
            if (elements != nullptr) {
                value->kind = Value::Kind::kNumbers;
                ReadVector(elements, quern_result_dense_type(result, col), size, &value->numbers);
            }
            return;
        }
        case QUERN_SPARSE: {
            const float* weights = nullptr;
            if (const uint32_t* dims = quern_result_sparse(result, row, col, &weights, &size)) {
                value->kind = Value::Kind::kJson;
                value->text = SparseJson(dims, weights, size);
            }
            return;
        }
        case QUERN_TEXT:
        case QUERN_BLOB:
        case QUERN_JSON:
        case QUERN_TAGS: {
            const char* text = quern_result_text(result, row, col, &size);
            if (text == nullptr) {
                return;
            }
            if (type == QUERN_BLOB) {
                value->kind = Value::Kind::kText;
                value->text = EncodeBase64(std::string_view(text, size));
                return;
            }
            value->kind = type == QUERN_TEXT   ? Value::Kind::kText
                          : type == QUERN_JSON ? Value::Kind::kJson
                                               : Value::Kind::kTexts;
            value->text.assign(text, size);
            return;
        }
        default: return;
    }
}

bool HasTextKeys(const quern_result* result) {
    return quern_result_keys_text(result) != nullptr;
}

std::string KeyText(const quern_result* result, size_t row) {
    if (HasTextKeys(result)) {
        const char* key = quern_result_key_text(result, row);
        return key != nullptr ? key : "";
    }
    return std::to_string(quern_result_key_int(result, row));
}

std::string KeyJson(const quern_result* result, size_t row) {
    std::string json = KeyText(result, row);
    if (HasTextKeys(result)) {
        std::string quoted;
        AppendJsonText(json, &quoted);
        return quoted;
    }
    return json;
}

void AppendColumnsJson(const quern_result* result, size_t row, std::string* json) {
    Value value;
    for (size_t col = 0; col < quern_result_columns(result); col++) {
        json->push_back(',');
        AppendJsonText(quern_result_column_name(result, col), json);
        json->push_back(':');
        ReadCell(result, row, col, &value);
        AppendJsonValue(value, json);
    }
}

std::string ShortText(const Value& value) {
    std::string text;
    if (value.kind == Value::Kind::kNull) {
        return text;
    }
    if (value.kind == Value::Kind::kNumbers && value.numbers.size() > kShortNumbers) {
        text = "[";
        for (size_t i = 0; i < kShortNumbers; i++) {
            AppendFloat(value.numbers[i], &text);
            text += ", ";
        }
        return text + "... " + std::to_string(value.numbers.size()) + " numbers]";
    }
    if (value.kind == Value::Kind::kText) {
        text = value.text;
    } else if (value.kind == Value::Kind::kReal) {
        AppendDouble(value.real, &text);  // infinities as well
    } else {
        AppendJsonValue(value, &text);
    }
    if (text.size() > kShortChars) {
        size_t end = kShortChars - 3;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) {
            end--;  // not inside a character
        }
        text.resize(end);
        text += "...";
    }
    return text;
}

std::string TakeText(quern_text* text) {
    const TextPtr owner(text);
    return std::string(quern_text_data(text), quern_text_size(text));
}

void Print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
        Fail(std::string("standard output: cannot write: ") + std::strerror(errno));
    }
}

void FlushOutput() {
    if (std::fflush(stdout) != 0) {
        Fail(std::string("standard output: cannot write: ") + std::strerror(errno));
    }
}

}  // namespace quern::shell
