// Every N-th call fails: of the file system, of each allocator, and starting a thread. Scripted
// scenarios run again and again, with the first call of a kind failing, the second, and so on,
// until the scenario ends without having met the fault; once with that one call failing, once with
// all from there on. After each run:
//
//   - the call has succeeded, or said an error that fits, never that of a bug;
//   - after an error what is visible through the same handle is what was before, and writing works,
//     unless the outcome is unknown: then the handle refuses to write, and either may be there;
//   - closed and opened again, verify is clean and that is what is there; the same in a copy of the
//     files as a killed process leaves them, and in one as a power cut does;
//   - all memory is given back.
//
//   nth_call_test [--scenario NAME] [--kind NAME] [--all] [--from N] [--dense 24] [--every 1]
//   [--large]
//
// --all: every N; else the first `dense` ones, and from there on steps that grow. --every K: each
// K-th run of those. --large: also scenarios with thousands of records and several threads.
#include <quern.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"
#include "tests/crash/damage.h"
#include "tests/crash/world.h"
#include "tests/faults/strike.h"

namespace {

using namespace quern::crash;
using quern::faults::Kind;

constexpr const char* kFolder = "/faults";
constexpr const char* kPath = "/faults/db";
constexpr const char* kCopy = "/faultcopy";
constexpr const char* kCopyPath = "/faultcopy/db";
constexpr const char* kOptions = "threads=1 busy_ms=3";

// A database while a scenario runs.
struct Place {
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    std::string wrong;  // an answer that is none
};

struct Scenario {
    const char* name;
    std::string options;
    std::function<void(Place*)> prepare;  // of the file, once
    bool leave_log = false;               // as a killed process does
    bool opens = false;                   // `run` opens the file, or closes it
    std::function<int32_t(Place*)> run;   // what meets the fault
    bool probes = true;                   // the file is one of world.h
    Files files = {};
    std::string before = {};
    std::string after = {};
};

// What is going on, for the report of a crash.
char current[300] = "nothing";
[[noreturn]] void OnTerminate() {
    std::fprintf(stderr, "terminated: %s\n", current);
    std::abort();
}

bool Open(Place* place, const std::string& options) {
    return quern_open(kPath, options.c_str(), &place->db, &place->err) == QUERN_OK;
}

struct Range {
    int64_t first = 0;
    size_t count = 0;
    int64_t step = 1;
};

int32_t Write(Place* place, const Range& keys, int64_t version, Rows::What what,
              int32_t (*how)(quern_batch*, quern_txn*, quern_error*)) {
    // The batch is the test's own.
    std::optional<Rows> rows;
    {
        const quern::faults::Exempt exempt;
        rows.emplace(place->db, "a", kAllFields, Keys(keys.first, keys.count, keys.step), version,
                     what);
    }
    return how(rows->batch(), nullptr, &place->err);
}

// Writes a record and deletes it again, where there is a collection for it: a handle that has met
// an error knows what there is, and not what there would be without the error.
int32_t ComeAndGo(Place* place) {
    uint64_t count = 0;
    if (quern_count(place->db, "a", nullptr, &count, &place->err) == QUERN_ERR_NOT_FOUND) {
        return QUERN_OK;
    }
    // Of nothing but its key: a field may have been dropped.
    const Range other{9000, 1};
    const int32_t status = Write(place, other, 0, Rows::What::kKeys, quern_insert);
    return status == QUERN_OK ? Write(place, other, 0, Rows::What::kKeys, quern_delete) : status;
}

// Searches of all kinds; the answers are compared with those of a healthy run.
int32_t SearchAll(Place* place) {
    const std::array<float, 8> vector = {100, 100, 100, 100, 100, 100, 100, 100};
    const size_t offsets[] = {0, 2};
    const uint32_t dims[] = {7, 1005};
    const char* const texts[] = {"own7 common"};
    static std::string healthy[5];
    for (int i = 0; i < 5; i++) {
        quern_query* query = quern_query_new(place->db, "a");
        if (query == nullptr) {
            return QUERN_ERR_NOMEM;
        }
        if (i < 2) {
            quern_query_dense(query, i == 0 ? "emb" : "cells", vector.data(), 1, vector.size());
        } else if (i == 2) {
            quern_query_sparse(query, "terms", offsets, dims, nullptr, 1);
        } else if (i == 3) {
            quern_query_text(query, "body", texts, 1);
        } else {
            quern_query_dense(query, "emb", vector.data(), 1, vector.size());
            quern_query_filter(query, "number < 500 and word = 'word3'");
            quern_query_options(query, "recall=exact");
        }
        quern_query_limit(query, 5);
        quern_query_columns(query, "number, word");
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &place->err);
        quern_query_free(query);
        if (status != QUERN_OK) {
            return status;
        }
        const quern::faults::Exempt exempt;
        // Flags may differ: without memory for an index a search scans, and says so.
        std::string answer = "found";
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            answer.append(" ").append(std::to_string(quern_result_key_int(result, row)));
            answer.append(":").append(std::to_string(quern_result_int(result, row, 0)));
        }
        quern_result_free(result);
        healthy[i] = healthy[i].empty() ? answer : healthy[i];
        if (healthy[i] != answer && i != 0 && i != 1) {
            place->wrong =
                "search " + std::to_string(i) + " has found " + answer + ", not " + healthy[i];
        }
    }
    return QUERN_OK;
}

