#include "tests/compat/golden_values.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace quern::golden {

namespace {

constexpr const char* kTypes[] = {"", "int", "real", "text", "bool", "blob", "json", "tags"};
constexpr const char* kElements[] = {"", "f32", "f16", "bf16", "i8", "bit"};
constexpr const char* kMetrics[] = {"", "l2", "ip", "cosine", "hamming"};
constexpr const char* kKeyTypes[] = {"", "int", "text"};

template <size_t kCount>
int32_t CodeOf(const char* const (&names)[kCount], const Json& name) {
    for (size_t i = 1; i < kCount; i++) {
        if (name == names[i]) {
            return static_cast<int32_t>(i);
        }
    }
    Die("no such word: " + name.dump());
}

template <size_t kCount>
const char* NameOf(const char* const (&names)[kCount], int32_t code) {
    return code > 0 && static_cast<size_t>(code) < kCount ? names[code] : "?";
}

// Sign, exponent and fraction of a 16-bit number; finite ones only.
double SmallFloat(uint16_t code, int fraction_bits) {
    const int exponent_bits = 15 - fraction_bits;
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = code >> fraction_bits & ((1 << exponent_bits) - 1);
    const int fraction = code & ((1 << fraction_bits) - 1);
    const int whole = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
    const double size = std::ldexp(whole, std::max(exponent, 1) - bias - fraction_bits);
    return (code & 0x8000) != 0 ? -size : size;
}

Json ElementJson(int32_t element, const char* vector, size_t i) {
    if (element == QUERN_F32) {
        float value;
        std::memcpy(&value, vector + i * sizeof value, sizeof value);
        return NumberJson(static_cast<double>(value));
    }
    if (element == QUERN_I8) {
        return Json(static_cast<int>(static_cast<signed char>(vector[i])));
    }
    uint16_t code;
    std::memcpy(&code, vector + i * sizeof code, sizeof code);
    return NumberJson(SmallFloat(code, element == QUERN_F16 ? 10 : 7));
}

std::string BytesOf(const std::string& hex) {
    std::string bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

void AppendVector(const Column& field, const Json& vector, std::vector<float>* matrix) {
    const size_t dim =
        vector.is_string() ? vector.get_ref<const std::string&>().size() : vector.size();
    if (dim != field.dim) {
        Die("a vector of field " + field.name + " has another dimension");
    }
    if (vector.is_string()) {
        for (const char bit : vector.get_ref<const std::string&>()) {
            matrix->push_back(bit == '1' ? 1.0f : 0.0f);
        }
        return;
    }
    for (const Json& element : vector) {
        matrix->push_back(element.get<float>());
    }
}

}  // namespace

void Die(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(1);
}

const Column& CollectionSchema::Find(const std::string& column) const {
    return columns[PlaceOf(column) - 1];
}

size_t CollectionSchema::PlaceOf(const std::string& column) const {
    for (size_t i = 0; i < columns.size(); i++) {
        if (columns[i].name == column) {
            return i + 1;
        }
    }
    Die("collection " + name + " has no column " + column);
}

Json SchemaJson(const CollectionSchema& schema) {
    Json json{
        {"name", schema.name},
        {"key", Json{{"name", schema.key_name}, {"type", NameOf(kKeyTypes, schema.key_type)}}},
        {"attributes", Json::array()},
        {"fields", Json::array()}};
    for (const Column& column : schema.columns) {
        if (column.type == QUERN_DENSE) {
            json["fields"].push_back(Json{{"name", column.name},
                                          {"type", NameOf(kElements, column.element)},
                                          {"dim", column.dim},
                                          {"metric", NameOf(kMetrics, column.metric)}});
        } else {
            json["attributes"].push_back(
                Json{{"name", column.name}, {"type", NameOf(kTypes, column.type)}});
        }
    }
    return json;
}

CollectionSchema ParseSchema(const Json& json) {
    CollectionSchema schema;
    schema.name = json.at("name");
    schema.key_name = json.at("key").at("name");
    schema.key_type = CodeOf(kKeyTypes, json.at("key").at("type"));
    for (const Json& attr : json.at("attributes")) {
        Column column;
        column.name = attr.at("name");
        column.type = CodeOf(kTypes, attr.at("type"));
        schema.columns.push_back(column);
    }
    for (const Json& field : json.at("fields")) {
        Column column;
        column.name = field.at("name");
        column.type = QUERN_DENSE;
        column.dim = field.at("dim");
        column.metric = CodeOf(kMetrics, field.at("metric"));
        column.element = CodeOf(kElements, field.at("type"));
        schema.columns.push_back(column);
    }
    return schema;
}

CollectionSchema DescribedSchema(const std::string& name, const quern_schema* described) {
    CollectionSchema schema;
    schema.name = name;
    schema.key_name = quern_schema_key_name(described);
    schema.key_type = quern_schema_key_type(described);
    for (size_t i = 0; i < quern_schema_attr_count(described); i++) {
        Column column;
        column.name = quern_schema_attr_name(described, i);
        column.type = quern_schema_attr_type(described, i);
        schema.columns.push_back(column);
    }
    for (size_t i = 0; i < quern_schema_dense_count(described); i++) {
        Column column;
        column.name = quern_schema_dense_name(described, i);
        column.type = QUERN_DENSE;
        column.dim = quern_schema_dense_dim(described, i);
        column.metric = quern_schema_dense_metric(described, i);
        column.element = quern_schema_dense_type(described, i);
        schema.columns.push_back(column);
    }
    return schema;
}

std::string TypeOption(const Column& column) {
    // Answers of golden files are exact ones.
    return std::string("index=none type=") + NameOf(kElements, column.element);
}

Json NumberJson(double number) {
    constexpr double kExactMax = 9007199254740992.0;  // whole numbers below are exact in a double
    if (number == std::trunc(number) && std::fabs(number) < kExactMax &&
        !(number == 0 && std::signbit(number))) {
        return Json(static_cast<int64_t>(number));
    }
    return Json(number);
}

std::string HexOf(const std::string& bytes) {
    static const char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        hex += digits[static_cast<unsigned char>(c) >> 4];
        hex += digits[static_cast<unsigned char>(c) & 15];
    }
    return hex;
}

