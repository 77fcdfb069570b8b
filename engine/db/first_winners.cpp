#include "engine/db/first_winners.h"

#include <algorithm>

namespace quern {

Status KeepFirst(Snapshot* snapshot, const CollectionView& view, size_t k,
                 std::vector<Winner>* winners, FileReads* reads) {
    if (k == 0 || winners->size() <= k) {
        return {};
    }
    const double last = (*winners)[k - 1].distance;
    const auto kept = winners->begin() + static_cast<ptrdiff_t>(k);
    const auto begin = std::find_if(winners->begin(), kept,
                                    [&](const Winner& winner) { return winner.distance == last; });
    const auto end = std::find_if(kept, winners->end(),
                                  [&](const Winner& winner) { return winner.distance != last; });
    if (kept != end) {
        QUERN_TRY(snapshot->With(
            [&](storage::Connection* connection) -> Status {
                const ColumnChoice no_columns;
                ResultTable table;
                ResultRows rows(connection, view, no_columns, &table);
                for (auto winner = begin; winner != end; ++winner) {
                    if (!winner->has_key) {
                        QUERN_ASSIGN(winner->key, rows.KeyOf(winner->place));
                        winner->has_key = true;
                    }
                }
                return {};
            },
            reads));
        std::sort(begin, end, [](const Winner& a, const Winner& b) { return a.key < b.key; });
    }
    winners->erase(kept, winners->end());
    return {};
}

}  // namespace quern
