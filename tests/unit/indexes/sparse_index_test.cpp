// Sparse indexes give what an exhaustive search in double precision gives, to the last bit; and
// arrays that are no index are refused.
#include "engine/sparse/sparse_index.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/sparse/row_shares.h"
#include "engine/sparse/sparse_search.h"
#include "tests/unit/every_level.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;
using namespace sparse_sample;

namespace {

std::unique_ptr<SparseIndex> Build(const SparseRowList& rows, uint32_t superblock_rows) {
    Work work;
    IndexOptions options;
    options.superblock_rows = superblock_rows;
    auto index = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(index.ok());
    return std::move(*index);
}

std::vector<uint64_t> RandomMask(size_t rows, double share, std::mt19937* random) {
    std::vector<uint64_t> mask(rows / 64 + 1, 0);
    std::bernoulli_distribution in(share);
    for (size_t i = 0; i < rows; i++) {
        mask[i / 64] |= uint64_t{in(*random)} << (i % 64);
    }
    return mask;
}

bool Same(const std::vector<SparseHit>& a, const std::vector<SparseHit>& b) {
    return std::equal(
        a.begin(), a.end(), b.begin(), b.end(), [](const SparseHit& x, const SparseHit& y) {
            return x.score == y.score && x.source == y.source && x.position == y.position;
        });
}

// What Array gives, as Load takes it.
struct Kept {
    std::string head;
    Buffer arrays[kSparseArrays];
};
Kept Keep(const SparseIndex& index) {
    Kept kept;
    const SparseArrayView head = index.Array(SparseArray::kHead);
    kept.head.assign(head.data, head.items);
    for (size_t a = 1; a < kSparseArrays; a++) {
        const SparseArrayView view = index.Array(static_cast<SparseArray>(a));
        kept.arrays[a] = Buffer(view.items * view.item_bytes, nullptr);
        if (view.items > 0) {
            std::memcpy(kept.arrays[a].data(), view.data, view.items * view.item_bytes);
        }
    }
    return kept;
}

constexpr SearchPath kPaths[] = {SearchPath::kChosen, SearchPath::kExhaustive,
                                 SearchPath::kSuperblocks, SearchPath::kForward,
                                 SearchPath::kLeftEarly};

// Queries over random segments, masks and k, on every path.
void CompareWithExhaustive(unsigned seed, size_t queries) {
    std::mt19937 random(seed);
    Work work;
    SearchSpace space;
    size_t done = 0;
    while (done < queries) {
        Shape shape;
        shape.dimensions = std::vector<uint32_t>{1, 20, 300, 5000, 100000}[random() % 5];
        shape.entries_max = std::vector<size_t>{1, 5, 20, 60}[random() % 4];
        shape.weights = static_cast<int>(random() % 5);
        shape.negative = std::vector<double>{0, 0, 0.02, 0.5, 1}[random() % 5];
        shape.spread = random() % 2 == 0 ? 1 : 42949;
        Shape query_shape = shape;
        query_shape.weights = static_cast<int>(random() % 5);
        query_shape.negative = std::vector<double>{0, 0, 0.1, 1}[random() % 4];
        std::vector<SparseRowList> segments;
        std::vector<std::unique_ptr<SparseIndex>> indexes;
        const size_t segment_count = random() % 3 + 1;
        for (size_t s = 0; s < segment_count; s++) {
            segments.push_back(
                RandomRows(shape, std::vector<size_t>{0, 1, 63, 700, 2500}[random() % 5], &random));
            indexes.push_back(Build(segments.back(), 64u << random() % 4));
        }
        for (size_t q = 0; q < 20 && done < queries; q++, done++) {
            const SparseVector query = RandomVector(query_shape, &random);
            const size_t k = std::vector<size_t>{1, 3, 10, 100, 100000}[random() % 5];
            const double share = std::vector<double>{2, 0.9, 0.3, 0.02, 0}[random() % 5];
            std::vector<std::vector<uint64_t>> masks;
            std::vector<SparseHit> all;
            for (uint32_t s = 0; s < segment_count; s++) {
                masks.push_back(RandomMask(segments[s].count(), std::min(share, 1.0), &random));
                SearchAll(segments[s].View(), query, share > 1 ? nullptr : masks[s].data(), s,
                          &all);
            }
            const std::vector<SparseHit> truth = BestOf(all, k);
            for (const SearchPath path : kPaths) {
                TopHits hits(k);
                SearchOptions options;
                options.path = path;
                for (uint32_t s = 0; s < segment_count; s++) {
                    REQUIRE(indexes[s]
                                ->Search(query, options, share > 1 ? nullptr : masks[s].data(), s,
                                         &hits, &space, nullptr, &work)
                                .ok());
                }
                INFO("seed " << seed << " query " << done << " path " << static_cast<int>(path)
                             << " k " << k);
                REQUIRE(Same(hits.Take(), truth));
            }
        }
    }
}

}  // namespace

