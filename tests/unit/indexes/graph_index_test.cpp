// The graph index by itself: recall, what stays outside, its arrays and what damaged ones do.
#include "engine/dense/graph_index.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"

using namespace quern;
using namespace quern::dense;

namespace {

// Rows near a curved surface of few dimensions, as real embeddings are; independent random rows
// would make every index look bad.
struct Rows {
    Metric metric;
    size_t dim;
    std::vector<float> values;
    std::vector<float> norms;
    Rows(Metric m, size_t count, size_t d, uint64_t seed) : metric(m), dim(d), values(count * d) {
        std::mt19937_64 random(seed);
        std::mt19937_64 fixed(99);
        std::normal_distribution<float> normal;
        constexpr size_t kFactors = 8;
        std::vector<float> mix(kFactors * dim);
        for (float& x : mix) {
            x = normal(fixed);
        }
        for (size_t i = 0; i < count; i++) {
            float factor[kFactors];
            for (float& f : factor) {
                f = normal(random);
            }
            for (size_t j = 0; j < dim; j++) {
                float sum = 0;
                for (size_t f = 0; f < kFactors; f++) {
                    sum += factor[f] * mix[f * dim + j];
                }
                values[i * dim + j] = std::sin(sum * 0.3f) + 0.05f * normal(random);
            }
        }
    }
    void Set(size_t row, const float* from) {
        std::memcpy(&values[row * dim], from, dim * sizeof(float));
    }
    size_t count() const { return values.size() / dim; }
    VectorRows View() {
        norms.resize(count());
        kernels::InverseNorms(Element::kF32, values.data(), count(), dim, norms.data());
        return {Element::kF32, metric,
                dim,           reinterpret_cast<const char*>(values.data()),
                count(),       metric == Metric::kCosine ? norms.data() : nullptr};
    }
};

std::vector<uint32_t> Exact(const VectorRows& rows, const float* query, size_t k) {
    const kernels::Query prepared =
        kernels::PrepareQuery(rows.element, rows.metric, query, rows.dim);
    std::vector<float> distances(rows.count);
    kernels::Distances(rows.element, rows.metric, prepared, rows.rows, rows.count,
                       rows.inverse_norms, distances.data());
    kernels::TopK top(k);
    for (uint32_t i = 0; i < rows.count; i++) {
        top.Push(distances[i], i);
    }
    std::vector<uint32_t> nodes;
    for (const kernels::Hit& hit : top.Take()) {
        nodes.push_back(hit.position);
    }
    return nodes;
}

// Share of the true k among the first `refine` candidates, which exact distances would put first.
double Recall(const GraphIndex& index, const VectorRows& rows, const std::vector<float>& queries,
              size_t k, const Effort& effort) {
    WalkSpace space;
    std::vector<uint32_t> nodes;
    size_t hits = 0;
    const size_t count = queries.size() / rows.dim;
    for (size_t q = 0; q < count; q++) {
        const float* query = queries.data() + q * rows.dim;
        REQUIRE(index.Search(rows, query, effort, &space, &nodes, nullptr).ok());
        nodes.resize(std::min(nodes.size(), effort.refine));
        const std::set<uint32_t> found(nodes.begin(), nodes.end());
        for (const uint32_t node : Exact(rows, query, k)) {
            hits += found.count(node);
        }
    }
    return static_cast<double>(hits) / static_cast<double>(count * k);
}

size_t CountReachable(const GraphIndex& index) {
    const std::vector<bool> reached = index.links().Reachable();
    return static_cast<size_t>(std::count(reached.begin(), reached.end(), true));
}

std::unique_ptr<GraphIndex> BuildIndex(const VectorRows& rows, CodeChoice codes, int threads = 2,
                                       uint32_t m = 16) {
    GraphIndexOptions options;
    options.codes = codes;
    options.threads = threads;
    options.ef_build = 100;
    options.m = m;
    Work work;
    auto index = GraphIndex::Build(rows, options, &work);
    REQUIRE(index.ok());
    REQUIRE((*index)->Pack(threads, nullptr, &work).ok());
    return std::move(*index);
}

Result<std::unique_ptr<GraphIndex>> Reload(const GraphIndex& index, const VectorRows& rows,
                                           size_t damaged_array = 99, size_t damaged_byte = 0) {
    std::string head;
    Buffer arrays[kIndexArrays];
    for (size_t a = 0; a < kIndexArrays; a++) {
        const IndexArrayView view = index.Array(static_cast<IndexArray>(a));
        const size_t bytes = static_cast<size_t>(view.items * view.item_bytes);
        if (a == 0) {
            head.assign(view.data, bytes);
        } else if (bytes > 0) {
            arrays[a] = Buffer(bytes, nullptr);
            std::memcpy(arrays[a].data(), view.data, bytes);
        }
        if (a == damaged_array && bytes > 0) {
            char* data = a == 0 ? head.data() : arrays[a].data();
            data[damaged_byte % bytes] = static_cast<char>(data[damaged_byte % bytes] ^ 0xff);
        }
    }
    auto loaded = GraphIndex::Load(rows.element, rows.metric, rows.dim, rows.count, head, arrays);
    Work work;
    if (loaded.ok()) {
        REQUIRE((*loaded)->Pack(1, nullptr, &work).ok());
    }
    return loaded;
}

}  // namespace

