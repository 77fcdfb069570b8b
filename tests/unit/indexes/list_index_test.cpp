// The list index by itself: recall, bounds, what stays outside, its arrays and what damaged ones
// do.
#include "engine/dense/list_index.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "engine/dense/cell_means.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"

using namespace quern;
using namespace quern::dense;

namespace {

// Rows in clusters on a curved surface.
struct Rows {
    Element element;
    Metric metric;
    size_t dim;
    std::vector<float> values;
    Bytes stored;
    std::vector<float> norms;
    Rows(Element e, Metric m, size_t count, size_t d, uint64_t seed)
        : element(e), metric(m), dim(d), values(count * d) {
        std::mt19937_64 random(seed);
        std::mt19937_64 fixed(99);
        std::normal_distribution<float> normal;
        constexpr size_t kFactors = 8;
        constexpr size_t kClusters = 40;
        std::vector<float> mix(kFactors * dim);
        std::vector<float> middle(kClusters * kFactors);
        for (std::vector<float>* numbers : {&mix, &middle}) {
            for (float& x : *numbers) {
                x = normal(fixed);
            }
        }
        for (size_t i = 0; i < count; i++) {
            const size_t cluster = random() % kClusters;
            float factor[kFactors];
            for (size_t f = 0; f < kFactors; f++) {
                factor[f] = middle[cluster * kFactors + f] + 0.5f * normal(random);
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
    size_t count() const { return values.size() / dim; }
    VectorRows View() {
        stored.assign(count() * VectorBytes(element, dim), '\0');
        REQUIRE(kernels::FromF32(element, values.data(), count(), dim, stored.data(), nullptr));
        norms.assign(count(), 0.0f);
        if (metric == Metric::kCosine) {
            kernels::InverseNorms(element, stored.data(), count(), dim, norms.data());
        }
        return {element,       metric,  dim,
                stored.data(), count(), metric == Metric::kCosine ? norms.data() : nullptr};
    }
    // Query i as the engine hands it over.
    Bytes Query(size_t i) const {
        Bytes vector(element == Element::kBit ? VectorBytes(element, dim) : dim * sizeof(float),
                     '\0');
        if (element == Element::kBit) {
            kernels::FromF32(element, &values[i * dim], 1, dim, vector.data(), nullptr);
        } else {
            std::memcpy(vector.data(), &values[i * dim], vector.size());
        }
        return vector;
    }
};

std::vector<uint32_t> Exact(const VectorRows& rows, const Bytes& query, size_t k) {
    const kernels::Query prepared =
        kernels::PrepareQuery(rows.element, rows.metric, query.data(), rows.dim);
    std::vector<float> distances(rows.count);
    kernels::Distances(rows.element, rows.metric, prepared, rows.rows, rows.count,
                       rows.inverse_norms, distances.data());
    kernels::TopK top(k);
    for (uint32_t i = 0; i < rows.count; i++) {
        top.Push(distances[i], i);
    }
    std::vector<uint32_t> nearest;
    for (const kernels::Hit& hit : top.Take()) {
        nearest.push_back(hit.position);
    }
    return nearest;
}

std::unique_ptr<ListIndex> BuildIndex(const VectorRows& rows, CodeChoice codes, int threads = 2,
                                      uint32_t lists = 0) {
    ListIndexOptions options;
    options.codes = codes;
    options.threads = threads;
    options.lists = lists;
    Work work;
    auto index = ListIndex::Build(rows, options, &work);
    INFO(index.status().message());
    REQUIRE(index.ok());
    return std::move(*index);
}

// Measures as the engine does, so that bounds are at work.
ListQuery QueryOf(const VectorRows& rows, const Bytes& vector, size_t k,
                  const ProbeEffort& effort) {
    ListQuery query;
    query.vector = vector.data();
    query.k = k;
    query.effort = effort;
    query.measure = [&rows, &vector](const uint32_t* picked, size_t count, float* out) -> Status {
        const kernels::Query prepared =
            kernels::PrepareQuery(rows.element, rows.metric, vector.data(), rows.dim);
        kernels::DistancesPicked(rows.element, rows.metric, prepared, rows.rows, picked, count,
                                 rows.inverse_norms, out);
        return {};
    };
    return query;
}

double Recall(const ListIndex& index, const VectorRows& rows, const Rows& queries, size_t k,
              const ProbeEffort& effort) {
    ListSpace space;
    std::vector<uint32_t> nearest;
    size_t hits = 0;
    for (size_t q = 0; q < queries.count(); q++) {
        const Bytes vector = queries.Query(q);
        REQUIRE(index.Search(QueryOf(rows, vector, k, effort), nullptr, &space, &nearest, nullptr)
                    .ok());
        REQUIRE(nearest.size() >= std::min(k, index.inside_count()));
        const std::set<uint32_t> found(nearest.begin(), nearest.end());
        REQUIRE(found.size() == nearest.size());
        for (const uint32_t number : Exact(rows, vector, k)) {
            hits += found.count(number);
        }
    }
    return static_cast<double>(hits) / static_cast<double>(queries.count() * k);
}

Result<std::unique_ptr<ListIndex>> Reload(const ListIndex& index, const VectorRows& rows,
                                          bool with_rows = true, size_t damaged_array = 99,
                                          size_t damaged_byte = 0) {
    std::string head;
    Buffer arrays[kListArrays];
    for (size_t a = 0; a < kListArrays; a++) {
        const IndexArrayView view = index.Array(static_cast<ListArray>(a));
        const size_t bytes = static_cast<size_t>(view.items * view.item_bytes);
        if (a == 0) {
            head.assign(view.data, bytes);
        } else if (bytes > 0 && (with_rows || a != static_cast<size_t>(ListArray::kRows))) {
            arrays[a] = Buffer(bytes, nullptr);
            std::memcpy(arrays[a].data(), view.data, bytes);
        }
        if (a == damaged_array && bytes > 0) {
            char* data = a == 0 ? head.data() : arrays[a].data();
            data[damaged_byte % bytes] = static_cast<char>(data[damaged_byte % bytes] ^ 0xff);
        }
    }
    return ListIndex::Load(rows.element, rows.metric, rows.dim, rows.count, head, arrays);
}

}  // namespace

TEST_CASE("lists find what their curve promises", "[lists]") {
    const auto [element, metric, codes] = GENERATE(table<Element, Metric, CodeChoice>({
        {Element::kF32, Metric::kL2, CodeChoice::k8Bit},
        {Element::kF32, Metric::kL2, CodeChoice::kNone},
        {Element::kF16, Metric::kL2, CodeChoice::k4Bit},
        {Element::kF32, Metric::kIp, CodeChoice::k8Bit},
        {Element::kF32, Metric::kIp, CodeChoice::kNone},
        {Element::kF32, Metric::kCosine, CodeChoice::k4Bit},
        {Element::kBF16, Metric::kCosine, CodeChoice::kNone},
        {Element::kBit, Metric::kHamming, CodeChoice::kNone},
    }));
    Rows base(element, metric, 4000, 64, 1);
    const Rows queries(element, metric, 200, 64, 2);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, codes);
    for (const size_t k : {1, 10, 30}) {
        for (const double wanted : {0.9, 0.98}) {
            ProbeEffort effort;
            INFO("element " << static_cast<int>(element) << " metric " << static_cast<int>(metric)
                            << " codes " << static_cast<int>(codes) << " k " << k << " recall "
                            << wanted);
            REQUIRE(index->curve().Find(k, wanted, index->rows_per_cell(), &effort));
            // Bits have many that are equally near: which of them are found is open.
            const double slack = element == Element::kBit ? 0.15 : 0.04;
            REQUIRE(Recall(*index, rows, queries, k, effort) > wanted - slack);
        }
    }
    // All cells and a pool wide enough: nothing is lost, whatever the bounds spare.
    const size_t refine = codes == CodeChoice::kNone ? 10 : 400;
    if (element != Element::kBit) {
        REQUIRE(Recall(*index, rows, queries, 10, {index->cell_count(), refine}) > 0.9999);
    }
}

TEST_CASE("bounds spare cells and lose nothing", "[lists]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kCosine);
    const CodeChoice codes = GENERATE(CodeChoice::kNone, CodeChoice::k8Bit);
    // Clusters far apart.
    Rows base(Element::kF32, metric, 4000, 24, 3);
    std::mt19937_64 random(4);
    for (size_t i = 0; i < base.count(); i++) {
        const size_t axis = random() % 20;
        for (size_t j = 0; j < 24; j++) {
            base.values[i * 24 + j] = base.values[i * 24 + j] * 0.05f + (j == axis ? 3.0f : 0.0f);
        }
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, codes);
    ListSpace space;
    std::vector<uint32_t> nearest;
    size_t spared = 0;
    for (size_t q = 0; q < 50; q++) {
        const Bytes vector = base.Query(q * 31);
        const ProbeEffort all{index->cell_count(), codes == CodeChoice::kNone ? size_t{10} : 300};
        REQUIRE(
            index->Search(QueryOf(rows, vector, 10, all), nullptr, &space, &nearest, nullptr).ok());
        spared += space.passed;
        const std::set<uint32_t> found(nearest.begin(), nearest.end());
        for (const uint32_t number : Exact(rows, vector, 10)) {
            REQUIRE(found.count(number) == 1);
        }
    }
    REQUIRE(spared > 50 * index->cell_count() / 2);
}

TEST_CASE("bounds spare no cell that has the last of the nearest alone", "[lists]") {
    // On a line, where what a cell has nearest may be just as far as its bound says.
    constexpr size_t kDim = 24;
    constexpr size_t kNearest = 3;
    Rows base(Element::kF32, Metric::kL2, 2000, kDim, 3);
    std::mt19937_64 random(5);
    std::uniform_real_distribution<float> place(-1, 1);
    for (size_t i = 0; i < base.count(); i++) {
        const float at = place(random);
        for (size_t j = 0; j < kDim; j++) {
            base.values[i * kDim + j] = at * static_cast<float>(j + 1) / kDim;
        }
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit, 2, 60);
    ListSpace space;
    std::vector<uint32_t> nearest;
    size_t spared = 0;
    size_t missed = 0;
    for (size_t q = 0; q < base.count(); q++) {
        const Bytes vector = base.Query(q);
        const ProbeEffort all{index->cell_count(), 200};
        REQUIRE(
            index->Search(QueryOf(rows, vector, kNearest, all), nullptr, &space, &nearest, nullptr)
                .ok());
        spared += space.passed;
        const std::set<uint32_t> found(nearest.begin(), nearest.end());
        for (const uint32_t number : Exact(rows, vector, kNearest)) {
            missed += 1 - found.count(number);
        }
    }
    CHECK(missed == 0);
    CHECK(spared > base.count() * index->cell_count() / 2);
}

TEST_CASE("codes of wanted rows are scored with their own norms", "[lists]") {
    Rows base(Element::kF32, Metric::kL2, 4000, 24, 8);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit);
    std::vector<uint64_t> bits((rows.count + 63) / 64, 0);
    for (size_t i = 0; i < rows.count; i += 5) {
        bits[i / 64] |= uint64_t{1} << (i % 64);
    }
    ListSpace space;
    std::vector<uint32_t> nearest;
    size_t missed = 0;
    for (size_t q = 0; q < 50; q++) {
        const Bytes vector = base.Query(q * 31);
        ListQuery query = QueryOf(rows, vector, 10, {index->cell_count(), 20});
        query.wanted_bits = bits.data();
        REQUIRE(index->Search(query, nullptr, &space, &nearest, nullptr).ok());
        const std::set<uint32_t> found(nearest.begin(), nearest.end());
        size_t left = 10;
        for (const uint32_t number : Exact(rows, vector, rows.count)) {
            if (left > 0 && number % 5 == 0) {
                left--;
                missed += 1 - found.count(number);
            }
        }
    }
    CHECK(missed <= 5);
}

TEST_CASE("zero vectors and repeats stay outside the lists", "[lists]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    Rows base(Element::kF32, metric, 3000, 24, 3);
    for (size_t i = 0; i < 3000; i++) {
        if (i % 50 == 0) {
            std::fill_n(&base.values[i * 24], 24, 0.0f);
        } else if (i % 10 == 1) {
            std::memcpy(&base.values[i * 24], &base.values[7 * 24], 24 * sizeof(float));
        }
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit);
    REQUIRE(index->outsiders().zeros().size() == 60);
    const auto [first, last] = index->outsiders().Repeats(1);
    REQUIRE(last - first == 300);
    REQUIRE(index->inside_count() == 3000 - 60 - 300);
    const auto again = Reload(*index, rows);
    REQUIRE(again.ok());
    REQUIRE((*again)->inside_count() == index->inside_count());
}

TEST_CASE("odd sets of vectors have lists, too", "[lists]") {
    const size_t count = GENERATE(size_t{0}, size_t{1}, size_t{2}, size_t{5}, size_t{40});
    const size_t dim = GENERATE(size_t{1}, size_t{3});
    const bool equal = GENERATE(false, true);
    const uint32_t lists = GENERATE(0u, 1u, 1000u);
    Rows base(Element::kF32, Metric::kL2, count, dim, 5);
    if (equal) {
        std::fill(base.values.begin(), base.values.end(), 1.5f);
    }
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit, 2, lists);
    ListSpace space;
    std::vector<uint32_t> nearest;
    const Bytes vector(dim * sizeof(float), '\0');
    // One cell is asked for, and more are opened until there are k.
    REQUIRE(index->Search(QueryOf(rows, vector, 100, {1, 100}), nullptr, &space, &nearest, nullptr)
                .ok());
    REQUIRE(nearest.size() == (equal ? std::min<size_t>(count, 1) : count));
    REQUIRE(Reload(*index, rows).ok());
}

