#include "engine/sparse/record_walk.h"

namespace quern::sparse {

void WalkRecords(const CutRows& cut, const uint32_t* links, uint32_t stride, const float* norms,
                 size_t pool_max, WalkSpace* space) {
    auto& pool = space->pool;
    size_t next = 0;
    while (true) {
        for (const uint32_t row : space->fresh) {
            const auto dot = static_cast<float>(cut.Dot(row, space->table));
            const float score = norms == nullptr ? dot : dot * norms[row];
            next = std::min(next, space->Insert(score, row, pool_max));
        }
        space->scored += space->fresh.size();
        space->fresh.clear();
        while (next < pool.size() && pool[next].gone_from) {
            next++;
        }
        if (next == pool.size()) {
            return;
        }
        pool[next].gone_from = true;
        const uint32_t* const of = links + size_t{pool[next].row} * stride;
        for (uint32_t i = 0; i < stride && of[i] != kNoLink; i++) {
            space->Meet(of[i], cut);
        }
        // Most likely the one after it.
        for (size_t after = next + 1; after < pool.size(); after++) {
            if (!pool[after].gone_from) {
                const uint32_t* const ahead = links + size_t{pool[after].row} * stride;
                __builtin_prefetch(ahead);
                __builtin_prefetch(ahead + 16);
                break;
            }
        }
    }
}

}  // namespace quern::sparse