TEST_CASE("a graph finds what its curve promises", "[graph]") {
    const auto [metric, codes] = GENERATE(table<Metric, CodeChoice>({
        {Metric::kL2, CodeChoice::k8Bit},
        {Metric::kL2, CodeChoice::kNone},
        {Metric::kIp, CodeChoice::k8Bit},
        {Metric::kCosine, CodeChoice::k4Bit},
        {Metric::kCosine, CodeChoice::kNone},
        {Metric::kL2, CodeChoice::k1Bit},
        {Metric::kIp, CodeChoice::kProduct},
        {Metric::kL2, CodeChoice::kLvq8},
        {Metric::kCosine, CodeChoice::kF16},
        {Metric::kL2, CodeChoice::kPacked},
        {Metric::kIp, CodeChoice::kPacked},
        {Metric::kCosine, CodeChoice::kPacked},
    }));
    Rows base(metric, 4000, 40, 1);
    const Rows queries(metric, 400, 40, 2);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, codes);
    REQUIRE(index->linked_count() == 4000);
    REQUIRE(CountReachable(*index) >= 3996);
    for (const size_t k : {1, 10, 30}) {
        for (const double wanted : {0.9, 0.98}) {
            Effort effort;
            INFO("metric " << static_cast<int>(metric) << " codes " << static_cast<int>(codes)
                           << " k " << k << " recall " << wanted);
            if (!index->curve().Find(k, wanted, 3, &effort)) {
                // Rough codes, one neighbour, random vectors: a scan is the way to that recall.
                REQUIRE((codes == CodeChoice::k1Bit && k == 1 && wanted == 0.98));
                continue;
            }
            REQUIRE(effort.ef >= k);
            // 400 queries, and as many that the curve is of: three standard errors of the share of
            // those with one neighbour, which are found or not.
            const double error = 3 * std::sqrt(wanted * (1 - wanted) * 2 / 400);
            REQUIRE(Recall(*index, rows, queries.values, k, effort) >
                    wanted - (k == 1 ? std::max(0.04, error) : 0.04));
        }
    }
}

TEST_CASE("zero vectors and repeats stay outside the graph", "[graph]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    Rows base(metric, 3000, 24, 3);
    const std::vector<float> zero(24, 0.0f);
    for (size_t i = 0; i < 3000; i += 50) {
        base.Set(i, zero.data());
    }
    for (size_t i = 1; i < 3000; i += 10) {
        base.Set(i, &base.values[7 * 24]);
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit);
    REQUIRE(index->outsiders().zeros().size() == 60);
    const auto [first, last] = index->outsiders().Repeats(1);
    REQUIRE(last - first == 300);  // 300 copies of row 7, and row 7 itself, under the first of them
    REQUIRE(index->linked_count() == 3000 - 60 - 300);
    REQUIRE(CountReachable(*index) >= index->linked_count() - 3);
    WalkSpace space;
    std::vector<uint32_t> nodes;
    const Rows queries(metric, 50, 24, 4);
    for (size_t q = 0; q < 50; q++) {
        REQUIRE(
            index
                ->Search(rows, &queries.values[q * 24], Effort::OfPool(64), &space, &nodes, nullptr)
                .ok());
        for (const uint32_t node : nodes) {
            REQUIRE((node % 50 != 0 && (node % 10 != 1 || node == 1) && node != 7));
        }
    }
}

