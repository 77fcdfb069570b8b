// A batch of records by columns, as it comes over the C border: everything is borrowed from the
// caller and nothing is believed until it has been checked against the schema of the collection
// (CheckedBatch).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "storage/base/bytes.h"
#include "storage/base/schema.h"
#include "storage/base/status.h"

namespace quern {

// One attribute column, or the texts of a text field, as the caller gave it.
struct AttrInput {
    std::string name;
    AttrType type = AttrType::kInt;  // of the setter; a text setter serves text and json
    const void* values = nullptr;    // int64_t, double, uint8_t, const char* or const void* each
    const size_t* sizes = nullptr;   // blob: bytes of each; tags: n + 1 offsets
    const uint8_t* valid = nullptr;  // NULL: all
};

struct VectorInput {
    std::string name;
    const void* values = nullptr;
    bool is_f32 = true;  // f32 to be converted, else elements of `element`
    Element element = Element::kF32;
    size_t dim = 0;
    const uint8_t* valid = nullptr;
};

// Sparse vectors: number i has the entries offsets[i] .. offsets[i + 1] - 1.
struct SparseInput {
    std::string name;
    size_t count = 0;
    const size_t* offsets = nullptr;  // count + 1
    const uint32_t* dimensions = nullptr;
    const float* weights = nullptr;  // NULL: all are 1
    const uint8_t* valid = nullptr;  // NULL: all
};
// Number i of the input in normal form; an error says what is wrong with it, and where.
Status TakeSparseVector(const SparseInput& input, size_t i, uint64_t dimensions,
                        sparse::SparseVector* out);

struct RecordBatch {
    std::string collection;
    size_t count = 0;
    const int64_t* int_keys = nullptr;
    const char* const* text_keys = nullptr;
    std::vector<AttrInput> attrs;
    std::vector<VectorInput> vectors;
    std::vector<SparseInput> sparse;
};

// A batch that fits a schema: columns resolved, vectors finite and in the field's element type,
// keys valid and distinct.
class CheckedBatch {
public:
    enum class Columns { kAll, kKeysOnly };
    static Status Make(const RecordBatch& batch, const Schema& schema, size_t attr_bytes_max,
                       Columns columns, CheckedBatch* out);

    size_t count() const { return keys_.size(); }
    const Key& key(size_t i) const { return keys_[i]; }
    // True when the batch sets this attribute or field (by index in the schema).
    bool has_attr(size_t attr) const { return attr_input_[attr] >= 0; }
    bool has_field(size_t field) const { return !fields_[field].empty_column; }
    // Checked value of an attribute; null when the column is not set. Borrowed from the batch or
    // from scratch of this object, which the next call for the same attribute reuses.
    Result<Cell> cell(size_t i, size_t attr);
    // Elements of a vector, a sparse value, or a text; a view without data when absent.
    BytesView vector(size_t i, size_t field) const;
    uint64_t vector_bytes() const { return vector_bytes_; }
    // Positions in key order.
    std::vector<uint32_t> KeyOrder() const;

private:
    struct Field {
        bool empty_column = true;
        const char* rows = nullptr;
        size_t row_bytes = 0;
        const uint8_t* valid = nullptr;
        Bytes converted;
        std::vector<BytesView> texts;  // borrowed
        std::vector<size_t> starts;    // sparse: of each value in `converted`, and the end
    };
    Status TakeKeys(const RecordBatch& batch, const Schema& schema);
    Status TakeVectors(const VectorInput& input, const DenseDef& def, Field* field);
    Status TakeTexts(const AttrInput& input, const TextDef& def, Field* field);
    Status TakeSparse(const SparseInput& input, const SparseDef& def, Field* field);
    Status CheckBinary(const SparseInput& input, size_t i, const SparseDef& def) const;
    std::string RecordName(size_t i) const {
        return "record " + std::to_string(i) + " (key " + keys_[i].ToString() + ")";
    }

    const Schema* schema_ = nullptr;
    std::vector<Key> keys_;
    std::vector<AttrInput> attrs_;
    std::vector<int> attr_input_;  // per attribute of the schema: index in attrs_, or -1
    std::vector<Field> fields_;
    std::vector<std::string> scratch_;  // per attribute
    size_t attr_bytes_max_ = 0;
    uint64_t vector_bytes_ = 0;
};

// True when the text is one valid JSON value (RFC 8259), nested at most 64 deep. *has_nul: whether
// a text in it has an escaped U+0000, where SQLite's functions of JSON would end it.
bool IsValidJson(std::string_view text, bool* has_nul);
// A JSON array of the distinct tags in order.
std::string TagsToJson(std::vector<std::string_view> tags);

}  // namespace quern