TEST_CASE("sparse search equals the exhaustive search in double precision", "[sparse]") {
    CompareWithExhaustive(1, 2000);
}

TEST_CASE("sparse search is the same at every SIMD level", "[sparse]") {
    AtEveryLevel([] { CompareWithExhaustive(2, 100); });
}

TEST_CASE("a hundred thousand sparse queries", "[.][sparse-long]") {
    for (unsigned seed = 100; seed < 150; seed++) {
        CompareWithExhaustive(seed, 2000);
    }
}

TEST_CASE("a sparse search that knows a score finds the same and reads less", "[sparse]") {
    std::mt19937 random(8);
    Work work;
    SearchSpace space;
    SearchStats without;
    SearchStats with;
    for (int form = 0; form < 5; form++) {
        Shape shape;
        shape.dimensions = 300;
        shape.entries_max = 40;
        shape.weights = form;
        shape.negative = form == 1 ? 0.2 : 0;
        const SparseRowList rows = RandomRows(shape, 4000, &random);
        const auto index = Build(rows, 64);
        for (int q = 0; q < 30; q++) {
            const SparseVector query = RandomVector(shape, &random);
            const std::vector<uint64_t> mask = RandomMask(rows.count(), 0.5, &random);
            const uint64_t* const allowed = q % 2 == 0 ? nullptr : mask.data();
            TopHits a(5);
            REQUIRE(index->Search(query, {}, allowed, 0, &a, &space, &without, &work).ok());
            TopHits b(5, a.Threshold());
            REQUIRE(index->Search(query, {}, allowed, 0, &b, &space, &with, &work).ok());
            REQUIRE(Same(a.Take(), b.Take()));
        }
    }
    REQUIRE(with.postings_read < without.postings_read);
}

TEST_CASE("a sparse index loaded from its arrays answers alike", "[sparse]") {
    std::mt19937 random(3);
    Work work;
    SearchSpace space;
    for (int form = 0; form < 5; form++) {
        Shape shape;
        shape.dimensions = form == 4 ? 200000 : 400;
        shape.entries_max = 90;
        shape.weights = form;
        shape.negative = form == 1 ? 0.2 : 0;
        const SparseRowList rows = RandomRows(shape, 3000, &random);
        const auto built = Build(rows, 256);
        Kept kept = Keep(*built);
        auto loaded = SparseIndex::Load(rows.count(), kept.head, kept.arrays);
        REQUIRE(loaded.ok());
        REQUIRE((*loaded)->memory_bytes() == built->memory_bytes());
        for (int q = 0; q < 20; q++) {
            const SparseVector query = RandomVector(shape, &random);
            TopHits a(10);
            TopHits b(10);
            REQUIRE(built->Search(query, {}, nullptr, 0, &a, &space, nullptr, &work).ok());
            REQUIRE((*loaded)->Search(query, {}, nullptr, 0, &b, &space, nullptr, &work).ok());
            REQUIRE(Same(a.Take(), b.Take()));
        }
        // Rows come back as they were given, and score as the exhaustive search says.
        const SparseVector query = RandomVector(shape, &random);
        std::vector<SparseHit> all;
        SearchAll(rows.View(), query, nullptr, 0, &all);
        std::vector<double> expected(rows.count(), 0);
        for (const SparseHit& hit : all) {
            expected[hit.position] = hit.score;
        }
        std::vector<uint32_t> positions(rows.count());
        for (uint32_t i = 0; i < rows.count(); i++) {
            positions[i] = i;
            const SparseVector row = (*loaded)->Row(i);
            const SparseRows view = rows.View();
            REQUIRE(row.size() == view.offsets[i + 1] - view.offsets[i]);
            for (size_t e = 0; e < row.size(); e++) {
                REQUIRE(row[e].dimension == view.dimensions[view.offsets[i] + e]);
                REQUIRE(row[e].weight == view.weights[view.offsets[i] + e]);
            }
        }
        std::vector<double> scores(rows.count(), -1);
        (*loaded)->ScoreRows(query, positions.data(), positions.size(), &space, scores.data());
        REQUIRE(scores == expected);
    }
}