TEST_CASE("odd sets of vectors have an index, too", "[graph]") {
    const size_t count = GENERATE(size_t{0}, size_t{1}, size_t{2}, size_t{5}, size_t{40});
    const size_t dim = GENERATE(size_t{1}, size_t{3});
    const bool equal = GENERATE(false, true);
    Rows base(Metric::kL2, count, dim, 5);
    if (equal) {
        std::fill(base.values.begin(), base.values.end(), 1.5f);
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit);
    WalkSpace space;
    std::vector<uint32_t> nodes;
    const std::vector<float> query(dim, 0.1f);
    REQUIRE(index->Search(rows, query.data(), Effort::OfPool(100), &space, &nodes, nullptr).ok());
    REQUIRE(nodes.size() == (equal ? std::min<size_t>(count, 1) : count));
    REQUIRE(Reload(*index, rows).ok());
}

TEST_CASE("huge and tiny values do not break a graph", "[graph]") {
    Rows base(Metric::kL2, 500, 16, 6);
    for (size_t i = 0; i < base.values.size(); i++) {
        base.values[i] *= i % 3 == 0 ? 1e18f : 1e-30f;
    }
    const VectorRows rows = base.View();
    for (const CodeChoice codes : {CodeChoice::kNone, CodeChoice::k8Bit, CodeChoice::k4Bit,
                                   CodeChoice::kLvq8, CodeChoice::kF16, CodeChoice::kBF16,
                                   CodeChoice::kProduct, CodeChoice::k1Bit, CodeChoice::kPacked}) {
        const auto index = BuildIndex(rows, codes);
        WalkSpace space;
        std::vector<uint32_t> nodes;
        REQUIRE(index->Search(rows, base.values.data(), Effort::OfPool(50), &space, &nodes, nullptr)
                    .ok());
        REQUIRE(nodes.size() == 50);
    }
}

TEST_CASE("packed: any number of links, with blocks and without", "[graph][codes]") {
    const uint32_t m = GENERATE(3, 16, 20, 40);  // less than a block, one, two not full, three
    const Metric metric = m == 20 ? Metric::kCosine : Metric::kL2;
    Rows base(metric, 1500, 70, 11);
    const Rows queries(metric, 50, 70, 12);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::kPacked, 2, m);
    REQUIRE(index->packed());
    REQUIRE(index->PackBytes() == 1500 * ((2 * m + 31) / 32) * (256 + 4 * 128));
    REQUIRE(index->memory_bytes() > index->PackBytes());
    const size_t ef = m == 3 ? 200 : 60;
    REQUIRE(Recall(*index, rows, queries.values, 10, {ef, 30}) > 0.95);
    // The same arrays without blocks: 8-bit codes.
    std::string head;
    Buffer arrays[kIndexArrays];
    for (size_t a = 0; a < kIndexArrays; a++) {
        const IndexArrayView view = index->Array(static_cast<IndexArray>(a));
        const size_t bytes = static_cast<size_t>(view.items * view.item_bytes);
        head = a == 0 ? std::string(view.data, bytes) : head;
        if (a > 0 && bytes > 0) {
            arrays[a] = Buffer(bytes, nullptr);
            std::memcpy(arrays[a].data(), view.data, bytes);
        }
    }
    const auto plain =
        GraphIndex::Load(rows.element, rows.metric, rows.dim, rows.count, head, arrays);
    REQUIRE(plain.ok());
    REQUIRE(!(*plain)->packed());
    REQUIRE(Recall(**plain, rows, queries.values, 10, {ef, 30}) > 0.95);
    // Scores of both walks are those of the same codes.
    WalkSpace space;
    std::vector<uint32_t> nodes;
    const float* query = queries.values.data();
    REQUIRE(index->Search(rows, query, Effort::OfPool(ef), &space, &nodes, nullptr).ok());
    REQUIRE(nodes.size() >= ef);
    const std::vector<float> packed = index->PoolDistances(query, space);
    const uint32_t nearest = nodes[0];
    REQUIRE((*plain)->Search(rows, query, Effort::OfPool(ef), &space, &nodes, nullptr).ok());
    REQUIRE(nodes[0] == nearest);
    REQUIRE((*plain)->PoolDistances(query, space)[0] == packed[0]);
}

