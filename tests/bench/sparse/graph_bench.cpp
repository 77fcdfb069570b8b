// bench_sparse_graph: a graph over sparse vectors (sparse_graph.h) beside exhaustive windows and
// the searches by bounds, recall against time. README.md says how it is measured.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "engine/sparse/row_order.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/sparse_graph.h"
#include "tests/bench/sparse/sparse_ways.h"

namespace {

using namespace bench;

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Setting {
    std::string label;
    bool by_graph = false;
    SearchOptions options;
    GraphEffort effort;
    ProposalEffort proposal{0, 0};
    std::vector<double> speedups;
    std::vector<double> means;
    std::vector<double> p99s;
    double recall = 0;
    double scored = 0;
};

Pass RunSetting(const SparseIndex& index, const SparseGraph& graph, const SparseProposal& proposal,
                const SparseSet& set, const Setting& setting, size_t k, bool keep) {
    Pass pass;
    static SearchSpace space;
    static bench::WalkSpace walk;
    static ProposalSpace own;
    quern::Work work;
    for (const SparseVector& query : set.queries) {
        TopHits top(k);
        const double start = CpuSeconds();
        if (setting.proposal.terms > 0) {
            graph.SearchAfterProposals(index, proposal, query, setting.effort, setting.proposal, 0,
                                       &top, &space, &own, &walk, &pass.stats);
        } else if (setting.by_graph) {
            graph.Search(index, query, setting.effort, 0, &top, &space, &walk, &pass.stats);
        } else if (!index
                        .Search(query, setting.options, nullptr, 0, &top, &space, &pass.stats,
                                &work)
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

std::vector<Setting> AllSettings(const std::string& pools, const std::string& seeds,
                                 const std::string& ways) {
    std::vector<Setting> settings(1);
    settings[0].label = "exhaustive windows";
    settings[0].options.path = SearchPath::kExhaustive;
    for (const float factor : {1.0f, 0.6f}) {
        Setting setting;
        setting.label = factor == 1 ? "exact" : "bounds x 0.6";
        setting.options.bound_factor = factor;
        settings.push_back(setting);
    }
    std::istringstream way_words(ways);
    std::string way;
    while (std::getline(way_words, way, ',')) {
        Setting setting;
        setting.by_graph = true;
        unsigned terms = 0, pool = 0, reach = 0;
        float factor = 0;
        if (std::sscanf(way.c_str(), "%u/%f/%u/%u", &terms, &factor, &pool, &reach) != 4) {
            std::abort();
        }
        setting.effort.pool = pool;
        setting.effort.reach = reach;
        setting.proposal = {terms, factor};
        setting.label = "lists, terms/factor/pool/reach " + way;
        settings.push_back(setting);
    }
    std::istringstream seed_words(seeds);
    std::string seed;
    while (std::getline(seed_words, seed, ',')) {
        std::istringstream words(pools);
        std::string word;
        while (std::getline(words, word, ',')) {
            Setting setting;
            setting.by_graph = true;
            setting.effort.pool = static_cast<uint32_t>(std::stoul(word));
            setting.effort.terms = static_cast<uint32_t>(std::stoul(seed));
            setting.effort.heads =
                static_cast<uint32_t>(std::stoul(seed.substr(seed.find('x') + 1)));
            setting.label = "graph, pool of " + word + ", " + seed + " heads";
            settings.push_back(setting);
        }
    }
    return settings;
}

void Measure(const SparseIndex& index, const SparseGraph& graph, const SparseProposal& proposal,
             const SparseSet& set, size_t k, size_t rounds, std::vector<Setting> settings) {
    std::vector<Hits> truth;
    for (Setting& setting : settings) {
        const Pass pass = RunSetting(index, graph, proposal, set, setting, k, true);
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
            const Pass pass = RunSetting(index, graph, proposal, set, setting, k, false);
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
    GraphOptions options;
    options.entries = number("--entries", "64");
    options.links = number("--links", "24");
    options.pool = number("--build-pool", "48");
    options.heads = number("--heads", "16");
    options.spread = std::stof(Argument(argc, argv, "--spread", "1"));
    options.by_cosine = number("--cosine", "1") != 0;
    options.threads = static_cast<int>(number("--threads", "1"));
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
    const double start = CpuSeconds();
    OrderOptions order;
    order.threads = options.threads;
    order.block_rows = number("--near", "256");
    set.rows = set.rows.Reordered(*OrderRows(set.rows.View(), order, &work));
    const double ordered = CpuSeconds();
    const auto index = SparseIndex::Build(set.rows.View(), {}, &work);
    set.rows = {};
    const double built = CpuSeconds();
    const std::string file = Argument(argc, argv, "--graph", "");
    auto graph = SparseGraph::Load(file, **index, options);
    if (graph == nullptr) {
        graph = std::move(*SparseGraph::Build(**index, options, &work));
        if (!file.empty()) {
            graph->Save(file);
        }
    }
    const double linked = CpuSeconds();
    ProposalOptions lists;
    lists.threads = options.threads;
    lists.postings_share = std::stod(Argument(argc, argv, "--share", "0.05"));
    lists.list_max = number("--list", "3000");
    lists.block_rows = number("--block", "10");
    lists.summary_share = std::stod(Argument(argc, argv, "--summary", "0.4"));
    const auto proposal = SparseProposal::Build(**index, lists, &work);
    const double proposed = CpuSeconds();
    const auto postings = static_cast<double>((*index)->postings());
    std::printf(
        "\n## %s: %zu records, %.0f postings, %zu queries\n\nGraph: %.2f bytes a posting beside "
        "%.2f, %.2f of them links. Microseconds a posting: %.3f to order, %.3f to build, %.3f to "
        "link (%.3f ms a record). Lists: %.2f bytes, %.3f us.\n",
        set.name.c_str(), (*index)->count(), postings, set.queries.size(),
        static_cast<double>(graph->memory_bytes()) / postings,
        static_cast<double>((*index)->memory_bytes()) / postings,
        static_cast<double>(graph->link_bytes()) / postings, (ordered - start) * 1e6 / postings,
        (built - ordered) * 1e6 / postings, (linked - built) * 1e6 / postings,
        (linked - built) * 1e3 / static_cast<double>((*index)->count()),
        static_cast<double>((*proposal)->memory_bytes()) / postings,
        (proposed - linked) * 1e6 / postings);
    Measure(**index, *graph, **proposal, set, number("--k", "10"), number("--rounds", "3"),
            AllSettings(Argument(argc, argv, "--pools", "16,32,64,128,256"),
                        Argument(argc, argv, "--seeds", "6x16"),
                        Argument(argc, argv, "--ways", "5/0.9/24/10,5/0.8/24/20")));
    return 0;
}
