// The approximate way into a sparse index: what it finds, what it leaves to the index, and what it
// does not accept from a file.
#include "engine/sparse/approximate_index.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <set>

#include "engine/sparse/row_order.h"
#include "engine/sparse/sparse_search.h"

using namespace quern;
using namespace quern::sparse;

namespace {

// Records of subjects: most of a record's dimensions are its subject's.
SparseVector MakeVector(std::mt19937* random, uint32_t subjects, size_t entries) {
    const auto next = [&](uint32_t end) { return static_cast<uint32_t>((*random)() % end); };
    const uint32_t subject = next(subjects);
    std::set<uint32_t> dimensions;
    while (dimensions.size() < entries) {
        dimensions.insert(next(4) != 0 ? subject * 40 + next(60) : next(4000));
    }
    SparseVector vector;
    for (const uint32_t dimension : dimensions) {
        vector.push_back({dimension, static_cast<float>(1 + next(200)) / 8});
    }
    return vector;
}

struct Made {
    std::unique_ptr<SparseIndex> index;
    std::unique_ptr<ApproximateIndex> approximate;
    std::vector<SparseVector> queries;
};

Made Make(size_t count, int threads = 1) {
    std::mt19937 random(7);
    SparseRowList rows;
    for (size_t i = 0; i < count; i++) {
        rows.Append(MakeVector(&random, 80, 30));
    }
    Work work;
    OrderOptions order;
    order.block_rows = 256;
    rows = rows.Reordered(*OrderRows(rows.View(), order, &work));
    Made made;
    made.index = std::move(*SparseIndex::Build(rows.View(), {}, &work));
    made.approximate = std::move(
        *ApproximateIndex::Build(*made.index, ApproximateOptions::For(count, threads), &work));
    for (size_t i = 0; i < 50; i++) {
        made.queries.push_back(MakeVector(&random, 80, 12));
    }
    return made;
}

std::vector<SparseHit> Exact(const Made& made, const SparseVector& query, size_t k,
                             const uint64_t* allowed) {
    SearchSpace space;
    Work work;
    TopHits hits(k);
    REQUIRE(made.index->Search(query, {}, allowed, 0, &hits, &space, nullptr, &work).ok());
    return hits.Take();
}

// The share of the true scores that were found; every score must be a true one.
double Recall(const Made& made, size_t pool, const uint64_t* allowed) {
    SearchSpace space;
    Work work;
    size_t found = 0;
    for (const SparseVector& query : made.queries) {
        const auto truth = Exact(made, query, 10, allowed);
        TopHits top(10);
        const auto served = made.approximate->Search(*made.index, query, pool, allowed, 0, &top,
                                                     &space, nullptr, &work);
        REQUIRE(served.ok());
        REQUIRE(*served);
        const auto hits = top.Take();
        REQUIRE(hits.size() == 10);
        for (const SparseHit& hit : hits) {
            double score = 0;
            made.index->ScoreRows(query, &hit.position, 1, &space, &score);
            REQUIRE(score == hit.score);
            REQUIRE((allowed == nullptr || (allowed[hit.position / 64] >> hit.position % 64 & 1)));
            found += hit.score >= truth.back().score ? 1 : 0;
        }
    }
    return static_cast<double>(found) / static_cast<double>(made.queries.size() * 10);
}

std::vector<Buffer> Arrays(const ApproximateIndex& approximate) {
    std::vector<Buffer> arrays(kApproximateArrays);
    for (size_t a = 0; a < kApproximateArrays; a++) {
        const SparseArrayView view = approximate.Array(static_cast<ApproximateArray>(a));
        arrays[a] = Buffer(view.items * view.item_bytes, nullptr);
        std::memcpy(arrays[a].data(), view.data, arrays[a].bytes());
    }
    return arrays;
}

}  // namespace

TEST_CASE("an approximate search finds nearly all, with exact scores", "[sparse][approximate]") {
    const Made made = Make(12000);
    REQUIRE(Recall(made, 32, nullptr) > 0.9);
    REQUIRE(Recall(made, 128, nullptr) > 0.97);
    std::vector<uint64_t> half(made.index->count() / 64 + 1, 0x5555555555555555);
    REQUIRE(Recall(made, 64, half.data()) > 0.9);
}

