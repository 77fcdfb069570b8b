#include "tests/bench/sparse/build_times.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

using quern::sparse::SparseIndex;

double Seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

bool SameArrays(const SparseIndex& a, const SparseIndex& b) {
    bool same = true;
    for (size_t number = 0; number < quern::sparse::kSparseArrays; number++) {
        const auto array = static_cast<quern::sparse::SparseArray>(number);
        const auto x = a.Array(array);
        const auto y = b.Array(array);
        same = same && x.items == y.items &&
               (x.items == 0 || std::memcmp(x.data, y.data, x.items * x.item_bytes) == 0);
    }
    return same;
}

}  // namespace

std::vector<BuildTime> TimeBuilds(const quern::sparse::SparseRowList& rows,
                                  quern::sparse::OrderOptions order,
                                  quern::sparse::IndexOptions index, int threads, size_t rounds) {
    quern::Work work;
    const double postings = static_cast<double>(rows.View().entries()) / 1e6;
    std::vector<BuildTime> times = {{1, {}, {}}, {threads, {}, {}}};
    std::vector<uint32_t> first_order;
    std::unique_ptr<SparseIndex> first_index;
    for (size_t round = 0; round < rounds; round++) {
        for (BuildTime& time : times) {
            order.threads = time.threads;
            index.threads = time.threads;
            const double start = Seconds();
            std::vector<uint32_t> ordered = *OrderRows(rows.View(), order, &work);
            time.order_us.push_back((Seconds() - start) / postings);
            const quern::sparse::SparseRowList reordered = rows.Reordered(ordered);
            const double before = Seconds();
            std::unique_ptr<SparseIndex> built =
                std::move(*SparseIndex::Build(reordered.View(), index, &work));
            time.build_us.push_back((Seconds() - before) / postings);
            if (first_index == nullptr) {
                first_order = std::move(ordered);
                first_index = std::move(built);
            } else if (ordered != first_order || !SameArrays(*built, *first_index)) {
                std::fprintf(stderr, "%d threads made another index\n", time.threads);
                std::exit(1);
            }
        }
    }
    return times;
}

}  // namespace bench
