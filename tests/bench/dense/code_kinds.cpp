// What each kind of codes is worth by itself, without a graph: bytes of a row, time to encode, how
// often the true ten nearest are among the first R of all rows in the order of the codes, and what
// a row costs when rows are picked at random, as a walk picks them. Kinds take turns, so that a
// noisy neighbour hits all. With codes that know their error, also how many rows the rule of bounds
// measures and what it misses.
//
//   bench_code_kinds --data DIR [--set NAME] [--limit ROWS] [--queries 200] [--list 16]
//                    [--turns 200]
#include <ctime>
#include <memory>

#include "engine/dense/codes/codes.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/dense/vector_set.h"

namespace {

using bench::VectorSet;
using quern::dense::CodeChoice;
using quern::dense::CodeRows;
using quern::dense::Codes;
using quern::dense::CodeScorer;
using quern::dense::VectorRows;

constexpr size_t kDepths[] = {10, 20, 50, 100, 200};
constexpr size_t kPicksPerTurn = 1600;

volatile float sink = 0;

struct Kind {
    const char* name;
    CodeChoice choice;
    std::unique_ptr<Codes> codes;
    std::vector<uint8_t> rows;
    std::vector<float> norms;
    double encode_seconds = 0;
    size_t found[std::size(kDepths)] = {};
    double measured = 0;  // by the rule of bounds
    size_t found_by_bound = 0;
    std::vector<double> turns;

