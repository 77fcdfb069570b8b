// Kills a writing process at random moments and looks at what it left.
//
//   kill9_test [--cycles 60] [--seed 1] [--dir DIR]
//
// The child inserts numbered batches, optimizes and vacuums, and writes the number of each
// acknowledged batch to a pipe. The parent kills it after a random time, opens the file, and finds
// every acknowledged batch whole, no batch in part, and a clean verify.
#include <quern.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kDim = 16;
constexpr const char* kOptions = "seal_rows=400 seal_kb=64";

long Argument(int argc, char** argv, const char* name, long otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return std::atol(argv[i + 1]);
        }
    }
    return otherwise;
}

// Sizes of batches: mostly small ones through the log, now and then one that becomes a segment.
size_t BatchSize(int64_t number) {
    return number % 50 == 49 ? 5000 : number % 7 == 3 ? 100 : 1;
}

bool Insert(quern_db* db, int64_t number) {
    const size_t count = BatchSize(number);
    std::vector<int64_t> keys(count);
    std::vector<int64_t> batches(count, number);
    std::vector<float> vectors(count * kDim);
    for (size_t i = 0; i < count; i++) {
        keys[i] = number * 10000 + static_cast<int64_t>(i);
        for (size_t d = 0; d < kDim; d++) {
            vectors[i * kDim + d] = static_cast<float>((keys[i] + static_cast<int64_t>(d)) % 997);
        }
    }
    quern_batch* batch = quern_batch_new(db, "docs", count);
    quern_batch_key_int(batch, keys.data());
    quern_batch_int(batch, "batch", batches.data(), nullptr);
    quern_batch_dense(batch, "emb", vectors.data(), kDim, nullptr);
    const bool ok = quern_upsert(batch, nullptr, nullptr) == QUERN_OK;
    quern_batch_free(batch);
    return ok;
}

[[noreturn]] void Child(const std::string& path, int64_t first, int out) {
    quern_db* db = nullptr;
    if (quern_open(path.c_str(), kOptions, &db, nullptr) != QUERN_OK) {
        _exit(1);
    }
    for (int64_t number = first;; number++) {
        if (!Insert(db, number)) {
            _exit(2);
        }
        if (write(out, &number, sizeof number) != sizeof number) {
            _exit(3);
        }
        if (number % 40 == 20 && quern_optimize(db, nullptr, 0, nullptr) != QUERN_OK) {
            _exit(4);
        }
        if (number % 160 == 100 && quern_vacuum(db, nullptr) != QUERN_OK) {
            _exit(5);
        }
    }
}

// The highest batch that is there; -1 on a problem, which is printed.
int64_t Inspect(const std::string& path, int64_t acknowledged) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    quern_result* rows = nullptr;
    int64_t highest = -1;
    if (quern_open(path.c_str(), kOptions, &db, &err) != QUERN_OK ||
        quern_verify(db, nullptr, &err) != QUERN_OK ||
        quern_sql(db, nullptr, "SELECT batch, count(*) FROM docs GROUP BY batch", &rows, &err) !=
            QUERN_OK) {
        std::printf("%s\n", err.message);
        quern_close(db);
        return -1;
    }
    std::map<int64_t, int64_t> found;
    for (size_t row = 0; row < quern_result_rows(rows); row++) {
        found[quern_result_int(rows, row, 0)] = quern_result_int(rows, row, 1);
    }
    quern_result_free(rows);
    quern_close(db);
    for (int64_t number = 1; number <= acknowledged; number++) {
        if (found[number] != static_cast<int64_t>(BatchSize(number))) {
            std::printf("batch %lld was acknowledged, and %lld of its %zu records are there\n",
                        static_cast<long long>(number), static_cast<long long>(found[number]),
                        BatchSize(number));
            return -1;
        }
    }
    for (const auto& [number, count] : found) {
        if (count != 0 && count != static_cast<int64_t>(BatchSize(number))) {
            std::printf("batch %lld is there in part\n", static_cast<long long>(number));
            return -1;
        }
        highest = count != 0 ? number : highest;
    }
    return highest < acknowledged ? acknowledged : highest;
}

}  // namespace

int main(int argc, char** argv) {
    const long cycles = Argument(argc, argv, "--cycles", 60);
    std::mt19937 random(static_cast<unsigned>(Argument(argc, argv, "--seed", 1)));
    std::string dir = std::filesystem::temp_directory_path().string();
    for (int i = 1; i + 1 < argc; i++) {
        dir = std::strcmp(argv[i], "--dir") == 0 ? argv[i + 1] : dir;
    }
    const std::string path = dir + "/quern_kill9_" + std::to_string(getpid()) + ".db";
    int64_t last = 0;
    long acknowledged_in_all = 0;
    long unfinished = 0;
    long files = 0;
    for (long cycle = 0; cycle < cycles; cycle++) {
        if (cycle % 25 == 0) {
            // A fresh file now and then: creation is interrupted as well, and the files stay small.
            for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
                std::filesystem::remove(path + suffix);
            }
            quern_db* db = nullptr;
            quern_schema* schema = quern_schema_new();
            quern_schema_attr(schema, "batch", QUERN_INT, nullptr);
            quern_schema_dense(schema, "emb", kDim, QUERN_COSINE, nullptr);
            if (quern_open(path.c_str(), kOptions, &db, nullptr) != QUERN_OK ||
                quern_create(db, "docs", schema, nullptr) != QUERN_OK) {
                std::printf("the file cannot be created\n");
                return 1;
            }
            quern_schema_free(schema);
            quern_close(db);
            last = 0;
            files++;
        }
        int ends[2];
        if (pipe(ends) != 0) {
            return 1;
        }
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            Child(path, last + 1, ends[1]);
        }
        close(ends[1]);
        usleep(static_cast<useconds_t>(1000 + random() % 200000));
        kill(child, SIGKILL);
        int64_t acknowledged = last;
        int64_t number = 0;
        while (read(ends[0], &number, sizeof number) == sizeof number) {
            acknowledged = number;
        }
        close(ends[0]);
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status)) {
            std::printf("cycle %ld: the writer failed with code %d\n", cycle, WEXITSTATUS(status));
            return 1;
        }
        const int64_t highest = Inspect(path, acknowledged);
        if (highest < 0) {
            std::printf("cycle %ld: after batch %lld; the file is %s\n", cycle,
                        static_cast<long long>(acknowledged), path.c_str());
            return 1;
        }
        acknowledged_in_all += static_cast<long>(acknowledged - last);
        unfinished += highest > acknowledged ? 1 : 0;
        last = highest;
    }
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        std::filesystem::remove(path + suffix);
    }
    std::printf(
        "%ld kills on %ld files: %ld acknowledged batches, none lost; %ld commits had landed "
        "unheard\n",
        cycles, files, acknowledged_in_all, unfinished);
    return 0;
}