Json ReadKey(const quern_result* result, size_t row, int32_t key_type) {
    if (key_type == QUERN_KEY_INT) {
        return Json(quern_result_key_int(result, row));
    }
    const char* key = quern_result_key_text(result, row);
    return key != nullptr ? Json(key) : Json();
}

Json ReadValue(const quern_result* result, size_t row, size_t column) {
    const int32_t type = quern_result_type(result, row, column);
    if (type == QUERN_INT) {
        return Json(quern_result_int(result, row, column));
    }
    if (type == QUERN_BOOL) {
        return Json(quern_result_int(result, row, column) != 0);
    }
    if (type == QUERN_REAL) {
        return NumberJson(quern_result_real(result, row, column));
    }
    if (type == QUERN_DENSE) {
        size_t dim = 0;
        const auto* vector =
            static_cast<const char*>(quern_result_dense(result, row, column, &dim));
        const int32_t element = quern_result_dense_type(result, column);
        std::string bits;
        Json elements = Json::array();
        for (size_t i = 0; i < dim; i++) {
            if (element == QUERN_BIT) {
                bits += (static_cast<unsigned char>(vector[i / 8]) >> (i % 8) & 1) != 0 ? '1' : '0';
            } else {
                elements.push_back(ElementJson(element, vector, i));
            }
        }
        return element == QUERN_BIT ? Json(bits) : elements;
    }
    if (type == 0) {
        return Json();
    }
    size_t size = 0;
    const char* text = quern_result_text(result, row, column, &size);
    const std::string bytes(text != nullptr ? text : "", size);
    if (type == QUERN_BLOB) {
        return Json(HexOf(bytes));
    }
    return type == QUERN_TAGS ? Json::parse(bytes) : Json(bytes);
}