// What is told as JSON.
int32_t MakeReports(Place* place) {
    using Report = std::unique_ptr<quern_text, decltype(&quern_text_free)>;
    using Query = std::unique_ptr<quern_query, decltype(&quern_query_free)>;
    using Hits = std::unique_ptr<quern_result, decltype(&quern_result_free)>;
    const std::array<float, 8> vector = {100, 100, 100, 100, 100, 100, 100, 100};
    const Query query(quern_query_new(place->db, "a"), quern_query_free);
    if (query == nullptr) {
        return QUERN_ERR_NOMEM;
    }
    quern_query_dense(query.get(), "emb", vector.data(), 1, vector.size());
    quern_query_filter(query.get(), "number < 500 and word = 'word3'");
    quern_query_limit(query.get(), 5);
    quern_result* found = nullptr;
    int32_t status = quern_search(query.get(), &found, &place->err);
    const Hits hits(found, quern_result_free);
    for (int i = 0; i < 6 && status == QUERN_OK; i++) {
        quern_text* text = nullptr;
        quern_error* const err = &place->err;
        status = i == 0   ? quern_info(place->db, &text, err)
                 : i == 1 ? quern_collections(place->db, &text, err)
                 : i == 2 ? quern_query_explain(query.get(), &text, err)
                 : i == 3 ? quern_result_explain(found, &text, err)
                 : i == 4 ? quern_explain_hits(query.get(), found, &text, err)
                          : quern_recall_audit(query.get(), nullptr, &text, err);
        const Report report(text, quern_text_free);
        if (status == QUERN_OK && quern_text_size(text) == 0) {
            place->wrong = "report " + std::to_string(i) + " is empty";
        }
    }
    return status;
}