TEST_CASE("damaged arrays of a sparse index are refused or harmless", "[sparse]") {
    std::mt19937 random(4);
    Work work;
    SearchSpace space;
    const bool binary = GENERATE(false, true);
    Shape shape;
    shape.weights = binary ? 4 : 1;
    shape.negative = binary ? 0 : 0.1;
    const SparseRowList rows = RandomRows(shape, 300, &random);
    const auto index = Build(rows, 64);
    REQUIRE(index->lists().flat == binary);
    size_t refused = 0;
    for (int round = 0; round < 3000; round++) {
        Kept kept = Keep(*index);
        const size_t which = random() % kSparseArrays;
        if (which != 0 && kept.arrays[which].bytes() == 0) {
            continue;  // binary vectors have no weights
        }
        char* const bytes = which == 0 ? kept.head.data() : kept.arrays[which].data();
        const size_t size = which == 0 ? kept.head.size() : kept.arrays[which].bytes();
        bytes[random() % size] ^= static_cast<char>(1 << random() % 8);
        auto loaded = SparseIndex::Load(rows.count(), kept.head, kept.arrays);
        if (!loaded.ok()) {
            REQUIRE(loaded.status().code() == Code::kCorrupt);
            refused++;
            continue;
        }
        TopHits hits(10);
        REQUIRE((*loaded)
                    ->Search(RandomVector(shape, &random), {}, nullptr, 0, &hits, &space, nullptr,
                             &work)
                    .ok());
    }
    REQUIRE(refused > 1000);
}

TEST_CASE("lists of binary vectors have no impacts", "[sparse]") {
    std::mt19937 random(12);
    Shape shape;
    shape.dimensions = 300;
    shape.entries_max = 40;
    shape.weights = 4;
    const SparseRowList binary = RandomRows(shape, 4000, &random);
    const auto index = Build(binary, 1024);
    // The same dimensions with weights that are not all 1.
    SparseRowList weighted;
    for (size_t i = 0; i < binary.count(); i++) {
        SparseVector row = index->Row(static_cast<uint32_t>(i));
        for (SparseEntry& entry : row) {
            entry.weight = static_cast<float>(1 + random() % 2);
        }
        weighted.Append(row);
    }
    const uint64_t with = Build(weighted, 1024)->lists().postings.bytes();
    CHECK(index->lists().postings.bytes() * 3 <= with * 2 + with / 20);
    CHECK(index->memory_bytes() < Build(weighted, 1024)->memory_bytes());
    // One weight of another kind, and there are impacts.
    SparseVector last = index->Row(17);
    last.push_back({4000000000, 0.5f});
    SparseRowList mixed = binary;
    mixed.Append(last);
    CHECK(index->lists().flat);
    CHECK_FALSE(Build(mixed, 1024)->lists().flat);
}