TEST_CASE("huge and tiny values do not break lists", "[lists]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    const float size = GENERATE(1e18f, 1e37f, 1e-30f);
    Rows base(Element::kF32, metric, 500, 16, 6);
    for (size_t i = 0; i < base.values.size(); i++) {
        base.values[i] *= i % 3 == 0 ? size : 1e-30f;
    }
    const VectorRows rows = base.View();
    for (const CodeChoice codes : {CodeChoice::kNone, CodeChoice::k8Bit, CodeChoice::k4Bit}) {
        const auto index = BuildIndex(rows, codes);
        REQUIRE(Reload(*index, rows).ok());
        ListSpace space;
        std::vector<uint32_t> nearest;
        for (const float factor : {1.0f, 1e-37f}) {
            Bytes vector = base.Query(1);
            for (size_t j = 0; j < 16; j++) {
                reinterpret_cast<float*>(vector.data())[j] *= factor;
            }
            REQUIRE(
                index
                    ->Search(QueryOf(rows, vector, 50, {2, 50}), nullptr, &space, &nearest, nullptr)
                    .ok());
            REQUIRE(nearest.size() == 50);
        }
    }
}

TEST_CASE("the same rows give the same lists on any number of threads", "[lists]") {
    Rows base(Element::kF32, Metric::kL2, 1500, 12, 7);
    const VectorRows rows = base.View();
    const auto a = BuildIndex(rows, CodeChoice::k8Bit, 1);
    const auto b = BuildIndex(rows, CodeChoice::k8Bit, 3);
    for (size_t number = 0; number < kListArrays; number++) {
        const IndexArrayView x = a->Array(static_cast<ListArray>(number));
        const IndexArrayView y = b->Array(static_cast<ListArray>(number));
        REQUIRE(x.items == y.items);
        REQUIRE(std::memcmp(x.data, y.data, static_cast<size_t>(x.items * x.item_bytes)) == 0);
    }
}

