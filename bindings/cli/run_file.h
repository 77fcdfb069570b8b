// RunFile: the hits of a search as a file for trec_eval (quern search --run).
#pragma once

#include <memory>

#include "retrieval_files.h"
#include "search_run.h"
#include "shell.h"

namespace quern::shell {

class RunFile {
public:
    // Opens the file, and reads the names of `count` queries, where these are wanted. The options
    // must outlive this.
    RunFile(const SearchOptions& options, size_t count);

    bool wanted() const { return writer_ != nullptr; }
    // The hits of `count` queries from `first` on.
    void Add(const quern_result* result, size_t first, size_t count);
    void Finish();

private:
    const SearchOptions& options_;
    std::unique_ptr<RunWriter> writer_;
    std::vector<std::string> query_ids_;
};

}  // namespace quern::shell
