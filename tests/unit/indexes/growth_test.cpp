// Indexes that grow: by merges, through churn, from damaged sources; and what bad data does to
// the reach of a graph.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "capi/handles.h"
#include "engine/dense/graph_index.h"
#include "engine/kernels/distance.h"
#include "tests/unit/indexed_file.h"
#include "tests/unit/real_vectors.h"

using namespace indexed;
using namespace quern;
using namespace quern::dense;

namespace {

// The neighbours of every vector of the first segment, by row id.
std::map<int64_t, std::set<int64_t>> LinksOf(const IndexedFile& file) {
    Database* database = file.db->database.get();
    Work work;
    std::map<int64_t, std::set<int64_t>> links;
    auto snapshot = database->NewSnapshot();
    REQUIRE(snapshot.ok());
    const auto view = (*snapshot)->View("docs");
    REQUIRE(view.ok());
    REQUIRE((*view)->segments.size() == 1);
    const Status status = (*snapshot)->With([&](storage::Connection* connection) -> Status {
        Segment& segment = *(*view)->segments[0];
        QUERN_ASSIGN(const Segment::IndexState state,
                     segment.Index(connection, (*view)->info->schema.dense[0], &work));
        QUERN_ASSIGN(const int64_t* const ids, segment.RowIds(connection));
        const GraphLinks& graph = state.index->links();
        for (uint32_t node = 0; node < graph.count; node++) {
            graph.ForNeighbours(node, [&](uint32_t to) { links[ids[node]].insert(ids[to]); });
        }
        return {};
    });
    REQUIRE(status.ok());
    return links;
}

// Of the links between records that live in both, the share that is in both.
double Kept(const std::map<int64_t, std::set<int64_t>>& before,
            const std::map<int64_t, std::set<int64_t>>& after) {
    size_t kept = 0;
    size_t all = 0;
    for (const auto& [id, list] : before) {
        const auto now = after.find(id);
        for (const int64_t to : list) {
            if (now != after.end() && after.count(to) > 0) {
                kept += now->second.count(to);
                all++;
            }
        }
    }
    return static_cast<double>(kept) / static_cast<double>(all);
}

struct RowSet {
    Metric metric;
    size_t dim;
    std::vector<float> values;
    std::vector<float> norms;
    VectorRows View() {
        const size_t count = values.size() / dim;
        norms.resize(count);
        kernels::InverseNorms(Element::kF32, values.data(), count, dim, norms.data());
        return {Element::kF32, metric,
                dim,           reinterpret_cast<const char*>(values.data()),
                count,         metric == Metric::kCosine ? norms.data() : nullptr};
    }
};

std::unique_ptr<GraphIndex> BuildFrom(const VectorRows& rows, const GraphSource* source,
                                      int threads = 2) {
    GraphIndexOptions options;
    options.threads = threads;
    options.ef_build = 80;
    Work work;
    auto index = GraphIndex::Build(rows, options, &work, source);
    INFO(index.status().message());
    REQUIRE(index.ok());
    return std::move(*index);
}

// Share of the true ten of each query that a walk finds.
double WalkRecall(const GraphIndex& index, const VectorRows& rows, const std::vector<float>& asked,
                  size_t ef) {
    WalkSpace space;
    std::vector<uint32_t> nodes;
    std::vector<float> distances(rows.count);
    size_t hits = 0;
    const size_t queries = asked.size() / rows.dim;
    for (size_t q = 0; q < queries; q++) {
        const float* query = asked.data() + q * rows.dim;
        kernels::Distances(rows.element, rows.metric,
                           kernels::PrepareQuery(rows.element, rows.metric, query, rows.dim),
                           rows.rows, rows.count, rows.inverse_norms, distances.data());
        REQUIRE(index.Search(rows, query, Effort::OfPool(ef), &space, &nodes, nullptr).ok());
        std::vector<float> sorted = distances;
        std::nth_element(sorted.begin(), sorted.begin() + 9, sorted.end());
        for (const uint32_t node : nodes) {
            hits += node < rows.count && distances[node] <= sorted[9] ? 1 : 0;
        }
    }
    return static_cast<double>(hits) / static_cast<double>(queries * 10);
}

}  // namespace

