// Crash replay: runs a workload on a recording VFS, makes the states that a power failure at any
// moment could have left behind, and opens each. In every one of them the file must open, verify
// must be clean, and what a user sees must be exactly the content after some commit: with
// durability=full none older than the last one acknowledged before the crash.
//
//   crash_replay_test [--states 20000] [--seed 1] [--steps 260] [--fault N]
//
// --fault plants an error of quern's own (storage/base/test_fault.h, builds with QUERN_TEST_FAULTS)
// and expects the replay to find it.
#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"
#include "tests/crash/crash_points.h"
#include "tests/crash/crash_workload.h"
#include "tests/crash/planted.h"
#include "tests/crash/recording_vfs.h"

namespace {

using quern::crash::CrashPoints;
using quern::crash::Files;
using quern::crash::Loss;
using quern::crash::Operation;

constexpr const char* kFolder = "/crash";

struct Commit {
    size_t operation = 0;  // operations recorded when it was acknowledged
    std::string dump;
};

// Opens one state. Empty when all is well, else what is wrong.
std::string CheckState(const std::string& path, const std::vector<Commit>& commits, size_t point,
                       bool full) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    if (quern_open(path.c_str(), "threads=1", &db, &err) != QUERN_OK) {
        return std::string("does not open: ") + err.message;
    }
    std::string problem;
    if (quern_verify(db, nullptr, &err) != QUERN_OK) {
        problem = std::string("verify: ") + err.message;
    }
    std::string error;
    const std::string dump = quern::crash::Dump(db, &error);
    if (problem.empty() && dump.empty()) {
        problem = "cannot be read: " + error;
    }
    if (problem.empty()) {
        // Before the first commit the database is empty.
        size_t oldest = 0;
        while (full && oldest < commits.size() && commits[oldest].operation <= point) {
            oldest++;
        }
        bool found = (!full || oldest == 0) && dump == "[]\n";
        for (size_t i = oldest == 0 ? 0 : oldest - 1; i < commits.size() && !found; i++) {
            found = commits[i].dump == dump;
            if (commits[i].operation > point) {
                break;  // the commit that was under way
            }
        }
        if (!found) {
            problem = "the content is not that of a commit that may be there";
        }
    }
    if (problem.empty() && dump != "[]\n") {
        const int64_t key = 1000000;
        quern_batch* batch = quern_batch_new(db, "a", 1);
        quern_batch_key_int(batch, &key);
        if (quern_upsert(batch, nullptr, &err) != QUERN_OK) {
            problem = std::string("cannot be written: ") + err.message;
        }
        quern_batch_free(batch);
    }
    quern_close(db);
    return problem;
}

struct Outcome {
    size_t states = 0;
    size_t failures = 0;
    std::string first;
};

// Every write to the main file must come from the log, whose frames must have been synced by then.
// Counts violations.
size_t CountEarlyWrites(const std::vector<Operation>& record, const std::string& path) {
    size_t violations = 0;
    bool log_dirty = false;
    bool uses_log = false;
    for (const Operation& operation : record) {
        if (operation.file == path + "-wal") {
            uses_log = true;
            log_dirty = operation.kind == Operation::Kind::kSync    ? false
                        : operation.kind == Operation::Kind::kWrite ? true
                                                                    : log_dirty;
        } else if (operation.file == path && operation.kind == Operation::Kind::kWrite &&
                   uses_log && log_dirty) {
            violations++;
        }
    }
    return violations;
}

Outcome Replay(size_t states, unsigned seed, int steps, bool full, bool stop_early) {
    Outcome outcome;
    quern::testing::SetBaseVfs(quern::crash::RegisterRecorder());
    quern::crash::Record().clear();
    quern::storage::DropMemoryFiles(kFolder);
    const std::string path = std::string(kFolder) + "/db";
    const std::string options =
        std::string("seal_rows=25 seal_kb=4 threads=1 durability=") + (full ? "full" : "relaxed");
    std::vector<Commit> commits;
    std::string trouble;
    const bool ran =
        quern::crash::RunWorkload(path, options.c_str(), steps, seed, [&](quern_db* db) {
            const size_t operation = quern::crash::Record().size();
            std::string error;
            std::string dump = quern::crash::Dump(db, &error);
            trouble = dump.empty() ? error : trouble;
            commits.push_back({operation, std::move(dump)});
        });
    const std::vector<Operation> record = quern::crash::Record();
    if (!ran || !trouble.empty()) {
        outcome.failures = 1;
        outcome.first = "the workload itself failed: " + trouble;
        return outcome;
    }
    if (full && CountEarlyWrites(record, path) > 0) {
        outcome.failures++;
        outcome.first = "the file was written before the log was synced";
    }
    std::mt19937 random(seed * 7919 + 1);
    std::vector<size_t> points(states);
    for (size_t& point : points) {
        point = random() % (record.size() + 1);
    }
    std::sort(points.begin(), points.end());
    quern::testing::SetBaseVfs(quern::storage::MemoryVfs());
    CrashPoints crash(record);
    for (size_t i = 0; i < points.size(); i++) {
        const auto loss = static_cast<Loss>(i % static_cast<size_t>(Loss::kCount));
        const Files files = crash.At(points[i], loss, &random);
        const std::string folder = "/replay/" + std::to_string(i);
        quern::crash::Materialize(files, kFolder, folder);
        const std::string problem = CheckState(folder + "/db", commits, points[i], full);
        quern::storage::DropMemoryFiles(folder);
        outcome.states++;
        if (!problem.empty()) {
            if (outcome.failures++ == 0) {
                outcome.first = "state " + std::to_string(i) + " (operation " +
                                std::to_string(points[i]) + " of " + std::to_string(record.size()) +
                                ", loss " + std::to_string(static_cast<int>(loss)) +
                                "): " + problem;
            }
            if (stop_early) {
                break;
            }
        }
    }
    std::printf("%s: %zu commits, %zu operations, %zu states, %zu failures%s%s\n",
                full ? "full" : "relaxed", commits.size(), record.size(), outcome.states,
                outcome.failures,
                outcome.first.empty() ? "" : "\n  first: ", outcome.first.c_str());
    return outcome;
}

long Argument(int argc, char** argv, const char* name, long otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return std::atol(argv[i + 1]);
        }
    }
    return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    const auto states = static_cast<size_t>(Argument(argc, argv, "--states", 20000));
    const auto seed = static_cast<unsigned>(Argument(argc, argv, "--seed", 1));
    const auto steps = static_cast<int>(Argument(argc, argv, "--steps", 260));
    const long fault = Argument(argc, argv, "--fault", 0);
    if (!quern::storage::RegisterMemoryVfs().ok()) {
        return 1;
    }
    quern::crash::Plant(fault);
    if (fault != 0) {
        const Outcome outcome = Replay(states, seed, steps, true, true);
        std::printf("fault %ld: %s\n", fault, outcome.failures > 0 ? "found" : "NOT FOUND");
        return outcome.failures > 0 ? 0 : 1;
    }
    // Most states with the promise that matters most.
    const Outcome full = Replay(states * 4 / 5, seed, steps, true, false);
    const Outcome relaxed = Replay(states / 5, seed + 1, steps, false, false);
    return full.failures + relaxed.failures == 0 ? 0 : 1;
}
