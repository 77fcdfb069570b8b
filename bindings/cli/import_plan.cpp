// Planning an import and checking its rows.
#include "import_plan.h"

#include <algorithm>
#include <cmath>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kKeyBytesMax = 1024;

[[noreturn]] void BadRow(const Record& record, const std::string& what) {
    throw FormatError(record.where + ": " + what, true, record.line);
}

// Where a value stands, as the file has it.
std::string PlaceOf(const Record& record, const std::string& column) {
    return record.is_line ? "the line" : "column '" + column + "'";
}

// Names in the database do not start with "_"; "_id" is common in JSONL files.
std::string CleanKeyName(const std::string& name) {
    const size_t start = name.find_first_not_of('_');
    return start == std::string::npos ? "id" : name.substr(start);
}

const InferredColumn* FindInferred(const std::vector<InferredColumn>& columns,
                                   const std::string& name) {
    const auto at = std::find_if(columns.begin(), columns.end(),
                                 [&](const InferredColumn& column) { return column.name == name; });
    return at == columns.end() ? nullptr : &*at;
}

template <typename Column>
size_t IndexOf(const std::vector<Column>& columns, const std::string& name) {
    const auto at = std::find_if(columns.begin(), columns.end(),
                                 [&](const Column& column) { return column.name == name; });
    return static_cast<size_t>(at - columns.begin());
}

template <typename Column>
bool Has(const std::vector<Column>& columns, const std::string& name) {
    return IndexOf(columns, name) < columns.size();
}

}  // namespace

ImportPlan::ImportPlan(const ImportChoices& choices, const std::deque<Record>& sample,
                       bool has_columns, const CollectionColumns* existing)
    : choices_(choices), existing_(existing != nullptr) {
    if (!choices_.key.empty()) {
        key_choice_ = ParseKeyColumn(choices_.key);
    }
    for (const std::string& text : choices_.attrs) {
        attr_choices_.push_back(ParseAttrColumn(text));
    }
    for (const std::string& text : choices_.texts) {
        attr_choices_.push_back(ParseTextColumn(text));
    }
    for (const std::string& text : choices_.dense) {
        dense_choices_.push_back(ParseDenseColumn(text));
    }
    for (const std::string& text : choices_.sparse) {
        sparse_choices_.push_back(ParseSparseColumn(text));
    }
    for (const std::string& text : choices_.renames) {
        const size_t equals = text.find('=');
        if (equals == std::string::npos || equals + 1 == text.size()) {
            FailUsage("--rename '" + text + "': wanted OLD=NEW");
        }
        renames_[text.substr(0, equals)] = text.substr(equals + 1);
    }
    if (!has_columns && choices_.field.empty()) {
        FailUsage("this format holds vectors: name their field with --field");
    }
    if (!choices_.vocabulary.empty()) {
        terms_ = std::make_unique<TermDimensions>(choices_.vocabulary);
    }
    TypeInference inference;
    for (const Record& record : sample) {
        inference.Add(record);
    }
    const std::vector<InferredColumn> inferred = inference.Columns();
    if (existing_) {
        schema_ = *existing;
    }
    ChooseKey(sample, inferred, has_columns);
    ChooseMatrix();
    if (existing_) {
        PlanExisting(sample, inferred, has_columns);
    } else {
        PlanNew(sample, inferred, has_columns);
    }
    ChooseIndex();
    if (!has_columns) {
        vector_index_ = IndexOf(active_.dense, choices_.field);
    }
    if (!choices_.rest.empty()) {
        rest_index_ = IndexOf(active_.attrs, choices_.rest);
    }
}

std::string ImportPlan::TargetName(const std::string& file_name) const {
    const auto at = renames_.find(file_name);
    return at == renames_.end() ? file_name : at->second;
}

bool ImportPlan::IsKeyColumn(const std::string& file_name) const {
    return key_source_ == KeySource::kColumn && file_name == key_column_;
}

bool ImportPlan::IsRest(const std::string& name) const {
    return !choices_.rest.empty() && name == choices_.rest;
}

bool ImportPlan::IsChosen(const std::string& file_name) const {
    return choices_.columns.empty() || std::find(choices_.columns.begin(), choices_.columns.end(),
                                                 file_name) != choices_.columns.end();
}

