// bench_sparse: ways of searching sparse vectors beside each other. README.md says what it measures
// and how.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/kept_index.h"
#include "tests/bench/sparse/sparse_report.h"

namespace {

using namespace bench;
using quern::sparse::ApproximateIndex;
using quern::sparse::SparseIndex;

// As the database does for such fields.
constexpr uint32_t kApproximateOrderRows = 256;

struct BenchOptions {
    std::string data;
    size_t queries = 500;
    size_t rounds = 5;
    size_t forward_step = 20;  // every so-manieth query is also answered by the forward scan
    uint32_t superblock_rows = 4096;
    bool order = true;
    std::string masks = "yes";
    bool approximate = false;
    bool search = true;
    int threads = 1;
    MoreWays more;
    std::vector<double> masses;
    bool impacts = false;
    bool fractions = false;
    std::string keep;  // a directory of indexes that were made, or none
    std::string out;
};

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::vector<std::string> SplitNames(const std::string& names) {
    std::vector<std::string> list;
    std::istringstream stream(names);
    for (std::string name; std::getline(stream, name, ',');) {
        list.push_back(name);
    }
    return list;
}

void AddRound(const Pass& pass, const Pass& floor, SparseCell* cell) {
    cell->means.push_back(pass.Mean());
    cell->p50s.push_back(pass.Percentile(0.5));
    cell->p99s.push_back(pass.Percentile(0.99));
    cell->speedups.push_back(floor.Mean() / pass.Mean());
    cell->p99_speedups.push_back(floor.Percentile(0.99) / pass.Percentile(0.99));
    cell->least.TakeLeast(pass);
    cell->floor_least.TakeLeast(floor);
}

// A pass that warms up and is judged against the truth.
void Judge(const Pass& pass, const std::vector<Hits>& truth, SparseCell* cell) {
    double recall = 0;
    for (size_t i = 0; i < truth.size(); i++) {
        recall += RecallOf(pass.hits[i], truth[i]);
        cell->differing += SameHits(pass.hits[i], truth[i]) ? 0 : 1;
    }
    const auto queries = static_cast<double>(truth.size());
    cell->recall = recall / queries;
    cell->opened = static_cast<double>(pass.stats.opened) / queries;
    cell->read = static_cast<double>(pass.stats.postings_read) / queries;
    cell->scored = static_cast<double>(pass.stats.scored) / queries;
}

// All ways for one k, taking turns.
void Measure(const SearchedIndex& index, const SparseSet& set, size_t k,
             const BenchOptions& options, SparseReport* report) {
    std::vector<SparseCell> cells;
    std::vector<Hits> truth;
    for (const Way& way : AllWays(index, options.more)) {
        SparseCell cell;
        cell.way = way;
        cell.k = k;
        Pass pass = RunPass(index, set, way, k, nullptr, 1, true);
        if (cells.empty()) {
            truth = pass.hits;
        }
        Judge(pass, truth, &cell);
        cells.push_back(cell);
    }
    // The floor is the others' truth; the forward scan, which shares nothing with it, is the
    // floor's.
    SparseCell forward;
    forward.way = ForwardWay();
    forward.k = k;
    const Pass scan = RunPass(index, set, forward.way, k, nullptr, options.forward_step, true);
    for (size_t i = 0; i < scan.hits.size(); i++) {
        if (!SameHits(scan.hits[i], truth[i * options.forward_step])) {
            std::fprintf(stderr, "%s: the floor is wrong for query %zu\n", set.name.c_str(),
                         i * options.forward_step);
            std::exit(1);
        }
    }
    const Pass floor_part =
        RunPass(index, set, cells[0].way, k, nullptr, options.forward_step, false);
    AddRound(scan, floor_part, &forward);
    for (size_t round = 0; round < options.rounds; round++) {
        Pass floor;
        for (size_t c = 0; c < cells.size(); c++) {
            const Pass pass = RunPass(index, set, cells[c].way, k, nullptr, 1, false);
            if (c == 0) {
                floor = pass;
            }
            AddRound(pass, floor, &cells[c]);
        }
    }
    report->cells.insert(report->cells.end(), cells.begin(), cells.end());
    report->cells.push_back(forward);
}

std::vector<PrunedIndex> BuildPruned(const SparseSet& set, quern::sparse::IndexOptions how,
                                     const std::vector<double>& masses) {
    std::vector<PrunedIndex> list;
    quern::Work work;
    for (const double mass : masses) {
        how.prune.mass = mass;
        const double start = CpuSeconds();
        list.push_back({mass, std::move(*SparseIndex::Build(set.rows.View(), how, &work))});
        const SparseIndex& index = *list.back().index;
        const auto entries = static_cast<double>(index.postings());
        std::printf(
            "pruned to %g: %.2f us a posting of the rows to build, %.2f bytes hot, %.2f "
            "full\n",
            mass, (CpuSeconds() - start) * 1e6 / entries,
            static_cast<double>(index.hot_bytes()) / entries,
            static_cast<double>(index.memory_bytes()) / entries);
    }
    return list;
}

std::unique_ptr<SparseIndex> BuildRounded(const SparseSet& set, quern::sparse::IndexOptions how) {
    quern::Work work;
    how.impacts = true;
    std::unique_ptr<SparseIndex> index =
        std::move(*SparseIndex::Build(set.rows.View(), how, &work));
    std::printf(
        "impacts of 8 bits: %.2f bytes a posting hot, %.2f full\n",
        static_cast<double>(index->hot_bytes()) / static_cast<double>(index->postings()),
        static_cast<double>(index->memory_bytes()) / static_cast<double>(index->postings()));
    return index;
}

// Where the index of a set is kept: by all that makes another one.
std::string KeptPath(const std::string& set, const BenchOptions& options) {
    return options.keep + "/" + set + "-" + std::to_string(options.superblock_rows) +
           (options.order ? "" : "-given") + (options.fractions ? "-fractions" : "") +
           (options.approximate ? "-graph" : "") + ".index";
}

// Loads or orders and builds it. What is made is kept where that is asked for. Frees the rows.
KeptIndex MakeIndex(SparseSet* set, const BenchOptions& options, SparseReport* report) {
    quern::Work work;
    quern::sparse::OrderOptions order;
    order.block_rows = options.approximate ? kApproximateOrderRows : options.superblock_rows;
    quern::sparse::IndexOptions index_options;
    index_options.superblock_rows = options.superblock_rows;
    if (options.threads > 1) {
        report->builds =
            TimeBuilds(set->rows, order, index_options, options.threads, options.rounds);
    }
    KeptIndex kept;
    const std::string path = KeptPath(set->name, options);
    if (!options.keep.empty()) {
        kept = LoadKeptIndex(path);
    }
    if (kept.exact != nullptr) {
        if (kept.exact->count() != set->rows.count()) {
            std::fprintf(stderr, "%s: of other records\n", path.c_str());
            std::exit(1);
        }
        std::printf("%s: kept by a run before\n", path.c_str());
        report->postings = kept.exact->postings();
        set->rows = {};
        return kept;
    }
    const double start = CpuSeconds();
    if (options.order) {
        set->rows = set->rows.Reordered(*quern::sparse::OrderRows(set->rows.View(), order, &work));
    }
    const double ordered = CpuSeconds();
    kept.exact = std::move(*SparseIndex::Build(set->rows.View(), index_options, &work));
    const double built = CpuSeconds();
    set->rows = {};
    if (options.approximate) {
        kept.approximate = std::move(*ApproximateIndex::Build(
            *kept.exact, quern::sparse::ApproximateOptions::For(kept.exact->count(), 1), &work));
    }
    report->postings = kept.exact->postings();
    const auto postings = static_cast<double>(report->postings);
    report->order_us = (ordered - start) * 1e6 / postings;
    report->build_us = (built - ordered) * 1e6 / postings;
    report->link_us = options.approximate ? (CpuSeconds() - built) * 1e6 / postings : 0;
    if (!options.keep.empty()) {
        std::filesystem::create_directories(options.keep);
        KeepIndex(path, kept);
    }
    return kept;
}

SparseReport RunSet(SparseSet set, const BenchOptions& options) {
    SparseReport report;
    report.set = set.name;
    report.origin = set.origin;
    report.records = set.rows.count();
    report.queries = set.queries.size();
    report.superblock_rows = options.superblock_rows;
    report.ordered = options.order;
    report.rounds = options.rounds;
    const KeptIndex kept = MakeIndex(&set, options, &report);
    const SparseIndex& index = *kept.exact;
    const auto postings = static_cast<double>(report.postings);
    if (kept.approximate != nullptr) {
        std::printf("approx=graph: %.1f bytes a posting\n",
                    static_cast<double>(kept.approximate->memory_bytes()) / postings);
    }
    quern::sparse::IndexOptions index_options;
    index_options.superblock_rows = options.superblock_rows;
    if (!options.masses.empty() || options.impacts) {
        set.rows = RowsOf(index);
    }
    const std::vector<PrunedIndex> pruned = BuildPruned(set, index_options, options.masses);
    const std::unique_ptr<SparseIndex> rounded =
        options.impacts ? BuildRounded(set, index_options) : nullptr;
    set.rows = {};
    const SearchedIndex searched = {index, kept.approximate.get(), pruned, rounded.get()};
    report.hot_bytes = static_cast<double>(index.hot_bytes()) / postings;
    report.full_bytes = static_cast<double>(index.memory_bytes()) / postings;
    const auto form = index.forward().form;
    report.weights = form == quern::sparse::WeightForm::kTable8    ? "bytes into a table"
                     : form == quern::sparse::WeightForm::kTable16 ? "two bytes into a table"
                                                                   : "f32";
    if (!options.search) {
        return report;
    }
    for (const size_t k : {10, 100, 1000}) {
        if (options.masks != "alone") {
            Measure(searched, set, k, options, &report);
        }
    }
    if (options.masks != "no") {
        report.masks = MeasureMasks(searched, set, {10, 100}, options.rounds);
    }
    return report;
}

}  // namespace

