// Reader and writer of word vectors.
#include "word_format.h"

#include <utility>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

bool IsBlank(char c) {
    return c == ' ' || c == '\t';
}

// Takes the last field off the line; false when there is none.
bool TakeLastField(std::string_view* line, std::string_view* field) {
    while (!line->empty() && IsBlank(line->back())) {
        line->remove_suffix(1);
    }
    size_t start = line->size();
    while (start > 0 && !IsBlank((*line)[start - 1])) {
        start--;
    }
    *field = line->substr(start);
    *line = line->substr(0, start);
    return !field->empty();
}

size_t CountFields(std::string_view line) {
    size_t count = 0;
    std::string_view field;
    while (TakeLastField(&line, &field)) {
        count++;
    }
    return count;
}

class WordReader : public RecordReader {
public:
    explicit WordReader(std::unique_ptr<ByteSource> source) : RecordReader(std::move(source)) {}

    uint64_t rows_claimed() const override { return rows_total_; }

    bool Next(Record* record) override {
        do {
            if (!source_->ReadLine(&line_)) {
                CheckCount();
                return false;
            }
            if (source_->line_number() == 1 && TakeHeader()) {
                line_.clear();
            }
        } while (line_.find_first_not_of(" \t") == std::string::npos);
        StartLine(record);
        if (has_header_ && record->row >= rows_total_) {
            Fail(*record,
                 "a row behind the " + std::to_string(rows_total_) + " that line 1 tells of",
                 false);
        }
        if (dim_ == 0) {
            const size_t fields = CountFields(line_);
            if (fields < 2 || fields - 1 > kDimensionMax) {
                Fail(*record, "wanted a word and 1 to 65536 numbers" + Hint(), true);
            }
            dim_ = fields - 1;
        }
        std::string_view rest = line_;
        std::string_view field;
        record->vector.resize(dim_);
        for (size_t i = dim_; i-- > 0;) {
            if (!TakeLastField(&rest, &field)) {
                Fail(*record, "too few numbers for dimension " + std::to_string(dim_), true);
            }
            if (!ParseFloat(field, &record->vector[i])) {
                Fail(*record, Quoted(field) + " is not a number" + Hint(), true);
            }
        }
        while (!rest.empty() && IsBlank(rest.back())) {
            rest.remove_suffix(1);
        }
        if (rest.empty()) {
            Fail(*record, "no word before the " + std::to_string(dim_) + " numbers", true);
        }
        record->key.assign(rest);
        record->has_key = true;
        record->has_vector = true;
        return true;
    }

private:
    // A file .txt may have texts, and then its first line is none of vectors.
    std::string Hint() const {
        return source_->line_number() == 1 ? "; texts, one a line, are --format lines" : "";
    }
    // Once: --skip-bad keeps what is there.
    void CheckCount() {
        if (std::exchange(has_header_, false) && rows_ < rows_total_) {
            throw FormatError(source_->name() + ": the file ends behind " + std::to_string(rows_) +
                                  " rows, line 1 tells of " + std::to_string(rows_total_),
                              true);
        }
    }

    bool TakeHeader() {
        std::string_view rest = line_;
        std::string_view dim_field;
        std::string_view count_field;
        std::string_view none;
        int64_t dim = 0;
        int64_t count = 0;
        if (!TakeLastField(&rest, &dim_field) || !TakeLastField(&rest, &count_field) ||
            TakeLastField(&rest, &none) || !ParseInt(dim_field, &dim) ||
            !ParseInt(count_field, &count)) {
            return false;
        }
        if (dim < 1 || dim > static_cast<int64_t>(kDimensionMax) || count < 0) {
            throw FormatError(source_->name() + ":1: header '" + line_.substr(0, 60) +
                              "': the dimension is not between 1 and 65536");
        }
        dim_ = static_cast<size_t>(dim);
        rows_total_ = static_cast<uint64_t>(count);
        has_header_ = true;
        return true;
    }

    std::string line_;
    size_t dim_ = 0;
    uint64_t rows_total_ = 0;
    bool has_header_ = false;
};

class WordWriter : public RecordWriter {
public:
    WordWriter(std::unique_ptr<ByteSink> sink, const WordHeader* header)
        : sink_(std::move(sink)), has_header_(header != nullptr) {
        if (has_header_) {
            line_ = std::to_string(header->rows) + " " + std::to_string(header->dim) + "\n";
            sink_->Write(line_);
        }
    }

    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        CheckWord(record.key);
        if (!has_header_ && first_) {
            CheckFirstWord(record);
        }
        first_ = false;
        line_ = record.key;
        for (float value : record.vector) {
            line_.push_back(' ');
            AppendFloat(value, &line_);
        }
        line_.push_back('\n');
        sink_->Write(line_);
    }

    void Finish() override { sink_->Close(); }

private:
    [[noreturn]] static void FailWord(const std::string& word, const char* what) {
        throw FormatError("the key " + Quoted(word) + " " + what);
    }
    // The reader would take another word from the line.
    static void CheckWord(const std::string& word) {
        if (word.find_first_of("\n\r") != std::string::npos) {
            FailWord(word, "holds a line end and cannot stand in a file of words");
        }
        if (word.empty() || IsBlank(word.back())) {
            FailWord(word, "ends in a blank and cannot stand in a file of words");
        }
    }
    // Without a header the first line tells the dimension by the number of its fields, unless it
    // looks like a header.
    static void CheckFirstWord(const Record& record) {
        int64_t number = 0;
        if (record.key.find_first_of(" \t") != std::string::npos ||
            record.key.compare(0, 3, kByteOrderMark) == 0 ||
            (record.vector.size() == 1 && ParseInt(record.key, &number))) {
            FailWord(record.key, "cannot be the first of a file of words without a header");
        }
    }

    std::unique_ptr<ByteSink> sink_;
    const bool has_header_;
    bool first_ = true;
    std::string line_;
};

}  // namespace

std::unique_ptr<RecordReader> NewWordReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<WordReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewWordWriter(std::unique_ptr<ByteSink> sink,
                                            const WordHeader* header) {
    return std::make_unique<WordWriter>(std::move(sink), header);
}

}  // namespace quern::shell