TEST_CASE("sparse vectors are brought into their normal form", "[sparse]") {
    SparseVector out;
    const uint32_t dimensions[] = {7, 0, UINT32_MAX, 3};
    const float weights[] = {1.5f, -2.0f, 0.25f, 0.0f};
    REQUIRE(MakeSparseVector(dimensions, weights, 4, {}, &out).ok());
    REQUIRE(out.size() == 3);
    REQUIRE(out[0].dimension == 0);
    REQUIRE(out[2].dimension == UINT32_MAX);
    REQUIRE(MakeSparseVector(dimensions, nullptr, 4, {}, &out).ok());
    REQUIRE(out.size() == 4);
    REQUIRE(out[1].weight == 1.0f);
    REQUIRE(MakeSparseVector(nullptr, nullptr, 0, {}, &out).ok());
    REQUIRE(out.empty());

    const uint32_t twice[] = {5, 9, 5};
    REQUIRE(MakeSparseVector(twice, weights, 3, {}, &out).code() == Code::kInvalid);
    const uint32_t twice_sorted[] = {5, 5, 9};
    REQUIRE(MakeSparseVector(twice_sorted, weights, 3, {}, &out).code() == Code::kInvalid);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const float values[] = {1, bad};
        REQUIRE(MakeSparseVector(dimensions, values, 2, {}, &out).code() == Code::kNotFinite);
    }
    SparseLimits limits;
    limits.dimensions = 7;
    REQUIRE(MakeSparseVector(dimensions, weights, 1, limits, &out).code() == Code::kDimension);
    limits.dimensions = 8;
    REQUIRE(MakeSparseVector(dimensions, weights, 1, limits, &out).ok());
    limits.entries = 3;
    REQUIRE(MakeSparseVector(dimensions, weights, 4, limits, &out).code() == Code::kLimit);
    std::vector<uint32_t> many(kEntriesMax + 1);
    REQUIRE(MakeSparseVector(many.data(), nullptr, many.size(), {}, &out).code() == Code::kLimit);
}

TEST_CASE("rows that are not in normal form are no index", "[sparse]") {
    Work work;
    const uint64_t offsets[] = {0, 2};
    const uint32_t unsorted[] = {4, 1};
    const uint32_t sorted[] = {1, 4};
    const float weights[] = {1, 2};
    const float zero[] = {1, 0};
    REQUIRE(SparseIndex::Build({offsets, unsorted, weights, 1}, {}, &work).status().code() ==
            Code::kInternal);
    REQUIRE(SparseIndex::Build({offsets, sorted, zero, 1}, {}, &work).status().code() ==
            Code::kInternal);
    REQUIRE(SparseIndex::Build({offsets, sorted, weights, 1}, {}, &work).ok());
    for (const uint32_t superblock_rows : {0u, 1u, 32u, 100u, 131072u}) {
        IndexOptions options;
        options.superblock_rows = superblock_rows;
        REQUIRE(SparseIndex::Build({offsets, sorted, weights, 1}, options, &work).status().code() ==
                Code::kOption);
    }
}

TEST_CASE("impacts bound their weights from above, tightly", "[sparse]") {
    std::mt19937 random(5);
    for (int weights = 0; weights < 4; weights++) {
        Shape shape;
        shape.weights = weights;
        shape.negative = 0.3;
        const SparseRowList rows = RandomRows(shape, 500, &random);
        std::vector<uint32_t> terms_of_entries;
        Work work;
        const TermTable table = *TermTable::Learn(rows.View(), 1, &work, &terms_of_entries);
        const SparseRows view = rows.View();
        for (size_t i = 0; i < terms_of_entries.size(); i++) {
            const uint32_t term = terms_of_entries[i];
            const double impact = table.Impact(term, view.weights[i]);
            const double scale = std::fabs(static_cast<double>(table.scale(term)));
            const double magnitude = std::fabs(static_cast<double>(view.weights[i]));
            REQUIRE(impact >= 1);
            REQUIRE(impact <= 255);
            REQUIRE(magnitude <= scale * impact);
            REQUIRE(magnitude > scale * (impact - 1));
            REQUIRE((!table.IsExact(term) || magnitude == scale * impact));
            REQUIRE((weights != 0 || table.IsExact(term)));
        }
    }
}

