// Reader and writer of CSV.
#include "csv_format.h"

#include <algorithm>
#include <map>

#include "float_codes.h"
#include "format_error.h"
#include "type_inference.h"

namespace quern::shell {
namespace {

struct Cell {
    std::string text;
    bool quoted = false;
};

// "emb[12]" -> "emb", 12
bool SplitIndexedName(const std::string& name, std::string* base, size_t* index) {
    const size_t open = name.rfind('[');
    int64_t number = 0;
    if (open == std::string::npos || open == 0 || name.back() != ']' ||
        !ParseInt(std::string_view(name).substr(open + 1, name.size() - open - 2), &number) ||
        number < 0 || number >= static_cast<int64_t>(kDimensionMax)) {
        return false;
    }
    *base = name.substr(0, open);
    *index = static_cast<size_t>(number);
    return true;
}

class CsvReader : public RecordReader {
public:
    CsvReader(std::unique_ptr<ByteSource> source, char delimiter)
        : RecordReader(std::move(source)), delimiter_(delimiter) {
        ReadHeader();
    }
    bool has_columns() const override { return true; }

    bool Next(Record* record) override {
        uint64_t line_number = 0;
        if (!ReadCells(&line_number)) {
            return false;
        }
        StartLine(record);
        record->line = line_number;
        record->where = source_->name() + ":" + std::to_string(line_number);
        if (unclosed_quote_) {
            Fail(*record, "the quote opened here is never closed", true);
        }
        if (cell_behind_quote_ > 0) {
            Fail(*record,
                 "text behind the closing quote of cell " + std::to_string(cell_behind_quote_) +
                     " (a quote inside of quotes is doubled)",
                 true);
        }
        if (cell_count_ != columns_.size()) {
            Fail(*record,
                 std::to_string(cell_count_) + " cells, the header has " +
                     std::to_string(columns_.size()),
                 true);
        }
        for (const std::string& name : names_) {
            record->Add(name);
        }
        vector_present_.assign(names_.size(), 0);
        for (size_t i = 0; i < cell_count_; i++) {
            TakeCell(record, columns_[i], cells_[i]);
        }
        for (size_t i = 0; i < names_.size(); i++) {
            if (dims_[i] > 0 && vector_present_[i] != 0 && vector_present_[i] != dims_[i]) {
                Fail(*record, "some cells of the vector '" + names_[i] + "' are empty", true);
            }
        }
        return true;
    }

private:
    struct Column {
        size_t name;      // index in names_
        size_t position;  // in the vector, when dims_[name] > 0
    };

    void TakeCell(Record* record, const Column& column, const Cell& cell) {
        if (cell.text.empty() && (!cell.quoted || dims_[column.name] > 0)) {
            return;
        }
        Value& value = record->At(column.name);  // one value a name was added, in order
        if (dims_[column.name] == 0) {
            value.kind = Value::Kind::kCell;
            value.text = cell.text;
            value.quotes = !cell.quoted     ? Value::Quotes::kNone
                           : header_quoted_ ? Value::Quotes::kHeaderToo
                                            : Value::Quotes::kCell;
            return;
        }
        value.kind = Value::Kind::kNumbers;
        value.numbers.resize(dims_[column.name]);
        if (!ParseFloat(cell.text, &value.numbers[column.position])) {
            Fail(*record,
                 Quoted(cell.text) + " in column " + names_[column.name] + "[" +
                     std::to_string(column.position) + "] is not a number",
                 true);
        }
        vector_present_[column.name]++;
    }

    void ReadHeader() {
        uint64_t line_number = 0;
        if (!ReadCells(&line_number)) {
            throw FormatError(source_->name() + ": no header line");
        }
        if (unclosed_quote_ || cell_behind_quote_ > 0 || cell_count_ > kColumnsMax) {
            throw FormatError(source_->name() + ":1: not a CSV header");
        }
        header_quoted_ =
            std::all_of(cells_.begin(), cells_.end(), [](const Cell& cell) { return cell.quoted; });
        std::map<std::string, size_t> index_of;
        std::vector<size_t>
            seen;  // how many elements of each vector: the next must have this position
        for (size_t i = 0; i < cell_count_; i++) {
            std::string base = cells_[i].text;
            size_t position = 0;
            const bool indexed = SplitIndexedName(cells_[i].text, &base, &position);
            auto [at, added] = index_of.emplace(base, names_.size());
            if (added) {
                names_.push_back(base);
                dims_.push_back(0);
                seen.push_back(0);
            } else if (!indexed || dims_[at->second] == 0) {
                throw FormatError(source_->name() + ":1: the column '" + base.substr(0, 60) +
                                  "' appears twice");
            }
            const size_t name = at->second;
            if (indexed) {
                if (position != seen[name]) {
                    throw FormatError(source_->name() + ":1: '" + cells_[i].text.substr(0, 60) +
                                      "' where '" + base + "[" + std::to_string(seen[name]) +
                                      "]' is wanted");
                }
                seen[name]++;
                dims_[name] = seen[name];
            }
            columns_.push_back(Column{name, position});
        }
    }

