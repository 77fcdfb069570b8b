// bench_sparse_graph: a graph over sparse vectors alone (record_graph.h) and the engine's lists and
// links (approximate_index.h) beside exhaustive windows and the searches by bounds, recall against
// time. README.md says how it is measured.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "engine/sparse/row_order.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/record_graph.h"
#include "tests/bench/sparse/sparse_ways.h"

namespace {

using namespace bench;
using namespace quern::sparse;

enum class Kind { kByBounds, kListsAndGraph, kGraph };

struct Setting {
    std::string label;
    Kind kind = Kind::kByBounds;
    SearchOptions options;
    GraphEffort effort;
    std::vector<double> speedups;
    std::vector<double> means;
    std::vector<double> p99s;
    double recall = 0;
    double scored = 0;
};

struct Indexes {
    const SparseIndex& exact;
    const ApproximateIndex& approximate;
    const RecordGraph& graph;
};

Pass RunSetting(const Indexes& indexes, const SparseSet& set, const Setting& setting, size_t k,
                bool keep) {
    Pass pass;
    static SearchSpace space;
    quern::Work work;
    for (const SparseVector& query : set.queries) {
        TopHits top(k);
        const double start = CpuSeconds();
        bool served = setting.kind == Kind::kGraph;
        if (served) {
            indexes.graph.Search(query, setting.effort, &top, &space, &pass.stats);
        } else if (setting.kind == Kind::kListsAndGraph) {
            served = *indexes.approximate.Search(indexes.exact, query, setting.effort.pool, nullptr,
                                                 0, &top, &space, &pass.stats, &work);
        }
        if (!served &&
            !indexes.exact
                 .Search(query, setting.options, nullptr, 0, &top, &space, &pass.stats, &work)
                 .ok()) {
            std::abort();
        }
        Hits hits = top.Take();
        pass.microseconds.push_back((CpuSeconds() - start) * 1e6);
        if (keep) {
            pass.hits.push_back(std::move(hits));
        }
    }
    return pass;
}

std::vector<std::string> Words(const std::string& list) {
    std::istringstream words(list);
    std::vector<std::string> all;
    for (std::string word; std::getline(words, word, ',');) {
        all.push_back(word);
    }
    return all;
}

// What the curve of the index answers recalls with.
void AddRecalls(const PoolCurve& curve, size_t k, const std::string& recalls,
                std::vector<Setting>* settings) {
    for (const std::string& recall : Words(recalls)) {
        Setting setting;
        setting.label = "recall=" + recall;
        if (const auto pool = curve.Find(k, std::stod(recall))) {
            setting.kind = Kind::kListsAndGraph;
            setting.effort.pool = static_cast<uint32_t>(*pool);
            setting.label += ", by ef=" + std::to_string(*pool);
        } else {
            setting.label += ", exact";
        }
        settings->push_back(setting);
    }
}

std::vector<Setting> AllSettings(const std::string& efs, const std::string& pools,
                                 const std::string& seeds) {
    std::vector<Setting> settings(1);
    settings[0].label = "exhaustive windows";
    settings[0].options.path = SearchPath::kExhaustive;
    for (const float factor : {1.0f, 0.6f}) {
        Setting setting;
        setting.label = factor == 1 ? "exact" : "bounds x 0.6";
        setting.options.bound_factor = factor;
        settings.push_back(setting);
    }
    for (const std::string& ef : Words(efs)) {
        Setting setting;
        setting.kind = Kind::kListsAndGraph;
        setting.effort.pool = static_cast<uint32_t>(std::stoul(ef));
        setting.label = "lists and graph, ef=" + ef;
        settings.push_back(setting);
    }
    for (const std::string& seed : Words(seeds)) {
        for (const std::string& pool : Words(pools)) {
            Setting setting;
            setting.kind = Kind::kGraph;
            setting.effort.pool = static_cast<uint32_t>(std::stoul(pool));
            setting.effort.terms = static_cast<uint32_t>(std::stoul(seed));
            setting.effort.heads =
                static_cast<uint32_t>(std::stoul(seed.substr(seed.find('x') + 1)));
            setting.label = "graph, pool of " + pool + ", " + seed + " heads";
            settings.push_back(setting);
        }
    }
    return settings;
}

void Measure(const Indexes& indexes, const SparseSet& set, size_t k, size_t rounds,
             std::vector<Setting> settings) {
    std::vector<Hits> truth;
    for (Setting& setting : settings) {
        const Pass pass = RunSetting(indexes, set, setting, k, true);
        if (truth.empty()) {
            truth = pass.hits;
        }
        for (size_t i = 0; i < truth.size(); i++) {
            setting.recall += RecallOf(pass.hits[i], truth[i]) / static_cast<double>(truth.size());
        }
        setting.scored = static_cast<double>(pass.stats.scored) / static_cast<double>(truth.size());
    }
    for (size_t round = 0; round < rounds; round++) {
        double floor = 0;
        for (Setting& setting : settings) {
            const Pass pass = RunSetting(indexes, set, setting, k, false);
            floor = &setting == settings.data() ? pass.Mean() : floor;
            setting.means.push_back(pass.Mean());
            setting.p99s.push_back(pass.Percentile(0.99));
            setting.speedups.push_back(floor / pass.Mean());
        }
    }
    std::printf(
        "\n**k = %zu**\n\n| way | mean us | p99 | times the floor (least-most) | recall | "
        "scored |\n|---|---|---|---|---|---|\n",
        k);
    for (const Setting& setting : settings) {
        std::printf("| %s | %.0f | %.0f | **%.2f** (%.2f-%.2f) | %.4f | %.0f |\n",
                    setting.label.c_str(), Median(setting.means), Median(setting.p99s),
                    Median(setting.speedups),
                    *std::min_element(setting.speedups.begin(), setting.speedups.end()),
                    *std::max_element(setting.speedups.begin(), setting.speedups.end()),
                    setting.recall, setting.scored);
    }
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string name = Argument(argc, argv, "--set", "nfcorpus");
    const auto number = [&](const char* option, const char* otherwise) {
        return static_cast<uint32_t>(std::stoul(Argument(argc, argv, option, otherwise)));
    };
    const char* const data = std::getenv("QUERN_DATA");
    SparseSet set;
    std::string reason;
    if (!LoadSparseSet(Argument(argc, argv, "--data",
                                data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data"),
                       name, number("--queries", "300"), &set, &reason)) {
        std::printf("%s: skipped: %s\n", name.c_str(), reason.c_str());
        return 0;
    }
    quern::Work work;
    const auto threads = static_cast<int>(number("--threads", "1"));
    const double start = CpuSeconds();
    OrderOptions order;
    order.threads = threads;
    order.block_rows = number("--near", "256");
    set.rows = set.rows.Reordered(*OrderRows(set.rows.View(), order, &work));
    const double ordered = CpuSeconds();
    const auto index = SparseIndex::Build(set.rows.View(), {}, &work);
    ApproximateOptions options = ApproximateOptions::For(set.rows.count(), threads);
    set.rows = {};
    options.links.links = number("--links", "24");
    options.links.pool = number("--build-pool", "64");
    options.lists.postings_share = std::stod(Argument(argc, argv, "--share", "0.13"));
    options.lists.list_max = number("--list", std::to_string(options.lists.list_max).c_str());
    options.lists.block_rows = number("--block", "12");
    options.lists.summary_share = std::stod(Argument(argc, argv, "--summary", "0.4"));
    const double built = CpuSeconds();
    const auto approximate = ApproximateIndex::Build(**index, options, &work);
    const double linked = CpuSeconds();
    const RecordGraph graph(**index, **approximate, number("--heads", "16"));
    const auto postings = static_cast<double>((*index)->postings());
    std::printf(
        "\n## %s: %zu records, %.0f postings, %zu queries\n\n%.2f bytes a posting beside %.2f: "
        "%.2f of lists, %.2f of links, %.2f of cut rows. Microseconds a posting: %.3f to order, "
        "%.3f to build, %.3f for lists, links and the curve.\n",
        set.name.c_str(), (*index)->count(), postings, set.queries.size(),
        static_cast<double>((*approximate)->memory_bytes()) / postings,
        static_cast<double>((*index)->memory_bytes()) / postings,
        static_cast<double>((*approximate)->lists().memory_bytes()) / postings,
        static_cast<double>((*approximate)->links().size()) * 4 / postings,
        static_cast<double>((*approximate)->cut().memory_bytes()) / postings,
        (ordered - start) * 1e6 / postings, (built - ordered) * 1e6 / postings,
        (linked - built) * 1e6 / postings);
    for (const std::string& k : Words(Argument(argc, argv, "--k", "10"))) {
        auto settings = AllSettings(Argument(argc, argv, "--efs", "16,24,32,48,64"),
                                    Argument(argc, argv, "--pools", "16,32,64,128"),
                                    Argument(argc, argv, "--seeds", "6x16"));
        const size_t results = std::stoul(k);
        AddRecalls((*approximate)->curve(), results,
                   Argument(argc, argv, "--recalls", "0.9,0.95,0.97,0.98,0.99"), &settings);
        Measure({**index, **approximate, graph}, set, results, number("--rounds", "3"),
                std::move(settings));
    }
    return 0;
}
