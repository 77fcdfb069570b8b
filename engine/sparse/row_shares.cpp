#include "engine/sparse/row_shares.h"

#include <algorithm>
#include <atomic>

#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

// Of one share at least: a millisecond or so of work, where starting a thread takes a twentieth.
constexpr uint64_t kEntriesOfShareMin = uint64_t{1} << 15;

}  // namespace

RowShares::RowShares(const SparseRows& rows, int threads) {
    const uint64_t entries = rows.entries();
    const uint64_t most = std::max<uint64_t>(entries / kEntriesOfShareMin, 1);
    const uint64_t shares =
        std::clamp<uint64_t>(static_cast<uint64_t>(std::max(threads, 1)), 1, most);
    for (uint64_t share = 1; share < shares; share++) {
        const uint64_t entry = rows.offsets[0] + entries * share / shares;
        ends_.push_back(static_cast<size_t>(
            std::lower_bound(rows.offsets, rows.offsets + rows.count, entry) - rows.offsets));
    }
    ends_.push_back(rows.count);
}

Status RowShares::Run(const std::function<Status(const RowShare&)>& body) const {
    std::atomic<size_t> next{0};
    return RunOnThreads(static_cast<int>(count()), [&](int) -> Status {
        for (size_t share = next++; share < count(); share = next++) {
            QUERN_TRY(body({share, share == 0 ? 0 : ends_[share - 1], ends_[share]}));
        }
        return {};
    });
}

}  // namespace quern::sparse