TEST_CASE("lists look at wanted rows only, and read no cell without any", "[lists]") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    const CodeChoice codes = GENERATE(CodeChoice::kNone, CodeChoice::k8Bit, CodeChoice::k4Bit);
    Rows base(Element::kF32, metric, 4000, 24, 8);
    const Rows queries(Element::kF32, metric, 20, 24, 9);
    const VectorRows rows = base.View();
    const auto built = BuildIndex(rows, codes);
    const auto loaded = Reload(*built, rows, false);
    REQUIRE(loaded.ok());
    const ListIndex& index = **loaded;
    struct Counted : CellRows {
        const ListIndex& index;
        size_t cells = 0;
        explicit Counted(const ListIndex& of) : index(of) {}
        Status Read(size_t first, size_t count, std::vector<CellPiece>* pieces) override {
            cells++;
            const char* all = index.Array(ListArray::kRows).data;
            const size_t half = count / 2;
            pieces->push_back({all + first * index.row_bytes(), half, nullptr});
            pieces->push_back({all + (first + half) * index.row_bytes(), count - half, nullptr});
            return {};
        }
    } counted(*built);
    std::mt19937_64 random(10);
    ListSpace space;
    std::vector<uint32_t> nearest;
    for (const size_t share : {2, 3, 50, 1000, 100000}) {
        std::vector<uint64_t> bits((rows.count + 63) / 64, 0);
        for (size_t i = 0; i < rows.count; i++) {
            bits[i / 64] |= random() % share == 0 ? uint64_t{1} << (i % 64) : 0;
        }
        size_t with_wanted = 0;
        size_t wanted = 0;
        for (size_t cell = 0; cell < index.cell_count(); cell++) {
            const auto [begin, end] = index.Cell(cell);
            size_t here = 0;
            for (size_t place = begin; place < end; place++) {
                const uint32_t number = index.NumberAt(place);
                here += bits[number / 64] >> (number % 64) & 1;
            }
            with_wanted += here > 0 ? 1 : 0;
            wanted += here;
        }
        for (size_t q = 0; q < queries.count(); q++) {
            const Bytes vector = queries.Query(q);
            ListQuery query = QueryOf(rows, vector, 10, {index.cell_count(), 400});
            query.wanted_bits = bits.data();
            counted.cells = 0;
            REQUIRE(index.Search(query, &counted, &space, &nearest, nullptr).ok());
            CHECK(counted.cells + space.passed == with_wanted);
            if (share > 3) {
                CHECK(space.scored <= 2 * wanted);
            }
            const std::set<uint32_t> found(nearest.begin(), nearest.end());
            REQUIRE(found.size() == std::min<size_t>(wanted, std::max<size_t>(found.size(), 10)));
            for (const uint32_t number : found) {
                REQUIRE((bits[number / 64] >> (number % 64) & 1) == 1);
            }
            size_t left = 10;
            size_t missed = 0;
            for (const uint32_t number : Exact(rows, vector, rows.count)) {
                if (left > 0 && (bits[number / 64] >> (number % 64) & 1) != 0) {
                    left--;
                    missed += 1 - found.count(number);
                }
            }
            CHECK(missed == 0);
        }
    }
}

