// How a graph is built: which candidates become neighbours, and what walks of insertions go over.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <set>

#include "engine/dense/graph_builder.h"
#include "engine/dense/graph_index.h"
#include "engine/dense/insertion_codes.h"
#include "engine/dense/neighbour_choice.h"
#include "engine/kernels/distance.h"

using namespace quern;
using namespace quern::dense;

namespace {

struct Vectors {
    Element element;
    Metric metric;
    size_t dim;
    std::vector<char> bytes;
    std::vector<float> norms;

    // Of normal numbers, every `apart`-th `longer` times as long (0: none).
    Vectors(Element e, Metric m, size_t count, size_t d, size_t apart = 0, float longer = 1)
        : element(e), metric(m), dim(d), bytes(count * VectorBytes(e, d)), norms(count) {
        std::mt19937 random(5);
        std::normal_distribution<float> normal;
        std::vector<float> values(count * dim);
        for (size_t i = 0; i < values.size(); i++) {
            const bool is_long = apart > 0 && i / dim % apart == apart - 1;
            values[i] = normal(random) * (is_long ? longer : 1.0f);
        }
        REQUIRE(kernels::FromF32(element, values.data(), count, dim, bytes.data(), nullptr));
        if (element != Element::kBit) {
            kernels::InverseNorms(element, bytes.data(), count, dim, norms.data());
        }
    }
    VectorRows View() const {
        return {element,      metric,       dim,
                bytes.data(), norms.size(), metric == Metric::kCosine ? norms.data() : nullptr};
    }
};

float Between(const VectorRows& rows, uint32_t a, uint32_t b) {
    RowQuery query;
    query.Set(rows, a);
    float distance = 0;
    kernels::DistancesPicked(rows.element, rows.metric, query.get(), rows.rows, &b, 1,
                             rows.inverse_norms, &distance);
    return distance;
}

using Candidate = NeighbourChoice::Candidate;

// One by one, as the paper has it.
std::vector<uint32_t> ChosenPlainly(const VectorRows& rows, const std::vector<Candidate>& from,
                                    size_t most, size_t fixed) {
    std::vector<uint32_t> chosen;
    for (size_t i = 0; i < from.size() && chosen.size() < most; i++) {
        const bool good = std::none_of(chosen.begin(), chosen.end(), [&](uint32_t other) {
            return Between(rows, other, from[i].node) < from[i].distance;
        });
        if (i < fixed || good) {
            chosen.push_back(from[i].node);
        }
    }
    return chosen;
}

Result<InsertionCodes> ChooseFor(const VectorRows& rows, const InsertionCodes& own,
                                 CodedRows* made) {
    std::vector<uint32_t> inside(rows.count);
    for (uint32_t i = 0; i < rows.count; i++) {
        inside[i] = i;
    }
    EffortMeasure measure(rows, {inside.begin(), inside.begin() + 60}, inside);
    Work work;
    REQUIRE(measure.FindTruth(1, &work).ok());
    return ChooseInsertionCodes(rows, measure, own, made, 1, &work);
}

}  // namespace

TEST_CASE("neighbours are the nearest in each direction", "[graph]") {
    const auto [element, metric] = GENERATE(table<Element, Metric>({
        {Element::kF32, Metric::kL2},
        {Element::kF32, Metric::kIp},
        {Element::kF16, Metric::kCosine},
        {Element::kBit, Metric::kHamming},
    }));
    const Vectors vectors(element, metric, 300, 6);
    const VectorRows rows = vectors.View();
    NeighbourChoice choice(rows);
    for (const size_t fixed : {size_t{0}, size_t{3}}) {
        for (const size_t most : {size_t{1}, size_t{4}, size_t{64}}) {
            std::vector<Candidate> candidates;
            for (uint32_t node = 1; node < 200; node++) {
                candidates.push_back({Between(rows, 0, node), node});
            }
            // The fixed ones stand in front, wherever they are.
            NeighbourChoice::Sort(&candidates, fixed);
            const std::vector<uint32_t> expected =
                ChosenPlainly(rows, candidates, std::max(most, fixed), fixed);
            choice.Choose(std::max(most, fixed), &candidates, fixed);
            std::vector<uint32_t> chosen;
            for (const Candidate& candidate : candidates) {
                chosen.push_back(candidate.node);
            }
            REQUIRE(chosen == expected);
        }
    }
}

TEST_CASE("a list that was chosen before chooses again as if it had not been", "[graph]") {
    const auto [element, metric] = GENERATE(table<Element, Metric>({
        {Element::kF32, Metric::kL2},
        {Element::kF32, Metric::kIp},
        {Element::kF16, Metric::kL2},
        {Element::kBit, Metric::kHamming},
    }));
    // Whole numbers, so that distances are the same both ways.
    std::vector<float> values(300 * 9);
    std::mt19937 random(3);
    for (float& value : values) {
        value = static_cast<float>(random() % 50 + (element == Element::kBit ? -25 : 0));
    }
    Vectors vectors(element, metric, 300, 9);
    REQUIRE(kernels::FromF32(element, values.data(), 300, 9, vectors.bytes.data(), nullptr));
    const VectorRows rows = vectors.View();
    NeighbourChoice choice(rows);
    for (uint32_t from = 0; from < 20; from++) {
        std::vector<Candidate> list;
        for (uint32_t node = 20; node < 300; node++) {
            list.push_back({Between(rows, from, node), node});
            NeighbourChoice::Sort(&list);
            if (node % 3 == 0) {  // one or several new ones
                const std::vector<uint32_t> expected = ChosenPlainly(rows, list, 8, 0);
                choice.Choose(8, &list);
                std::vector<uint32_t> chosen;
                for (Candidate& candidate : list) {
                    chosen.push_back(candidate.node);
                    candidate.settled = true;
                }
                REQUIRE(chosen == expected);
            }
        }
    }
}

