// Schemas and collections.

#include "capi/handles.h"
#include "engine/db/index_options.h"
#include "engine/db/schema_change.h"
#include "engine/db/text_column.h"
#include "storage/base/json.h"

using namespace quern;
using namespace quern::capi;

namespace {

Status MakeAttr(const char* name, int32_t type, const char* options, AttrDef* attr) {
    QUERN_TRY(NotNull(name, "name"));
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"index"}, &list));
    AttrIndexOptions index;
    for (const Option& option : list) {
        QUERN_ASSIGN(const bool taken, AttrIndexOptions::Take(option.key, option.value, &index));
        static_cast<void>(taken);
    }
    if (type < QUERN_INT || type > QUERN_TAGS) {
        return Status::Error(Code::kInvalid, "attribute '%s': there is no type number %d", name,
                             static_cast<int>(type));
    }
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "attribute name '%s' %s", name, problem);
    }
    attr->name = name;
    attr->type = static_cast<AttrType>(type);
    attr->options = index.Text();
    return {};
}

Status MakeDense(const char* name, size_t dim, int32_t metric, const char* options,
                 DenseDef* field) {
    QUERN_TRY(NotNull(name, "name"));
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "field name '%s' %s", name, problem);
    }
    if (metric < QUERN_L2 || metric > QUERN_HAMMING) {
        return Status::Error(Code::kInvalid, "field '%s': there is no metric number %d", name,
                             static_cast<int>(metric));
    }
    if (dim < 1 || dim > kDimMax) {
        return Status::Error(Code::kInvalid, "field '%s': dimension %zu is not between 1 and %zu",
                             name, dim, kDimMax);
    }
    field->name = name;
    field->metric = static_cast<Metric>(metric);
    field->dim = static_cast<uint32_t>(dim);
    field->element = field->metric == Metric::kHamming ? Element::kBit : Element::kF32;
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(
        options, {"type", "index", "codes", "fine", "m", "ef_build", "lists", "delivers"}, &list));
    // The default of a new field only: a field of a file that says nothing was made by a version
    // that had no indexes unless asked, and keeps its exact answers.
    IndexOptions index;
    index.index = IndexChoice::kAuto;
    for (const Option& option : list) {
        QUERN_ASSIGN(const bool taken, IndexOptions::Take(option.key, option.value, &index));
        if (taken) {
            continue;
        }
        if (option.value == "f32") {
            field->element = Element::kF32;
        } else if (option.value == "f16") {
            field->element = Element::kF16;
        } else if (option.value == "bf16") {
            field->element = Element::kBF16;
        } else if (option.value == "i8") {
            field->element = Element::kI8;
        } else if (option.value == "bit") {
            field->element = Element::kBit;
        } else {
            return BadValue(option, "f32, f16, bf16, i8 or bit");
        }
    }
    if (index.index == IndexChoice::kLists && !index.ListsTakeCodes()) {
        return Status::Error(Code::kOption,
                             "field '%s': index=lists takes codes=auto, i8, 4bit or f32", name);
    }
    if ((field->metric == Metric::kHamming) != (field->element == Element::kBit)) {
        return Status::Error(Code::kInvalid,
                             "field '%s': bit fields and the hamming metric go together", name);
    }
    field->options = index.Text();
    return {};
}

