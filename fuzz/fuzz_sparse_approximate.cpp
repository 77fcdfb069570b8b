// The arrays of an approximate sparse index, as a hostile file could hold them, beside an index
// that is in order.
//
// Bytes: for each array its length (2, little endian) and its bytes; the first bit of the byte
// before them says that only one array is as they say, the rest which, and the others are those
// that were built. What ApproximateIndex::Load accepts must be safe to search, and to be asked for
// a recall.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>

#include "engine/sparse/approximate_index.h"
#include "engine/sparse/sparse_search.h"
#include "fuzz/index_arrays.h"

using namespace quern;

namespace {

constexpr uint32_t kRows = 200;

struct Sound {
    std::unique_ptr<sparse::SparseIndex> index;
    std::unique_ptr<sparse::ApproximateIndex> approximate;
    sparse::SparseVector query;
    Sound() {
        sparse::SparseRowList rows;
        for (uint32_t i = 0; i < kRows; i++) {
            sparse::SparseVector row;
            for (uint32_t d = 0; d < 8; d++) {
                row.push_back({d * 5 + (i * (d + 3)) % 5, static_cast<float>(1 + (i * 7 + d) % 9)});
            }
            rows.Append(row);
        }
        Work work;
        index = std::move(*sparse::SparseIndex::Build(rows.View(), {}, &work));
        approximate = std::move(*sparse::ApproximateIndex::Build(
            *index, sparse::ApproximateOptions::For(kRows, 1), &work));
        for (uint32_t d = 0; d < 40; d += 3) {
            query.push_back({d, static_cast<float>(1 + d % 4)});
        }
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Sound sound;
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    const uint8_t which = reader.U8();
    Buffer arrays[sparse::kApproximateArrays];
    for (size_t a = 0; a < sparse::kApproximateArrays; a++) {
        if ((which & 1) != 0 && (which >> 1) % sparse::kApproximateArrays != a) {
            const sparse::SparseArrayView view =
                sound.approximate->Array(static_cast<sparse::ApproximateArray>(a));
            arrays[a] = Buffer(view.items * view.item_bytes, nullptr);
            std::memcpy(arrays[a].data(), view.data, arrays[a].bytes());
            continue;
        }
        CopyArray(TakeArray(&reader), &arrays[a]);
    }
    const auto loaded = sparse::ApproximateIndex::Load(*sound.index, arrays, 1);
    if (!loaded.ok()) {
        return 0;
    }
    // What its curve answers is a pool of the curve, or none, and no recall above 1.
    const sparse::PoolCurve& curve = (*loaded)->curve();
    for (const size_t k : {1, 7, 100, 1000}) {
        for (const double recall : {0.0001, 0.9, 0.999999}) {
            const auto pool = curve.Find(k, recall);
            if (pool && (*pool < sparse::PoolCurve::kPools.front() ||
                         *pool > sparse::PoolCurve::kPools.back())) {
                std::abort();
            }
        }
        for (const size_t pool : {1, 10, 33, 100000}) {
            const double recall = curve.Expect(k, pool);
            if (!(recall >= 0 && recall <= 1)) {
                std::abort();
            }
        }
    }
    static sparse::SearchSpace space;
    Work work;
    sparse::SearchStats stats;
    const uint64_t some[4] = {0x5555555555555555, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
    for (const uint64_t* const allowed : {static_cast<const uint64_t*>(nullptr), some}) {
        sparse::TopHits hits(7);
        if (!(*loaded)
                 ->Search(*sound.index, sound.query, 30, allowed, 0, &hits, &space, &stats, &work)
                 .ok()) {
            std::abort();
        }
        std::set<uint32_t> seen;
        for (const sparse::SparseHit& hit : hits.Take()) {
            if (hit.position >= kRows || !seen.insert(hit.position).second) {
                std::abort();
            }
        }
    }
    return 0;
}