TEST_CASE("insertions walk over the smallest codes that order the vectors well", "[graph]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    const Vectors vectors(Element::kF32, metric, 3000, 64);
    const VectorRows rows = vectors.View();
    Work work;
    CodedRows made;
    auto codes = ChooseFor(rows, {}, &made);
    REQUIRE(codes.ok());
    REQUIRE(codes->codes != nullptr);
    REQUIRE(codes->codes == made.codes.get());
    REQUIRE(codes->codes->row_bytes() * 3 <= rows.row_bytes() * 2);
    // Who has them already has them once.
    const InsertionCodes own = {made.codes.get(), made.View()};
    CodedRows again;
    codes = ChooseFor(rows, own, &again);
    REQUIRE(codes.ok());
    REQUIRE(codes->codes == own.codes);
    REQUIRE(codes->rows.rows == own.rows.rows);
    REQUIRE(!again.codes);
}

TEST_CASE("insertions walk over vectors where codes order badly or save little", "[graph]") {
    const auto [element, metric, dim, longer] = GENERATE(table<Element, Metric, size_t, float>({
        {Element::kF32, Metric::kL2, 64, 1e9f},  // all but a few would have one code
        {Element::kF32, Metric::kL2, 6, 1.0f},   // a row of codes has 32 bytes
        {Element::kBit, Metric::kHamming, 64, 1.0f},
    }));
    const Vectors vectors(element, metric, 3000, dim, 20, longer);
    CodedRows made;
    const auto codes = ChooseFor(vectors.View(), {}, &made);
    REQUIRE(codes.ok());
    REQUIRE(codes->codes == nullptr);
    REQUIRE(!made.codes);
}

TEST_CASE("a graph of vectors that codes do not tell apart is as good as any", "[graph]") {
    const Vectors vectors(Element::kF32, Metric::kL2, 3000, 40, 20, 1e9f);
    const VectorRows rows = vectors.View();
    GraphIndexOptions options;
    options.codes = CodeChoice::kNone;
    options.ef_build = 60;
    options.threads = GENERATE(1, 2);
    Work work;
    const auto index = GraphIndex::Build(rows, options, &work);
    REQUIRE(index.ok());
    WalkSpace space;
    std::vector<uint32_t> nodes;
    size_t found = 0;
    size_t asked = 0;
    for (uint32_t row = 0; row < 300; row++) {
        if (row % 20 == 19) {
            continue;  // a long one
        }
        asked++;
        REQUIRE((*index)
                    ->Search(rows, rows.row(row), Effort::OfPool(60), &space, &nodes, nullptr)
                    .ok());
        found += !nodes.empty() && nodes[0] == row ? 1 : 0;
    }
    REQUIRE(static_cast<double>(found) >= 0.97 * static_cast<double>(asked));
}

TEST_CASE("a graph over codes of any metric: no node twice, none by itself", "[graph]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    const Vectors vectors(Element::kF32, metric, 4000, 64);
    GraphIndexOptions options;
    options.codes = CodeChoice::k4Bit;
    options.ef_build = 60;
    options.threads = 4;
    Work work;
    const auto index = GraphIndex::Build(vectors.View(), options, &work);
    REQUIRE(index.ok());
    for (uint32_t node = 0; node < 4000; node++) {
        std::set<uint32_t> neighbours;
        size_t links = 0;
        (*index)->links().ForNeighbours(node, [&](uint32_t neighbour) {
            neighbours.insert(neighbour);
            links++;
        });
        REQUIRE(links > 0);
        REQUIRE(neighbours.size() == links);
        REQUIRE(neighbours.count(node) == 0);
    }
}

TEST_CASE("nodes of the base level come after others that are near to them", "[graph]") {
    constexpr size_t kGroups = 20;
    Vectors vectors(Element::kF32, Metric::kL2, 4000, 8);
    auto* values = reinterpret_cast<float*>(vectors.bytes.data());
    for (size_t row = 0; row < 4000; row++) {
        values[row * 8] += 100.0f * static_cast<float>(row % kGroups);
    }
    const VectorRows rows = vectors.View();
    std::vector<uint32_t> nodes(4000);
    std::iota(nodes.begin(), nodes.end(), 0);
    GraphBuildOptions options;
    options.ef = 40;
    options.threads = GENERATE(1, 3);
    options.held = 100;
    Work work;
    const auto builder = GraphBuilder::Create(rows, nodes, options, nullptr, &work);
    REQUIRE(builder.ok());
    const std::vector<uint32_t> before = (*builder)->order();
    REQUIRE((*builder)->Add(3900, &work).ok());
    const std::vector<uint32_t>& order = (*builder)->order();
    REQUIRE(std::equal(before.begin() + 3900, before.end(), order.begin() + 3900));
    REQUIRE(std::is_permutation(before.begin(), before.end(), order.begin()));
    size_t changes = 0;  // from one group to another; of a shuffle, nineteen of twenty
    for (size_t i = 1; i < 3900; i++) {
        changes += order[i] % kGroups != order[i - 1] % kGroups ? 1 : 0;
    }
    REQUIRE(changes < 600);
    REQUIRE((*builder)->Add(100, &work).ok());
    const auto links = (*builder)->Links(&work);
    REQUIRE(links.ok());
    const std::vector<bool> reached = links->Reachable();
    REQUIRE(std::count(reached.begin(), reached.end(), true) == 4000);
}
