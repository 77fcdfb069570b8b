// Static pruning: which entries stay, and what searches of a pruned index promise.
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "engine/sparse/space_pool.h"
#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sparse_search.h"
#include "engine/sparse/term_table.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;

namespace {

// The dimensions that stay of rows, one list a row.
std::vector<std::vector<uint32_t>> Stay(const std::vector<SparseVector>& vectors,
                                        const PruneOptions& options) {
    SparseRowList rows;
    for (const SparseVector& vector : vectors) {
        rows.Append(vector);
    }
    std::vector<uint32_t> terms;
    Work work;
    const TermTable table = *TermTable::Learn(rows.View(), 1, &work, &terms);
    const PrunedRows kept = *PruneRows(rows.View(), terms, table.size(), options, 1, &work);
    std::vector<std::vector<uint32_t>> out;
    for (size_t row = 0; row + 1 < kept.offsets.size(); row++) {
        out.emplace_back(kept.dimensions.begin() + static_cast<ptrdiff_t>(kept.offsets[row]),
                         kept.dimensions.begin() + static_cast<ptrdiff_t>(kept.offsets[row + 1]));
    }
    CHECK(kept.terms.size() == kept.dimensions.size());
    return out;
}

using Lists = std::vector<std::vector<uint32_t>>;

// As it comes back from its arrays.
quern::Result<std::unique_ptr<SparseIndex>> Again(const SparseIndex& index) {
    Buffer arrays[kSparseArrays];
    std::string head;
    for (size_t a = 0; a < kSparseArrays; a++) {
        const SparseArrayView view = index.Array(static_cast<SparseArray>(a));
        const size_t bytes = view.items * view.item_bytes;
        if (a == 0) {
            head.assign(view.data, bytes);
            continue;
        }
        arrays[a] = Buffer(bytes, nullptr);
        std::copy_n(view.data, bytes, arrays[a].data());
    }
    return SparseIndex::Load(index.count(), head, arrays);
}

}  // namespace

TEST_CASE("pruning keeps the heaviest entries", "[sparse][prune]") {
    // The second row has all dimensions heavier, so that nothing stays for want of another.
    const SparseVector all = {{1, 99}, {2, 99}, {3, -99}, {4, 99}, {5, 99}};
    const std::vector<SparseVector> vectors = {{{1, 4}, {2, 1}, {3, -3}, {4, 2}}, all, {}};
    const auto first = [&](const PruneOptions& options) {
        const Lists lists = Stay(vectors, options);
        CHECK(lists.size() == 3);
        CHECK(lists[2].empty());
        return lists[0];
    };
    PruneOptions options;
    CHECK(!options.any());
    CHECK(first(options) == std::vector<uint32_t>{1, 2, 3, 4});
    options.top = 2;
    CHECK(first(options) == std::vector<uint32_t>{1, 3});
    options = {};
    options.ratio = 0.5;
    CHECK(first(options) == std::vector<uint32_t>{1, 3, 4});
    options = {};
    options.below = 2.5;
    CHECK(first(options) == std::vector<uint32_t>{1, 3});
    options = {};
    options.mass = 0.65;  // 4 of 10, 7 of 10
    CHECK(first(options) == std::vector<uint32_t>{1, 3});
    options.mass = 0.75;
    CHECK(first(options) == std::vector<uint32_t>{1, 3, 4});
    options.top = 1;
    CHECK(first(options) == std::vector<uint32_t>{1});
    // The heaviest of each term stays in any case.
    options = {};
    options.below = 1000;
    CHECK(Stay(vectors, options) == Lists{{}, {1, 2, 3, 4, 5}, {}});
    CHECK(Stay({{{7, 1}, {8, 2}}}, options) == Lists{{7, 8}});
}

