#include "engine/db/sparse_log.h"

#include <algorithm>

#include "engine/db/log_mirror.h"
#include "engine/db/segment.h"
#include "storage/sparse_value.h"

namespace quern {

namespace {
// Scans of a record that cost as much as to index it, about.
constexpr uint64_t kScansToIndex = 4;
}  // namespace

sparse::LogRow SparseRowOf(const LogView& log, size_t i, size_t field) {
    const BytesView value = log.value(i, field);
    const size_t entries = storage::SparseEntries(value);
    // Values of the log are aligned.
    const auto* const dimensions = reinterpret_cast<const uint32_t*>(value.data());
    return {dimensions, reinterpret_cast<const float*>(dimensions + entries), entries};
}

Result<size_t> SparseLog::Prepare(const LogView& log, size_t field, size_t queries,
                                  const MemoryBudget& budget, Work* work) {
    const size_t indexed = index_.count();
    if (indexed >= log.count) {
        return log.count;
    }
    const uint64_t missing = log.count - indexed;
    const uint64_t scans = missing * queries;
    if (scanned_.fetch_add(scans) + scans < kScansToIndex * missing) {
        return indexed;
    }
    // All records of the log, since older and newer snapshots see others.
    const auto row = [&](uint32_t i) { return SparseRowOf(log, i, field); };
    const auto allows = [&](uint64_t bytes) { return budget.Allows(bytes); };
    QUERN_TRY(index_.Extend(log.count, row, allows, work));
    scanned_ = 0;
    return std::min(index_.count(), log.count);
}

}  // namespace quern
