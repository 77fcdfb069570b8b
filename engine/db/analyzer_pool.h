// Analyzers of text fields, lent from one search to the next: a tokenizer of SQLite's has a
// connection of its own, and to open one takes longer than many a query.
//
// Thread rule: thread-safe; a lease is confined, and ends before the pool.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/sparse/text_analyzer.h"
#include "storage/base/schema.h"

namespace quern {

class AnalyzerPool {
public:
    class Lease {
    public:
        Lease(AnalyzerPool* pool, std::string options,
              std::unique_ptr<sparse::TextAnalyzer> analyzer)
            : pool_(pool), options_(std::move(options)), analyzer_(std::move(analyzer)) {}
        Lease(Lease&&) = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease();
        sparse::TextAnalyzer* get() const { return analyzer_.get(); }
        sparse::TextAnalyzer* operator->() const { return analyzer_.get(); }

    private:
        AnalyzerPool* pool_;
        std::string options_;
        std::unique_ptr<sparse::TextAnalyzer> analyzer_;
    };
    // kOption, kNoMem: as OpenAnalyzer.
    Result<Lease> Take(const TextDef& def);

private:
    struct Idle {
        std::string options;
        std::unique_ptr<sparse::TextAnalyzer> analyzer;
    };
    void Return(std::string options, std::unique_ptr<sparse::TextAnalyzer> analyzer);

    std::mutex mutex_;
    std::vector<Idle> idle_;  // the one that was used last stands last
};

}  // namespace quern