TEST_CASE("a search that begins with one cell goes on until it has as many as it wants",
          "[lists]") {
    const CodeChoice codes = GENERATE(CodeChoice::kNone, CodeChoice::k8Bit);
    Rows base(Element::kF32, Metric::kL2, 4000, 24, 8);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, codes);
    size_t largest = 0;
    for (size_t cell = 0; cell < index->cell_count(); cell++) {
        const auto [begin, end] = index->Cell(cell);
        largest = std::max<size_t>(largest, end - begin);
    }
    ListSpace space;
    std::vector<uint32_t> nearest;
    for (const size_t k : {largest + 1, 5 * largest, rows.count}) {
        const Bytes vector = base.Query(17);
        REQUIRE(index->Search(QueryOf(rows, vector, k, {1, k}), nullptr, &space, &nearest, nullptr)
                    .ok());
        CHECK(nearest.size() == std::min(k, rows.count));
    }
}

TEST_CASE("who chooses the cells finds what is in them", "[lists]") {
    Rows base(Element::kF32, Metric::kL2, 2000, 16, 8);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::kNone);
    const Bytes vector = base.Query(11);
    const ListQuery query = QueryOf(rows, vector, 5, {1, 5});
    ListSpace space;
    std::vector<uint32_t> nearest;
    const uint32_t chosen[] = {3, 0, 7};
    REQUIRE(index->Begin(query, &space).ok());
    REQUIRE(index->Scan(query, chosen, 3, nullptr, &space, nullptr).ok());
    index->Take(&space, &nearest);
    std::set<uint32_t> allowed;
    for (const uint32_t cell : chosen) {
        for (size_t place = index->Cell(cell).first; place < index->Cell(cell).second; place++) {
            allowed.insert(index->NumberAt(place));
        }
    }
    REQUIRE(nearest.size() == std::min<size_t>(5, allowed.size()));
    for (const uint32_t number : nearest) {
        REQUIRE(allowed.count(number) == 1);
    }
}

