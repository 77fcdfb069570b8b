// Several processes on one file, any of which is killed at any moment: a writer, three readers, and
// one that optimizes and vacuums. Each transaction changes records and, in another collection, says
// how many there are and what their digest is: whatever a reader sees must be such a triple of
// number, count and digest, none older than one that it has seen, and its searches must find what
// its scan has.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

#include "tests/sessions/ledger.h"
#include "tests/sessions/topics.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

constexpr const char* kOptions = "seal_rows=60 seal_kb=8 threads=1 busy_ms=60000";
enum Role : size_t { kWriter, kReader1, kReader2, kReader3, kOptimizer, kRoles };

void Write(const std::string& path, Random& random, int acknowledge) {
    const std::shared_ptr<quern_db> db(OpenFile(path, kOptions), quern_close);
    LedgerRows rows = ReadLedgerRows(db.get(), nullptr);
    int64_t serial = ReadLedger(db.get(), nullptr).serial;
    while (true) {
        WriteOnce(db.get(), random, &rows, ++serial);
        Want(write(acknowledge, &serial, sizeof serial) == sizeof serial, "write to the pipe");
    }
}

// patient: one snapshot is held for the whole life, and must stay what it was.
void Read(const std::string& path, Random& random, bool patient) {
    const std::shared_ptr<quern_db> db(OpenFile(path, patient ? kOptions : "mode=ro threads=1"),
                                       quern_close);
    quern_error err = QUERN_ERROR_INIT;
    const auto take = [&] {
        quern_snapshot* snapshot = nullptr;
        Ok(quern_snapshot_new(db.get(), &snapshot, &err), err, "quern_snapshot_new");
        return std::shared_ptr<quern_snapshot>(snapshot, quern_snapshot_free);
    };
    const auto first = take();
    const Triple then = Look(db.get(), first.get(), random);
    Triple last = then;
    uint64_t generation = quern_snapshot_generation(first.get());
    for (int i = 0;; i++) {
        const auto snapshot = take();
        const Triple now = Look(db.get(), snapshot.get(), random);
        const uint64_t newer = quern_snapshot_generation(snapshot.get());
        Want(now.serial >= last.serial && newer >= generation, "a reader goes back in time");
        Want(newer != generation || now == last, "two states of one generation");
        last = now;
        generation = newer;
        if (patient) {
            Want(Look(db.get(), first.get(), random) == then, "a snapshot has changed");
        } else if (i % 8 == 7) {
            return;  // and a new process comes
        }
    }
}

void Optimize(const std::string& path, Random& random) {
    quern_error err = QUERN_ERROR_INIT;
    const std::shared_ptr<quern_db> db(OpenFile(path, kOptions), quern_close);
    while (true) {
        Ok(quern_optimize(db.get(), nullptr, 0, &err), err, "quern_optimize");
        if (Pick(random, 0, 19) == 0) {
            Ok(quern_verify(db.get(), nullptr, &err), err, "quern_verify");
        }
        usleep(static_cast<useconds_t>(Pick(random, 0, 20000)));
    }
}

pid_t Start(Role role, const std::string& path, uint64_t seed, int acknowledge) {
    const pid_t child = fork();
    if (child != 0) {
        return child;
    }
    Random random(seed);
    int code = 0;
    try {
        if (role == kWriter) {
            Write(path, random, acknowledge);
        } else if (role == kOptimizer) {
            Optimize(path, random);
        } else {
            Read(path, random, role == kReader3);
        }
    } catch (const Violation& violation) {
        std::printf("VIOLATION: process %zu: %s\n", static_cast<size_t>(role), violation.what());
        std::fflush(stdout);
        code = 1;
    }
    _exit(code);
}

}  // namespace

int RunKills(const Arguments& arguments) {
    const double seconds = arguments.seconds > 0 ? arguments.seconds : 12;
    Random random(arguments.seed);
    const std::string path = FreshFile(arguments, "kills");
    {
        const std::shared_ptr<quern_db> db(OpenFile(path, kOptions), quern_close);
        CreateLedger(db.get());
    }
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0 || fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK) != 0) {
        std::perror("pipe");
        return 1;
    }
    int violations = 0;
    size_t kills = 0, started = 0, acknowledged_count = 0;
    int64_t acknowledged = 0;
    std::array<pid_t, kRoles> children{};
    const auto start = [&](size_t role) {
        started++;
        children[role] = Start(static_cast<Role>(role), path, random(), pipe_ends[1]);
    };
    for (size_t role = 0; role < kRoles; role++) {
        start(role);
    }
    const auto hear = [&] {
        int64_t serial = 0;
        while (read(pipe_ends[0], &serial, sizeof serial) == sizeof serial) {
            acknowledged = std::max(acknowledged, serial);
            acknowledged_count++;
        }
    };
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
    while (std::chrono::steady_clock::now() < end && violations == 0) {
        usleep(static_cast<useconds_t>(Pick(random, 1000, 60000)));
        hear();
        const size_t victim = Pick(random, 0, kRoles - 1);
        for (size_t role = 0; role < kRoles; role++) {
            int status = 0;
            if (role == victim) {
                kill(children[role], SIGKILL);
                kills++;
                waitpid(children[role], &status, 0);
            } else if (waitpid(children[role], &status, WNOHANG) == 0) {
                continue;
            }
            if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL) {
                violations++;
                std::printf("VIOLATION: process %zu ended with %d\n", role, status);
            }
            start(role);
        }
    }
    for (const pid_t child : children) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    hear();
    try {
        quern_error err = QUERN_ERROR_INIT;
        const std::shared_ptr<quern_db> db(OpenFile(path, kOptions), quern_close);
        quern_snapshot* snapshot = nullptr;
        Ok(quern_snapshot_new(db.get(), &snapshot, &err), err, "quern_snapshot_new");
        const Triple now = Look(db.get(), snapshot, random);
        quern_snapshot_free(snapshot);
        Want(now.serial >= acknowledged,
             "commit " + std::to_string(acknowledged) +
                 " was acknowledged and is gone: " + std::to_string(now.serial));
        Ok(quern_verify(db.get(), nullptr, &err), err, "quern_verify");
    } catch (const Violation& violation) {
        std::printf("VIOLATION: afterwards: %s\n", violation.what());
        violations++;
    }
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    if (violations == 0) {
        RemoveFile(path);
    }
    std::printf(
        "%zu kills of %zu processes in %.0f s, %zu commits acknowledged (seed %llu): %d "
        "violations\n",
        kills, started, seconds, acknowledged_count,
        static_cast<unsigned long long>(arguments.seed), violations);
    return violations;
}

}  // namespace sessions
