// Fuzzes every reader of file formats: the first byte chooses the format, the rest is the file
// (which may be gzip or zstd).
//
// Any input must end in records or in a FormatError, within bounded memory. Recoverable errors are
// passed over, as --skip-bad does; values are converted to every column type on the way. Rows are
// counted, so that a compressed input that unpacks to very much ends soon.
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "bin_format.h"
#include "file_format.h"
#include "format_error.h"
#include "sparse_text.h"
#include "type_inference.h"
#include "vecs_format.h"

using namespace quern::shell;

namespace {

constexpr int kRowsMax = 2000;
constexpr int kErrorsMax = 2000;

// New formats go to the end, so that what a corpus means stays.
constexpr FileFormat kFormats[] = {
    FileFormat::kFvecs, FileFormat::kBvecs, FileFormat::kIvecs, FileFormat::kNpy,
    FileFormat::kIdx,   FileFormat::kWords, FileFormat::kJsonl, FileFormat::kCsv,
    FileFormat::kTsv,   FileFormat::kFbin,  FileFormat::kU8bin, FileFormat::kI8bin,
    FileFormat::kIbin,  FileFormat::kNpz,   FileFormat::kSpmat, FileFormat::kLines};

void ReadAll(RecordReader* reader) {
    TypeInference inference;
    Record record;
    Value converted;
    std::vector<float> numbers;
    SparseEntries entries;
    std::string problem;
    std::string json;
    int errors = 0;
    for (int row = 0; row < kRowsMax && errors < kErrorsMax; row++) {
        try {
            if (!reader->Next(&record)) {
                break;
            }
        } catch (const FormatError& error) {
            if (!error.recoverable()) {
                break;
            }
            errors++;
            continue;
        }
        inference.Add(record);
        for (size_t i = 0; i < record.value_count(); i++) {
            const Value& value = record.value(i).value;
            for (int32_t type = 1; type <= 7; type++) {
                ConvertValue(static_cast<ColumnType>(type), value, &converted, &problem);
            }
            ConvertVector(value, &numbers, &problem);
            ConvertSparse(value, 1000, false, &entries, &problem);
            json.clear();
            AppendJsonValue(value, &json);
        }
    }
    inference.Columns();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const size_t choice = data[0] % (std::size(kFormats) + 2);
    try {
        auto source = ByteSource::FromMemory(data + 1, size - 1, "fuzz");
        if (choice == std::size(kFormats)) {
            ReadTruth(source.get(), 1, 1000, 100);
        } else if (choice > std::size(kFormats)) {
            ReadBinTruth(source.get(), 1, 1000, 100);
        } else {
            ReadAll(NewRecordReader(std::move(source), kFormats[choice]).get());
        }
    } catch (const FormatError&) {
        // An error that names the place is a right answer.
    }
    return 0;
}