std::string GoldenFile() {
    std::ifstream in(QUERN_SOURCE_DIR "/tests/compat/golden/0.1.0/merged.quern", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<Scenario> Scenarios() {
    std::vector<Scenario> all;
    const auto create = [](Place* place) {
        if (CreateWorld(place->db, "a", kAllFields, &place->err) == QUERN_OK) {
            Write(place, Range{0, 70}, 1, Rows::What::kWhole, quern_insert);
        }
    };
    const auto fill = [create](Place* place) {
        create(place);
        if (quern_optimize(place->db, nullptr, 0, &place->err) != QUERN_OK) {
            place->wrong = place->err.message;
        }
        Write(place, Range{70, 12}, 2, Rows::What::kWhole, quern_insert);
        Write(place, Range{3, 5, 6}, 3, Rows::What::kKeys, quern_delete);
        Write(place, Range{10, 5, 6}, 4, Rows::What::kPayload, quern_update);
    };
    const auto add = [&](const char* name, const std::function<void(Place*)>& prepare,
                         std::function<int32_t(Place*)> run) -> Scenario& {
        Scenario& scenario = all.emplace_back();
        scenario.name = name;
        scenario.options = kOptions;
        scenario.prepare = prepare;
        scenario.run = std::move(run);
        return scenario;
    };
    const auto open = [](Place* place) {
        return quern_open(kPath, kOptions, &place->db, &place->err);
    };
    add("new", nullptr, open).opens = true;
    add("open", fill, open).opens = true;
    Scenario& recover = add("recover", fill, open);
    recover.opens = true;
    recover.leave_log = true;
    add("create", fill,
        [](Place* place) { return CreateWorld(place->db, "b", kAllFields, &place->err); });
    add("insert", fill, [](Place* place) {
        return Write(place, Range{500, 9}, 5, Rows::What::kWhole, quern_insert);
    });
    // Grows beyond what the log may hold: sealed at once, and merged.
    add("seal", fill, [](Place* place) {
        return Write(place, Range{600, 45}, 5, Rows::What::kWhole, quern_upsert);
    }).options += " seal_rows=40";
    add("delete", fill, [](Place* place) {
        return Write(place, Range{1, 20, 4}, 0, Rows::What::kKeys, quern_delete);
    });
    add("update", fill, [](Place* place) {
        quern_query* query = quern_query_new(place->db, "a");
        quern_query_filter(query, "number < 700 and id > 10");
        quern_query_set(query, "number = 5, word = 'set'");
        const int32_t status = quern_query_update(query, nullptr, nullptr, &place->err);
        quern_query_free(query);
        return query == nullptr ? QUERN_ERR_NOMEM : status;
    });
    add("search", fill, SearchAll);
    add("index", create,
        [](Place* place) { return quern_rebuild(place->db, nullptr, &place->err); });
    add("optimize", fill,
        [](Place* place) { return quern_optimize(place->db, nullptr, 0, &place->err); });
    add("vacuum", fill, [](Place* place) { return quern_vacuum(place->db, &place->err); });
    add("drop", fill,
        [](Place* place) { return quern_drop_column(place->db, "a", "emb", &place->err); });
    add("verify", fill, [](Place* place) { return quern_verify(place->db, nullptr, &place->err); });
    add("reports", fill, MakeReports);
    Scenario& migrate = add("migrate", nullptr, [](Place* place) {
        return quern_add_sparse(place->db, "mixed", "terms", nullptr, &place->err);
    });
    migrate.files[kPath] = GoldenFile();
    migrate.probes = false;
    Scenario& close = add("close", fill, [](Place* place) {
        quern_close(place->db);
        place->db = nullptr;
        return QUERN_OK;
    });
    close.opens = true;
    add("background", fill, open).opens = true;
    all.back().options += " maintenance=background";
    all.back().run = [](Place* place) {
        return quern_open(kPath, "threads=1 busy_ms=3 maintenance=background", &place->db,
                          &place->err);
    };
    // Large enough for indexes of sparse vectors and texts, and for columns; by several threads.
    const auto many = [](Place* place) {
        CreateWorld(place->db, "a", kAllFields, &place->err);
        Write(place, Range{0, 2200}, 1, Rows::What::kWhole, quern_insert);
        Write(place, Range{7, 40, 11}, 1, Rows::What::kKeys, quern_delete);
    };
    add("large", many,
        [](Place* place) { return quern_optimize(place->db, nullptr, 0, &place->err); });
    add("threads", many, [](Place* place) {
        return quern_optimize(place->db, nullptr, 0, &place->err);
    }).options = "threads=4 busy_ms=3";
    return all;
}

bool Fits(int32_t status, Kind kind) {
    switch (status) {
        case QUERN_OK: return true;
        case QUERN_ERR_NOMEM: return kind >= Kind::kNew;
        case QUERN_ERR_IO:
        case QUERN_ERR_FULL:
        case QUERN_ERR_CANT_OPEN:
        case QUERN_ERR_BUSY: return kind < Kind::kNew;
        case QUERN_ERR_OUTCOME_UNKNOWN:
        case QUERN_ERR_POISONED: return kind != Kind::kThread;
        // A page that is read in part is a damaged one, and a header none.
        case QUERN_ERR_CORRUPT:
        case QUERN_ERR_TRUNCATED:
        case QUERN_ERR_NOT_A_DATABASE: return kind == Kind::kShortRead;
        default: return false;
    }
}

// One look at a file that nobody has open: what is there, or what is wrong with it.
std::string Look(const char* path, bool probes, std::string* problem) {
    Place place;
    std::string dump;
    if (quern_open(path, kOptions, &place.db, &place.err) != QUERN_OK ||
        quern_verify(place.db, nullptr, &place.err) != QUERN_OK) {
        *problem = place.err.message;
    } else {
        dump = DumpWorld(place.db, problem);
        if (problem->empty() && probes) {
            *problem = ProbeWorld(place.db);
        }
    }
    quern_close(place.db);
    return dump;
}

struct Run {
    bool hit = false;
    int32_t status = QUERN_OK;
    std::string problem;
};

Run RunOnce(const Scenario& scenario, Kind kind, int64_t at, bool sticky, bool with_probe) {
    Run run;
    quern::storage::DropMemoryFiles(kFolder);
    Materialize(scenario.files, kFolder, kFolder);
    Record().clear();
    Place place;
    const bool is_close = std::strcmp(scenario.name, "close") == 0;
    if ((!scenario.opens || is_close) && !Open(&place, scenario.options)) {
        run.problem = std::string("does not open: ") + place.err.message;
        return run;
    }
    quern::faults::Arm(kind, at, sticky);
    run.status = scenario.run(&place);
    quern::faults::Disarm();
    run.hit = quern::faults::WasHit();
    const bool known = run.status != QUERN_ERR_OUTCOME_UNKNOWN;
    const bool before_fits = run.status != QUERN_OK || scenario.before == scenario.after;
    const bool after_fits = run.status == QUERN_OK || !known;
    const auto want = [&](const std::string& dump, const std::string& error, const char* where) {
        const bool fits =
            (before_fits && dump == scenario.before) || (after_fits && dump == scenario.after);
        if (run.problem.empty() && (!error.empty() || !fits)) {
            run.problem = std::string(where) + ": " +
                          (error.empty() ? "not the content that should be there" : error);
        }
    };
    if (!Fits(run.status, kind)) {
        run.problem = std::string("an error that does not fit: ") + quern_status_name(run.status) +
                      ", " + place.err.message;
    }
    if (run.problem.empty()) {
        run.problem = place.wrong;
    }
    const std::vector<Operation> record = Record();
    const Files killed = ReadFolder(kFolder);
    if (place.db != nullptr && run.problem.empty()) {
        std::string error;
        want(DumpWorld(place.db, &error), error, "through the same handle");
        int32_t again = known ? ComeAndGo(&place) : QUERN_OK;
        again = again == QUERN_OK ? quern_optimize(place.db, nullptr, 0, &place.err) : again;
        // What a commit leads to may have failed where the commit itself has not.
        const bool sealing = run.status == QUERN_OK && again == QUERN_ERR_POISONED && run.hit &&
                             std::strcmp(scenario.name, "seal") == 0;
        if (again != (known ? QUERN_OK : QUERN_ERR_POISONED) && !sealing && run.problem.empty()) {
            run.problem = std::string("work after the error: ") + place.err.message;
        }
    }
    quern_close(place.db);
    const bool created = std::strcmp(scenario.name, "new") == 0;
    if (run.problem.empty() && !(created && run.status != QUERN_OK)) {
        std::string error;
        const std::string dump = Look(kPath, scenario.probes && with_probe, &error);
        want(dump, error, "opened again");
    }
    // Nobody else had a chance to tidy up.
    Damage damage(scenario.files, &record);
    damage.Advance(record.size());
    std::mt19937_64 random(1);
    int copies = 0;
    const auto copy = [&](const Files& files, const char* where) {
        quern::storage::DropMemoryFiles(kCopy);
        Materialize(files, kFolder, kCopy);
        std::string error;
        const std::string dump = Look(kCopyPath, false, &error);
        // A file that was not created yet is.
        const bool unborn = created && dump == "0 collections\n" && error.empty();
        if (!unborn) {
            want(dump, error, where);
        }
        copies++;
    };
    if (run.problem.empty() && (!created || run.status == QUERN_OK || kind != Kind::kNone)) {
        copy(killed, "after a kill");
        damage.ForEach(true, &random, [&](char letter, const Files& files) {
            if (letter == 'a' && run.problem.empty()) {
                copy(files, "after a power cut");
            }
            return letter == 'a';
        });
    }
    quern::storage::DropMemoryFiles(kCopy);
    quern::storage::DropMemoryFiles(kFolder);
    Record().clear();
    return run;
}

// Makes the file that a scenario begins with, and what it leads to.
bool Prepare(Scenario* scenario) {
    quern::storage::DropMemoryFiles(kFolder);
    Materialize(scenario->files, kFolder, kFolder);
    Place place;
    std::string error;
    if (scenario->prepare) {
        if (!Open(&place, kOptions)) {
            std::printf("%s: %s\n", scenario->name, place.err.message);
            return false;
        }
        scenario->prepare(&place);
        error = place.wrong;
        if (scenario->leave_log) {
            scenario->files = ReadFolder(kFolder);
        }
        quern_close(place.db);
        place.db = nullptr;
        if (!scenario->leave_log) {
            scenario->files = ReadFolder(kFolder);
        }
    }
    scenario->before = scenario->files.empty() ? "0 collections\n" : Look(kPath, false, &error);
    quern::storage::DropMemoryFiles(kFolder);
    Materialize(scenario->files, kFolder, kFolder);
    const bool is_close = std::strcmp(scenario->name, "close") == 0;
    if (error.empty() && (!scenario->opens || is_close) && !Open(&place, scenario->options)) {
        error = place.err.message;
    }
    if (error.empty() && scenario->run(&place) != QUERN_OK) {
        error = place.err.message;
    }
    quern_close(place.db);
    if (error.empty()) {
        scenario->after = Look(kPath, false, &error);
    }
    if (!error.empty()) {
        std::printf("%s: without a fault: %s\n", scenario->name, error.c_str());
    }
    return error.empty();
}

struct Plan {
    bool all = false;
    int64_t from = 1;
    int64_t dense = 24;
    int64_t every = 1;
};

struct Tally {
    uint64_t runs = 0;
    uint64_t errors = 0;  // runs that told one
    uint64_t failures = 0;
};

void RunAll(const Scenario& scenario, Kind kind, const Plan& plan, Tally* tally) {
    for (const bool sticky : {false, true}) {
        uint64_t count = 0;
        for (int64_t at = plan.from;;
             at += plan.all || at < plan.dense ? 1 : std::max<int64_t>(1, at / 3)) {
            if (at <= plan.dense && count++ % static_cast<uint64_t>(plan.every) != 0) {
                continue;
            }
            std::snprintf(current, sizeof current, "--scenario '%s' --kind '%s' --from %lld, %s",
                          scenario.name, quern::faults::Name(kind), static_cast<long long>(at),
                          sticky ? "and all calls after it" : "once");
            const bool probe = tally->runs % 8 == 0;
            const int64_t blocks = quern::faults::LiveBlocks();
            const int64_t bytes = quern::faults::SqliteBytes();
            Run run = RunOnce(scenario, kind, at, sticky, probe);
            tally->runs++;
            tally->errors += run.status != QUERN_OK ? 1 : 0;
            if (run.problem.empty() && (quern::faults::LiveBlocks() > blocks + 40 ||
                                        quern::faults::SqliteBytes() > bytes)) {
                // What is made once and kept is no leak: it does not grow again.
                const int64_t then_blocks = quern::faults::LiveBlocks();
                const int64_t then_bytes = quern::faults::SqliteBytes();
                RunOnce(scenario, kind, at, sticky, probe);
                if (quern::faults::LiveBlocks() > then_blocks ||
                    quern::faults::SqliteBytes() > then_bytes) {
                    run.problem =
                        "leaks " + std::to_string(quern::faults::LiveBlocks() - then_blocks) +
                        " blocks, and of SQLite " +
                        std::to_string(quern::faults::SqliteBytes() - then_bytes) + " bytes";
                }
            }
            if (!run.problem.empty()) {
                tally->failures++;
                std::printf("%s: %s: %s\n", current, quern_status_name(run.status),
                            run.problem.c_str());
                std::fflush(stdout);
            }
            if (!run.hit || tally->failures >= 20) {
                break;
            }
        }
    }
}

const char* Argument(int argc, char** argv, const char* name, const char* otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    std::set_terminate(OnTerminate);
    const std::string only = Argument(argc, argv, "--scenario", "");
    const std::string kind_only = Argument(argc, argv, "--kind", "");
    bool large = false;
    Plan plan;
    plan.from = std::atoll(Argument(argc, argv, "--from", "1"));
    plan.dense = std::atoll(Argument(argc, argv, "--dense", "24"));
    plan.every = std::max(1LL, std::atoll(Argument(argc, argv, "--every", "1")));
    for (int i = 1; i < argc; i++) {
        plan.all = plan.all || std::strcmp(argv[i], "--all") == 0;
        large = large || std::strcmp(argv[i], "--large") == 0;
    }
    if (!quern::faults::TakeOverMemory() || !quern::storage::RegisterMemoryVfs().ok()) {
        std::printf("SQLite's memory cannot be taken over\n");
        return 1;
    }
    quern::testing::SetBaseVfs(quern::faults::RegisterFailingVfs());
    Tally tally;
    size_t scenarios = 0;
    for (Scenario& scenario : Scenarios()) {
        const bool slow =
            std::strcmp(scenario.name, "large") == 0 || std::strcmp(scenario.name, "threads") == 0;
        if (only.empty() ? slow && !large : only != scenario.name) {
            continue;
        }
        if (!Prepare(&scenario)) {
            return 1;
        }
        scenarios++;
        const Tally so_far = tally;
        for (int k = 1; k < static_cast<int>(Kind::kCount); k++) {
            const auto kind = static_cast<Kind>(k);
            const bool wanted = std::strcmp(scenario.name, "large") != 0 || kind >= Kind::kNew;
            const bool threads = std::strcmp(scenario.name, "threads") == 0;
            if ((kind_only.empty() || kind_only == quern::faults::Name(kind)) && wanted &&
                (!threads || kind == Kind::kThread)) {
                RunAll(scenario, kind, plan, &tally);
            }
        }
        std::printf("%-10s %6llu runs, %6llu told an error, %llu failures\n", scenario.name,
                    static_cast<unsigned long long>(tally.runs - so_far.runs),
                    static_cast<unsigned long long>(tally.errors - so_far.errors),
                    static_cast<unsigned long long>(tally.failures - so_far.failures));
        std::fflush(stdout);
    }
    std::printf("%zu scenarios: %llu runs with a failing call, %llu told an error, %llu failures\n",
                scenarios, static_cast<unsigned long long>(tally.runs),
                static_cast<unsigned long long>(tally.errors),
                static_cast<unsigned long long>(tally.failures));
    return tally.failures == 0 ? 0 : 1;
}
