// Reader of word vectors.
#include "word_format.h"

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
                return false;
            }
            if (source_->line_number() == 1 && TakeHeader()) {
                line_.clear();
            }
        } while (line_.find_first_not_of(" \t") == std::string::npos);
        StartLine(record);
        if (dim_ == 0) {
            const size_t fields = CountFields(line_);
            if (fields < 2 || fields - 1 > kDimensionMax) {
                Fail(*record, "wanted a word and 1 to 65536 numbers", true);
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
                Fail(*record, Quoted(field) + " is not a number", true);
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
        return true;
    }

    std::string line_;
    size_t dim_ = 0;
    uint64_t rows_total_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> NewWordReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<WordReader>(std::move(source));
}

}  // namespace quern::shell
