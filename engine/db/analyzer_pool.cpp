#include "engine/db/analyzer_pool.h"

#include <algorithm>

#include "engine/db/text_column.h"
#include "storage/base/at_end.h"

namespace quern {

namespace {
// As many text fields as are searched in turns, and threads that search at once, usually.
constexpr size_t kIdleAnalyzersMax = 16;
// Fields with long lists of stop words or synonyms keep theirs only while they search.
constexpr size_t kPooledOptionsMax = 4096;
}  // namespace

Result<AnalyzerPool::Lease> AnalyzerPool::Take(const TextDef& def) {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const Idle& idle) {
            return idle.options == def.options;
        });
        if (found != idle_.rend()) {
            std::unique_ptr<sparse::TextAnalyzer> analyzer = std::move(found->analyzer);
            idle_.erase(std::next(found).base());
            return Lease(this, def.options, std::move(analyzer));
        }
    }
    QUERN_ASSIGN(std::unique_ptr<sparse::TextAnalyzer> analyzer, OpenAnalyzer(def));
    return Lease(this, def.options, std::move(analyzer));
}

AnalyzerPool::Lease::~Lease() {
    if (analyzer_ != nullptr && options_.size() <= kPooledOptionsMax) {
        Try([this] { pool_->Return(std::move(options_), std::move(analyzer_)); });
    }
}

void AnalyzerPool::Return(std::string options, std::unique_ptr<sparse::TextAnalyzer> analyzer) {
    std::unique_ptr<sparse::TextAnalyzer> dropped;  // outside the lock
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.capacity() == 0) {
        idle_.reserve(kIdleAnalyzersMax);
    }
    if (idle_.size() == kIdleAnalyzersMax) {
        dropped = std::move(idle_.front().analyzer);
        idle_.erase(idle_.begin());
    }
    idle_.push_back({std::move(options), std::move(analyzer)});
}

}  // namespace quern
