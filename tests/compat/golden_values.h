// How schemas, records and vectors look in the answers of a golden file, and how they pass through
// the C API. The writer and the test share this and nothing else.
//
// A record is an array: its key, then the values of the columns in the order of "*" (attributes,
// then fields, each in the order of their creation). Null and absent are null.
//
//   int, real, bool   number, number, true or false
//   text, json        the text
//   tags              array of texts in byte order, without repeats
//   blob              two hexadecimal digits a byte
//   dense             array of numbers, each exactly what the stored element means
//   dense, bit        text of 0 and 1, dimension 0 first
//
// Everything here ends the program with a message when the file at hand makes no sense: these are
// tests, and the answers are ours.
#pragma once

#include <quern.h>

#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace quern::golden {

using Json = nlohmann::ordered_json;

struct Column {
    std::string name;
    int32_t type = QUERN_INT;  // QUERN_INT .. QUERN_DENSE
    // Dense fields only.
    size_t dim = 0;
    int32_t metric = QUERN_L2;
    int32_t element = QUERN_F32;
};

struct CollectionSchema {
    std::string name;
    std::string key_name = "id";
    int32_t key_type = QUERN_KEY_INT;
    std::vector<Column> columns;  // attributes, then fields

    const Column& Find(const std::string& column) const;
    // Where the value of a column stands in a record.
    size_t PlaceOf(const std::string& column) const;
};

// Members "name", "key", "attributes" and "fields", as in quern_info.
Json SchemaJson(const CollectionSchema& schema);
CollectionSchema ParseSchema(const Json& json);
// What quern_describe says.
CollectionSchema DescribedSchema(const std::string& name, const quern_schema* described);
std::string TypeOption(const Column& column);  // "type=f16"

// A whole number without its ".0", so that one value has one form.
Json NumberJson(double number);
std::string HexOf(const std::string& bytes);

// A key or a value of a result.
Json ReadKey(const quern_result* result, size_t row, int32_t key_type);
Json ReadValue(const quern_result* result, size_t row, size_t column);

// Records that become a batch. It owns what the batch borrows.
class RowBatch {
public:
    // rows: arrays of a key and one value for each of `columns`.
    RowBatch(quern_db* db, const CollectionSchema& schema, const std::vector<std::string>& columns,
             const std::vector<Json>& rows);
    ~RowBatch() { quern_batch_free(batch_); }
    RowBatch(const RowBatch&) = delete;
    RowBatch& operator=(const RowBatch&) = delete;
    quern_batch* get() const { return batch_; }

private:
    struct Values {
        std::vector<uint8_t> valid;
        std::vector<int64_t> ints;
        std::vector<double> reals;
        std::vector<uint8_t> bools;
        std::deque<std::string> texts;  // a deque: pointers to its elements stay valid
        std::vector<const char*> text_pointers;
        std::vector<const void*> blob_pointers;
        std::vector<size_t> sizes;  // of blobs; offsets of tags
        std::vector<float> matrix;
    };
    void SetKeys(const CollectionSchema& schema, const std::vector<Json>& rows);
    void SetColumn(const Column& column, size_t place, const std::vector<Json>& rows);
    std::deque<Values> columns_;
    quern_batch* batch_;
};

// A query matrix of f32, and of packed bits for a bit field.
struct QueryVectors {
    std::vector<float> matrix;
    std::vector<uint8_t> bits;
    QueryVectors(const Column& field, const Json& vectors);
};

struct FreeHandle {
    void operator()(quern_db* p) const { quern_close(p); }
    void operator()(quern_schema* p) const { quern_schema_free(p); }
    void operator()(quern_query* p) const { quern_query_free(p); }
    void operator()(quern_cursor* p) const { quern_cursor_free(p); }
    void operator()(quern_result* p) const { quern_result_free(p); }
    void operator()(quern_text* p) const { quern_text_free(p); }
};
template <typename T>
using Handle = std::unique_ptr<T, FreeHandle>;

[[noreturn]] void Die(const std::string& message);

}  // namespace quern::golden