TEST_CASE("approximate arrays do not depend on the number of threads", "[sparse][approximate]") {
    const Made one = Make(3000, 1);
    const Made three = Make(3000, 3);
    const auto a = Arrays(*one.approximate);
    const auto b = Arrays(*three.approximate);
    for (size_t i = 0; i < kApproximateArrays; i++) {
        REQUIRE(a[i].bytes() == b[i].bytes());
        REQUIRE(std::memcmp(a[i].data(), b[i].data(), a[i].bytes()) == 0);
    }
}

TEST_CASE("what an approximate search does not serve is left to the index",
          "[sparse][approximate]") {
    const Made made = Make(2000);
    SearchSpace space;
    Work work;
    SearchStats stats;
    const auto serves = [&](const SparseVector& query, size_t k, const uint64_t* allowed) {
        TopHits hits(k);
        const auto served = made.approximate->Search(*made.index, query, 32, allowed, 0, &hits,
                                                     &space, &stats, &work);
        REQUIRE(served.ok());
        if (!*served) {
            REQUIRE(hits.Take().empty());
        }
        return *served;
    };
    REQUIRE(serves(made.queries[0], 10, nullptr));
    std::vector<uint64_t> few(made.index->count() / 64 + 1, 1);
    REQUIRE_FALSE(serves(made.queries[0], 10, few.data()));
    REQUIRE_FALSE(serves(made.queries[0], 0, nullptr));
    REQUIRE_FALSE(serves(made.queries[0], 2000, nullptr));
    REQUIRE_FALSE(serves({}, 10, nullptr));
    REQUIRE_FALSE(serves({{4000000000, 1.0f}}, 10, nullptr));
    SparseVector away = made.queries[0];
    away[0].weight = -1;
    REQUIRE_FALSE(serves(away, 10, nullptr));
    // The space is clean after all that.
    REQUIRE(Recall(made, 64, nullptr) > 0.9);
}

TEST_CASE("a pool curve answers with the least pool that gives a recall", "[sparse][approximate]") {
    PoolCurve curve;
    CHECK(curve.empty());
    CHECK_FALSE(curve.Find(10, 0.5));
    CHECK(curve.Expect(10, 40) == 0);
    curve.SetQueries(1000000);  // so that chance is no matter
    const double at_ten[] = {0.5, 0.75, 0.875, 0.9375, 0.96875};
    for (size_t step = 0; step < 5; step++) {
        curve.At(0, step) = static_cast<float>(at_ten[step] + 0.02);
        curve.At(1, step) = static_cast<float>(at_ten[step]);
        curve.At(2, step) = static_cast<float>(at_ten[step] / 2);
    }
    size_t before = 0;
    for (double recall = 0.3; recall < 0.96; recall += 0.01) {
        const auto pool = curve.Find(10, recall);
        REQUIRE(pool);
        CHECK(*pool >= before);
        before = *pool;
        // What is told is what was asked for, or more: pools are whole.
        CHECK(curve.Expect(10, *pool) >= recall - 1e-3);
        // The one nearest is told by the ten, too; and a pool holds more than it gives.
        CHECK(curve.Find(1, recall) == pool);
        CHECK(curve.Expect(1, *pool) == curve.Expect(10, *pool));
        CHECK(curve.Find(4, recall) == pool);
        CHECK(*pool >= 14);
        const auto more = curve.Find(30, recall);
        CHECK((!more || *more >= *pool));
    }
    CHECK(before > 28);
    CHECK_FALSE(curve.Find(10, 0.97));
    CHECK_FALSE(curve.Find(100, 0.6));
    CHECK_FALSE(curve.Find(101, 0.1));
    CHECK_FALSE(curve.Find(0, 0.1));
    CHECK(curve.Expect(10, 9) == 0);
    CHECK(curve.Expect(10, 5000) == curve.Expect(10, 40));
    CHECK(curve.Expect(101, 40) == 0);
    // Few queries, and more is aimed at.
    PoolCurve few = curve;
    few.SetQueries(20);
    CHECK(*few.Find(10, 0.8) > *curve.Find(10, 0.8));
    Bytes bytes;
    ByteWriter writer(&bytes);
    curve.Write(&writer);
    ByteReader reader(bytes);
    const auto read = PoolCurve::Read(&reader);
    REQUIRE(read.ok());
    CHECK(read->Find(10, 0.8) == curve.Find(10, 0.8));
    for (size_t size = 0; size < bytes.size(); size++) {
        ByteReader cut(BytesView(bytes.data(), size));
        CHECK(PoolCurve::Read(&cut).status().code() == Code::kCorrupt);
    }
}