TEST_CASE("a pruned index scores by whole rows, and comes back from its arrays so",
          "[sparse][prune]") {
    sparse_sample::Shape shape;
    shape.dimensions = 400;
    shape.entries_max = 40;
    shape.negative = GENERATE(0.0, 0.1);
    std::mt19937 random(3);
    SparseRowList rows;
    std::vector<SparseVector> vectors;
    for (size_t i = 0; i < 9000; i++) {
        vectors.push_back(sparse_sample::RandomVector(shape, &random));
        rows.Append(vectors.back());
    }
    IndexOptions options;
    options.prune.mass = 0.8;
    Work work;
    auto built = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(built.ok());
    auto loaded = Again(**built);
    INFO(loaded.status().message());
    REQUIRE(loaded.ok());
    const SparseIndex& index = **loaded;
    CHECK(index.pruned());
    CHECK(index.postings() == rows.View().entries());
    const auto whole = SparseIndex::Build(rows.View(), {}, &work);
    CHECK(!(*whole)->pruned());
    CHECK(index.lists().postings.bytes() < (*whole)->lists().postings.bytes());
    SearchSpace space;
    double found = 0;
    double wanted = 0;
    for (size_t q = 0; q < 100; q++) {
        const SparseVector query = sparse_sample::RandomVector(shape, &random);
        const auto search = [&](const SparseIndex& of, SearchPath path) {
            SearchOptions how;
            how.path = path;
            TopHits top(10);
            REQUIRE(of.Search(query, how, nullptr, 0, &top, &space, nullptr, &work).ok());
            return top.Take();
        };
        const auto truth = search(**whole, SearchPath::kChosen);
        const auto forward = search(index, SearchPath::kForward);
        REQUIRE(forward.size() == truth.size());
        for (size_t i = 0; i < truth.size(); i++) {
            CHECK((forward[i].score == truth[i].score && forward[i].position == truth[i].position));
        }
        std::set<uint32_t> true_ones;
        for (const SparseHit& hit : truth) {
            true_ones.insert(hit.position);
        }
        wanted += static_cast<double>(truth.size());
        for (const SparseHit& hit : search(index, SearchPath::kChosen)) {
            found += static_cast<double>(true_ones.count(hit.position));
            const SparseVector& row = vectors[hit.position];
            std::vector<uint32_t> dims;
            std::vector<float> weights;
            for (const SparseEntry& entry : row) {
                dims.push_back(entry.dimension);
                weights.push_back(entry.weight);
            }
            double score = 0;
            REQUIRE(ScoreVector(query, dims.data(), weights.data(), dims.size(), &score));
            CHECK(hit.score == score);
        }
    }
    CHECK(found >= 0.8 * wanted);
    CHECK(found <= wanted);
}

TEST_CASE("impacts in place of weights take a byte, and scores are off by no more than is told",
          "[sparse][impacts]") {
    sparse_sample::Shape shape;
    shape.dimensions = 400;
    shape.entries_max = 40;
    shape.weights = GENERATE(0, 1, 2, 3);
    shape.negative = GENERATE(0.0, 0.1);
    CAPTURE(shape.weights, shape.negative);
    std::mt19937 random(3);
    SparseRowList rows;
    std::vector<SparseVector> vectors;
    for (size_t i = 0; i < 5000; i++) {
        vectors.push_back(sparse_sample::RandomVector(shape, &random));
        rows.Append(vectors.back());
    }
    Work work;
    IndexOptions options;
    const auto whole = SparseIndex::Build(rows.View(), options, &work);
    options.impacts = true;
    const auto built = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(built.ok());
    const auto loaded = Again(**built);
    INFO(loaded.status().message());
    REQUIRE(loaded.ok());
    const SparseIndex& index = **loaded;
    CHECK(index.memory_bytes() == (*built)->memory_bytes());
    // A few weights, or all alike, are kept as they are.
    const bool saves = shape.weights != 0;
    CHECK(index.rounded() == saves);
    CHECK(!(*whole)->rounded());
    const uint64_t of_weights = (*whole)->forward().weights.bytes();
    CHECK(index.forward().weights.bytes() == (saves ? index.postings() : of_weights));
    CHECK((!saves || of_weights >= 2 * index.postings()));
    SearchSpace space;
    bool differs = false;
    for (size_t q = 0; q < 50; q++) {
        const SparseVector query = sparse_sample::RandomVector(shape, &random);
        const double error = index.ScoreError(query, &space);
        CHECK((saves || error == 0));
        TopHits top(20);
        REQUIRE(index.Search(query, {}, nullptr, 0, &top, &space, nullptr, &work).ok());
        for (const SparseHit& hit : top.Take()) {
            double exact = 0;
            (*whole)->ScoreRows(query, &hit.position, 1, &space, &exact);
            CHECK(std::fabs(hit.score - exact) <= error);
            differs = differs || hit.score != exact;
            std::vector<uint32_t> dimensions;
            index.DimensionsOf(hit.position, &dimensions);
            REQUIRE(dimensions.size() == vectors[hit.position].size());
            for (size_t i = 0; i < dimensions.size(); i++) {
                CHECK(dimensions[i] == vectors[hit.position][i].dimension);
            }
        }
    }
    CHECK(differs == saves);
}
