// bench_dense: quern beside hnswlib, FAISS, sign bits and the exact scan, on real vectors, in one
// run. README.md says what is measured and how.
//
//   bench_dense [--data DIR] [--set NAME,...|all] [--engines NAME,...] [--rounds 7] [--threads 1]
//               [--build-threads 2] [--queries 1000] [--limit ROWS] [--cache DIR] [--out DIR]
//               [--skip serving,inserts] [--turn-ms 250]
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/curve.h"
#include "tests/bench/dense/dense_report.h"
#include "tests/bench/dense/insert_while_search.h"
#include "tests/bench/dense/row_file.h"
#include "tests/bench/dense/serving.h"
#include "tests/bench/dense/sweep.h"
#include "tests/bench/dense/vector_set.h"

namespace bench {
namespace {

constexpr size_t kServingRounds = 5;
// The recall whose effort serves and searches beside the writer.
constexpr double kUsualRecall = 0.95;

struct Options {
    SetRequest request;
    std::vector<std::string> sets;
    std::vector<RivalKind> kinds;
    SweepOptions sweep;
    size_t build_threads = 2;
    std::string cache;   // empty: indexes go away with the run
    bool reuse = false;  // what is in the cache of quern, too
    std::string out;     // empty: tables only
    bool serving = true;
    bool inserts = true;
};

std::vector<std::string> SplitList(const std::string& text) {
    std::vector<std::string> words;
    std::stringstream stream(text);
    for (std::string word; std::getline(stream, word, ',');) {
        words.push_back(word);
    }
    return words;
}

bool Contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// "quern" and "faiss" stand for all engines whose names begin so.
std::vector<RivalKind> PickKinds(const std::string& text) {
    std::vector<RivalKind> picked;
    const std::vector<std::string> names = SplitList(text);
    std::vector<bool> used(names.size());
    for (const RivalKind& kind : AllRivals()) {
        bool wanted = names.empty();
        for (size_t i = 0; i < names.size(); i++) {
            if (kind.slug == names[i] || kind.slug.starts_with(names[i] + "-")) {
                wanted = used[i] = true;
            }
        }
        if (wanted) {
            picked.push_back(kind);
        }
    }
    for (size_t i = 0; i < names.size(); i++) {
        if (!used[i]) {
            throw std::runtime_error("there is no engine " + names[i]);
        }
    }
    return picked;
}

// A misspelt option would otherwise measure something else than was asked for.
void CheckArguments(int argc, char** argv) {
    TellHelp(argc, argv);
    const std::vector<std::string> known = {
        "--data",  "--set",   "--engines", "--rounds", "--threads", "--build-threads", "--queries",
        "--limit", "--cache", "--out",     "--skip",   "--turn-ms", "--reuse"};
    for (int i = 1; i < argc; i += 2) {
        if (!Contains(known, argv[i]) || i + 1 == argc) {
            throw std::runtime_error(std::string(argv[i]) + ": no such option, or no value");
        }
    }
}

Options ReadOptions(int argc, char** argv) {
    CheckArguments(argc, argv);
    const auto text = [&](const char* name, const char* otherwise) {
        return Argument(argc, argv, name, otherwise);
    };
    const auto number = [&](const char* name, const char* otherwise) {
        return static_cast<size_t>(std::atoll(text(name, otherwise).c_str()));
    };
    const char* data = std::getenv("QUERN_DATA");
    Options options;
    options.request.data_dir =
        text("--data", data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data");
    options.request.limit = number("--limit", "0");
    options.request.queries = number("--queries", "1000");
    const std::string sets = text("--set", "all");
    options.sets = sets == "all" ? SetNames() : SplitList(sets);
    options.kinds = PickKinds(text("--engines", ""));
    options.sweep.rounds = std::max<size_t>(number("--rounds", "7"), 1);
    options.sweep.threads = std::max<size_t>(number("--threads", "1"), 1);
    options.sweep.turn_seconds = static_cast<double>(number("--turn-ms", "250")) / 1000;
    options.build_threads = std::max<size_t>(number("--build-threads", "2"), 1);
    options.cache = text("--cache", "");
    options.reuse = text("--reuse", "no") == "yes";
    options.out = text("--out", "");
    const std::vector<std::string> skipped = SplitList(text("--skip", ""));
    options.serving = !Contains(skipped, "serving");
    options.inserts = !Contains(skipped, "inserts");
    return options;
}

// A directory that goes away with the run.
class WorkDirectory {
public:
    WorkDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "bench_dense.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error(name + ": cannot be made");
        }
        path_ = name;
    }
    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;
    ~WorkDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// An index that was kept has its build time beside it; without that it is taken for half written.
bool ReadKeptSeconds(const std::string& path, double* seconds) {
    std::ifstream file(path + ".seconds");
    return std::filesystem::exists(path) && file >> *seconds;
}

void BuildIndex(const VectorSet& set, const Options& options, const std::string& path,
                EngineReport* report) {
    const RivalKind& kind = report->contestant.kind;
    if ((!kind.keeps_index && !options.reuse) || !ReadKeptSeconds(path, &report->build_seconds)) {
        std::fprintf(stderr, "  building %s\n", kind.label.c_str());
        report->build_seconds = kind.make(set.space)->Build(set.base, options.build_threads, path);
        report->built_now = true;
        std::ofstream(path + ".seconds") << report->build_seconds << "\n";
    }
    report->file_mib = FileMiB(path);
}

// The quickest effort with the usual recall, or the most thorough there is.
std::string UsualEffort(const Contestant& contestant) {
    const auto front = Front(contestant.points);
    for (const Point* point : front) {
        if (point->recall >= kUsualRecall) {
            return point->effort;
        }
    }
    return front.back()->effort;
}

void MeasureServing(const VectorSet& set, const std::vector<std::string>& paths,
                    const std::string& directory, SetReport* report) {
    std::fprintf(stderr, "  serving from fresh processes\n");
    const std::string query_path = directory + "/" + set.name + ".queries";
    WriteRows(query_path, set.queries);
    std::vector<ServingRequest> requests;
    for (size_t i = 0; i < report->engines.size(); i++) {
        const Contestant& contestant = report->engines[i].contestant;
        requests.push_back({contestant.kind.slug, paths[i], query_path, UsualEffort(contestant),
                            set.space.metric});
    }
    const std::vector<Json> answers = MeasureServing(requests, kServingRounds);
    for (size_t i = 0; i < answers.size(); i++) {
        report->engines[i].serving = answers[i];
    }
}

void MeasureInserts(const VectorSet& set, const Options& options, const std::string& directory,
                    SetReport* report) {
    std::fprintf(stderr, "  inserting while searching\n");
    InsertOptions insert_options;
    insert_options.threads = options.build_threads;
    insert_options.directory = directory;
    std::vector<InsertContestant> contestants;
    for (const EngineReport& engine : report->engines) {
        contestants.push_back({engine.contestant.kind, UsualEffort(engine.contestant)});
    }
    report->inserts = MeasureInserts(set, contestants, insert_options);
}

void RunSet(const VectorSet& set, const Options& options) {
    const WorkDirectory work;
    const std::string directory = options.cache.empty() ? work.path() : options.cache;
    std::filesystem::create_directories(directory);
    SetReport report;
    report.set = &set;
    report.rounds = options.sweep.rounds;
    report.threads = options.sweep.threads;
    report.build_threads = options.build_threads;
    std::vector<std::string> paths;
    std::vector<Contestant> contestants;
    for (const RivalKind& kind : options.kinds) {
        EngineReport engine;
        engine.contestant.kind = kind;
        paths.push_back(directory + "/" + set.name + "-" + std::to_string(set.base.rows()) + "." +
                        kind.slug);
        BuildIndex(set, options, paths.back(), &engine);
        Contestant contestant;
        contestant.kind = kind;
        contestant.rival = kind.make(set.space);
        contestant.rival->Load(paths.back(), 0);
        contestants.push_back(std::move(contestant));
        report.engines.push_back(std::move(engine));
    }
    RunSweep(set, options.sweep, &contestants);
    for (size_t i = 0; i < contestants.size(); i++) {
        contestants[i].rival.reset();
        report.engines[i].contestant = std::move(contestants[i]);
    }
    if (options.serving) {
        MeasureServing(set, paths, work.path(), &report);
    }
    if (options.inserts) {
        MeasureInserts(set, options, work.path(), &report);
    }
    PrintReport(report);
    if (!options.out.empty()) {
        WriteReport(report, options.out);
    }
}

// FAISS builds with OpenMP, whose threads by default spin while they wait. On processors that
// others use as well that costs it a factor of ten and more; the setting is read before main
// begins.
void LetOpenMpThreadsSleep(char** argv) {
    if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
}

int Run(int argc, char** argv) {
    LetOpenMpThreadsSleep(argv);
    if (!Argument(argc, argv, "--serve", "").empty()) {
        return Serve(argc, argv);
    }
    const Options options = ReadOptions(argc, argv);
    const Json machine = DescribeMachine();
    std::printf("%s\n%s, %u processors\n", quern_build_info(),
                machine["processor"].get<std::string>().c_str(),
                machine["processors"].get<unsigned>());
    for (const std::string& name : options.sets) {
        VectorSet set;
        std::string reason;
        SetRequest request = options.request;
        request.name = name;
        std::fprintf(stderr, "%s\n", name.c_str());
        if (LoadVectorSet(request, &set, &reason)) {
            RunSet(set, options);
        } else {
            std::printf("\n## %s\n\nskipped: %s\n", name.c_str(), reason.c_str());
        }
    }
    return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    try {
        return bench::Run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_dense: %s\n", error.what());
        return 1;
    }
}
