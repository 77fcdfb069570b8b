// Which types the columns of a JSONL or CSV file have, from its first records; and turning a value
// into its column's type.
//
// A column is what all its values agree on: int, real (int and real mixed), bool, text, tags
// (arrays of texts), numbers (arrays of numbers: a vector when the user says so, else json);
// anything mixed is json for JSONL and text for CSV. A column with nulls only is text. Later values
// must fit; a value that does not is an error that names line, column and type, never a silent
// change.
//
// What is written as no number would be is none: a cell 001, +5, or one in quotes (unless all of a
// file is in quotes). Neither is a column whose whole numbers are beyond int, or would be rounded
// by real: it keeps their digits, as json or text.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "import_record.h"

namespace quern::shell {

// Attribute types, with the values of QUERN_INT and so on (the program asserts that they agree).
enum class ColumnType : int32_t {
    kInt = 1,
    kReal = 2,
    kText = 3,
    kBool = 4,
    kBlob = 5,
    kJson = 6,
    kTags = 7
};

const char* NameOfColumnType(ColumnType type);
bool ColumnTypeOfName(const std::string& name, ColumnType* type);

struct InferredColumn {
    std::string name;
    ColumnType type = ColumnType::kText;
    size_t dim = 0;  // numbers in each value, when all values are arrays of the same number of
                     // numbers; else 0
    size_t vector_dim = 0;  // the most frequent number of numbers, the first among equals; 0: none
    bool only_nulls = true;
    bool sparse = false;              // holds sparse vectors
    std::string rounded, rounded_at;  // a whole number that makes it json or text, and its place
};

class TypeInference {
public:
    void Add(const Record& record);
    // The columns in the order of their first appearance.
    std::vector<InferredColumn> Columns() const;

private:
    struct Seen {
        std::string name;
        uint64_t ints = 0, reals = 0, bools = 0, texts = 0, tags = 0, numbers = 0, json = 0;
        uint64_t quoted_ints = 0, quoted_reals = 0, quoted_bools = 0;  // texts, or not
        bool cells = false, sparse = false;
        std::string rounded, rounded_at;  // the first whole number that a real does not keep
        std::vector<std::pair<size_t, uint64_t>> dims;  // in order of appearance, with their counts
    };
    void Count(Seen* seen, const Value& value);
    void CountCell(Seen* seen, const Value& value);
    std::vector<Seen> columns_;
    std::unordered_map<std::string, size_t> places_;  // of names in columns_
    bool quotes_tell_ = false;                        // not everything is in quotes
};

// Whether a cell, or a text that is to be a number, is written as a number or bool is (the type's).
// ConvertValue is lenient: 001 is 1 where the user has said that the column is an int.
bool IsPlainFor(ColumnType type, const Value& from);
// As what a reader of CSV would take it without quotes.
bool LooksLikeNoText(const std::string& cell);

// Makes *value one of the kinds that the type takes: kNull, or kInt, kReal, kText, kBool, kTexts,
// and for json text that is valid JSON (any kind with text set). Blobs are base64 text and become
// bytes in text. Cells are parsed. False with *problem if it does not fit.
bool ConvertValue(ColumnType type, const Value& from, Value* to, std::string* problem);
// The same for vectors: *numbers gets the elements; a null gives none.
bool ConvertVector(const Value& from, std::vector<float>* numbers, std::string* problem);

std::string EncodeBase64(std::string_view bytes);
bool DecodeBase64(std::string_view text, std::string* bytes);

}  // namespace quern::shell
