// Reader of texts, one a line.
#include "lines_format.h"

#include <utility>

#include "float_codes.h"

namespace quern::shell {
namespace {

class LinesReader : public RecordReader {
public:
    explicit LinesReader(std::unique_ptr<ByteSource> source) : RecordReader(std::move(source)) {}
    bool has_columns() const override { return true; }

    bool Next(Record* record) override {
        if (!source_->ReadLine(&line_)) {
            return false;
        }
        StartLine(record);
        record->is_line = true;
        if (!IsCleanUtf8(line_)) {
            Fail(*record, "the line is not UTF-8 without NUL", true);
        }
        Value& value = record->Add(kLineColumn);
        value.kind = Value::Kind::kText;
        value.text = line_;
        return true;
    }

private:
    std::string line_;
};

}  // namespace

std::unique_ptr<RecordReader> NewLinesReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<LinesReader>(std::move(source));
}

}  // namespace quern::shell
