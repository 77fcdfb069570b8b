#include "engine/sparse/log_index.h"

#include <algorithm>
#include <new>
namespace quern::sparse {

namespace {

// Records that are added under one lock: searches wait for about a millisecond.
constexpr size_t kSliceRows = 256;
// What an entry takes while its window is open, and in all when it is closed just then.
constexpr uint64_t kEntryBytes = 24;
}  // namespace

LogIndex::~LogIndex() {
    memory_->Add(-counted_);
}

size_t LogIndex::count() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return full_->size() * kLogWindowRows + open_.rows();
}

void LogIndex::CountMemory() {
    const auto bytes = static_cast<int64_t>(open_.memory_bytes());
    memory_->Add(bytes - counted_);
    counted_ = bytes;
}

Status LogIndex::Extend(size_t end, const LogRowAt& row,
                        const std::function<bool(uint64_t)>& allows, Work* work) {
    while (true) {
        const size_t first = count();
        if (first >= end) {
            return {};
        }
        QUERN_TRY(work->Check("search", first, end));
        const size_t stop = std::min(end, first + kSliceRows);
        uint64_t bytes = 0;
        for (size_t i = first; i < stop; i++) {
            bytes += row(static_cast<uint32_t>(i)).count * kEntryBytes;
        }
        if (!allows(bytes)) {
            return {};
        }
        AppendSome(stop, row);
    }
}

void LogIndex::AppendSome(size_t end, const LogRowAt& row) {
    std::lock_guard<std::mutex> lock(mutex_);
    try {
        for (size_t at = full_->size() * kLogWindowRows + open_.rows(); at < end; at++) {
            open_.Append(row(static_cast<uint32_t>(at)));
            if (open_.full()) {
                auto more = std::make_shared<Windows>(*full_);
                more->push_back(std::make_shared<LogWindow>(open_, memory_));
                full_ = std::move(more);
                open_.Clear();
            }
        }
    } catch (const std::bad_alloc&) {
        // Part of a record may be there.
        open_ = OpenWindow();
        CountMemory();
        throw;
    }
    CountMemory();
}

Result<size_t> LogIndex::Search(const SparseVector& query, const LogRowAt& row, LogHits* hits,
                                LogSpace* space, SearchStats* stats, Work* work) const {
    LogSearch search(query, row, hits, space);
    std::shared_ptr<const Windows> full;
    size_t done = 0;  // windows
    size_t count = 0;
    // The open window is the last one, when it is known how good a score has to be. Meanwhile it
    // may have become full.
    while (true) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            full = full_;
            if (full->size() == done) {
                const auto first = static_cast<uint32_t>(done * kLogWindowRows);
                search.Open(open_, first);
                count = first + open_.rows();
                break;
            }
        }
        for (; done < full->size(); done++) {
            if (done + 1 < full->size()) {
                (*full)[done + 1]->FetchTerms(query);
            }
            search.Open(*(*full)[done], static_cast<uint32_t>(done * kLogWindowRows));
            QUERN_TRY(work->Check("search", done, full->size()));
        }
    }
    search.Finish();
    if (stats != nullptr) {
        search.AddTo(stats);
    }
    return count;
}

}  // namespace quern::sparse