void ImportPlan::ChooseKey(const std::deque<Record>& sample,
                           const std::vector<InferredColumn>& inferred, bool has_columns) {
    const bool record_keys = !sample.empty() && sample.front().has_key;
    int32_t natural_type = QUERN_KEY_INT;
    if (has_columns && !record_keys) {
        const std::string default_name = existing_ ? schema_.key.name : "id";
        bool found = !choices_.key.empty();
        if (found) {
            key_column_ = key_choice_.name;
            if (FindInferred(inferred, key_column_) == nullptr) {
                CheckKeyType(key_choice_);
            }
            if (!sample.empty() && FindInferred(inferred, key_column_) == nullptr) {
                Fail("the file has no column '" + key_column_ + "' for the key");
            }
        } else {
            for (const InferredColumn& column : inferred) {
                if (TargetName(column.name) == default_name) {
                    key_column_ = column.name;  // perhaps of no name in the file
                    found = true;
                }
            }
        }
        if (found) {
            key_source_ = KeySource::kColumn;
            const InferredColumn* column = FindInferred(inferred, key_column_);
            natural_type = column != nullptr && column->type == ColumnType::kInt ? QUERN_KEY_INT
                                                                                 : QUERN_KEY_TEXT;
        }
    } else if (record_keys) {
        key_source_ = KeySource::kRecordKey;
        natural_type = QUERN_KEY_TEXT;
    } else if (!choices_.key.empty() && key_choice_.type == 0) {
        CheckKeyType(key_choice_);
        FailUsage("this format has no columns: --key can only name the key, as in --key " +
                  key_choice_.name + ":int");
    }
    plain_key_ = key_choice_.type == 0;
    if (existing_) {
        if (key_choice_.type != 0 && key_choice_.type != schema_.key.type) {
            Fail(std::string("the collection's key is ") +
                 (schema_.key.type == QUERN_KEY_INT ? "an int" : "a text"));
        }
        return;
    }
    schema_.key.name = choices_.key.empty() ? "id" : CleanKeyName(TargetName(key_choice_.name));
    schema_.key.type = key_choice_.type != 0 ? key_choice_.type : natural_type;
}

// One matrix in a file of columns is what npy would have alone: vectors.
void ImportPlan::ChooseMatrix() {
    const std::string name = TargetName(choices_.only_matrix);
    const bool makes = !existing_ || choices_.add;
    if (choices_.only_matrix.empty() || name.empty() || !makes || !choices_.field.empty() ||
        IsKeyColumn(choices_.only_matrix) || !IsChosen(choices_.only_matrix) || IsRest(name) ||
        Has(attr_choices_, name) || Has(sparse_choices_, name) || Has(dense_choices_, name) ||
        Has(schema_.attrs, name) || schema_.FindDense(name) != nullptr) {
        return;
    }
    choices_.field = name;
    notes_.push_back("array '" + choices_.only_matrix +
                     "' becomes a vector field; --field says which, --attr " + name +
                     ":json that it is none");
}

AttrColumn ImportPlan::NewAttr(const InferredColumn& column) {
    const std::string name = TargetName(column.name);
    const size_t chosen = IndexOf(attr_choices_, name);
    if (name.empty()) {
        Fail(
            "a column of the file has no name, as the index that pandas writes: --rename =NAME "
            "gives it one, --columns a,b takes others only");
    }
    if (chosen < attr_choices_.size()) {
        return attr_choices_[chosen];
    }
    if (!column.rounded.empty()) {
        notes_.push_back("column '" + column.name + "' becomes a " + NameOfColumnType(column.type) +
                         " attribute: as a real, " + column.rounded + " (" + column.rounded_at +
                         ") would be rounded");
    }
    if (column.sparse) {
        // Who has named a field that the file has not means this one.
        const bool named = sparse_choices_.size() == 1 && renames_.empty();
        notes_.push_back("column '" + column.name +
                         "' holds sparse vectors and becomes a json attribute; give " +
                         (named ? "--rename " + column.name + "=" + sparse_choices_[0].name
                                : "--sparse " + name) +
                         " to make it a field");
    }
    return {name, column.type};
}

