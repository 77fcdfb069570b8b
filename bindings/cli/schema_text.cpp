// Parsing and naming of schemas.
#include "schema_text.h"

#include <algorithm>
#include <cstring>

#include "float_codes.h"

namespace quern::shell {
namespace {

static_assert(static_cast<int32_t>(ColumnType::kInt) == QUERN_INT);
static_assert(static_cast<int32_t>(ColumnType::kReal) == QUERN_REAL);
static_assert(static_cast<int32_t>(ColumnType::kText) == QUERN_TEXT);
static_assert(static_cast<int32_t>(ColumnType::kBool) == QUERN_BOOL);
static_assert(static_cast<int32_t>(ColumnType::kBlob) == QUERN_BLOB);
static_assert(static_cast<int32_t>(ColumnType::kJson) == QUERN_JSON);
static_assert(static_cast<int32_t>(ColumnType::kTags) == QUERN_TAGS);

constexpr const char* kMetrics[] = {"", "l2", "ip", "cosine", "hamming"};
constexpr const char* kElements[] = {"", "f32", "f16", "bf16", "i8", "bit"};

int32_t FindName(const char* const* names, int32_t count, const std::string& name) {
    for (int32_t i = 1; i < count; i++) {
        if (name == names[i]) {
            return i;
        }
    }
    return 0;
}

// Takes ":LAST" off the text; names may hold colons, so words are read from the right.
std::string TakeLast(std::string* text) {
    const size_t colon = text->rfind(':');
    if (colon == std::string::npos) {
        return {};
    }
    std::string last = text->substr(colon + 1);
    text->resize(colon);
    return last;
}

}  // namespace

const char* NameOfMetric(int32_t metric) {
    return metric >= 1 && metric <= 4 ? kMetrics[metric] : "?";
}
const char* NameOfElementType(int32_t type) {
    return type >= 1 && type <= 5 ? kElements[type] : "?";
}

int32_t ParseMetric(const std::string& name) {
    const int32_t metric = FindName(kMetrics, 5, name);
    if (metric == 0) {
        FailUsage("unknown metric '" + name + "'; wanted l2, ip, cosine or hamming");
    }
    return metric;
}

int32_t ParseElementType(const std::string& name) {
    const int32_t type = FindName(kElements, 6, name);
    if (type == 0) {
        FailUsage("unknown element type '" + name + "'; wanted f32, f16, bf16, i8 or bit");
    }
    return type;
}

KeyColumn ParseKeyColumn(const std::string& text) {
    KeyColumn key;
    key.name = text;
    std::string rest = text;
    const std::string last = TakeLast(&rest);
    if (last == "int" || last == "text") {
        key.name = rest;
        key.type = last == "int" ? QUERN_KEY_INT : QUERN_KEY_TEXT;
    }
    return key;
}

void CheckKeyType(const KeyColumn& key) {
    const size_t colon = key.name.rfind(':');
    if (key.type == 0 && colon != std::string::npos) {
        FailUsage("key '" + key.name + "': '" + key.name.substr(colon + 1) +
                  "' is no type of keys; wanted NAME, NAME:int or NAME:text (a name with a colon "
                  "needs its type)");
    }
}

AttrColumn ParseAttrColumn(const std::string& text) {
    AttrColumn attr;
    attr.name = text;
    std::string type = TakeLast(&attr.name);
    if (type == "index=auto" || type == "index=none") {
        attr.options = type;
        type = TakeLast(&attr.name);
    }
    if (!ColumnTypeOfName(type, &attr.type)) {
        FailUsage("attribute '" + text +
                  "': wanted NAME:TYPE[:index=auto|none] with a type int, real, text, bool, blob, "
                  "json or tags");
    }
    return attr;
}

DenseColumn ParseDenseColumn(const std::string& text) {
    DenseColumn dense;
    std::string rest = text;
    std::string last = TakeLast(&rest);
    bool typed = false;
    bool metric_given = false;
    if (int32_t type = FindName(kElements, 6, last); type != 0) {
        dense.type = type;
        typed = true;
        last = TakeLast(&rest);
    }
    if (int32_t metric = FindName(kMetrics, 5, last); metric != 0) {
        dense.metric = metric;
        metric_given = true;
        last = TakeLast(&rest);
    }
    int64_t dim = 0;
    if (!ParseInt(last, &dim) || dim < 1 || dim > static_cast<int64_t>(kDimensionMax) ||
        rest.empty()) {
        FailUsage("field '" + text +
                  "': wanted NAME:DIM[:METRIC[:TYPE]], as in emb:128:l2:f16; DIM 1 to 65536, "
                  "METRIC l2, ip, cosine or "
                  "hamming, TYPE f32, f16, bf16, i8 or bit");
    }
    dense.name = rest;
    dense.dim = static_cast<size_t>(dim);
    if (dense.metric == QUERN_HAMMING && !typed) {
        dense.type = QUERN_BIT;
    }
    if (dense.type == QUERN_BIT && !metric_given) {
        dense.metric = QUERN_HAMMING;
    }
    return dense;
}

SparseColumn ParseSparseColumn(const std::string& text) {
    SparseColumn sparse;
    sparse.name = text;
    std::string rest = text;
    std::string last = TakeLast(&rest);
    while (!rest.empty() && last.find('=') != std::string::npos) {
        sparse.index = last + (sparse.index.empty() ? "" : " ") + sparse.index;
        sparse.name = rest;
        last = TakeLast(&rest);
    }
    if (!rest.empty() && last == "binary") {
        sparse.binary = true;
        sparse.name = rest;
        last = TakeLast(&rest);
    }
    int64_t dims = 0;
    if (sparse.name.find(':') != std::string::npos) {
        if (rest.empty() || !ParseInt(last, &dims) || dims < 1 || dims > int64_t{1} << 32) {
            FailUsage("field '" + text +
                      "': wanted NAME[:DIMS][:binary][:OPTION=VALUE]..., DIMS 1 to 4294967296");
        }
        sparse.name = rest;
        sparse.dims = static_cast<uint64_t>(dims);
    }
    if (sparse.name.find(':') != std::string::npos) {
        FailUsage("field '" + text +
                  "': wanted NAME[:DIMS][:binary][:OPTION=VALUE]..., in this order; '" +
                  sparse.name + "' would be its name");
    }
    return sparse;
}

std::string SparseColumn::Options() const {
    return "dims=" + std::to_string(dims) + (binary ? " weights=none" : "") +
           (index.empty() ? "" : " " + index);
}

AttrColumn ParseTextColumn(const std::string& text) {
    const size_t colon = text.find(':');
    AttrColumn field;
    field.name = text.substr(0, colon);
    field.is_field = true;
    field.options = colon == std::string::npos ? "" : text.substr(colon + 1);
    return field;
}

const AttrColumn* CollectionColumns::FindText(const std::string& name) const {
    const AttrColumn* found = nullptr;
    for (const AttrColumn& column : attrs) {
        if (column.is_field && (name.empty() || column.name == name)) {
            if (found != nullptr) {
                return nullptr;
            }
            found = &column;
        }
    }
    return found;
}

const SparseColumn* CollectionColumns::FindSparse(const std::string& name) const {
    const auto at = std::find_if(sparse.begin(), sparse.end(),
                                 [&](const SparseColumn& field) { return field.name == name; });
    return at == sparse.end() ? nullptr : &*at;
}

const DenseColumn* CollectionColumns::FindDense(const std::string& name) const {
    const auto at = std::find_if(dense.begin(), dense.end(),
                                 [&](const DenseColumn& field) { return field.name == name; });
    return at == dense.end() ? nullptr : &*at;
}

SchemaPtr CollectionColumns::ToSchema() const {
    SchemaPtr schema(NotNull(quern_schema_new()));
    if (key.type == QUERN_KEY_TEXT) {
        quern_schema_key_text(schema.get(), key.name.c_str());
    } else {
        quern_schema_key_int(schema.get(), key.name.c_str());
    }
    for (const AttrColumn& attr : attrs) {
        if (attr.is_field) {
            quern_schema_text(schema.get(), attr.name.c_str(), attr.options.c_str());
            continue;
        }
        quern_schema_attr(schema.get(), attr.name.c_str(), static_cast<int32_t>(attr.type),
                          attr.options.c_str());
    }
    for (const DenseColumn& field : dense) {
        const std::string options = std::string("type=") + NameOfElementType(field.type) +
                                    (field.index.empty() ? "" : " " + field.index);
        quern_schema_dense(schema.get(), field.name.c_str(), field.dim, field.metric,
                           options.c_str());
    }
    for (const SparseColumn& field : sparse) {
        quern_schema_sparse(schema.get(), field.name.c_str(), field.Options().c_str());
    }
    return schema;
}

CollectionColumns ReadColumns(const quern_schema* schema) {
    CollectionColumns columns;
    columns.key.name = quern_schema_key_name(schema);
    columns.key.type = quern_schema_key_type(schema);
    for (size_t i = 0; i < quern_schema_attr_count(schema); i++) {
        columns.attrs.push_back({quern_schema_attr_name(schema, i),
                                 static_cast<ColumnType>(quern_schema_attr_type(schema, i))});
    }
    for (size_t i = 0; i < quern_schema_text_count(schema); i++) {
        columns.attrs.push_back({quern_schema_text_name(schema, i), ColumnType::kText, true,
                                 quern_schema_text_options(schema, i)});
    }
    for (size_t i = 0; i < quern_schema_dense_count(schema); i++) {
        columns.dense.push_back(
            {quern_schema_dense_name(schema, i), quern_schema_dense_dim(schema, i),
             quern_schema_dense_metric(schema, i), quern_schema_dense_type(schema, i)});
    }
    for (size_t i = 0; i < quern_schema_sparse_count(schema); i++) {
        columns.sparse.push_back({quern_schema_sparse_name(schema, i),
                                  quern_schema_sparse_dims(schema, i),
                                  {},
                                  quern_schema_sparse_type(schema, i) == QUERN_BIT});
    }
    return columns;
}

const DenseColumn& ChooseDense(const CollectionColumns& columns, const std::string& name) {
    if (name.empty()) {
        if (columns.dense.size() == 1) {
            return columns.dense[0];
        }
        FailUsage(columns.dense.empty() ? "the collection has no vector field"
                                        : "the collection has several vector fields: give --field");
    }
    const DenseColumn* field = columns.FindDense(name);
    if (field == nullptr) {
        std::string known;
        for (const DenseColumn& dense : columns.dense) {
            known += (known.empty() ? "" : ", ") + dense.name;
        }
        Fail("the collection has no vector field '" + name + "'" +
             (known.empty() ? "" : "; it has " + known));
    }
    return *field;
}

}  // namespace quern::shell
