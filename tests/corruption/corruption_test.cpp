// Damages small files in every way there is, and asks each everything. A damaged file may answer
// with an error that says so, or with exactly the right answer (where its write-ahead log is
// damaged: with those of an earlier commit), and with nothing else. README.md explains the table.
//
//   quern_corruption [--every K] [--trials N] [--seed S] [--sample NAME] [--family NAME]
//                    [--golden FOLDER] [--only I] [--list]
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/corruption/damage_trial.h"
#include "tests/corruption/file_damage.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_set_death_callback(void (*callback)());
#endif

namespace {

using quern::corruption::Damages;
using quern::corruption::Expected;
using quern::corruption::Family;
using quern::corruption::Images;
using quern::corruption::Outcome;
using quern::corruption::Sample;
using quern::corruption::Verdict;

constexpr size_t kFamilies = static_cast<size_t>(Family::kCount);
constexpr size_t kVerdicts = static_cast<size_t>(Verdict::kCount);
constexpr unsigned kSecondsOfATrial = 60;
constexpr size_t kFailuresShown = 5;

// What a crash prints: the trial that it was in.
char the_trial[300];

void TellTrial() {
    const ssize_t ignored = write(STDERR_FILENO, the_trial, std::strlen(the_trial));
    static_cast<void>(ignored);
}
void OnSignal(int number) {
    TellTrial();
    std::signal(number, SIG_DFL);
    std::raise(number);
}
void TellTrialOfCrashes() {
#if defined(__SANITIZE_ADDRESS__)
    __asan_set_death_callback(TellTrial);
    std::signal(SIGALRM, OnSignal);
#else
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM}) {
        std::signal(number, OnSignal);
    }
#endif
}

struct Options {
    size_t every = 1;
    size_t trials = 0;
    uint64_t seed = 1;
    std::string sample;
    std::string family;
    std::string golden;
    bool one = false;
    size_t only = 0;
    bool list = false;
};

using Row = std::array<size_t, kVerdicts>;
struct Table {
    std::array<Row, kFamilies> rows{};
    size_t failures = 0;
    void Add(const Row& row, Family family) {
        for (size_t v = 0; v < kVerdicts; v++) {
            rows[static_cast<size_t>(family)][v] += row[v];
        }
    }
};

// A lost write leaves a page that is sound in itself, and that only fits nothing else: verify names
// it, a read that meets the page alone cannot know. Where the page is all that a commit has
// written, that commit is taken back as a whole.
bool MustNotBe(Family family, Verdict verdict) {
    return verdict == Verdict::kSilent || verdict == Verdict::kMissed ||
           (family != Family::kStale &&
            (verdict == Verdict::kBadCode || verdict == Verdict::kWrongNamed));
}

// The least of the changed bytes that have the same outcome: halves are taken back as long as they
// do not matter.
size_t Minimise(const Expected& expected, const Images& sound, Images damaged, bool earlier_too,
                Verdict verdict, size_t* first) {
    const auto differing = [&](const std::string& a, const std::string& b) {
        std::vector<size_t> places;
        for (size_t i = 0; i < a.size() && i < b.size(); i++) {
            if (a[i] != b[i]) {
                places.push_back(i);
            }
        }
        return places;
    };
    bool in_main = damaged.main != sound.main;
    std::string& bytes = in_main ? damaged.main : damaged.log;
    const std::string& good = in_main ? sound.main : sound.log;
    std::vector<size_t> places = differing(bytes, good);
    bool smaller = bytes.size() == good.size();
    while (smaller && places.size() > 1) {
        smaller = false;
        for (const bool back : {true, false}) {
            const std::string kept = bytes;
            const size_t half = places.size() / 2;
            for (size_t i = back ? 0 : half; i < (back ? half : places.size()); i++) {
                bytes[places[i]] = good[places[i]];
            }
            if (expected.Try(damaged, earlier_too).verdict == verdict) {
                places = differing(bytes, good);
                smaller = true;
                break;
            }
            bytes = kept;
        }
    }
    *first = places.empty() ? 0 : places[0];
    return places.size();
}