DenseColumn ImportPlan::NewField(const std::deque<Record>& sample,
                                 const std::vector<InferredColumn>& inferred, bool has_columns) {
    DenseColumn field;
    field.name = choices_.field;
    if (!choices_.metric.empty()) {
        field.metric = ParseMetric(choices_.metric);
    }
    if (!choices_.type.empty()) {
        field.type = ParseElementType(choices_.type);
    }
    if (field.metric == QUERN_HAMMING && choices_.type.empty()) {
        field.type = QUERN_BIT;
    }
    if (field.type == QUERN_BIT && choices_.metric.empty()) {
        field.metric = QUERN_HAMMING;
    }
    if (!has_columns) {
        field.dim = sample.empty() ? 0 : sample.front().vector.size();
    } else {
        for (const InferredColumn& column : inferred) {
            if (TargetName(column.name) == field.name) {
                field.dim = column.vector_dim;
            }
        }
    }
    if (field.dim == 0) {
        const auto sparse =
            std::find_if(inferred.begin(), inferred.end(),
                         [](const InferredColumn& column) { return column.sparse; });
        Fail(sample.empty()
                 ? "the file holds no records"
                 : "the column '" + field.name +
                       "' of the file holds no vector (an array of "
                       "1 to 65536 numbers) in its first records" +
                       (sparse == inferred.end() ? ""
                                                 : "; sparse vectors are a field with --sparse " +
                                                       sparse->name + " in place of --field"));
    }
    return field;
}

void ImportPlan::PlanNew(const std::deque<Record>& sample,
                         const std::vector<InferredColumn>& inferred, bool has_columns) {
    if (sample.empty() && attr_choices_.empty() && dense_choices_.empty() &&
        sparse_choices_.empty()) {
        Fail("the file holds no records, so there is nothing to create a collection from");
    }
    if (choices_.update) {
        Fail("--update changes records that are there, but the collection does not exist");
    }
    schema_.dense = dense_choices_;
    schema_.sparse = sparse_choices_;
    if (!choices_.field.empty() && schema_.FindDense(choices_.field) == nullptr) {
        schema_.dense.push_back(NewField(sample, inferred, has_columns));
    }
    for (const InferredColumn& column : inferred) {
        const std::string name = TargetName(column.name);
        if (IsKeyColumn(column.name) || Has(schema_.dense, name) || Has(schema_.sparse, name) ||
            !IsChosen(column.name) || IsRest(name)) {
            continue;
        }
        schema_.attrs.push_back(NewAttr(column));
        if (column.dim > 1 && !Has(attr_choices_, name)) {
            notes_.push_back("column '" + column.name + "' holds arrays of " +
                             std::to_string(column.dim) +
                             " numbers and becomes a json attribute; give --field " + name +
                             " to make it a vector");
        }
    }
    for (const AttrColumn& attr : attr_choices_) {
        if (!Has(schema_.attrs, attr.name)) {
            schema_.attrs.push_back(attr);
        }
    }
    if (!choices_.rest.empty() && !Has(schema_.attrs, choices_.rest)) {
        schema_.attrs.push_back({choices_.rest, ColumnType::kJson});
    }
    active_ = schema_;
}

void ImportPlan::ChooseIndex() {
    if (choices_.index.empty()) {
        return;
    }
    CollectionColumns& made = existing_ ? additions_ : schema_;
    if (made.dense.empty()) {
        Fail("--index is for the vector fields that an import makes, and it makes none here");
    }
    for (DenseColumn& field : made.dense) {
        field.index = choices_.index;
    }
}

void ImportPlan::CheckField(const DenseColumn& field) const {
    if (!choices_.metric.empty() && ParseMetric(choices_.metric) != field.metric) {
        Fail("the field '" + field.name + "' has the metric " + NameOfMetric(field.metric) +
             ", not " + choices_.metric);
    }
    if (!choices_.type.empty() && ParseElementType(choices_.type) != field.type) {
        Fail("the field '" + field.name + "' has the type " + NameOfElementType(field.type) +
             ", not " + choices_.type);
    }
}

