// Several threads on one handle and several processes on one file. A writer moves amounts between
// accounts, two records in one transaction; whatever the moment, every reader must see the same
// total, a count that agrees with the scan, and generations that never go back.
#include <quern.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kAccounts = 300;
constexpr int64_t kStart = 100;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kTransfers = 400;
constexpr size_t kBulk = 10000;
#else
constexpr int kTransfers = 1500;
constexpr size_t kBulk = 100000;
#endif
constexpr const char* kOptions = "seal_rows=150 seal_kb=16 threads=2 busy_ms=60000";

struct TempFile {
    TempFile() {
        path = (std::filesystem::temp_directory_path() /
                ("quern_threads_" + std::to_string(getpid()) + ".db"))
                   .string();
        Remove();
    }
    ~TempFile() { Remove(); }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path + suffix);
        }
    }
    std::string path;
};

quern_db* Open(const std::string& path) {
    quern_db* db = nullptr;
    return quern_open(path.c_str(), kOptions, &db, nullptr) == QUERN_OK ? db : nullptr;
}

bool Create(quern_db* db) {
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "amount", QUERN_INT, nullptr);
    quern_schema_dense(schema, "emb", 2, QUERN_L2, "index=none");
    bool ok = quern_create(db, "accounts", schema, nullptr) == QUERN_OK;
    quern_schema_free(schema);
    std::vector<int64_t> keys;
    std::vector<int64_t> amounts(kAccounts, kStart);
    std::vector<float> vectors(2 * kAccounts, 1.0f);
    for (int i = 0; i < kAccounts; i++) {
        keys.push_back(i);
    }
    quern_batch* batch = quern_batch_new(db, "accounts", kAccounts);
    quern_batch_key_int(batch, keys.data());
    quern_batch_int(batch, "amount", amounts.data(), nullptr);
    quern_batch_dense(batch, "emb", vectors.data(), 2, nullptr);
    ok = ok && quern_insert(batch, nullptr, nullptr) == QUERN_OK;
    quern_batch_free(batch);
    return ok;
}