int main(int argc, char** argv) {
    BenchOptions options;
    const char* const data = std::getenv("QUERN_DATA");
    options.data =
        Argument(argc, argv, "--data", data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data");
    options.queries = std::stoul(Argument(argc, argv, "--queries", "500"));
    options.rounds = std::stoul(Argument(argc, argv, "--rounds", "5"));
    options.superblock_rows =
        static_cast<uint32_t>(std::stoul(Argument(argc, argv, "--superblock", "4096")));
    options.order = Argument(argc, argv, "--order", "yes") == "yes";
    options.masks = Argument(argc, argv, "--masks", "yes");
    options.search = Argument(argc, argv, "--search", "yes") == "yes";
    options.threads = std::stoi(Argument(argc, argv, "--threads", "1"));
    options.approximate = Argument(argc, argv, "--approximate", "no") == "yes";
    for (const std::string& count : SplitNames(Argument(argc, argv, "--terms", ""))) {
        options.more.terms.push_back(static_cast<uint32_t>(std::stoul(count)));
    }
    for (const std::string& ef : SplitNames(Argument(argc, argv, "--efs", "16,24,32,48,64"))) {
        options.more.pools.push_back(std::stoul(ef));
    }
    for (const std::string& mass : SplitNames(Argument(argc, argv, "--prune-mass", ""))) {
        options.masses.push_back(std::stod(mass));
    }
    options.impacts = Argument(argc, argv, "--impacts", "no") == "yes";
    options.fractions = Argument(argc, argv, "--fractions", "no") == "yes";
    options.keep = Argument(argc, argv, "--keep", "");
    options.out = Argument(argc, argv, "--out", "");
    for (const std::string& name :
         SplitNames(Argument(argc, argv, "--sets", "nfcorpus,splade-queries"))) {
        SparseSet set;
        std::string reason;
        if (!LoadSparseSet(options.data, name, options.queries, &set, &reason)) {
            std::printf("%s: skipped: %s\n", name.c_str(), reason.c_str());
            continue;
        }
        if (options.fractions) {
            AddFractions(&set);
        }
        const SparseReport report = RunSet(std::move(set), options);
        PrintSparseReport(report);
        if (!options.out.empty()) {
            WriteSparseReport(report, options.out);
        }
    }
    return 0;
}
