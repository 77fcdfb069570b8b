// When it pays to grow a graph from that of a smaller or older set of rows, as a merge does: CPU
// time of a build that begins with the old graph's links beside one from nothing, and the recall of
// both by queries that neither holds. The rule in graph_index.cpp comes from here.
//
//   bench_growth --data DIR [--set mnist784] [--limit 20000] [--queries 500] [--threads 2]
//                [--ef-build 200] [--living L --share S]
//                [--rounds N [--upserts 0.1] [--deletes 0.1] [--always no]]
//                [--fresh N]
//
// Each line: how much of the old graph still lives, which share of the new graph's nodes that is,
// the time of the build from nothing, the ratio of the other to it, and recall@10 of pools of some
// sizes, from nothing and grown. With --living and --share only that case.
//
// With --rounds: one graph after the other, each grown from the one before, while in every round
// that share of the records gets other vectors and that share goes and others come in their place
// (half of the set is in at a time). The builds decide themselves whether to grow; with --always
// yes they do in any case. What the recall loses to builds from nothing is what all rounds have
// cost.
//
// With --fresh: a graph from nothing, N times: CPU and wall time, links of a node, recall@10 and
// rows scored of pools. Walks go over the vectors themselves, so that the graph alone counts.
#include <ctime>
#include <memory>
#include <numeric>

#include "engine/dense/graph_index.h"
#include "engine/kernels/distance.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/dense/vector_set.h"

namespace {

using namespace quern::dense;

constexpr size_t kPools[] = {20, 50, 100};

// Rows of a set, copied one after the other.
struct Part {
    std::vector<uint32_t> numbers;  // in the set
    std::vector<float> values;
    std::vector<float> norms;
    std::vector<char> narrow;  // the same in a narrower type, as a database holds them
    VectorRows rows;

