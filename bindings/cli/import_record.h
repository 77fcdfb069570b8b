// Record: one record on its way between a file and the database; RecordReader and RecordWriter: the
// two directions.
//
// All formats speak one small language, so that import, export and queries know none of them by
// name. Matrix formats (fvecs, npy, idx, ...) give a vector and nothing else; word vectors give a
// key and a vector; JSONL and CSV give named values. Rows go one at a time: the copy of a few
// hundred bytes is lost beside the work of writing them, and nothing grows with the file. A Record
// is reused, so that its strings and vectors keep their memory. Confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "byte_source.h"

namespace quern::shell {

// The engine's limit; a file that claims more is refused before anything is allocated.
inline constexpr size_t kDimensionMax = 65536;
// Columns of one record; beyond this a line is taken for damaged.
inline constexpr size_t kColumnsMax = 65536 + 4096;

struct Value {
    enum class Kind {
        kNull,
        kInt,
        kReal,
        kBool,
        kText,
        kNumbers,  // a JSON array of numbers, 1 to kDimensionMax of them: numbers; text holds the
                   // JSON
        kTexts,    // a JSON array of texts, perhaps empty: texts; text holds the JSON
        kJson,     // any other JSON: text
        kCell,     // a CSV cell, not null: text; what it is depends on the column
        kSparse,   // a sparse vector: dims, and numbers, which are their weights
    };
    // Of a cell: whether it stood in quotes, and whether the header of its file does as well.
    enum class Quotes : uint8_t { kNone, kCell, kHeaderToo };
    Kind kind = Kind::kNull;
    Quotes quotes = Quotes::kNone;
    int64_t integer = 0;  // also bool
    double real = 0;
    std::string text;  // of a real out of JSON: its digits as they stand there, else empty
    std::vector<float> numbers;
    std::vector<uint32_t> dims;
    std::vector<std::string> texts;

    void Clear();
};

struct NamedValue {
    std::string name;
    Value value;
};

class Record {
public:
    void Clear();
    // A new null value; the reference holds until the next Add.
    Value& Add(std::string_view name);
    const Value* Find(std::string_view name) const;  // NULL when there is none
    size_t value_count() const { return used_; }
    // What its key and values take in memory, about.
    size_t Bytes() const;
    const NamedValue& value(size_t i) const { return values_[i]; }
    Value& At(size_t i) { return values_[i].value; }

    std::string where;     // "FILE:LINE" or "FILE: row N", for messages
    uint64_t line = 0;     // LINE, or 0
    bool is_line = false;  // a text that is the line: the file has no columns
    uint64_t row = 0;      // position in the file, from 0, counting bad lines
    bool has_key = false;  // key: the word of a word vector; of any record that is written
    std::string key;
    bool has_vector = false;  // vector: the row of a matrix format
    std::vector<float> vector;

private:
    std::vector<NamedValue> values_;
    size_t used_ = 0;
};

class RecordReader {
public:
    explicit RecordReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
    RecordReader(const RecordReader&) = delete;
    RecordReader& operator=(const RecordReader&) = delete;
    virtual ~RecordReader() = default;

    // The next record, or false at the end. Throws FormatError; after a recoverable one the next
    // call goes on behind it.
    virtual bool Next(Record* record) = 0;
    // Records in all as the header says; 0 when it does not. A promise by the file, not a fact.
    virtual uint64_t rows_claimed() const { return 0; }
    // True for JSONL and CSV: records have named values and no vector of their own.
    virtual bool has_columns() const { return false; }
    // Of a file with columns: the only one that is a matrix of vectors; "" where there are none or
    // several, or nothing tells.
    virtual std::string only_matrix() const { return {}; }
    // What was read as something else up to here, for the user.
    virtual std::vector<std::string> Notes() const { return {}; }

    const ByteSource& source() const { return *source_; }

protected:
    // Starts a record: clears it, names its place and counts it.
    void StartRow(Record* record);
    void StartLine(Record* record);
    // Throws a FormatError for the given place.
    [[noreturn]] static void Fail(const Record& record, const std::string& what, bool recoverable);

    // At the end of a matrix: throws when something is behind its rows.
    void CheckEnd(uint64_t rows, const std::string& place = {});

    std::unique_ptr<ByteSource> source_;
    uint64_t rows_ = 0;
};

class RecordWriter {
public:
    RecordWriter() = default;
    RecordWriter(const RecordWriter&) = delete;
    RecordWriter& operator=(const RecordWriter&) = delete;
    virtual ~RecordWriter() = default;
    virtual void Write(const Record& record) = 0;
    // Completes the output (headers that need the count) and closes it.
    virtual void Finish() = 0;

protected:
    // Throws unless the element is a whole number within the bounds; names the record by its key.
    static void CheckWhole(const Record& record, size_t index, double least, double most,
                           const char* format);
};

// 'text', cut to its first 40 bytes, for messages.
std::string Quoted(std::string_view text);

// What is wrong with numbers that JSON has not: "element 1 is nan"; "" where it has all. Numbers
// that came as JSON (with its text) are as they stand there.
std::string JsonProblem(const Value& value);
// JSON texts for writers: the text with quotes and escapes; invalid UTF-8 becomes U+FFFD.
void AppendJsonText(std::string_view text, std::string* json);
// Is there an escaped U+0000 in a JSON text?
bool HasEscapedNul(std::string_view json);
// Any value as JSON; null for the infinities, which a statement of SQL can give.
void AppendJsonValue(const Value& value, std::string* json);
void AppendJsonFloat(float number, std::string* json);
void AppendJsonNumbers(const std::vector<float>& numbers, std::string* json);

}  // namespace quern::shell