void ImportPlan::PlanExisting(const std::deque<Record>& sample,
                              const std::vector<InferredColumn>& inferred, bool has_columns) {
    if (choices_.add) {
        for (const DenseColumn& field : dense_choices_) {
            if (schema_.FindDense(field.name) == nullptr) {
                additions_.dense.push_back(field);
            }
        }
        for (const SparseColumn& field : sparse_choices_) {
            if (schema_.FindSparse(field.name) == nullptr) {
                additions_.sparse.push_back(field);
            }
        }
        if (!choices_.field.empty() && schema_.FindDense(choices_.field) == nullptr &&
            !Has(additions_.dense, choices_.field)) {
            additions_.dense.push_back(NewField(sample, inferred, has_columns));
        }
        for (const InferredColumn& column : inferred) {
            const std::string name = TargetName(column.name);
            if (!IsKeyColumn(column.name) && IsChosen(column.name) && !Has(schema_.attrs, name) &&
                schema_.FindDense(name) == nullptr && !Has(additions_.dense, name) &&
                !Has(schema_.sparse, name) && !Has(additions_.sparse, name) && !IsRest(name)) {
                additions_.attrs.push_back(NewAttr(column));
            }
        }
        if (!choices_.rest.empty() && !Has(schema_.attrs, choices_.rest)) {
            additions_.attrs.push_back({choices_.rest, ColumnType::kJson});
        }
        schema_.dense.insert(schema_.dense.end(), additions_.dense.begin(), additions_.dense.end());
        schema_.sparse.insert(schema_.sparse.end(), additions_.sparse.begin(),
                              additions_.sparse.end());
        schema_.attrs.insert(schema_.attrs.end(), additions_.attrs.begin(), additions_.attrs.end());
    }
    if (!choices_.field.empty()) {
        if (schema_.FindDense(choices_.field) == nullptr) {
            Fail("the collection has no vector field '" + choices_.field + "'; --add adds it");
        }
        CheckField(*schema_.FindDense(choices_.field));
    }
    for (const SparseColumn& field : sparse_choices_) {
        if (schema_.FindSparse(field.name) == nullptr) {
            Fail("the collection has no sparse field '" + field.name + "'; --add adds it");
        }
    }
    if (!choices_.rest.empty()) {
        const size_t at = IndexOf(schema_.attrs, choices_.rest);
        if (at == schema_.attrs.size() || schema_.attrs[at].type != ColumnType::kJson) {
            Fail("--rest " + choices_.rest +
                 ": the collection has no json attribute of that name; --add adds it");
        }
    }
    active_.key = schema_.key;
    if (!has_columns) {
        active_.dense.push_back(*schema_.FindDense(choices_.field));
        return;
    }
    // An update changes the columns that are set and no others, so only those that the file has may
    // be set.
    auto comes = [&](const std::string& name) {
        return !choices_.update || name == choices_.rest ||
               std::any_of(inferred.begin(), inferred.end(),
                           [&](const InferredColumn& column) {
                               return TargetName(column.name) == name && IsChosen(column.name);
                           }) ||
               std::any_of(choices_.columns.begin(), choices_.columns.end(),
                           [&](const std::string& column) { return TargetName(column) == name; });
    };
    std::copy_if(schema_.attrs.begin(), schema_.attrs.end(), std::back_inserter(active_.attrs),
                 [&](const AttrColumn& attr) { return comes(attr.name); });
    std::copy_if(schema_.dense.begin(), schema_.dense.end(), std::back_inserter(active_.dense),
                 [&](const DenseColumn& field) { return comes(field.name); });
    std::copy_if(schema_.sparse.begin(), schema_.sparse.end(), std::back_inserter(active_.sparse),
                 [&](const SparseColumn& field) { return comes(field.name); });
}

ImportPlan::Route ImportPlan::FindRoute(const std::string& file_name) const {
    if (IsKeyColumn(file_name)) {
        return {RouteKind::kKey, 0};
    }
    if (!IsChosen(file_name)) {
        return {choices_.rest.empty() ? RouteKind::kIgnored : RouteKind::kRest, 0};
    }
    const std::string name = TargetName(file_name);
    if (const size_t at = IndexOf(active_.attrs, name); at < active_.attrs.size()) {
        return {RouteKind::kAttr, at};
    }
    if (const size_t at = IndexOf(active_.dense, name); at < active_.dense.size()) {
        return {RouteKind::kDense, at};
    }
    if (const size_t at = IndexOf(active_.sparse, name); at < active_.sparse.size()) {
        return {RouteKind::kSparse, at};
    }
    return {choices_.rest.empty() ? RouteKind::kUnknown : RouteKind::kRest, 0};
}

void ImportPlan::CheckKeyText(const Record& record, const std::string& key) const {
    if (key.empty() || key.size() > kKeyBytesMax || !IsCleanUtf8(key)) {
        BadRow(record,
               "the key '" + key.substr(0, 40) + "' is not a text of 1 to 1024 bytes of UTF-8");
    }
}

// 001 is 1 only if the user says that these are numbers: codes and numbers of books begin so, too.
void ImportPlan::CheckPlain(const Record& record, const std::string& column, ColumnType type,
                            const Value& value, const std::string& option) const {
    Value number;
    std::string problem;
    if (ConvertValue(type, value, &number, &problem)) {
        BadRow(record, "column '" + column + "': " + Quoted(value.text) +
                           " is not how that number is written, and may be none; " + option + ":" +
                           NameOfColumnType(type) + " takes it for one");
    }
}