TEST_CASE("between two numbers of neighbours an effort is that of the larger, or lies between",
          "[graph]") {
    // Pools are the cheaper way to ten, a reach is the cheaper way to a hundred.
    EffortCurve curve;
    curve.SetQueries(100);
    constexpr size_t kPools = EffortCurve::kEf.size();
    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
        for (size_t step : {size_t{0}, kPools}) {
            curve.Scored(k, step) = (step == 0) == (k < 2) ? 100.0f : 900.0f;
            for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                curve.At(k, step, r) =
                    EffortCurve::kRefine[std::min<size_t>(r, 8)] >= 160 ? 1.0f : 0.5f;
            }
        }
    }
    Effort ten;
    Effort hundred;
    Effort thirty;
    REQUIRE(curve.Find(10, 0.9, 1, &ten));
    REQUIRE(curve.Find(100, 0.9, 1, &hundred));
    REQUIRE(curve.Find(30, 0.9, 1, &thirty));
    REQUIRE(ten.reach == Effort::kNoReach);
    REQUIRE(hundred.reach == EffortCurve::kReach[0]);
    // A reach behind the 30th nearest would end sooner than what was measured.
    REQUIRE(thirty.reach == hundred.reach);
    REQUIRE(thirty.k == 100);
    // More than the curve knows: as many candidates are kept as are measured again.
    Effort thousand;
    REQUIRE(curve.Find(1000, 0.9, 1, &thousand));
    REQUIRE(thousand.refine == 1600);
    REQUIRE(thousand.keep == 1600);
}

TEST_CASE("a curve of few neighbours is believed less", "[graph]") {
    // Ever larger pools miss ever less.
    EffortCurve curve;
    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
        for (size_t step = 0; step < EffortCurve::kEf.size(); step++) {
            curve.Scored(k, step) = static_cast<float>(EffortCurve::kEf[step]);
            for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                curve.At(k, step, r) = 1.0f - 1.0f / static_cast<float>(EffortCurve::kEf[step]);
            }
        }
    }
    Effort few;
    Effort many;
    curve.SetQueries(150);
    REQUIRE(curve.Find(1, 0.97, 0, &few));
    const double promised = curve.Expect(1, Effort::OfPool(112, 112));
    curve.SetQueries(15000);
    REQUIRE(curve.Find(1, 0.97, 0, &many));
    CHECK(few.ef > many.ef * 3 / 2);
    CHECK(promised < curve.Expect(1, Effort::OfPool(112, 112)));
    // Ten neighbours a query are a larger sample, and a handful of queries promises nothing.
    curve.SetQueries(150);
    REQUIRE(curve.Find(10, 0.97, 0, &many));
    CHECK(few.ef > many.ef);
    curve.SetQueries(15);
    CHECK_FALSE(curve.Find(1, 0.98, 0, &few));
}

TEST_CASE("a reach is taken where it costs clearly less than a pool", "[graph]") {
    constexpr size_t kPools = EffortCurve::kEf.size();
    EffortCurve curve;
    curve.SetQueries(100);
    for (size_t step : {size_t{0}, kPools}) {
        for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
            curve.At(1, step, r) = 1.0f;
        }
    }
    Effort effort;
    curve.Scored(1, 0) = 1000.0f;
    curve.Scored(1, kPools) = 950.0f;
    REQUIRE(curve.Find(10, 0.95, 0, &effort));
    REQUIRE(effort.reach == Effort::kNoReach);
    curve.Scored(1, kPools) = 700.0f;
    REQUIRE(curve.Find(10, 0.95, 0, &effort));
    REQUIRE(effort.reach == EffortCurve::kReach[0]);
}

TEST_CASE("who asks for more recall gets an effort that is in no way smaller", "[graph]") {
    constexpr size_t kPools = EffortCurve::kEf.size();
    std::mt19937 random(3);
    std::uniform_real_distribution<float> unit;
    for (int trial = 0; trial < 60; trial++) {
        // Measured curves rise with some noise; reaches cost less here and pools there.
        EffortCurve curve;
        curve.SetQueries(trial % 2 == 0 ? 100000 : 400);
        for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
            for (const bool by_reach : {false, true}) {
                const size_t first = by_reach ? kPools : 0;
                const size_t end = by_reach ? EffortCurve::kSteps : kPools;
                const float easy = 0.2f + 0.5f * unit(random);
                const float dear = 0.5f + unit(random);
                const size_t measured = first + 6 + random() % (end - first - 5);
                for (size_t step = first; step < std::min(end, measured); step++) {
                    const auto number = static_cast<float>(step - first + 1);
                    curve.Scored(k, step) =
                        100.0f * dear * std::pow(1.4f, number) * (0.9f + 0.2f * unit(random));
                    for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                        const float walked = 1 - easy * std::pow(0.6f, number);
                        // More that is measured again finds more.
                        const float refined =
                            1 - dear * 0.3f * std::pow(0.5f, static_cast<float>(r));
                        curve.At(k, step, r) = std::min(1.0f, walked * refined);
                    }
                }
            }
        }
        const double refine_rows = 4.0 * static_cast<double>(unit(random));
        for (const size_t k : {1, 10, 100, 250}) {
            Effort before;
            bool found_before = false;
            for (double told = 0.3; told < 0.9995; told += told < 0.98 ? 0.005 : 0.0005) {
                Effort effort;
                const bool found = curve.Find(k, told, refine_rows, &effort);
                INFO("trial " << trial << ", k " << k << ", told " << told);
                if (found && found_before) {
                    const bool reach = effort.reach != Effort::kNoReach;
                    if (reach == (before.reach != Effort::kNoReach)) {
                        CHECK((reach ? effort.reach >= before.reach : effort.ef >= before.ef));
                        CHECK(effort.refine >= before.refine);
                        CHECK(effort.keep >= before.keep);
                    } else {
                        CHECK(effort.scored >= 0.85 * before.scored);
                    }
                }
                before = effort;
                found_before = found;
            }
        }
    }
}

