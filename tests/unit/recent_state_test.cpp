// Searches of a state that nobody changes reuse what the search before knew, without a transaction:
// what anybody commits must be seen by the next search all the same, and nothing may hold the log.
#include <quern.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kDim = 4;

struct TwoHandles {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("quern_recent_" + std::to_string(getpid()) + ".db"))
                           .string();
    quern_db* reader = nullptr;
    quern_db* writer = nullptr;
    TwoHandles() {
        Remove();
        quern_error err = QUERN_ERROR_INIT;
        REQUIRE(quern_open(path.c_str(), "threads=1", &writer, &err) == QUERN_OK);
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, nullptr);
        REQUIRE(quern_create(writer, "docs", schema, &err) == QUERN_OK);
        quern_schema_free(schema);
        REQUIRE(quern_open(path.c_str(), "threads=1", &reader, &err) == QUERN_OK);
    }
    ~TwoHandles() {
        quern_close(reader);
        quern_close(writer);
        Remove();
    }
    void Remove() const {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path + suffix);
        }
    }
};

// A record at (key, 0, 0, 0).
int32_t Put(quern_db* db, int64_t key) {
    const float vector[kDim] = {static_cast<float>(key), 0, 0, 0};
    quern_batch* batch = quern_batch_new(db, "docs", 1);
    quern_batch_key_int(batch, &key);
    quern_batch_dense(batch, "emb", vector, kDim, nullptr);
    const int32_t status = quern_upsert(batch, nullptr, nullptr);
    quern_batch_free(batch);
    return status;
}

// How many records lie within the distance of all; -1: the search failed.
int64_t Found(quern_db* db) {
    const float vector[kDim] = {0, 0, 0, 0};
    quern_query* query = quern_query_new(db, "docs");
    quern_query_dense(query, "emb", vector, 1, kDim);
    quern_query_limit(query, 100000);
    quern_result* result = nullptr;
    const int32_t status = quern_search(query, &result, nullptr);
    const auto rows = static_cast<int64_t>(quern_result_rows(result));
    quern_result_free(result);
    quern_query_free(query);
    return status == QUERN_OK ? rows : -1;
}

}  // namespace

TEST_CASE("a search sees what another handle has committed since the last one", "[recent]") {
    TwoHandles file;
    for (int64_t i = 1; i <= 40; i++) {
        REQUIRE(Put(file.writer, i) == QUERN_OK);
        REQUIRE(Found(file.reader) == i);
        REQUIRE(Found(file.reader) == i);
        REQUIRE(Found(file.writer) == i);
    }
    REQUIRE(quern_optimize(file.writer, nullptr, 0, nullptr) == QUERN_OK);
    REQUIRE(Found(file.reader) == 40);
    REQUIRE(quern_vacuum(file.writer, nullptr) == QUERN_OK);
    REQUIRE(Found(file.reader) == 40);
    REQUIRE(quern_drop(file.writer, "docs", nullptr) == QUERN_OK);
    REQUIRE(Found(file.reader) == -1);
}

TEST_CASE("searches never answer with less than what was committed before they began", "[recent]") {
    TwoHandles file;
    constexpr int64_t kCommits = 150;
    std::atomic<int64_t> committed{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 3; r++) {
        readers.emplace_back([&] {
            int64_t last = 0;
            while (last < kCommits && wrong == 0) {
                const int64_t before = committed.load();
                const int64_t found = Found(file.reader);
                // Later than both, and no more than the commit that may be under way.
                if (found < before || found < last || found > committed.load() + 1) {
                    wrong++;
                }
                last = found;
            }
        });
    }
    for (int64_t i = 1; i <= kCommits; i++) {
        if (Put(file.writer, i) != QUERN_OK) {
            wrong++;
            break;
        }
        committed = i;
    }
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(wrong == 0);
}

TEST_CASE("a handle that has searched does not keep the log from being emptied", "[recent]") {
    TwoHandles file;
    for (int64_t i = 1; i <= 20; i++) {
        REQUIRE(Put(file.writer, i) == QUERN_OK);
        REQUIRE(Found(file.reader) == i);
    }
    // The vacuum waits for readers and ends with an empty log.
    REQUIRE(quern_vacuum(file.writer, nullptr) == QUERN_OK);
    CHECK(std::filesystem::file_size(file.path + "-wal") == 0);
    CHECK(Found(file.reader) == 20);
}