Status MakeSparse(const char* name, const char* options, SparseDef* field) {
    QUERN_TRY(NotNull(name, "name"));
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "field name '%s' %s", name, problem);
    }
    field->name = name;
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options,
                           {"dims", "index", "approx", "buckets", "impacts", "prune_mass",
                            "prune_ratio", "prune_below", "prune_top", "weights"},
                           &list));
    SparseIndexOptions index;
    index.index = true;
    for (const Option& option : list) {
        QUERN_ASSIGN(const bool taken, SparseIndexOptions::Take(option.key, option.value, &index));
        if (taken) {
            continue;
        }
        if (option.key == "weights") {
            if (option.value != "f32" && option.value != "none") {
                return BadValue(option, "f32 or none");
            }
            field->binary = option.value == "none";
            continue;
        }
        int64_t dimensions = 0;
        QUERN_TRY(ParseInteger(option, 1, static_cast<int64_t>(kSparseDimensionsMax), &dimensions));
        field->dimensions = static_cast<uint64_t>(dimensions);
    }
    if (index.approximate && !index.index) {
        return Status::Error(Code::kOption, "field '%s': approx=graph needs an index", name);
    }
    const auto pruned = std::find_if(list.begin(), list.end(), [](const Option& option) {
        return option.key.compare(0, 6, "prune_") == 0;
    });
    if (field->binary && pruned != list.end()) {
        return Status::Error(Code::kOption,
                             "field '%s': option %s goes by weights, of which a binary field "
                             "(weights=none) has none",
                             name, pruned->key.c_str());
    }
    if (index.buckets > field->dimensions) {
        return Status::Error(Code::kOption, "field '%s': %u buckets, but %llu dimensions", name,
                             index.buckets, static_cast<unsigned long long>(field->dimensions));
    }
    field->options = index.Text();
    return {};
}

Status MakeText(const char* name, const char* options, TextDef* field) {
    QUERN_TRY(NotNull(name, "name"));
    if (const char* problem = NameProblem(name)) {
        return Status::Error(Code::kInvalid, "field name '%s' %s", name, problem);
    }
    field->name = name;
    field->options = options == nullptr ? "" : options;
    return CheckTextField(*field);
}

Status CheckFree(const Schema& schema, const std::string& name) {
    if (schema.HasName(name)) {
        return Status::Error(Code::kExists, "the schema has a column '%s' already", name.c_str());
    }
    if (schema.column_count() >= kColumnsMax) {
        return Status::Error(Code::kLimit, "a collection can have %zu columns", kColumnsMax);
    }
    return {};
}

void SetKey(quern_schema* s, const char* name, KeyType type) {
    if (!IsHandle(s, Magic::kSchema)) {
        return;
    }
    Remember(&s->error, [&]() -> Status {
        QUERN_TRY(NotNull(name, "name"));
        if (const char* problem = NameProblem(name)) {
            return Status::Error(Code::kInvalid, "key name '%s' %s", name, problem);
        }
        if (s->schema.FindAttr(name) >= 0 || s->schema.FindField(name) >= 0) {
            return Status::Error(Code::kExists, "the schema has a column '%s' already", name);
        }
        s->schema.key_name = name;
        s->schema.key_type = type;
        return {};
    });
}

bool IsSchema(const quern_schema* s) {
    return IsHandle(s, Magic::kSchema);
}

// Runs an operation on a named collection.
template <typename Body>
int32_t OnCollection(quern_db* db, const char* collection, quern_error* err, Body body) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return body(*db->database, std::string(collection));
    });
}

}  // namespace

quern_schema* quern_schema_new(void) {
    return NewHandle<quern_schema>().release();
}

void quern_schema_free(quern_schema* s) {
    if (IsSchema(s)) {
        delete s;
    }
}

void quern_schema_key_int(quern_schema* s, const char* name) {
    SetKey(s, name, KeyType::kInt);
}
void quern_schema_key_text(quern_schema* s, const char* name) {
    SetKey(s, name, KeyType::kText);
}

void quern_schema_attr(quern_schema* s, const char* name, int32_t type, const char* options) {
    if (!IsSchema(s)) {
        return;
    }
    Remember(&s->error, [&]() -> Status {
        AttrDef attr;
        QUERN_TRY(MakeAttr(name, type, options, &attr));
        QUERN_TRY(CheckFree(s->schema, attr.name));
        s->schema.attrs.push_back(attr);
        return {};
    });
}

void quern_schema_dense(quern_schema* s, const char* name, size_t dim, int32_t metric,
                        const char* options) {
    if (!IsSchema(s)) {
        return;
    }
    Remember(&s->error, [&]() -> Status {
        DenseDef field;
        QUERN_TRY(MakeDense(name, dim, metric, options, &field));
        QUERN_TRY(CheckFree(s->schema, field.name));
        s->schema.dense.push_back(field);
        return {};
    });
}