// By what a search did: results are those of every other way (see above).
TEST_CASE(
    "a mask that leaves a few records of each superblock has these scored, and no postings read",
    "[sparse][masks]") {
    std::mt19937 random(64);
    Shape shape;
    shape.dimensions = 60;
    shape.entries_max = 60;
    shape.weights = 2;
    const SparseRowList rows = RandomRows(shape, 4096 * 4, &random);
    const auto index = Build(rows, 4096);
    SparseVector query;
    for (uint32_t dimension = 0; dimension < 25; dimension++) {
        query.push_back({dimension, 1.0f});
    }
    const auto stats_of = [&](uint32_t every, uint64_t scored_max) {
        std::vector<uint64_t> mask(rows.count() / 64 + 1, 0);
        for (uint32_t i = 0; i < rows.count(); i += every) {
            mask[i / 64] |= uint64_t{1} << (i % 64);
        }
        SearchSpace space;
        SearchStats stats;
        Work work;
        SearchOptions options;
        options.scored_max = scored_max;
        TopHits hits(100);
        REQUIRE(index->Search(query, options, mask.data(), 0, &hits, &space, &stats, &work).ok());
        std::vector<SparseHit> all;
        SearchAll(rows.View(), query, mask.data(), 0, &all);
        REQUIRE((stats.cut || Same(hits.Take(), BestOf(all, 100))));
        return stats;
    };
    const uint64_t all = SearchOptions().scored_max;
    REQUIRE(stats_of(24, all).postings_read == 0);
    REQUIRE(stats_of(24, all).scored > 0);
    REQUIRE(stats_of(4, all).postings_read > 0);
    // A budget of scored records is not spent that way.
    REQUIRE(stats_of(24, 1000000).postings_read > 0);
}

TEST_CASE("a mask in a row has the runs of few superblocks looked up, with the same results",
          "[sparse][masks]") {
    std::mt19937 random(65);
    Shape shape;
    shape.dimensions = 300;
    shape.entries_max = 60;
    const SparseRowList rows = RandomRows(shape, 64 * 40, &random);
    const auto index = Build(rows, 64);
    Work work;
    SearchSpace space;
    for (const uint32_t superblocks : {0u, 1u, 2u, 4u, 5u, 20u}) {
        std::vector<uint64_t> mask(rows.count() / 64 + 1, 0);
        std::fill_n(mask.begin() + 7, superblocks, ~uint64_t{0});
        for (int q = 0; q < 20; q++) {
            const SparseVector query = RandomVector(shape, &random);
            TopHits hits(10);
            SearchStats stats;
            REQUIRE(index->Search(query, {}, mask.data(), 0, &hits, &space, &stats, &work).ok());
            std::vector<SparseHit> all;
            SearchAll(rows.View(), query, mask.data(), 0, &all);
            REQUIRE(Same(hits.Take(), BestOf(all, 10)));
            REQUIRE(stats.opened <= superblocks);
        }
    }
}

TEST_CASE("an interrupted sparse search stops", "[sparse]") {
    std::mt19937 random(6);
    const SparseRowList rows = RandomRows(Shape{}, 1000, &random);
    const auto index = Build(rows, 64);
    std::atomic<uint64_t> epoch{0};
    Work work(&epoch, nullptr);
    epoch = 1;
    SearchSpace space;
    TopHits hits(10);
    REQUIRE(index->Search({{0, 1.0f}}, {}, nullptr, 0, &hits, &space, nullptr, &work).code() ==
            Code::kInterrupted);
    for (const int threads : {1, 3}) {
        IndexOptions options;
        options.threads = threads;
        REQUIRE(SparseIndex::Build(rows.View(), options, &work).status().code() ==
                Code::kInterrupted);
    }
}

