// Schemas as words on the command line: "year:int", "emb:128:l2:f16", "id:text".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shell.h"
#include "type_inference.h"

namespace quern::shell {

struct KeyColumn {
    std::string name = "id";
    int32_t type = 0;  // QUERN_KEY_INT or QUERN_KEY_TEXT; 0 when it was not said
};
struct AttrColumn {
    std::string name;
    ColumnType type = ColumnType::kText;
    // A text field: its values come and go as those of a text attribute do.
    bool is_field = false;
    std::string options = {};  // of it; of an attribute "index=none"
};
struct DenseColumn {
    std::string name;
    size_t dim = 0;
    int32_t metric = QUERN_L2;
    int32_t type = QUERN_F32;
    std::string index = {};  // options of its index, "codes=4bit m=32"
};

struct SparseColumn {
    std::string name;
    uint64_t dims = uint64_t{1} << 32;
    std::string index = {};  // options of its index, "approx=graph index=auto"
    bool binary = false;
    std::string Options() const;
};

// These throw a usage error that says what was wanted.
KeyColumn ParseKeyColumn(const std::string& text);  // NAME[:int|text]
// Throws a usage error when the name ends in a word that could be meant for a type: id:real.
void CheckKeyType(const KeyColumn& key);
AttrColumn ParseAttrColumn(const std::string& text);      // NAME:TYPE[:index=auto|none]
DenseColumn ParseDenseColumn(const std::string& text);    // NAME:DIM[:METRIC[:TYPE]]
SparseColumn ParseSparseColumn(const std::string& text);  // NAME[:DIMS][:binary][:OPTION=VALUE]...
AttrColumn ParseTextColumn(const std::string& text);      // NAME[:OPTIONS]
int32_t ParseMetric(const std::string& name);
int32_t ParseElementType(const std::string& name);

const char* NameOfMetric(int32_t metric);
const char* NameOfElementType(int32_t type);

// A collection's columns.
struct CollectionColumns {
    KeyColumn key;
    std::vector<AttrColumn> attrs;  // then the text fields
    std::vector<DenseColumn> dense;
    std::vector<SparseColumn> sparse;

    const DenseColumn* FindDense(const std::string& name) const;
    const SparseColumn* FindSparse(const std::string& name) const;
    // The text field of that name; with an empty name the only one there is. NULL: none.
    const AttrColumn* FindText(const std::string& name) const;
    SchemaPtr ToSchema() const;
};
CollectionColumns ReadColumns(const quern_schema* schema);

// The dense field of that name; with an empty name the only one there is. Throws a usage error
// otherwise.
const DenseColumn& ChooseDense(const CollectionColumns& columns, const std::string& name);

}  // namespace quern::shell
