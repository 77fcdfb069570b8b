// Orders of rows: permutations that bring near rows together.
#include "engine/sparse/row_order.h"

#include <catch2/catch.hpp>
#include <set>

#include "engine/sparse/sparse_index.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;
using namespace sparse_sample;

namespace {

// Rows of a few kinds, each with dimensions of its own, shuffled.
SparseRowList MixedRows(size_t count, size_t kinds, std::mt19937* random) {
    Shape shape;
    shape.dimensions = 40;
    SparseRowList rows;
    for (size_t i = 0; i < count; i++) {
        SparseVector vector = RandomVector(shape, random);
        const auto kind = static_cast<uint32_t>((*random)() % kinds);
        for (SparseEntry& entry : vector) {
            entry.dimension += kind * 40;
        }
        rows.Append(vector);
    }
    return rows;
}

size_t Runs(const SparseRowList& rows, uint32_t superblock_rows) {
    Work work;
    IndexOptions options;
    options.superblock_rows = superblock_rows;
    const auto index = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(index.ok());
    return (*index)->lists().run_lengths.size();
}

}  // namespace

TEST_CASE("an order of sparse rows has every row once, whatever the threads", "[sparse]") {
    std::mt19937 random(1);
    Work work;
    for (const size_t count :
         {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{1000}, size_t{20000}}) {
        const SparseRowList rows = MixedRows(count, 8, &random);
        OrderOptions options;
        options.block_rows = 64;
        const auto order = OrderRows(rows.View(), options, &work);
        REQUIRE(order.ok());
        REQUIRE(order->size() == count);
        REQUIRE(std::set<uint32_t>(order->begin(), order->end()).size() == count);
        REQUIRE((count == 0 || *std::max_element(order->begin(), order->end()) == count - 1));
        for (const int threads : {2, 3, 8}) {
            options.threads = threads;
            const auto again = OrderRows(rows.View(), options, &work);
            REQUIRE(again.ok());
            REQUIRE(*again == *order);
        }
    }
}

TEST_CASE("ordering sparse rows separates what has nothing in common", "[sparse]") {
    std::mt19937 random(2);
    Work work;
    const SparseRowList rows = MixedRows(4096, 8, &random);
    OrderOptions options;
    options.block_rows = 512;
    const auto order = OrderRows(rows.View(), options, &work);
    REQUIRE(order.ok());
    REQUIRE(Runs(rows.Reordered(*order), 512) * 2 < Runs(rows, 512));
}

TEST_CASE("an interrupted ordering of sparse rows stops", "[sparse]") {
    std::mt19937 random(3);
    const SparseRowList rows = MixedRows(1000, 4, &random);
    std::atomic<uint64_t> epoch{0};
    Work work(&epoch, nullptr);
    epoch = 1;
    OrderOptions options;
    options.block_rows = 64;
    for (const int threads : {1, 4}) {
        options.threads = threads;
        REQUIRE(OrderRows(rows.View(), options, &work).status().code() == Code::kInterrupted);
    }
}