TEST_CASE("hidden records are neither found nor gone from", "[sparse][approximate]") {
    const Made made = Make(3000);
    SearchSpace space;
    Work work;
    for (uint32_t row = 5; row < 3000; row += 300) {
        const SparseVector query = made.index->Row(row);
        TopHits seen(10);
        REQUIRE(*made.approximate->Search(*made.index, query, 32, nullptr, 0, &seen, &space,
                                          nullptr, &work));
        const auto hits = seen.Take();
        CHECK(hits.front().position == row);
        const std::vector<uint32_t> hidden = {row, hits[1].position};
        TopHits unseen(10);
        REQUIRE(*made.approximate->SearchHidden(*made.index, query, 32, hidden, &unseen, &space,
                                                nullptr, &work));
        for (const SparseHit& hit : unseen.Take()) {
            CHECK(hit.position != hidden[0]);
            CHECK(hit.position != hidden[1]);
        }
    }
}

TEST_CASE("approximate arrays come back from a file, and damaged ones are refused",
          "[sparse][approximate]") {
    Made made = Make(2000);
    const auto arrays = Arrays(*made.approximate);
    const double recall = Recall(made, 32, nullptr);
    auto loaded = ApproximateIndex::Load(*made.index, arrays.data(), 1);
    REQUIRE(loaded.ok());
    made.approximate = std::move(*loaded);
    REQUIRE(Recall(made, 32, nullptr) == recall);
    const auto refused = [&](ApproximateArray which, size_t at, uint32_t value) {
        auto damaged = Arrays(*made.approximate);
        char* const to = damaged[static_cast<size_t>(which)].data() + at;
        std::memcpy(to, &value, which == ApproximateArray::kSummaryBlocks ? 2 : 4);
        const auto status = ApproximateIndex::Load(*made.index, damaged.data(), 1).status();
        return status.code() == Code::kCorrupt;
    };
    CHECK(refused(ApproximateArray::kHead, 0, 2));
    CHECK(refused(ApproximateArray::kHead, 4, 25));
    CHECK(refused(ApproximateArray::kHead, 8, 0x7fc00000));
    CHECK(refused(ApproximateArray::kTermBlocks, 0, 1));
    CHECK(refused(ApproximateArray::kBlockMembers, 4, UINT32_MAX));
    CHECK(refused(ApproximateArray::kMembers, 0, 2000));
    CHECK(refused(ApproximateArray::kListTerms, 4, UINT32_MAX));
    CHECK(refused(ApproximateArray::kSummaryFirst, 4, UINT32_MAX));
    CHECK(refused(ApproximateArray::kSummaryBlocks, 0, 60000));
    CHECK(refused(ApproximateArray::kLinks, 0, 2000));
    CHECK(refused(ApproximateArray::kCurve, 8, 38));
    // Without a curve, or with one of a later version, it is asked for pools alone.
    CHECK_FALSE(made.approximate->curve().empty());
    for (const uint32_t version : {0u, 2u}) {
        auto other = Arrays(*made.approximate);
        Buffer& curve = other[static_cast<size_t>(ApproximateArray::kCurve)];
        if (version == 0) {
            curve.Shrink(0);
        } else {
            std::memcpy(curve.data(), &version, 4);
        }
        const auto without = ApproximateIndex::Load(*made.index, other.data(), 1);
        REQUIRE(without.ok());
        CHECK((*without)->curve().empty());
    }
    auto shorter = Arrays(*made.approximate);
    shorter[static_cast<size_t>(ApproximateArray::kLinks)].Shrink(4);
    CHECK_FALSE(ApproximateIndex::Load(*made.index, shorter.data(), 1).ok());
}