    CodeRows View() const { return {rows.data(), norms.empty() ? nullptr : norms.data()}; }
};

size_t Number(int argc, char** argv, const char* name, const char* otherwise) {
    return std::strtoull(bench::Argument(argc, argv, name, otherwise).c_str(), nullptr, 10);
}

void Encode(const VectorRows& rows, Kind* kind) {
    quern::Work work;
    const auto start = bench::Clock::now();
    auto codes = Codes::Train(kind->choice, rows, 1, &work);
    if (!codes.ok()) {
        std::fprintf(stderr, "%s: %s\n", kind->name, codes.status().message().c_str());
        std::exit(1);
    }
    kind->codes = std::move(*codes);
    kind->rows.resize(rows.count * kind->codes->row_bytes());
    if (kind->codes->has_norms()) {
        kind->norms.resize(rows.count);
    }
    kind->codes->Encode(rows, 0, rows.count, kind->rows.data(),
                        kind->norms.empty() ? nullptr : kind->norms.data());
    kind->encode_seconds = bench::SecondsSince(start);
}

// One query by one kind: ranks all rows.
void Rank(const VectorSet& set, const VectorRows& rows, size_t query, Kind* kind) {
    const auto scorer = kind->codes->NewScorer(set.queries.row(query), kind->View());
    std::vector<uint32_t> nodes(rows.count);
    std::vector<float> scores(rows.count);
    for (uint32_t i = 0; i < rows.count; i++) {
        nodes[i] = i;
    }
    constexpr size_t kBlock = 64;
    for (size_t i = 0; i < rows.count; i += kBlock) {
        scorer->Score(nodes.data() + i, std::min(kBlock, rows.count - i), scores.data() + i);
    }
    std::vector<uint32_t> order = nodes;
    constexpr size_t kMost = kDepths[std::size(kDepths) - 1];
    const auto middle = order.begin() + static_cast<ptrdiff_t>(std::min(kMost, order.size()));
    std::partial_sort(order.begin(), middle, order.end(),
                      [&](uint32_t a, uint32_t b) { return scores[a] < scores[b]; });
    const quern::kernels::Query prepared =
        quern::kernels::PrepareQuery(rows.element, rows.metric, set.queries.row(query), rows.dim);
    std::vector<float> exact(rows.count);
    const auto measure = [&](const uint32_t* picked, size_t count) {
        quern::kernels::DistancesPicked(rows.element, rows.metric, prepared, rows.rows, picked,
                                        count, rows.inverse_norms, exact.data());
    };
    quern::kernels::TopK top(bench::kNearest);
    const auto hits = [&](quern::kernels::TopK nearest) {
        std::vector<uint32_t> found(bench::kNearest, bench::kNoRow);
        size_t place = 0;
        for (const quern::kernels::Hit& hit : nearest.Take()) {
            found[place++] = hit.position;
        }
        return set.Hits(query, found.data());
    };
    size_t done = 0;
    for (size_t d = 0; d < std::size(kDepths); d++) {
        const size_t depth = std::min(kDepths[d], rows.count);
        measure(order.data() + done, depth - done);
        for (size_t i = done; i < depth; i++) {
            top.Push(exact[i - done], order[i]);
        }
        done = depth;
        kind->found[d] += hits(top);
    }
    std::vector<float> least(rows.count);
    std::vector<float> errors(rows.count);
    if (!scorer->Estimate(nodes.data(), rows.count, scores.data(), least.data(), errors.data())) {
        return;
    }
    for (size_t i = 0; i < rows.count; i++) {
        least[i] -= errors[i];
    }
    std::sort(nodes.begin(), nodes.end(),
              [&](uint32_t a, uint32_t b) { return least[a] < least[b]; });
    quern::kernels::TopK by_bound(bench::kNearest);
    for (const uint32_t node : nodes) {
        if (least[node] > by_bound.Threshold()) {
            break;
        }
        measure(&node, 1);
        by_bound.Push(exact[0], node);
        kind->measured++;
    }
    kind->found_by_bound += hits(by_bound);
}

void Time(const VectorSet& set, const VectorRows& rows, size_t list, size_t turns,
          std::vector<Kind>* kinds, std::vector<double>* plain) {
    std::mt19937 random(1);
    std::uniform_int_distribution<uint32_t> any(0, static_cast<uint32_t>(rows.count - 1));
    std::vector<uint32_t> picked(kPicksPerTurn);
    std::vector<float> distances(list);
    std::vector<std::unique_ptr<CodeScorer>> scorers;
    for (const Kind& kind : *kinds) {
        scorers.push_back(kind.codes->NewScorer(set.queries.row(0), kind.View()));
    }
    const quern::kernels::Query prepared =
        quern::kernels::PrepareQuery(rows.element, rows.metric, set.queries.row(0), rows.dim);
    const auto turn = [&](auto score) {
        for (uint32_t& row : picked) {
            row = any(random);
        }
        const std::clock_t start = std::clock();
        for (size_t first = 0; first + list <= picked.size(); first += list) {
            score(picked.data() + first);
            sink = distances[0];
        }
        const size_t count = picked.size() / list * list;
        return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC * 1e9 /
               static_cast<double>(count);
    };
    for (size_t t = 0; t < turns; t++) {
        for (size_t k = 0; k < kinds->size(); k++) {
            (*kinds)[k].turns.push_back(turn(
                [&](const uint32_t* nodes) { scorers[k]->Score(nodes, list, distances.data()); }));
        }
        plain->push_back(turn([&](const uint32_t* nodes) {
            quern::kernels::DistancesPicked(rows.element, rows.metric, prepared, rows.rows, nodes,
                                            list, rows.inverse_norms, distances.data());
        }));
    }
}

void Run(const VectorSet& set, size_t list, size_t turns) {
    std::vector<float> norms(set.base.rows());
    quern::kernels::InverseNorms(quern::Element::kF32, set.base.row(0), set.base.rows(),
                                 set.space.dim, norms.data());
    const auto metric = static_cast<quern::Metric>(set.space.metric);
    const VectorRows rows{
        quern::Element::kF32, metric,
        set.space.dim,        reinterpret_cast<const char*>(set.base.row(0)),
        set.base.rows(),      metric == quern::Metric::kCosine ? norms.data() : nullptr};
    std::vector<Kind> kinds;
    for (const auto& [name, choice] : {std::pair{"f16", CodeChoice::kF16},
                                       {"bf16", CodeChoice::kBF16},
                                       {"i8", CodeChoice::k8Bit},
                                       {"lvq8", CodeChoice::kLvq8},
                                       {"4bit", CodeChoice::k4Bit},
                                       {"lvq4", CodeChoice::kLvq4},
                                       {"pq", CodeChoice::kProduct},
                                       {"1bit", CodeChoice::k1Bit}}) {
        Kind kind;
        kind.name = name;
        kind.choice = choice;
        kinds.push_back(std::move(kind));
    }
    const size_t queries = set.kth_distance.size();
    for (Kind& kind : kinds) {
        Encode(rows, &kind);
        for (size_t query = 0; query < queries; query++) {
            Rank(set, rows, query, &kind);
        }
    }
    std::vector<double> plain;
    Time(set, rows, list, turns, &kinds, &plain);
    std::printf("%s: %zu x %zu, %s, %zu queries\n\n", set.name.c_str(), rows.count, rows.dim,
                bench::MetricName(set.space.metric), queries);
    std::printf("| codes | bytes a row | encode s |");
    for (const size_t depth : kDepths) {
        std::printf(" R10@%zu |", depth);
    }
    std::printf(" ns a row | by bound: measured, missed |\n|---|---|---|");
    for (size_t i = 0; i < std::size(kDepths); i++) {
        std::printf("---|");
    }
    std::printf("---|---|\n");
    const double wanted = static_cast<double>(queries * bench::kNearest);
    for (const Kind& kind : kinds) {
        std::printf("| %s | %zu | %.2f |", kind.name,
                    kind.codes->row_bytes() + (kind.codes->has_norms() ? 4 : 0),
                    kind.encode_seconds);
        for (const size_t found : kind.found) {
            std::printf(" %.3f |", static_cast<double>(found) / wanted);
        }
        std::printf(" %.0f |", bench::Median(kind.turns));
        if (kind.measured > 0) {
            std::printf(" %.0f, %.2f %% |\n", kind.measured / static_cast<double>(queries),
                        100 * (1 - static_cast<double>(kind.found_by_bound) / wanted));
        } else {
            std::printf(" |\n");
        }
    }
    std::printf("| f32 | %zu | | | | | | | %.0f | |\n\n", rows.row_bytes(), bench::Median(plain));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string only = bench::Argument(argc, argv, "--set", "");
    for (const std::string& name : bench::SetNames()) {
        if (!only.empty() && name != only) {
            continue;
        }
        bench::SetRequest request;
        request.data_dir =
            bench::Argument(argc, argv, "--data", QUERN_SOURCE_DIR "/../shared/data");
        request.name = name;
        request.limit = Number(argc, argv, "--limit", "0");
        request.queries = Number(argc, argv, "--queries", "200");
        VectorSet set;
        std::string reason;
        if (!bench::LoadVectorSet(request, &set, &reason)) {
            std::printf("%s: %s\n", name.c_str(), reason.c_str());
            continue;
        }
        Run(set, std::max<size_t>(1, Number(argc, argv, "--list", "16")),
            Number(argc, argv, "--turns", "200"));
    }
    return 0;
}