TEST_CASE("what is aimed at is a little more than a recall that is asked for", "[graph]") {
    // Recalls of pools of 10 and 14; none of the others.
    const auto ef_of = [](double recall, float small, float large) {
        EffortCurve curve;
        curve.SetQueries(100000);
        for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
            curve.At(1, 0, r) = small;
            curve.At(1, 1, r) = large;
        }
        curve.Scored(1, 0) = 100.0f;
        curve.Scored(1, 1) = 140.0f;
        Effort effort;
        return curve.Find(10, recall, 1, &effort) ? effort.ef : 0;
    };
    REQUIRE(ef_of(0.5, 0.502f, 0.6f) == 10);
    REQUIRE(ef_of(0.5, 0.4f, 0.499f) == 0);
    REQUIRE(ef_of(0.9, 0.901f, 0.95f) == 10);
    REQUIRE(ef_of(0.9, 0.9001f, 0.95f) > 10);
    REQUIRE(ef_of(0.98, 0.981f, 0.99f) == 10);
    REQUIRE(ef_of(0.98, 0.98f, 0.99f) > 10);

    // And the way back: what is expected of an effort is what one would ask for to get it.
    EffortCurve curve;
    curve.SetQueries(100000);
    for (const double recall : {0.5, 0.9, 0.96, 0.98, 0.995}) {
        // Of a million neighbours.
        const double chance = 1.3 * std::sqrt(recall * (1 - recall) / 1e6);
        for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
            curve.At(1, 0, r) = static_cast<float>(recall + chance);
        }
        curve.Scored(1, 0) = 100.0f;
        REQUIRE(curve.Expect(10, Effort::OfPool(10, 10)) == Approx(recall).margin(1e-5));
    }
}

TEST_CASE("one thread builds the same graph again", "[graph]") {
    Rows base(Metric::kL2, 1500, 12, 7);
    const VectorRows rows = base.View();
    const auto a = BuildIndex(rows, CodeChoice::k8Bit, 1);
    const auto b = BuildIndex(rows, CodeChoice::k8Bit, 1);
    for (size_t number = 0; number < kIndexArrays; number++) {
        const IndexArrayView x = a->Array(static_cast<IndexArray>(number));
        const IndexArrayView y = b->Array(static_cast<IndexArray>(number));
        REQUIRE(x.items == y.items);
        REQUIRE(std::memcmp(x.data, y.data, static_cast<size_t>(x.items * x.item_bytes)) == 0);
    }
}

