// A full disk and a failing one: what is reported, what is kept, and how work goes on.
#include <quern.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/page_vfs.h"
#include "tests/unit/faulty_vfs.h"

namespace {

using quern::testing::FaultyDisk;
constexpr size_t kDim = 64;

class Disk {
public:
    Disk() {
        quern::testing::SetBaseVfs(FaultyDisk::Register());
        FaultyDisk::Heal();
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_disk_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
        Open("seal_rows=100000 seal_kb=1000000");
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, nullptr);
        REQUIRE(quern_create(db, "docs", schema, &err) == QUERN_OK);
        quern_schema_free(schema);
    }
    ~Disk() {
        FaultyDisk::Heal();
        quern_close(db);
        quern::testing::SetBaseVfs(nullptr);
        Remove();
    }
    void Open(const char* options) {
        quern_close(db);
        REQUIRE(quern_open(path_.c_str(), options, &db, &err) == QUERN_OK);
    }
    int32_t Insert(int64_t first, size_t count) {
        std::vector<int64_t> keys(count);
        std::vector<float> vectors(count * kDim);
        for (size_t i = 0; i < count; i++) {
            keys[i] = first + static_cast<int64_t>(i);
            for (size_t d = 0; d < kDim; d++) {
                vectors[i * kDim + d] =
                    static_cast<float>((keys[i] * 7919 + static_cast<int64_t>(d * d)) % 1000);
            }
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", vectors.data(), kDim, nullptr);
        const int32_t status = quern_insert(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    uint64_t Count() {
        uint64_t count = 0;
        REQUIRE(quern_count(db, "docs", nullptr, &count, &err) == QUERN_OK);
        return count;
    }
    void Verify() {
        const int32_t status = quern_verify(db, nullptr, &err);
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    std::string path() const { return path_; }
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;

private:
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm", ".copy", ".copy-wal", ".copy-journal"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    std::string path_;
};

}  // namespace

TEST_CASE("a full disk rolls the transaction back and work goes on when there is room") {
    Disk disk;
    REQUIRE(disk.Insert(0, 100) == QUERN_OK);
    // Whatever the write that does not fit: small commits, large ones that become segments, ones
    // that spill the cache.
    for (const size_t count : {size_t{1}, size_t{300}, size_t{5000}, size_t{60000}}) {
        for (const int64_t room : {0, 100, 20000, 200000}) {
            CAPTURE(count, room);
            FaultyDisk::bytes_left = room;
            const int32_t status = disk.Insert(1000, count);
            FaultyDisk::Heal();
            if (status == QUERN_OK) {
                REQUIRE(disk.Count() == 100 + count);
                std::vector<int64_t> keys(count);
                for (size_t i = 0; i < count; i++) {
                    keys[i] = 1000 + static_cast<int64_t>(i);
                }
                quern_batch* batch = quern_batch_new(disk.db, "docs", count);
                quern_batch_key_int(batch, keys.data());
                REQUIRE(quern_delete(batch, nullptr, &disk.err) == QUERN_OK);
                quern_batch_free(batch);
            } else {
                REQUIRE(status == QUERN_ERR_FULL);
                REQUIRE(std::string(disk.err.message).find("full") != std::string::npos);
            }
            REQUIRE(disk.Count() == 100);
        }
    }
    disk.Verify();
    REQUIRE(disk.Insert(1000, 200) == QUERN_OK);
    disk.Open("");
    REQUIRE(disk.Count() == 300);
    disk.Verify();
}

TEST_CASE("a full disk during maintenance loses nothing") {
    Disk disk;
    for (int i = 0; i < 5; i++) {
        REQUIRE(disk.Insert(i * 10000, 5000) == QUERN_OK);
    }
    for (const int64_t room : {0, 20000, 100000, 400000, 900000}) {
        CAPTURE(room);
        FaultyDisk::bytes_left = room;
        const int32_t optimized = quern_optimize(disk.db, nullptr, 0, &disk.err);
        REQUIRE((optimized == QUERN_OK || optimized == QUERN_ERR_FULL));
        const int32_t vacuumed = quern_vacuum(disk.db, &disk.err);
        REQUIRE((vacuumed == QUERN_OK || vacuumed == QUERN_ERR_FULL));
        const int32_t copied = quern_backup(disk.db, (disk.path() + ".copy").c_str(), &disk.err);
        REQUIRE((copied == QUERN_OK || copied == QUERN_ERR_FULL));
        REQUIRE(std::filesystem::exists(disk.path() + ".copy") == (copied == QUERN_OK));
        std::filesystem::remove(disk.path() + ".copy");
        FaultyDisk::Heal();
        REQUIRE(disk.Count() == 25000);
        disk.Verify();
    }
    REQUIRE(quern_optimize(disk.db, nullptr, 0, &disk.err) == QUERN_OK);
    disk.Verify();
}

TEST_CASE("on a full disk a database can be read, and says what has no room for writing") {
    Disk disk;
    REQUIRE(disk.Insert(0, 10) == QUERN_OK);
    quern_close(disk.db);
    disk.db = nullptr;
    FaultyDisk::bytes_left = 0;
    FaultyDisk::index_full = true;
    REQUIRE(quern_open(disk.path().c_str(), nullptr, &disk.db, &disk.err) == QUERN_ERR_FULL);
    REQUIRE(std::string(disk.err.message).find("-shm") != std::string::npos);
    disk.Open("mode=ro");
    REQUIRE(disk.Count() == 10);
    disk.Verify();
    FaultyDisk::Heal();
    disk.Open("");
    REQUIRE(disk.Insert(100, 10) == QUERN_OK);
    REQUIRE(disk.Count() == 20);
    disk.Verify();
    quern_close(disk.db);
    disk.db = nullptr;
    REQUIRE_FALSE(std::filesystem::exists(disk.path() + "-wal"));
    REQUIRE_FALSE(std::filesystem::exists(disk.path() + "-shm"));
}

TEST_CASE("a commit that fails for want of room for the log's index has an unknown outcome") {
    Disk disk;
    REQUIRE(disk.Insert(0, 10) == QUERN_OK);
    // The index grows with every 4096 pages or so of the log, which does not start over while a
    // snapshot is open.
    quern_snapshot* snapshot = nullptr;
    REQUIRE(quern_snapshot_new(disk.db, &snapshot, &disk.err) == QUERN_OK);
    FaultyDisk::index_full = true;
    int32_t status = QUERN_OK;
    for (int i = 0; i < 100 && status == QUERN_OK; i++) {
        status = disk.Insert(1000 + i * 10000, 5000);
    }
    quern_snapshot_free(snapshot);
    FaultyDisk::Heal();
    REQUIRE((status == QUERN_ERR_OUTCOME_UNKNOWN || status == QUERN_ERR_FULL));
    disk.Open("");
    REQUIRE(disk.Count() >= 10);
    disk.Verify();
}

TEST_CASE("an attempt to create a database on a full disk leaves nothing") {
    Disk disk;
    const std::string path = disk.path() + ".copy";
    for (const bool index_full : {false, true}) {
        for (const int64_t room : {0, 5000, 20000, 40000, 60000, 100000}) {
            CAPTURE(index_full, room);
            FaultyDisk::bytes_left = room;
            FaultyDisk::index_full = index_full;
            quern_db* db = nullptr;
            const int32_t status = quern_open(path.c_str(), nullptr, &db, &disk.err);
            quern_close(db);
            FaultyDisk::Heal();
            REQUIRE((status == QUERN_ERR_FULL || (status == QUERN_OK && !index_full)));
            for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
                const bool kept = suffix[0] == '\0' && status == QUERN_OK;
                CAPTURE(suffix);
                CHECK(std::filesystem::exists(path + suffix) == kept);
            }
            std::filesystem::remove(path);
        }
    }
}

TEST_CASE("a failed sync leaves the outcome open and poisons the writer") {
    Disk disk;
    REQUIRE(disk.Insert(0, 10) == QUERN_OK);
    FaultyDisk::sync_fails = true;
    REQUIRE(disk.Insert(100, 1) == QUERN_ERR_OUTCOME_UNKNOWN);
    FaultyDisk::Heal();
    // The disk is well again, but what it kept is not known: no more writing through this handle.
    REQUIRE(disk.Insert(200, 1) == QUERN_ERR_POISONED);
    REQUIRE(quern_optimize(disk.db, nullptr, 0, &disk.err) == QUERN_ERR_POISONED);
    REQUIRE(disk.Count() >= 10);
    disk.Open("");
    REQUIRE(disk.Count() <= 11);
    REQUIRE(disk.Insert(200, 1) == QUERN_OK);
    disk.Verify();
}

TEST_CASE("a failed write is an error with nothing lost") {
    Disk disk;
    REQUIRE(disk.Insert(0, 10) == QUERN_OK);
    FaultyDisk::write_fails = true;
    const int32_t status = disk.Insert(100, 1);
    REQUIRE((status == QUERN_ERR_IO || status == QUERN_ERR_OUTCOME_UNKNOWN));
    FaultyDisk::Heal();
    disk.Open("");
    REQUIRE(disk.Count() >= 10);
    REQUIRE(disk.Insert(200, 1) == QUERN_OK);
    disk.Verify();
}