TEST_CASE("rows that are not in memory come in pieces", "[lists]") {
    Rows base(Element::kF32, Metric::kCosine, 2000, 16, 8);
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, GENERATE(CodeChoice::kNone, CodeChoice::k8Bit));
    const auto bare = Reload(*index, rows, false);
    REQUIRE(bare.ok());
    REQUIRE(!(*bare)->has_rows());
    class Pieces : public CellRows {
    public:
        explicit Pieces(const IndexArrayView& view) : view_(view) {}
        Status Read(size_t first, size_t count, std::vector<CellPiece>* pieces) override {
            for (size_t at = first; at < first + count; at += 7) {
                pieces->push_back({view_.data + at * view_.item_bytes,
                                   std::min<size_t>(7, first + count - at), nullptr});
            }
            return reads++ < 1000 ? Status() : Status::Error(Code::kCorrupt, "enough");
        }
        size_t reads = 0;

    private:
        IndexArrayView view_;
    } pieces(index->Array(ListArray::kRows));
    ListSpace space;
    std::vector<uint32_t> here;
    std::vector<uint32_t> there;
    const Bytes vector = base.Query(3);
    const ListQuery query = QueryOf(rows, vector, 10, {8, 40});
    REQUIRE(index->Search(query, nullptr, &space, &here, nullptr).ok());
    REQUIRE((*bare)->Search(query, &pieces, &space, &there, nullptr).ok());
    REQUIRE(here == there);
    pieces.reads = 1000;
    REQUIRE((*bare)->Search(query, &pieces, &space, &there, nullptr).code() == Code::kCorrupt);
}

