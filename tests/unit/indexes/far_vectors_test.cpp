// Vectors that f32 or codes have a hard time with: a few that are far longer than all others, and
// all of them far from zero.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/list_index.h"
#include "engine/dense/probe_curve.h"
#include "engine/dense/safe_length.h"
#include "tests/unit/indexed_file.h"

using namespace quern;
using namespace quern::dense;
using namespace indexed;

namespace {

constexpr size_t kFew = 12;

std::vector<float> Normal(size_t count, uint64_t seed, float offset = 0) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(count * kFew);
    for (float& x : values) {
        x = normal(random) + offset;
    }
    return values;
}

VectorRows View(const std::vector<float>& values) {
    return {Element::kF32,        Metric::kL2, kFew, reinterpret_cast<const char*>(values.data()),
            values.size() / kFew, nullptr};
}

void Scale(std::vector<float>* rows, size_t row, float by) {
    for (size_t j = 0; j < kFew; j++) {
        (*rows)[row * kFew + j] *= by;
    }
}

}  // namespace

TEST_CASE("a few vectors of extreme length do not set the scale of codes", "[index]") {
    const auto [metric, codes, scale] = GENERATE(table<int32_t, std::string, float>({
        {QUERN_L2, "i8", 1e18f},
        {QUERN_IP, "i8", 1e18f},
        {QUERN_L2, "pq", 1e18f},
        {QUERN_L2, "1bit", 1e18f},
        {QUERN_IP, "1bit", 1e10f},
    }));
    INFO(metric << " " << codes << " " << scale);
    IndexedFile file;
    file.Open("threads=1");
    file.dim = kFew;
    file.Create(metric, "index=graph ef_build=40 codes=" + codes);
    std::vector<float> rows = Normal(3000, 1);
    Scale(&rows, 0, scale);
    Scale(&rows, 1, -scale);
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = Normal(200, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto found = file.Search(queries, 10, "recall=0.95");
    CHECK(Recall(found, truth) >= 0.94);
    // The codes are of use, though half of the queries may need a look at all vectors.
    size_t scans = 0;
    for (size_t q = 0; q < 200; q++) {
        const auto row = queries.begin() + static_cast<ptrdiff_t>(q * kFew);
        scans += file.Search({row, row + kFew}, 10, "recall=0.95").exact ? 1 : 0;
    }
    CHECK(scans <= 140);
}

TEST_CASE("samples for codes leave out what is far longer, if it is little", "[codes]") {
    std::vector<float> rows = Normal(4000, 1);
    for (const size_t row : {7, 1000, 3999}) {
        Scale(&rows, row, 1e6f);
    }
    const std::vector<uint32_t> sample = RowSample::Of(View(rows), 10000).rows;
    CHECK(sample.size() == 3997);
    CHECK(!std::binary_search(sample.begin(), sample.end(), 1000u));
    for (size_t row = 0; row < 4000; row += 20) {
        Scale(&rows, row, 1e6f);
    }
    CHECK(RowSample::Of(View(rows), 10000).rows.size() == 4000);
    CHECK(RowSample::Of(View(rows), 1000).rows.size() == 1000);
    const std::vector<float> zeros(100 * kFew, 0.0f);
    CHECK(RowSample::Of(View(zeros), 1000).rows.size() == 100);
}

TEST_CASE("cells of vectors far from zero are cells", "[lists]") {
    constexpr float kOffset = 1e4f;
    const std::vector<float> values = Normal(2000, 1, kOffset);
    const VectorRows rows = View(values);
    ListIndexOptions options;
    options.codes = CodeChoice::kNone;
    Work work;
    const auto built = ListIndex::Build(rows, options, &work);
    REQUIRE(built.ok());
    const ListIndex& index = **built;
    size_t filled = 0;
    for (size_t cell = 0; cell < index.cell_count(); cell++) {
        filled += index.Cell(cell).first < index.Cell(cell).second ? 1 : 0;
    }
    CHECK(filled > index.cell_count() * 9 / 10);
    // Of the same vectors around zero 10 probes find as much.
    const std::vector<float> queries = Normal(100, 2, kOffset);
    size_t found = 0;
    ListSpace space;
    for (size_t q = 0; q < 100; q++) {
        const float* const vector = &queries[q * kFew];
        std::vector<std::pair<float, uint32_t>> all(rows.count);
        std::vector<float> distances(rows.count);
        kernels::Distances(Element::kF32, Metric::kL2,
                           kernels::PrepareQuery(Element::kF32, Metric::kL2, vector, kFew),
                           rows.rows, rows.count, nullptr, distances.data());
        for (uint32_t i = 0; i < rows.count; i++) {
            all[i] = {distances[i], i};
        }
        std::sort(all.begin(), all.end());
        ListQuery query;
        query.vector = vector;
        query.k = 10;
        query.effort = {40, 10};
        std::vector<uint32_t> nearest;
        REQUIRE(index.Search(query, nullptr, &space, &nearest, nullptr).ok());
        for (size_t i = 0; i < 10; i++) {
            found += std::find(nearest.begin(), nearest.end(), all[i].second) != nearest.end();
        }
    }
    CHECK(found >= 850);
}

TEST_CASE("what probes between two steps are expected to find is between", "[lists]") {
    ProbeCurve curve;
    curve.SetQueries(100000);
    constexpr size_t kTenth = 1;
    for (size_t p = 0; p < ProbeCurve::kProbes.size(); p++) {
        for (size_t r = 0; r < ProbeCurve::kRefine.size(); r++) {
            curve.At(kTenth, p, r) = ProbeCurve::kProbes[p] < 64 ? 0.8f : 0.99f;
        }
    }
    const double low = curve.Expect(10, {48, 100});
    const double high = curve.Expect(10, {64, 100});
    CHECK(curve.Expect(10, {63, 100}) > high - 0.02);
    CHECK(curve.Expect(10, {63, 100}) < high);
    CHECK(curve.Expect(10, {50, 100}) > low);
    CHECK(curve.Expect(10, {47, 100}) == Approx(low));
    // What is planned for a recall is told as about that.
    ProbeEffort effort;
    REQUIRE(curve.Find(10, 0.95, 10, &effort));
    CHECK(curve.Expect(10, effort) >= 0.945);
}

TEST_CASE("under inner product the length of a query changes no answer", "[index]") {
    const std::string codes = GENERATE("1bit", "packed", "4bit", "i8", "lvq8", "f16", "bf16", "pq");
    const float offset = GENERATE(0.0f, 2.0f);
    INFO(codes << " " << offset);
    IndexedFile file;
    file.Open("threads=1");
    file.Create(QUERN_IP, "index=graph m=8 ef_build=30 codes=" + codes);
    std::vector<float> rows = MakeRows(1500, 1);
    for (float& x : rows) {
        x = 100 * (x + offset);
    }
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    std::vector<float> queries = MakeRows(60, 2);
    for (float& x : queries) {
        x += offset;
    }
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto usual = file.Search(queries, 10, "ef=100 refine=none");
    for (const float scale : {1e-30f, 0.01f, 1.0f, 100.0f, 1e6f, 1e34f}) {
        std::vector<float> scaled = queries;
        for (float& x : scaled) {
            x *= scale;
        }
        const auto found = file.Search(scaled, 10, "recall=0.95");
        size_t right = 0;
        for (size_t q = 0; q < truth.keys.size(); q++) {
            for (size_t i = 0; i < 10; i++) {
                right += static_cast<size_t>(
                    std::count(truth.keys[q].begin(), truth.keys[q].end(), found.keys[q][i]));
            }
        }
        INFO(scale << ": " << right << " of " << 10 * truth.keys.size());
        CHECK(right >= 10 * truth.keys.size() * 9 / 10);
        // What codes alone tell has the size of the query.
        const auto coarse = file.Search(scaled, 10, "ef=100 refine=none");
        for (size_t q = 0; q < truth.keys.size(); q++) {
            CHECK(coarse.distances[q][0] == Approx(scale * usual.distances[q][0]).epsilon(0.05));
        }
    }
}

TEST_CASE("an element of extreme size has its query scaled, wherever it stands", "[index]") {
    constexpr size_t kDim = 37;
    for (const float extreme : {3e38f, -3e38f, 1e13f}) {
        for (size_t place = 0; place < kDim; place++) {
            std::vector<float> query(kDim, 0.5f);
            query[place] = extreme;
            const SafeQuery safe(Metric::kCosine, query.data(), kDim);
            REQUIRE(safe.values() != query.data());
            REQUIRE(std::fabs(safe.values()[place]) >= 1.0f);
            REQUIRE(std::fabs(safe.values()[place]) < 2.0f);
        }
    }
    // All of them small.
    const std::vector<float> tiny(kDim, 1e-30f);
    const SafeQuery safe(Metric::kCosine, tiny.data(), kDim);
    REQUIRE(safe.values()[kDim - 1] >= 1.0f);
    const std::vector<float> usual(kDim, 0.5f);
    REQUIRE(SafeQuery(Metric::kCosine, usual.data(), kDim).values() == usual.data());
}