// Moves random amounts; every other time whole records are replaced, else attributes updated.
bool Transfer(quern_db* db, int count, unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < count; i++) {
        const auto a = static_cast<int64_t>(random() % kAccounts);
        const auto b = (a + 1 + static_cast<int64_t>(random() % (kAccounts - 1))) % kAccounts;
        const int64_t keys[] = {a, b};
        quern_txn* txn = nullptr;
        if (quern_begin(db, &txn, nullptr) != QUERN_OK) {
            return false;
        }
        // Reads see committed data, and nobody else can commit before this transaction ends.
        quern_batch* batch = quern_batch_new(db, "accounts", 2);
        quern_batch_key_int(batch, keys);
        quern_result* rows = nullptr;
        bool ok = quern_get(batch, nullptr, "amount", &rows, nullptr) == QUERN_OK;
        const auto moved = static_cast<int64_t>(random() % 10);
        const int64_t amounts[] = {quern_result_int(rows, 0, 0) - moved,
                                   quern_result_int(rows, 1, 0) + moved};
        quern_result_free(rows);
        const float vectors[] = {static_cast<float>(i), 0, 0, static_cast<float>(i)};
        quern_batch_int(batch, "amount", amounts, nullptr);
        if (random() % 2 == 0) {
            quern_batch_dense(batch, "emb", vectors, 2, nullptr);
            ok = ok && quern_upsert(batch, txn, nullptr) == QUERN_OK;
        } else {
            ok = ok && quern_update(batch, txn, nullptr) == QUERN_OK;
        }
        quern_batch_free(batch);
        if (random() % 16 == 0) {
            quern_rollback(txn);
        } else {
            ok = quern_commit(txn, nullptr) == QUERN_OK && ok;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

// One look: total, count, and a search that must find every account.
bool Look(quern_db* db, uint64_t* generation) {
    quern_snapshot* snapshot = nullptr;
    if (quern_snapshot_new(db, &snapshot, nullptr) != QUERN_OK) {
        return false;
    }
    const uint64_t now = quern_snapshot_generation(snapshot);
    bool ok = now >= *generation;
    *generation = now;
    uint64_t count = 0;
    ok = ok && quern_count(db, "accounts", snapshot, &count, nullptr) == QUERN_OK &&
         count == kAccounts;
    const float query[] = {0, 0};
    quern_query* q = quern_query_new(db, "accounts");
    quern_query_dense(q, "emb", query, 1, 2);
    quern_query_limit(q, 2 * kAccounts);
    quern_query_columns(q, "amount");
    quern_query_snapshot(q, snapshot);
    quern_result* rows = nullptr;
    ok = ok && quern_search(q, &rows, nullptr) == QUERN_OK && quern_result_rows(rows) == kAccounts;
    int64_t total = 0;
    for (size_t i = 0; i < quern_result_rows(rows); i++) {
        total += quern_result_int(rows, i, 0);
    }
    ok = ok && total == kAccounts * kStart;
    quern_result_free(rows);
    quern_query_free(q);
    quern_snapshot_free(snapshot);
    return ok;
}

}  // namespace

TEST_CASE("threads on one handle see whole commits") {
    for (const bool memory : {false, true}) {
        CAPTURE(memory);
        const TempFile file;
        quern_db* db = Open(memory ? ":memory:" : file.path);
        REQUIRE(db != nullptr);
        REQUIRE(Create(db));
        std::atomic<bool> done{false};
        std::atomic<int> failures{0};
        std::atomic<int> looks{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; i++) {
            threads.emplace_back([&] {
                uint64_t generation = 0;
                while (!done) {
                    failures += Look(db, &generation) ? 0 : 1;
                    looks++;
                }
            });
        }
        threads.emplace_back([&] {
            while (!done) {
                failures += quern_optimize(db, nullptr, 0, nullptr) == QUERN_OK ? 0 : 1;
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
        });
        std::thread second([&] { failures += Transfer(db, kTransfers / 2, 2) ? 0 : 1; });
        failures += Transfer(db, kTransfers / 2, 1) ? 0 : 1;
        second.join();
        done = true;
        for (std::thread& thread : threads) {
            thread.join();
        }
        REQUIRE(failures == 0);
        REQUIRE(looks > 3);
        quern_error err = QUERN_ERROR_INIT;
        const int32_t status = quern_verify(db, nullptr, &err);
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
        quern_close(db);
    }
}

#if !defined(__SANITIZE_THREAD__)  // it does not follow forks
TEST_CASE("processes on one file see whole commits", "[processes]") {
    const TempFile file;
    {
        quern_db* db = Open(file.path);
        REQUIRE(db != nullptr);
        REQUIRE(Create(db));
        quern_close(db);
    }
    std::vector<pid_t> children;
    for (int role = 0; role < 5; role++) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            // Two writers, two readers, one that optimizes; each opens the file itself.
            quern_db* db = Open(file.path);
            bool ok = db != nullptr;
            if (role < 2) {
                ok = ok && Transfer(db, kTransfers / 4, static_cast<unsigned>(role) + 10);
            } else if (role < 4) {
                uint64_t generation = 0;
                for (int i = 0; i < kTransfers / 10 && ok; i++) {
                    ok = Look(db, &generation);
                }
            } else {
                for (int i = 0; i < 30 && ok; i++) {
                    ok = quern_optimize(db, nullptr, 0, nullptr) == QUERN_OK;
                    usleep(10000);
                }
            }
            quern_close(db);
            _exit(ok ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(status == 0);
    }
    quern_db* db = Open(file.path);
    REQUIRE(db != nullptr);
    uint64_t generation = 0;
    REQUIRE(Look(db, &generation));
    quern_error err = QUERN_ERROR_INIT;
    const int32_t status = quern_verify(db, nullptr, &err);
    INFO(err.message);
    REQUIRE(status == QUERN_OK);
    quern_close(db);
}

TEST_CASE("a handle does not survive fork", "[processes]") {
    const TempFile file;
    quern_db* db = Open(file.path);
    REQUIRE(db != nullptr);
    REQUIRE(Create(db));
    const pid_t child = fork();
    if (child == 0) {
        uint64_t count = 0;
        const bool refused =
            quern_count(db, "accounts", nullptr, &count, nullptr) == QUERN_ERR_MISUSE;
        quern_close(db);  // leaves the parent's file alone
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(Transfer(db, 20, 3));
    uint64_t generation = 0;
    REQUIRE(Look(db, &generation));
    quern_close(db);
}
#endif

#if !defined(__SANITIZE_THREAD__)  // it does not follow forks
// Others can write, seal and merge faster than one optimize gives space back: it has to end all the
// same.
TEST_CASE("optimize ends while other processes go on writing", "[processes]") {
    TempFile file;
    quern_db* db = Open(file.path);
    REQUIRE(db != nullptr);
    REQUIRE(Create(db));
    {
        // So much that a merge of everything takes longer than the writers need for new segments.
        std::vector<int64_t> keys;
        for (size_t i = 0; i < kBulk; i++) {
            keys.push_back(1000000 + static_cast<int64_t>(i));
        }
        const std::vector<float> vectors(2 * kBulk, 0.5f);
        quern_batch* batch = quern_batch_new(db, "accounts", kBulk);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", vectors.data(), 2, nullptr);
        REQUIRE(quern_insert(batch, nullptr, nullptr) == QUERN_OK);
        quern_batch_free(batch);
    }
    quern_close(db);
    std::vector<pid_t> writers;
    for (int w = 0; w < 2; w++) {
        const pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            quern_db* own = Open(file.path);
            constexpr size_t kCount = 100;
            for (int64_t serial = 0; own != nullptr; serial++) {
                std::vector<int64_t> keys;
                std::vector<int64_t> amounts(kCount, serial);
                std::vector<float> vectors(2 * kCount, static_cast<float>(serial));
                for (size_t i = 0; i < kCount; i++) {
                    keys.push_back(1000 * (w + 1) + (serial * 37 + static_cast<int64_t>(i)) % 900);
                }
                quern_batch* batch = quern_batch_new(own, "accounts", kCount);
                quern_batch_key_int(batch, keys.data());
                quern_batch_int(batch, "amount", amounts.data(), nullptr);
                quern_batch_dense(batch, "emb", vectors.data(), 2, nullptr);
                const int32_t status = quern_upsert(batch, nullptr, nullptr);
                quern_batch_free(batch);
                if (status != QUERN_OK) {
                    break;
                }
            }
            _exit(1);  // a writer ends by being killed
        }
        writers.push_back(pid);
    }
    db = Open(file.path);
    REQUIRE(db != nullptr);
    uint64_t count = 0;
    while (count < kAccounts + kBulk + 500) {
        REQUIRE(quern_count(db, "accounts", nullptr, &count, nullptr) == QUERN_OK);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::atomic<bool> ended{false};
    std::atomic<bool> stopped{false};
    std::thread watch([&] {
        for (int tenths = 0; tenths < 300 && !ended; tenths++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        if (!ended) {
            stopped = true;
            quern_interrupt(db);
        }
    });
    quern_error err = QUERN_ERROR_INIT;
    const int32_t status = quern_optimize(db, nullptr, 0, &err);
    ended = true;
    watch.join();
    INFO(err.message);
    CHECK_FALSE(stopped);
    CHECK(status == QUERN_OK);
    for (const pid_t pid : writers) {
        int how = 0;
        CHECK(waitpid(pid, &how, WNOHANG) == 0);  // it has been writing all the time
        kill(pid, SIGKILL);
        waitpid(pid, &how, 0);
    }
    CHECK(quern_verify(db, nullptr, nullptr) == QUERN_OK);
    quern_close(db);
}
#endif