void ImportPlan::StageKeyValue(const Record& record, const Value& value, StagedRow* row) const {
    Value key;
    std::string problem;
    const bool is_int = active_.key.type == QUERN_KEY_INT;
    if (is_int && plain_key_ && !IsPlainFor(ColumnType::kInt, value)) {
        CheckPlain(record, key_column_, ColumnType::kInt, value, "--key " + key_column_);
    }
    if (value.kind == Value::Kind::kNull) {
        BadRow(record, "no key in column '" + key_column_ + "'");
    }
    bool fits = ConvertValue(is_int ? ColumnType::kInt : ColumnType::kText, value, &key, &problem);
    if (!fits && is_int && value.kind == Value::Kind::kText) {
        // Many JSONL files have numbers as texts for keys.
        fits = ParseInt(value.text, &key.integer) && (!plain_key_ || IsPlainWhole(value.text));
    }
    if (!fits) {
        BadRow(record, "key column '" + key_column_ + "': " + problem);
    }
    if (is_int) {
        row->key_int = key.integer;
    } else {
        CheckKeyText(record, key.text);
        row->key_text = key.text;
    }
}

void ImportPlan::StageKey(const Record& record, StagedRow* row) const {
    const bool is_int = active_.key.type == QUERN_KEY_INT;
    switch (key_source_) {
        case KeySource::kColumn: {
            const Value* value = record.Find(key_column_);
            if (value == nullptr) {
                BadRow(record, "no key: the column '" + key_column_ + "' is missing");
            }
            StageKeyValue(record, *value, row);
            return;
        }
        case KeySource::kRecordKey:
            if (!record.has_key) {
                BadRow(record, "there is no key for this record");
            }
            if (!is_int) {
                CheckKeyText(record, record.key);
                row->key_text = record.key;
            } else if (!ParseInt(record.key, &row->key_int) ||
                       (plain_key_ && !IsPlainWhole(record.key))) {
                BadRow(record, "the key '" + record.key.substr(0, 40) + "' is not a whole number");
            }
            return;
        case KeySource::kRowNumber:
            row->key_int = choices_.start_key + static_cast<int64_t>(record.row);
            if (!is_int) {
                row->key_text = std::to_string(row->key_int);
            }
            return;
    }
}

void ImportPlan::StageAttr(const Record& record, const NamedValue& entry, size_t index,
                           StagedRow* row) {
    Value& value = row->attrs[index];
    if (const AttrColumn& attr = active_.attrs[index];
        !IsPlainFor(attr.type, entry.value) && !Has(attr_choices_, attr.name)) {
        CheckPlain(record, entry.name, attr.type, entry.value, "--attr " + attr.name);
    }
    const ColumnType type = active_.attrs[index].type;
    problem_ = type == ColumnType::kJson ? JsonProblem(entry.value) : std::string();
    if (!problem_.empty() || !ConvertValue(type, entry.value, &value, &problem_)) {
        BadRow(record, PlaceOf(record, entry.name) + ": " + problem_);
    }
    size_t bytes = value.text.size();
    bool clean = type == ColumnType::kBlob || IsCleanUtf8(value.text);
    for (const std::string& tag : value.texts) {
        bytes += tag.size();
        clean = clean && IsCleanUtf8(tag);
    }
    if (!clean) {
        BadRow(record, PlaceOf(record, entry.name) + ": the text is not UTF-8 without NUL");
    }
    if (type == ColumnType::kJson && HasEscapedNul(value.text)) {
        BadRow(record, PlaceOf(record, entry.name) +
                           ": there is \\u0000 in it, where filters would end the text");
    }
    if (bytes > attr_bytes_max_) {
        BadRow(record, PlaceOf(record, entry.name) + ": " + std::to_string(bytes) +
                           " bytes, the limit is " + std::to_string(attr_bytes_max_));
    }
}

