// Loading queries.
#include "query_vectors.h"

#include "file_format.h"
#include "format_error.h"
#include "jsonl_format.h"
#include "shell.h"
#include "type_inference.h"

namespace quern::shell {
namespace {

// The library's default limit of queries in one search.
constexpr uint64_t kQueriesMax = 1048576;

}  // namespace

QueryVectors LoadQueries(const QueryFile& file) {
    std::unique_ptr<ByteSource> source = ByteSource::Open(file.path, StopFlag());
    const FileFormat format =
        file.format.empty() ? FormatOfPath(file.path) : FormatOfName(file.format);
    if (format == FileFormat::kUnknown) {
        FailUsage(file.path + ": format not known; give --format, one of " + FormatNames());
    }
    const std::unique_ptr<RecordReader> reader = NewRecordReader(std::move(source), format);
    QueryVectors queries;
    Record record;
    std::vector<float> numbers;
    std::string problem;
    while (queries.count < file.limit && reader->Next(&record)) {
        CheckStopped();
        if (record.row < file.skip_rows) {
            continue;
        }
        if (reader->has_columns()) {
            const Value* value = record.Find(file.column);
            if (value == nullptr || !ConvertVector(*value, &numbers, &problem)) {
                throw FormatError(record.where + ": no vector in column '" + file.column + "'" +
                                  (value == nullptr ? "" : ": " + problem));
            }
        } else {
            numbers.swap(record.vector);
        }
        if (queries.count == 0) {
            queries.dim = numbers.size();
        }
        if (numbers.size() != queries.dim || numbers.empty()) {
            throw FormatError(record.where + ": dimension " + std::to_string(numbers.size()) +
                              ", the first query has " + std::to_string(queries.dim));
        }
        if (++queries.count > kQueriesMax) {
            throw FormatError(file.path + ": more than " + std::to_string(kQueriesMax) +
                              " queries; use --limit");
        }
        queries.matrix.insert(queries.matrix.end(), numbers.begin(), numbers.end());
    }
    return queries;
}

QueryVectors ParseQueryVector(const std::string& json) {
    Value value;
    std::string problem = "wanted an array of numbers, as in [0.1, 0.2]";
    if (!ParseJsonValue(json, &value, &problem) || value.kind != Value::Kind::kNumbers) {
        FailUsage("--vector: " + problem);
    }
    QueryVectors queries;
    queries.dim = value.numbers.size();
    queries.count = 1;
    queries.matrix = std::move(value.numbers);
    return queries;
}

}  // namespace quern::shell
