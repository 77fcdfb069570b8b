// The schema of a collection, and the small values that records are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/element.h"
#include "storage/base/status.h"

namespace quern {

// The numbers reach the file and the C API: do not change them.
enum class AttrType : int32_t {
    kInt = 1,
    kReal = 2,
    kText = 3,
    kBool = 4,
    kBlob = 5,
    kJson = 6,
    kTags = 7
};
enum class KeyType : int32_t { kInt = 1, kText = 2 };

struct AttrDef {
    uint32_t id = 0;  // unique in its collection, never used again after a drop
    std::string name;
    AttrType type = AttrType::kInt;
    std::string options = {};  // "key=value key=value"; see DenseDef
    bool operator==(const AttrDef&) const = default;
};

struct DenseDef {
    uint32_t id = 0;  // shares the id space of attributes
    std::string name;
    Element element = Element::kF32;
    Metric metric = Metric::kL2;
    uint32_t dim = 0;
    // Wishes that change no answer of an exact search: "key=value key=value", keys sorted. The file
    // keeps what a reader does not know.
    std::string options = {};
    size_t row_bytes() const { return VectorBytes(element, dim); }
    bool operator==(const DenseDef&) const = default;
};

inline constexpr uint64_t kSparseDimensionsMax = uint64_t{1} << 32;
inline constexpr size_t kSparseEntriesMax = 65535;  // of one vector

// A field of sparse vectors: pairs of a dimension (u32) and a weight (f32). Of a binary field all
// weights are 1, and segments keep none.
struct SparseDef {
    uint32_t id = 0;  // shares the id space of attributes
    std::string name;
    uint64_t dimensions = kSparseDimensionsMax;  // every dimension is below
    std::string options = {};                    // see DenseDef
    bool binary = false;
    bool operator==(const SparseDef&) const = default;
};

// A field of texts that are searched by their words. Its options say how texts become terms, and so
// belong to the answers of a search; engine/sparse/text_analyzer.h.
struct TextDef {
    uint32_t id = 0;  // shares the id space of attributes
    std::string name;
    std::string options = {};
    bool operator==(const TextDef&) const = default;
};

struct Schema {
    std::string key_name = "id";
    KeyType key_type = KeyType::kInt;
    std::vector<AttrDef> attrs;
    std::vector<DenseDef> dense;
    std::vector<SparseDef> sparse;
    std::vector<TextDef> text;
    uint32_t next_id = 1;

    // Fields of all kinds have one numbering: the dense ones, then the sparse ones, then
    // the texts.
    size_t field_count() const { return dense.size() + sparse.size() + text.size(); }
    bool is_dense(size_t field) const { return field < dense.size(); }
    const SparseDef& sparse_field(size_t field) const { return sparse[field - dense.size()]; }
    bool is_text(size_t field) const { return field >= dense.size() + sparse.size(); }
    const TextDef& text_field(size_t field) const {
        return text[field - dense.size() - sparse.size()];
    }
    uint32_t field_id(size_t field) const {
        return is_dense(field)  ? dense[field].id
               : is_text(field) ? text_field(field).id
                                : sparse_field(field).id;
    }
    const std::string& field_name(size_t field) const {
        return is_dense(field)  ? dense[field].name
               : is_text(field) ? text_field(field).name
                                : sparse_field(field).name;
    }
    // Of its kind, for messages.
    const char* field_kind(size_t field) const {
        return is_dense(field) ? "dense" : is_text(field) ? "text" : "sparse";
    }
    size_t column_count() const { return attrs.size() + field_count(); }

    int FindAttr(std::string_view name) const;   // index, or -1
    int FindField(std::string_view name) const;  // number, or -1
    // Name of the field or attribute with this id; empty when there is none.
    std::string FieldName(uint32_t id) const;
    bool HasName(
        std::string_view name) const;  // key, attribute or field; ASCII case does not count
    bool operator==(const Schema&) const = default;
};

// A key: owning; ordered as SQLite orders them (integers by value, texts by bytes).
struct Key {
    int64_t number = 0;
    std::string text;
    KeyType type = KeyType::kInt;

    static Key Int(int64_t number) { return Key{number, {}, KeyType::kInt}; }
    static Key Text(std::string_view text) { return Key{0, std::string(text), KeyType::kText}; }
    std::string ToString() const {
        return type == KeyType::kInt ? std::to_string(number) : "'" + text + "'";
    }
    friend bool operator<(const Key& a, const Key& b) {
        return a.type == KeyType::kInt ? a.number < b.number : a.text < b.text;
    }
    friend bool operator==(const Key& a, const Key& b) {
        return a.number == b.number && a.text == b.text;
    }
};
struct KeyHash {
    size_t operator()(const Key& key) const {
        return key.type == KeyType::kInt ? std::hash<int64_t>()(key.number * 0x9E3779B97F4A7C15)
                                         : std::hash<std::string>()(key.text);
    }
};

// One attribute value. Text and blob are borrowed.
struct Cell {
    enum class Kind : uint8_t { kNull, kInt, kReal, kText, kBlob };
    Kind kind = Kind::kNull;
    int64_t number = 0;
    double real = 0;
    std::string_view text;
};

// nullptr when the name is allowed, else what is wrong with it.
const char* NameProblem(std::string_view name);
bool SameName(std::string_view a, std::string_view b);  // ASCII case does not count
bool IsValidUtf8(std::string_view text);
// What is wrong with bytes as the value of a text field; NULL: nothing.
const char* TextProblem(std::string_view text);

inline constexpr size_t kKeyBytesMax = 1024;  // longer keys bloat every index page
inline constexpr size_t kColumnsMax =
    1000;  // below SQLite's column limit of 2000 with our own columns
inline constexpr size_t kColumnOptionBytesMax = 4096;
inline constexpr size_t kCollectionsMax = 65536;

}  // namespace quern