TEST_CASE("a merged segment's graph grows from that of the larger source", "[index]") {
    IndexedFile file;
    file.Create(QUERN_L2, "ef_build=80");
    file.Insert(0, MakeRows(4000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto before = LinksOf(file);
    file.Insert(10000, MakeRows(400, 3));
    std::vector<int64_t> dead;
    for (int64_t key = 0; key < 4000; key += 15) {
        dead.push_back(key);
    }
    file.Delete(dead);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    // A graph from nothing has half of them.
    REQUIRE(Kept(before, LinksOf(file)) > 0.85);
    const std::vector<float> queries = MakeRows(100, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto found = file.Search(queries, 10, "recall=0.98");
    REQUIRE(!found.exact);
    REQUIRE(Recall(found, truth) > 0.95);
    file.Ok(quern_verify(file.db, nullptr, &file.err));
}

TEST_CASE("after churn recall is that of a fresh build", "[index]") {
    constexpr size_t kImages = 9000;
    constexpr size_t kQueries = 150;
    const std::vector<float> images = real_vectors::Images(kImages);
    if (images.empty()) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    constexpr size_t kImageDim = real_vectors::kImageDim;
    const auto image = [&](size_t i) { return images.data() + i * kImageDim; };
    const std::vector<float> queries(images.begin(),
                                     image(kQueries) - images.data() + images.begin());
    IndexedFile file;
    file.dim = kImageDim;
    file.Create(QUERN_L2, "index=graph ef_build=60 codes=i8");
    std::map<int64_t, size_t> live;  // key, image
    size_t next_image = kQueries;
    int64_t next_key = 0;
    const auto put = [&](const std::vector<int64_t>& keys) {
        std::vector<float> rows;
        for (const int64_t key : keys) {
            rows.insert(rows.end(), image(next_image), image(next_image + 1));
            live[key] = next_image++;
        }
        quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", rows.data(), kImageDim, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
    };
    const auto insert = [&](size_t count) {
        std::vector<int64_t> keys(count);
        for (int64_t& key : keys) {
            key = next_key++;
        }
        put(keys);
    };
    std::mt19937 random(3);
    std::set<int64_t> deleted;
    // Some of the living, at random; each step a commit.
    const auto pick = [&](double share) {
        std::vector<int64_t> keys;
        for (const auto& [key, number] : live) {
            if (std::uniform_real_distribution<>(0, 1)(random) < share) {
                keys.push_back(key);
            }
        }
        return keys;
    };
    insert(3000);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    // Half of all goes and a third is replaced, in steps that graphs grow through and in one that
    // is too much for that.
    for (const double share : {0.1, 0.1, 0.1, 0.5, 0.1}) {
        insert(500);
        const std::vector<int64_t> gone = pick(share);
        file.Delete(gone);
        for (const int64_t key : gone) {
            deleted.insert(key);
            live.erase(key);
        }
        put(pick(share * 0.6));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }
    REQUIRE(next_image <= kImages);
    IndexedFile fresh("fresh");
    fresh.dim = kImageDim;
    fresh.Create(QUERN_L2, "index=graph ef_build=60 codes=i8");
    for (const auto& [key, number] : live) {
        fresh.Insert(key, std::vector<float>(image(number), image(number + 1)));
    }
    fresh.Ok(quern_optimize(fresh.db, nullptr, 0, &fresh.err));
    const auto truth = fresh.Search(queries, 10, "recall=exact");
    for (const char* options : {"ef=14 refine=exact", "ef=30 refine=exact", "ef=80 refine=exact"}) {
        const auto found = file.Search(queries, 10, options);
        REQUIRE(!found.exact);
        INFO(options);
        REQUIRE(Recall(found, truth) > Recall(fresh.Search(queries, 10, options), truth) - 0.02);
        for (const auto& keys : found.keys) {
            REQUIRE(keys.size() == 10);
            for (const int64_t key : keys) {
                REQUIRE(deleted.count(key) == 0);
            }
        }
    }
    // What the curve promises after all this holds, too.
    REQUIRE(Recall(file.Search(queries, 10, "recall=0.98"), truth) > 0.96);
    REQUIRE(file.Search(queries, 100000, "recall=0.9").keys[0].size() == live.size());
}

TEST_CASE("a poor source is given up", "[graph]") {
    RowSet all{Metric::kL2, kDim, MakeRows(1500, 1), {}};
    RowSet part{Metric::kL2, kDim, {all.values.begin(), all.values.begin() + 1250 * kDim}, {}};
    const VectorRows rows = all.View();
    const auto old = BuildFrom(part.View(), nullptr);
    const auto fresh = BuildFrom(rows, nullptr);
    GraphSource source;
    source.index = old.get();
    for (uint32_t i = 0; i < 1250; i++) {
        source.now.push_back(i);
    }
    const std::vector<float> queries = MakeRows(100, 2);
    const auto grown = BuildFrom(rows, &source);
    REQUIRE(grown->inherited() > 1000);
    REQUIRE(grown->CheckReach().ok());
    // Held-out ones, which come last, are on upper levels as well: those have neighbours, too.
    for (uint32_t node = 0; node < rows.count; node++) {
        grown->links().ForNeighbours(node, [&](uint32_t to) { REQUIRE(to != node); });
    }
    REQUIRE(WalkRecall(*grown, rows, queries, 30) > WalkRecall(*fresh, rows, queries, 30) - 0.02);
    SECTION("numbers that are wrong") {
        // As from a file whose row ids lie: the links lead from anywhere to anywhere.
        std::shuffle(source.now.begin(), source.now.end(), std::mt19937(5));
    }
    SECTION("numbers that come twice") {
        for (uint32_t i = 0; i < 1250; i++) {
            source.now[i] = i % 40;
        }
    }
    SECTION("most are gone") {
        std::fill_n(source.now.begin(), 1000, kNoNode);
    }
    SECTION("other options") {
        GraphIndexOptions options;
        options.m = 8;
        Work work;
        const auto other = GraphIndex::Build(rows, options, &work, &source);
        REQUIRE(other.ok());
        REQUIRE((*other)->inherited() == 0);
        REQUIRE((*other)->links().degree == 16);
    }
    const auto other = BuildFrom(rows, &source);
    REQUIRE(other->CheckReach().ok());
    REQUIRE(WalkRecall(*other, rows, queries, 30) > WalkRecall(*fresh, rows, queries, 30) - 0.02);
}

TEST_CASE("groups that lie far apart are all reached", "[graph]") {
    // Each group has more members than a node has links, and every other group is so far away that
    // its members look alike from here.
    constexpr size_t kGroups = 40;
    constexpr size_t kMembers = 60;
    const Metric metric = GENERATE(Metric::kL2, Metric::kCosine, Metric::kIp);
    std::mt19937 random(4);
    std::normal_distribution<float> normal;
    RowSet set{metric, kDim, std::vector<float>(kGroups * kMembers * kDim), {}};
    for (size_t group = 0; group < kGroups; group++) {
        float centre[kDim];
        for (float& x : centre) {
            x = 1000 * normal(random);
        }
        for (size_t member = 0; member < kMembers; member++) {
            for (size_t j = 0; j < kDim; j++) {
                set.values[((group * kMembers) + member) * kDim + j] =
                    centre[j] + 0.01f * normal(random);
            }
        }
    }
    const VectorRows rows = set.View();
    const auto index = BuildFrom(rows, nullptr);
    const std::vector<bool> reached = index->links().Reachable();
    REQUIRE(static_cast<size_t>(std::count(reached.begin(), reached.end(), true)) ==
            index->linked_count());
}

TEST_CASE("a graph whose nodes cannot be reached is at fault", "[graph]") {
    RowSet set{Metric::kL2, kDim, MakeRows(2000, 1), {}};
    const VectorRows rows = set.View();
    const auto index = BuildFrom(rows, nullptr);
    REQUIRE(index->CheckReach().ok());
    std::string head;
    Buffer arrays[kIndexArrays];
    for (size_t a = 0; a < kIndexArrays; a++) {
        const IndexArrayView view = index->Array(static_cast<IndexArray>(a));
        const size_t bytes = static_cast<size_t>(view.items * view.item_bytes);
        if (a == 0) {
            head.assign(view.data, bytes);
        } else if (bytes > 0) {
            arrays[a] = Buffer(bytes, nullptr);
            std::memcpy(arrays[a].data(), view.data, bytes);
        }
    }
    // The entry has no links any more.
    const GraphLinks& links = index->links();
    const size_t list = links.degree * sizeof(uint32_t);
    std::memset(arrays[static_cast<size_t>(IndexArray::kLinks)].data() + links.entry * list, 0xff,
                list);
    const auto cut =
        GraphIndex::Load(rows.element, rows.metric, rows.dim, rows.count, head, arrays);
    REQUIRE(cut.ok());  // safe to walk
    REQUIRE((*cut)->CheckReach().code() == Code::kCorrupt);
}

TEST_CASE("a hundredth of zeros or repeats does not change recall", "[graph]") {
    constexpr size_t kCount = 2000;
    constexpr size_t kMore = kCount / 100;
    constexpr size_t kQueries = 300;
    constexpr size_t kPool = 60;
    const std::vector<float> images = real_vectors::Images(kCount + kQueries);
    if (images.empty()) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    constexpr size_t kImageDim = real_vectors::kImageDim;
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    const std::vector<float> queries(images.begin() + kCount * kImageDim, images.end());
    RowSet plain{metric, kImageDim, {images.begin(), images.begin() + kCount * kImageDim}, {}};
    const VectorRows rows = plain.View();
    // On one thread: the same graph, if nothing disturbs it.
    const auto before = BuildFrom(rows, nullptr, 1);
    const double wanted = WalkRecall(*before, rows, queries, kPool);
    for (const bool zeros : {true, false}) {
        // Behind the others, so that numbers stay. A search puts in by itself what is outside the
        // graph, so the walk is judged by the rest.
        RowSet mixed = plain;
        for (size_t i = 0; i < kMore; i++) {
            const size_t from = 7 * kImageDim;
            std::vector<float> more(plain.values.begin() + from,
                                    plain.values.begin() + from + kImageDim);
            if (zeros) {
                std::fill(more.begin(), more.end(), 0.0f);
            }
            mixed.values.insert(mixed.values.end(), more.begin(), more.end());
        }
        const auto index = BuildFrom(mixed.View(), nullptr, 1);
        REQUIRE(index->linked_count() == kCount);
        INFO("metric " << static_cast<int>(metric) << (zeros ? " zeros " : " repeats ") << wanted);
        REQUIRE(WalkRecall(*index, rows, queries, kPool) > wanted - 0.005);
    }
}

TEST_CASE("measuring an effort ends where more of it finds nothing more", "[graph]") {
    RowSet set{Metric::kL2, kDim, MakeRows(1000, 1), {}};
    const VectorRows rows = set.View();
    std::vector<uint32_t> inside(1000);
    for (uint32_t i = 0; i < 1000; i++) {
        inside[i] = i;
    }
    const std::vector<uint32_t> held(inside.begin(), inside.begin() + 50);
    EffortMeasure measure(rows, held, inside);
    Work work;
    REQUIRE(measure.FindTruth(1, &work).ok());
    size_t largest = 0;
    size_t asked = 0;
    const auto exact = [&](const void* vector, const Effort& effort, WalkSpace* space,
                           std::vector<uint32_t>* nodes) {
        asked++;
        largest = std::max(largest, effort.reach == Effort::kNoReach ? effort.ef : 0);
        space->scored = effort.ef;
        std::vector<float> distances(1000);
        kernels::Distances(rows.element, rows.metric,
                           kernels::PrepareQuery(rows.element, rows.metric, vector, kDim),
                           rows.rows, 1000, nullptr, distances.data());
        std::vector<std::pair<float, uint32_t>> order;
        for (uint32_t i = 50; i < 1000; i++) {
            order.emplace_back(distances[i], i);
        }
        std::sort(order.begin(), order.end());
        nodes->clear();
        for (size_t i = 0; i < std::min(effort.ef, order.size()); i++) {
            nodes->push_back(order[i].second);
        }
        return Status();
    };
    EffortPlan plan;
    plan.enough = 0.9995;
    const auto curve = measure.Run(exact, plan, 1, &work);
    REQUIRE(curve.ok());
    REQUIRE(largest == 106);  // 112 of the whole graph, which holds a hundred
    REQUIRE(curve->Scored(2, EffortCurve::kEf.size() - 1) == 0);
    REQUIRE(curve->Expect(10, Effort::OfPool(2560, 320)) > 0.999);
    Effort effort;
    REQUIRE(curve->Find(100, 0.98, 3, &effort));
    REQUIRE(effort.ef <= 112);
    // Who has found all is not asked again: once for pools, once for reaches.
    plan.ten_only = true;
    plan.enough = 2;
    asked = 0;
    REQUIRE(measure.Run(exact, plan, 1, &work).ok());
    REQUIRE(asked == 2 * held.size());
}
