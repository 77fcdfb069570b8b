// Reading the file of an import.
#include "record_stream.h"

#include <utility>

#include "file_format.h"
#include "shell.h"

namespace quern::shell {
namespace {

constexpr size_t kSampleRecords = 1000;
constexpr uint64_t kSampleBytes = uint64_t{8} << 20;
// In memory; a file that is compressed can hold much more than its size.
constexpr size_t kSampleMemory = size_t{64} << 20;

}  // namespace

RecordStream::RecordStream(const RecordStreamOptions& options) : options_(options) {
    std::unique_ptr<ByteSource> source = ByteSource::Open(options.file, StopFlag());
    const FileFormat format =
        options.format.empty() ? FormatOfPath(options.file) : FormatOfName(options.format);
    if (format == FileFormat::kUnknown) {
        FailUsage(options.format.empty()
                      ? options.file +
                            ": the name does not tell the format; give --format, one of " +
                            FormatNames()
                      : "unknown format '" + options.format + "'; wanted one of " + FormatNames() +
                            ", lines");
    }
    reader_ = NewRecordReader(std::move(source), format,
                              options.delimiter.empty()    ? '\0'
                              : options.delimiter == "\\t" ? '\t'
                                                           : options.delimiter[0]);
    if (!options.key_file.empty()) {
        keys_ = ByteSource::Open(options.key_file, StopFlag());
    }
}

const std::deque<Record>& RecordStream::TakeSample() {
    const size_t wanted = reader_->has_columns() ? kSampleRecords : 1;
    const uint64_t bytes_before = reader_->source().bytes_taken();
    sampling_ = true;
    try {
        Record record;
        size_t memory = 0;
        while (sample_.size() < wanted && memory < kSampleMemory &&
               reader_->source().bytes_taken() - bytes_before < kSampleBytes && Read(&record)) {
            sample_.push_back(record);
            memory += record.Bytes();
        }
    } catch (const FormatError&) {
        if (sample_.empty()) {
            throw;
        }
        sample_error_ = std::current_exception();
    }
    sampling_ = false;
    return sample_;
}

bool RecordStream::Next(Record* record) {
    if (!sample_.empty()) {
        bad_.Release(sample_taken_++);
        *record = std::move(sample_.front());
        sample_.pop_front();
        return true;
    }
    bad_.Release(UINT64_MAX);
    if (sample_error_ != nullptr) {
        std::rethrow_exception(std::exchange(sample_error_, nullptr));
    }
    return Read(record);
}

bool RecordStream::Read(Record* record) {
    for (;;) {
        CheckStopped();
        try {
            if (!reader_->Next(record)) {
                return false;
            }
            if (record->row < options_.skip_rows) {
                continue;
            }
            if (record->row - options_.skip_rows >= options_.limit) {
                return false;
            }
            TakeKey(record);
            return true;
        } catch (const FormatError& error) {
            SkipBad(error);
        }
    }
}

void RecordStream::SkipBad(const FormatError& error) {
    if (!error.recoverable() || !options_.skip_bad) {
        throw error;
    }
    if (sampling_) {
        bad_.Hold(error, sample_.size());
    } else {
        bad_.Add(error);
    }
}

// Line n of the key file belongs to row n, whatever was skipped between.
void RecordStream::TakeKey(Record* record) {
    if (keys_ == nullptr) {
        return;
    }
    while (key_lines_ <= record->row) {
        if (!keys_->ReadLine(&key_line_)) {
            throw FormatError(keys_->name() + ": only " + std::to_string(key_lines_) +
                              " keys, but the file has row " + std::to_string(record->row));
        }
        key_lines_++;
    }
    record->key = key_line_;
    record->has_key = true;
}

}  // namespace quern::shell