    Part(const bench::VectorSet& set, std::vector<uint32_t> picked) : numbers(std::move(picked)) {
        const size_t dim = set.space.dim;
        for (const uint32_t number : numbers) {
            values.insert(values.end(), set.base.row(number), set.base.row(number) + dim);
        }
        norms.resize(numbers.size());
        quern::kernels::InverseNorms(quern::Element::kF32, values.data(), numbers.size(), dim,
                                     norms.data());
        const auto metric = static_cast<quern::Metric>(set.space.metric);
        rows = {quern::Element::kF32,
                metric,
                dim,
                reinterpret_cast<const char*>(values.data()),
                numbers.size(),
                metric == quern::Metric::kCosine ? norms.data() : nullptr};
        narrow.resize(values.size() * 2);
        for (const auto element : {quern::Element::kU8, quern::Element::kI8, quern::Element::kBF16,
                                   quern::Element::kF16}) {
            if (quern::kernels::NarrowExactly(element, values.data(), values.size(),
                                              narrow.data())) {
                rows.element = element;
                rows.rows = narrow.data();
                break;
            }
        }
    }
};

struct Built {
    std::unique_ptr<GraphIndex> index;
    double seconds = 0;  // of all threads
};

Built Build(const Part& part, const GraphIndexOptions& options, const GraphSource* source) {
    quern::Work work;
    const std::clock_t start = std::clock();
    auto index = GraphIndex::Build(part.rows, options, &work, source);
    if (!index.ok()) {
        std::fprintf(stderr, "%s\n", index.status().message().c_str());
        std::exit(1);
    }
    return {std::move(*index), static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC};
}

// The true ten of each query, as row numbers of the part.
std::vector<std::vector<uint32_t>> Truth(const bench::VectorSet& set, const Part& part,
                                         size_t queries) {
    std::vector<std::vector<uint32_t>> truth(queries);
    std::vector<float> distances(part.rows.count);
    std::vector<uint32_t> order(part.rows.count);
    for (size_t q = 0; q < queries; q++) {
        const auto query = quern::kernels::PrepareQuery(part.rows.element, part.rows.metric,
                                                        set.queries.row(q), part.rows.dim);
        quern::kernels::Distances(part.rows.element, part.rows.metric, query, part.rows.rows,
                                  part.rows.count, part.rows.inverse_norms, distances.data());
        std::iota(order.begin(), order.end(), 0u);
        std::partial_sort(order.begin(), order.begin() + bench::kNearest, order.end(),
                          [&](uint32_t a, uint32_t b) { return distances[a] < distances[b]; });
        truth[q].assign(order.begin(), order.begin() + bench::kNearest);
    }
    return truth;
}

double Recall(const bench::VectorSet& set, const Part& part, const GraphIndex& index,
              const std::vector<std::vector<uint32_t>>& truth, size_t pool,
              uint64_t* scored = nullptr) {
    WalkSpace space;
    std::vector<uint32_t> nodes;
    size_t hits = 0;
    for (size_t q = 0; q < truth.size(); q++) {
        static_cast<void>(index
                              .Search(part.rows, set.queries.row(q), Effort::OfPool(pool), &space,
                                      &nodes, nullptr)
                              .ok());
        if (scored != nullptr) {
            *scored += space.scored;
        }
        for (const uint32_t right : truth[q]) {
            hits += std::find(nodes.begin(), nodes.end(), right) != nodes.end() ? 1 : 0;
        }
    }
    return static_cast<double>(hits) / static_cast<double>(truth.size() * bench::kNearest);
}

size_t Number(int argc, char** argv, const char* name, const char* otherwise) {
    return std::strtoull(bench::Argument(argc, argv, name, otherwise).c_str(), nullptr, 10);
}

// Graphs of all rows from nothing.
void Fresh(const bench::VectorSet& set, GraphIndexOptions options, size_t times) {
    std::vector<uint32_t> numbers(set.base.rows());
    std::iota(numbers.begin(), numbers.end(), 0u);
    const Part part(set, numbers);
    const auto truth = Truth(set, part, set.kth_distance.size());
    options.codes = CodeChoice::kNone;
    std::printf("| CPU s | wall s | links of a node |");
    for (const size_t pool : kPools) {
        std::printf(" recall@10, pool %zu | rows scored |", pool);
    }
    std::printf("\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < times; i++) {
        const auto start = bench::Clock::now();
        const Built built = Build(part, options, nullptr);
        const double wall = bench::SecondsSince(start);
        size_t links = 0;
        for (uint32_t node = 0; node < part.rows.count; node++) {
            built.index->links().ForNeighbours(node, [&](uint32_t) { links++; });
        }
        std::printf("| %.2f | %.2f | %.1f |", built.seconds, wall,
                    static_cast<double>(links) / static_cast<double>(part.rows.count));
        for (const size_t pool : kPools) {
            uint64_t scored = 0;
            const double recall = Recall(set, part, *built.index, truth, pool, &scored);
            std::printf(" %.4f | %.0f |", recall,
                        static_cast<double>(scored) / static_cast<double>(truth.size()));
        }
        std::printf("\n");
        std::fflush(stdout);
    }
}

// What of the old part's rows are in the new one, and where.
GraphSource SourceOf(const Part& before, const GraphIndex& index, const Part& after) {
    GraphSource source;
    source.index = &index;
    for (const uint32_t row : before.numbers) {
        const auto at = std::lower_bound(after.numbers.begin(), after.numbers.end(), row);
        source.now.push_back(at != after.numbers.end() && *at == row
                                 ? static_cast<uint32_t>(at - after.numbers.begin())
                                 : kNoNode);
    }
    return source;
}

// `share` of the new rows were in the old graph, of which `living` still live.
void Case(const bench::VectorSet& set, const GraphIndexOptions& options, double living,
          double share) {
    const auto all = static_cast<double>(set.base.rows());
    // old * living / (old * living + added) = share, and old + added = all.
    const double old_share = 1 / (1 + living / share - living);
    std::vector<uint32_t> shuffled(set.base.rows());
    std::iota(shuffled.begin(), shuffled.end(), 0u);
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(7));
    const auto old_count = static_cast<size_t>(all * old_share);
    const auto gone = static_cast<size_t>(static_cast<double>(old_count) * (1 - living));
    std::vector<uint32_t> old_rows(shuffled.begin(),
                                   shuffled.begin() + static_cast<ptrdiff_t>(old_count));
    std::vector<uint32_t> new_rows(shuffled.begin() + static_cast<ptrdiff_t>(gone), shuffled.end());
    std::sort(old_rows.begin(), old_rows.end());
    std::sort(new_rows.begin(), new_rows.end());
    const Part before(set, old_rows);
    const Part after(set, new_rows);
    const Built old = Build(before, options, nullptr);
    GraphSource source = SourceOf(before, *old.index, after);
    source.always = true;
    const Built fresh = Build(after, options, nullptr);
    const Built grown = Build(after, options, &source);
    const auto truth = Truth(set, after, set.kth_distance.size());
    std::printf("| %.2f | %.2f | %zu | %.2f | %.2f |", living, share, after.rows.count,
                fresh.seconds, grown.seconds / fresh.seconds);
    for (const size_t pool : kPools) {
        std::printf(" %.4f / %.4f |", Recall(set, after, *fresh.index, truth, pool),
                    Recall(set, after, *grown.index, truth, pool));
    }
    std::printf("\n");
    std::fflush(stdout);
}