void quern_schema_sparse(quern_schema* s, const char* name, const char* options) {
    if (!IsSchema(s)) {
        return;
    }
    Remember(&s->error, [&]() -> Status {
        SparseDef field;
        QUERN_TRY(MakeSparse(name, options, &field));
        QUERN_TRY(CheckFree(s->schema, field.name));
        s->schema.sparse.push_back(field);
        return {};
    });
}

void quern_schema_text(quern_schema* s, const char* name, const char* options) {
    if (!IsSchema(s)) {
        return;
    }
    Remember(&s->error, [&]() -> Status {
        TextDef field;
        QUERN_TRY(MakeText(name, options, &field));
        QUERN_TRY(CheckFree(s->schema, field.name));
        s->schema.text.push_back(field);
        return {};
    });
}

const char* quern_schema_key_name(const quern_schema* s) {
    return IsSchema(s) ? s->schema.key_name.c_str() : nullptr;
}
int32_t quern_schema_key_type(const quern_schema* s) {
    return !IsSchema(s) ? 0 : s->schema.key_type == KeyType::kInt ? QUERN_KEY_INT : QUERN_KEY_TEXT;
}
size_t quern_schema_attr_count(const quern_schema* s) {
    return IsSchema(s) ? s->schema.attrs.size() : 0;
}
const char* quern_schema_attr_name(const quern_schema* s, size_t i) {
    return i < quern_schema_attr_count(s) ? s->schema.attrs[i].name.c_str() : nullptr;
}
int32_t quern_schema_attr_type(const quern_schema* s, size_t i) {
    return i < quern_schema_attr_count(s) ? static_cast<int32_t>(s->schema.attrs[i].type) : 0;
}
size_t quern_schema_dense_count(const quern_schema* s) {
    return IsSchema(s) ? s->schema.dense.size() : 0;
}
const char* quern_schema_dense_name(const quern_schema* s, size_t i) {
    return i < quern_schema_dense_count(s) ? s->schema.dense[i].name.c_str() : nullptr;
}
size_t quern_schema_dense_dim(const quern_schema* s, size_t i) {
    return i < quern_schema_dense_count(s) ? s->schema.dense[i].dim : 0;
}
int32_t quern_schema_dense_type(const quern_schema* s, size_t i) {
    return i < quern_schema_dense_count(s) ? static_cast<int32_t>(s->schema.dense[i].element) : 0;
}
int32_t quern_schema_dense_metric(const quern_schema* s, size_t i) {
    return i < quern_schema_dense_count(s) ? static_cast<int32_t>(s->schema.dense[i].metric) : 0;
}

size_t quern_schema_sparse_count(const quern_schema* s) {
    return IsSchema(s) ? s->schema.sparse.size() : 0;
}
const char* quern_schema_sparse_name(const quern_schema* s, size_t i) {
    return i < quern_schema_sparse_count(s) ? s->schema.sparse[i].name.c_str() : nullptr;
}
uint64_t quern_schema_sparse_dims(const quern_schema* s, size_t i) {
    return i < quern_schema_sparse_count(s) ? s->schema.sparse[i].dimensions : 0;
}

int32_t quern_schema_sparse_type(const quern_schema* s, size_t i) {
    if (i >= quern_schema_sparse_count(s)) {
        return 0;
    }
    return s->schema.sparse[i].binary ? QUERN_BIT : QUERN_F32;
}

const char* quern_schema_sparse_options(const quern_schema* s, size_t i) {
    return i < quern_schema_sparse_count(s) ? s->schema.sparse[i].options.c_str() : nullptr;
}

size_t quern_schema_text_count(const quern_schema* s) {
    return IsSchema(s) ? s->schema.text.size() : 0;
}
const char* quern_schema_text_name(const quern_schema* s, size_t i) {
    return i < quern_schema_text_count(s) ? s->schema.text[i].name.c_str() : nullptr;
}
const char* quern_schema_text_options(const quern_schema* s, size_t i) {
    return i < quern_schema_text_count(s) ? s->schema.text[i].options.c_str() : nullptr;
}

