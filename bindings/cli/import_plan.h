// ImportPlan: how the records of a file become records of a collection.
//
// Made from what the user said, the first records of the file and, where there is one, the
// collection's schema. It decides where keys come from, which column becomes which attribute or
// field, and with which types a new collection is created; then it turns each record into a checked
// row. All that the library would refuse for a whole batch (wrong dimension, NaN, a value of
// another type, a bad key) is found here, row by row, so that the message can name the line and
// --skip-bad can go on. Confined to one thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "column_batch.h"
#include "term_dimensions.h"

namespace quern::shell {

// What the user said on the command line.
struct ImportChoices {
    std::string field;        // the vector field
    std::string only_matrix;  // the file's only array of vectors: a field of its own name, unless
                              // something else is said of it
    std::string metric;
    std::string type;
    std::string index;                 // options of the index of new vector fields
    std::string key;                   // COLUMN[:TYPE]
    std::vector<std::string> attrs;    // NAME:TYPE
    std::vector<std::string> dense;    // NAME:DIM:METRIC[:TYPE]
    std::vector<std::string> sparse;   // NAME[:DIMS]
    std::vector<std::string> texts;    // NAME[:OPTIONS]
    std::vector<std::string> columns;  // only these; empty: all
    std::vector<std::string> renames;  // OLD=NEW
    std::string vocabulary;            // file with the terms that name dimensions; empty: none
    std::string rest;                  // json attribute that takes the other columns
    int64_t start_key = 0;
    bool update = false;  // change records that are there
    bool add = false;     // add missing columns to a collection that exists
};

class ImportPlan {
public:
    // sample: the first records, with Record::key set where a key file gives it. existing: the
    // collection's columns, or NULL if it is to be created. Throws ShellError for choices that do
    // not fit.
    ImportPlan(const ImportChoices& choices, const std::deque<Record>& sample, bool has_columns,
               const CollectionColumns* existing);

    // What a new collection is created with.
    const CollectionColumns& schema() const { return schema_; }
    // What an existing collection lacks; not empty with ImportChoices::add only.
    const CollectionColumns& additions() const { return additions_; }
    // The columns that the import sets.
    const CollectionColumns& active() const { return active_; }
    // Remarks for the user, about columns that could mean something else.
    const std::vector<std::string>& notes() const { return notes_; }

    // The largest text, json, tags or blob value that the database takes.
    void SetAttrBytesMax(int64_t bytes) { attr_bytes_max_ = static_cast<size_t>(bytes); }
    // Terms that sparse vectors were named by get dimensions; Save before they are committed. NULL
    // without ImportChoices::vocabulary.
    TermDimensions* terms() { return terms_.get(); }
    // Throws a recoverable FormatError when the record does not fit.
    void Stage(const Record& record, StagedRow* row);

private:
    enum class RouteKind { kKey, kAttr, kDense, kSparse, kIgnored, kRest, kUnknown };
    struct Route {
        RouteKind kind = RouteKind::kUnknown;
        size_t index = 0;  // in active_.attrs, active_.dense or active_.sparse
    };
    enum class KeySource { kRowNumber, kRecordKey, kColumn };

    std::string TargetName(const std::string& file_name) const;
    void ChooseKey(const std::deque<Record>& sample, const std::vector<InferredColumn>& inferred,
                   bool has_columns);
    void PlanNew(const std::deque<Record>& sample, const std::vector<InferredColumn>& inferred,
                 bool has_columns);
    void PlanExisting(const std::deque<Record>& sample, const std::vector<InferredColumn>& inferred,
                      bool has_columns);
    DenseColumn NewField(const std::deque<Record>& sample,
                         const std::vector<InferredColumn>& inferred, bool has_columns);
    void ChooseIndex();
    void ChooseMatrix();
    void CheckField(const DenseColumn& field) const;
    AttrColumn NewAttr(const InferredColumn& column);
    bool IsKeyColumn(const std::string& file_name) const;
    bool IsRest(const std::string& name) const;
    bool IsChosen(const std::string& file_name) const;
    Route FindRoute(const std::string& file_name) const;
    void StageKey(const Record& record, StagedRow* row) const;
    void StageKeyValue(const Record& record, const Value& value, StagedRow* row) const;
    void CheckPlain(const Record& record, const std::string& column, ColumnType type,
                    const Value& value, const std::string& option) const;
    void CheckKeyText(const Record& record, const std::string& key) const;
    void StageAttr(const Record& record, const NamedValue& entry, size_t index, StagedRow* row);
    bool TakeSparse(const Value& value, size_t index, StagedRow* row);
    void StageVector(const Record& record, const std::string& name, size_t index,
                     StagedRow* row) const;

    ImportChoices choices_;
    KeyColumn key_choice_;
    std::unordered_map<std::string, std::string> renames_;
    std::vector<AttrColumn> attr_choices_;
    std::vector<DenseColumn> dense_choices_;
    std::vector<SparseColumn> sparse_choices_;
    CollectionColumns schema_;
    CollectionColumns additions_;
    CollectionColumns active_;
    std::vector<std::string> notes_;
    bool existing_ = false;
    KeySource key_source_ = KeySource::kRowNumber;
    std::string key_column_;   // the file's column with the key
    bool plain_key_ = false;   // nobody has said that it is an int
    size_t vector_index_ = 0;  // in active_.dense, for matrix formats
    size_t rest_index_ = 0;    // in active_.attrs, when choices_.rest is given
    size_t attr_bytes_max_ = size_t{16} << 20;
    std::unordered_map<std::string, Route> routes_;
    std::unique_ptr<TermDimensions> terms_;
    std::string problem_;
    std::string rest_json_;
};

}  // namespace quern::shell
