// bench_proposal: proposals (proposal.h) beside exhaustive windows and the exact
// search, recall against time. README.md says how it is measured.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "engine/sparse/row_order.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/proposal.h"
#include "tests/bench/sparse/sparse_ways.h"

namespace {

using namespace bench;
using namespace quern::sparse;

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

enum class Kind { kFloor, kExact, kProposed, kStarted };

struct Setting {
    Kind kind = Kind::kFloor;
    ProposalEffort effort;
    std::vector<double> speedups;
    std::vector<double> means;
    std::vector<double> p99s;
    double recall = 1;
    double scored = 0;
};

std::string LabelOf(const Setting& setting) {
    char text[80];
    switch (setting.kind) {
        case Kind::kFloor: return "exhaustive windows";
        case Kind::kExact: return "exact";
        case Kind::kProposed:
            std::snprintf(text, sizeof text, "proposals, %u terms, x %.2f", setting.effort.terms,
                          static_cast<double>(setting.effort.factor));
            return text;
        case Kind::kStarted: break;
    }
    std::snprintf(text, sizeof text, "exact after proposals, %u terms, x %.2f",
                  setting.effort.terms, static_cast<double>(setting.effort.factor));
    return text;
}

Pass RunSetting(const SparseIndex& index, const SparseProposal& proposal, const SparseSet& set,
                const Setting& setting, size_t k, bool keep) {
    Pass pass;
    static SearchSpace space;
    static ProposalSpace own;
    quern::Work work;
    for (const SparseVector& query : set.queries) {
        TopHits top(k);
        const double start = CpuSeconds();
        quern::Status status;
        if (setting.kind == Kind::kProposed) {
            status = proposal.Search(index, query, setting.effort, nullptr, 0, &top, &space, &own,
                                     &pass.stats, &work);
        } else {
            SearchOptions options;
            if (setting.kind == Kind::kFloor) {
                options.path = SearchPath::kExhaustive;
            }
            if (setting.kind == Kind::kStarted) {
                top = TopHits(k, proposal.Threshold(index, query, setting.effort, nullptr, k,
                                                    &space, &own, &pass.stats));
            }
            status = index.Search(query, options, nullptr, 0, &top, &space, &pass.stats, &work);
        }
        if (!status.ok()) {
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

std::vector<Setting> AllSettings() {
    std::vector<Setting> settings(2);
    settings[1].kind = Kind::kExact;
    for (const uint32_t terms : {2u, 4u}) {
        Setting setting;
        setting.kind = Kind::kStarted;
        setting.effort = {terms, 1.0f};
        settings.push_back(setting);
    }
    for (const uint32_t terms : {3u, 5u, 8u, 12u}) {
        for (const float factor : {1.0f, 0.9f, 0.8f, 0.7f}) {
            Setting setting;
            setting.kind = Kind::kProposed;
            setting.effort = {terms, factor};
            settings.push_back(setting);
        }
    }
    return settings;
}

void Measure(const SparseIndex& index, const SparseProposal& proposal, const SparseSet& set,
             size_t k, size_t rounds) {
    std::vector<Setting> settings = AllSettings();
    std::vector<Hits> truth;
    for (Setting& setting : settings) {
        const Pass pass = RunSetting(index, proposal, set, setting, k, true);
        if (truth.empty()) {
            truth = pass.hits;
        }
        setting.recall = 0;
        for (size_t i = 0; i < truth.size(); i++) {
            setting.recall += RecallOf(pass.hits[i], truth[i]);
            if (setting.kind <= Kind::kExact || setting.kind == Kind::kStarted) {
                if (!SameHits(pass.hits[i], truth[i])) {
                    std::fprintf(stderr, "%s is wrong for query %zu\n", LabelOf(setting).c_str(),
                                 i);
                    std::exit(1);
                }
            }
        }
        setting.recall /= static_cast<double>(truth.size());
        setting.scored = static_cast<double>(pass.stats.scored) / static_cast<double>(truth.size());
    }
    for (size_t round = 0; round < rounds; round++) {
        double floor = 0;
        for (Setting& setting : settings) {
            const Pass pass = RunSetting(index, proposal, set, setting, k, false);
            floor = setting.kind == Kind::kFloor ? pass.Mean() : floor;
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
                    LabelOf(setting).c_str(), Median(setting.means), Median(setting.p99s),
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
    const size_t queries = std::stoul(Argument(argc, argv, "--queries", "200"));
    const size_t rounds = std::stoul(Argument(argc, argv, "--rounds", "3"));
    const uint32_t block = static_cast<uint32_t>(std::stoul(Argument(argc, argv, "--near", "64")));
    ProposalOptions options;
    options.postings_share = std::stod(Argument(argc, argv, "--share", "0.15"));
    options.list_max = static_cast<uint32_t>(std::stoul(Argument(argc, argv, "--list", "4000")));
    options.block_rows = static_cast<uint32_t>(std::stoul(Argument(argc, argv, "--block", "10")));
    options.summary_share = std::stod(Argument(argc, argv, "--summary", "0.5"));
    const char* const data = std::getenv("QUERN_DATA");
    SparseSet set;
    std::string reason;
    if (!LoadSparseSet(Argument(argc, argv, "--data",
                                data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data"),
                       name, queries, &set, &reason)) {
        std::printf("%s: skipped: %s\n", name.c_str(), reason.c_str());
        return 0;
    }
    quern::Work work;
    const double start = CpuSeconds();
    OrderOptions order;
    order.block_rows = block;
    order.rounds = 5;
    set.rows = set.rows.Reordered(*OrderRows(set.rows.View(), order, &work));
    const double ordered = CpuSeconds();
    const auto index = SparseIndex::Build(set.rows.View(), {}, &work);
    set.rows = {};
    const double built = CpuSeconds();
    const auto proposal = SparseProposal::Build(**index, options, &work);
    const double proposed = CpuSeconds();
    const auto postings = static_cast<double>((*index)->postings());
    std::printf(
        "\n## %s: %zu records, %.0f postings, %zu queries\n\nLists of %.3f of the "
        "postings in %zu blocks: %.2f bytes a posting beside %.2f. Microseconds a "
        "posting: %.3f to order, %.3f to build, %.3f to propose.\n",
        set.name.c_str(), (*index)->count(), postings, set.queries.size(),
        static_cast<double>((*proposal)->postings()) / postings, (*proposal)->blocks(),
        static_cast<double>((*proposal)->memory_bytes()) / postings,
        static_cast<double>((*index)->memory_bytes()) / postings,
        (ordered - start) * 1e6 / postings, (built - ordered) * 1e6 / postings,
        (proposed - built) * 1e6 / postings);
    Measure(**index, **proposal, set, std::stoul(Argument(argc, argv, "--k", "10")), rounds);
    return 0;
}
