// RecordStream: the records of the file that is imported, with keys from a key file where there is
// one, rows outside of --skip-rows and --limit left out, and bad lines counted or thrown. Confined
// to one thread.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <string>

#include "bad_lines.h"
#include "import_record.h"

namespace quern::shell {

struct RecordStreamOptions {
    std::string file, format, key_file;
    std::string delimiter;
    uint64_t skip_rows = 0;
    uint64_t limit = UINT64_MAX;
    bool skip_bad = false;
};

class RecordStream {
public:
    // Throws a usage error when the format cannot be told.
    explicit RecordStream(const RecordStreamOptions& options);

    RecordReader& reader() { return *reader_; }
    BadLines& bad() { return bad_; }

    // Reads ahead: the records from which the columns are inferred. They, and the bad lines between
    // them, come again from Next. An error that ends the reading behind good records is kept until
    // these are taken, so that it makes no difference where it stands.
    const std::deque<Record>& TakeSample();
    bool Next(Record* record);
    // Throws the error again unless it concerns one line and bad lines are passed over.
    void SkipBad(const FormatError& error);

private:
    bool Read(Record* record);
    void TakeKey(Record* record);

    const RecordStreamOptions& options_;
    std::unique_ptr<RecordReader> reader_;
    std::unique_ptr<ByteSource> keys_;
    std::string key_line_;
    uint64_t key_lines_ = 0;
    std::deque<Record> sample_;
    std::exception_ptr sample_error_;
    bool sampling_ = false;
    uint64_t sample_taken_ = 0;
    BadLines bad_;
};

}  // namespace quern::shell
