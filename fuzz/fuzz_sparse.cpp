// The arrays of a sparse index, as a hostile file could hold them.
//
// Bytes: count (1), then the arrays (index_arrays.h). What SparseIndex::Load accepts must be
// safe to search on every path and to read back: no access outside the arrays, an end, and no
// record met twice.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sparse_search.h"
#include "fuzz/index_arrays.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    const size_t count = reader.U8();
    Buffer arrays[sparse::kSparseArrays];
    const std::string head = TakeArrays(&reader, arrays);
    auto index = sparse::SparseIndex::Load(count, head, arrays);
    if (!index.ok()) {
        return 0;
    }
    static sparse::SearchSpace space;
    Work work;
    sparse::SparseVector query;
    for (uint32_t i = 0; i < (*index)->count(); i++) {
        for (const sparse::SparseEntry& entry : (*index)->Row(i)) {
            if (query.empty() || query.back().dimension < entry.dimension) {
                query.push_back({entry.dimension, i % 3 == 0 ? -0.5f : 2.0f});
            }
        }
    }
    const uint64_t some[4] = {0x5555555555555555, ~uint64_t{0}, 0, 1};
    for (const auto path : {sparse::SearchPath::kChosen, sparse::SearchPath::kExhaustive,
                            sparse::SearchPath::kSuperblocks}) {
        for (const uint64_t* const allowed : {static_cast<const uint64_t*>(nullptr), some}) {
            sparse::SearchOptions options;
            options.path = path;
            sparse::TopHits hits(7);
            if (!(*index)->Search(query, options, allowed, 0, &hits, &space, nullptr, &work).ok()) {
                std::abort();
            }
            std::set<uint32_t> seen;
            for (const sparse::SparseHit& hit : hits.Take()) {
                if (hit.position >= count || !seen.insert(hit.position).second) {
                    std::abort();
                }
            }
        }
    }
    return 0;
}