TEST_CASE("arrays of lists come back as they were, or are refused, or are safe", "[lists]") {
    Rows base(Element::kF32, Metric::kL2, 700, 20, 8);
    std::fill_n(&base.values[3 * 20], 20, 0.0f);
    std::memcpy(&base.values[4 * 20], &base.values[5 * 20], 20 * sizeof(float));
    const VectorRows rows = base.View();
    const auto index = BuildIndex(rows, CodeChoice::k8Bit);
    ListSpace space;
    std::vector<uint32_t> before;
    std::vector<uint32_t> after;
    const Bytes vector = base.Query(0);
    const ListQuery query = QueryOf(rows, vector, 10, {5, 40});
    REQUIRE(index->Search(query, nullptr, &space, &before, nullptr).ok());
    const auto same = Reload(*index, rows);
    REQUIRE(same.ok());
    REQUIRE((*same)->Search(query, nullptr, &space, &after, nullptr).ok());
    REQUIRE(before == after);
    std::mt19937_64 random(9);
    size_t refused = 0;
    for (int trial = 0; trial < 2000; trial++) {
        const size_t array = random() % kListArrays;
        const auto damaged = Reload(*index, rows, true, array, random());
        if (!damaged.ok()) {
            REQUIRE(damaged.status().code() == Code::kCorrupt);
            refused++;
            continue;
        }
        REQUIRE((*damaged)->Search(query, nullptr, &space, &after, nullptr).ok());
        REQUIRE(std::set<uint32_t>(after.begin(), after.end()).size() == after.size());
    }
    REQUIRE(refused > 300);
}

TEST_CASE("a build of lists can be stopped", "[lists]") {
    Rows base(Element::kF32, Metric::kL2, 3000, 32, 10);
    const VectorRows rows = base.View();
    std::atomic<uint64_t> epoch{0};
    Work work(&epoch, nullptr);
    ListIndexOptions options;
    REQUIRE(ListIndex::Build(rows, options, &work).ok());
    epoch++;
    REQUIRE(ListIndex::Build(rows, options, &work).status().code() == Code::kInterrupted);
}

TEST_CASE("the nearest centre is the nearest", "[lists]") {
    const size_t cells = GENERATE(size_t{1}, size_t{15}, size_t{16}, size_t{47}, size_t{300});
    const Rows base(Element::kF32, Metric::kL2, cells, 20, 11);
    const Rows points(Element::kF32, Metric::kL2, 130, 20, 12);
    CellCentres centres;
    centres.Set(base.values.data(), cells, 20);
    std::vector<uint32_t> labels(130);
    std::vector<float> distances(130);
    centres.Nearest(points.values.data(), 130, labels.data(), distances.data());
    for (size_t i = 0; i < 130; i++) {
        const kernels::Query query =
            kernels::PrepareQuery(Element::kF32, Metric::kL2, &points.values[i * 20], 20);
        std::vector<float> all(cells);
        kernels::Distances(Element::kF32, Metric::kL2, query, base.values.data(), cells, nullptr,
                           all.data());
        const float least = *std::min_element(all.begin(), all.end());
        REQUIRE(all[labels[i]] <= least + 1e-4f);
        REQUIRE(distances[i] == Approx(all[labels[i]]).margin(1e-3));
    }
}