TEST_CASE("learning the terms of many sparse vectors stops when it is interrupted", "[sparse]") {
    std::mt19937 random(61);
    Shape shape;
    shape.dimensions = 400;
    shape.entries_max = 60;
    const SparseRowList rows = RandomRows(shape, 12000, &random);
    std::atomic<uint64_t> epoch{0};
    Work work(&epoch, nullptr);
    epoch = 1;
    std::vector<uint32_t> terms;
    for (const int threads : {1, 2}) {
        REQUIRE(TermTable::Learn(rows.View(), threads, &work, &terms).status().code() ==
                Code::kInterrupted);
    }
}

// Rows of about 25 entries, in more than one share for each of several threads.
TEST_CASE("a sparse index is the same to the last byte whatever the threads that build it",
          "[sparse][threads]") {
    std::mt19937 random(62);
    const int form = GENERATE(0, 1, 2, 3, 4);
    Shape shape;
    shape.dimensions = form == 3 ? 150000 : 700;
    shape.entries_max = 60;
    shape.weights = form;
    shape.negative = form == 1 ? 0.2 : 0;
    const SparseRowList rows = RandomRows(shape, 12000, &random);
    Work work;
    for (const bool pruned : {false, true}) {
        IndexOptions options;
        options.superblock_rows = 512;
        options.prune.mass = pruned ? 0.8 : 1;
        const auto one = SparseIndex::Build(rows.View(), options, &work);
        REQUIRE(one.ok());
        REQUIRE((*one)->forward().wide_terms == (form == 3));
        for (const int threads : {2, 3, 7}) {
            options.threads = threads;
            REQUIRE(RowShares(rows.View(), threads).count() == static_cast<size_t>(threads));
            const auto several = SparseIndex::Build(rows.View(), options, &work);
            REQUIRE(several.ok());
            REQUIRE((*several)->lists().complete == (*one)->lists().complete);
            for (size_t number = 0; number < kSparseArrays; number++) {
                const auto array = static_cast<SparseArray>(number);
                const SparseArrayView a = (*one)->Array(array);
                const SparseArrayView b = (*several)->Array(array);
                INFO("form " << form << " threads " << threads << " array " << number);
                REQUIRE(a.items == b.items);
                REQUIRE(a.item_bytes == b.item_bytes);
                REQUIRE((a.items == 0 || std::memcmp(a.data, b.data, a.items * a.item_bytes) == 0));
            }
        }
    }
}

TEST_CASE("rows are shared out once, and in equal shares of entries", "[sparse][threads]") {
    std::mt19937 random(63);
    Shape shape;
    shape.dimensions = 500;
    shape.entries_max = 60;
    const SparseRowList many = RandomRows(shape, 12000, &random);
    const SparseRowList few = RandomRows(shape, 100, &random);
    for (const int threads : {-1, 0, 1, 2, 5, 1000}) {
        for (const SparseRowList* const rows : {&many, &few}) {
            const SparseRows view = rows->View();
            const RowShares shares(view, threads);
            REQUIRE(shares.count() >= 1);
            REQUIRE(shares.count() <= static_cast<size_t>(std::max(threads, 1)));
            REQUIRE((rows == &many || shares.count() == 1));
            std::vector<RowShare> met(shares.count());
            std::atomic<size_t> runs{0};
            REQUIRE(shares
                        .Run([&](const RowShare& share) -> Status {
                            met[share.number] = share;
                            runs++;
                            return {};
                        })
                        .ok());
            REQUIRE(runs == shares.count());
            size_t next = 0;
            for (const RowShare& share : met) {
                REQUIRE(share.first == next);
                next = share.end;
                const auto entries =
                    static_cast<double>(view.offsets[share.end] - view.offsets[share.first]);
                const double fair =
                    static_cast<double>(view.entries()) / static_cast<double>(shares.count());
                REQUIRE(std::fabs(entries - fair) <= 2.0 * static_cast<double>(shape.entries_max));
            }
            REQUIRE(next == rows->count());
        }
    }
    REQUIRE(RowShares(SparseRows(), 4).count() == 1);
    REQUIRE(RowShares(many.View(), 3)
                .Run([](const RowShare& share) -> Status {
                    return share.number == 1 ? Status::Error(Code::kLimit, "no") : Status();
                })
                .code() == Code::kLimit);
}