    Cell& NewCell() {
        if (cell_count_ == cells_.size()) {
            cells_.emplace_back();
        }
        Cell& cell = cells_[cell_count_++];
        cell.text.clear();
        cell.quoted = false;
        return cell;
    }

    // The cells of the next row that is not blank; false at the end.
    bool ReadCells(uint64_t* line_number) {
        do {
            if (!source_->ReadLine(&line_)) {
                return false;
            }
        } while (line_.empty());
        *line_number = source_->line_number();
        cell_count_ = 0;
        unclosed_quote_ = false;
        cell_behind_quote_ = 0;
        size_t taken_bytes = line_.size();
        size_t i = 0;
        for (;;) {
            if (cell_count_ > kColumnsMax) {
                throw FormatError(
                    source_->name() + ":" + std::to_string(*line_number) + ": too many cells", true,
                    *line_number);
            }
            Cell& cell = NewCell();
            if (i < line_.size() && line_[i] == '"') {
                cell.quoted = true;
                i++;
                if (!ReadQuoted(&cell.text, &i, &taken_bytes)) {
                    unclosed_quote_ = true;
                    return true;
                }
                if (i < line_.size() && line_[i] != delimiter_ && cell_behind_quote_ == 0) {
                    cell_behind_quote_ = cell_count_;
                }
            }
            const size_t end = std::min(line_.find(delimiter_, i), line_.size());
            cell.text.append(line_, i, end - i);
            if (end == line_.size()) {
                return true;
            }
            i = end + 1;
        }
    }

    // Reads behind an opening quote up to behind the closing one, over line ends.
    bool ReadQuoted(std::string* text, size_t* i, size_t* taken_bytes) {
        for (;;) {
            const size_t quote = line_.find('"', *i);
            if (quote == std::string::npos) {
                text->append(line_, *i, std::string::npos);
                text->append(source_->line_had_return() ? "\r\n" : "\n");
                if (*taken_bytes > kLineBytesMax || !source_->ReadLine(&line_)) {
                    return false;
                }
                *taken_bytes += line_.size() + 1;
                *i = 0;
                continue;
            }
            text->append(line_, *i, quote - *i);
            *i = quote + 1;
            if (*i >= line_.size() || line_[*i] != '"') {
                return true;
            }
            text->push_back('"');
            (*i)++;
        }
    }

    const char delimiter_;
    std::vector<std::string> names_;  // of the values, in the order of their first column
    std::vector<size_t> dims_;        // 0: an ordinary column
    std::vector<Column> columns_;
    std::vector<size_t> vector_present_;
    std::string line_;
    std::vector<Cell> cells_;
    size_t cell_count_ = 0;
    bool unclosed_quote_ = false;
    bool header_quoted_ = false;    // all names of the header stand in quotes
    size_t cell_behind_quote_ = 0;  // the first with more behind its closing quote, from 1
};

class CsvWriter : public RecordWriter {
public:
    CsvWriter(std::unique_ptr<ByteSink> sink, const std::vector<std::string>& names, char delimiter)
        : sink_(std::move(sink)), delimiter_(delimiter) {
        for (size_t i = 0; i < names.size(); i++) {
            if (i > 0) {
                line_.push_back(delimiter_);
            }
            AppendCsvCell(names[i], &line_);
        }
        line_.push_back('\n');
        sink_->Write(line_);
    }
    void Write(const Record& record) override {
        line_.clear();
        for (size_t i = 0; i < record.value_count(); i++) {
            if (i > 0) {
                line_.push_back(delimiter_);
            }
            const Value& value = record.value(i).value;
            if (value.kind == Value::Kind::kText && LooksLikeNoText(value.text)) {
                line_.append("\"").append(value.text).append("\"");
            } else if (value.kind == Value::Kind::kText) {
                AppendCsvCell(value.text, &line_);
            } else if (value.kind != Value::Kind::kNull) {
                json_.clear();
                AppendJsonValue(value, &json_);
                AppendCsvCell(json_, &line_);
            }
        }
        line_.push_back('\n');
        sink_->Write(line_);
    }
    void Finish() override { sink_->Close(); }

private:
    std::unique_ptr<ByteSink> sink_;
    const char delimiter_;
    std::string line_;
    std::string json_;
};

}  // namespace

void AppendCsvCell(std::string_view text, std::string* line) {
    if (!text.empty() && text.find_first_of(",\"\r\n\t") == std::string_view::npos &&
        text.front() != ' ' && text.back() != ' ' && text.substr(0, 3) != kByteOrderMark) {
        line->append(text);
        return;
    }
    line->push_back('"');
    for (char c : text) {
        if (c == '"') {
            line->push_back('"');
        }
        line->push_back(c);
    }
    line->push_back('"');
}

std::unique_ptr<RecordReader> NewCsvReader(std::unique_ptr<ByteSource> source, char delimiter) {
    return std::make_unique<CsvReader>(std::move(source), delimiter);
}

std::unique_ptr<RecordWriter> NewCsvWriter(std::unique_ptr<ByteSink> sink,
                                           const std::vector<std::string>& names, char delimiter) {
    return std::make_unique<CsvWriter>(std::move(sink), names, delimiter);
}

}  // namespace quern::shell
