#include "run_file.h"

#include "file_format.h"
#include "result_cells.h"

namespace quern::shell {

RunFile::RunFile(const SearchOptions& options, size_t count) : options_(options) {
    if (options.run.empty()) {
        if (!options.query_ids.empty()) {
            FailUsage("--query-ids goes with --run");
        }
        return;
    }
    if (!options.query_ids.empty()) {
        const auto source = ByteSource::Open(options.query_ids, StopFlag());
        query_ids_ =
            ReadQueryIds(source.get(), FormatOfPath(options.query_ids) == FileFormat::kJsonl);
        const uint64_t wanted = options.queries.skip_rows + count;
        if (query_ids_.size() < wanted) {
            Fail(options.query_ids + ": " + std::to_string(query_ids_.size()) + " names for " +
                 std::to_string(wanted) + " queries");
        }
    }
    writer_ =
        std::make_unique<RunWriter>(ByteSink::Open(options.run, options.force), options.run_tag);
}

void RunFile::Add(const quern_result* result, size_t first, size_t count) {
    if (writer_ == nullptr) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const size_t number = static_cast<size_t>(options_.queries.skip_rows) + first + i;
        const std::string query = query_ids_.empty() ? std::to_string(number) : query_ids_[number];
        for (size_t row = quern_result_offset(result, i); row < quern_result_offset(result, i + 1);
             row++) {
            writer_->Add(query, KeyText(result, row), quern_result_score(result, row));
        }
    }
}

void RunFile::Finish() {
    if (writer_ != nullptr) {
        writer_->Finish();
    }
}

}  // namespace quern::shell