void RunFamily(const Sample& sample, const Damages& damages, const Expected& expected,
               Family family, const Options& options, Table* table) {
    Row row{};
    size_t count = damages.Count(family);
    size_t start = family == Family::kRandom ? 0 : options.seed % options.every;
    size_t step = family == Family::kRandom ? 1 : options.every;
    count = family == Family::kRandom ? options.trials : count;
    if (options.one) {
        start = options.only;
        count = start + 1;
        step = 1;
    }
    const char* const name = FamilyName(family);
    for (size_t i = start; i < count; i += step) {
        Images images;
        bool log_only = false;
        const std::string said = damages.Apply(family, i, options.seed, &images, &log_only);
        if (said.empty()) {
            continue;
        }
        std::snprintf(the_trial, sizeof the_trial,
                      "\n%s: in the trial --sample %s --family %s --only %zu --seed %llu\n",
                      said.c_str(), sample.name.c_str(), name, i,
                      static_cast<unsigned long long>(options.seed));
        alarm(kSecondsOfATrial);
        const bool earlier_too =
            IsOfLog(family) || family == Family::kStale ||
            (family == Family::kRandom && log_only && !sample.images.log.empty());
        const Outcome outcome = expected.Try(images, earlier_too);
        alarm(0);
        row[static_cast<size_t>(outcome.verdict)]++;
        if (options.list || options.one) {
            std::printf("%zu %s: %s; %s\n", i, said.c_str(), VerdictName(outcome.verdict),
                        outcome.what.c_str());
        }
        if (MustNotBe(family, outcome.verdict) && table->failures++ < kFailuresShown) {
            std::fprintf(stderr, "%s%s: %s\n", the_trial, VerdictName(outcome.verdict),
                         outcome.what.c_str());
            alarm(20 * kSecondsOfATrial);
            size_t first = 0;
            const size_t least =
                Minimise(expected, sample.images, images, earlier_too, outcome.verdict, &first);
            alarm(0);
            std::fprintf(stderr, "least change with this outcome: %zu bytes, the first at %zu\n",
                         least, first);
        }
    }
    table->Add(row, family);
}

void Print(const Table& table) {
    std::printf("%-12s %9s", "damage", "trials");
    for (size_t v = 0; v < kVerdicts; v++) {
        std::printf(" %12s", VerdictName(static_cast<Verdict>(v)));
    }
    std::printf("\n");
    Row sum{};
    const auto line = [](const char* name, const Row& row) {
        size_t trials = 0;
        for (const size_t n : row) {
            trials += n;
        }
        if (trials > 0) {
            std::printf("%-12s %9zu", name, trials);
            for (const size_t n : row) {
                std::printf(" %12zu", n);
            }
            std::printf("\n");
        }
    };
    for (size_t f = 0; f < kFamilies; f++) {
        line(FamilyName(static_cast<Family>(f)), table.rows[f]);
        for (size_t v = 0; v < kVerdicts; v++) {
            sum[v] += table.rows[f][v];
        }
    }
    line("all", sum);
}

bool Parse(int argc, char** argv, Options* options) {
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "--list") {
            options->list = true;
            continue;
        }
        if (i + 1 >= argc) {
            return false;
        }
        const char* const value = argv[++i];
        if (word == "--every") {
            options->every = std::max<size_t>(1, std::strtoull(value, nullptr, 10));
        } else if (word == "--trials") {
            options->trials = std::strtoull(value, nullptr, 10);
        } else if (word == "--seed") {
            options->seed = std::strtoull(value, nullptr, 10);
        } else if (word == "--sample") {
            options->sample = value;
        } else if (word == "--family") {
            options->family = value;
        } else if (word == "--golden") {
            options->golden = value;
        } else if (word == "--only") {
            options->one = true;
            options->only = std::strtoull(value, nullptr, 10);
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!Parse(argc, argv, &options)) {
        std::fprintf(stderr,
                     "usage: quern_corruption [--every K] [--trials N] [--seed S] [--sample NAME] "
                     "[--family NAME] [--golden FOLDER] [--only I] [--list]\n");
        return 2;
    }
    quern::corruption::UseMemoryFiles();
    TellTrialOfCrashes();
    std::vector<Sample> samples =
        options.golden.empty() ? quern::corruption::MakeSamples(options.sample)
                               : quern::corruption::ReadSamples(options.golden, options.sample);
    Table table;
    const auto begin = std::chrono::steady_clock::now();
    for (const Sample& sample : samples) {
        const char* const other = sample.name == "log" ? "log_of_seal" : "log";
        const std::string foreign = quern::corruption::MakeSamples(other).at(0).images.log;
        const Damages damages(sample, foreign);
        const Expected expected(sample);
        std::printf("%s: %s; %zu pages, a log of %zu bytes, %zu states, %zu questions\n",
                    sample.name.c_str(), sample.what.c_str(),
                    sample.images.main.size() / quern::corruption::kPageBytes,
                    sample.images.log.size(), expected.states(), expected.questions());
        std::fflush(stdout);
        for (size_t f = 0; f < kFamilies; f++) {
            const auto family = static_cast<Family>(f);
            if (options.family.empty() || options.family == FamilyName(family)) {
                RunFamily(sample, damages, expected, family, options, &table);
            }
        }
    }
    Print(table);
    std::printf("%.0f seconds; seed %llu\n",
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
                static_cast<unsigned long long>(options.seed));
    if (table.failures > 0) {
        std::fprintf(stderr, "%zu trials failed\n", table.failures);
    }
    return table.failures > 0 ? 1 : 0;
}
