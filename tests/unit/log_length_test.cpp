// The write-ahead log stays short while readers of several processes come and go in turns, so that
// there is never a moment without one.
#include <quern.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kDim = 64;
constexpr size_t kRows = 200;
constexpr int kReaders = 2;  // processes, and threads of each
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kCommits = 700;
#else
constexpr int kCommits = 2000;
#endif
// The log may reach four times 384 pages before it is cut, and grow a little while it is. Never
// cut, it would reach all that is written, about 480 MB.
constexpr uintmax_t kLogBytesMost = 40 << 20;
// On a machine so busy that readers sleep with their snapshots open it is cut later. Not every
// time.
constexpr int kTries = 4;

std::string Path() {
    return (std::filesystem::temp_directory_path() /
            ("quern_log_" + std::to_string(getpid()) + ".db"))
        .string();
}

void Remove(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(path + suffix);
    }
}

int32_t Write(quern_db* db, int64_t first) {
    std::vector<int64_t> keys(kRows);
    std::vector<float> vectors(kRows * kDim, static_cast<float>(first));
    for (size_t i = 0; i < kRows; i++) {
        keys[i] = first + static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(db, "docs", kRows);
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", vectors.data(), kDim, nullptr);
    const int32_t status = quern_upsert(batch, nullptr, nullptr);
    quern_batch_free(batch);
    return status;
}

// Snapshots of a millisecond, one after the other, until the process is ended from outside.
void ReadForever(quern_db* db) {
    while (true) {
        quern_snapshot* snapshot = nullptr;
        uint64_t count = 0;
        if (quern_snapshot_new(db, &snapshot, nullptr) != QUERN_OK ||
            quern_count(db, "docs", snapshot, &count, nullptr) != QUERN_OK) {
            _exit(1);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        quern_snapshot_free(snapshot);
    }
}

pid_t StartReader(const std::string& path) {
    const pid_t child = fork();
    if (child == 0) {
        quern_db* db = nullptr;
        if (quern_open(path.c_str(), "mode=ro", &db, nullptr) != QUERN_OK) {
            _exit(1);
        }
        std::vector<std::thread> threads;
        for (int i = 0; i < kReaders; i++) {
            threads.emplace_back(ReadForever, db);
        }
        threads[0].join();
        _exit(1);
    }
    return child;
}

// How long the log gets beside readers in turns.
uintmax_t LongestLog() {
    const std::string path = Path();
    Remove(path);
    quern_db* db = nullptr;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kDim, QUERN_L2, "index=none");
    REQUIRE(quern_open(path.c_str(), nullptr, &db, nullptr) == QUERN_OK);
    REQUIRE(quern_create(db, "docs", schema, nullptr) == QUERN_OK);
    quern_schema_free(schema);
    quern_close(db);
    pid_t readers[kReaders];
    for (pid_t& reader : readers) {
        reader = StartReader(path);
    }
    REQUIRE(quern_open(path.c_str(), "durability=relaxed seal_rows=2000", &db, nullptr) ==
            QUERN_OK);
    uintmax_t most = 0;
    for (int i = 0; i < kCommits; i++) {
        REQUIRE(Write(db, (i % 20) * static_cast<int64_t>(kRows)) == QUERN_OK);
        std::error_code none;
        const uintmax_t bytes = std::filesystem::file_size(path + "-wal", none);
        most = std::max(most, none ? 0 : bytes);
    }
    for (const pid_t reader : readers) {
        int status = 0;
        REQUIRE(waitpid(reader, &status, WNOHANG) == 0);  // no reader was turned away
        kill(reader, SIGKILL);
        waitpid(reader, &status, 0);
    }
    REQUIRE(quern_verify(db, nullptr, nullptr) == QUERN_OK);
    quern_close(db);
    Remove(path);
    return most;
}

}  // namespace

TEST_CASE("readers in turns do not let the log grow without end", "[processes]") {
    uintmax_t least = UINTMAX_MAX;
    for (int i = 0; i < kTries && least >= kLogBytesMost; i++) {
        least = std::min(least, LongestLog());
    }
    INFO("the log reached " << least << " bytes, at the least");
    CHECK(least < kLogBytesMost);
}