int32_t quern_create(quern_db* db, const char* collection, const quern_schema* s,
                     quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& name) -> Status {
                            QUERN_TRY(CheckHandle(s, Magic::kSchema, "s"));
                            QUERN_TRY(s->error);
                            return database.CreateCollection(name, s->schema);
                        });
}

int32_t quern_drop(quern_db* db, const char* collection, quern_error* err) {
    return OnCollection(db, collection, err, [&](Database& database, const std::string& name) {
        return database.DropCollection(name);
    });
}

int32_t quern_rename(quern_db* db, const char* from, const char* to, quern_error* err) {
    return OnCollection(db, from, err, [&](Database& database, const std::string& name) -> Status {
        QUERN_TRY(NotNull(to, "to"));
        return database.RenameCollection(name, to);
    });
}

int32_t quern_describe(quern_db* db, const char* collection, quern_schema** s, quern_error* err) {
    if (s != nullptr) {
        *s = nullptr;
    }
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& name) -> Status {
                            QUERN_TRY(NotNull(s, "s"));
                            QUERN_ASSIGN(const auto infos, database.Collections(&name));
                            auto schema = std::make_unique<quern_schema>();
                            schema->schema = infos[0]->schema;
                            *s = schema.release();
                            return {};
                        });
}

int32_t quern_collections(quern_db* db, quern_text** names, quern_error* err) {
    if (names != nullptr) {
        *names = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(names, "names"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const auto infos, db->database->Collections(nullptr));
        std::vector<std::string> list;
        for (const auto& info : infos) {
            list.push_back(info->name);
        }
        std::sort(list.begin(), list.end());
        Json json = Json::Array();
        for (std::string& name : list) {
            json.push_back(std::move(name));
        }
        auto text = std::make_unique<quern_text>();
        text->text = json.Text();
        *names = text.release();
        return {};
    });
}

int32_t quern_add_attr(quern_db* db, const char* collection, const char* name, int32_t type,
                       const char* options, quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& where) -> Status {
                            AttrDef attr;
                            QUERN_TRY(MakeAttr(name, type, options, &attr));
                            return database.AddAttr(where, attr);
                        });
}

int32_t quern_set_attr(quern_db* db, const char* collection, const char* name, const char* options,
                       quern_error* err) {
    return OnCollection(
        db, collection, err, [&](Database& database, const std::string& where) -> Status {
            QUERN_TRY(NotNull(name, "name"));
            std::vector<Option> list;
            const Status read = ParseOptions(options, {"index"}, &list);
            if (!read.ok() || list.empty()) {
                return Status::Error(Code::kOption,
                                     "attribute '%s': %s; only index=auto or index=none can be set "
                                     "later",
                                     name,
                                     read.ok() ? "no option is given" : read.message().c_str());
            }
            AttrIndexOptions index;
            QUERN_TRY(AttrIndexOptions::Take(list[0].key, list[0].value, &index).status());
            return SetAttrIndex(&database, where, name, index.index);
        });
}

int32_t quern_add_dense(quern_db* db, const char* collection, const char* name, size_t dim,
                        int32_t metric, const char* options, quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& where) -> Status {
                            DenseDef field;
                            QUERN_TRY(MakeDense(name, dim, metric, options, &field));
                            return database.AddDense(where, field);
                        });
}

int32_t quern_add_sparse(quern_db* db, const char* collection, const char* name,
                         const char* options, quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& where) -> Status {
                            SparseDef field;
                            QUERN_TRY(MakeSparse(name, options, &field));
                            return database.AddSparse(where, field);
                        });
}

int32_t quern_add_text(quern_db* db, const char* collection, const char* name, const char* options,
                       quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& where) -> Status {
                            TextDef field;
                            QUERN_TRY(MakeText(name, options, &field));
                            return database.AddText(where, field);
                        });
}

int32_t quern_drop_column(quern_db* db, const char* collection, const char* name,
                          quern_error* err) {
    return OnCollection(db, collection, err,
                        [&](Database& database, const std::string& where) -> Status {
                            QUERN_TRY(NotNull(name, "name"));
                            return database.DropColumn(where, name);
                        });
}