RowBatch::RowBatch(quern_db* db, const CollectionSchema& schema,
                   const std::vector<std::string>& columns, const std::vector<Json>& rows)
    : batch_(quern_batch_new(db, schema.name.c_str(), rows.size())) {
    for (const Json& row : rows) {
        if (!row.is_array() || row.size() != columns.size() + 1) {
            Die("not a key and " + std::to_string(columns.size()) + " values: " + row.dump());
        }
    }
    SetKeys(schema, rows);
    for (size_t i = 0; i < columns.size(); i++) {
        SetColumn(schema.Find(columns[i]), i + 1, rows);
    }
}

void RowBatch::SetKeys(const CollectionSchema& schema, const std::vector<Json>& rows) {
    Values& keys = columns_.emplace_back();
    for (const Json& row : rows) {
        if (schema.key_type == QUERN_KEY_INT) {
            keys.ints.push_back(row.at(0).get<int64_t>());
        } else {
            keys.text_pointers.push_back(
                keys.texts.emplace_back(row.at(0).get<std::string>()).c_str());
        }
    }
    if (schema.key_type == QUERN_KEY_INT) {
        quern_batch_key_int(batch_, keys.ints.data());
    } else {
        quern_batch_key_text(batch_, keys.text_pointers.data());
    }
}

void RowBatch::SetColumn(const Column& column, size_t place, const std::vector<Json>& rows) {
    Values& values = columns_.emplace_back();
    values.sizes.push_back(0);
    for (const Json& row : rows) {
        const Json& value = row.at(place);
        const bool there = !value.is_null();
        values.valid.push_back(there ? 1 : 0);
        switch (column.type) {
            case QUERN_INT: values.ints.push_back(there ? value.get<int64_t>() : 0); break;
            case QUERN_REAL: values.reals.push_back(there ? value.get<double>() : 0); break;
            case QUERN_BOOL: values.bools.push_back(there && value.get<bool>() ? 1 : 0); break;
            case QUERN_TAGS:
                for (const Json& tag : value) {
                    values.text_pointers.push_back(
                        values.texts.emplace_back(tag.get<std::string>()).c_str());
                }
                values.sizes.push_back(values.text_pointers.size());
                break;
            case QUERN_DENSE:
                if (there) {
                    AppendVector(column, value, &values.matrix);
                } else {
                    values.matrix.resize(values.matrix.size() + column.dim);
                }
                break;
            default: {
                const std::string text = there ? value.get<std::string>() : std::string();
                values.texts.push_back(column.type == QUERN_BLOB ? BytesOf(text) : text);
                values.text_pointers.push_back(values.texts.back().c_str());
                values.blob_pointers.push_back(values.texts.back().data());
                values.sizes.push_back(values.texts.back().size());
                break;
            }
        }
    }
    const char* name = column.name.c_str();
    const uint8_t* valid = values.valid.data();
    switch (column.type) {
        case QUERN_INT: quern_batch_int(batch_, name, values.ints.data(), valid); break;
        case QUERN_REAL: quern_batch_real(batch_, name, values.reals.data(), valid); break;
        case QUERN_BOOL: quern_batch_bool(batch_, name, values.bools.data(), valid); break;
        case QUERN_BLOB:
            quern_batch_blob(batch_, name, values.blob_pointers.data(), values.sizes.data() + 1,
                             valid);
            break;
        case QUERN_TAGS:
            values.text_pointers.push_back(nullptr);  // never read; gives an empty list an address
            quern_batch_tags(batch_, name, values.sizes.data(), values.text_pointers.data(), valid);
            break;
        case QUERN_DENSE:
            quern_batch_dense(batch_, name, values.matrix.data(), column.dim, valid);
            break;
        default: quern_batch_text(batch_, name, values.text_pointers.data(), valid); break;
    }
}

QueryVectors::QueryVectors(const Column& field, const Json& vectors) {
    for (const Json& vector : vectors) {
        AppendVector(field, vector, &matrix);
    }
    const size_t row_bytes = (field.dim + 7) / 8;
    bits.resize(vectors.size() * row_bytes);
    for (size_t i = 0; i < matrix.size(); i++) {
        const size_t at = i % field.dim;
        if (matrix[i] > 0) {
            uint8_t& byte = bits[i / field.dim * row_bytes + at / 8];
            byte = static_cast<uint8_t>(byte | 1u << (at % 8));
        }
    }
}

}  // namespace quern::golden
