// Kills a writing process at random moments and looks at what it left.
//
//   kill9_test [--cycles 60] [--seed 1] [--dir DIR] [--life-ms 100]
//
// The child works through numbered operations that follow from the seed (batches of many sizes,
// deletions, changes of attributes, transactions, optimize, rebuild, vacuum, reopening), and tells
// each that was acknowledged through a pipe. The parent kills it after a random time, and knows by
// the same rule which version of each record is committed, and which is pending: the file must hold
// the one or the other state, whole; verify must be clean, and every record be found. The options
// of the handle are drawn anew for each life, fields and indexes for each file.
#include <quern.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/world.h"

namespace {

using namespace quern::crash;

constexpr long kLivesOfAFile = 12;
constexpr const char* kSuffixes[] = {"", "-wal", "-shm", "-journal"};

const char* Argument(int argc, char** argv, const char* name, const char* otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

// The committed version of each record, and of its attributes.
struct Version {
    int64_t whole = 0;
    int64_t payload = 0;
    bool operator==(const Version& other) const = default;
};
using Model = std::map<int64_t, Version>;

struct Write {
    enum class Kind { kUpsert, kDelete, kUpdate } kind = Kind::kUpsert;
    std::vector<int64_t> keys;
};

// One numbered operation.
struct Task {
    enum class Kind { kWrites, kRolledBack, kOptimize, kRebuild, kVacuum, kReopen };
    Kind kind = Kind::kWrites;
    std::vector<Write> writes;  // one without a transaction, several in one
};

Task TaskOf(uint64_t seed, int64_t number, const Model& model) {
    std::mt19937_64 random(seed * 1000003 + static_cast<uint64_t>(number));
    Task task;
    const auto keys_of = [&](size_t count, uint64_t range) {
        const uint64_t first = random() % range;
        return Keys(static_cast<int64_t>(first), count, 1 + static_cast<int64_t>(random() % 3));
    };
    switch (number == 1 ? 99 : random() % 60) {
        case 0:
        case 1: task.kind = Task::Kind::kOptimize; return task;
        case 2: task.kind = Task::Kind::kRebuild; return task;
        case 3: task.kind = Task::Kind::kVacuum; return task;
        case 4:
        case 5: task.kind = Task::Kind::kReopen; return task;
        case 6: task.kind = Task::Kind::kRolledBack; break;
        default: break;
    }
    const size_t writes = random() % 6 == 0 || task.kind != Task::Kind::kWrites ? 3 : 1;
    Model now = model;
    for (size_t w = 0; w < writes; w++) {
        Write& write = task.writes.emplace_back();
        // Mostly small ones through the log, now and then one that becomes a segment.
        const uint64_t draw = random() % 100;
        const size_t count = draw == 0 ? 4200 : draw < 6 ? 120 : 1 + random() % 5;
        const uint64_t kind = number == 1 ? 0 : random() % 10;
        if (kind < 6 || now.empty()) {
            write.keys = keys_of(number == 1 ? 150 : count, 400);
            for (const int64_t key : write.keys) {
                now[key] = {number, number};
            }
        } else if (kind < 8) {
            write.kind = Write::Kind::kDelete;
            write.keys = keys_of(std::min<size_t>(count, 120), 500);
            for (const int64_t key : write.keys) {
                now.erase(key);
            }
        } else {
            write.kind = Write::Kind::kUpdate;
            auto at = now.lower_bound(static_cast<int64_t>(random() % 400));
            at = at == now.end() ? now.begin() : at;
            for (; at != now.end() && write.keys.size() < std::min<size_t>(count, 120); ++at) {
                at->second.payload = number;
                write.keys.push_back(at->first);
            }
        }
    }
    return task;
}

void Apply(const Task& task, int64_t number, Model* model) {
    if (task.kind != Task::Kind::kWrites) {
        return;
    }
    for (const Write& write : task.writes) {
        for (const int64_t key : write.keys) {
            switch (write.kind) {
                case Write::Kind::kUpsert: (*model)[key] = {number, number}; break;
                case Write::Kind::kDelete: model->erase(key); break;
                case Write::Kind::kUpdate: (*model)[key].payload = number; break;
            }
        }
    }
}

bool Do(const Task& task, int64_t number, unsigned fields, const std::string& path,
        const std::string& options, quern_db** db) {
    switch (task.kind) {
        case Task::Kind::kOptimize: return quern_optimize(*db, nullptr, 0, nullptr) == QUERN_OK;
        case Task::Kind::kRebuild: return quern_rebuild(*db, nullptr, nullptr) == QUERN_OK;
        case Task::Kind::kVacuum: return quern_vacuum(*db, nullptr) == QUERN_OK;
        case Task::Kind::kReopen:
            quern_close(*db);
            return quern_open(path.c_str(), options.c_str(), db, nullptr) == QUERN_OK;
        default: break;
    }
    quern_txn* txn = nullptr;
    const bool single = task.writes.size() == 1;
    bool ok = single || quern_begin(*db, &txn, nullptr) == QUERN_OK;
    for (const Write& write : task.writes) {
        if (!ok || write.keys.empty()) {
            continue;
        }
        const Rows rows(*db, "a", fields, write.keys, number,
                        write.kind == Write::Kind::kUpsert   ? Rows::What::kWhole
                        : write.kind == Write::Kind::kDelete ? Rows::What::kKeys
                                                             : Rows::What::kPayload);
        ok = (write.kind == Write::Kind::kUpsert ? quern_upsert(rows.batch(), txn, nullptr)
              : write.kind == Write::Kind::kDelete
                  ? quern_delete(rows.batch(), txn, nullptr)
                  : quern_update(rows.batch(), txn, nullptr)) == QUERN_OK;
    }
    if (single) {
        return ok;
    }
    if (!ok || task.kind == Task::Kind::kRolledBack) {
        quern_rollback(txn);
        return ok;
    }
    return quern_commit(txn, nullptr) == QUERN_OK;
}

[[noreturn]] void Child(const std::string& path, const std::string& options, unsigned fields,
                        uint64_t seed, int64_t first, Model model, int out) {
    quern_db* db = nullptr;
    if (quern_open(path.c_str(), options.c_str(), &db, nullptr) != QUERN_OK) {
        _exit(1);
    }
    for (int64_t number = first;; number++) {
        const Task task = TaskOf(seed, number, model);
        if (!Do(task, number, fields, path, options, &db)) {
            _exit(2);
        }
        if (write(out, &number, sizeof number) != sizeof number) {
            _exit(3);
        }
        Apply(task, number, &model);
    }
}

// What is in the file: empty on a problem, which is told.
bool Read(const std::string& path, const Model& committed, const Model& pending, bool* landed,
          std::string* problem) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    quern_cursor* cursor = nullptr;
    if (quern_open(path.c_str(), "", &db, &err) != QUERN_OK ||
        quern_verify(db, nullptr, &err) != QUERN_OK ||
        quern_scan(db, "a", nullptr, "*", &cursor, &err) != QUERN_OK) {
        *problem = err.message;
        quern_close(db);
        return false;
    }
    struct Seen {
        int64_t number = 0;
        std::string body;
    };
    std::map<int64_t, Seen> seen;
    bool with_body = false;
    for (bool end = false; !end && problem->empty();) {
        quern_result* rows = nullptr;
        if (quern_cursor_next(cursor, 4096, &rows, &err) != QUERN_OK) {
            *problem = err.message;
        }
        end = quern_result_rows(rows) == 0;
        for (size_t row = 0; row < quern_result_rows(rows); row++) {
            Seen& one = seen[quern_result_key_int(rows, row)];
            for (size_t c = 0; c < quern_result_columns(rows); c++) {
                const std::string name = quern_result_column_name(rows, c);
                if (name == "number") {
                    one.number = quern_result_int(rows, row, c);
                } else if (name == "body") {
                    with_body = true;
                    const char* text = quern_result_text(rows, row, c, nullptr);
                    one.body = text == nullptr ? "" : text;
                }
            }
        }
        quern_result_free(rows);
    }
    quern_cursor_free(cursor);
    const auto differs = [&](const Model& model) -> std::string {
        for (const auto& [key, version] : model) {
            const auto found = seen.find(key);
            const std::string word = std::string(" ").append(VersionWord(version.whole));
            if (found == seen.end()) {
                return "record " + std::to_string(key) + " is not there";
            }
            const std::string& body = found->second.body;
            const bool same_body =
                !with_body || !HasFields(key) ||
                (body.size() > word.size() &&
                 body.compare(body.size() - word.size(), word.size(), word) == 0);
            if (found->second.number != NumberOf(key, version.payload) || !same_body) {
                return "record " + std::to_string(key) + " is not that of operation " +
                       std::to_string(version.whole) + ", attributes of " +
                       std::to_string(version.payload);
            }
        }
        return seen.size() == model.size() ? "" : "there are records that were deleted";
    };
    if (problem->empty()) {
        const std::string off = differs(committed);
        *landed = !off.empty();
        if (!off.empty() && !differs(pending).empty()) {
            *problem = "neither what was committed (" + off + ") nor with what was pending (" +
                       differs(pending) + ")";
        }
    }
    *problem = problem->empty() ? ProbeWorld(db) : *problem;
    quern_close(db);
    return problem->empty();
}

std::string DrawOptions(std::mt19937_64* random) {
    const auto one_of = [&](std::initializer_list<const char*> all) {
        return std::string(*(all.begin() + (*random)() % all.size()));
    };
    return one_of({"threads=1", "threads=2", "threads=4"}) + " " +
           one_of({"durability=full", "durability=relaxed"}) + " " +
           one_of({"maintenance=auto", "maintenance=off", "maintenance=background"}) + " " +
           one_of({"seal_rows=20", "seal_rows=400", "seal_rows=6000"}) + " " +
           one_of({"seal_kb=8", "seal_kb=64", "seal_kb=4096"}) + " " +
           one_of({"memory_mb=1", "memory_mb=64"}) + " " + one_of({"cache_mb=1", "cache_mb=16"});
}

void Remove(const std::string& path) {
    for (const char* suffix : kSuffixes) {
        std::filesystem::remove(path + suffix);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const long cycles = std::atol(Argument(argc, argv, "--cycles", "60"));
    const uint64_t seed = std::strtoull(Argument(argc, argv, "--seed", "1"), nullptr, 10);
    const long life_ms = std::max(1L, std::atol(Argument(argc, argv, "--life-ms", "100")));
    const std::string dir =
        Argument(argc, argv, "--dir", std::filesystem::temp_directory_path().string().c_str());
    const std::string path = dir + "/quern_kill9_" + std::to_string(getpid()) + ".db";
    std::mt19937_64 random(seed);
    Model model;
    unsigned fields = 0;
    int64_t last = 0;
    uint64_t file_seed = 0;
    long acknowledged_in_all = 0;
    long unfinished = 0;
    long files = 0;
    for (long cycle = 0; cycle < cycles; cycle++) {
        if (cycle % kLivesOfAFile == 0) {
            Remove(path);
            fields = static_cast<unsigned>(random()) % 16;
            quern_error err = QUERN_ERROR_INIT;
            quern_db* db = nullptr;
            if (quern_open(path.c_str(), nullptr, &db, &err) != QUERN_OK ||
                CreateWorld(db, "a", fields, &err) != QUERN_OK) {
                std::printf("the file cannot be created: %s\n", err.message);
                return 1;
            }
            quern_close(db);
            model.clear();
            last = 0;
            file_seed = random();
            files++;
        }
        const std::string options = DrawOptions(&random);
        int ends[2];
        if (pipe(ends) != 0) {
            return 1;
        }
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            Child(path, options, fields, file_seed, last + 1, model, ends[1]);
        }
        close(ends[1]);
        usleep(static_cast<useconds_t>(500 + random() % (2000 * static_cast<uint64_t>(life_ms))));
        kill(child, SIGKILL);
        int64_t number = 0;
        while (read(ends[0], &number, sizeof number) == sizeof number) {
            Apply(TaskOf(file_seed, number, model), number, &model);
            acknowledged_in_all++;
            last = number;
        }
        close(ends[0]);
        int status = 0;
        waitpid(child, &status, 0);
        std::string problem;
        if (WIFEXITED(status)) {
            problem = "the writer failed with code " + std::to_string(WEXITSTATUS(status));
        }
        Model pending = model;
        Apply(TaskOf(file_seed, last + 1, model), last + 1, &pending);
        bool landed = false;
        if (!problem.empty() || !Read(path, model, pending, &landed, &problem)) {
            std::printf(
                "--seed %llu, cycle %ld, options %s, fields %u, after operation %lld: %s\n"
                "the file is %s\n",
                static_cast<unsigned long long>(seed), cycle, options.c_str(), fields,
                static_cast<long long>(last), problem.c_str(), path.c_str());
            return 1;
        }
        if (landed) {
            model = pending;
            last++;
            unfinished++;
        }
    }
    Remove(path);
    std::printf(
        "%ld kills on %ld files: %ld acknowledged operations, none lost; %ld commits had landed "
        "unheard\n",
        cycles, files, acknowledged_in_all, unfinished);
    return 0;
}