// Half of the set's rows are there at first; rows that go may come back later as others.
void Churn(const bench::VectorSet& set, const GraphIndexOptions& options, size_t rounds,
           double leave, bool always) {
    std::vector<uint32_t> order(set.base.rows());
    std::iota(order.begin(), order.end(), 0u);
    std::mt19937 random(7);
    std::shuffle(order.begin(), order.end(), random);
    const auto half = static_cast<ptrdiff_t>(order.size() / 2);
    const auto moved = static_cast<ptrdiff_t>(static_cast<double>(half) * leave);
    std::unique_ptr<Part> before;
    std::unique_ptr<GraphIndex> old;
    for (size_t round = 0; round <= rounds; round++) {
        if (round > 0) {
            std::shuffle(order.begin(), order.begin() + half, random);
            std::shuffle(order.begin() + half, order.end(), random);
            std::swap_ranges(order.begin(), order.begin() + moved, order.begin() + half);
        }
        std::vector<uint32_t> numbers(order.begin(), order.begin() + half);
        std::sort(numbers.begin(), numbers.end());
        auto now = std::make_unique<Part>(set, numbers);
        const Built fresh = Build(*now, options, nullptr);
        Built grown;
        if (old == nullptr) {
            grown = Build(*now, options, nullptr);
        } else {
            GraphSource source = SourceOf(*before, *old, *now);
            source.always = always;
            grown = Build(*now, options, &source);
        }
        const auto truth = Truth(set, *now, set.kth_distance.size());
        std::printf("| %zu | %s | %.2f |", round, grown.index->inherited() > 0 ? "yes" : "no",
                    grown.seconds / fresh.seconds);
        for (const size_t pool : kPools) {
            std::printf(" %.4f / %.4f |", Recall(set, *now, *fresh.index, truth, pool),
                        Recall(set, *now, *grown.index, truth, pool));
        }
        std::printf("\n");
        std::fflush(stdout);
        before = std::move(now);
        old = std::move(grown.index);
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::SetRequest request;
    request.data_dir = bench::Argument(argc, argv, "--data", QUERN_SOURCE_DIR "/../shared/data");
    request.name = bench::Argument(argc, argv, "--set", "mnist784");
    request.limit = Number(argc, argv, "--limit", "20000");
    request.queries = Number(argc, argv, "--queries", "500");
    bench::VectorSet set;
    std::string reason;
    if (!bench::LoadVectorSet(request, &set, &reason)) {
        std::printf("%s: %s\n", request.name.c_str(), reason.c_str());
        return 0;
    }
    GraphIndexOptions options;
    options.threads = static_cast<int>(Number(argc, argv, "--threads", "2"));
    options.ef_build = static_cast<uint32_t>(Number(argc, argv, "--ef-build", "200"));
    std::printf("%s: %zu x %zu, %s, ef_build %u, %d threads\n\n", set.name.c_str(), set.base.rows(),
                set.space.dim, bench::MetricName(set.space.metric), options.ef_build,
                options.threads);
    const size_t fresh = Number(argc, argv, "--fresh", "0");
    if (fresh > 0) {
        Fresh(set, options, fresh);
        return 0;
    }
    const size_t rounds = Number(argc, argv, "--rounds", "0");
    if (rounds > 0) {
        std::printf("| round | grown | CPU time, grown / from nothing |");
        for (const size_t pool : kPools) {
            std::printf(" recall@10, pool %zu: from nothing / grown |", pool);
        }
        std::printf("\n|---|---|---|---|---|---|\n");
        const double leave = std::stod(bench::Argument(argc, argv, "--upserts", "0.1")) +
                             std::stod(bench::Argument(argc, argv, "--deletes", "0.1"));
        Churn(set, options, rounds, leave, bench::Argument(argc, argv, "--always", "no") == "yes");
        return 0;
    }
    std::printf("| living | share | rows | from nothing, CPU s | grown / from nothing |");
    for (const size_t pool : kPools) {
        std::printf(" recall@10, pool %zu |", pool);
    }
    std::printf("\n|---|---|---|---|---|---|---|---|\n");
    const std::string living_only = bench::Argument(argc, argv, "--living", "");
    if (!living_only.empty()) {
        Case(set, options, std::stod(living_only),
             std::stod(bench::Argument(argc, argv, "--share", "1")));
        return 0;
    }
    for (const auto& [living, share] : {std::pair{1.0, 0.95},
                                        {1.0, 0.75},
                                        {1.0, 0.5},
                                        {1.0, 0.25},
                                        {0.9, 1.0},
                                        {0.7, 1.0},
                                        {0.5, 1.0},
                                        {0.3, 1.0},
                                        {0.7, 0.5},
                                        {0.5, 0.5}}) {
        Case(set, options, living, share);
    }
    return 0;
}