void ImportPlan::StageVector(const Record& record, const std::string& name, size_t index,
                             StagedRow* row) const {
    const DenseColumn& field = active_.dense[index];
    const std::vector<float>& vector = row->dense[index];
    if (vector.empty()) {
        return;
    }
    if (vector.size() != field.dim) {
        const bool packed = field.type == QUERN_BIT && vector.size() == (field.dim + 7) / 8;
        BadRow(record, "'" + name + "' has dimension " + std::to_string(vector.size()) +
                           ", the field has " + std::to_string(field.dim) +
                           (packed ? "; packed bits are unpacked by numpy.unpackbits" : ""));
    }
    for (size_t i = 0; i < vector.size(); i++) {
        const float x = vector[i];
        const char* problem = nullptr;
        if (!std::isfinite(x)) {
            problem = "is not finite";
        } else if (field.type == QUERN_F16 && std::fabs(x) >= 65520.0f) {
            problem = "is beyond the range of f16";
        } else if (field.type == QUERN_I8 && (x < -128.0f || x > 127.0f || std::floor(x) != x)) {
            problem = "is not a whole number from -128 to 127, which the field's type i8 needs";
        }
        if (problem != nullptr) {
            std::string number;
            AppendFloat(x, &number);
            BadRow(record, "element " + std::to_string(i) + " of '" + name + "' (" + number + ") " +
                               problem);
        }
    }
}

// With a vocabulary objects name their entries by terms, and {"dims":[...]} is none.
bool ImportPlan::TakeSparse(const Value& value, size_t index, StagedRow* row) {
    const SparseColumn& field = active_.sparse[index];
    if (terms_ != nullptr && value.kind != Value::Kind::kSparse) {
        return terms_->Convert(value, field.dims, field.binary, &row->sparse[index], &problem_);
    }
    return ConvertSparse(value, field.dims, field.binary, &row->sparse[index], &problem_);
}

void ImportPlan::Stage(const Record& record, StagedRow* row) {
    row->attrs.resize(active_.attrs.size());
    row->dense.resize(active_.dense.size());
    row->sparse.resize(active_.sparse.size());
    for (SparseEntries& entries : row->sparse) {
        entries.Clear();
    }
    for (Value& value : row->attrs) {
        value.Clear();
    }
    for (std::vector<float>& vector : row->dense) {
        vector.clear();
    }
    StageKey(record, row);
    if (record.has_vector) {
        row->dense[vector_index_].assign(record.vector.begin(), record.vector.end());
        StageVector(record, choices_.field, vector_index_, row);
    }
    rest_json_.clear();
    for (size_t i = 0; i < record.value_count(); i++) {
        const NamedValue& entry = record.value(i);
        auto at = routes_.find(entry.name);
        if (at == routes_.end()) {
            if (routes_.size() > kColumnsMax) {
                routes_.clear();  // names without end: forget them rather than grow
            }
            at = routes_.emplace(entry.name, FindRoute(entry.name)).first;
        }
        switch (at->second.kind) {
            case RouteKind::kKey:
            case RouteKind::kIgnored: break;
            case RouteKind::kAttr: StageAttr(record, entry, at->second.index, row); break;
            case RouteKind::kDense:
                if (!ConvertVector(entry.value, &row->dense[at->second.index], &problem_)) {
                    BadRow(record, "column '" + entry.name + "': " + problem_);
                }
                StageVector(record, entry.name, at->second.index, row);
                break;
            case RouteKind::kSparse:
                if (!TakeSparse(entry.value, at->second.index, row)) {
                    BadRow(record, "column '" + entry.name + "': " + problem_);
                }
                break;
            case RouteKind::kRest:
                if (problem_ = JsonProblem(entry.value); !problem_.empty()) {
                    BadRow(record, "column '" + entry.name + "': " + problem_);
                }
                if (entry.value.kind != Value::Kind::kNull) {
                    rest_json_.push_back(rest_json_.empty() ? '{' : ',');
                    AppendJsonText(entry.name, &rest_json_);
                    rest_json_.push_back(':');
                    if (entry.value.kind == Value::Kind::kNumbers && !entry.value.text.empty()) {
                        rest_json_.append(entry.value.text);  // as it stood in the file
                    } else {
                        AppendJsonValue(entry.value, &rest_json_);
                    }
                }
                break;
            case RouteKind::kUnknown:
                if (entry.value.kind != Value::Kind::kNull) {
                    BadRow(record, "the collection has no column '" + entry.name.substr(0, 60) +
                                       "' (--columns takes some only, --rest NAME keeps the others "
                                       "as JSON, --add adds those of "
                                       "the first records)");
                }
                break;
        }
    }
    if (!rest_json_.empty()) {
        NamedValue rest;
        rest.name = choices_.rest;
        rest.value.kind = Value::Kind::kJson;
        rest.value.text = rest_json_ + "}";
        StageAttr(record, rest, rest_index_, row);
    }
}

}  // namespace quern::shell