TEST_CASE("arrays come back as they were, or are refused, or are safe", "[graph]") {
    Rows base(Metric::kL2, 700, 20, 8);
    base.Set(3, std::vector<float>(20, 0.0f).data());
    base.Set(4, &base.values[5 * 20]);
    const VectorRows rows = base.View();
    const CodeChoice codes = GENERATE(CodeChoice::k8Bit, CodeChoice::kLvq4, CodeChoice::kF16,
                                      CodeChoice::kProduct, CodeChoice::k1Bit, CodeChoice::kPacked);
    const auto index = BuildIndex(rows, codes);
    REQUIRE(index->codes() == codes);
    WalkSpace space;
    std::vector<uint32_t> before;
    std::vector<uint32_t> after;
    REQUIRE(
        index->Search(rows, base.values.data(), Effort::OfPool(40), &space, &before, nullptr).ok());
    const auto same = Reload(*index, rows);
    REQUIRE(same.ok());
    REQUIRE((*same)
                ->Search(rows, base.values.data(), Effort::OfPool(40), &space, &after, nullptr)
                .ok());
    REQUIRE(before == after);
    std::mt19937_64 random(9);
    size_t refused = 0;
    const int trials = codes == CodeChoice::k8Bit ? 2000 : 500;
    for (int trial = 0; trial < trials; trial++) {
        const size_t array = random() % kIndexArrays;
        const auto damaged = Reload(*index, rows, array, random());
        if (!damaged.ok()) {
            REQUIRE(damaged.status().code() == Code::kCorrupt);
            refused++;
            continue;
        }
        REQUIRE((*damaged)
                    ->Search(rows, base.values.data(), Effort::OfPool(40), &space, &after, nullptr)
                    .ok());
        REQUIRE(std::set<uint32_t>(after.begin(), after.end()).size() == after.size());
    }
    REQUIRE(refused > static_cast<size_t>(trials) * 3 / 20);
}

TEST_CASE("loaded links take fewer bytes and lead to the same nodes", "[graph]") {
    Rows base(Metric::kL2, 900, 16, 11);
    const VectorRows rows = base.View();
    const auto built = BuildIndex(rows, CodeChoice::k8Bit);
    const auto loaded = Reload(*built, rows);
    REQUIRE(loaded.ok());
    const GraphLinks& before = built->links();
    const GraphLinks& after = (*loaded)->links();
    REQUIRE(before.base.bytes() == 900 * before.degree * 4);
    REQUIRE(after.base.bytes() < 900 * after.degree * 3 + 64);
    for (uint32_t node = 0; node < 900; node++) {
        std::vector<uint32_t> of_built;
        std::vector<uint32_t> of_loaded;
        before.ForNeighbours(node, [&](uint32_t n) { of_built.push_back(n); });
        after.ForNeighbours(node, [&](uint32_t n) { of_loaded.push_back(n); });
        REQUIRE(!of_built.empty());
        REQUIRE(of_built == of_loaded);
    }
    REQUIRE(before.Reachable() == after.Reachable());
}

TEST_CASE("a build can be stopped", "[graph]") {
    Rows base(Metric::kL2, 3000, 32, 10);
    const VectorRows rows = base.View();
    std::atomic<uint64_t> epoch{0};
    int calls = 0;
    Work work(&epoch, [&](const char*, uint64_t, uint64_t) { return ++calls >= 1; });
    GraphIndexOptions options;
    options.ef_build = 400;
    const auto index = GraphIndex::Build(rows, options, &work);
    if (!index.ok()) {
        REQUIRE(index.status().code() == Code::kInterrupted);
    } else {
        REQUIRE(calls == 0);  // ready before the first call was due
    }
    epoch++;
    REQUIRE(GraphIndex::Build(rows, options, &work).status().code() == Code::kInterrupted);
}

TEST_CASE("where nearly all match, a walk does not give up for the rows of upper levels",
          "[graph]") {
    constexpr size_t kRows = 5000;
    constexpr size_t kDim = 24;
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    std::vector<float> values(kRows * kDim);
    for (float& value : values) {
        value = normal(random);
    }
    const VectorRows rows{Element::kF32, Metric::kL2,
                          kDim,          reinterpret_cast<const char*>(values.data()),
                          kRows,         nullptr};
    GraphIndexOptions options;
    options.codes = CodeChoice::kNone;
    options.ef_build = 60;
    Work work;
    const auto index = GraphIndex::Build(rows, options, &work);
    REQUIRE(index.ok());
    std::vector<uint64_t> bits(kRows / 64 + 1, ~uint64_t{0});
    for (size_t row = 0; row < kRows; row += 20) {
        bits[row / 64] &= ~(uint64_t{1} << (row % 64));
    }
    WantedNodes wanted;
    wanted.bits = bits.data();
    wanted.share = 0.95;
    wanted.look = 67;
    WalkSpace space;
    std::vector<uint32_t> nodes;
    for (uint32_t row = 0; row < 200; row++) {
        bool complete = false;
        REQUIRE((*index)
                    ->SearchWanted(rows, rows.row(row), Effort::OfPool(10), wanted, &space, &nodes,
                                   &complete, &work)
                    .ok());
        REQUIRE(complete);
        REQUIRE(nodes.size() == 10);
        REQUIRE(static_cast<double>(space.wanted_met) > 0.8 * static_cast<double>(space.wanted_of));
    }
}
